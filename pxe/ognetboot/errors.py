# SPDX-License-Identifier: GPL-3.0-or-later
"""The errors of ognetboot: a sentence for people and what to do about it, or a list of faults."""


class NetbootError(Exception):
    """`message` says what is wrong and where, `hint` what to do; `code` is the exit code."""

    def __init__(self, message: str, *, hint: str, code: int = 1) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code


class FoundFaultsError(Exception):
    """What was asked for was done, and the answer is no: `report` is what a verb prints, `code`
    the exit code."""

    def __init__(self, report: str, *, code: int = 1) -> None:
        super().__init__(report)
        self.report = report
        self.code = code
