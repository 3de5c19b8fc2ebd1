# SPDX-License-Identifier: GPL-3.0-or-later
"""partclone 0002 images with xxHash checksums, made by hand from the documented layout.

No writer of them is on this machine. The checksums come from libxxhash's one-shot functions,
which share no state with the streaming ones of the reader; known answers of xxHash's own
test suite show that they are called properly.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import trying
from oglib.errors import ImageError
from oglib.image.any import ForeignImage
from oglib.image.format.partclone import CHECKSUM_XXH64, CHECKSUM_XXH128, HEADER_BYTES, crc32
from oglib.image.reading.formats.detect import describe, open_stream
from oglib.image.reading.source import FileSource
from oglib.image.writing.restore import restore
from quiet import QUIET
from unit.image.synthetic import Partition, bitmap_bytes, blank, partition

_MIB = 1 << 20
_XXH = ctypes.CDLL("libxxhash.so.0")


class _Hash128(ctypes.Structure):
    _fields_ = (("low", ctypes.c_uint64), ("high", ctypes.c_uint64))


_XXH.XXH64.restype = ctypes.c_uint64
_XXH.XXH64.argtypes = (ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint64)
_XXH.XXH3_128bits.restype = _Hash128
_XXH.XXH3_128bits.argtypes = (ctypes.c_char_p, ctypes.c_size_t)


def xxh64(data: bytes) -> bytes:
    return struct.pack("<Q", _XXH.XXH64(data, len(data), 0))


def xxh128(data: bytes) -> bytes:
    found = _XXH.XXH3_128bits(data, len(data))
    return struct.pack("<QQ", found.low, found.high)


def xxh128_canonical(data: bytes) -> bytes:
    return xxh128(data)[::-1]


@dataclass(frozen=True)
class Kind:
    """One checksum mode: its number in the header, and what computes it apart from the reader."""

    word: str
    mode: int
    of: Callable[[bytes], bytes]

    @property
    def size(self) -> int:
        return len(self.of(b""))


KINDS = [
    Kind("xxh64", CHECKSUM_XXH64, xxh64),
    Kind("xxh128", CHECKSUM_XXH128, xxh128),
    Kind("xxh128", CHECKSUM_XXH128, xxh128_canonical),
]
each_kind = pytest.mark.parametrize("kind", KINDS, ids=["xxh64", "xxh128", "xxh128-canonical"])


def test_the_independent_checksums_are_xxhash() -> None:
    """XXH64 and XXH3's 128 bits of nothing, seed 0, as ``xxhsum`` prints them."""
    assert xxh64(b"")[::-1].hex() == "ef46db3751d8e999"
    assert xxh128_canonical(b"").hex() == "99aa06d3014798d86001c324468d497f"


def image_of(source: Partition, kind: Kind, *, group: int = 16, reseed: bool = True) -> bytes:
    """``source`` as partclone 0002: behind each ``group`` used blocks, and the rest, a checksum.

    Without ``reseed`` each checksum is of all content so far.
    """
    plain = source.stream()
    head = bytearray(plain[: HEADER_BYTES - 4])
    struct.pack_into("<HHIB", head, 96, kind.mode, kind.size, group, reseed)
    body = HEADER_BYTES + len(bitmap_bytes(source.used)) + 4
    content, step = plain[body:], group * source.block_size
    pieces = [bytes(head), struct.pack("<I", crc32(head)), plain[HEADER_BYTES:body]]
    for at in range(0, len(content), step):
        end = min(at + step, len(content))
        pieces += [content[at:end], kind.of(content[at if reseed else 0 : end])]
    return b"".join(pieces)


def put_back(raw: bytes, folder: Path, target: Path) -> None:
    (path := folder / "x").write_bytes(raw)
    image = ForeignImage(open_stream(FileSource(path), "x", workers=2), "x", len(raw))
    try:
        restore(image, target, progress=QUIET)
    finally:
        image.close()


@each_kind
@pytest.mark.parametrize("reseed", [True, False], ids=["each anew", "running"])
@pytest.mark.parametrize("group", [1, 16, 300])
def test_an_image_is_restored(tmp_path: Path, kind: Kind, group: int, reseed: bool) -> None:
    source = partition(mib=2)
    raw = image_of(source, kind, group=group, reseed=reseed)
    target = blank(tmp_path / "target", source.device_size)
    put_back(raw, tmp_path, target)
    assert source.same_as(target)
    info = describe(FileSource(tmp_path / "x"), thorough=True)
    assert (info.tool, info.checksum, info.damage) == ("partclone", kind.word, "")


@each_kind
def test_a_flipped_bit_leaves_a_target_that_does_not_boot(tmp_path: Path, kind: Kind) -> None:
    source = partition(mib=4)
    raw = bytearray(image_of(source, kind))
    raw[-_MIB // 2] ^= 1
    target = blank(tmp_path / "target", source.device_size)
    with pytest.raises(ImageError, match="checksum of its content"):
        put_back(bytes(raw), tmp_path, target)
    assert target.read_bytes()[:_MIB] == bytes(_MIB)


def _small(seed: int) -> Partition:
    return partition(seed, mib=1, block_size=16384)


SMALL = _small(3)
_BODY = HEADER_BYTES + len(bitmap_bytes(SMALL.used)) + 4


def refusal(raw: bytes, folder: Path) -> str:
    """Why an image is damaged; empty where every byte of it was believed."""
    (path := folder / "flipped").write_bytes(raw)
    source = FileSource(path)
    try:
        return describe(source, thorough=True).damage
    finally:
        source.close()


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("xxh")


@each_kind
@given(place=st.integers(min_value=0), bit=st.integers(0, 7), reseed=st.booleans())
def test_every_flipped_bit_of_the_content_is_refused(
    scratch: Path, kind: Kind, place: int, bit: int, reseed: bool
) -> None:
    raw = bytearray(image_of(SMALL, kind, group=3, reseed=reseed))
    raw[_BODY + place % (len(raw) - _BODY)] ^= 1 << bit
    assert "checksum of its content" in refusal(bytes(raw), scratch)


@each_kind
def test_header_bitmap_and_checksums_count(scratch: Path, kind: Kind) -> None:
    """One bit of each byte of the header, all of the bitmap, every fifth of the checksums."""
    group = 3
    good = image_of(SMALL, kind, group=group)
    assert not refusal(good, scratch)
    stride = group * SMALL.block_size + kind.size
    ends = [*range(_BODY + stride, len(good), stride), len(good)]
    before = 8 * _BODY  # bits of the bitmap behind the last block mean nothing, but its CRC does
    bits = [bit for bit in range(before) if bit % 8 == 0 or bit >= 8 * HEADER_BYTES]
    bits += [bit for end in ends for bit in range(8 * (end - kind.size), 8 * end, 5)]
    for bit in trying.some(bits):
        raw = bytearray(good)
        raw[bit // 8] ^= 1 << bit % 8
        assert refusal(bytes(raw), scratch), f"bit {bit} says nothing"


@each_kind
def test_groups_do_not_pass_for_each_other(scratch: Path, kind: Kind) -> None:
    """Two whole groups, each with its sound checksum, change places: seen only when running."""
    raw = image_of(SMALL, kind, group=3, reseed=False)
    stride = 3 * SMALL.block_size + kind.size
    first, second = raw[_BODY : _BODY + stride], raw[_BODY + stride : _BODY + 2 * stride]
    swapped = raw[:_BODY] + second + first + raw[_BODY + 2 * stride :]
    assert "checksum of its content" in refusal(swapped, scratch)


@each_kind
def test_what_is_missing_is_not_believed(scratch: Path, kind: Kind) -> None:
    raw = image_of(SMALL, kind, group=3)
    for less in (1, kind.size, kind.size + 1, SMALL.block_size):
        assert refusal(raw[:-less], scratch)
    assert refusal(raw + b"\0", scratch)
