# SPDX-License-Identifier: GPL-3.0-or-later
"""Starting real programs: what they say is kept, how they ended is never overlooked."""

from __future__ import annotations

import time

import pytest

from oglib.errors import OgErr, OgError, ProcessError
from oglib.run import run, stream_from


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
