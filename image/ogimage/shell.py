# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts the build's processes: argument lists only, a failure ends the build with one sentence."""

import os
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path


class BuildError(Exception):
    """One sentence (what and why), and what to do about it."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


def say(text: str) -> None:
    print(f"==> {text}", flush=True)


def run(
    argv: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin_file: Path = Path(os.devnull),
) -> None:
    """Runs argv with the terminal's output; `env` is added to a clean environment."""
    with stdin_file.open("rb") as stdin:
        _checked(
            argv,
            subprocess.run(
                [os.fspath(a) for a in argv],
                cwd=cwd,
                env=_environment(env),
                stdin=stdin,
                check=False,
            ),
        )


def output(argv: Sequence[str | Path], *, cwd: Path | None = None) -> str:
    """Runs argv and returns what it printed."""
    done = subprocess.run(
        [os.fspath(a) for a in argv],
        cwd=cwd,
        env=_environment(None),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    _checked(argv, done)
    return done.stdout


def _environment(extra: Mapping[str, str] | None) -> dict[str, str]:
    kept = (
        "HOME",
        "TERM",
        "http_proxy",
        "https_proxy",
        "no_proxy",
        "PIP_INDEX_URL",
        "PIP_CONFIG_FILE",
        "XDG_CACHE_HOME",
    )
    env = {k: os.environ[k] for k in kept if k in os.environ}
    # Not the caller's PATH: a second Python in it would be taken by the tools tree's scripts.
    fixed = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}
    return env | fixed | dict(extra or {})


def _checked(
    argv: Sequence[str | Path],
    done: subprocess.CompletedProcess[str] | subprocess.CompletedProcess[bytes],
) -> None:
    if done.returncode != 0:
        command = shlex.join(os.fspath(a) for a in argv[:6])
        raise BuildError(f"{command} … ended with status {done.returncode}", "see its output above")


def report(error: BuildError) -> int:
    print(f"error: {error}", file=sys.stderr)
    if error.hint:
        print(f"hint: {error.hint}", file=sys.stderr)
    return 1
