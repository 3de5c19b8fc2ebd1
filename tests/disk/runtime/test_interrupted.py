# SPDX-License-Identifier: GPL-3.0-or-later
"""Ctrl-C at the worst moment: a tool has just done its work, and we do not know it yet."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from oglib.disk import loop
from oglib.disk.loop import attached
from oglib.disk.model import MIB
from oglib.errors import OgError, ProcessError
from oglib.filesystem.mount import mounted
from oglib.kernel import mounting
from oglib.kernel.loops import loops_over
from oglib.kernel.users import users_of
from oglib.run import run, undisturbed

MOUNT = mounting.mount


def said_by(*argv: str | Path) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "disk"
    with path.open("wb") as file:
        file.truncate(16 * MIB)
    said_by("mkfs.ext4", "-q", path)
    return path


def test_a_block_that_must_not_be_cut_is_done_first() -> None:
    done: list[str] = []
    cut = "kill -INT $PPID; kill -TERM $PPID; echo done; ps -o pgid= -p $$"
    with pytest.raises(KeyboardInterrupt), undisturbed():
        done += run("sh", "-c", cut).stdout.split()
    assert done[0] == "done"
    # the terminal sends Ctrl-C to our whole group: the program must not be in it
    assert int(done[1]) != os.getpgrp()


def test_a_block_that_fails_does_not_forget_that_it_was_interrupted() -> None:
    """Who catches its error would go on working."""
    with pytest.raises(KeyboardInterrupt), undisturbed():
        signal.raise_signal(signal.SIGINT)
        raise OgError("It failed as well.")


def test_what_is_ignored_stays_ignored() -> None:
    """``nohup`` and a shell's background jobs ask for that."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with undisturbed():
            signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_no_handler_stays_of_a_block_that_must_not_be_cut(
    monkeypatch: pytest.MonkeyPatch, stop: signal.Signals
) -> None:
    """When one comes between the two: at its begin, where one is usual yet, and at its end."""
    stops = (signal.SIGINT, signal.SIGTERM)
    usual, real = signal.default_int_handler, signal.signal
    before = [real(one, usual) for one in stops]

    def late(number: int, handler: Any) -> Any:
        was = real(number, handler)
        if number == signal.SIGINT and (handler is usual) == (stop == signal.SIGINT):
            signal.raise_signal(stop)
        return was

    monkeypatch.setattr(signal, "signal", late)
    try:
        with pytest.raises(KeyboardInterrupt), undisturbed():
            pass
        assert [signal.getsignal(one) for one in stops] == [usual, usual]
        assert not signal.pthread_sigmask(signal.SIG_BLOCK, ()) & set(stops)
    finally:
        for one, handler in zip(stops, before, strict=True):
            real(one, handler)


@pytest.mark.parametrize("timeout_s", [None, 600])
def test_a_program_that_ends_itself_by_sigint_has_failed(timeout_s: float | None) -> None:
    with pytest.raises(ProcessError, match="signal 2"):
        run("sh", "-c", "kill -INT $$", timeout_s=timeout_s)


@pytest.mark.parametrize("first", ["$PPID $$", "$$ $PPID"])
def test_ctrl_c_reaches_the_program_and_us(first: str) -> None:
    """Whoever of the group gets it first: it is known here before the program's end."""
    with pytest.raises(KeyboardInterrupt):
        run("sh", "-c", f"trap 'trap - INT; kill -INT $$' INT; kill -INT {first}")


def test_no_loop_device_stays(image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = loop._attach

    def interrupted(*words: Any) -> tuple[Path, int]:
        done = real(*words)
        os.kill(os.getpid(), signal.SIGINT)
        return done

    monkeypatch.setattr(loop, "_attach", interrupted)
    with pytest.raises(KeyboardInterrupt), attached(image):
        pytest.fail("it was interrupted before")
    assert not said_by("losetup", "--associated", image)


def test_a_loop_device_goes_with_the_process_that_was_killed(image: Path) -> None:
    code = (
        "import sys, pathlib, signal; from oglib.disk.loop import attached\n"
        "with attached(pathlib.Path(sys.argv[1])) as device:\n"
        "    print(device, flush=True); signal.pause()"
    )
    argv = [sys.executable, "-c", code, str(image)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        device = Path(holder.stdout.readline().strip())
        (user,) = users_of(image)
        assert (user.device, user.leaving) == (device, False)
        holder.kill()
    end = time.monotonic() + 30
    while loops_over(image) and time.monotonic() < end:  # while somebody looks at it
        time.sleep(0.01)
    assert not loops_over(image)


def test_a_loop_device_that_was_let_go_lives_as_long_as_its_mount(image: Path) -> None:
    with ExitStack() as stack:
        with attached(image) as device:
            stack.enter_context(mounted(device))
        (user,) = users_of(image)
        assert (user.device, user.leaving) == (device, True)


def mount_and_interrupt(*words: Any) -> None:
    MOUNT(*words)
    signal.raise_signal(signal.SIGINT)


def test_no_mount_stays(image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with attached(image) as device:
        monkeypatch.setattr(mounting, "mount", mount_and_interrupt)
        with pytest.raises(KeyboardInterrupt), mounted(device):
            pytest.fail("it was interrupted before")
        assert str(device) not in Path("/proc/self/mountinfo").read_text()
