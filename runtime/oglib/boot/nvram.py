# SPDX-License-Identifier: GPL-3.0-or-later
"""The boot entries that firmware keeps in its NVRAM. They are left as they are, and that is told.

The removable path starts without an entry; an entry of the distribution still finds its folder.
"""

from __future__ import annotations

from oglib.boot.facts import BootFacts
from oglib.fitting.edits import Files
from oglib.fitting.fittings import Check, Need

_LEFT = Check(Need.NOT_NEEDED, "left as they are: the removable path starts without an entry")


def entries(root: Files, facts: BootFacts) -> Check:  # noqa: ARG001 - true of every PC
    """What becomes of the firmware's entries."""
    return _LEFT
