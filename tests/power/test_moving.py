# SPDX-License-Identifier: GPL-3.0-or-later
"""Power cuts while images of a repository get other names, go to the trash and come back.

For each crash state the kernel mounts the disk; every image that is visible is whole before anybody
recovers anything. Then the server's start finishes what was cut, and of each name everything is
there, or nothing; what is in the trash comes back whole.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest

from oglib.image.format.manifest import load_public_keys
from ogrepo.intake.tokens import Grant
from ogrepo.intake.uploads import Uploads
from ogrepo.library.disks import find_disk, verify_disk
from ogrepo.library.folder import Folder, make_folder
from ogrepo.library.linking import link_all
from ogrepo.library.moving.entries import entries, wanted
from ogrepo.library.moving.holdings import holdings_of
from ogrepo.library.moving.naming import copy, finish_renames, rename
from ogrepo.library.moving.trash import bring_back, empty, remove, sweep
from ogrepo.library.signingkey import make_key
from ogrepo.library.store import find
from ogrepo.library.verify import verify_published
from ogrepo.versions.kept import kept_versions, versions_of
from power.crash import CrashState
from power.explore import Case
from power.recorder import Recording, recorded_disk
from power.test_repository import SIZE, opened, ran
from quiet import QUIET
from tallies import Tally
from unit.ogrepo.disks import SampleDisk, make_disk
from unit.ogrepo.sample import make_sample

IMAGE, DISK, NEW = "lab/debian", "whole", "room/another"


@cache
def sample_disk() -> SampleDisk:
    return make_disk(DISK, seed=20, regions=1)


def publish(folder: Folder, files: dict[str, bytes], name: str, number: int) -> None:
    """The way of an upload, without HTTP."""
    uploads = Uploads(folder)
    upload = uploads.open(Grant(name, 1 << 40, f"{number:032x}"))
    for kind, data in files.items():
        uploads.file(upload, kind).write_bytes(data)
    uploads.commit(upload, QUIET)
    uploads.drop(upload)


def fill(folder: Folder) -> None:
    """Two versions of an image, one of a disk."""
    for number in (1, 2):
        one = make_sample(IMAGE, regions=1, seed=number)
        files = {"image": one.image, "frames": one.frames, "manifest": one.manifest.to_bytes()}
        publish(folder, files, IMAGE, number)
    disk = sample_disk()
    files = {"disk": disk.manifest.to_bytes(), "gaps": disk.gaps}
    for number, one in disk.samples.items():
        files |= {f"p{number}-image": one.image, f"p{number}-frames": one.frames}
        files[f"p{number}-manifest"] = one.manifest.to_bytes()
    publish(folder, files, DISK, 3)


# Which names are shown, and which are in the trash.
World = tuple[frozenset[str], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Change:
    """``first`` is done before; what ``name`` was, it is afterwards, or what ``after`` says."""

    name: str
    do: Callable[[Folder], object]
    before: World
    after: World
    first: Callable[[Folder], object] = lambda _: None


def world(shown: str, trash: str = "") -> World:
    return frozenset(shown.split()), tuple(trash.split())


ALL = f"{IMAGE} {DISK}"
CHANGES = {
    "delete": Change(
        IMAGE, lambda at: remove(at, IMAGE, "deleted"), world(ALL), world(DISK, IMAGE)
    ),
    "delete-a-disk": Change(
        DISK, lambda at: remove(at, DISK, "deleted"), world(ALL), world(IMAGE, DISK)
    ),
    "restore": Change(
        IMAGE,
        lambda at: bring_back(at, wanted(at, IMAGE)),
        world(DISK, IMAGE),
        world(ALL),
        lambda at: remove(at, IMAGE, "deleted"),
    ),
    "restore-a-disk": Change(
        DISK,
        lambda at: bring_back(at, wanted(at, DISK)),
        world(IMAGE, DISK),
        world(ALL),
        lambda at: remove(at, DISK, "deleted"),
    ),
    "copy": Change(IMAGE, lambda at: copy(at, IMAGE, NEW), world(ALL), world(f"{ALL} {NEW}")),
    "rename": Change(
        IMAGE, lambda at: rename(at, IMAGE, NEW), world(ALL), world(f"{DISK} {NEW}", IMAGE)
    ),
    "rename-a-disk": Change(
        DISK, lambda at: rename(at, DISK, NEW), world(ALL), world(f"{IMAGE} {NEW}", DISK)
    ),
    "empty": Change(
        IMAGE,
        lambda at: empty(at, entries(at)),
        world(DISK, IMAGE),
        world(DISK),
        lambda at: remove(at, IMAGE, "deleted"),
    ),
}


def record(work: Path, at: Path, change: Change) -> Recording:
    at.mkdir()
    base = at / "base"
    base.touch()
    os.truncate(base, SIZE)
    ran("mkfs.ext4", "-q", "-F", base)
    mounted = work / "mnt"
    mounted.mkdir()
    ran("mount", base, mounted)
    folder = make_folder(mounted / "repository")
    make_key(folder)
    fill(folder)
    change.first(folder)
    ran("umount", mounted)
    with recorded_disk(at, SIZE, base) as disk, opened(disk.device, mounted) as folder:
        change.do(folder)
        disk.mark_returned()
        ran("sync", "--file-system", folder.root)
        disk.mark_end()
    return disk.recording()


def prove(folder: Folder, name: str) -> None:
    """All of an image that is shown, and of its older versions what makes them versions."""
    keys = load_public_keys(folder.keys)
    if (folder.images / name / "disk.json").exists():
        verify_disk(find_disk(folder, name, keys), keys, QUIET)
    else:
        verify_published(find(folder, name, keys), keys, QUIET)
    for kept in kept_versions(folder, name):
        for digest in kept.digests:
            assert folder.bytes_file(digest).exists(), f"{name} version {kept.version} lacks bytes"


def is_shown(folder: Folder, name: str) -> bool:
    at = folder.images / name
    return (at / "disk.json").exists() or at.with_name(f"{at.name}.img.json").exists()


@dataclass(frozen=True, slots=True)
class Judge:
    """What may be seen on the disk of a crash state."""

    change: Change
    returned: int
    mount_at: Path
    seen: set[str] = field(default_factory=set)

    def __call__(self, disk: Path, state: CrashState) -> None:
        with opened(disk, self.mount_at) as folder:
            for name in (IMAGE, DISK, NEW):
                if is_shown(folder, name):
                    prove(folder, name)
            said = [*Uploads(folder).start(), *finish_renames(folder), *link_all(folder)]
            sweep(folder)
            now = self._world(folder)
            assert now in (self.change.before, self.change.after), f"{now} after {said}"
            if state.whole >= self.returned:
                assert now == self.change.after, f"it was done, and yet undone by a cut: {said}"
            self.seen.add("before" if now == self.change.before else "after")
            self._judge_tidy(folder)
            self._judge_back(folder)
        ran("e2fsck", "-f", "-n", disk)

    @staticmethod
    def _world(folder: Folder) -> World:
        shown = frozenset(name for name in (IMAGE, DISK, NEW) if is_shown(folder, name))
        for name in shown:
            prove(folder, name)
        for name in {IMAGE, DISK, NEW} - shown:
            assert holdings_of(folder, name).is_nothing, f"something of {name} is left"
        return shown, tuple(sorted(entry.about.name for entry in entries(folder)))

    @staticmethod
    def _judge_tidy(folder: Folder) -> None:
        for room in ("staged", "publishing", "removing", "returning", "renaming"):
            left = [path.name for path in (folder.private / room).iterdir()]
            assert not [name for name in left if not name.startswith(".")], f"{room} holds {left}"

    @staticmethod
    def _judge_back(folder: Folder) -> None:
        """What was deleted comes back with all of its versions, though nobody keeps its bytes."""
        for entry in entries(folder):
            for digest in (entry.path / "bytes").iterdir():
                folder.bytes_file(digest.name).unlink(missing_ok=True)
            link_all(folder)
            bring_back(folder, entry)
            prove(folder, entry.about.name)
            assert len(versions_of(folder, entry.about.name)) == (
                1 if entry.about.name == DISK else 2
            )


@pytest.mark.parametrize("name", CHANGES)
def test_of_each_name_everything_is_there_or_nothing(
    name: str, case: Case, tally: Tally, states: int
) -> None:
    change = CHANGES[name]
    recording = case.recording(lambda at: record(case.work, at, change))
    judge = Judge(change, recording.returned, case.work / "mnt")
    few = states // 2 if states < 100 else states  # there are many kinds of them
    case.explore(recording, few, judge, tally, name.partition("-")[0])
    assert judge.seen == {"before", "after"} or case.is_replay


def test_a_removal_that_does_not_wait_for_the_disk_is_found_out(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: the method sees what it is there to see."""
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", lambda _fd: None)
        recording = record(case.work, case.work / "recorded", CHANGES["rename"])
    judge = Judge(CHANGES["rename"], recording.returned, case.work / "mnt")
    assert any(said for _, said in case.violations(recording, 20, judge))
