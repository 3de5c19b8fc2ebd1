# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes of the host: run one to its end, or keep one in the background with its log."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from harness.errors import HarnessError

_RUN_LIMIT_S = 300
_STOP_LIMIT_S = 10


def run(argv: Sequence[str], *, stdin: str = "", limit_s: float = _RUN_LIMIT_S) -> str:
    """Run to the end and return standard output; anything but status 0 is a harness error."""
    try:
        done = subprocess.run(
            list(argv),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=limit_s,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise HarnessError(f"{argv[0]}: {error}") from error
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip()
        raise HarnessError(f"{' '.join(argv)} ended with status {done.returncode}: {said}")
    return done.stdout


class Background:
    """A process that runs until it is stopped; both its outputs go to one log file."""

    def __init__(
        self, name: str, argv: Sequence[str], log: Path, *, pass_fds: Sequence[int] = ()
    ) -> None:
        self.name = name
        self.argv = tuple(argv)
        self.log = log
        with log.open("ab") as stream:
            self.process = subprocess.Popen(
                self.argv,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                pass_fds=tuple(pass_fds),
                start_new_session=True,
            )

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def log_text(self) -> str:
        """What the process has said so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def require_alive(self) -> None:
        """A harness error, with the end of the log, when the process has ended by itself."""
        if not self.alive:
            raise HarnessError(
                f"{self.name} ended with status {self.process.returncode}: "
                f"{self.log_text()[-1500:].strip()}"
            )

    def wait(self, limit_s: float) -> int | None:
        """The exit status, or None when the process outlives the limit."""
        try:
            return self.process.wait(limit_s)
        except subprocess.TimeoutExpired:
            return None

    def stop(self) -> None:
        """Ask, then force; afterwards the process is gone."""
        if self.alive:
            self.process.terminate()
            if self.wait(_STOP_LIMIT_S) is None:
                self.process.kill()
        self.process.wait()
