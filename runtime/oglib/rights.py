# SPDX-License-Identifier: GPL-3.0-or-later
"""What needs root, said in one sentence instead of a dozen ways in which tools say it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from oglib.errors import OgErr, OgError

_HINT = "Run it as root."


class RightsError(OgError):
    """A person who is not root asked for what only root may do."""

    code = OgErr.NOTEXEC


def lacks_root() -> bool:
    return os.geteuid() != 0


def need_root(what: str) -> None:
    """Raise unless this is root; for what changes disks, before anything is looked at."""
    if lacks_root():
        raise RightsError(f"{what} needs the rights of root.", hint=_HINT)


@contextmanager
def stating_rights(what: str) -> Iterator[None]:
    """A block in which a refusal for want of rights is told as one, wherever it was noticed."""
    try:
        yield
    except (OgError, OSError) as error:
        refused = _refusal(error)
        if isinstance(error, RightsError) or refused is None or not lacks_root():
            raise
        at = f" for {os.fsdecode(refused.filename)}" if refused.filename else ""
        raise RightsError(f"{what} needs the rights of root{at}.", hint=_HINT) from error


def _refusal(error: BaseException) -> PermissionError | None:
    """The system's refusal that an error was made of, if it was one."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, PermissionError):
            return seen
        seen = seen.__cause__
    return None
