# SPDX-License-Identifier: GPL-3.0-or-later
"""Locks of the old names: they belong to the calling script, and end with it."""

from __future__ import annotations

import errno
import fcntl
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from oglib.disk.find import find_partition
from oglib.disk.lock import FOLDER, drop_lock, held, is_locked, lock_path, refuse_locked, take_lock
from oglib.disk.model import Disk, Partition
from oglib.disk.probing.virtual import probe_virtual
from oglib.errors import OgErr, OgError
from unit.shim.old import Old, Ran

MIB = 1024 * 1024


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    image = tmp_path / "disk.img"
    with image.open("wb") as made:
        made.truncate(16 * MIB)
    subprocess.run(
        ["sfdisk", "--quiet", "--no-tell-kernel", image],
        input=b"label: gpt\nsize=4M\nsize=4M\n",
        check=True,
    )
    found = probe_virtual(image)
    yield found
    for part in (None, *found.partitions):
        lock_path(found, part).unlink(missing_ok=True)


@pytest.fixture
def stranger() -> Iterator[int]:
    """The PID of a script that is not ours."""
    with subprocess.Popen(["sleep", "600"]) as sleeping:
        yield sleeping.pid
        sleeping.kill()


@pytest.fixture
def parts(disk: Disk) -> tuple[Partition, Partition]:
    return find_partition(disk, 1), find_partition(disk, 2)


def refused(disk: Disk, part: Partition | None = None, *, own_counts: bool = False) -> str:
    """Why it is refused, empty when it is not."""
    try:
        refuse_locked(disk, part, own_counts=own_counts)
    except OgError as error:
        return error.message if error.code is OgErr.LOCKED else repr(error.code)
    return ""


@pytest.mark.proves("ogLockDisk", "ogIsDiskLocked", "ogUnlockDisk")
def test_a_disk_is_locked_with_its_partitions(old: Old, disk: Disk) -> None:
    disks = [disk.path]
    assert old("ogIsDiskLocked", 1, disks=disks) == Ran("", "", 1)
    assert old("ogLockDisk", 1, disks=disks) == Ran("", "", 0)
    assert lock_path(disk).name == "lock" + str(disk.path).replace("/", "-")
    assert lock_path(disk).read_text().split()[0] == str(os.getpid())
    assert old("ogIsDiskLocked", 1, disks=disks) == Ran("", "", 0)
    assert old("ogIsPartitionLocked", 1, 2, disks=disks) == Ran("", "", 0)
    assert old("ogUnlockDisk", 1, disks=disks) == Ran("", "", 0)
    assert not lock_path(disk).exists()
    assert old("ogIsDiskLocked", 1, disks=disks) == Ran("", "", 1)


@pytest.mark.proves("ogLockPartition", "ogIsPartitionLocked", "ogUnlockPartition")
@pytest.mark.proves("ogLock", "ogIsLocked", "ogUnlock")
@pytest.mark.parametrize("kind", ["", "Partition"])
def test_a_partition_is_locked_alone(old: Old, disk: Disk, kind: str) -> None:
    disks = [disk.path]
    assert old(f"ogLock{kind}", 1, 2, disks=disks) == Ran("", "", 0)
    assert old(f"ogIs{kind}Locked", 1, 2, disks=disks) == Ran("", "", 0)
    assert old(f"ogIs{kind}Locked", 1, 1, disks=disks) == Ran("", "", 1)
    assert old("ogIsDiskLocked", 1, disks=disks) == Ran("", "", 1)
    assert old(f"ogUnlock{kind}", 1, 2, disks=disks) == Ran("", "", 0)
    assert old(f"ogIs{kind}Locked", 1, 2, disks=disks) == Ran("", "", 1)


@pytest.mark.refuses("ogLockDisk", "ogLockPartition", "ogLock")
def test_what_another_script_has_locked_is_refused(old: Old, disk: Disk, stranger: int) -> None:
    take_lock(disk, find_partition(disk, 2), pid=stranger)
    for name, words in (("ogLockDisk", (1,)), ("ogLockPartition", (1, 2)), ("ogLock", (1, 2))):
        ran = old(name, *words, disks=[disk.path])
        assert (ran.stdout, ran.status) == ("", OgErr.LOCKED)
        assert f"is locked by process {stranger} (sleep)" in ran.stderr
    assert old("ogLock", 1, 1, disks=[disk.path]).status == 0


@pytest.mark.refuses("ogUnlockDisk", "ogUnlockPartition", "ogUnlock")
def test_unlocking_what_is_not_there(old: Old, disk: Disk) -> None:
    assert old("ogUnlockDisk", 2, disks=[disk.path]).status == OgErr.NOTFOUND
    assert old("ogUnlockPartition", 1, 3, disks=[disk.path]).status == OgErr.NOTFOUND
    assert old("ogUnlock", 1, disks=[disk.path]).status == OgErr.FORMAT


@pytest.mark.refuses("ogIsDiskLocked", "ogIsPartitionLocked", "ogIsLocked")
def test_what_is_not_there_is_not_locked(old: Old, disk: Disk) -> None:
    for name, words in (
        ("ogIsDiskLocked", (2,)),
        ("ogIsPartitionLocked", (1, 3)),
        ("ogIsLocked", (1,)),
    ):
        ran = old(name, *words, disks=[disk.path])
        assert (ran.stdout, ran.status) == ("", 1)
        assert ran.stderr


def test_the_lock_of_a_script_that_ended_does_not_count(disk: Disk) -> None:
    command = f"{sys.executable} -I -m oglib.shim"
    said = subprocess.run(
        ["bash", "-c", f"{command} ogLockDisk 1; {command} ogIsDiskLocked 1; echo $?"],
        env={**os.environ, "OG_DISKS": str(disk.path)},
        capture_output=True,
        check=True,
    )
    assert said.stdout == b"0\n"
    assert lock_path(disk).exists()
    assert not is_locked(disk)
    assert not lock_path(disk).exists()


def test_the_number_of_an_ended_process_given_anew_does_not_count(
    disk: Disk, stranger: int
) -> None:
    take_lock(disk, pid=stranger)
    lock_path(disk).write_text(f"{stranger} 1\n")
    assert not is_locked(disk)


def test_a_process_that_waits_to_be_collected_holds_nothing(disk: Disk) -> None:
    with subprocess.Popen(["sleep", "600"]) as sleeping:
        take_lock(disk, pid=sleeping.pid)
        sleeping.kill()
        os.waitid(os.P_PID, sleeping.pid, os.WEXITED | os.WNOWAIT)
        assert not is_locked(disk)


def test_a_lock_made_by_hand_counts_until_it_is_unlocked(disk: Disk) -> None:
    lock_path(disk).touch()
    assert "locked by somebody" in refused(disk)
    drop_lock(disk)
    assert not refused(disk)


def test_work_on_a_disk_minds_its_partitions_and_the_other_way_round(
    disk: Disk, parts: tuple[Partition, Partition], stranger: int
) -> None:
    take_lock(disk, parts[0], pid=stranger)
    assert "Partition 1 of" in refused(disk)
    assert refused(disk, parts[0])
    assert not refused(disk, parts[1])
    drop_lock(disk, parts[0])
    take_lock(disk, pid=stranger)
    assert refused(disk, parts[1])


def test_the_lock_of_the_script_that_called_is_no_hindrance_unless_it_counts(disk: Disk) -> None:
    take_lock(disk, pid=os.getppid())
    assert not refused(disk)
    assert refused(disk, own_counts=True)
    with held(disk):
        pass
    assert is_locked(disk), "the script's own lock stays"


def test_work_holds_its_lock_until_it_ends(
    disk: Disk, parts: tuple[Partition, Partition], stranger: int
) -> None:
    with pytest.raises(ZeroDivisionError), held(disk, parts[0], own_counts=True):
        assert not refused(disk, parts[0], own_counts=True), "its own work goes on"
        with pytest.raises(OgError, match="is locked by process"):
            take_lock(disk, parts[0], pid=stranger)
        raise ZeroDivisionError
    assert not is_locked(disk, parts[0])


def test_two_never_get_the_same_lock(disk: Disk, stranger: int) -> None:
    """One asks while another one is just taking it: it waits, and is refused then."""
    code = (
        "import os, sys; from pathlib import Path; from oglib.kernel import flocks;"
        "from oglib.disk.probing.virtual import probe_virtual;"
        "from oglib.disk.lock import take_lock;"
        "real = flocks.holders;"  # asked for by who is about to wait
        "flocks.holders = lambda handle: (print('waits', flush=True), real(handle))[1];"
        "take_lock(probe_virtual(Path(sys.argv[1])), pid=os.getpid())"
    )
    folder = os.open(FOLDER, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        argv = [sys.executable, "-I", "-c", code, str(disk.path)]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as asking:
            assert asking.stdout is not None
            assert asking.stdout.readline() == b"waits\n"
            lock_path(disk).write_text(lock_line(stranger))
            fcntl.flock(folder, fcntl.LOCK_UN)
            assert b"is locked by process" in asking.communicate()[1]
    finally:
        os.close(folder)


def lock_line(pid: int) -> str:
    start = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    return f"{pid} {start}\n"


def test_a_lock_is_written_whole_or_not_at_all(disk: Disk, stranger: int) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))  # the writing is cut at once
    try:
        with pytest.raises(OSError, match="too large"):
            take_lock(disk, pid=stranger)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        lock_path(disk).with_name(f".{lock_path(disk).name}").unlink(missing_ok=True)
    assert not is_locked(disk)


def test_a_holder_that_cannot_be_looked_at_is_not_gone(
    disk: Disk, stranger: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_lock(disk, pid=stranger)
    kernel = Path.read_text

    def refused(path: Path, *words: str, **more: str) -> str:
        if path.name == "stat":
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return kernel(path, *words, **more)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "read_text", refused)
        with pytest.raises(OSError, match="Too many open files"):
            is_locked(disk)
    assert is_locked(disk)
