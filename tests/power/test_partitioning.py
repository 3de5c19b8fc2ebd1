# SPDX-License-Identifier: GPL-3.0-or-later
"""Power cuts while a partition table is written: the same apply again reaches the plan.

The layout is applied to a recorded disk once. Then, on the disk of each crash state, the same
apply runs again. sfdisk and sgdisk judge: the table is the one that the undisturbed apply
wrote, and the content of what is kept is the same to the byte.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from oglib.disk.loop import attached
from oglib.disk.model import MIB, TableKind
from oglib.disk.planning.layout import layout_from
from oglib.disk.planning.plan import plan_layout
from oglib.disk.probe import probe_target
from oglib.disk.writing.table import apply_table
from power.crash import CrashState, crash_states, make_disk
from power.explore import Case
from power.recorder import Recording, recorded_disk
from tallies import Tally, seed

KIND = "partitioning"
SIZE = 96 * MIB
STATES = 24
STATES_AGAIN = 8
DISK_ID = "0x0a0b0c0d"
_PIECE_BYTES = 1 << 16
Rows = list[dict[str, object]]
Layout = dict[str, object]


def gpt(*rows: dict[str, object]) -> Layout:
    return {"table": "gpt", "partitions": list(rows)}


def msdos(*rows: dict[str, object]) -> Layout:
    return {"table": "msdos", "partitions": list(rows)}


def new(kind: str, size: str, **more: object) -> dict[str, object]:
    return {"type": kind, "size": size, **more}


def kept(number: int, **more: object) -> dict[str, object]:
    return {"keep": True, "number": number, **more}


@dataclass(frozen=True, slots=True)
class Change:
    """From one layout to another; ``keeps``: numbers before → after."""

    before: Layout | None
    after: Layout
    keeps: tuple[tuple[int, int], ...] = ()
    sector_bytes: int = 512


CHANGES = {
    "empty-to-gpt": Change(
        None, gpt(new("EFI", "8MiB"), new("LINUX", "rest", name="root"), new("LINUX-SWAP", "8MiB"))
    ),
    "gpt-again-around-a-kept-one": Change(
        gpt(new("EFI", "8MiB"), new("LINUX", "16MiB"), new("NTFS", "16MiB"), new("LINUX", "rest")),
        gpt(new("EFI", "4MiB"), new("LINUX-SWAP", "4MiB"), kept(3), new("LINUX", "rest")),
        keeps=((3, 3),),
    ),
    "gpt-with-4096-byte-sectors": Change(
        gpt(new("EFI", "8MiB"), new("LINUX", "16MiB"), new("LINUX", "rest")),
        gpt(new("LINUX", "8MiB"), kept(2), new("LINUX-SWAP", "8MiB"), new("LINUX", "rest")),
        keeps=((2, 2),),
        sector_bytes=4096,
    ),
    "msdos-to-gpt": Change(
        msdos(new("NTFS", "16MiB"), new("LINUX", "16MiB")),
        gpt(new("EFI", "8MiB", number=1), kept(2), new("LINUX", "rest")),
        keeps=((2, 2),),
    ),
    "gpt-to-msdos": Change(
        gpt(new("EFI", "8MiB"), new("LINUX", "16MiB"), new("NTFS", "16MiB")),
        msdos(new("LINUX", "8MiB"), kept(2), new("NTFS", "rest")),
        keeps=((2, 2),),
    ),
    "logical-ones": Change(
        msdos(new("NTFS", "16MiB"), new("LINUX", "rest")),
        msdos(
            kept(1),
            new(
                "EXTENDED",
                "rest",
                partitions=[new("LINUX", "16MiB"), new("LINUX-SWAP", "8MiB"), new("LINUX", "rest")],
            ),
        ),
        keeps=((1, 1),),
    ),
    "logical-ones-kept": Change(
        msdos(
            new("NTFS", "16MiB"),
            new("EXTENDED", "rest", partitions=[new("LINUX", "16MiB"), new("LINUX", "rest")]),
        ),
        msdos(
            new("LINUX-SWAP", "8MiB"),
            new("EXTENDED", "rest", keep=True, partitions=[kept(5), new("LINUX", "24MiB")]),
        ),
        keeps=((5, 5),),
    ),
    "a-logical-one-kept-between-others": Change(
        msdos(
            new("NTFS", "8MiB"),
            new(
                "EXTENDED",
                "rest",
                partitions=[
                    new("LINUX", "8MiB"),
                    new("LINUX", "16MiB"),
                    new("LINUX", "16MiB"),
                    new("LINUX", "rest"),
                ],
            ),
        ),
        msdos(
            kept(1),
            new(
                "EXTENDED",
                "rest",
                keep=True,
                partitions=[
                    new("LINUX-SWAP", "4MiB"),
                    kept(6),
                    new("LINUX", "8MiB"),
                    new("LINUX", "rest"),
                ],
            ),
        ),
        keeps=((1, 1), (6, 6)),
    ),
    "the-extended-one-moves": Change(
        msdos(
            new("NTFS", "16MiB"),
            new("EXTENDED", "rest", partitions=[new("LINUX", "16MiB"), new("LINUX", "rest")]),
        ),
        msdos(  # the new EXTENDED begins where the second logical one had its table
            kept(1),
            new("LINUX", "17MiB"),
            new("EXTENDED", "rest", partitions=[new("LINUX-SWAP", "8MiB"), new("LINUX", "rest")]),
        ),
        keeps=((1, 1),),
    ),
    "a-logical-one-into-a-gpt": Change(
        msdos(
            new("NTFS", "16MiB"),
            new("EXTENDED", "rest", partitions=[new("LINUX", "16MiB"), new("LINUX", "rest")]),
        ),
        gpt(new("EFI", "8MiB", number=1), kept(5), new("LINUX", "rest", number=2)),
        keeps=((5, 5),),
    ),
    "a-cache-at-the-end": Change(
        gpt(new("EFI", "8MiB"), new("LINUX", "32MiB")),
        gpt(kept(1), kept(2), new("CACHE", "24MiB")),
        keeps=((1, 1), (2, 2)),
    ),
}


def ran(*argv: str | Path) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{argv[0]}: {done.stdout}{done.stderr}"
    return done.stdout + done.stderr


@dataclass(frozen=True, slots=True)
class Row:
    """One partition as sfdisk reads it, in sectors."""

    number: int
    start: int
    size: int
    type: str
    name: str
    active: bool


def sfdisk_json(device: Path) -> dict[str, Any]:
    done = subprocess.run(["sfdisk", "--json", device], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    table: dict[str, Any] = json.loads(done.stdout)["partitiontable"]
    return table


def number_of(row: dict[str, Any], device: Path) -> int:
    return int(str(row["node"]).removeprefix(str(device)).lstrip("p"))


def table_of(device: Path) -> tuple[str, list[Row]]:
    """The kind of table and its partitions."""
    table = sfdisk_json(device)
    rows = [
        Row(
            number=number_of(row, device),
            start=row["start"],
            size=row["size"],
            type=row["type"],
            name=row.get("name", ""),
            active=row.get("bootable", False),
        )
        for row in table.get("partitions", ())
    ]
    return table["label"], rows


@contextmanager
def device_of(disk: Path, sector_bytes: int) -> Iterator[Path]:
    """The disk as tools must see it: a file has 512-byte sectors, others need a loop device."""
    if sector_bytes == 512:
        yield disk
        return
    with attached(disk, sector_bytes=sector_bytes) as device:
        yield device


def apply(device: Path, layout: Layout) -> bool:
    """The real thing, twice; whether there was anything to change. The second time there is not."""
    wanted = layout_from(layout)
    plan = plan_layout(wanted, probe_target(device))
    again = plan_layout(wanted, apply_table(plan))
    assert again.nothing_to_change, again.changes
    return not plan.nothing_to_change


def guid_of(number: int) -> str:
    return f"0A0B0C0D-0000-4000-8000-{number:012d}"


def identify(device: Path, numbers: list[int], table: str) -> None:
    """Give the partitions that will be kept a PARTUUID that is the same in every recording."""
    if table == "gpt":
        for number in numbers:
            ran(
                "sfdisk",
                "-q",
                "--no-tell-kernel",
                "--no-reread",
                "--part-uuid",
                device,
                str(number),
                guid_of(number),
            )
    else:
        ran("sfdisk", "-q", "--no-tell-kernel", "--no-reread", "--disk-id", device, DISK_ID)


def digests(device: Path, numbers: list[int], sector_bytes: int) -> list[str]:
    """The content of these partitions."""
    found = {row.number: row for row in table_of(device)[1]}
    said = []
    with device.open("rb", buffering=0) as file:
        for row in (found[number] for number in numbers):
            total, left = hashlib.blake2b(), row.size * sector_bytes
            file.seek(row.start * sector_bytes)
            while left and (raw := file.read(min(left, _PIECE_BYTES))):
                total.update(raw)
                left -= len(raw)
            assert left == 0, "it ends before its end"
            said.append(total.hexdigest())
    return said


def record(folder: Path, change: Change, do: Callable[[Path, Layout], bool] = apply) -> Recording:
    """Make the disk as it was, then apply the layout (by ``do``) where every write is logged."""
    base = folder / "base"
    folder.mkdir()
    base.touch()
    os.truncate(base, SIZE)
    if change.before is not None:
        with device_of(base, change.sector_bytes) as device:
            apply(device, change.before)
            identify(device, [old for old, _ in change.keeps], str(change.before["table"]))
            fill(device, [old for old, _ in change.keeps], change.sector_bytes)
    with recorded_disk(folder, SIZE, base, change.sector_bytes) as disk:
        assert do(disk.device, change.after)
        disk.mark_returned()
    return disk.recording()


def fill(device: Path, numbers: list[int], sector_bytes: int) -> None:
    """Random content to the partitions that will be kept."""
    rng = random.Random(str(numbers))
    with device.open("r+b") as file:
        for row in table_of(device)[1]:
            if row.number in numbers:
                file.seek(row.start * sector_bytes)
                file.write(rng.randbytes(row.size * sector_bytes))


@dataclass(frozen=True, slots=True)
class Judge:
    """What the disk must be after the apply was run again."""

    change: Change
    returned: int
    table: tuple[str, list[Row]]
    content: list[str]

    def __call__(self, disk: Path, state: CrashState) -> None:
        with device_of(disk, self.change.sector_bytes) as device:
            changed = apply(device, self.change.after)
            assert not (changed and state.whole >= self.returned), "done, and yet undone by a cut"
            self.check(device)

    def check(self, device: Path) -> None:
        label, rows = table_of(device)
        assert (label, rows) == self.table
        assert "No errors detected" in ran("sfdisk", "--verify", device)
        if label == TableKind.GPT:
            assert "No problems found" in ran("sgdisk", "-v", device)
        now = digests(device, [after for _, after in self.change.keeps], self.change.sector_bytes)
        assert now == self.content, "a kept partition has other content"
        if self.change.before is not None and self.change.keeps:
            self.check_identity(sfdisk_json(device), device)

    def check_identity(self, table: dict[str, Any], device: Path) -> None:
        """What is kept in a table of the same kind keeps its PARTUUID."""
        assert self.change.before is not None
        if self.change.before["table"] != self.change.after["table"]:
            return
        if table["label"] == "dos":
            assert table["id"] == DISK_ID, "the PARTUUIDs are made from the disk's id"
            return
        now = {number_of(row, device): row["uuid"] for row in table["partitions"]}
        assert [now[new] for _, new in self.change.keeps] == [
            guid_of(old) for old, _ in self.change.keeps
        ]


def judge_of(change: Change, recording: Recording, work: Path) -> Judge:
    """Expectations from the recording itself: the table at its end, the content at its start."""
    nothing, everything = crash_states(recording.log, seed="ends", count=2)[:2]
    disk = work / "end"
    make_disk(recording.log, recording.base, everything, disk)
    with device_of(disk, change.sector_bytes) as device:
        table = table_of(device)
    content = []
    if change.keeps:
        make_disk(recording.log, recording.base, nothing, disk)
        with device_of(disk, change.sector_bytes) as device:
            content = digests(device, [before for before, _ in change.keeps], change.sector_bytes)
    disk.unlink()
    judge = Judge(change, recording.returned, table, content)
    make_disk(recording.log, recording.base, everything, disk)
    with device_of(disk, change.sector_bytes) as device:
        judge.check(device)  # without a cut all is as it should be
    return judge


@pytest.mark.parametrize("name", CHANGES)
def test_apply_again_reaches_the_plan(name: str, case: Case, tally: Tally) -> None:
    change = CHANGES[name]
    recording = case.recording(lambda folder: record(folder, change))
    case.explore(recording, STATES, judge_of(change, recording, case.work), tally, KIND)


def record_recovery(
    folder: Path, change: Change, recording: Recording, states: list[CrashState]
) -> Recording:
    """The same apply, recorded, on the disk of the first of ``states`` where it has to write."""
    for state in states:
        folder.mkdir(exist_ok=True)
        make_disk(recording.log, recording.base, state, folder / "base")
        with recorded_disk(folder, SIZE, folder / "base", change.sector_bytes) as disk:
            apply(disk.device, change.after)
            disk.mark_returned()
        if disk.returned:
            return disk.recording()
    raise AssertionError("no state had anything to recover")


@pytest.mark.parametrize("name", CHANGES)
def test_cut_again_while_it_recovers(name: str, case: Case, tally: Tally) -> None:
    change = CHANGES[name]
    first = record(case.work / "first", change)
    judge = judge_of(change, first, case.work)
    states = crash_states(first.log, seed=f"{seed()}/{name}/first", count=24)
    unfinished = [one for one in reversed(states) if one.pieces and one.whole < first.returned]
    again = case.recording(lambda folder: record_recovery(folder, change, first, unfinished))
    case.explore(again, STATES_AGAIN, replace(judge, returned=again.returned), tally, KIND)


def test_an_apply_that_does_not_wait_for_the_disk_is_found_out(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: the method sees what it is there to see."""
    change = CHANGES["gpt-again-around-a-kept-one"]

    def hasty(device: Path, layout: Layout) -> bool:
        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", lambda _fd: None)
            return apply(device, layout)

    recording = record(case.work / "recorded", change, hasty)
    judge = judge_of(change, recording, case.work)
    assert any(said for _, said in case.violations(recording, STATES, judge))
