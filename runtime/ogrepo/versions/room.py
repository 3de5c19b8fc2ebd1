# SPDX-License-Identifier: GPL-3.0-or-later
"""Room on the repository's disk: before something is refused, what the policy lets go of goes."""

from __future__ import annotations

import logging
import threading
import time

from oglib.errors import OgError
from oglib.wording.amounts import human_bytes
from ogrepo.library.folder import Folder
from ogrepo.versions.prune import Policy, apply, look, plan

_PAUSE_S = 60.0  # many uploads that find no room look once
_LOG = logging.getLogger("ogrepo")


def make_room(folder: Folder, policy: Policy) -> int:
    """Remove what the policy does not keep; the bytes that are free for it."""
    now = time.time()
    return apply(folder, plan(look(folder), policy, now), policy, now)


class Guard:
    """Makes room when it is asked to, but not all the time. May be used from any thread."""

    def __init__(self, folder: Folder, policy: Policy) -> None:
        self._folder = folder
        self._policy = policy
        self._lock = threading.Lock()
        self._not_before = 0.0

    def __call__(self) -> bool:
        """Whether there is more room than before; what went wrong is logged, and no room made."""
        with self._lock:
            if time.monotonic() < self._not_before:
                return False
            try:
                freed = make_room(self._folder, self._policy)
            except (OgError, OSError) as error:
                _LOG.warning("No room was made: %s", error)
                freed = 0
            self._not_before = time.monotonic() + _PAUSE_S
        if freed:
            _LOG.warning("Removed %s of old versions, for the disk is full.", human_bytes(freed))
        return bool(freed)
