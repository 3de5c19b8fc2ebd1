# SPDX-License-Identifier: GPL-3.0-or-later
"""The repository's record of a foreign image: one spelling, and no byte that it does not name."""

from __future__ import annotations

import json
from dataclasses import replace
from threading import Barrier, Thread

import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from oglib.errors import ImageError
from oglib.image.format.foreign_record import ForeignRecord, PieceDigests, piece_bytes_for
from oglib.image.format.signing import generate_keypair, sign
from oglib.image.reading.proven import ProvenSource
from oglib.image.reading.vouching import vouch_record

MIB = 1 << 20
CONTENT = bytes(range(256)) * (5 * MIB // 256) + b"the end"


def record_of(content: bytes, **more: object) -> ForeignRecord:
    digests = PieceDigests(len(content))
    for start in range(0, len(content), 700_001):
        digests.update(content[start : start + 700_001])
    whole, pieces = digests.finish()
    record = ForeignRecord(
        name="old/debian", created="2026-11-27T19:00:00+00:00", tool="partclone",
        compressor="lzop", filesystem="EXTFS", required_bytes=16 * MIB, hostname="pc17",
        image_size_bytes=len(content), image_blake3=whole, piece_bytes=digests.piece_bytes,
        pieces=pieces, version=3, key_id="0123456789abcdef",
    )  # fmt: skip
    return replace(record, **more)  # type: ignore[arg-type]


class Bytes:
    """A source over memory that can lie, for a while or for ever."""

    def __init__(self, content: bytes) -> None:
        self.content = bytearray(content)
        self.size_bytes = len(content)
        self.reads: list[tuple[int, int]] = []
        self.heals = False
        self.closed = False

    def read(self, offset: int, length: int) -> bytes:
        self.reads.append((offset, length))
        data = bytes(self.content[offset : offset + length])
        if self.heals:
            self.content[:] = CONTENT
        return data

    def describe(self) -> str:
        return "somewhere"

    def close(self) -> None:
        self.closed = True


def test_a_record_has_one_spelling_and_names_every_piece() -> None:
    record = record_of(CONTENT)
    assert ForeignRecord.from_bytes(record.to_bytes()) == record
    assert record.image_blake3 == blake3(CONTENT).hexdigest()
    assert record.piece_count == 3
    for number in range(3):
        piece = CONTENT[number * record.piece_bytes : (number + 1) * record.piece_bytes]
        assert record.piece_digest(number) == blake3(piece).digest()
    with pytest.raises(ImageError, match="not spelled"):
        ForeignRecord.from_bytes(record.to_bytes().replace(b"  ", b" "))


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "../up"},
        {"name": "a b"},
        {"created": "yesterday"},
        {"created": "2026-11-27T19:00:00"},
        {"hostname": "\x1b[2J"},
        {"tool": "x\n"},
        {"image_size_bytes": 0},
        {"image_size_bytes": 1 << 60},
        {"image_size_bytes": 5},
        {"piece_bytes": MIB},
        {"pieces": ""},
        {"pieces": "0" * 64},
        {"pieces": "G" * 192},
        {"image_blake3": "00"},
        {"key_id": "short"},
        {"version": -1},
        {"version": "3"},
        {"format": "oglive-d3-1"},
    ],
    ids=str,
)
def test_what_a_record_cannot_say(wrong: dict[str, object]) -> None:
    told = json.loads(record_of(CONTENT).to_bytes()) | wrong
    raw = json.dumps(told, ensure_ascii=False, indent=2, sort_keys=True).encode() + b"\n"
    with pytest.raises(ImageError):
        ForeignRecord.from_bytes(raw)


def test_pieces_grow_with_the_image_and_end_somewhere() -> None:
    assert piece_bytes_for(1) == 2 * MIB
    assert piece_bytes_for(64 << 30) == 2 * MIB
    assert piece_bytes_for((64 << 30) + 1) == 4 * MIB
    longest = record_of(CONTENT, pieces="0" * 64 * 32768, image_size_bytes=64 << 30)
    assert ForeignRecord.from_bytes(longest.to_bytes()) == longest
    with pytest.raises(ImageError, match="Convert"):
        piece_bytes_for((2 << 40) + 1)


@given(offset=st.integers(0, len(CONTENT)), length=st.integers(0, 3 * MIB))
def test_every_range_is_what_it_is(offset: int, length: int) -> None:
    source = ProvenSource(Bytes(CONTENT), record_of(CONTENT))
    if offset + length > len(CONTENT):
        with pytest.raises(ImageError, match="ends at byte"):
            source.read(offset, length)
    else:
        assert source.read(offset, length) == CONTENT[offset : offset + length]


@pytest.mark.parametrize("at", [0, 2 * MIB - 1, 2 * MIB, len(CONTENT) - 1])
def test_no_byte_of_a_wrong_piece_is_given(at: int) -> None:
    inner = Bytes(CONTENT)
    inner.content[at] ^= 1
    source = ProvenSource(inner, record_of(CONTENT))
    piece = at // (2 * MIB)
    for number in range(3):
        start = number * 2 * MIB
        if number == piece:
            with pytest.raises(ImageError, match="not the ones that the repository signed"):
                source.read(start, 1)
        else:
            assert source.read(start, 1) == CONTENT[start : start + 1]
    source.close()
    assert inner.closed


def test_what_was_damaged_on_its_way_is_read_once_more() -> None:
    inner = Bytes(CONTENT)
    inner.content[5] ^= 1
    inner.heals = True
    assert ProvenSource(inner, record_of(CONTENT)).read(0, 9) == CONTENT[:9]
    assert len(inner.reads) == 2


def test_another_size_is_refused_before_anything_is_read() -> None:
    inner = Bytes(CONTENT + b"more")
    with pytest.raises(ImageError, match="and the repository signed"):
        ProvenSource(inner, record_of(CONTENT))
    assert not inner.reads


def test_who_reads_one_piece_at_a_time_fetches_it_once() -> None:
    inner, together = Bytes(CONTENT), Barrier(4)
    source = ProvenSource(inner, record_of(CONTENT))
    got: list[bytes] = []

    def read(offset: int) -> None:
        together.wait()
        got.append(source.read(offset, 1000))

    threads = [Thread(target=read, args=(offset,)) for offset in (0, 7, MIB, 2 * MIB - 1000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(inner.reads) == 1
    assert sorted(got) == sorted(CONTENT[at : at + 1000] for at in (0, 7, MIB, 2 * MIB - 1000))


def test_who_vouches_is_judged_as_of_a_manifest() -> None:
    key, public = generate_keypair()
    other, _ = generate_keypair()
    raw = record_of(CONTENT, key_id=public.key_id).to_bytes()

    def judged(signature: bytes | None, *, allowed: bool = False, name: str = "old/debian") -> str:
        return vouch_record(
            raw, signature, [public], where="http://r", allowed=allowed, name=name
        ).signed_by

    assert judged(sign(raw, key)) == public.key_id
    with pytest.raises(ImageError, match="not accepted here"):
        judged(sign(raw, other), allowed=True)
    with pytest.raises(ImageError, match="does not match"):
        judged(sign(raw + b" ", key), allowed=True)
    with pytest.raises(ImageError, match="is not signed"):
        judged(None)
    with pytest.raises(ImageError, match="was asked for"):
        judged(sign(raw, key), name="debian")
    unsigned = vouch_record(raw, None, [public], where="http://r", allowed=True)
    assert not unsigned.signed_by
    assert "nobody vouches" in unsigned.warnings[0]
