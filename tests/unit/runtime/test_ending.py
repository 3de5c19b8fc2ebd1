# SPDX-License-Identifier: GPL-3.0-or-later
"""How a command ends when somebody says stop: before its result, while it is said, and after."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from oglib.ending import ended, last_words

_WORK = """
import os, signal, sys
from oglib.ending import ended, last_words

def stop():
    os.kill(os.getpid(), signal.{signal})

class Stopping:
    def __init__(self, stream): self.stream = stream
    def write(self, text): stop(); self.stream.write(text); stop()
    def flush(self): self.stream.flush(); stop()

def work():
    {before}
    with last_words():
        real, sys.stdout = sys.stdout, Stopping(sys.stdout)
        print("done")
    sys.stdout = real
    stop()
    return 0

import atexit
atexit.register(stop)
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
status = ended(work, lambda error: print(error, file=sys.stderr), final=True)
stop()
sys.exit(status)
"""


def _run(number: str, before: str = "pass") -> subprocess.CompletedProcess[str]:
    code = _WORK.format(signal=number, before=before)
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("number", ["SIGTERM", "SIGINT"])
def test_once_success_is_said_it_stays(number: str) -> None:
    """It is told to stop before each byte of the result, after it, and while Python ends."""
    finished = _run(number)
    assert (finished.returncode, finished.stdout, finished.stderr) == (0, "done\n", "")


@pytest.mark.parametrize("number", ["SIGTERM", "SIGINT"])
def test_before_that_it_is_interrupted(number: str) -> None:
    finished = _run(number, before="stop()")
    assert (finished.returncode, finished.stdout) == (130, "")
    assert "interrupted" in finished.stderr


def test_a_reader_that_does_not_read_keeps_us_for_seconds_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("oglib.ending._READER_S", 1)

    def work() -> int:
        with last_words():
            os.kill(os.getpid(), signal.SIGTERM)
            while True:
                signal.pause()  # as a write into a full pipe does

    assert ended(work, lambda _: None) == 130


def test_who_calls_it_within_a_process_keeps_his_signals() -> None:
    before = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)]

    def work() -> int:
        with last_words():
            pass
        return 0

    assert ended(work, lambda _: None) == 0
    after = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)]
    assert after == before
