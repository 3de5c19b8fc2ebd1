# SPDX-License-Identifier: GPL-3.0-or-later
"""The planner on data alone: the named cases."""

from __future__ import annotations

from dataclasses import replace

import pytest

from oglib.disk.model import MIB, Disk, DiskKind, Partition, TableKind
from oglib.disk.planning.layout import layout_from
from oglib.disk.planning.plan import plan_layout
from oglib.disk.tables.damage import UNFINISHED
from oglib.errors import PartitionError
from unit.disk.plans import GIB, a_disk, after


def planned(layout: dict[str, object], disk: Disk) -> list[tuple[int, int, int]]:
    """(number, start, size) in MiB."""
    plan = plan_layout(layout_from(layout), disk)
    per = MIB // plan.sector_bytes
    return [
        (one.number, one.start_sector // per, one.size_sectors // per) for one in plan.partitions
    ]


def test_the_usual_uefi_disk() -> None:
    layout: dict[str, object] = {
        "table": "gpt",
        "partitions": [
            {"type": "EFI", "size": "256MiB"},
            {"type": "LINUX", "size": "rest"},
            {"type": "LINUX-SWAP", "size": "512MiB"},
        ],
    }
    assert planned(layout, a_disk()) == [(1, 1, 256), (2, 257, 7422), (3, 7679, 512)]
    assert planned(layout, a_disk(sector=4096)) == [(1, 1, 256), (2, 257, 7422), (3, 7679, 512)]


def test_a_size_in_bytes_is_exact_to_the_sector() -> None:
    layout = layout_from(
        {"table": "gpt", "partitions": [{"type": "LINUX", "size": 512 * MIB - 512}]}
    )
    assert plan_layout(layout, a_disk()).partitions[0].size_sectors == 512 * MIB // 512 - 1
    assert plan_layout(layout, a_disk(sector=4096)).partitions[0].size_sectors == 512 * MIB // 4096


def test_a_cache_at_the_end_of_the_list_lies_at_the_end_of_the_disk() -> None:
    layout: dict[str, object] = {
        "table": "msdos",
        "partitions": [
            {"type": "NTFS", "size": "2GiB"},
            {"type": "CACHE", "size": "1GiB", "number": 4},
        ],
    }
    assert planned(layout, a_disk()) == [(1, 1, 2048), (4, 7167, 1024)]


def test_a_cache_is_kept_unless_said_otherwise() -> None:
    cache = Partition(number=4, start_bytes=6 * GIB, size_bytes=GIB, type="CACHE", type_id="ca")
    disk = a_disk(table=TableKind.MSDOS, partitions=(cache,))
    entries: list[dict[str, object]] = [
        {"type": "LINUX", "size": "rest"},
        {"type": "CACHE", "size": "2GiB"},
    ]
    plan = plan_layout(layout_from({"table": "msdos", "partitions": entries}), disk)
    assert [(one.number, one.fresh) for one in plan.partitions] == [(1, True), (4, False)]
    assert plan.partitions[0].end_sector == 6 * GIB // 512
    assert plan.notes == ("partition 4 (CACHE) keeps its 1.0 GiB, the layout says 2.0 GiB",)
    entries[1]["keep"] = False
    plan = plan_layout(layout_from({"table": "msdos", "partitions": entries}), disk)
    assert [one.number for one in plan.partitions] == [1, 2]
    assert plan.removed == (4,)


def test_a_kept_cache_survives_a_conversion_of_the_table() -> None:
    cache = Partition(number=3, start_bytes=6 * GIB, size_bytes=GIB, type="CACHE", type_id="ca")
    disk = a_disk(table=TableKind.MSDOS, partitions=(cache,))
    entries = [{"type": "EFI", "size": "256MiB"}, {"type": "CACHE", "size": "1GiB"}]
    plan = plan_layout(layout_from({"table": "gpt", "partitions": entries}), disk)
    kept = plan.partitions[1]
    assert (kept.number, kept.start_sector, kept.fresh) == (3, 6 * GIB // 512, False)
    assert kept.name == "CACHE"
    assert "keep the content of partition 3 (CACHE, 1.0 GiB)" in plan.changes


def test_logical_partitions_lie_inside_the_extended_one() -> None:
    layout: dict[str, object] = {
        "table": "msdos",
        "partitions": [
            {"type": "NTFS", "size": "1GiB"},
            {
                "type": "EXTENDED",
                "partitions": [
                    {"type": "LINUX", "size": "1GiB"},
                    {"type": "SWAP", "size": "512MiB"},
                ],
            },
            {"type": "LINUX", "size": "1GiB"},
        ],
    }
    assert planned(layout, a_disk()) == [
        (1, 1, 1024),
        (2, 1025, 1538),
        (3, 2563, 1024),
        (5, 1026, 1024),
        (6, 2051, 512),
    ]


def test_what_is_the_same_stays_and_what_is_not_is_told() -> None:
    first = {"type": "EFI", "size": "256MiB"}
    disk = a_disk()
    before = after(
        plan_layout(layout_from({"partitions": [first, {"type": "LINUX", "size": "rest"}]}), disk),
        disk,
    )
    plan = plan_layout(
        layout_from({"partitions": [first, {"type": "LINUX", "size": "2GiB", "name": "root"}]}),
        before,
    )
    assert [part.fresh for part in plan.partitions] == [False, True]
    assert plan.changes == (
        "remove partition 2 (LINUX, 7.7 GiB)",
        "create partition 2: LINUX, 2.0 GiB at 257.0 MiB",
    )


def test_a_name_alone_changes_no_content() -> None:
    disk = a_disk()
    layout = {"partitions": [{"type": "LINUX", "size": "rest"}]}
    before = after(plan_layout(layout_from(layout), disk), disk)
    layout["partitions"][0]["name"] = "root"
    plan = plan_layout(layout_from(layout), before)
    assert plan.changes == ("name partition 1 'root'",)
    assert not plan.partitions[0].fresh


@pytest.mark.parametrize(
    ("partitions", "says"),
    [
        ([{"type": "LINUX", "size": "9GiB"}], r"9\.0 GiB \(9663676416 bytes\).*8587837440"),
        (
            [{"type": "LINUX", "size": "rest"}, {"type": "LINUX", "size": "8GiB"}],
            "8.0 GiB .* are needed",
        ),
        (
            [{"type": "LINUX", "size": "rest"}, {"type": "CACHE", "size": "rest"}],
            "Partitions 1 and 2 both want the rest",
        ),
        ([{"keep": True, "number": 3}], "Partition 3 of .* shall be kept, but there is none"),
        (
            [
                {"type": "LINUX", "size": "1GiB", "number": 2},
                {"type": "EFI", "size": "1GiB", "number": 2},
            ],
            "number 2 to two partitions",
        ),
    ],
)
def test_what_does_not_fit_is_refused(partitions: list[object], says: str) -> None:
    with pytest.raises(PartitionError, match=says):
        plan_layout(layout_from({"partitions": partitions}), a_disk())


def test_an_order_that_contradicts_the_disk_is_refused() -> None:
    at_front = Partition(number=1, start_bytes=MIB, size_bytes=GIB, type="LINUX", type_id="83")
    disk = a_disk(table=TableKind.MSDOS, partitions=(at_front,))
    layout = layout_from(
        {
            "table": "msdos",
            "partitions": [
                {"type": "NTFS", "size": "1GiB", "number": 2},
                {"type": "LINUX", "keep": True, "number": 1},
            ],
        }
    )
    with pytest.raises(PartitionError, match=r"1\.0 GiB .* are needed"):
        plan_layout(layout, disk)


def test_msdos_reaches_two_tebibytes_and_says_so() -> None:
    layout = layout_from({"table": "msdos", "partitions": [{"type": "LINUX", "size": "rest"}]})
    plan = plan_layout(layout, a_disk(4096 * GIB))
    assert plan.partitions[0].end_sector <= 2**32 - 1
    assert "use gpt for all of it" in plan.notes[0]


@pytest.mark.parametrize(("start", "fits"), [(2000, True), (2100, False)])
def test_what_an_msdos_table_has_no_number_for_is_not_kept_in_one(start: int, fits: bool) -> None:
    """It may end behind the first two tebibytes, and not begin there."""
    there = Partition(
        number=1,
        start_bytes=start * GIB,
        size_bytes=100 * GIB,
        type="LINUX",
        type_id="0fc63daf-8483-4772-8e79-3d69d8477de4",
    )
    disk = a_disk(4096 * GIB, table=TableKind.GPT, partitions=(there,))
    keep = [{"type": "LINUX", "keep": True, "number": 1}]
    layout = layout_from({"table": "msdos", "partitions": keep})
    if fits:
        assert plan_layout(layout, disk).partitions[0].end_sector > 2**32
    else:
        with pytest.raises(PartitionError, match="an msdos table has no number above"):
            plan_layout(layout, disk)


CACHE = Partition(
    number=4,
    start_bytes=6 * GIB,
    size_bytes=GIB,
    type="CACHE",
    type_id="ca",
    partuuid="1234abcd-04",
)


def test_a_cache_stays_where_nobody_speaks_of_it() -> None:
    disk = a_disk(table=TableKind.MSDOS, partitions=(CACHE,))
    layout = {"table": "msdos", "partitions": [{"type": "LINUX", "size": "rest"}]}
    plan = plan_layout(layout_from(layout), disk)
    assert [(one.number, one.type, one.fresh) for one in plan.partitions] == [
        (1, "LINUX", True),
        (4, "CACHE", False),
    ]
    assert plan.partitions[0].end_sector == 6 * GIB // 512
    layout["partitions"].append({"type": "CACHE", "keep": False})  # type: ignore[attr-defined]
    plan = plan_layout(layout_from(layout), disk)
    assert [one.type for one in plan.partitions] == ["LINUX"]
    assert plan.removed == (4,)


def test_a_cache_that_leaves_too_few_numbers_is_named() -> None:
    disk = a_disk(table=TableKind.MSDOS, partitions=(CACHE,))
    rows = [{"type": "LINUX", "size": "1GiB"}] * 4
    with pytest.raises(PartitionError, match=r"4 places.*a partition 5\. The CACHE stays unless"):
        plan_layout(layout_from({"table": "msdos", "partitions": rows}), disk)


def test_a_logical_cache_needs_its_extended_one() -> None:
    extended = Partition(
        number=2, start_bytes=5 * GIB, size_bytes=3 * GIB - 2 * MIB, type="EXTENDED", type_id="05"
    )
    cache = replace(CACHE, number=5)
    disk = a_disk(table=TableKind.MSDOS, partitions=(extended, cache))
    rows: list[dict[str, object]] = [{"type": "LINUX", "size": "2GiB"}]
    with pytest.raises(PartitionError, match="logical partition 5 and the layout does not keep"):
        plan_layout(layout_from({"table": "msdos", "partitions": rows}), disk)
    rows.append({"keep": True, "number": 2})
    plan = plan_layout(layout_from({"table": "msdos", "partitions": rows}), disk)
    assert [(one.number, one.type, one.fresh) for one in plan.partitions] == [
        (1, "LINUX", True),
        (2, "EXTENDED", False),
        (5, "CACHE", False),
    ]
    to_gpt = plan_layout(layout_from({"partitions": rows[:1]}), disk)
    assert [(one.number, one.type) for one in to_gpt.partitions] == [(1, "LINUX"), (5, "CACHE")]


def test_kept_by_partuuid() -> None:
    disk = a_disk(table=TableKind.MSDOS, partitions=(CACHE,))
    row = {"keep": True, "partuuid": "1234ABCD-04", "number": 2}
    plan = plan_layout(layout_from({"table": "gpt", "partitions": [row]}), disk)
    assert [(one.number, one.type, one.fresh) for one in plan.partitions] == [(2, "CACHE", False)]
    with pytest.raises(PartitionError, match="is kept as number 4, not 2"):
        plan_layout(layout_from({"table": "msdos", "partitions": [row]}), disk)
    row["partuuid"] = "1234abcd-03"
    with pytest.raises(PartitionError, match=r"PARTUUID 1234abcd-03 .* but there is none"):
        plan_layout(layout_from({"table": "gpt", "partitions": [row]}), disk)


@pytest.mark.parametrize(
    ("table", "kind", "filesystem", "then"),
    [
        (TableKind.GPT, "WINDOWS", "ntfs", "NTFS"),
        (TableKind.GPT, "WINDOWS", "vfat", "FAT32"),
        (TableKind.GPT, "LINUX-LVM", "", "LINUX-LVM"),
        (TableKind.GPT, "EFI", "vfat", "EFI"),
        (TableKind.MSDOS, "NTFS", "ntfs", "WINDOWS"),
        (TableKind.MSDOS, "FAT32", "vfat", "WINDOWS"),
        (TableKind.MSDOS, "HNTFS", "ntfs", "WIN-RESERV"),
    ],
)
def test_the_type_of_what_is_kept_is_translated(
    table: TableKind, kind: str, filesystem: str, then: str
) -> None:
    part = replace(CACHE, number=1, type=kind, type_id="", filesystem=filesystem)
    disk = a_disk(table=table, partitions=(part,))
    other = "msdos" if table is TableKind.GPT else "gpt"
    row: dict[str, object] = {"keep": True, "number": 1}
    layout = layout_from({"table": other, "partitions": [row]})
    plan = plan_layout(layout, disk)
    assert [(one.type, one.fresh) for one in plan.partitions] == [(then, False)]
    assert plan_layout(layout, after(plan, disk)).nothing_to_change
    row["type"] = kind  # either name means it
    assert plan_layout(layout, disk).partitions == plan.partitions


def test_a_type_that_the_other_table_lacks_cannot_be_kept() -> None:
    part = replace(CACHE, number=1, type="BIOS-BOOT", type_id="")
    disk = a_disk(table=TableKind.GPT, partitions=(part,))
    layout = layout_from({"table": "msdos", "partitions": [{"keep": True, "number": 1}]})
    with pytest.raises(PartitionError, match=r"\(BIOS-BOOT\) cannot be kept while the table"):
        plan_layout(layout, disk)


LINUX = layout_from({"partitions": [{"type": "LINUX", "size": "rest"}]})


def test_a_damaged_table_is_refused_and_replaced_only_when_told() -> None:
    disk = replace(
        a_disk(table=TableKind.GPT, partitions=(replace(CACHE, name="CACHE"),)),
        damage=("The backup GPT (sector 16777215) is missing.",),
    )
    with pytest.raises(PartitionError, match=r"is damaged.*16777215.*--replace-damaged") as caught:
        plan_layout(LINUX, disk)
    assert "og disk repair" in caught.value.hint
    plan = plan_layout(LINUX, disk, replace_damaged=True)
    assert [(one.number, one.fresh) for one in plan.partitions] == [(1, True)]
    assert plan.changes[:2] == (
        "write a new gpt table in place of the damaged one",
        "remove partition 4 (CACHE, 1.0 GiB)",
    )
    assert plan.removed == (4,)
    assert plan.new_table
    keeps = layout_from({"partitions": [{"keep": True, "number": 4}]})
    with pytest.raises(PartitionError, match="nothing of it can be kept"):
        plan_layout(keeps, disk, replace_damaged=True)


def test_an_unfinished_table_is_finished_and_keeps_what_stays() -> None:
    disk = a_disk()
    done = after(plan_layout(LINUX, disk), disk)
    plan = plan_layout(LINUX, replace(done, damage=(UNFINISHED,)))
    assert plan.changes == ("finish the table whose writing was interrupted",)
    assert not plan.partitions[0].fresh
    told = plan_layout(LINUX, replace(done, damage=(UNFINISHED,)), replace_damaged=True)
    assert told == plan


@pytest.mark.parametrize("kind", [DiskKind.LVM, DiskKind.ZPOOL])
def test_volumes_are_not_partitioned(kind: DiskKind) -> None:
    with pytest.raises(PartitionError, match="volume group or pool"):
        plan_layout(LINUX, replace(a_disk(), kind=kind))
    assert plan_layout(LINUX, replace(a_disk(), kind=DiskKind.MULTIPATH)).partitions


def test_a_plan_as_data() -> None:
    disk = a_disk(table=TableKind.MSDOS, partitions=(CACHE,))
    layout = layout_from({"table": "msdos", "partitions": [{"type": "LINUX", "size": "1GiB"}]})
    said = plan_layout(layout, disk).as_dict()
    assert said["before"] == [
        {
            "number": 4,
            "start_bytes": 6 * GIB,
            "size_bytes": GIB,
            "type": "CACHE",
            "removed": False,
        }
    ]
    assert said["after"] == [
        {
            "number": 1,
            "start_bytes": MIB,
            "size_bytes": GIB,
            "type": "LINUX",
            "name": "",
            "active": True,
            "kept": False,
        },
        {
            "number": 4,
            "start_bytes": 6 * GIB,
            "size_bytes": GIB,
            "type": "CACHE",
            "name": "",
            "active": False,
            "kept": True,
        },
    ]
