# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs of boot entries from the kernel's words to the disk, by way of a real repository."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from disk.deploy.room import MIB, Images, digest, disk_file, og, said
from oglib import settings as told
from oglib.cancel import Cancel
from oglib.cli import job as cli
from oglib.deploy.jobs import Create, Deploy, Inventory, Partition, Restore
from oglib.deploy.planned import PlannedJob
from oglib.deploy.work import perform
from oglib.errors import CancelledError, OgErr, UsageError
from oglib.settings import Settings
from oglib.transfer.upload import keep_token
from quiet import QUIET
from unit.ogrepo.conftest import Repository, folder, repository

__all__ = ["folder", "repository"]  # fixtures

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: loop devices, mounts")


class Pc:
    """A PC with three disks: a model's, one to restore onto, one with a cache."""

    def __init__(self, tmp_path: Path, repository: Repository) -> None:
        self.model = disk_file(tmp_path / "model.img", size_mib=64)
        self.target = disk_file(tmp_path / "target.img", size_mib=72)
        self.spare = disk_file(tmp_path / "spare.img", size_mib=192)
        self.screen, self.log = tmp_path / "screen", tmp_path / "job.log"
        self.screen.touch()
        self.after: list[str] = []
        self._repository = repository
        self._settings = Settings(
            repository=f"127.0.0.1:{repository.port}",
            keys_dir=repository.folder.keys,
            upload_token=tmp_path / "upload.token",
        )
        self.settings = self._settings

    def boots(self, job: str, *, after: str = "poweroff") -> tuple[int, list[str]]:
        """Does the job of a boot entry; its exit code, and what the log holds."""
        self.settings = replace(self._settings, job=job, after=after)
        status = og("job", "--screen", self.screen, "--log", self.log).status
        return status, self.log.read_text().splitlines()

    def gets_token(self, name: str) -> None:
        keep_token(self._repository.token(name), self.settings.upload_token)


@pytest.fixture
def pc(tmp_path: Path, repository: Repository, monkeypatch: pytest.MonkeyPatch) -> Pc:
    made = Pc(tmp_path, repository)
    disks = (made.model, made.target, made.spare)
    monkeypatch.setenv("OG_DISKS", ":".join(map(str, disks)))
    monkeypatch.setenv("OGCAC", str(tmp_path / "cache"))
    monkeypatch.setattr(told, "load", lambda: made.settings)
    monkeypatch.setattr(cli, "end_of_job", made.after.append)
    return made


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    """``og job`` sets one of its own."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def uuid_on(disk: Path) -> str:
    return said("blkid", "-p", "-O", str(MIB), "-o", "value", "-s", "UUID", disk)


def test_a_partition_goes_to_the_repository_to_another_disk_and_into_the_cache(pc: Pc) -> None:
    assert og("cache", "create", "96MiB", "--disk", "3", "--yes").status == 0
    pc.gets_token("lab1/thesis")
    status, lines = pc.boots("create:lab1/thesis:1:1", after="reboot")
    assert status == 0, lines
    assert lines[0].startswith(f"Capture disk 1 partition 1, {pc.model} (64")
    assert lines[0].endswith(" as lab1/thesis")
    assert lines[-2].startswith("Captured: lab1/thesis version 1: ")
    assert lines[-1] == "This PC restarts."

    assert uuid_on(pc.target) != uuid_on(pc.model)
    status, lines = pc.boots("restore:lab1/thesis:2:1")
    assert status == 0, lines
    assert f"lab1/thesis version 1 onto disk 2 partition 1, {pc.target}" in "\n".join(lines)
    assert "step 1 of 1: restore lab1/thesis version 1" in lines
    assert lines[-2:] == ["Ready: lab1/thesis version 1", "This PC switches itself off."]
    assert uuid_on(pc.target) == uuid_on(pc.model)

    for ending in ("", ", as before"):
        status, lines = pc.boots("update_cache:lab1/thesis", after="stay")
        assert status == 0, lines
        assert lines[-2] == f"In the cache: lab1/thesis version 1{ending}"
    assert pc.after == ["reboot", "poweroff", "stay", "stay"]


def test_a_whole_disk_goes_to_the_repository_and_to_another(pc: Pc) -> None:
    pc.gets_token("lab1/pc")
    status, lines = pc.boots("create:lab1/pc:1")
    assert status == 0, lines
    assert "Captured: lab1/pc version 1, " in lines[-2]
    status, lines = pc.boots("restore:lab1/pc:2", after="reboot")
    assert status == 0, lines
    assert lines[-2:] == ["Ready: lab1/pc version 1", "This PC restarts."]
    assert uuid_on(pc.target) == uuid_on(pc.model)
    assert pc.after == ["poweroff", "reboot"]


def test_a_capture_without_a_token_says_so_before_anything_else(
    pc: Pc, repository: Repository
) -> None:
    status, lines = pc.boots("create:lab1/thesis:no-such-disk:1")
    assert status == OgErr.REPO
    text = "\n".join(lines)
    assert "The job failed: The upload token " in text
    assert "What to do: Get one with `ogrepo token NAME --dir DIR`" in text
    assert "(code 23, REPO) This PC stays" in text
    assert repository.log == []
    assert pc.after == []


def test_a_pc_that_goes_down_after_its_job_does_not_say_that_it_failed(
    pc: Pc, monkeypatch: pytest.MonkeyPatch
) -> None:
    """systemd ends the job's process on the way down, too."""
    monkeypatch.setattr(cli, "end_of_job", lambda _: os.kill(os.getpid(), signal.SIGTERM))
    pc.gets_token("lab1/thesis")
    status, lines = pc.boots("create:lab1/thesis:1:1")
    assert (status, lines[-1]) == (0, "This PC switches itself off.")


@pytest.mark.parametrize(
    ("job", "code", "sentence"),
    [
        ("restore:lab1/none:2:1", OgErr.NOTFOUND, "The job failed: "),
        ("format:lab1/none:2:1", OgErr.FORMAT, "The job failed: ogjob=format:lab1/none:2:1 is no"),
        ("update_cache:lab1/none", OgErr.NOTCACHE, "The job failed: "),
        ("", 0, "The boot entry of this PC carries no job."),
    ],
)
def test_a_job_that_cannot_be_done_says_why_and_the_pc_stays(
    pc: Pc, job: str, code: int, sentence: str
) -> None:
    status, lines = pc.boots(job)
    assert status == code, lines
    assert sentence in "\n".join(lines)
    assert pc.after == []


def job_of(disk: Path, image: Path) -> Deploy:
    return Deploy(str(image), str(disk), "1", layout="LINUX:49152 LINUX-SWAP:8192")


def test_what_is_not_approved_is_not_done(tmp_path: Path, images: Images) -> None:
    """The plan is told whole before the first write, and whoever gets it has the last word."""
    disk, image = disk_file(tmp_path / "disk.img"), images.get("debian")
    before, seen = digest(disk), list[PlannedJob]()

    def no(planned: PlannedJob) -> bool:
        seen.append(planned)
        return False

    for job, first in (
        (job_of(disk, image), "restore debian to partition 1"),
        (Restore(str(image), str(disk), "1"), "Restore debian to partition 1"),
        (Create("thesis", str(disk), "1", destination=str(tmp_path)), "Capture "),
        (Partition(str(disk), "LINUX:20000"), ""),
    ):
        assert perform(job, Settings(), progress=QUIET, approve=no) is None
        assert any(first in one for one in seen[-1].changes), seen[-1].changes
        assert digest(disk) == before
    assert not list(tmp_path.glob("thesis*"))


def test_a_job_that_was_cancelled_writes_nothing_more(tmp_path: Path, images: Images) -> None:
    """Between yes and the first write it is asked once more."""
    disk, cancel = disk_file(tmp_path / "disk.img"), Cancel()
    before = digest(disk)

    def yes(_: PlannedJob) -> bool:
        cancel.set("the server said so")
        return True

    job = job_of(disk, images.get("debian"))
    with pytest.raises(CancelledError):
        perform(job, Settings(), progress=QUIET, approve=yes, cancel=cancel)
    with pytest.raises(CancelledError):
        perform(Partition(str(disk), "LINUX:20000"), Settings(), progress=QUIET,
                approve=lambda _: True, cancel=cancel)  # fmt: skip
    restoring = Restore(str(images.get("debian")), str(disk), "1")
    cancel = Cancel()
    with pytest.raises(CancelledError):
        perform(restoring, Settings(), progress=QUIET, approve=yes, cancel=cancel)
    assert digest(disk) == before


def test_a_restore_is_of_one_partition_or_of_some(tmp_path: Path, images: Images) -> None:
    disk = disk_file(tmp_path / "disk.img")
    before = digest(disk)
    job = Restore(str(images.get("debian")), str(disk), "2", parts=(1,))
    with pytest.raises(UsageError, match="not of both"):
        perform(job, Settings(), progress=QUIET, approve=lambda _: True)
    assert digest(disk) == before


def test_a_job_says_what_is_on_a_partition(tmp_path: Path, images: Images) -> None:
    disk = disk_file(tmp_path / "disk.img", "blank")
    done = perform(
        job_of(disk, images.get("debian")), Settings(), progress=QUIET, approve=lambda _: True
    )
    assert done is not None
    assert done.is_over
    look = Inventory("os", str(disk), "1")
    found = perform(look, Settings(), progress=QUIET, approve=lambda _: False)
    assert found is not None
    assert found.sentence.startswith("Found: Debian GNU/Linux 13")
