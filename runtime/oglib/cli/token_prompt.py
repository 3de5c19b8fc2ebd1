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
    if _lacks(keep) is None:
        return
    with _keyboard(terminal) as line_within:
        if line_within is not None:
            tell(_question(name, keep))
            _wait(line_within, keep, tell, patience_s)
    if (lacks := _lacks(keep)) is not None:
        raise lacks


def _lacks(keep: Path) -> OgError | None:
    try:
        read_token(keep)
    except OgError as error:
        return error
    return None


def _question(name: str, keep: Path) -> list[str]:
    return [
        f"This PC has no upload token for {name}; without one nothing is captured.",
        f"On the server, `ogrepo token {name} --dir DIR` prints one. Type it here,",
        "with Enter behind it; it is not shown, and the keys are those of a US keyboard.",
        f"Or put it into {keep}, mode 0600. This PC waits for an hour.",
    ]


def _wait(
    line_within: Callable[[float], str | None], keep: Path, tell: Tell, patience_s: float
) -> None:
    """Until the token is there, or nobody has given one for so long."""
    deadline = time.monotonic() + patience_s
    while (left := deadline - time.monotonic()) > 0:
        typed = line_within(min(left, _LOOK_EVERY_S))
        if typed is None and _lacks(keep) is None:
            return
        if typed is not None and is_token(typed):
            keep_token(typed, keep)
            return
        if typed:
            tell([f"That is no upload token ({len(typed)} characters). Type it once more."])


@contextmanager
def _keyboard(terminal: Path) -> Iterator[Callable[[float], str | None] | None]:
    """Lines that are typed from now on, without echo; None where none came in so many seconds.

    The terminal does not become that of this process, so no key of it is a signal. Nothing to
    call where it is no terminal.
    """
    descriptor = os.open(terminal, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        if not os.isatty(descriptor):
            yield None
            return
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
