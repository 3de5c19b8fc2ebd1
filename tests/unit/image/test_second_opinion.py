# SPDX-License-Identifier: GPL-3.0-or-later
"""A bitmap in a file, and a filesystem that says otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from oglib.errors import ImageError
from oglib.filesystem.structures.pieces import ALL, Least, Piece
from oglib.image.format.bitmap import Bitmap
from oglib.image.format.partclone import HEADER_BYTES, Header, parse_header
from oglib.image.recording import second_opinion
from oglib.image.recording.second_opinion import Opinion
from oglib.image.writing.target import Target, open_target

from .synthetic import Partition

BLOCK = 1024
TOTAL = 3001


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Target]:
    (tmp_path / "disk").write_bytes(bytes(TOTAL * BLOCK))
    with open_target(tmp_path / "disk", write=False) as target:
        yield target


def prefix_of(used: set[int], folder: Path) -> tuple[Path, Header]:
    bits = [at in used for at in range(TOTAL)]
    stream = Partition(bits, BLOCK, {at: bytes(BLOCK) for at in used}).stream()
    header = parse_header(stream)
    path = folder / "prefix"
    path.write_bytes(stream[: header.prefix_bytes])
    return path, header


def told(monkeypatch: pytest.MonkeyPatch, *pieces: Piece | Least) -> None:
    monkeypatch.setattr(second_opinion, "used_pieces", lambda _name, _read: iter(pieces))


@pytest.mark.parametrize(
    ("piece", "blocks"),
    [
        (Piece(0, BLOCK, 5, ALL), {0, 1, 2, 3, 4}),
        (Piece(3000 * BLOCK, BLOCK, 1, ALL), {3000}),
        (Piece(7 * BLOCK, BLOCK, 9, 0b1_0000_0101), {7, 9, 15}),
        (Piece(100 * BLOCK, 4 * BLOCK, 3, 0b101), {*range(100, 104), *range(108, 112)}),
        (Piece(10 * BLOCK + 512, 512, 3, 0b101), {10, 11}),
        (Piece(10 * BLOCK + 512, 512, 2, ALL), {10, 11}),
        (Piece(0, BLOCK, TOTAL, ALL), set(range(TOTAL))),
    ],
)
def test_what_lacks_is_added(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: Target, piece: Piece,
    blocks: set[int],
) -> None:  # fmt: skip
    before = {2, 9, 1500}
    path, header = prefix_of(before, tmp_path)
    told(monkeypatch, piece)
    opinion = Opinion(source, "ext4")
    with path.open("r+b") as file:
        whole = opinion.completed(file, header)
        assert parse_header(path.read_bytes()) == whole
        with Bitmap(file, HEADER_BYTES, TOTAL) as bitmap:
            bitmap.check(whole.used_blocks)
            assert {at for at in range(TOTAL) if bitmap.used(at, 1)} == before | blocks
    assert opinion.added == len(blocks - before)
    assert whole.writer == header.writer


def test_what_agrees_stays_byte_for_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: Target
) -> None:
    path, header = prefix_of({1, 2, 3}, tmp_path)
    before = path.read_bytes()
    told(monkeypatch, Piece(BLOCK, BLOCK, 2, ALL), Least(0, 10 * BLOCK, 512, 6))
    with path.open("r+b") as file:
        assert Opinion(source, "ext4").completed(file, header) == header
        Opinion(source, "ext4").refuse_lacking(file, header)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("piece", "words"),
    [
        (Least(0, 10 * BLOCK, BLOCK, 4), "counts 4 used blocks, partclone 0.3.23 finds 3"),
        (Least(2 * BLOCK, TOTAL * BLOCK, BLOCK, 3), "counts 3 used blocks"),
        (Piece(TOTAL * BLOCK, BLOCK, 1, ALL), "where the bitmap ends"),
        (Piece(0, BLOCK, TOTAL + 8, 1 << TOTAL), "where the bitmap ends"),
    ],
)
def test_what_cannot_be_added_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: Target, piece: Piece | Least,
    words: str,
) -> None:  # fmt: skip
    path, header = prefix_of({1, 2, 3}, tmp_path)
    told(monkeypatch, piece)
    with path.open("r+b") as file, pytest.raises(ImageError, match=words) as caught:
        Opinion(source, "f2fs").completed(file, header)
    assert "--raw" in caught.value.hint


def test_tables_that_cannot_be_read_are_no_answer(tmp_path: Path, source: Target) -> None:
    path, header = prefix_of({1}, tmp_path)
    for kind in ("ext4", "xfs", "btrfs", "vfat", "exfat", "ntfs", "f2fs", "hfsplus"):
        with (
            path.open("r+b") as file,
            pytest.raises(ImageError, match="alone is not believed") as caught,
        ):
            Opinion(source, kind).completed(file, header)
        assert "--raw" in caught.value.hint


def test_a_stream_of_others_that_lacks_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: Target
) -> None:
    path, header = prefix_of({1}, tmp_path)
    told(monkeypatch, Piece(0, BLOCK, 3, ALL))
    before = path.read_bytes()
    with path.open("r+b") as file, pytest.raises(ImageError, match="leaves out 2 blocks"):
        Opinion(source, "ext4").refuse_lacking(file, header)
    assert path.read_bytes() == before
