# SPDX-License-Identifier: GPL-3.0-or-later
"""How servers are reached from this PC, as one value that goes wherever something is fetched."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

SLOWEST_RATE = 8192


@dataclass(frozen=True, slots=True)
class Connection:
    """``ca_file`` vouches for servers beside the system's CAs; None: the site's, of its overlay.

    ``stall_s``: how long nothing may come. ``deadline_s``: how long an exchange is tried again
    without progress. ``slowest_rate``: bytes a second; slower than this is as good as broken.
    ``queue_s``: how long a turn is waited for at a server that says that there is a queue.
    """

    ca_file: Path | None = None
    stall_s: float = 15.0
    deadline_s: float = 60.0
    slowest_rate: int = SLOWEST_RATE
    queue_s: float = 8 * 3600.0


USUAL = Connection()
