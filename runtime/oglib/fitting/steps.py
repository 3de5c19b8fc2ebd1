# SPDX-License-Identifier: GPL-3.0-or-later
"""What a piece of work did, step by step, as values: one failed step does not hide the others."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from oglib.errors import OgError


class Outcome(StrEnum):
    """How one step ended."""

    DONE = "done"
    NOT_NEEDED = "not-needed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Step:
    """One step, told to a person and to a program."""

    name: str
    outcome: Outcome
    detail: str = ""


def closed(steps: tuple[Step, ...], error: OgError) -> tuple[Step, ...]:
    """What was done, and that the system could not be closed after it: a failed step of its own.

    The error itself where nothing was done yet.
    """
    if not steps:
        raise error
    return (*steps, Step("close", Outcome.FAILED, error.message))
