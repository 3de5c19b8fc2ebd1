# SPDX-License-Identifier: GPL-3.0-or-later
"""OpenGnsys' lists of partitions and Configurar's string, as layouts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from oglib.disk.model import Disk, DiskKind, Partition, TableKind
from oglib.disk.planning.old_layouts import (
    Configurar,
    Row,
    is_configurar,
    is_old_list,
    layout_from_old,
    parse_configurar,
)
from oglib.disk.planning.plan import plan_layout
from oglib.errors import OgErr, OgError, PartitionError, UsageError
from unit.disk.plans import GIB, a_disk, after

KIB = 1024


def planned(words: str, disk: Disk, table: TableKind | None = None) -> list[tuple[int, str, int]]:
    """(number, type, KB)."""
    plan = plan_layout(layout_from_old(words.split(), disk, table), disk)
    return [
        (part.number, part.type, part.size_sectors * plan.sector_bytes // KIB)
        for part in plan.partitions
    ]


def with_cache(table: TableKind, number: int = 4) -> Disk:
    cache = Partition(number, 7 * GIB, GIB // 2, "CACHE", "ca", name="CACHE")
    return a_disk(table=table, partitions=(cache,))


def test_the_order_is_the_number_and_empty_leaves_it_free() -> None:
    words = "NTFS:1000000 EMPTY:0 LINUX:500000"
    assert planned(words, a_disk()) == [(1, "NTFS", 1000000), (3, "LINUX", 500000)]
    assert planned(words, a_disk(table=TableKind.GPT)) == [
        (1, "WINDOWS", 1000000),
        (3, "LINUX", 500000),
    ]


def test_a_type_is_named_by_its_filesystem_too() -> None:
    words = "EXT3:500000 EXFAT:500000 XFS:500000 HFS+:500000"
    sizes = [(number, 500000) for number in (1, 2, 3, 4)]
    for table, kinds in (
        (TableKind.MSDOS, ("LINUX", "NTFS", "LINUX", "HFS")),
        (TableKind.GPT, ("LINUX", "WINDOWS", "LINUX", "HFS")),
    ):
        made = planned(words, a_disk(table=table))
        assert made == [(number, kinds[number - 1], size) for number, size in sizes]
    hidden = planned("HFAT32:500000", a_disk(table=TableKind.GPT))
    assert hidden == [(1, "WINDOWS", 500000)]


def test_empty_with_a_size_leaves_room() -> None:
    plan = plan_layout(layout_from_old(["EMPTY:1048576", "LINUX:1024"], a_disk()), a_disk())
    assert [(part.number, part.start_sector) for part in plan.partitions] == [
        (2, (GIB + 1024 * KIB) // 512)
    ]


def test_extended_and_logical_ones() -> None:
    words = "NTFS:1000000 EXTENDED:3000000 EMPTY:0 EMPTY:0 LINUX:1000000 EMPTY:0 LINUX-SWAP:500000"
    assert planned(words, a_disk()) == [
        (1, "NTFS", 1000000),
        (2, "EXTENDED", 3000000),
        (5, "LINUX", 1000000),
        (6, "LINUX-SWAP", 500000),
    ]
    assert planned("EXTENDED:3000000", a_disk()) == [(1, "EXTENDED", 3000000)]


@pytest.mark.parametrize("table", [TableKind.MSDOS, TableKind.GPT])
def test_the_cache_stays_and_its_number_is_passed_over(table: TableKind) -> None:
    ntfs = "NTFS" if table is TableKind.MSDOS else "WINDOWS"
    disk = with_cache(table, 2)
    assert planned("NTFS:1000000 LINUX:500000", disk) == [
        (1, ntfs, 1000000),
        (2, "CACHE", GIB // 2 // KIB),
        (3, "LINUX", 500000),
    ]


def test_a_second_time_changes_nothing() -> None:
    disk = with_cache(TableKind.MSDOS)
    layout = layout_from_old(["NTFS:1000000", "EXTENDED:2000000", "EMPTY:0", "LINUX:900000"], disk)
    made = after(plan_layout(layout, disk), disk)
    assert [part.number for part in made.partitions] == [1, 2, 4, 5]
    assert plan_layout(layout, made).nothing_to_change


@pytest.mark.parametrize(
    ("words", "table", "error", "says"),
    [
        ("NTFS", "msdos", UsageError, "is not TYPE:KB"),
        ("NTFS:10x", "msdos", UsageError, "is not TYPE:KB"),
        ("NTFS:0", "msdos", UsageError, "has no size"),
        ("CACHE:1000", "msdos", PartitionError, "ogCreateCache"),
        ("NONSENSE:1000", "msdos", PartitionError, "not a partition type"),
        ("EXTENDED:1000", "gpt", PartitionError, "not a partition type of a gpt table"),
        ("EXTENDED:1000 EXTENDED:1000", "msdos", UsageError, "Only one"),
        ("LINUX:1 LINUX:1 LINUX:1 LINUX:1 LINUX:1", "msdos", UsageError, "there is no EXTENDED"),
        (
            "LINUX:1 LINUX:1 LINUX:1 LINUX:1 EXTENDED:1",
            "msdos",
            UsageError,
            "5 cannot be EXTENDED",
        ),
    ],
)
def test_what_is_refused(words: str, table: str, error: type[OgError], says: str) -> None:
    with pytest.raises(error, match=says) as caught:
        layout_from_old(words.split(), a_disk(), TableKind(table))
    assert caught.value.code == (OgErr.FORMAT if error is UsageError else OgErr.PARTITION)


def test_off_the_disk_names_both_numbers() -> None:
    with pytest.raises(PartitionError, match=r"10240000000 bytes.*8587837440 bytes"):
        planned("NTFS:10000000", a_disk())


def test_volumes_are_refused() -> None:
    with pytest.raises(PartitionError, match="volume group"):
        layout_from_old(["LINUX:1000"], replace(a_disk(), kind=DiskKind.LVM))


STRING = (
    "dis=1*che=1*tch=500000!par=1*cpt=NTFS*sfi=NTFS*tam=2000000*ope=1%"
    "par=2*cpt=LINUX*sfi=EXT4*tam=1000000*ope=0%par=4*cpt=CACHE*sfi=CACHE*tam=500000*ope=1%"
)


def test_the_string_of_configurar() -> None:
    asked = parse_configurar(STRING)
    assert asked == Configurar(
        disk=1,
        cache_kib=500000,
        rows=(
            Row(1, "NTFS", "NTFS", 2000000, True),
            Row(2, "LINUX", "EXT4", 1000000, False),
            Row(4, "CACHE", "CACHE", 0, True),
        ),
    )
    assert [(row.number, row.filesystem) for row in asked.rows if row.format] == [
        (1, "NTFS"),
        (4, "CACHE"),
    ]
    disk = a_disk()
    plan = plan_layout(asked.layout(disk), disk)
    assert plan.table is TableKind.MSDOS
    assert [(part.number, part.type) for part in plan.partitions] == [
        (1, "NTFS"),
        (2, "LINUX"),
        (4, "CACHE"),
    ]
    cache = plan.partitions[-1]
    assert cache.size_sectors == 1000000
    assert cache.end_sector > 8 * GIB // 512 - 2 * 2 * 2048
    made = after(plan, disk)
    assert plan_layout(asked.layout(made), made).nothing_to_change
    resized = parse_configurar(STRING.replace("tch=500000", "tch=600000"))
    again = plan_layout(resized.layout(made), made)
    assert [(part.number, part.fresh) for part in again.partitions] == [
        (1, False),
        (2, False),
        (4, True),
    ]


def test_what_configurar_says_of_the_cache() -> None:
    disk = with_cache(TableKind.MSDOS)
    silent = "dis=1*che=0*tch=0!par=1*cpt=LINUX*sfi=EXT4*tam=1000000*ope=0%"
    kept = plan_layout(parse_configurar(silent).layout(disk), disk)
    assert [(part.number, part.fresh) for part in kept.partitions] == [(1, True), (4, False)]
    leave = silent + "par=4*cpt=CACHE*sfi=CACHE*tam=0*ope=0%"
    assert plan_layout(parse_configurar(leave).layout(disk), disk).partitions == kept.partitions
    remove = parse_configurar(leave.replace("tch=0", "tch=-1"))
    assert plan_layout(remove.layout(disk), disk).removed == (4,)


def test_blanks_are_nothing_and_empty_rows_too() -> None:
    said = parse_configurar(
        " dis=2*che=0*tch=0 ! par=1*cpt=EMPTY*sfi=EMPTY*tam=0*ope=1 %"
        "par=2*cpt=EXTENDED*sfi=*tam=9000*ope=1%"
    )
    assert said.disk == 2
    assert not any(row.format for row in said.rows)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("dis=1*che=0*tch=0", "no '!'"),
        ("che=0*tch=0!par=1*cpt=NTFS*sfi=*tam=1*ope=0%", "dis must be a number"),
        ("dis=$(reboot)*che=0!", "dis must be a number"),
        ("dis=1!par=x*cpt=NTFS*tam=1%", "par must be a number"),
        ("dis=1!par=1*cpt=NTFS*tam=-1%", "tam must be a number"),
        ("dis=1!par=1*tam=1%", "no partition type"),
        ("dis=1!par=1*cpt=NTFS*tam=1*PATH=/tmp%", "'PATH=/tmp' .* is not understood"),
        ("dis=1!par=1*cpt=LINUX*tam=1%par=1*cpt=LINUX*tam=1%", "partition 1 twice"),
    ],
)
def test_a_string_that_is_wrong(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        parse_configurar(text)


def test_a_string_for_another_disk() -> None:
    with pytest.raises(UsageError, match="is for disk 2, not for 1"):
        parse_configurar("dis=2*che=0*tch=0!par=1*cpt=LINUX*tam=1000%").layout(a_disk())


def test_which_text_is_which() -> None:
    assert is_old_list("NTFS:30000000 LINUX:2000 EMPTY:0")
    assert not any(map(is_old_list, ("", "room.json", "classroom", "C:/layout.toml")))
    assert is_configurar(STRING)
    assert not is_configurar("NTFS:30000000")
