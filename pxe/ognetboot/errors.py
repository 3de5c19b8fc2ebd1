# SPDX-License-Identifier: GPL-3.0-or-later
"""The errors of ognetboot: a sentence for people and what to do about it, or a list of faults."""


class NetbootError(Exception):
    """`message` says what is wrong and where, `hint` what to do."""

    def __init__(self, message: str, *, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class FoundFaultsError(Exception):
    """What was asked for was done, and the answer is no: `report` is what a verb prints."""

    def __init__(self, report: str) -> None:
        super().__init__(report)
        self.report = report
