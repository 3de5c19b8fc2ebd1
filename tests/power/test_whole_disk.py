# SPDX-License-Identifier: GPL-3.0-or-later
"""Power cuts while a whole disk is restored: nothing starts that is not whole.

The restore of an image onto a disk that holds another system is recorded. Then, for each crash
state: what the firmware finds something to start on is the disk as it was, or the whole new one;
the same restore again ends with every byte as the undisturbed one left it; and what was done
when the restore returned is there. Firmware is played by sfdisk and mtools.
"""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from mmap import ACCESS_COPY, mmap
from pathlib import Path

import pytest
from blake3 import blake3

from disk.image.whole_disks import Rows, blank, said, seen, write_files
from oglib.deploy.whole_disk import plan, restore
from oglib.deploy.whole_disk.capture import create_disk
from oglib.deploy.whole_disk.plan import DiskWishes
from oglib.deploy.whole_disk.sizing import SizedDisk
from oglib.disk.loop import partition_device
from oglib.disk.model import MIB, TableKind
from oglib.disk.planning.layout import layout_from
from oglib.disk.planning.plan import plan_layout
from oglib.disk.probe import probe_target
from oglib.disk.tables import mbr
from oglib.disk.tables.exact import Exact, read_exact
from oglib.disk.writing.table import apply_table
from oglib.filesystem.make import format_filesystem, make_swap
from oglib.image.format.disk_manifest import DiskPart
from oglib.image.writing import prover
from oglib.settings import Settings
from power.crash import CrashState, crash_states, make_disk
from power.explore import Case
from power.recorder import Recording, recorded_disk
from quiet import QUIET
from tallies import Tally

KIND = "whole disk"
SIZE = 32 * MIB
STATES = 30
BOOT_CODE_BYTES = 440
LOADER = "::/EFI/BOOT/BOOTX64.EFI"
ESP_TYPES = ("C12A7328-F81F-11D2-BA4B-00A0C93EC93B", "ef")
SETTINGS = Settings()


def row(kind: str, size: str, **more: object) -> dict[str, object]:
    return {"type": kind, "size": size, **more}


@dataclass(frozen=True, slots=True)
class Disks:
    """A disk to be imaged, and the one that it is restored onto; FAT ones hold a loader."""

    table: str
    source: Rows
    before_table: str
    before: Rows


# Some partitions of the disk before lie where the new ones will: nobody wipes those by the way.
DISKS = {
    "uefi": Disks(
        "gpt",
        [row("BIOS-BOOT", "1MiB"), row("EFI", "8MiB"), row("LINUX", "rest"),
         row("LINUX-SWAP", "4MiB")],
        "gpt",
        [row("BIOS-BOOT", "1MiB"), row("WINDOWS", "8MiB"), row("EFI", "8MiB"),
         row("LINUX", "rest")],
    ),
    "bios": Disks(
        "msdos",
        [row("LINUX", "12MiB", active=True), row("LINUX", "rest"), row("LINUX-SWAP", "4MiB")],
        "msdos",
        [row("LINUX", "12MiB", active=True), row("LINUX", "8MiB"), row("LINUX", "rest")],
    ),
}  # fmt: skip


def made(path: Path, table: str, rows: Rows, dice: random.Random) -> Path:
    """A disk with files on every filesystem, loaders on the FAT ones, and boot code."""
    layout = layout_from({"table": table, "partitions": rows})
    disk = apply_table(plan_layout(layout, probe_target(blank(path, SIZE))))
    loader = path.with_name("loader")
    for part in disk.partitions:
        with partition_device(disk, part) as device:
            if part.type in ("EFI", "WINDOWS"):
                said("mkfs.vfat", "-F", "16", "-s", "1", device)
                loader.write_bytes(b"MZ" + dice.randbytes(70_000))
                said("mmd", "-i", device, "::/EFI", "::/EFI/BOOT")
                said("mcopy", "-i", device, loader, LOADER)
                write_files(device, "EFI", dice)
            elif part.type == "LINUX":
                format_filesystem(device, "ext4", label=f"part{part.number}")
                write_files(device, "LINUX", dice)
            elif part.type == "LINUX-SWAP":
                make_swap(device, label="swap")
    with path.open("r+b") as file:
        file.write(dice.randbytes(BOOT_CODE_BYTES))
        file.seek(40 * 512)
        file.write(dice.randbytes(30_000))
        if table == "gpt":
            file.seek(disk.partitions[0].start_bytes)
            file.write(dice.randbytes(70_000))
    return path


@dataclass(frozen=True, slots=True)
class Print:
    """The content of a disk as digests: a large process starts others slowly.

    ``uefi`` is of all that matters to UEFI: what a BIOS alone runs goes first and comes last.
    """

    whole: str
    uefi: str


def make_odd(path: Path, table: str) -> Path:
    """What no tool would write: it comes back to the byte, whenever the restore is cut."""
    if table == "gpt":
        said("sgdisk", "-S", "256", "-c3:😀", "-h3", path)
    with path.open("r+b") as file:
        if table == "gpt":
            file.seek(446)
            file.write(b"\x80")  # the flag of the protective row
        else:
            file.seek(444)
            file.write(b"\x5a\x5a\0abc")  # a mark and the CHS bytes of the first row
    return path


def table_of(path: Path) -> Exact:
    disk = probe_target(path)
    raw = path.read_bytes()
    return read_exact(lambda at, size: raw[at : at + size], disk.table, disk.size_bytes, 512)


def print_of(disk: Path, bios_only: Sequence[tuple[int, int]]) -> Print:
    """``bios_only`` are the stretches (from, to) that only a BIOS runs."""
    with disk.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_COPY) as data:
        whole = blake3(data).hexdigest()
        for start, end in bios_only:
            data[start:end] = bytes(end - start)
        return Print(whole, blake3(data).hexdigest())


def starts_by_bios(disk: Path) -> bool:
    with disk.open("rb") as file:
        return any(file.read(BOOT_CODE_BYTES))


def starts_by_uefi(disk: Path) -> bool:
    """Whether an ESP of the table, as far as there is one, holds a loader."""
    found = subprocess.run(["sfdisk", "--json", disk], capture_output=True, check=False)
    rows = json.loads(found.stdout)["partitiontable"]["partitions"] if not found.returncode else ()
    return any(
        one["type"] in ESP_TYPES and _loader(disk, one["start"] * 512).startswith(b"MZ")
        for one in rows
    )


def _loader(disk: Path, offset: int) -> bytes:
    argv = ["mcopy", "-i", f"{disk}@@{offset}", LOADER, "-"]
    return subprocess.run(argv, capture_output=True, check=False).stdout


def put_back(image: Path, target: Path) -> None:
    options = DiskWishes(other_firmware=True)
    receipt = restore.restore_disk(
        str(image), str(target), options, settings=SETTINGS, progress=QUIET
    )
    assert receipt.verified == "read-back"


@dataclass(frozen=True, slots=True)
class Made:
    """The disk as it was and the image of the one to come."""

    source: Path
    before: Path
    image: Path

    def record(self, folder: Path) -> Recording:
        folder.mkdir()
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(prover, "_BATCH_BYTES", MIB)  # as many flushes as a large disk
            with recorded_disk(folder, SIZE, self.before) as disk:
                put_back(self.image, disk.device)
                disk.mark_returned()
        return disk.recording()


@dataclass(slots=True)
class Judge:
    """What may be seen on the disk of a crash state, and after the restore was run again."""

    made: Made
    returned: int
    before: Print
    after: Print
    bios_only: Sequence[tuple[int, int]]
    seen: set[str] = field(default_factory=set)

    def __call__(self, disk: Path, state: CrashState) -> None:
        now = self.print_of(disk)
        bios, uefi = starts_by_bios(disk), starts_by_uefi(disk)
        done = now == self.after
        self.seen.add("whole" if done else "starts" if bios or uefi else "incomplete")
        assert not bios or now in (self.before, self.after), "a BIOS starts it, and it is not whole"
        as_one = now.uefi in (self.before.uefi, self.after.uefi)
        assert not uefi or as_one, "UEFI starts it, and it is not whole"
        assert done or state.whole < self.returned, "it was done, and is not there after a cut"
        put_back(self.made.image, disk)
        assert self.print_of(disk) == self.after, "the restore does not converge"

    def print_of(self, disk: Path) -> Print:
        return print_of(disk, self.bios_only)


@pytest.fixture(scope="module", params=DISKS)
def disks(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Made:
    name, folder = request.param, tmp_path_factory.mktemp(request.param)
    kind, dice = DISKS[name], random.Random(name)
    source = make_odd(made(folder / "source", kind.table, kind.source, dice), kind.table)
    before = made(folder / "before", kind.before_table, kind.before, dice)
    image = create_disk(
        str(source), name, destination=str(folder / "images"), settings=SETTINGS, progress=QUIET
    )
    return Made(source, before, Path(image.where))


def judge_of(disks: Made, recording: Recording, work: Path) -> Judge:
    """What the undisturbed restore left is what must be there, once it is seen to be right."""
    everything = crash_states(recording.log, seed="ends", count=2)[1]
    end = work / "end"
    make_disk(recording.log, recording.base, everything, end)
    assert seen(end) == seen(disks.source)
    assert table_of(end) == table_of(disks.source)
    disk = probe_target(end)
    bios_only = [(0, BOOT_CODE_BYTES)]
    if disk.table is TableKind.GPT:
        bios_only.append((34 * 512, disk.partitions[0].end_bytes))
    before, after = (print_of(one, bios_only) for one in (disks.before, end))
    end.unlink()
    return Judge(disks, recording.returned, before, after, bios_only)


def test_a_cut_leaves_nothing_that_starts_and_is_not_whole(
    disks: Made, case: Case, tally: Tally
) -> None:
    recording = case.recording(disks.record)
    judge = judge_of(disks, recording, case.work)
    case.explore(recording, STATES, judge, tally, KIND)
    assert judge.seen == {"starts", "incomplete", "whole"} or case.is_replay


def _as_they_come(sized: SizedDisk) -> tuple[list[DiskPart], list[DiskPart]]:
    return [part for part in sized.parts if part.is_image], []


WITHOUT = {
    "an-order": ((plan, restore), "in_order", _as_they_come),
    "disarming": ((restore,), "disarm", lambda *_: None),
    "holding-code-back": ((mbr,), "without_code", lambda first: b"\xeb\xfe" + first[2:]),
}


@pytest.mark.parametrize(
    ("disks", "without"),
    [("uefi", "an-order"), ("uefi", "disarming"), ("bios", "holding-code-back")],
    indirect=["disks"],
)
def test_a_restore_without_its_care_is_found_out(
    disks: Made, without: str, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: the method sees what it is there to see."""
    with monkeypatch.context() as patched:
        owners, name, other = WITHOUT[without]
        for owner in owners:
            patched.setattr(owner, name, other)
        recording = disks.record(case.work / "recorded")
    judge = judge_of(disks, recording, case.work)
    found = (said for _, said in case.violations(recording, STATES, judge))
    assert any("starts it, and it is not whole" in said for said in found)
