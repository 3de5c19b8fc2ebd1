# SPDX-License-Identifier: GPL-3.0-or-later
"""Power cuts while an image is restored: nothing half restored is taken for a system.

A restore onto a disk that holds another system is recorded. Then, for each crash state: when
the sector that makes the new system one is there, all of it is; before the first of its data
was written, what was there before has at most a hole in its guard; and the same restore again,
without a map (that was in memory), ends with every byte in place.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from oglib.image.any import Image
from oglib.image.reading.local import create_local, local_image
from oglib.image.writing import direct, prover
from oglib.image.writing.guard import GUARD_BYTES, decisive_sector, guard_spans
from oglib.image.writing.restore import restore
from oglib.image.writing.shape import Shape, shape_of, shape_of_stream
from power.crash import CrashState
from power.explore import Case
from power.recorder import Recording, recorded_disk
from quiet import QUIET
from tallies import Tally
from unit.image.streams import PartitionStream
from unit.image.synthetic import Partition, make_image, partition

MIB = 1 << 20
STATES = 45
SIZE = 10 * MIB


def ntfs_like() -> Partition:
    """Its boot sector says where the spare belongs, which is not in the image."""
    source = partition(31, mib=9, filesystem=b"NTFS", tail_bytes=4096)
    boot = bytearray(source.blocks[0])
    boot[3:13] = b"NTFS    " + (512).to_bytes(2, "little")
    boot[40:48] = (source.device_size // 512 - 1).to_bytes(8, "little")
    source.blocks[0] = bytes(boot)
    return source


@dataclass(frozen=True, slots=True)
class Way:
    """What is restored, onto what: ``changed`` blocks of an older one, or another system.

    ``cached``: through the page cache, where fragmented content goes; else past it.
    """

    source: Partition
    stream: str = ""
    delta: bool = False
    cached: bool = False

    @contextmanager
    def opened(self, folder: Path) -> Iterator[Image]:
        if self.stream:
            yield PartitionStream(self.source, tool=self.stream)
            return
        path = folder / "x.img"
        with local_image(path if path.exists() else make_image(self.source, folder)) as image:
            yield image

    def before(self) -> bytes:
        """The disk as it was: an older version of the same, or something of no kinship."""
        other = partition(77, mib=SIZE // MIB, density=0.8)
        data = bytearray(b"".join(other.blocks.get(i, bytes(4096)) for i in range(SIZE // 4096)))
        if self.delta:
            for index, block in self.source.blocks.items():
                if index % 7 or not index:  # the first block too is another one
                    data[index * 4096 : (index + 1) * 4096] = block if index else block[::-1]
        return bytes(data)

    def shape(self, folder: Path) -> Shape:
        with self.opened(folder) as image:
            if isinstance(image, PartitionStream):
                return shape_of_stream(image, self.source.device_size, 512)
            return shape_of(image)  # type: ignore[arg-type]


EXTFS = partition(32, mib=9)
WAYS = {
    "frames": Way(ntfs_like()),
    "frames-cached": Way(EXTFS, cached=True),
    "frames-delta": Way(EXTFS, delta=True),
    "stream": Way(ntfs_like(), stream="partclone"),
    "stream-of-a-disk": Way(partition(33, mib=10), stream="disk"),
    "stream-delta": Way(EXTFS, stream="partclone", delta=True),
}


def record(folder: Path, content: bytes, do: Callable[[Path], object]) -> Recording:
    """``do`` restores to a device that held ``content``; each piece is flushed by itself."""
    folder.mkdir()
    (folder / "base").write_bytes(content)
    with recorded_disk(folder, len(content), folder / "base") as disk:
        do(disk.device)
        disk.mark_returned()
        disk.mark_end()
    return disk.recording()


@dataclass(slots=True)
class Judge:
    """What may be seen on the disk of a crash state, and after the restore was run again."""

    way: Way
    shape: Shape
    returned: int
    work: Path
    seen: set[str] = field(default_factory=set)

    def __call__(self, disk: Path, state: CrashState) -> None:
        data, before = disk.read_bytes(), self.way.before()
        whole = self.whole(data)
        sector = decisive_sector(self.shape)
        now = data[sector.start : sector.end]
        if whole:
            self.seen.add("whole")
        elif now == before[sector.start : sector.end]:
            self.seen.add("before")
            # A bool: pytest explains two unequal megabytes for a quarter of an hour.
            same = self.outside_guard(data) == self.outside_guard(before)
            assert same, "old and new are mixed"
        else:
            self.seen.add("incomplete")
            assert now == bytes(len(now)), "it can be taken for a system, and is not whole"
        if state.whole >= self.returned:
            assert whole, "it was done, and is not there after a cut"
        with self.way.opened(self.work) as image:
            receipt = restore(
                image, disk, progress=QUIET, delta=self.way.delta, maps=self.work / "maps"
            )
        assert receipt.verified == "read-back"
        assert self.whole(disk.read_bytes()), "the restore does not converge"

    def whole(self, data: bytes) -> bool:
        size = self.way.source.block_size
        same = all(
            data[index * size : index * size + size] == block
            for index, block in self.way.source.blocks.items()
        )
        if self.way.source.filesystem == b"NTFS":
            end = self.way.source.device_size
            same = same and data[end - 512 : end] == self.way.source.blocks[0][:512]
        return same

    def outside_guard(self, data: bytes) -> bytes:
        end = min([span.start for span in guard_spans(self.shape)[1:]] or [len(data)])
        return data[GUARD_BYTES:end]


@pytest.mark.parametrize("name", WAYS)
def test_a_cut_leaves_nothing_that_looks_whole(
    name: str, case: Case, tally: Tally, monkeypatch: pytest.MonkeyPatch
) -> None:
    way = WAYS[name]
    folder = case.work / "image"
    folder.mkdir()

    def do(device: Path) -> None:
        with monkeypatch.context() as patched, way.opened(folder) as image:
            patched.setattr(prover, "_BATCH_BYTES", 2 * MIB)  # as many flushes as a large image
            if not way.cached:
                patched.setattr(direct, "_LEAST_RUN_BYTES", 1)
            restore(image, device, progress=QUIET, delta=way.delta, maps=folder / "maps")

    recording = case.recording(lambda at: record(at, way.before(), do))
    judge = Judge(way, way.shape(folder), recording.returned, folder)
    case.explore(recording, STATES, judge, tally, "restore")
    assert judge.seen == {"before", "incomplete", "whole"} or case.is_replay


def test_no_tool_sees_a_filesystem_that_is_not_whole(
    case: Case, tally: Tally, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real ext4, asked for by blkid and judged by e2fsck."""
    source, folder = case.work / "source", case.work / "image"
    folder.mkdir()
    source.touch()
    os.truncate(source, 16 * MIB)
    files = case.work / "files"
    files.mkdir()
    for number in range(12):
        (files / f"f{number}").write_bytes(os.urandom(300_000))
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-d", files, source], check=True)
    create_local(source, folder / "x.img", progress=QUIET)
    content = source.stat().st_size

    def do(device: Path) -> None:
        with monkeypatch.context() as patched, local_image(folder / "x.img") as image:
            patched.setattr(prover, "_BATCH_BYTES", MIB)
            restore(image, device, progress=QUIET, maps=folder / "maps")

    def fsck(disk: Path) -> int:
        done = subprocess.run(["e2fsck", "-fn", disk], capture_output=True, check=False)
        return done.returncode

    def judge(disk: Path, state: CrashState) -> None:
        said = subprocess.run(
            ["blkid", "--probe", "--output", "value", "-s", "TYPE", disk],
            capture_output=True, text=True, check=False,
        ).stdout.strip()  # fmt: skip
        assert not said or (said == "ext4" and fsck(disk) == 0)
        assert said or state.whole < recording.returned
        with local_image(folder / "x.img") as image:
            restore(image, disk, progress=QUIET, maps=folder / "maps")
        assert fsck(disk) == 0

    recording = case.recording(lambda at: record(at, bytes(content), do))
    case.explore(recording, STATES, judge, tally, "restore")


@pytest.mark.parametrize("without", ["the guard", "flushes"])
def test_a_restore_without_its_care_is_found_out(
    without: str, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: the method sees what it is there to see."""
    from oglib.image.writing.region_writer import RegionWriter
    from oglib.image.writing.target import Target

    way = WAYS["frames"]
    folder = case.work / "image"
    folder.mkdir()

    def do(device: Path) -> None:
        with monkeypatch.context() as patched, way.opened(folder) as image:
            patched.setattr(prover, "_BATCH_BYTES", 2 * MIB)
            if without == "the guard":
                patched.setattr(RegionWriter, "_zero_guard", lambda _self: None)
                patched.setattr(RegionWriter, "guard_is_zero", lambda _self: True)
            else:
                patched.setattr(Target, "flush", lambda _self: None)
            restore(image, device, progress=QUIET, verify=False, maps=folder / "maps")

    recording = record(case.work / "recorded", way.before(), do)
    judge = Judge(way, way.shape(folder), recording.returned, folder)
    assert any(said for _, said in case.violations(recording, 30, judge))
