# SPDX-License-Identifier: GPL-3.0-or-later
"""Power cuts while a system is fitted to a PC: each of its files is the old one or the new one.

``og os configure`` is recorded on a disk that another GRUB starts. For each crash state the kernel
replays the journal of the root; then every file is whole, as it was or as it shall be, what was
done when the command returned is there, and the same command again leaves the disk as the
undisturbed one did. GRUB's own files and the code that a BIOS runs are the exception, for they
belong together and no disk changes them in one write: of its modules none is lost (grub-install
keeps the old one as NAME~), the code is asked for only when the command has returned.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from disk.inventory.room import tool
from disk.osconfig.systems import make_debian
from disk.osconfig.systems import make_disk as partitioned
from oglib.cache.partition import mount_or_repair
from oglib.deploy.system.configure import apply_configuration, plan_configuration
from oglib.disk.firmware import Firmware
from oglib.disk.loop import partition_device
from oglib.disk.model import MIB
from oglib.disk.probe import probe_target
from oglib.filesystem.make import make_swap
from oglib.fitting.steps import Outcome
from oglib.osconfig import replacing
from power.crash import CrashState, crash_states, make_disk
from power.explore import Case
from power.recorder import Recording, recorded_disk
from tallies import Tally

KIND = "configure"
SIZES_MIB = (40, 4)
SIZE = (sum(SIZES_MIB) + 2) * MIB
CODE_OF_GRUB = "boot/grub/i386-pc/"
MODULES = (".mod", ".lst")
CONFIG_OF_GRUB = ("boot/grub/grub.cfg",)
MACHINE_ID = "0123456789abcdef0123456789abcdef\n"
MORE = {
    "etc/fstab": "/dev/sda1 / ext4 defaults 0 1\n/dev/sda9 none swap sw 0 0\n",
    "etc/default/grub": 'GRUB_CMDLINE_LINUX="resume=/dev/sda9"\n',
    "boot/grub/grub.cfg": "linux /vmlinuz root=/dev/sda1 resume=/dev/sda9\ninitrd /initrd.img\n",
}
# GRUB's code takes nearly all of the writes, so the texts are cut by themselves too.
WAYS = {
    "texts": ("hostname", "hosts", "fstab", "machine-id", "grub.cfg", "grub-defaults"),
    "all": (),
}
Files = dict[str, bytes]


@contextmanager
def root_of(disk: Path, at: Path) -> Iterator[Path]:
    """The first partition, mounted as after any power cut."""
    found = probe_target(disk)
    at.mkdir(exist_ok=True)
    with partition_device(found, found.partitions[0]) as device:
        mount_or_repair(device, at)  # a cut can tear the superblock, as on every ext4
        try:
            yield at
        finally:
            tool("umount", at)


def configured(disk: Path, hostname: str, only: Sequence[str] = ()) -> None:
    """``og os configure`` of the system on the first partition, for a PC with a BIOS."""
    found = probe_target(disk)
    part = found.partitions[0]
    plan = plan_configuration(found, part, hostname=hostname, firmware=Firmware.BIOS, only=only)
    failed = [one for one in apply_configuration(plan) if one.outcome is Outcome.FAILED]
    assert not failed, failed


def files_of(root: Path) -> Files:
    """Every file of the system by its path."""
    found = (path for path in root.rglob("*") if path.is_file() and not path.is_symlink())
    return {str(path.relative_to(root)): path.read_bytes() for path in found}


def is_grubs(name: str) -> bool:
    return name.startswith("boot/grub/") and name.rstrip("~") not in CONFIG_OF_GRUB


def code_of(disk: Path) -> bytes:
    """What a BIOS runs: the MBR and what lies before the first partition."""
    with disk.open("rb") as file:
        return file.read(MIB)


def made(folder: Path) -> Path:
    """A disk that starts a system of another PC, with a GRUB whose files are other ones."""
    disk = partitioned(folder / "before", SIZES_MIB)
    found = probe_target(disk)
    with partition_device(found, found.partitions[0]) as device:
        tool("mke2fs", "-q", "-t", "ext4", "-d", make_debian(folder / "tree", MORE), device)
    configured(disk, "model")
    with partition_device(found, found.partitions[1]) as device:
        make_swap(device)
    with root_of(disk, folder / "root") as root:
        for path in (root / CODE_OF_GRUB).iterdir():
            path.write_bytes(b"other" + path.read_bytes())
        for name, text in {**MORE, "etc/machine-id": MACHINE_ID}.items():
            (root / name).write_text(text)
    with disk.open("r+b") as file:
        file.seek(2 * 512)
        file.write(os.urandom(512))
    return disk


def record(case: Case, folder: Path, only: Sequence[str]) -> Recording:
    before = made(case.work)
    with recorded_disk(folder, SIZE, before) as disk:
        configured(disk.device, "pc17", only)
        disk.mark_returned()
    return disk.recording()


@dataclass(frozen=True, slots=True)
class Judge:
    """What may be seen on the disk of a crash state, and after the command was run again."""

    old: Files
    new: Files
    code: bytes
    returned: int
    mount_at: Path
    only: Sequence[str]
    seen: set[str] = field(default_factory=set)

    def __call__(self, disk: Path, state: CrashState) -> None:
        with root_of(disk, self.mount_at) as root:
            now = files_of(root)
        self._judge(now)
        if state.whole >= self.returned:
            assert now == self.new, "it was done, and is not there after a cut"
            assert code_of(disk) == self.code, "its code was written, and is not there after a cut"
        configured(disk, "pc17", self.only)
        with root_of(disk, self.mount_at) as root:
            again = files_of(root)
        wrong = sorted(name for name in again | self.new if again.get(name) != self.new.get(name))
        assert not wrong, f"the command does not converge: {wrong}"
        assert code_of(disk) == self.code, "the code of the BIOS does not converge"

    def _judge(self, now: Files) -> None:
        known = self.old | self.new
        for name in known:
            one = (self.old.get(name), self.new.get(name))
            if is_grubs(name):
                if not name.endswith(MODULES):
                    continue  # what grub-install itself reads
                kept = now.get(name) in one or now.get(f"{name}~") in one
                self.seen.add("between" if name not in now else "whole")
                assert kept or None in one, f"{name} is lost"
            else:
                assert now.get(name) in one, f"{name} is neither the old one nor the new one"
        changed = {name for name in known if self.old.get(name) != self.new.get(name)}
        for name in sorted(changed):
            if not is_grubs(name):
                self.seen.add(f"{name} {'new' if now.get(name) == self.new.get(name) else 'old'}")


def judge_of(recording: Recording, work: Path, only: Sequence[str]) -> Judge:
    """What the undisturbed command left is what must be there, once it is seen to be right."""
    everything = crash_states(recording.log, seed="ends", count=2)[1]
    end, at = work / "end", work / "root"
    make_disk(recording.log, recording.base, everything, end)
    with root_of(recording.base, at) as root:
        old = files_of(root)
    with root_of(end, at) as root:
        new = files_of(root)
    assert b"pc17" in new["etc/hostname"]
    for name in MORE:
        assert b"sda9" in old[name]
        assert b"sda9" not in new[name]
    others = [name for name, data in new.items() if data.startswith(b"other")]
    assert bool(others) == bool(only), "grub-install has not written all of its files"
    return Judge(old, new, code_of(end), recording.returned, at, only)


@pytest.mark.parametrize("what", WAYS)
def test_each_file_is_the_old_one_or_the_new_one(
    what: str, case: Case, states: int, tally: Tally
) -> None:
    recording = case.recording(lambda folder: record(case, folder, WAYS[what]))
    judge = judge_of(recording, case.work, WAYS[what])
    case.explore(recording, states // len(WAYS), judge, tally, KIND)
    names = ("etc/hostname", *MORE)
    wanted = {f"{name} {which}" for name in names for which in ("old", "new")}
    wanted |= {"whole"} if WAYS[what] else {"whole", "between"}
    assert judge.seen >= wanted or case.is_replay


def test_files_that_are_written_in_place_are_found_out(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: the method sees what it is there to see."""

    def in_place(folder_fd: int, last: str, data: bytes, mode: int, **_how: bool) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        with os.fdopen(os.open(last, flags, mode, dir_fd=folder_fd), "wb") as file:
            for part in (data[: len(data) // 2], data[len(data) // 2 :]):
                file.write(part)
                file.flush()
                os.fsync(file.fileno())

    with monkeypatch.context() as patched:
        patched.setattr(replacing, "replace_file", in_place)
        recording = record(case, case.work / "recorded", WAYS["texts"])
    judge = judge_of(recording, case.work, WAYS["texts"])
    found = (said for _, said in case.violations(recording, 40, judge))
    assert any("neither the old one nor the new one" in said for said in found)
