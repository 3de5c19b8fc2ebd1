# SPDX-License-Identifier: GPL-3.0-or-later
"""Power cuts while the cache changes: afterwards it holds what it held, or what it was to hold.

One change of the store is recorded on an ext4 of its own. Then, for each crash state, the kernel
mounts the disk (and replays its journal), the store's recovery runs, and every byte that is
visible is compared with what was written: all files of an entry old or all new, and nothing
else. What the images folder shows *before* the recovery must be whole too: older ogLives read it.
"""

from __future__ import annotations

import functools
import hashlib
import os
import random
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from oglib.cache import folder as store_folder
from oglib.cache.find import CachePartition
from oglib.cache.partition import format_cache, mount_or_repair
from oglib.cache.store import Store
from oglib.disk import types
from oglib.disk.model import MIB, Disk, Partition, TableKind
from oglib.image.assembling.assemble import assemble
from oglib.image.reading.local import local_image
from power.crash import CrashState, crash_states, make_disk
from power.explore import Case
from power.recorder import Recording, recorded_disk
from quiet import QUIET
from tallies import Tally, seed
from unit.image.synthetic import make_image, partition

SIZE = 160 * MIB  # more than 128, so that there is a backup of the superblock
STATES = 70
STATES_AGAIN = 20
IMAGES = Path("opt/opengnsys/images")
PRIVATE = Path(".oglive")
DELTA = "delta"

# name of a file → SHA-256 of its content
World = dict[str, str]
Files = dict[str, bytes]


@functools.cache
def files_of(name: str, version: int) -> Files:
    """What an image consists of; its companions change with the version, and are not the same.

    Made once: every state is compared with it many times.
    """
    if name == DELTA:
        return delta_files(version)
    rng = random.Random(f"{name}/{version}")
    leaf = f"{name.rpartition('/')[2]}.img"
    files = {leaf: rng.randbytes(2 * MIB + version * 12345), f"{leaf}.json": rng.randbytes(700)}
    if version == 1:
        files[f"{leaf}.full.sum"] = (
            hashlib.md5(files[leaf], usedforsecurity=False).hexdigest().encode()
        )
    else:
        files[f"{leaf}.frames"] = rng.randbytes(30_000)
    return files


@functools.cache
def world(*images: tuple[str, int]) -> World:
    """The images folder when it holds exactly these versions."""
    found = {}
    for name, version in images:
        above = name.rpartition("/")[0]
        for leaf, content in files_of(name, version).items():
            found[str(Path(above, leaf))] = hashlib.sha256(content).hexdigest()
    return found


def publish(store: Store, name: str, version: int) -> None:
    def fill(folder: Path) -> None:
        for leaf, content in files_of(name, version).items():
            (folder / leaf).write_bytes(content)

    store.publish(name, fill)


@dataclass(frozen=True, slots=True)
class Change:
    """A store with some images in it, and one thing that is done to it."""

    kind: str
    before: tuple[tuple[str, int], ...]
    after: tuple[tuple[str, int], ...]
    do: Callable[[Store], object]


def update(store: Store, version: int) -> None:
    """As ``og cache update`` brings an image: by delta, into a folder that stays when it is cut."""
    with TemporaryDirectory(prefix="image-") as folder:
        for leaf, content in files_of(DELTA, version).items():
            Path(folder, leaf).write_bytes(content)

        def fill(staged: Path) -> None:
            older = store.entry(DELTA).path
            with local_image(Path(folder, f"{DELTA}.img")) as image, local_image(older) as old:
                small = {leaf: raw for leaf, raw in files_of(DELTA, version).items()}
                del small[f"{DELTA}.img"]
                for leaf, raw in small.items():
                    (staged / leaf).write_bytes(raw)
                made = assemble(image, staged / f"{DELTA}.img", [old], progress=QUIET)
                assert made.copied_bytes + made.kept_bytes > made.fetched_bytes > 0

        store.publish(DELTA, fill, key=key_of(DELTA, version))


@functools.cache
def delta_files(version: int) -> Files:
    """A real image, of which the second version has most of what the first one has."""
    first = partition(1, mib=6)
    blocks = {index: raw[::-1] if index < 40 else raw for index, raw in first.blocks.items()}
    source = first if version == 1 else replace(first, blocks=blocks)
    with TemporaryDirectory(prefix="image-") as folder:
        make_image(source, Path(folder), DELTA)
        return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def abandon(store: Store, name: str, version: int) -> None:
    """An update that is given up in the middle; what it had is dropped for the sake of another."""

    def fill(folder: Path) -> None:
        (folder / f"{name}.img").write_bytes(files_of(name, version)[f"{name}.img"][:MIB])
        raise KeyboardInterrupt

    with suppress(KeyboardInterrupt):
        store.publish(name, fill, key=key_of(name, version))
    for left in store.leftovers():
        store.drop(left)


def key_of(name: str, version: int) -> str:
    return hashlib.sha256(f"{name}/{version}".encode()).hexdigest()


CHANGES = {
    "update-to-a-new-version": Change(
        "update",
        (("delta", 1), ("windows", 1)),
        (("delta", 2), ("windows", 1)),
        lambda store: update(store, 2),
    ),
    "update-into-a-full-cache": Change(
        "update",
        (("debian", 1), ("windows", 1)),
        (("debian", 1), ("windows", 1)),
        lambda store: abandon(store, "debian", 2),
    ),
    "publish-the-first": Change(
        "publish", (), (("debian", 1),), lambda store: publish(store, "debian", 1)
    ),
    "publish-another": Change(
        "publish",
        (("debian", 1),),
        (("debian", 1), ("lab/windows", 2)),
        lambda store: publish(store, "lab/windows", 2),
    ),
    "publish-a-new-version": Change(
        "publish",
        (("debian", 1), ("windows", 1)),
        (("debian", 2), ("windows", 1)),
        lambda store: publish(store, "debian", 2),
    ),
    "evict-one": Change(
        "evict",
        (("debian", 1), ("windows", 2)),
        (("windows", 2),),
        lambda store: store.evict("debian"),
    ),
    "evict-from-a-folder": Change(
        "evict",
        (("debian", 1), ("lab/windows", 2)),
        (("debian", 1),),
        lambda store: store.evict("lab/windows"),
    ),
    "evict-the-last": Change("evict", (("debian", 2),), (), lambda store: store.evict("debian")),
}


def ran(*argv: str | Path) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{argv}: {done.stdout}{done.stderr}"
    return done.stdout


@contextmanager
def opened(device: Path, at: Path) -> Iterator[Path]:
    """The cache as ogLive mounts it: where a cut tore its superblock, repaired from a copy."""
    at.mkdir(exist_ok=True)
    mount_or_repair(device, at)
    try:
        yield at
    finally:
        ran("umount", at)


def make_filesystem(disk: Path) -> None:
    """The real format of a cache, on a partition that is the whole file."""
    part = Partition(1, 0, SIZE, types.CACHE, types.raw_id(types.CACHE, TableKind.GPT))
    format_cache(CachePartition(Disk(0, disk, SIZE, TableKind.GPT, (part,)), part))


def record(work: Path, folder: Path, change: Change) -> Recording:
    base = folder / "base"
    folder.mkdir()
    base.touch()
    os.truncate(base, SIZE)
    make_filesystem(base)
    if change.before:
        with opened(base, work / "mnt") as root:
            for name, version in change.before:
                publish(Store(root), name, version)
    with recorded_disk(folder, SIZE, base) as disk, opened(disk.device, work / "mnt") as root:
        change.do(Store(root))
        disk.mark_returned()
        ran("sync", "--file-system", root)
        disk.mark_end()
    return disk.recording()


def shown(images: Path) -> World:
    return {
        str(path.relative_to(images)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(images.rglob("*"))
        if path.is_file()
    }


@dataclass(frozen=True, slots=True)
class Judge:
    """What may be seen on the disk of a crash state."""

    change: Change
    returned: int
    mount_at: Path
    seen: set[str] = field(default_factory=set)

    @property
    def before(self) -> World:
        return world(*self.change.before)

    @property
    def after(self) -> World:
        return world(*self.change.after)

    def __call__(self, disk: Path, state: CrashState) -> None:
        with opened(disk, self.mount_at) as root:
            self._judge_unrecovered(root)
            store = Store(root)
            said = store.recover()
            now = shown(root / IMAGES)
            self.seen.add("before" if now == self.before else "after")
            self.seen.add("recovered" if said else "nothing to recover")
            assert now in (self.before, self.after), f"{sorted(now)} after {said}"
            if state.whole >= self.returned:
                assert now == self.after, f"it was done, and yet undone by a cut; {said}"
            self._judge_tidy(root, store, now)
        ran("e2fsck", "-f", "-n", disk)

    def _judge_unrecovered(self, root: Path) -> None:
        """An image that is visible is whole, also to somebody who knows no recovery."""
        whole = {*self.before.items(), *self.after.items()}
        for name, digest in shown(root / IMAGES).items():
            if name.endswith(".img"):
                assert (name, digest) in whole, f"{name} is visible and not whole"

    def _judge_tidy(self, root: Path, store: Store, now: World) -> None:
        images = self.change.before if now == self.before else self.change.after
        assert {entry.name for entry in store.entries()} == {name for name, _ in images}
        left = [
            str(path.relative_to(root / PRIVATE))
            for room in ("staging", "ready", "trash", "entries")
            for path in sorted((root / PRIVATE / room).iterdir())
        ]
        kept = [name for name in left if name.endswith(".kept")]
        assert len(kept) <= (self.change.kind == "update"), f"left behind: {left}"
        assert len(left) == len(images) + len(kept), f"left behind: {left}"
        parts = [path for path in (root / PRIVATE).rglob("*.part") if ".kept" not in str(path)]
        assert not parts, "but what is kept to be gone on with"
        assert store.check(deep=True) == (), "a second recovery has nothing to do"


def judge_of(change: Change, recording: Recording, work: Path) -> Judge:
    return Judge(change, recording.returned, work / "mnt")


@pytest.mark.parametrize("name", CHANGES)
def test_the_cache_is_as_before_or_as_wanted(name: str, case: Case, tally: Tally) -> None:
    change = CHANGES[name]
    recording = case.recording(lambda folder: record(case.work, folder, change))
    judge = judge_of(change, recording, case.work)
    case.explore(recording, STATES, judge, tally, change.kind)
    wanted = {"before", "recovered", "nothing to recover"}
    wanted |= {"after"} if change.before != change.after else set()
    assert judge.seen == wanted or case.is_replay


def record_recovery(case: Case, folder: Path, first: Recording) -> Recording:
    """The recovery, recorded, on the disk of a crash state where it has something to do."""
    folder.mkdir()
    states = crash_states(first.log, seed=f"{seed()}/{case.kept.name}/first", count=30)
    for state in reversed(states):
        make_disk(first.log, first.base, state, folder / "base")
        with (
            recorded_disk(folder, SIZE, folder / "base") as disk,
            opened(disk.device, case.work / "mnt") as root,
        ):
            said = Store(root).recover()
            disk.mark_returned()
            ran("sync", "--file-system", root)
            disk.mark_end()
        if said:
            return disk.recording()
    raise AssertionError("no state had anything to recover")


def outcome(recording: Recording, change: Change, case: Case) -> tuple[tuple[str, int], ...]:
    """What the recovery that was not cut came to: the images before, or those after."""
    everything = crash_states(recording.log, seed="ends", count=2)[1]
    make_disk(recording.log, recording.base, everything, case.work / "disk")
    with opened(case.work / "disk", case.work / "mnt") as root:
        now = shown(root / IMAGES)
    return change.before if now == world(*change.before) else change.after


@pytest.mark.parametrize("name", ["publish-a-new-version", "evict-from-a-folder"])
def test_cut_again_while_it_recovers(name: str, case: Case, tally: Tally) -> None:
    change = CHANGES[name]
    first = record(case.work, case.work / "first", change)
    recording = case.recording(lambda folder: record_recovery(case, folder, first))
    wanted = replace(change, after=outcome(recording, change, case))
    judge = judge_of(wanted, recording, case.work)
    case.explore(recording, STATES_AGAIN, judge, tally, change.kind)


@pytest.mark.parametrize("without", ["any fsync", "the fsync of the files"])
def test_a_store_that_does_not_wait_for_the_disk_is_found_out(
    without: str, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: the method sees what it is there to see."""
    change = CHANGES["publish-a-new-version"]
    with monkeypatch.context() as patched:
        if without == "any fsync":
            patched.setattr(os, "fsync", lambda _fd: None)
        else:
            patched.setattr(store_folder, "sync_tree", lambda _path: None)
        recording = record(case.work, case.work / "recorded", change)
    judge = judge_of(change, recording, case.work)
    assert any(said for _, said in case.violations(recording, 30, judge))
