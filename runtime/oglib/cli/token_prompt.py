# SPDX-License-Identifier: GPL-3.0-or-later
"""The upload token of a capture, typed by a person at the PC, or put into its file meanwhile."""

from __future__ import annotations

import os
import select
import termios
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from oglib.errors import OgError
from oglib.transfer.upload import is_token, keep_token, read_token

PATIENCE_S = 3600.0  # as long as a token is good
_LOOK_EVERY_S = 1.0
_LINE_BYTES = 4096

Tell = Callable[[Sequence[str]], None]


def ask_for_token(
    name: str, keep: Path, terminal: Path, *, tell: Tell, patience_s: float = PATIENCE_S
) -> None:
    """Return when the token is in its file ``keep``; raise as ``read_token`` when nobody gives it.

    What is typed is not shown: a screen in a classroom has many readers.
    """
    try:
        read_token(keep)
    except OgError as error:
        tell(
            [
                f"This PC has no upload token for {name}. {error.message}",
                f"Type the token here that `ogrepo token {name} --dir DIR` prints on the server, "
                "and press Enter; it is not shown.",
                f"Or put it into {keep} with mode 0600. The PC waits for an hour.",
            ]
        )
    else:
        return
    deadline = time.monotonic() + patience_s
    with _lines_of(terminal) as line_within:
        while (left := deadline - time.monotonic()) > 0:
            typed = line_within(min(left, _LOOK_EVERY_S))
            if typed is None:
                if _is_there(keep):
                    return
            elif is_token(typed):
                keep_token(typed, keep)
                return
            elif typed:
                tell([f"That is no upload token ({len(typed)} characters). Type it once more."])
    read_token(keep)


def _is_there(keep: Path) -> bool:
    try:
        read_token(keep)
    except OgError:
        return False  # the sentence that says why was told, and comes again at the end
    return True


@contextmanager
def _lines_of(terminal: Path) -> Iterator[Callable[[float], str | None]]:
    """Lines that are typed from now on, without echo; None where none came in so many seconds.

    The terminal does not become that of this process, so no key of it is a signal.
    """
    descriptor = os.open(terminal, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        before = termios.tcgetattr(descriptor)
        silent = termios.tcgetattr(descriptor)
        silent[3] = (silent[3] | termios.ICANON) & ~termios.ECHO
        termios.tcsetattr(descriptor, termios.TCSAFLUSH, silent)

        def within(seconds: float) -> str | None:
            ready, _, _ = select.select([descriptor], [], [], seconds)
            if not ready:
                return None
            return os.read(descriptor, _LINE_BYTES).decode("ascii", "replace").strip()

        try:
            yield within
        finally:
            termios.tcsetattr(descriptor, termios.TCSANOW, before)
    finally:
        os.close(descriptor)
