# SPDX-License-Identifier: GPL-3.0-or-later
"""The recorder and the states made from its log, before anything is judged by them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from oglib.disk.model import MIB
from power.crash import Piece, crash_states, make_disk
from power.recorder import recorded_disk
from power.synthetic import synthetic
from power.write_log import DISCARD, FUA, Entry, WriteLog, read_log

SIZE = 16 * MIB
SECTORS = pytest.mark.parametrize("sector_bytes", [512, 4096])


@contextmanager
def opened(path: Path) -> Iterator[int]:
    device_fd = os.open(path, os.O_RDWR)
    try:
        yield device_fd
    finally:
        os.close(device_fd)


def loops_on(path: Path) -> str:
    return subprocess.run(
        ["losetup", "--noheadings", "--associated", path],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip


@SECTORS
def test_an_fsync_between_two_writes_is_a_flush_between_them(work: Path, sector_bytes: int) -> None:
    with recorded_disk(work, SIZE, sector_bytes=sector_bytes) as disk:
        with opened(disk.device) as device_fd:
            os.pwrite(device_fd, b"1" * 4096, 0)
            os.fsync(device_fd)
            os.pwrite(device_fd, b"2" * 4096, MIB)
            os.fsync(device_fd)
        disk.mark_returned()
        with opened(disk.device) as device_fd:
            os.pwrite(device_fd, b"3" * 4096, 2 * MIB)
    log = disk.recording().log
    assert log.sector_bytes == sector_bytes
    said = ["flush" if entry.is_flush else entry.at_bytes // MIB for entry in log.entries]
    assert said == [0, "flush", 1, "flush", 2, "flush"]
    assert disk.recording().returned == 4
    assert all(entry.size_bytes == 4096 for entry in log.entries if not entry.is_flush)


def test_a_discard_is_logged_without_data(work: Path) -> None:
    content = work / "content"
    content.write_bytes(b"x" * SIZE)
    with recorded_disk(work / "disk", SIZE, content) as disk:
        subprocess.run(["blkdiscard", "-o", str(MIB), "-l", str(MIB), disk.device], check=True)
        with opened(disk.device) as device_fd:
            os.pwrite(device_fd, b"y" * 512, 4 * MIB)
    log = disk.recording().log
    assert (MIB, MIB, DISCARD) in [(one.at_bytes, one.size_bytes, one.flags) for one in log.entries]
    states = crash_states(log, seed="1", count=2)
    make_disk(log, disk.recording().base, states[1], work / "state")
    bytes_now = (work / "state").read_bytes()
    assert bytes_now[MIB : 2 * MIB] == bytes(MIB)
    assert bytes_now[4 * MIB :][:513] == b"y" * 512 + b"x"
    assert bytes_now[:MIB] == b"x" * MIB


def test_everything_is_closed_after_a_failure(work: Path) -> None:
    with pytest.raises(ZeroDivisionError), recorded_disk(work, SIZE) as disk:
        raise ZeroDivisionError
    assert loops_on(work / "shown") == ""
    assert str(work) not in Path("/proc/self/mounts").read_text()
    assert disk.device.name not in loops_on(work / "shown")
    ours = [
        proc
        for proc in Path("/proc").glob("[0-9]*/cmdline")
        if b"qemu-storage-daemon" in (said := proc.read_bytes()) and bytes(work) in said
    ]
    assert ours == []


def test_a_recording_can_be_made_into_its_end(work: Path) -> None:
    with recorded_disk(work / "disk", SIZE) as disk:
        subprocess.run(["mkfs.ext4", "-q", disk.device], check=True)
        at_end = disk.device.read_bytes()
    recording = disk.recording()
    nothing, everything = crash_states(recording.log, seed="1", count=2)[:2]
    make_disk(recording.log, recording.base, nothing, work / "state")
    assert (work / "state").read_bytes() == bytes(SIZE)
    make_disk(recording.log, recording.base, everything, work / "state")
    assert (work / "state").read_bytes() == at_end


def test_states_keep_what_was_flushed_and_tear_between_sectors(work: Path) -> None:
    recording = synthetic(
        work, (0, 2, 0), (0, 0, 1), (8, 8, 0), (20, 1, FUA), (30, 1, 0), (0, 0, 1)
    )
    log = recording.log
    states = crash_states(log, seed="7", count=200)
    assert states == crash_states(log, seed="7", count=200)
    assert states != crash_states(log, seed="8", count=200)
    assert len({(state.lasting, state.pieces) for state in states}) == len(states) > 50
    assert (states[0].lasting, states[1].lasting) == (0, len(log.entries))
    seen: set[tuple[bool, ...]] = set()
    for state in states:
        make_disk(log, recording.base, state, work / "state")
        disk = (work / "state").read_bytes()
        sectors = [disk[at : at + 512] for at in range(0, len(disk), 512)]
        assert all(len(set(sector)) == 1 for sector in sectors)
        if state.lasting >= 2:
            assert sectors[0] == sectors[1] == b"\1" * 512
        if state.lasting == 6:
            assert sectors[15] == b"\3" * 512
        if any(piece.entry > 3 for piece in state.pieces):
            assert sectors[20] == b"\4" * 512, "later than a FUA write that is not there"
        seen.add(tuple(any(sector) for sector in sectors[8:16]))
    assert len(seen) > 20, "a torn write leaves many patterns"


def test_whole_says_up_to_where_nothing_is_missing() -> None:
    entries = tuple(Entry(at * 512, 1024, 0, 0) for at in range(4))
    for state in crash_states(WriteLog(Path("log"), 512, entries), seed="1", count=60):
        full = {piece.entry for piece in state.pieces if piece == Piece(piece.entry, 0, 1024)}
        if state.lasting == 0:
            assert state.whole == next((at for at in range(4) if at not in full), 4)


def test_another_file_is_no_log(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"x" * 512)
    with pytest.raises(ValueError, match="no write log"):
        read_log(tmp_path / "log")
