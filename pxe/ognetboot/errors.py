# SPDX-License-Identifier: GPL-3.0-or-later
"""The one error of ognetboot: a sentence for people and what to do about it."""


class NetbootError(Exception):
    """`message` says what is wrong and where, `hint` what to do."""

    def __init__(self, message: str, *, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
