# SPDX-License-Identifier: GPL-3.0-or-later
"""``disk.json``: one spelling, and nothing in it that contradicts itself."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oglib.errors import ImageError
from oglib.image.format.disk_gaps import packed_gaps, unpacked_gaps
from oglib.image.format.disk_manifest import Content, DiskManifest, DiskPart, Gap

MIB = 1 << 20
GUID = "0fc63daf-8483-4772-8e79-3d69d8477de4"
PART = DiskPart(
    number=2,
    start_bytes=4 * MIB,
    size_bytes=8 * MIB,
    type_id=GUID,
    content=Content.IMAGE,
    name="root",
    partuuid=GUID,
    attributes=1 << 63 | 4,
    filesystem="ext4",
    required_bytes=7 * MIB,
    manifest_blake3="ab" * 32,
)
DISK = DiskManifest(
    name="room/a",
    created="2026-11-20T12:00:00+00:00",
    size_bytes=64 * MIB,
    sector_size=512,
    table="gpt",
    disk_id=GUID,
    partitions=(PART,),
)


def test_what_is_written_is_read() -> None:
    assert DiskManifest.from_bytes(DISK.to_bytes()) == DISK
    assert DISK.images == (PART,)


@pytest.mark.parametrize(
    "changes",
    [
        {"size_bytes": 11 * MIB},
        {"sector_size": 513},
        {"table": "bsd"},
        {"disk_id": "00c0ffee"},
        {"name": "../etc"},
        {"created": "yesterday"},
        {"created": "2026-11-20T12:00:00"},
        {"firmware": "coreboot"},
        {"key_id": "xyz"},
        {"title": "\x1b[2J"},
        {"partitions": (PART, PART)},
        {"partitions": (replace(PART, number=1, start_bytes=5 * MIB), PART)},
        {"partitions": (replace(PART, start_bytes=0),)},
        {"partitions": (replace(PART, size_bytes=513),)},
        {"partitions": (replace(PART, number=257),)},
        {"partitions": (replace(PART, type_id="83"),)},
        {"partitions": (replace(PART, partuuid="x"),)},
        {"partitions": (replace(PART, required_bytes=9 * MIB),)},
        {"partitions": (replace(PART, manifest_blake3=""),)},
        {"partitions": (replace(PART, content=Content.SWAP),)},
        {"partitions": (replace(PART, uuid="--format; rm"),)},
        {"gaps": (Gap(0, 4 * MIB - 1, 2, "ab" * 32),)},
        {"gaps": (Gap(2, 8 * MIB, 1, "ab" * 32),)},
        {"gaps": (Gap(7, 0, 1, "ab" * 32),)},
        {"gaps": (Gap(0, 0, 1, "AB" * 32),)},
    ],
)
def test_a_contradiction_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ImageError):
        DiskManifest.from_bytes(replace(DISK, **changes).to_bytes())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"<html>login</html>",
        b"[" * 5000,
        b'{"format": "oglive-disk-2"}',
        DISK.to_bytes().replace(b'"active": false', b'"active": 0'),
        DISK.to_bytes().replace(b'"gaps": []', b'"gaps": [1]'),
        DISK.to_bytes().replace(b'"content": "image"', b'"content": "magic"'),
        DISK.to_bytes().replace(b'"title": ""', b'"more": "", "title": ""'),
        DISK.to_bytes() + b" ",
        json.dumps(json.loads(DISK.to_bytes())).encode(),
        b" " * (2 << 20),
    ],
)
def test_another_text_is_refused(raw: bytes) -> None:
    with pytest.raises(ImageError):
        DiskManifest.from_bytes(raw)


@given(st.binary(max_size=600))
def test_anything_is_read_or_refused(raw: bytes) -> None:
    with pytest.raises(ImageError):
        DiskManifest.from_bytes(raw)


@given(st.integers(min_value=0), st.binary(min_size=1, max_size=8))
def test_a_changed_disk_json_is_refused_or_another_one(at: int, other: bytes) -> None:
    raw = bytearray(DISK.to_bytes())
    at %= len(raw)
    raw[at : at + len(other)] = other
    try:
        found = DiskManifest.from_bytes(bytes(raw))
    except ImageError:
        return
    assert found.to_bytes() == bytes(raw)


@given(st.lists(st.binary(max_size=300), max_size=4), st.integers(min_value=0))
def test_gaps_come_back_or_are_refused(contents: list[bytes], at: int) -> None:
    """Zeros at the end of a stretch are not kept: what is written on is a fresh table."""
    rows, raw = packed_gaps((0, number * 512, content) for number, content in enumerate(contents))
    disk = replace(DISK, gaps=rows)
    kept = [content.rstrip(b"\0") for content in contents if content.strip(b"\0")]
    assert [content for _, content in unpacked_gaps(disk, raw)] == kept
    if raw:
        broken = bytearray(raw)
        broken[at % len(raw)] ^= 1
        for wrong in (bytes(broken), raw[:-1], raw + b"x"):
            with pytest.raises(ImageError):
                unpacked_gaps(disk, wrong)
