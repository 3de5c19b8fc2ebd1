# SPDX-License-Identifier: GPL-3.0-or-later
"""How this PC leaves ogLive: everything is stopped and unmounted, then it goes."""

from __future__ import annotations

import signal

from oglib.errors import ProcessError
from oglib.run import run


def leave(verb: str) -> None:
    """``reboot``, ``poweroff`` or ``kexec`` (the kernel that is loaded); does not wait for it."""
    try:
        run("systemctl", "--no-block", verb)
    except ProcessError as error:
        # who calls may belong to a unit, and going down ends that with all that is in it
        if error.status != -signal.SIGTERM:
            raise
