# SPDX-License-Identifier: GPL-3.0-or-later
"""Which disks a power cut can leave, from a log of writes: seeded, so that each can be made again.

A disk may keep written sectors in its cache until a flush. So after a cut it holds everything
up to some flush and, of what was written after it, any part: entries missing, entries torn
between sectors, later ones without earlier ones. Entries marked FUA are there once completed.
A discard counts as a write of zeros. Owns no recovery and no judgement.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from power.sparse import copy_sparse, zero
from power.write_log import Entry, WriteLog

_KEEP = (0.1, 0.3, 0.5, 0.7, 0.9, 1.0)
_TEAR = (0.0, 0.2, 0.6)
_TRIES = 50


@dataclass(frozen=True, slots=True)
class Piece:
    """Sectors of one entry that reached the disk: ``size`` bytes from ``skip`` bytes on."""

    entry: int
    skip: int
    size: int


@dataclass(frozen=True, slots=True)
class CrashState:
    """Entries before ``lasting`` are there in full, of the later ones only the pieces.

    ``whole``: every entry before this number is there in full, lasting or by luck.
    """

    number: int
    lasting: int
    pieces: tuple[Piece, ...]
    whole: int

    def __str__(self) -> str:
        return f"state {self.number}: all before entry {self.lasting}, {len(self.pieces)} pieces"


def crash_states(log: WriteLog, *, seed: str, count: int) -> list[CrashState]:
    """Up to ``count`` different states: nothing, everything, some flushes exactly, random ones.

    Fewer when the log does not allow that many; the same for the same log and seed.
    """
    ends = [0, *(at + 1 for at, entry in enumerate(log.entries) if entry.is_flush)]
    exact = [end for end in ends[1:] if any(one.changes for one in log.entries[:end])]
    if len(exact) > count // 4:
        exact = _seeded(f"{seed}/flushes").sample(exact, count // 4)
    found: dict[tuple[int, tuple[Piece, ...]], CrashState] = {}
    for at in (0, len(log.entries), *exact):
        _note(found, log, at, ())
    epochs = _epochs(log.entries, ends)
    for attempt in range(count * _TRIES):
        if len(found) >= count or not epochs:
            break
        rng = _seeded(f"{seed}/{attempt}")
        start, end = rng.choice(epochs)
        _note(found, log, start, tuple(_pieces(log, start, rng.randint(start, end), rng)))
    return list(found.values())


def make_disk(log: WriteLog, base: Path, state: CrashState, target: Path) -> None:
    """Write the disk of ``state`` to ``target``."""
    copy_sparse(base, target)
    with log.path.open("rb") as logged, target.open("r+b") as disk:
        for number, entry in enumerate(log.entries[: state.lasting]):
            _put(logged.fileno(), disk.fileno(), entry, Piece(number, 0, entry.size_bytes))
        for piece in state.pieces:
            _put(logged.fileno(), disk.fileno(), log.entries[piece.entry], piece)


def _seeded(seed: str) -> random.Random:
    return random.Random(seed)


def _put(log_fd: int, disk_fd: int, entry: Entry, piece: Piece) -> None:
    if not entry.changes:
        return
    at = entry.at_bytes + piece.skip
    if entry.is_discard:
        zero(disk_fd, at, at + piece.size)
    else:
        os.pwrite(disk_fd, os.pread(log_fd, piece.size, entry.data_at + piece.skip), at)


def _note(
    found: dict[tuple[int, tuple[Piece, ...]], CrashState],
    log: WriteLog,
    lasting: int,
    pieces: tuple[Piece, ...],
) -> None:
    key = (lasting, pieces)
    if key not in found:
        full = {
            piece.entry for piece in pieces if piece.size == log.entries[piece.entry].size_bytes
        }
        whole = lasting
        while whole < len(log.entries) and (whole in full or not log.entries[whole].changes):
            whole += 1
        found[key] = CrashState(len(found), lasting, pieces, whole)


def _epochs(entries: Sequence[Entry], ends: Sequence[int]) -> list[tuple[int, int]]:
    """The stretches between flushes in which something was written."""
    stretches = zip(ends, [*ends[1:], len(entries)], strict=True)
    return [
        (start, end) for start, end in stretches if any(one.changes for one in entries[start:end])
    ]


def _pieces(log: WriteLog, start: int, cut: int, rng: random.Random) -> Iterator[Piece]:
    keep, tear = rng.choice(_KEEP), rng.choice(_TEAR)
    for number in range(start, cut):
        entry = log.entries[number]
        if not entry.changes:
            continue
        if entry.is_durable:
            yield Piece(number, 0, entry.size_bytes)
        elif rng.random() < keep:
            if entry.size_bytes > log.sector_bytes and rng.random() < tear:
                yield from _torn(number, entry, log.sector_bytes, rng)
            else:
                yield Piece(number, 0, entry.size_bytes)


def _torn(number: int, entry: Entry, sector: int, rng: random.Random) -> Iterator[Piece]:
    """Its beginning, its end, or some stretches of it: every other part of a random cutting."""
    sectors = entry.size_bytes // sector
    cuts = rng.sample(range(1, sectors), min(sectors - 1, rng.choice((1, 1, 2, 3, 5))))
    bounds = [0, *sorted(cuts), sectors]
    first = rng.randint(0, 1)
    for start, end in list(pairwise(bounds))[first::2]:
        yield Piece(number, start * sector, (end - start) * sector)
