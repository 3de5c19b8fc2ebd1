# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts the build's processes: argument lists only, a failure ends the build with one sentence.

What they say goes into a log file below build/log; the screen gets one line a step. Whoever asks
(``V=1`` or ``--verbose``) sees all of it, and after a failure everybody sees the end of it.
"""

import os
import shlex
import shutil
import subprocess
import sys
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from ogimage.paths import LOG_DIR, PROJECT_DIR

_TAIL_LINES = 25
_LINE_BYTES = 4096


class BuildError(Exception):
    """One sentence (what and why), and what to do about it; ``tail``: what was said before it."""

    def __init__(self, message: str, hint: str = "", tail: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.hint = hint
        self.tail = tuple(tail)


class Log:
    """Where the output of programs goes, and whether the screen gets it too.

    The file is made with the first line: who builds nothing needs no right to write it.
    """

    def __init__(self, path: Path, *, verbose: bool) -> None:
        self.path = path
        self.verbose = verbose
        self._file: BinaryIO | None = None

    def write(self, data: bytes, *, shown: bool = True) -> None:
        """Into the file; on the screen too where all was asked for and it is not there yet."""
        if self._file is None:
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._file = self.path.open("wb")
            except OSError as error:
                raise BuildError(
                    f"the log {_shown(self.path)} cannot be written: {error.strerror}",
                    "remove it, or build as the user it belongs to",
                ) from error
        self._file.write(data)
        self._file.flush()
        if self.verbose and shown:
            sys.stdout.buffer.write(data)
            sys.stdout.flush()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


_logs: list[Log] = []
"""The log of this build, once there is one."""


def verbose_asked() -> bool:
    """``make V=1``: make hands its variables on in the environment."""
    return os.environ.get("V", "") not in ("", "0")


@contextmanager
def logging_to(name: str, *, verbose: bool = False) -> Iterator[None]:
    """Within this block programs write to build/log/NAME.log; the last one's is replaced."""
    log = Log(LOG_DIR / f"{name}.log", verbose=verbose or verbose_asked())
    _logs.append(log)
    try:
        yield
    finally:
        _logs.pop()
        log.close()


def say(text: str) -> None:
    print(f"==> {text}", flush=True)
    if _logs:
        _logs[-1].write(f"==> {text}\n".encode(), shown=False)


def run(
    argv: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin_file: Path = Path(os.devnull),
) -> None:
    """Runs argv, its output into the log; `env` is added to a clean environment."""
    words = _words(argv)
    tail: deque[str] = deque(maxlen=_TAIL_LINES)
    with stdin_file.open("rb") as stdin:
        if not _logs:
            done = subprocess.run(words, cwd=cwd, env=environment(env), stdin=stdin, check=False)
            _check(words, done.returncode, tail)
            return
        _logs[-1].write(f"$ {shlex.join(words)}\n".encode())
        with subprocess.Popen(
            words,
            cwd=cwd,
            env=environment(env),
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ) as process:
            assert process.stdout is not None
            while piece := process.stdout.readline(_LINE_BYTES):
                _logs[-1].write(piece)
                line = piece.decode(errors="replace").rstrip()
                if line:
                    tail.append(line)
        _check(words, process.returncode, tail)


def output(argv: Sequence[str | Path], *, cwd: Path | None = None) -> str:
    """Runs argv and returns what it printed."""
    return output_bytes(argv, cwd=cwd).decode()


def output_bytes(argv: Sequence[str | Path], *, cwd: Path | None = None) -> bytes:
    """The same as bytes."""
    words = _words(argv)
    done = subprocess.run(
        words,
        cwd=cwd,
        env=environment(None),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        check=False,
    )
    _check(words, done.returncode, ())
    return done.stdout


def _words(argv: Sequence[str | Path]) -> list[str]:
    words = [os.fspath(a) for a in argv]
    if shutil.which(words[0], path=_PATH) is None:
        raise BuildError(f"the program {words[0]} is not installed here", "run `make setup`")
    return words


# Not the caller's PATH: a second Python in it would be taken by the tools tree's scripts.
_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
_KEPT = (
    "HOME",
    "TERM",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_CONFIG_DIRS",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    *(f"{kind}_proxy" for kind in ("http", "https", "all", "no")),
    *(f"{kind}_PROXY" for kind in ("HTTP", "HTTPS", "ALL", "NO")),
)
_PIP = "PIP_"


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """What a program of the build gets: how this site reaches the network, and nothing else."""
    env = {k: v for k, v in os.environ.items() if k in _KEPT or k.startswith(_PIP)}
    fixed = {"PATH": _PATH, "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}
    return env | fixed | dict(extra or {})


def _check(words: Sequence[str], status: int, tail: Sequence[str]) -> None:
    if status == 0:
        return
    command = shlex.join(words[:6])
    how = f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"
    hint = f"all of its output is in {_shown(_logs[-1].path)}" if _logs else "see its output above"
    raise BuildError(f"{command} … {how}", hint, tail)


def _shown(path: Path) -> Path:
    return path.relative_to(PROJECT_DIR) if path.is_relative_to(PROJECT_DIR) else path


def report(error: BuildError) -> int:
    """What was said last, then the sentence, so that the cause is what a person reads last."""
    if not (_logs and _logs[-1].verbose):
        for line in error.tail:
            print(f"  | {line}", file=sys.stderr)
    print(f"error: {error}", file=sys.stderr)
    if error.hint:
        print(f"hint: {error.hint}", file=sys.stderr)
    return 1
