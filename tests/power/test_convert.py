# SPDX-License-Identifier: GPL-3.0-or-later
"""Power cuts while a foreign image is converted into a folder.

The conversion is recorded on an ext4 of its own. For each crash state the kernel mounts the disk
and replays its journal; then whatever has the image's name must be whole, the version before must
not be lost, and the same conversion again must come to its end.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest

from oglib.cache.partition import mount_or_repair
from oglib.image.proving.verify import verify
from oglib.image.reading.formats.detect import open_stream
from oglib.image.reading.local import local_image
from oglib.image.reading.source import FileSource
from oglib.image.recording.device_capture import CaptureMeta
from oglib.image.recording.sink import FileSink
from oglib.image.recording.transcode import transcode
from power.crash import CrashState
from power.explore import Case
from power.recorder import Recording, recorded_disk
from quiet import QUIET
from tallies import Tally
from unit.image.synthetic import make_image, partition

MIB = 1 << 20
SIZE = 48 * MIB
STATES = 105
NAME = "x.img"
# what had the name before, and what is converted
SOURCES = {"old": partition(31, mib=3, density=0.3), "new": partition(32, mib=4, density=0.4)}


def ran(*argv: str | Path) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{argv}: {done.stdout}{done.stderr}"


@contextmanager
def mounted(device: Path, at: Path) -> Iterator[Path]:
    at.mkdir(exist_ok=True)
    mount_or_repair(device, at)  # a cut can tear the superblock, as on every ext4
    try:
        yield at
    finally:
        ran("umount", at)


def converted(foreign: Path, folder: Path) -> None:
    image = open_stream(FileSource(foreign), "old")
    try:
        sink = FileSink(folder / NAME)
        transcode(image, sink, meta=CaptureMeta("x", title="converted"), progress=QUIET, workers=2)
    finally:
        image.close()


def record(case: Case, folder: Path, foreign: Path, *, replaces: bool) -> Recording:
    folder.mkdir()
    base = folder / "base"
    base.touch()
    os.truncate(base, SIZE)
    ran("mke2fs", "-q", "-t", "ext4", base)
    if replaces:
        with mounted(base, case.work / "mnt") as root:
            make_image(SOURCES["old"], root)
    with recorded_disk(folder, SIZE, base) as disk, mounted(disk.device, case.work / "mnt") as root:
        converted(foreign, root)
        disk.mark_returned()
        ran("sync", "--file-system", root)
        disk.mark_end()
    return disk.recording()


@cache
def content(which: str) -> bytes:
    """The stream of a source; made once, for every state is compared with it."""
    return SOURCES[which].stream()


def holds(path: Path, which: str) -> bool:
    """Whether ``path`` is a whole image of this source, as everybody reads it."""
    done = subprocess.run(["zstd", "-dcq", path], capture_output=True, check=False)
    return done.returncode == 0 and done.stdout[110:] == content(which)[110:]


@dataclass(frozen=True, slots=True)
class Judge:
    """What may be seen on the disk of a crash state."""

    foreign: Path
    replaces: bool
    returned: int
    mount_at: Path
    seen: set[str] = field(default_factory=set)

    def __call__(self, disk: Path, state: CrashState) -> None:
        with mounted(disk, self.mount_at) as root:
            self._judge_names(root, done=state.whole >= self.returned)
            converted(self.foreign, root)
            assert self._shown(root) == "new"
            assert not list(root.glob("*.part")), "the rerun left something behind"
            if self.replaces:
                aside = root / f"{NAME}.ant"
                assert holds(aside, "old") or holds(aside, "new"), "the version before is lost"

    def _judge_names(self, root: Path, *, done: bool) -> None:
        shown = self._shown(root)
        self.seen.add(shown)
        if done:
            assert shown == "new", f"it was done, and yet there is {shown}"
        if self.replaces and shown != "new":
            aside = [root / NAME, root / f"{NAME}.ant"]
            assert any(path.exists() and holds(path, "old") for path in aside), (
                "the old one is lost"
            )

    @staticmethod
    def _shown(root: Path) -> str:
        """What the name stands for; what it stands for is whole."""
        path = root / NAME
        if path.exists():
            which = {name: holds(path, name) for name in SOURCES}
            assert any(which.values()), f"{NAME} is there and not whole"
        if not path.with_name(f"{NAME}.json").exists():
            return "none"
        with local_image(path) as image:
            verify(image, progress=QUIET)
        return "new" if which["new"] else "old"


@pytest.mark.parametrize("replaces", [False, True], ids=["the-first", "a-new-version"])
def test_an_image_is_whole_or_not_there(replaces: bool, case: Case, tally: Tally) -> None:
    foreign = case.work / "old.partclone"
    foreign.write_bytes(content("new"))
    recording = case.recording(lambda folder: record(case, folder, foreign, replaces=replaces))
    judge = Judge(foreign, replaces, recording.returned, case.work / "mnt")
    case.explore(recording, STATES, judge, tally, "convert")
    assert judge.seen >= {"new", "old" if replaces else "none"} or case.is_replay


def test_a_sink_that_does_not_wait_for_the_disk_is_found_out(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: the method sees what it is there to see."""
    foreign = case.work / "old.partclone"
    foreign.write_bytes(content("new"))
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", lambda _fd: None)
        recording = record(case, case.work / "recorded", foreign, replaces=True)
    judge = Judge(foreign, True, recording.returned, case.work / "mnt")
    assert any(said for _, said in case.violations(recording, 30, judge))
