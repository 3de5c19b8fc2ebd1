# SPDX-License-Identifier: GPL-3.0-or-later
"""Power cuts while a repository publishes, rolls back, or lets old versions go.

The folder lies on a recorded ext4. For each crash state the kernel mounts it; what is visible must
be whole before anybody recovers anything: bytes have their digest, a version's record finds its
signature and its bytes, the image that is shown can be proven. Then the server's start finishes
what was cut, and the versions are those of before or those of after.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest
from blake3 import blake3

from oglib.cache.partition import mount_or_repair
from oglib.errors import OgError
from oglib.image.format.manifest import load_public_keys, verify_signature
from ogrepo.intake.tokens import Grant
from ogrepo.intake.uploads import Uploads
from ogrepo.library.folder import Folder, make_folder, open_folder
from ogrepo.library.linking import link_all
from ogrepo.library.signingkey import make_key
from ogrepo.library.store import find, find_at
from ogrepo.library.verify import verify_published
from ogrepo.versions.again import publish_again
from ogrepo.versions.kept import kept_versions, read_kept, record_of, standing, versions_of
from ogrepo.versions.prune import Policy, apply, look, plan
from power.crash import CrashState
from power.explore import Case
from power.recorder import Recording, recorded_disk
from quiet import QUIET
from tallies import Tally
from unit.ogrepo.sample import Sample, make_sample

SIZE = 160 << 20  # more than 128 MiB, so that there is a backup of the superblock
NAME = "lab/debian"
POLICY = Policy(keep=1, grace_s=0.0)


@cache
def sample(number: int) -> Sample:
    """What is captured as version ``number``; made once, for every state needs it."""
    return make_sample(NAME, regions=1, seed=number)


def publish(folder: Folder, number: int) -> None:
    """The way of an upload, without HTTP."""
    uploads = Uploads(folder)
    upload = uploads.open(Grant(NAME, 1 << 40, f"{number:032x}"))
    uploads.file(upload, "image").write_bytes(sample(number).image)
    uploads.file(upload, "frames").write_bytes(sample(number).frames)
    uploads.file(upload, "manifest").write_bytes(sample(number).manifest.to_bytes())
    uploads.commit(upload, QUIET)
    uploads.drop(upload)


def roll_back(folder: Folder) -> None:
    publish_again(folder, read_kept(folder, NAME, 1), NAME, QUIET)


def prune(folder: Folder) -> None:
    # Seconds count here, and nobody waits: it is later than anything on that disk.
    now = max(one.changed_ns for one in look(folder).bytes.values()) / 1e9 + 1
    apply(folder, plan(look(folder), POLICY, now), POLICY, now)


@dataclass(frozen=True, slots=True)
class World:
    """What a repository holds: the version shown, the one before, and all that are kept."""

    shown: int
    before: int
    kept: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """``versions``: so many are there before."""

    versions: int
    do: Callable[[Folder], None]
    before: World
    after: World


CHANGES = {
    "publish-the-first": Change(
        0, lambda folder: publish(folder, 1), World(0, 0, ()), World(1, 0, (1,))
    ),
    "publish-a-new-version": Change(
        2, lambda folder: publish(folder, 3), World(2, 1, (1, 2)), World(3, 2, (1, 2, 3))
    ),
    "rollback": Change(2, roll_back, World(2, 1, (1, 2)), World(3, 2, (1, 2, 3))),
    "prune": Change(4, prune, World(4, 3, (1, 2, 3, 4)), World(4, 3, (3, 4))),
}
# of each version, the capture whose content it has
CONTENT = {"rollback": {1: 1, 2: 2, 3: 1}}


def ran(*argv: str | Path) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{argv}: {done.stdout}{done.stderr}"


@contextmanager
def opened(device: Path, at: Path) -> Iterator[Folder]:
    at.mkdir(exist_ok=True)
    mount_or_repair(device, at)  # a cut can tear the superblock, as on every ext4
    try:
        yield open_folder(at / "repository")
    finally:
        ran("umount", at)


def record(work: Path, at: Path, change: Change) -> Recording:
    at.mkdir()
    base = at / "base"
    base.touch()
    os.truncate(base, SIZE)
    ran("mkfs.ext4", "-q", "-F", base)
    mounted = work / "mnt"
    mounted.mkdir()
    mount_or_repair(base, mounted)
    folder = make_folder(mounted / "repository")
    make_key(folder)
    for number in range(1, change.versions + 1):
        publish(folder, number)
    ran("umount", mounted)
    with recorded_disk(at, SIZE, base) as disk, opened(disk.device, mounted) as folder:
        change.do(folder)
        disk.mark_returned()
        ran("sync", "--file-system", folder.root)
        disk.mark_end()
    return disk.recording()


def world(folder: Folder) -> World:
    now = standing(folder, NAME)
    return World(now.shown, now.before, tuple(versions_of(folder, NAME)))


@dataclass(frozen=True, slots=True)
class Judge:
    """What may be seen on the disk of a crash state."""

    name: str
    returned: int
    mount_at: Path
    seen: set[str] = field(default_factory=set)

    @property
    def change(self) -> Change:
        return CHANGES[self.name]

    def __call__(self, disk: Path, state: CrashState) -> None:
        change = self.change
        with opened(disk, self.mount_at) as folder:
            self._judge_bytes(folder)
            self._judge_records(folder)
            self._judge_shown(folder)
            uploads = Uploads(folder)
            said = [*uploads.start(), *link_all(folder)]
            now = world(folder)
            if change.do is prune:
                # what went is gone for good, what stays was never touched
                assert (now.shown, now.before) == (change.after.shown, change.after.before)
                assert set(change.after.kept) <= set(now.kept) <= set(change.before.kept)
                self.seen.add("before" if now == change.before else "after")
            else:
                assert now in (change.before, change.after), f"{now} after {said}"
                self.seen.add("before" if now == change.before else "after")
            if state.whole >= self.returned:
                assert now == change.after, f"it was done, and yet undone by a cut: {said}"
            self._judge_bytes(folder)
            self._judge_records(folder)
            self._judge_shown(folder)
            self._judge_tidy(folder, uploads, now)
        ran("e2fsck", "-f", "-n", disk)

    def _content(self, version: int) -> bytes:
        return sample(CONTENT.get(self.name, {}).get(version, version)).image

    @staticmethod
    def _judge_bytes(folder: Folder) -> None:
        """Whatever has a digest for its name holds that, also to somebody who knows no recovery."""
        for path in folder.bytes.iterdir():
            if not path.name.startswith("."):
                assert blake3(path.read_bytes()).hexdigest() == path.name, f"{path} is not whole"

    def _judge_records(self, folder: Folder) -> None:
        """Who finds a version's record finds its signature and its bytes."""
        keys = load_public_keys(folder.keys)
        for kept in kept_versions(folder, NAME):
            path = record_of(folder, NAME, kept.version)
            assert path is not None
            verify_signature(
                path.read_bytes(), path.with_name(f"{path.name}.sig").read_bytes(), keys
            )
            for digest in kept.digests:
                assert folder.bytes_file(digest).exists(), f"{path} lacks its bytes"
            image = folder.bytes_file(kept.content[0]).read_bytes()
            assert image == self._content(kept.version)

    def _judge_shown(self, folder: Folder) -> None:
        keys = load_public_keys(folder.keys)
        aside = folder.images / "lab/debian.img.json.ant"
        try:
            shown = find(folder, NAME, keys)
        except OgError:
            # between two versions none is shown; then the old one is whole, at least in versions/
            assert self.change.do is not prune
            assert not self.change.versions or versions_of(folder, NAME)
            return
        verify_published(shown, keys, QUIET)
        assert shown.image.read_bytes() == self._content(shown.manifest.version)
        if aside.exists() and standing(folder, NAME).before:
            number = standing(folder, NAME).before
            image = (folder.images / "lab/debian.img.ant").read_bytes()
            assert image == self._content(number)

    def _judge_tidy(self, folder: Folder, uploads: Uploads, now: World) -> None:
        assert not list(folder.publishing.iterdir())
        assert not list(folder.staged.iterdir())
        for upload in uploads.list():
            uploads.drop(upload)
        if self.change.do is prune:
            prune(folder)
            assert world(folder) == self.change.after
        elif now == self.change.before:
            (folder.private / "burnt").joinpath(f"{3:032x}").unlink(missing_ok=True)
            (folder.private / "burnt").joinpath(f"{1:032x}").unlink(missing_ok=True)
            self.change.do(folder)
            assert world(folder).shown > now.shown
        prune(folder)
        needed = {digest for kept in kept_versions(folder, NAME) for digest in kept.digests}
        assert {path.name for path in folder.bytes.iterdir()} == needed, "something is left"
        find_at(folder.images / "lab/debian", NAME, load_public_keys(folder.keys))


@pytest.mark.parametrize("name", CHANGES)
def test_versions_are_as_before_or_as_wanted(
    name: str, case: Case, tally: Tally, states: int
) -> None:
    recording = case.recording(lambda at: record(case.work, at, CHANGES[name]))
    judge = Judge(name, recording.returned, case.work / "mnt")
    case.explore(recording, states, judge, tally, name.partition("-")[0])
    assert judge.seen == {"before", "after"} or case.is_replay


def test_a_publication_that_does_not_wait_for_the_disk_is_found_out(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: the method sees what it is there to see."""
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", lambda _fd: None)
        recording = record(case.work, case.work / "recorded", CHANGES["publish-a-new-version"])
    judge = Judge("publish-a-new-version", recording.returned, case.work / "mnt")
    assert any(said for _, said in case.violations(recording, 20, judge))
