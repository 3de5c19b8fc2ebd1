# SPDX-License-Identifier: GPL-3.0-or-later
"""How a command ends: whatever happened in it becomes words and an exit code.

Shared by the two ``__main__`` modules, ``og`` and the old names, and used by nothing else.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable

from oglib.errors import OgErr, OgError

_INTERRUPTED = 130  # 128 + SIGINT, as shells count


def ended(name: str, work: Callable[[], int], say: Callable[[OgError], None]) -> int:
    """Run ``work`` to its end: its exit code, or the OG_ERR number of the error told to ``say``."""
    # Being told to stop is an interruption like Ctrl-C: work settles, a rerun goes on from there.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        status = work()
        sys.stdout.flush()
        return status
    except OgError as error:
        say(error)
        return int(error.code)
    except KeyboardInterrupt:
        print(f"\n{name}: interrupted; run the same command again to go on.", file=sys.stderr)
        return _INTERRUPTED
    except BrokenPipeError:  # the reader of our output left, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return int(OgErr.GENERIC)
    except OSError as error:
        named = f" {error.filename}" if error.filename else ""
        failure = OgError(
            f"The system refused{named}: {error.strerror or error}.",
            hint="Look at the kernel log (dmesg) for the device's own message.",
        )
        say(failure)
        return int(failure.code)
