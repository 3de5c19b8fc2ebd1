# SPDX-License-Identifier: GPL-3.0-or-later
"""What is marked as done: everything that was proven, and nothing after the first doubt."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from blake3 import blake3

from oglib.errors import WriteError
from oglib.image.writing import prover
from oglib.image.writing.prover import Piece, Prover
from oglib.image.writing.target import Target, open_target

KIB = 1 << 10
PIECE = 64 * KIB
COUNT = 64


def piece(number: int, offset: int | None = None, length: int = PIECE) -> Piece:
    at = number * PIECE if offset is None else offset
    return Piece(number, [(at, length)], length, blake3(content(number)[:length]).digest())


def content(number: int) -> bytes:
    return bytes([number]) * PIECE


@contextmanager
def proving(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *, verify: bool = True
) -> Iterator[tuple[Target, Prover, list[list[int]]]]:
    monkeypatch.setattr(prover, "_BATCH_BYTES", 4 * PIECE)
    monkeypatch.setattr(prover, "_READ_BYTES", 2 * PIECE)
    path = folder / "target"
    path.write_bytes(b"".join(map(content, range(COUNT))))
    marked: list[list[int]] = []
    with open_target(path, write=True) as target:
        made = Prover(target, PIECE, marked.append, verify=verify)
        made.start()
        yield target, made, marked
        made.stop()


@pytest.mark.parametrize("verify", [True, False])
def test_everything_is_marked_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verify: bool
) -> None:
    with proving(tmp_path, monkeypatch, verify=verify) as (_, made, marked):
        for number in reversed(range(COUNT)):
            made.wait_for_room()
            made.add(piece(number))
        made.add(Piece(COUNT, [], 0, b""))  # a region without used blocks
        made.stop()
        assert made.error is None
    assert all(batch == sorted(batch) for batch in marked)
    assert sorted(number for batch in marked for number in batch) == list(range(COUNT + 1))


def test_nothing_is_marked_after_what_is_not_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with proving(tmp_path, monkeypatch) as (target, made, marked):
        target.write(b"x", 17 * PIECE + 5)
        with pytest.raises(WriteError, match=f"near byte {17 * PIECE}"):
            for number in range(COUNT):
                made.wait_for_room()
                made.add(piece(number))
            made.stop()
            raise made.error or AssertionError
        made.stop()
    seen = {number for batch in marked for number in batch}
    # What was under way beside it may be proven; the batch itself never is.
    assert not seen & {16, 17, 18, 19}
    assert len(marked) <= 4 + prover._MOST_BATCHES


def test_nothing_is_marked_after_a_flush_that_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []

    def flush(_self: Target) -> None:
        calls.append(1)
        if len(calls) == 3:
            raise WriteError("Flushing failed.")

    monkeypatch.setattr(Target, "flush", flush)
    with proving(tmp_path, monkeypatch) as (_, made, marked):
        with pytest.raises(WriteError, match="Flushing failed"):
            for number in range(COUNT):
                made.wait_for_room()
                made.add(piece(number))
            made.stop()
            raise made.error or AssertionError
        made.stop()
    assert len(calls) == 3
    assert {number for batch in marked for number in batch} <= set(range(8))


def test_neighbours_are_read_together() -> None:
    gap = prover._GAP_BYTES
    near = [piece(0, 0), piece(1, PIECE + gap), piece(2, 2 * PIECE + 2 * gap + 1)]
    reads = list(prover._reads([near[2], near[0], near[1]], 1 << 20))
    assert [[one.number for one in read] for read in reads] == [[0, 1], [2]]
    # As many as one read has room for.
    reads = list(prover._reads([piece(number) for number in range(7)], 3 * PIECE))
    assert [[one.number for one in read] for read in reads] == [[0, 1, 2], [3, 4, 5], [6]]
