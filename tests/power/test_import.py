# SPDX-License-Identifier: GPL-3.0-or-later
"""Power cuts while a repository imports or adopts a new version of an image.

The repository lies on an ext4 that is recorded. For each crash state the kernel mounts it and
replays its journal; then what the server's start does is done. Whatever has the image's name must
be the old version or the new one, proven from its first byte to its signature, and the same import
again must come to its end and leave nothing behind.
"""

from __future__ import annotations

import gzip
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest

from oglib.cache.partition import mount_or_repair
from oglib.image.format.manifest import load_public_keys
from ogrepo.__main__ import main
from ogrepo.arriving.adopting import adopt
from ogrepo.arriving.importing import bring_in
from ogrepo.arriving.sources import arrivals
from ogrepo.library.folder import Folder, open_folder
from ogrepo.library.foreign import find_foreign, verify_foreign
from ogrepo.library.proving.pacing import Pace
from ogrepo.library.publishing import finish_all
from ogrepo.library.store import RECORD, find
from ogrepo.library.verify import verify_published
from power.crash import CrashState
from power.explore import Case
from power.recorder import Recording, recorded_disk
from quiet import QUIET
from tallies import Tally
from unit.image.synthetic import partition

MIB = 1 << 20
SIZE = 160 * MIB  # an import leaves 64 MiB free
STATES = 60
NAME = "lab/x"


@cache
def packed(which: int) -> bytes:
    return gzip.compress(partition(30 + which, mib=3, density=0.4).stream(), 1)


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


@dataclass(frozen=True, slots=True)
class Way:
    """One way in which an image comes; ``outside`` is where it lies, on another disk."""

    how: str
    outside: Path

    def arrive(self, root: Path, which: int) -> None:
        """Version ``which`` comes into the repository."""
        folder = open_folder(root)
        self.lay(which)
        if self.how == "adopted":
            list(adopt(folder, self.outside, progress=QUIET, pace=Pace()))
            return
        (arrival,) = arrivals(self.outside / f"{NAME}.img", NAME)
        bring_in(folder, arrival, convert=self.how == "converted", progress=QUIET)

    def lay(self, which: int) -> None:
        path = self.outside / f"{NAME}.img"
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_bytes() != packed(which):
            path.write_bytes(packed(which))


def record(case: Case, folder: Path, way: Way) -> Recording:
    folder.mkdir()
    base = folder / "base"
    base.touch()
    os.truncate(base, SIZE)
    ran("mke2fs", "-q", "-t", "ext4", base)
    at = case.work / "mnt"
    with mounted(base, at) as root:
        assert main(["keygen", str(root)]) == 0
        way.arrive(root, 1)
    with recorded_disk(folder, SIZE, base) as disk, mounted(disk.device, at) as root:
        way.arrive(root, 2)
        disk.mark_returned()
        ran("sync", "--file-system", root)
        disk.mark_end()
    return disk.recording()


@dataclass(frozen=True, slots=True)
class Judge:
    way: Way
    returned: int
    mount_at: Path
    seen: set[int] = field(default_factory=set)

    def __call__(self, disk: Path, state: CrashState) -> None:
        with mounted(disk, self.mount_at) as root:
            folder = open_folder(root)
            finish_all(folder)
            shown = self._shown(folder)
            self.seen.add(shown)
            if state.whole >= self.returned:
                assert shown == 2, f"it was done, and yet there is {shown}"
            self.way.arrive(root, 2)
            assert self._shown(folder) >= 2
            left = [*(folder.private / "imports").iterdir(), *folder.publishing.iterdir()]
            assert not left, "the rerun left something behind"

    def _shown(self, folder: Folder) -> int:
        """The version that the name stands for, all of which is proven; 0 = none is offered."""
        keys = load_public_keys(folder.keys)
        if folder.image_file(NAME, RECORD).exists():
            if self.way.how == "adopted" and self._is_the_other(folder):
                return 1  # its file is the new one already, and no PC takes it for the old
            image = find_foreign(folder, NAME, keys)
            verify_foreign(image, keys, QUIET, Pace())
            return image.record.version
        own = find(folder, NAME, keys)
        verify_published(own, keys, QUIET)
        return own.manifest.version

    @staticmethod
    def _is_the_other(folder: Folder) -> bool:
        raw = folder.image_file(NAME, RECORD).read_bytes()
        return b'"version": 1' in raw


@pytest.mark.parametrize("how", ["as-it-is", "converted", "adopted"])
def test_the_old_version_or_the_new_one(how: str, case: Case, tally: Tally) -> None:
    way = Way(how, case.work / "outside")
    recording = case.recording(lambda folder: record(case, folder, way))
    judge = Judge(way, recording.returned, case.work / "mnt")
    case.explore(recording, STATES, judge, tally, "import")
    assert judge.seen >= {1, 2} or case.is_replay


def test_a_publication_that_does_not_wait_for_the_disk_is_found_out(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: the method sees what it is there to see."""
    way = Way("as-it-is", case.work / "outside")
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", lambda _fd: None)
        recording = record(case, case.work / "recorded", way)
    judge = Judge(way, recording.returned, case.work / "mnt")
    assert any(said for _, said in case.violations(recording, 25, judge))
