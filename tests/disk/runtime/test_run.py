# SPDX-License-Identifier: GPL-3.0-or-later
"""Starting real programs: what they say is kept, how they ended is never overlooked."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import oglib.run
from oglib.errors import OgErr, OgError, ProcessError
from oglib.kernel import children
from oglib.run import run, undisturbed
from oglib.streams import run_through, stream_from


@pytest.fixture
def spawned(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of all programs that are started."""
    spawn, pids = os.posix_spawn, list[int]()

    def noted(*words: Any, **more: Any) -> int:
        pids.append(spawn(*words, **more))
        return pids[-1]

    monkeypatch.setattr(os, "posix_spawn", noted)
    return pids


def gone(pid: int) -> bool:
    """Whether nothing is left of a program of ours, not even how it ended."""
    try:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return True
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return False


def test_output_and_input_are_text() -> None:
    assert run("cat", stdin="two\nlines\n").stdout == "two\nlines\n"


def test_standard_input_is_closed_by_default() -> None:
    assert run("cat", timeout_s=10).stdout == ""


def test_a_failure_carries_everything_it_said() -> None:
    with pytest.raises(ProcessError) as caught:
        run("sh", "-c", "echo partly; echo 'disk is gone' >&2; exit 3")
    assert caught.value.status == 3
    assert "disk is gone" in caught.value.message


def test_an_accepted_status_is_success() -> None:
    assert run("sh", "-c", "exit 1", accept=(0, 1)).status == 1


def test_no_shell_reads_the_arguments() -> None:
    assert run("echo", "$(id)", ";", "*").stdout == "$(id) ; *\n"


def test_a_missing_program_is_named() -> None:
    with pytest.raises(OgError, match="no-such-program is not installed") as caught:
        run("no-such-program")
    assert caught.value.code == OgErr.NOTEXEC


def test_a_program_that_does_not_answer_is_ended() -> None:
    started = time.monotonic()
    with pytest.raises(ProcessError, match="no answer"):
        run("sleep", "60", timeout_s=0.3)
    assert time.monotonic() - started < 10


def test_a_program_that_keeps_talking_is_ended_too(
    monkeypatch: pytest.MonkeyPatch, spawned: list[int]
) -> None:
    now, heard = [0.0], list[int]()

    def take(end: int, _said: bytearray) -> bool:
        heard.append(end)
        if len(heard) > 1:
            raise AssertionError("it is heard after its time")
        now[0] = 1000.0
        return True  # and what it said stands in the pipe still

    monkeypatch.setattr(children, "_take", take)
    clock = SimpleNamespace(monotonic=lambda: now[0], sleep=time.sleep)
    monkeypatch.setattr(children, "time", clock)
    with pytest.raises(ProcessError, match="no answer within 600 s"):
        run("sh", "-c", "echo talk; exec sleep 60", timeout_s=600)
    assert gone(*spawned)


def test_nothing_is_left_of_a_program_that_was_ended(spawned: list[int]) -> None:
    """It held its output, and it might hold a disk."""
    with pytest.raises(ProcessError, match="no answer"):
        run("sleep", "60", timeout_s=0.01)
    assert gone(*spawned)


@pytest.mark.parametrize("at", ["heard", "_spawned"])
def test_nothing_is_left_of_a_program_that_was_interrupted(
    monkeypatch: pytest.MonkeyPatch, spawned: list[int], at: str
) -> None:
    """While it is heard, and at the very moment when it was started."""
    real = getattr(oglib.run, at)

    def interrupted(*words: Any, **more: Any) -> None:
        if at == "_spawned":
            real(*words, **more)
        raise KeyboardInterrupt

    monkeypatch.setattr(oglib.run, at, interrupted)
    with pytest.raises(KeyboardInterrupt):
        run("sleep", "60", timeout_s=600)
    assert gone(*spawned)


@pytest.mark.parametrize("timeout_s", [None, 600])
def test_a_program_that_cannot_be_watched_does_not_run(
    monkeypatch: pytest.MonkeyPatch, spawned: list[int], timeout_s: float | None
) -> None:
    def refuse(_pid: int) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(os, "pidfd_open", refuse)
    with pytest.raises(OSError, match="Too many open files"):
        run("sleep", "60", timeout_s=timeout_s)
    assert gone(*spawned)


def test_a_program_is_in_our_group_where_that_has_no_number() -> None:
    code = "from oglib.run import run; print(run('cut', '-d ', '-f5', '/proc/self/stat').stdout)"
    argv = ["unshare", "--pid", "--fork", sys.executable, "-c", code]
    said = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=60).stdout
    assert int(said) == os.getpgrp()


def test_a_stream_that_broke_is_not_a_success() -> None:
    with (
        pytest.raises(ProcessError, match="read error"),
        stream_from("sh", "-c", "echo data; echo 'read error' >&2; exit 1") as stream,
    ):
        assert stream.read() == b"data\n"


def test_a_program_killed_in_the_middle_is_seen() -> None:
    with pytest.raises(ProcessError, match="signal 9"), stream_from("sh", "-c", "kill -9 $$") as s:
        s.read()


def test_the_readers_own_error_wins_and_ends_the_program() -> None:
    started = time.monotonic()
    with pytest.raises(KeyError), stream_from("sh", "-c", "echo a; sleep 60") as stream:
        stream.read(1)
        raise KeyError
    assert time.monotonic() - started < 10


def test_a_reader_of_the_head_ends_a_program_that_waits() -> None:
    started = time.monotonic()
    with stream_from("sh", "-c", "echo a; sleep 60; exit 1", head_only=True) as stream:
        assert stream.read(1) == b"a"
    assert time.monotonic() - started < 10


def test_a_program_that_failed_before_its_head_was_read_is_judged() -> None:
    with (
        pytest.raises(ProcessError, match="bad superblock"),
        # It lives on for a moment after its output has ended.
        stream_from(
            "sh", "-c", "echo 'bad superblock' >&2; exec >&-; sleep 0.3; exit 1", head_only=True
        ) as stream,
    ):
        assert not stream.read()


def test_much_comes_whole_and_much_goes_in() -> None:
    text = "line of text\n" * 300_000
    assert run("cat", stdin=text).stdout == text
    assert len(run("sh", "-c", "head -c 1000000 /dev/zero >&2").stderr) == 1_000_000


def test_a_program_gets_none_of_the_files_that_we_were_given() -> None:
    """A filesystem's daemon would hold them, and the locks on them, as long as it is mounted."""
    with Path(os.devnull).open("rb") as file:
        os.set_inheritable(file.fileno(), True)
        listed = run("ls", "/proc/self/fd").stdout.split()
    assert listed == ["0", "1", "2", "3"]  # the last one is that of ls itself


def test_who_is_left_behind_is_not_waited_for(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    assert run("sh", "-c", 'sleep 60 & echo $! >"$0"; echo done', pid).stdout == "done\n"
    os.kill(int(pid.read_text()), signal.SIGKILL)  # it is still there


def test_what_was_cut_before_it_was_the_program_is_started_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In a block that is not to be disturbed, when Ctrl-C comes before it has its own group."""
    spawn, started = os.posix_spawn, list[int]()

    def late(path: Any, argv: Any, *words: Any, **more: Any) -> int:
        first = not started
        if first:
            os.kill(os.getpid(), signal.SIGINT)  # for the group: for us, and for our copy too
            argv = ["sh", "-c", "kill -INT $$"]
        started.append(spawn(path, argv, *words, **more))
        return started[-1]

    monkeypatch.setattr(os, "posix_spawn", late)
    said: list[str] = []
    with pytest.raises(KeyboardInterrupt), undisturbed():
        said.append(run("sh", "-c", "echo done").stdout)
    assert (said, len(started)) == (["done\n"], 2)


def test_a_stream_runs_whether_asyncio_was_there_first_or_comes_later() -> None:
    """sh is loaded with a stand-in for asyncio; the real one must work before and after."""
    heard = "with stream_from('echo', 'hi') as s: said = s.read().decode()"
    loop = f"import asyncio\nasync def main():\n  {heard}\n  return said\n"
    said = "print(asyncio.run(main()).strip())"
    for code in (
        f"from oglib.streams import stream_from\n{heard}\n{loop}{said}",
        f"{loop}from oglib.streams import stream_from\n{said}",
    ):
        done = run(sys.executable, "-I", "-c", code)
        assert (done.stdout, done.stderr) == ("hi\n", "")


def test_a_caller_gets_output_as_it_comes_and_the_shells_exit_code() -> None:
    pieces: list[bytes] = []
    script = "echo out; echo problem >&2; kill -TERM $$"
    assert run_through("sh", "-c", script, take=pieces.append, with_errors=True) == 143
    assert b"".join(pieces) == b"out\nproblem\n"
