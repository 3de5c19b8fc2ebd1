# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a job is told: a bar on the screen, plain lines elsewhere, and nobody is waited for."""

from __future__ import annotations

import os
import select
import stat
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from oglib.views.board import opened_board

WIDE = "Debian 13 (lab1/debian version 3) onto disk 1 partition 2, /dev/nvme0n1 (Samsung SSD, 1 TB)"


@pytest.fixture
def screen() -> Iterator[tuple[int, Path]]:
    """A terminal: the end that shows, and its name."""
    master, slave = os.openpty()
    termios.tcsetwinsize(slave, (25, 80))
    yield master, Path(os.ttyname(slave))
    os.close(master)
    os.close(slave)


def shown_until(master: int, last: str) -> str:
    """What the terminal shows up to ``last``: the kernel hands it over in pieces of its own."""
    shown = b""
    while last.encode() not in shown:
        ready, _, _ = select.select([master], [], [], 60)
        assert ready, shown
        shown += os.read(master, 8192)
    return shown.decode()


def test_the_same_is_told_everywhere_each_in_its_way(
    screen: tuple[int, Path], tmp_path: Path
) -> None:
    master, tty = screen
    line, log = tmp_path / "ttyS0", tmp_path / "job.log"
    line.touch()
    with opened_board(tty, [line], log) as board:
        task = board.progress.task(WIDE, ["partition the disk", "restore lab1/debian version 3"])
        task.step("restore lab1/debian version 3")
        with board.progress.phase("restore", 2048) as phase:
            phase.advance(2048)
        board.tell(["Ready: Debian 13 as pc14"])
    for plain in (log.read_text(), line.read_text()):
        rows = plain.splitlines()
        assert rows[:2] == [WIDE, "step 2 of 2: restore lab1/debian version 3"]
        assert any(row.startswith("[100] restore: 2.0 KiB of 2.0 KiB") for row in rows)
        assert rows[-1] == "Ready: Debian 13 as pc14"
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    shown = shown_until(master, "Ready: Debian 13 as pc14").replace("\r\n", "\n")
    drawn = [part for row in shown.split("\n") for part in row.split("\r\x1b[K")]
    assert "Ready: Debian 13 as pc14" in drawn
    assert any(row.startswith("restore  [####") for row in drawn)
    assert max(map(len, drawn)) <= 80


def test_a_screen_that_was_stopped_stops_nobody(screen: tuple[int, Path], tmp_path: Path) -> None:
    """Scroll Lock, or a serial line whose other end does not read."""
    _, tty = screen
    log = tmp_path / "job.log"
    with opened_board(tty, [], log) as board:
        for number in range(3000):  # more than a terminal takes without a reader
            board.tell([f"{number} {'x' * 70}"])
    assert len(log.read_text().splitlines()) == 3000


def test_what_cannot_be_opened_is_left_out(tmp_path: Path) -> None:
    log = tmp_path / "job.log"
    with opened_board(tmp_path / "no-tty", [tmp_path / "no-line"], log) as board:
        board.tell(["said"])
    assert log.read_text() == "said\n"
