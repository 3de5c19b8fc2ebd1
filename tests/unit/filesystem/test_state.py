# SPDX-License-Identifier: GPL-3.0-or-later
"""States from headers made by hand, and from bytes that nobody would write."""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oglib.errors import FilesystemError
from oglib.filesystem.kind import Trouble
from oglib.filesystem.ntfs_repair import repair_bitmap, repair_mirror
from oglib.filesystem.sizes import size_in
from oglib.filesystem.state import State, state_in, state_of
from oglib.filesystem.structures import ntfs
from oglib.filesystem.structures.ntfs import ReadAt


def reader(*pieces: tuple[int, bytes]) -> ReadAt:
    """A device that is zero but for these pieces."""
    end = max(offset + len(data) for offset, data in pieces)
    image = bytearray(end)
    for offset, data in pieces:
        image[offset : offset + len(data)] = data
    return lambda offset, size: bytes(image[offset : offset + size])


def troubles(*pieces: tuple[int, bytes]) -> list[Trouble]:
    return [state.trouble for state in state_in(reader(*pieces))]


def ext(flags: int, incompatible: int = 0) -> tuple[int, bytes]:
    return (1024, struct.pack("<56xHH36xI", 0xEF53, flags, incompatible).ljust(1024, b"\0"))


def hfs(attributes: int) -> tuple[int, bytes]:
    head = struct.pack(">2sHI4xI24xI", b"H+", 4, attributes, 2, 4096)
    return (1024, head.ljust(512, b"\0"))


def hfs_journal(where: int, start: int, end: int) -> list[tuple[int, bytes]]:
    return [
        hfs(0x2100),
        (2 * 4096, struct.pack(">I32xQQ", where, 3 * 4096, 8 << 20)),
        (3 * 4096, struct.pack("<IIQQ", 0x4A4E4C78, 0x12345678, start, end)),
    ]


NILFS2 = b"\2".ljust(6, b"\0") + b"\x34\x34"
ONE = b"\1".ljust(8, b"\0")
TO_GO_ID = bytes.fromhex("3bd667492e29d84a8399f6a339e3d001")


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        pytest.param([(3, b"-FVE-FS-"), (500, bytes(12))], [Trouble.BITLOCKER], id="bitlocker"),
        pytest.param(
            [(3, b"MSWIN4.1"), (424, TO_GO_ID), (511, b"\0")], [Trouble.BITLOCKER], id="to-go"
        ),
        pytest.param([(3, b"MSWIN4.1"), (82, b"FAT32"), (511, b"\0")], [], id="fat-of-windows-98"),
        pytest.param([(0, b"LUKS\xba\xbe\0\2"), (511, b"\0")], [Trouble.LUKS], id="luks2"),
        pytest.param([ext(1)], [], id="ext-clean"),
        pytest.param([ext(0)], [Trouble.DIRTY], id="ext-not-unmounted"),
        pytest.param([ext(3)], [Trouble.DIRTY], id="ext-errors"),
        pytest.param([ext(1, 4)], [Trouble.JOURNAL], id="ext-journal"),
        pytest.param([(82, b"FAT32   "), (65, b"\1"), (511, b"\0")], [Trouble.DIRTY], id="fat32"),
        pytest.param([(54, b"FAT16   "), (37, b"\1"), (511, b"\0")], [Trouble.DIRTY], id="fat16"),
        pytest.param([(54, b"FAT16   "), (511, b"\0")], [], id="fat16-clean"),
        pytest.param([(3, b"EXFAT   "), (106, b"\2\0"), (511, b"\0")], [Trouble.DIRTY], id="exfat"),
        pytest.param(
            [(65536 + 64, b"_BHRfS_M"), (65536 + 96, b"\1".ljust(40, b"\0") + ONE)],
            [Trouble.JOURNAL],
            id="btrfs-log",
        ),
        pytest.param(
            [(65536 + 64, b"_BHRfS_M"), (65536 + 96, bytes(40) + b"\2".ljust(8, b"\0"))],
            [Trouble.SPREAD],
            id="btrfs-on-two-devices",
        ),
        pytest.param(
            [(65536 + 64, b"_BHRfS_M"), (65536 + 96, bytes(40) + ONE)], [], id="btrfs-clean"
        ),
        pytest.param([(3, b"EXFAT   "), (106, b"\4\0"), (511, b"\0")], [Trouble.DIRTY], id="media"),
        pytest.param([hfs(0x100)], [], id="hfs-clean"),
        pytest.param([hfs(0)], [Trouble.DIRTY], id="hfs-mounted"),
        pytest.param([hfs(0x900)], [Trouble.DIRTY], id="hfs-inconsistent"),
        pytest.param(hfs_journal(1, 4096, 4096), [], id="hfs-journal-empty"),
        pytest.param(hfs_journal(1, 4096, 8192), [Trouble.JOURNAL], id="hfs-journal"),
        pytest.param(hfs_journal(2, 0, 0), [Trouble.SPREAD], id="hfs-journal-elsewhere"),
        pytest.param([(1024, NILFS2), (1024 + 116, b"\1\0")], [], id="nilfs2-clean"),
        pytest.param([(1024, NILFS2), (1024 + 116, b"\0\0")], [Trouble.DIRTY], id="nilfs2"),
        pytest.param([(0, b"XFSB"), (511, b"\0")], [Trouble.DIRTY], id="xfs-without-sense"),
        pytest.param(
            [(1024, b"\x10\x20\xf5\xf2"), (5000, b"\0")], [Trouble.DIRTY], id="f2fs-without-sense"
        ),
        pytest.param(
            [(32768, b"JFS1"), (32768 + 40, b"\2\0\0\0\0\0\0\0")], [Trouble.DIRTY], id="jfs"
        ),
        pytest.param([(4086, b"S1SUSPEND\0")], [Trouble.SUSPENDED], id="swap-suspended"),
        pytest.param([(4086, b"SWAPSPACE2")], [], id="swap"),
        pytest.param([(65526, b"LINHIB0001")], [Trouble.SUSPENDED], id="swap-64k-pages"),
        pytest.param([(3, b"NTFS    "), (511, b"\0")], [Trouble.DIRTY], id="ntfs-without-a-table"),
    ],
)
def test_states(pieces: list[tuple[int, bytes]], expected: list[Trouble]) -> None:
    assert troubles(*pieces) == expected


def the_state(*pieces: tuple[int, bytes]) -> State:
    (state,) = state_in(reader(*pieces))
    return state


def test_the_remedies_name_the_commands() -> None:
    assert "manage-bde -off C:" in the_state((3, b"-FVE-FS-"), (511, b"\0")).remedy
    luks = the_state((0, b"LUKS\xba\xbe\0\1"), (511, b"\0"))
    assert "LUKS version 1" in luks.text
    assert "cryptsetup" in luks.remedy
    assert "og fs check" in the_state(ext(3)).remedy


# A small volume: 512 bytes a sector and a cluster, the file table at cluster 4, then streams.
RECORD, MFT, LOG, HIBER, INDEX = 1024, 4, 100, 200, 300


def protected(raw: bytes, at: int) -> bytes:
    """With its update sequence: the last two bytes of every 512 kept at ``at``."""
    done = bytearray(raw)
    struct.pack_into("<HH", done, 4, at, len(raw) // 512 + 1)
    done[at : at + 2] = b"\x07\x00"
    for sector in range(1, len(raw) // 512 + 1):
        end = sector * 512
        done[at + 2 * sector : at + 2 * sector + 2] = raw[end - 2 : end]
        done[end - 2 : end] = b"\x07\x00"
    return bytes(done)


def record(*attributes: bytes) -> bytes:
    head = struct.pack("<4s16xH", b"FILE", 56).ljust(56, b"\0")
    body = b"".join(attributes) + b"\xff\xff\xff\xff"
    return protected((head + body).ljust(RECORD, b"\0"), 48)


def resident(kind: int, content: bytes) -> bytes:
    size = -(-(24 + len(content)) // 8) * 8
    head = struct.pack("<IIBB6xIH2x", kind, size, 0, 0, len(content), 24)
    return (head + content).ljust(size, b"\0")


def streamed(kind: int, cluster: int, clusters: int, size: int) -> bytes:
    packed = bytes([0x22]) + struct.pack("<HH", clusters, cluster) + b"\0"
    head = struct.pack("<IIBB22xH14xQ", kind, 80, 1, 0, 64, size)
    return (head.ljust(64, b"\0") + packed).ljust(80, b"\0")


def entry(name: str, number: int, below: int | None = None, *, last: bool = False) -> bytes:
    key = b"" if last else bytes(64) + bytes([len(name), 1]) + name.encode("utf-16-le")
    size = -(-(16 + len(key)) // 8) * 8 + (8 if below is not None else 0)
    flags = (1 if below is not None else 0) | (2 if last else 0)
    raw = struct.pack("<QHHH2x", number, size, len(key), flags) + key
    return (
        raw.ljust(size, b"\0")
        if below is None
        else raw.ljust(size - 8, b"\0") + struct.pack("<Q", below)
    )


def restart_page(lsn: int, in_use: int, flags: int) -> bytes:
    head = struct.pack("<4s12xII", b"RSTR", 4096, 4096) + struct.pack("<H", 64)
    area = struct.pack("<Q4xHH", lsn, in_use, flags)
    return protected((head.ljust(64, b"\0") + area).ljust(4096, b"\0"), 40)


def volume(
    *,
    flags: int = 0,
    log: bytes = b"\xff" * 8192,
    hiberfil: bytes | None = None,
    deep: bool = False,
    name: str = "hiberfil.sys",
) -> ReadAt:
    boot = bytearray(512)
    boot[3:11] = b"NTFS    "
    struct.pack_into("<HB", boot, 11, 512, 1)
    struct.pack_into("<Q", boot, 48, MFT)
    struct.pack_into("<b", boot, 64, -10)  # 1024 bytes a record
    there = entry(name, 30) if hiberfil is not None else b""
    entries = entry("$MFT", 0) + there + entry("", 0, last=True)
    extra = []
    if deep:  # the name is in a block below, left of "Windows"
        block = protected(
            (struct.pack("<4s20xI", b"INDX", 64).ljust(88, b"\0") + entries).ljust(4096, b"\0"), 40
        )
        extra = [(INDEX * 512, block)]
        entries = entry("Windows", 40, 0) + entry("", 0, last=True)
    root = struct.pack("<II4xI", 0x30, 1, 0)[:8] + struct.pack("<I4x", 4096)
    index = root + struct.pack("<I12x", 16) + entries
    records = {
        0: record(streamed(0x80, MFT, 80, 40960)),
        2: record(streamed(0x80, LOG, 16, 8192)),
        3: record(resident(0x70, struct.pack("<8xBBH", 3, 1, flags))),
        5: record(resident(0x90, index), streamed(0xA0, INDEX, 8, 4096)),
    }
    if hiberfil is not None:
        small = len(hiberfil) < 4096
        content = resident(0x80, hiberfil) if small else streamed(0x80, HIBER, 8, 4096)
        records[30] = record(content)
        extra += [] if small else [(HIBER * 512, hiberfil)]
    pieces = [(MFT * 512 + number * RECORD, raw) for number, raw in records.items()]
    end = (400 * 512, b"\0")
    return reader((0, bytes(boot)), (LOG * 512, log), *pieces, *extra, end)


def page(magic: bytes) -> bytes:
    return magic.ljust(4096, b"\0")


CLEAN = ntfs.NtfsState(dirty=False, unfinished=False, hibernated=False)


def test_a_clean_ntfs_volume() -> None:
    assert ntfs.read_state(volume()) == CLEAN
    assert state_in(volume()) == ()


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("name", ["hiberfil.sys", "HIBERFIL.SYS"])
@pytest.mark.parametrize(
    ("header", "hibernated"),
    [
        (page(b"hibr"), True),
        (page(b"HIBR"), True),
        (page(b"RSTR"), True),
        (page(b"wake"), False),
        (page(b"WAKE"), False),
        (page(b""), False),
        (b"small", True),
    ],
)
def test_hibernation(header: bytes, name: str, *, hibernated: bool, deep: bool) -> None:
    read_at = volume(hiberfil=header, deep=deep, name=name)
    assert ntfs.read_state(read_at).hibernated is hibernated
    found = state_in(read_at)
    assert [state.trouble for state in found] == ([Trouble.HIBERNATED] if hibernated else [])
    assert all("powercfg /h off" in state.remedy for state in found)
    assert all("shutdown /s /t 0" in state.remedy for state in found)


def test_another_name_is_no_hibernation() -> None:
    assert not ntfs.read_state(volume(hiberfil=page(b"hibr"), name="hiberfil.old")).hibernated


@pytest.mark.parametrize(
    ("older", "newer", "unfinished"),
    [
        ((1, 0xFFFF, 0), (2, 0, 0), True),
        ((1, 0, 0), (2, 0xFFFF, 0), False),
        ((2, 0, 0), (1, 0xFFFF, 0), True),
        ((1, 0, 0), (2, 0, 2), False),  # a client, but the volume was left clean
    ],
)
def test_an_unfinished_journal(
    older: tuple[int, int, int], newer: tuple[int, int, int], *, unfinished: bool
) -> None:
    read_at = volume(log=restart_page(*older) + restart_page(*newer))
    assert ntfs.read_state(read_at).unfinished is unfinished


def test_the_dirty_flag_comes_with_its_remedy() -> None:
    (state,) = state_in(volume(flags=1))
    assert state.trouble == Trouble.DIRTY
    assert "chkdsk" in state.remedy


def test_a_half_written_record_is_not_believed() -> None:
    whole = volume()

    def torn(offset: int, size: int) -> bytes:
        got = bytearray(whole(offset, size))
        at = MFT * 512 + 3 * RECORD + 510 - offset
        if 0 <= at < len(got):
            got[at] ^= 0xFF
        return bytes(got)

    with pytest.raises(ntfs.Unreadable):
        ntfs.read_state(torn)


@given(st.binary(max_size=2048), st.integers(0, 70000))
def test_garbage_is_never_an_error(data: bytes, offset: int) -> None:
    state_in(reader((offset, data), (0, b"")))


@given(
    st.lists(
        st.tuples(st.integers(0, 400 * 512 - 8), st.binary(min_size=1, max_size=8)), max_size=8
    )
)
def test_a_volume_with_wrong_bytes_is_read_or_unreadable(wrong: list[tuple[int, bytes]]) -> None:
    whole = bytearray(volume(hiberfil=page(b"hibr"), deep=True)(0, 400 * 512))
    for offset, data in wrong:
        whole[offset : offset + len(data)] = data
    state_in(lambda offset, size: bytes(whole[offset : offset + size]))


@given(st.integers(0, 511), st.integers(0, 5), st.binary(min_size=1, max_size=8))
def test_wrong_bytes_where_it_matters(at: int, which: int, data: bytes) -> None:
    whole = bytearray(volume(hiberfil=page(b"hibr"), deep=True)(0, 400 * 512))
    base = (0, MFT * 512, MFT * 512 + 3 * RECORD, MFT * 512 + 5 * RECORD, INDEX * 512, LOG * 512)
    whole[base[which] + at : base[which] + at + len(data)] = data
    state_in(lambda offset, size: bytes(whole[offset : offset + size]))


@given(
    st.sampled_from(["ext4", "xfs", "btrfs", "ntfs", "fat32", "exfat", "f2fs", "reiserfs", "swap"]),
    st.binary(max_size=1500),
)
def test_a_size_is_read_from_anything(name: str, head: bytes) -> None:
    assert size_in(name, head.rjust(66 * 1024, b"\xff")) >= 0
    assert size_in(name, head) >= 0


def test_a_device_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(FilesystemError, match="cannot be read"):
        state_of(tmp_path / "nothing")


@pytest.mark.parametrize("repair", [repair_mirror, repair_bitmap])
@given(wrong=st.binary(max_size=64), at=st.integers(0, 400 * 512))
def test_a_repair_that_cannot_know_writes_nothing(
    tmp_path_factory: pytest.TempPathFactory,
    repair: Callable[[Path], bool],
    wrong: bytes,
    at: int,
) -> None:
    """The volume made here has neither the copy nor the bitmap to repair."""
    file = tmp_path_factory.getbasetemp() / "volume"
    image = bytearray(volume()(0, 400 * 512))
    image[at : at + len(wrong)] = wrong
    file.write_bytes(image)
    with pytest.raises(ntfs.Unreadable):
        repair(file)
    assert file.read_bytes() == bytes(image)


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOMEM])
def test_a_superblock_that_cannot_be_read_is_not_a_clean_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    device = tmp_path / "device"
    device.write_bytes(b"")

    def broken(*_: int) -> bytes:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "pread", broken)
    with pytest.raises(FilesystemError, match=os.strerror(number)):
        state_of(device)
