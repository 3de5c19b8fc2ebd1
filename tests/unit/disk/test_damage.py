# SPDX-License-Identifier: GPL-3.0-or-later
"""Damaged tables as bytes: each damage is told with its numbers, and no content is too odd."""

from __future__ import annotations

import re
import struct
import zlib
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import trying
from oglib.disk.tables import gpt, mbr
from oglib.disk.tables.damage import UNFINISHED, examine, examine_bytes

SECTORS = 4096
GUID = bytes(range(16))
LINUX = bytes.fromhex("af3dc60f838472478e793d69d8477de4")
Rows = tuple[tuple[int, int, int], ...]


def a_gpt(rows: Rows, *, sector: int = 512, sectors: int = SECTORS) -> bytearray:
    """A whole disk with a sound table; ``rows``: (first sector, last sector, number)."""
    raw = bytearray(128 * 128)
    for first, last, number in rows:
        entry = LINUX + GUID + struct.pack("<QQQ", first, last, 0)
        raw[128 * (number - 1) : 128 * (number - 1) + len(entry)] = entry
    room = len(raw) // sector
    copy = gpt.Copy(1, sectors - 1, 2 + room, sectors - room - 2, GUID, 2, 128, bytes(raw))
    disk = bytearray(sectors * sector)
    entries = copy.raw_entries
    for at, other, where in ((1, sectors - 1, 2), (sectors - 1, 1, sectors - 1 - room)):
        usable = (copy.first_usable, copy.last_usable)
        disk[at * sector : at * sector + 92] = header(at, other, usable, where, entries)
        disk[where * sector : where * sector + len(entries)] = entries
    disk[:512] = mbr.protective(bytes(512), sectors)
    return disk


def header(at: int, other: int, usable: tuple[int, int], where: int, entries: bytes) -> bytes:
    """Written field by field from the specification, not with the code under test."""
    fields = struct.pack("<QQQQ", at, other, *usable) + GUID
    fields += struct.pack("<QIII", where, len(entries) // 128, 128, zlib.crc32(entries))
    front = b"EFI PART\0\0\1\0" + struct.pack("<I", 92)
    total = zlib.crc32(front + bytes(8) + fields)
    return front + struct.pack("<II", total, 0) + fields


def an_mbr(*rows: tuple[int, int, int], sectors: int = SECTORS) -> bytearray:
    """(type, start, length) of up to four rows."""
    disk = bytearray(sectors * 512)
    disk[:512] = a_table(*rows)
    return disk


def a_table(*rows: tuple[int, int, int]) -> bytes:
    sector = bytearray(512)
    for at, (kind, start, length) in enumerate(rows):
        sector[446 + 16 * at : 462 + 16 * at] = struct.pack(
            "<B3sB3sII", 0, b"\0\0\0", kind, b"\0\0\0", start, length
        )
    sector[510:] = b"\x55\xaa"
    return bytes(sector)


def damage(disk: bytes | bytearray, sector: int = 512) -> tuple[str, ...]:
    return examine_bytes(reader(disk), len(disk), sector).damage


def reader(disk: bytes | bytearray) -> mbr.Read:
    return lambda offset, length: bytes(disk[offset : offset + length])


TWO: Rows = ((64, 1000, 1), (1001, 2000, 3))


@pytest.mark.parametrize("sector", [512, 4096])
def test_a_sound_gpt_has_none(sector: int) -> None:
    assert damage(a_gpt(TWO, sector=sector), sector) == ()


def test_a_sound_mbr_has_none() -> None:
    assert damage(an_mbr((7, 63, 1000), (0x83, 1063, 500))) == ()


def test_no_table_has_none() -> None:
    assert damage(bytearray(SECTORS * 512)) == ()
    assert damage(b"") == ()


def test_the_boot_sector_of_a_filesystem_is_no_table() -> None:
    disk = bytearray(SECTORS * 512)
    disk[:512] = b"\xeb\x52\x90NTFS    " + b"\x8d" * 499 + b"\x55\xaa"
    assert damage(disk) == ()


@pytest.mark.parametrize(
    ("at", "says"),
    [
        (512 + 60, r"primary GPT \(sector 1\) has a wrong header checksum"),
        (1024 + 40, r"primary GPT \(sector 1\) has a wrong checksum of its entries"),
        (512, r"primary GPT \(sector 1\) is missing"),
        ((SECTORS - 1) * 512, r"backup GPT \(sector 4095\) is missing"),
        ((SECTORS - 1) * 512 + 60, r"backup GPT \(sector 4095\) has a wrong header checksum"),
        ((SECTORS - 33) * 512 + 40, "backup GPT .* wrong checksum of its entries"),
        (510, "protective MBR in front of the GPT is missing"),
    ],
)
def test_one_bad_copy_is_told_and_can_be_repaired(at: int, says: str) -> None:
    disk = a_gpt(TWO)
    disk[at] ^= 0xFF
    found = examine_bytes(reader(disk), len(disk), 512)
    assert len(found.damage) == 1
    assert re.search(says, found.damage[0]), found.damage
    assert found.good is not None
    assert [entry.number for entry in found.good.entries] == [1, 3]
    check_repair(disk, found.good)


def check_repair(disk: bytearray, good: gpt.Copy) -> None:
    laid = gpt.laid_out(good, len(disk) // 512, 512)
    mended = bytearray(disk)
    for at, raw in (*laid.primary, *laid.backup):
        mended[at * 512 : at * 512 + len(raw)] = raw
    mended[:512] = mbr.protective(bytes(disk[:512]), len(disk) // 512)
    assert damage(mended) == ()
    assert mended == a_gpt(TWO)


def test_both_copies_bad_cannot_be_repaired() -> None:
    disk = a_gpt(TWO)
    disk[512 + 60] ^= 1
    disk[-512 + 60] ^= 1
    found = examine_bytes(reader(disk), len(disk), 512)
    assert len(found.damage) == 2
    assert found.good is None


def test_a_disk_that_grew_and_one_that_shrank() -> None:
    grown = a_gpt(TWO) + bytes(512 * 1000)
    assert damage(grown) == (
        "The backup GPT lies at sector 4095, but this disk ends at sector 5095: "
        "the table comes from a smaller disk.",
    )
    shrunk = a_gpt(TWO)[: 3000 * 512]
    assert damage(shrunk) == (
        "The backup GPT should be at sector 4095, but this disk ends at sector 2999: "
        "the table comes from a larger disk.",
    )
    cut = a_gpt(TWO)[: 1500 * 512]
    assert (
        "Partition 3 lies from sector 1001 to 2000, but the usable sectors are 34 to 1498."
        in damage(cut)
    )
    assert examine_bytes(reader(cut), len(cut), 512).good is None


def test_copies_that_disagree() -> None:
    disk = a_gpt(TWO)
    other = a_gpt(((64, 999, 1), (1001, 2000, 3)))
    half = SECTORS // 2 * 512
    assert damage(disk[:half] + other[half:]) == (
        "The copies of the GPT disagree about their entries (partitions 1).",
    )


def test_a_hybrid_mbr() -> None:
    disk = a_gpt(TWO)
    disk[:512] = a_table((0xEE, 1, 63), (7, 64, 937))
    found = examine_bytes(reader(disk), len(disk), 512)
    assert found.damage == ()
    assert [(row.kind, row.start, row.length) for row in found.hybrid] == [(7, 64, 937)]


def test_entries_that_overlap_or_lie_off_the_disk() -> None:
    assert damage(a_gpt(((64, 1000, 1), (900, 2000, 2)))) == (
        "Partitions 1 and 2 overlap: 1 ends at sector 1001, 2 begins at sector 900.",
    )
    assert damage(a_gpt(((64, 9000, 1),))) == (
        "Partition 1 lies from sector 64 to 9000, but the usable sectors are 34 to 4062.",
    )
    assert damage(a_gpt(((64, 10, 1),)))[0].startswith("Partition 1 lies from sector 64 to 10")


def test_a_table_of_another_sector_size() -> None:
    disk = a_gpt(TWO, sector=4096)
    assert "The GPT was written for sectors of 4096 bytes, this disk has 512." in damage(disk)


def test_an_mbr_off_the_disk_or_overlapping() -> None:
    assert damage(an_mbr((7, 63, 5000))) == (
        "Partition 1 lies from sector 63 to 5063, but there is room from 1 to 4096.",
    )
    assert damage(an_mbr((7, 63, 1000), (0x83, 1000, 500))) == (
        "Partitions 1 and 2 overlap: 1 ends at sector 1063, 2 begins at sector 1000.",
    )
    assert damage(an_mbr((5, 63, 100), (5, 200, 100))) == (
        "The MBR has 2 extended partitions; one is possible.",
    )


def with_chain(*tables: tuple[int, bytes]) -> bytearray:
    disk = an_mbr((5, 100, 3000))
    for at, table in tables:
        disk[at * 512 : at * 512 + 512] = table
    return disk


def test_a_sound_chain_and_an_empty_one() -> None:
    sound = with_chain(
        (100, a_table((0x83, 10, 100), (5, 500, 200))), (600, a_table((0x83, 10, 100)))
    )
    assert damage(sound) == ()
    assert damage(with_chain()) == ()


def test_a_damaged_chain() -> None:
    assert damage(with_chain((100, a_table((0x83, 10, 100), (5, 9000, 10))))) == (
        "The chain of logical partitions leads to sector 9100, but the extended one ends at 3100.",
    )
    assert damage(with_chain((100, a_table((0x83, 10, 100), (5, 500, 10))))) == (
        "The chain of logical partitions is broken at sector 600.",
    )
    looping = with_chain(
        (100, a_table((0x83, 10, 100), (5, 500, 200))),
        (600, a_table((0x83, 10, 100), (5, 500, 200))),
    )
    assert damage(looping) == ("The chain of logical partitions returns to sector 600.",)
    assert damage(with_chain((100, a_table((0x83, 10, 4000))))) == (
        "Partition 5 lies from sector 110 to 4110, but there is room from 101 to 3100.",
    )


def test_our_own_unfinished_writing_is_told_as_such() -> None:
    disk = a_gpt(TWO)
    disk[:512] = mbr.marked(bytes(disk[:512]))
    disk[512 + 60] ^= 1
    found = examine_bytes(reader(disk), len(disk), 512)
    assert found.damage == (UNFINISHED,)
    assert found.good is not None
    assert found.good.at == SECTORS - 1
    # in front of an MBR, or of nothing, what a GPT left behind does not count
    disk[:512] = mbr.marked(a_table((7, 63, 1000)))
    found = examine_bytes(reader(disk), len(disk), 512)
    assert (found.damage, found.good) == ((UNFINISHED,), None)
    assert mbr.unmarked(bytes(disk[:512])) == a_table((7, 63, 1000))


def test_absurd_numbers_cost_nothing() -> None:
    disk = a_gpt(TWO)
    for at, raw in ((80, struct.pack("<I", 0xFFFFFFFF)), (84, struct.pack("<I", 0x80000000))):
        disk[512 + at : 516 + at] = raw
    disk[512 + 16 : 512 + 20] = bytes(4)
    sum_ = zlib.crc32(disk[512 : 512 + 92])
    disk[528:532] = struct.pack("<I", sum_)
    wanted: list[int] = []

    def read(offset: int, length: int) -> bytes:
        wanted.append(length)
        return bytes(disk[offset : offset + length])

    found = examine_bytes(read, len(disk), 512)
    assert "claims 4294967295 entries of 2147483648 bytes" in found.damage[0]
    assert max(wanted) <= 1024 * 1024


def test_many_faults_are_told_in_few_sentences() -> None:
    rows = tuple((64, 100, number) for number in range(1, 100))
    assert damage(a_gpt(rows))[-1] == "And 90 more."


def test_a_path_that_cannot_be_read(tmp_path: Path) -> None:
    said = examine(tmp_path / "none", 1024, 512).damage
    assert said == ("The partition table cannot be read: No such file or directory.",)


@trying.examples(150, derandomize=True)
@given(
    changes=st.lists(
        st.tuples(
            st.one_of(
                st.integers(440, 512 * 40),
                st.integers(512, 604),
                st.integers((SECTORS - 40) * 512, SECTORS * 512 - 64),
                st.integers(100 * 512 + 440, 101 * 512),
            ),
            st.binary(min_size=1, max_size=64),
        ),
        max_size=8,
    ),
    gpt_or_mbr=st.booleans(),
    sector=st.sampled_from([512, 4096]),
    mended=st.booleans(),
)
@example(changes=[], gpt_or_mbr=True, sector=4096, mended=False)
def test_no_content_raises(
    changes: list[tuple[int, bytes]], gpt_or_mbr: bool, sector: int, mended: bool
) -> None:
    disk = a_gpt(TWO) if gpt_or_mbr else with_chain((100, a_table((0x83, 10, 100))))
    for at, raw in changes:
        disk[at : at + len(raw)] = raw
    if mended:  # so that odd fields are believed
        disk[528:532] = bytes(4)
        disk[528:532] = struct.pack("<I", zlib.crc32(disk[512:604]))
    found = examine_bytes(reader(disk), len(disk), sector)
    assert all(isinstance(line, str) and line for line in found.damage)
    if found.good:
        try:
            laid = gpt.laid_out(found.good, len(disk) // sector, sector)
        except ValueError:
            return
        assert all(
            0 < at * sector <= len(disk) - len(raw) for at, raw in laid.primary + laid.backup
        )


@trying.examples(100, derandomize=True)
@given(disk=st.binary(max_size=8192), sector=st.sampled_from([512, 4096]))
def test_arbitrary_bytes_never_raise(disk: bytes, sector: int) -> None:
    damage(disk, sector)
