# SPDX-License-Identifier: GPL-3.0-or-later
"""A second look where opening a filesystem for writing showed another system than the first.

A journal that a power cut left is replayed when a filesystem is opened for writing, and not when it
is read: only then is it known what the files of the system are.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from oglib.errors import OgError

_Plan = TypeVar("_Plan")
_Done = TypeVar("_Done")
_LOOKS = 2  # the first one has replayed what there was


class OtherSystemError(OgError):
    """A plan does not hold any more; nothing was written by it."""


def planned_and_done(
    plan: Callable[[], _Plan], do: Callable[[_Plan], _Done]
) -> tuple[_Plan, _Done]:
    """What was planned, and what ``do`` made of it; both once more where the plan did not hold.

    ``do`` shows the plan to whom it concerns, the second one too. OtherSystemError where somebody
    else changes the system all the time.
    """
    for _ in range(_LOOKS - 1):
        planned = plan()
        with suppress(OtherSystemError):
            return planned, do(planned)
    planned = plan()
    return planned, do(planned)
