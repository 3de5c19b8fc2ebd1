# SPDX-License-Identifier: GPL-3.0-or-later
"""Which file an old name means: ours, or one that a site put among its scripts.

A script that a site wrote or edited wins over ours, and its ``NAMECustom`` over both. A copy that
OpenGnsys published, as sites have them all in their scripts, does not: it knows nothing of what
ours do. Such a copy is known by its digest (``stock_scripts.txt``). The log names the file that
runs, and each that was passed over.

Whoever is running already is not run again: so a script may call the name that it stands for.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from oglib.errors import OgErr, OgError
from oglib.shim.logs import add_to_logs
from oglib.shim.names import REPLACED, SCRIPTS
from oglib.shim.process import is_called_by
from oglib.texts import TooLargeError, read_whole

_CUSTOM = "Custom"
# The names of the site's scripts that led here: one that hands over its process is nobody's parent.
_LED_HERE = "OG_SITE_SCRIPTS"
_SHELL = "/bin/bash"
_STOCK = Path(__file__).with_name("stock_scripts.txt")
_MOST_BYTES = 1 << 20  # OpenGnsys' largest has a tenth of it


@dataclass(frozen=True, slots=True)
class Decision:
    """``runs``: the site's file; None for ours. ``passed``: what else was there, and why not."""

    runs: Path | None
    passed: tuple[str, ...] = ()


def decide(name: str) -> Decision:
    """Which file runs for ``name``; only reads."""
    passed: list[str] = []
    for path in _candidates(name):
        if _led_here(path):
            continue
        why = _why_not(path)
        if not why:
            return Decision(path, tuple(passed))
        passed.append(f"{path} {why}")
    return Decision(None, tuple(passed))


def custom_of(name: str) -> Path | None:
    """What the site runs beside ``name``, its ``NAMECustom``; None where it has none."""
    path = _found(f"{name}{_CUSTOM}")
    why = _why_not(path) if path else ""
    if why:
        _note(f"{name}: {path} {why}")
    return None if why else path


def run_beside(name: str, words: Sequence[str]) -> int | None:
    """Run the site's script for ``name`` and come back with its exit code; None: ours has to run.

    What it prints passes by.
    """
    made = _decided(name)
    if made.runs is None:
        return None
    from oglib.streams import run_through  # noqa: PLC0415  few sites have one

    def take(piece: bytes) -> None:
        sys.stdout.buffer.write(piece)
        sys.stdout.flush()

    before = os.environ.get(_LED_HERE)
    os.environ[_LED_HERE] = _led(made.runs)
    sys.stdout.flush()
    try:
        return run_through(str(made.runs), *words, take=take)
    finally:
        os.environ.pop(_LED_HERE)
        if before is not None:
            os.environ[_LED_HERE] = before


def _decided(name: str) -> Decision:
    """The same as ``decide``; the log names what runs, and what was passed over."""
    made = decide(name)
    for told in made.passed:
        _note(f"{name}: {told}")
    who = str(made.runs or "ogLive's own")
    _note(f"{name}: {who} runs")
    return made


def _led(path: Path) -> str:
    return " ".join([*os.environ.get(_LED_HERE, "").split(), path.name])


def run_instead(name: str, words: Sequence[str]) -> None:
    """Become the site's script where it has one for ``name``; return where ours has to run."""
    made = _decided(name)
    if made.runs is None:
        return
    env = {**os.environ, _LED_HERE: _led(made.runs)}
    argv = [str(made.runs), *words]
    try:
        os.execve(argv[0], argv, env)  # noqa: S606 - the site's own program, by its path
    except OSError as error:
        if error.errno == errno.ENOEXEC:  # no line says what reads it: a shell takes it for its own
            os.execve(_SHELL, [_SHELL, *argv], env)  # noqa: S606 - as the shell that would have found it
        raise OgError(
            f"{made.runs} cannot be run: {error.strerror}.",
            hint="Mend it, or take it away: without it ogLive's own runs.",
            code=OgErr.NOTEXEC,
        ) from error


def is_the_sites(path: Path) -> bool:
    """Whether a library of functions is one that a site wrote; the log says which was taken."""
    why = "is one that OpenGnsys published" if is_stock(path) else ""
    _note(f"{path} {why}: its functions are ogLive's commands" if why else f"{path} is taken")
    return not why


def is_stock(path: Path) -> bool:
    """Whether it is, but for the ends of its lines, a file that OpenGnsys published."""
    try:
        return digest(read_whole(path, _MOST_BYTES)) in _digests()
    except TooLargeError:
        return False
    except OSError as error:
        why = f"{path} cannot be read: {error.strerror}."
        raise OgError(why, code=OgErr.NOTFOUND) from error


def digest(raw: bytes) -> str:
    """SHA-256 of a text as it is compared: without what an editor puts at the ends of lines."""
    return hashlib.sha256(raw.replace(b"\r\n", b"\n").rstrip()).hexdigest()


def _digests() -> frozenset[str]:
    lines = _STOCK.read_text(encoding="ascii").splitlines()
    return frozenset(line.partition(" ")[0] for line in lines if not line.startswith("#"))


def _candidates(name: str) -> Iterator[Path]:
    if name in REPLACED and (custom := _found(f"{name}{_CUSTOM}")):
        yield custom
    own = Path(_scripts(), name)
    if own.is_file():
        yield own


def _scripts() -> str:
    return os.environ.get("OGSCRIPTS") or SCRIPTS


def _found(name: str) -> Path | None:
    """Among the site's scripts, else anywhere in PATH: no command of ours has such a name."""
    path = shutil.which(name, path=f"{_scripts()}:{os.environ.get('PATH', os.defpath)}")
    return Path(path) if path else None


def _led_here(path: Path) -> bool:
    """Whether the script runs already, or is a link to this program."""
    if path.name in os.environ.get(_LED_HERE, "").split() or is_called_by(path.name):
        return True
    return path.resolve() == Path(sys.argv[0]).resolve()


def _why_not(path: Path) -> str:
    """Why a site's file does not run; empty where it does."""
    if not os.access(path, os.X_OK):
        return "is not executable"
    return "is one that OpenGnsys published, unchanged" if is_stock(path) else ""


def _note(line: str) -> None:
    """For the logs alone: scripts read what a command prints."""
    add_to_logs(("log", "session"), line)
