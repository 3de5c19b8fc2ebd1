# SPDX-License-Identifier: GPL-3.0-or-later
"""Every compressor: detected, unpacked to the byte, and its damage named."""

from __future__ import annotations

import base64
import gzip
import random
import struct
import threading
import zlib

import lz4.frame
import pytest
import zstandard

from oglib.errors import ImageError, TransferError
from oglib.image.reading.unpack import compressor_in, compressor_of, unpacked
from unit.image.unpack.compressed import (
    FILES,
    SKIPPABLE,
    BytesSource,
    Lzop,
    content,
    lz4_frame,
    lz4_legacy,
    lzip,
    pzstd,
    read_all,
    unpack_all,
    zstd,
)

BIG = content(5_000_003)
SMALL = content(60_000, seed=2)
PACKED = {name: make(SMALL) for name, (_, make) in FILES.items()}
# Without a checksum in the file, a flipped bit of the content is the taker's to find.
UNCHECKED = {
    "none", "lzop-unchecked", "lzop-extra", "zstd-unchecked", "lzma", "lz4-legacy",
    "lz4-legacy-then-frame",
}  # fmt: skip
LZIP_OF_NUMBERS = (
    "TFpJUAEZABgCgmi12UuzNxy2Ehcivi+KbkJqIZCQQja+OVAeRtuz8MdkANee8UY+JGMga3u0GF0CVZIx9JKUMWY+"
    "BPsn4sAt1pleJiruUg82s7HaSlzVTY3zx9LV2MEUFYXLMjQBIfqi8DOFLUItclOamLiedG2kLdNFi5DzAC9b6PqC"
    "CKS9GNL+Uodn4Jw8s8IwGXtHkySz//xaoAC7vRMUIgEAAAAAAACyAAAAAAAAAA=="
)
SLOW = {"bzip2", "bzip2-streams", "xz", "xz-padded", "lzma", "lzip", "lzip-members"}


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> object:
    before = threading.active_count()
    yield
    assert threading.active_count() == before


@pytest.mark.parametrize("name", FILES)
def test_content_comes_out_as_it_went_in(name: str) -> None:
    compressor, make = FILES[name]
    data = SMALL if name in SLOW else BIG
    packed = make(data)
    assert compressor_in(BytesSource(packed)) == compressor
    assert unpack_all(packed) == data


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_cut_off_is_refused(name: str) -> None:
    packed = PACKED[name]
    for length in (len(packed) - 1, len(packed) // 2, len(packed) * 3 // 4 + 1):
        with (
            unpacked(BytesSource(packed[:length])) as stream,
            pytest.raises(ImageError, match=r"cut off|ends too early|says|damaged"),
        ):
            stream.take(len(SMALL))
            stream.finish()


@pytest.mark.parametrize("name", FILES)
def test_what_is_appended_is_refused(name: str) -> None:
    with (
        unpacked(BytesSource(PACKED[name] + b"garbage, and enough of it")) as stream,
        pytest.raises(ImageError, match=r"damaged|goes on after its end"),
    ):
        stream.take(len(SMALL))
        stream.finish()


@pytest.mark.parametrize("name", sorted(set(FILES) - UNCHECKED))
def test_a_flipped_bit_is_seen_or_harmless(name: str) -> None:
    """Harmless: a time or a name in a header, or a length that only the reader is told."""
    packed = PACKED[name]
    chance = random.Random(name)
    places = [*range(min(64, len(packed))), *range(len(packed) - 24, len(packed))]
    for place in places + [chance.randrange(len(packed)) for _ in range(20)]:
        flipped = bytearray(packed)
        flipped[place] ^= 1 << chance.randrange(8)
        try:
            got = unpack_all(bytes(flipped))
        except ImageError:
            continue
        # A file that is no longer its compressor's comes out as it is, for the image reader.
        assert got in (SMALL, bytes(flipped)), f"byte {place}"


def test_an_error_stays_an_error() -> None:
    packed = bytearray(PACKED["lzop"])
    packed[len(packed) // 2] ^= 1
    with unpacked(BytesSource(bytes(packed))) as stream:
        for _ in range(3):
            with pytest.raises(ImageError, match=r"checksum|decompress"):
                stream.take(len(SMALL))
        with pytest.raises(ImageError, match=r"checksum|decompress"):
            stream.finish()


def test_bytes_are_taken_by_count_without_a_seam() -> None:
    with unpacked(BytesSource(Lzop.file(BIG))) as stream:
        assert stream.compressor == "lzop"
        assert stream.take(0) == []
        assert stream.take_bytes(110) == BIG[:110]
        kept = stream.take(3_000_001)
        stream.skip(1_000_000)
        assert stream.position == 4_000_111
        assert not stream.at_end()
        with pytest.raises(ImageError, match="goes on after its end"):
            stream.finish()
        assert b"".join(stream.take_up_to(1 << 30)) == BIG[4_000_111:]
        assert stream.take_up_to(1) == []
        assert stream.at_end()
        stream.finish()
        with pytest.raises(ImageError, match="cut off"):
            stream.take(1)
        with pytest.raises(ImageError, match="cut off"):
            stream.skip(1)
    assert b"".join(kept) == BIG[110:3_000_111]
    assert all(view.readonly for view in kept)


def test_closing_in_the_middle_ends_the_threads_and_not_the_source() -> None:
    for make in (Lzop.file, zstd, pzstd, gzip.compress, lz4_frame, bytes):
        source = BytesSource(make(BIG))
        with unpacked(source) as stream:
            stream.take(1000)
        assert not source.closed


def test_an_empty_file_is_nothing() -> None:
    assert compressor_of(b"") == "none"
    assert unpack_all(b"") == b""


def test_the_sources_own_error_passes() -> None:
    class Broken(BytesSource):
        def read(self, offset: int, length: int) -> bytes:
            if offset > 0:
                raise TransferError("The network is gone.")
            return super().read(offset, length)

    data = random.Random(3).randbytes(5_000_000)
    for name in ("gzip", "lzop", "zstd", "zstd-frames", "lz4", "none"):
        with (
            pytest.raises(TransferError, match="network"),  # before it: detecting reads too
            unpacked(Broken(FILES[name][1](data))) as stream,
        ):
            read_all(stream)


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"", "none"),
        (b"BZh9 begins this text", "none"),
        (b"BZh91AY&SY", "bzip2"),
        (b"partclone-image\0", "none"),
        (b"\xeb\x52\x90NTFS    ", "none"),
        (b"LZIP\1\x0c" + bytes(10), "lzip"),
        (b"LRZI\0\6" + bytes(10), "lrzip"),
        (b"\x1f\x9d\x90" + bytes(13), "compress"),
        (SKIPPABLE[:16], "zstd"),
        (SKIPPABLE + b"\x04\x22\x4d\x18", "lz4"),
        (SKIPPABLE + bytes(16), "none"),
        (b"\x5d\0\0\x80\0" + b"\xff" * 8 + bytes(3), "lzma"),
        (b"\x5d\0\0\x80\0" + bytes(11), "none"),
    ],
)
def test_the_first_bytes_tell(head: bytes, name: str) -> None:
    assert compressor_of(head) == name


@pytest.mark.parametrize("name", ["lrzip", "compress"])
def test_what_cannot_be_read_is_named(name: str) -> None:
    magic = {"lrzip": b"LRZI\0\6", "compress": b"\x1f\x9d\x90"}[name]
    with pytest.raises(ImageError, match=f"with {name}") as raised:
        unpacked(BytesSource(magic + bytes(100)))
    assert raised.value.hint


def refusal(data: bytes) -> str:
    with unpacked(BytesSource(data)) as stream, pytest.raises(ImageError) as raised:
        read_all(stream)
    return raised.value.message


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (Lzop.header(Lzop.FILTER), "no image tool"),
        (Lzop.header(Lzop.MULTIPART), "no image tool"),
        (Lzop.header(method=128), "no image tool"),
        (Lzop.header()[:-1] + b"\0", "header's checksum"),
        (Lzop.header(Lzop.EXTRA)[:-1] + b"\0", "extra field's checksum"),
        (Lzop.header(Lzop.EXTRA)[:-13] + b"\xff" * 13, "extra field claims"),
        (Lzop.header() + struct.pack(">II", 1 << 31, 100), "cannot take"),
        (Lzop.header() + struct.pack(">II", 100, 101), "cannot take"),
        (Lzop.header() + struct.pack(">II", 100, 0), "cannot take"),
        (Lzop.header(0) + struct.pack(">II", 1000, 5) + b"\1\2\3\4\5" + bytes(4), "decompress"),
    ],
)
def test_hostile_lzop_headers_are_refused(data: bytes, says: str) -> None:
    assert says in refusal(data)


def test_an_old_lzop_header_has_no_level() -> None:
    head = Lzop.header(version=0x0930)
    assert unpack_all(head + Lzop.block(SMALL, Lzop.ADLER) + bytes(4)) == SMALL


def test_a_zstd_window_beyond_128_mib_is_refused() -> None:
    # Magic, "no checksum, no size", a window of 2^(10+18) bytes, one empty last block.
    data = b"\x28\xb5\x2f\xfd\x00" + bytes([18 << 3]) + b"\x01\0\0"
    assert "window of 268435456" in refusal(data)


def test_a_zstd_dictionary_is_refused() -> None:
    # "A dictionary number of one byte", a small window, dictionary 7, one empty last block.
    data = b"\x28\xb5\x2f\xfd\x01\x58\x07" + b"\x01\0\0"
    assert "dictionary" in refusal(data)


def test_an_lz4_dictionary_is_refused() -> None:
    data = bytearray(lz4_frame(SMALL))
    data[4] |= 1
    assert "dictionary" in refusal(bytes(data))


def test_a_zstd_frame_that_says_less_than_it_holds_is_refused() -> None:
    unsized = zstd(random.Random(4).randbytes(9 << 20), tells_size=False, checksum=False)
    body = unsized[zstandard.frame_header_size(unsized) :]
    # A single segment of 255 bytes, so it says.
    assert "damaged" in refusal(b"\x28\xb5\x2f\xfd\x20\xff" + body)


def test_an_xz_window_of_4_gib_is_refused() -> None:
    flags, block = b"\0\1", b"\2\0\x21\1" + bytes([40, 0, 0, 0])
    data = b"\xfd7zXZ\0" + b"".join(
        part + struct.pack("<I", zlib.crc32(part)) for part in (flags, block)
    )
    assert "Memory usage limit" in refusal(data + bytes(64))


def test_a_bomb_costs_only_what_is_taken() -> None:
    """A gibibyte of zeros: its first bytes are had without the rest."""
    frame = lz4.frame.compress(bytes(64 << 20))
    for data in (frame * 16, zstd(bytes(1 << 26)) * 16, gzip.compress(bytes(1 << 24), 1) * 64):
        with unpacked(BytesSource(data)) as stream:
            assert stream.take_bytes(100) == bytes(100)


def test_lz4_legacy_blocks_are_parallel_and_in_order() -> None:
    data = b"".join(struct.pack(">Q", number) for number in range(3 << 20))
    assert unpack_all(lz4_legacy(data)) == data


def test_what_lzip_itself_wrote() -> None:
    """A member of ``lzip -9``, whose encoder is not the one of the other tests."""
    told = base64.b64decode(LZIP_OF_NUMBERS)
    assert unpack_all(told) == b"".join(b"%d\n" % number for number in range(100))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"LZIP\0\x10" + bytes(30), "no lzip data"),
        (lzip(b"a") + b"LZMA" + bytes(30), "no lzip data"),
        (b"LZIP\1\x0b" + bytes(30), "dictionary is impossible"),
        (b"LZIP\1\x1d" + bytes(30), "512 MiB of memory"),
        (lzip(b"abc")[:-20] + bytes(20), "does not match"),
    ],
)
def test_hostile_lzip_files_are_refused(data: bytes, says: str) -> None:
    assert says in refusal(data)
