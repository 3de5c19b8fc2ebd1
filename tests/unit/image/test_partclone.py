# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oglib.errors import FilesystemError, ImageError, OgError
from oglib.image.format.partclone import crc32, parse_header
from oglib.image.recording.device_capture import program_for
from unit.image.synthetic import header

GOOD = header(device_size=1 << 30, total=1 << 18, used=1000, block_size=4096)


def test_a_real_header_is_understood() -> None:
    # The first 110 bytes that partclone.extfs 0.3.23 -a0 wrote for a 1 GiB ext4 filesystem.
    raw = bytes.fromhex(
        "70617274636c6f6e652d696d61676500302e332e32330000000000000000303030"
        "32dec0455854465300000000000000000000000000004000000000000004000000"
        "0000ea61000000000000ea6100000000000000100000120000000200400000000000000000000101"
        "8b01c503"
    )
    found = parse_header(raw)
    assert (found.writer, found.filesystem) == ("0.3.23", "EXTFS")
    assert (found.device_size_bytes, found.total_blocks) == (1 << 30, 1 << 18)
    assert (found.used_blocks, found.block_size, found.checksum_mode) == (0x61EA, 4096, 0)


def test_crc_is_not_inverted_at_the_end() -> None:
    assert crc32(b"partclone") == zlib.crc32(b"partclone") ^ 0xFFFFFFFF
    assert crc32(b"clone", crc32(b"part")) == crc32(b"partclone")


@given(st.binary(max_size=200))
def test_no_bytes_crash_the_parser(raw: bytes) -> None:
    with pytest.raises(OgError):
        parse_header(raw)


@given(st.integers(0, 109), st.integers(1, 255))
def test_every_changed_byte_is_noticed(place: int, change: int) -> None:
    raw = bytearray(GOOD)
    raw[place] ^= change
    with pytest.raises(ImageError):
        parse_header(raw)


numbers = st.integers(0, (1 << 64) - 1)


@given(numbers, numbers, numbers, st.integers(0, (1 << 32) - 1), st.binary(max_size=16))
def test_a_header_that_is_accepted_is_possible(
    device: int, total: int, used: int, block: int, filesystem: bytes
) -> None:
    raw = header(
        device_size=device, total=total, used=used, block_size=block, filesystem=filesystem
    )
    try:
        found = parse_header(raw)
    except OgError:
        return
    assert 0 < found.total_blocks * found.block_size <= found.device_size_bytes
    assert found.used_blocks <= found.total_blocks


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"total": 1 << 40, "device_size": 1 << 62}, "counts 1099511627776 blocks"),
        ({"block_size": 1000}, "blocks of 1000 bytes"),
        ({"block_size": 128 << 20}, "blocks of 134217728 bytes"),
        ({"used": (1 << 18) + 1}, "used blocks of"),
        ({"device_size": (1 << 30) - 1}, "do not fit its device of 1073741823 bytes"),
        ({"total": 0, "used": 0}, "counts 0 blocks"),
        ({"mode": 7}, "unknown checksum mode 0x7"),
        ({"bitmap_mode": 3}, "unknown bitmap mode 3"),
        ({"filesystem": b"EX\x1b[2J"}, "filesystem is not text"),
    ],
)
def test_absurd_headers_are_refused_by_name(change: dict[str, Any], said: str) -> None:
    values: dict[str, Any] = {
        "device_size": 1 << 30,
        "total": 1 << 18,
        "used": 1000,
        "block_size": 4096,
    }
    with pytest.raises(ImageError, match=said):
        parse_header(header(**{**values, **change}))


def test_programs_are_found_by_blkid_words() -> None:
    assert program_for("ext4") == program_for("ext2") == "partclone.extfs"
    assert program_for("vfat") == "partclone.fat"
    with pytest.raises(FilesystemError, match="befs"):
        program_for("befs")
    for known in ("swap", "crypto_LUKS"):
        with pytest.raises(ImageError, match=known):
            program_for(known)
