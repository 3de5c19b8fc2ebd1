# SPDX-License-Identifier: GPL-3.0-or-later
"""Damaged images are tried one after another; none may end as a success with other content.

``OG_SEED`` changes which places are damaged and how. A damage that changes nothing (the time in
a gzip header) may restore, when every byte of the result is right.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from oglib.errors import OgError
from tallies import Tally, seed

GUARD_BYTES = 1 << 20
_FILL = b"\xa5"
_SHOWN = 5


@dataclass(slots=True)
class Trial:
    """One image, the target it is tried on, and what a good restore leaves there.

    ``restore`` opens the image and restores it to the target.
    """

    restore: Callable[[Path], object]
    target: Path
    size_bytes: int
    good: bytes = b""

    def __post_init__(self) -> None:
        self._fill()
        self.restore(self.target)
        self.good = self.target.read_bytes()
        self._fill()

    def _fill(self) -> None:
        self.target.write_bytes(_FILL * self.size_bytes)

    def wrong(self) -> str:
        """Restore what is there now: empty when it was refused as it must be, or did no harm."""
        try:
            self.restore(self.target)
        except OgError as error:
            return self._after(error)
        except Exception as error:  # noqa: BLE001 - any other one is what is looked for
            return f"{type(error).__name__}: {error}"
        found = self.target.read_bytes()
        self._fill()
        return "" if found == self.good else "it succeeded with other content"

    def _after(self, error: OgError) -> str:
        found = self.target.read_bytes()
        if found == _FILL * self.size_bytes:
            return "" if error.code and str(error) else "it says nothing"
        self._fill()
        return "" if found[:GUARD_BYTES] == bytes(GUARD_BYTES) else "refused, yet it would boot"


def flip_all(
    path: Path, places: Iterable[int], trial: Trial, tally: Tally, kind: str
) -> None:  # fmt: skip
    """Flip one bit at each of ``places`` in ``path``, one after another; fail if any passes."""
    good = path.read_bytes()
    chance = random.Random(f"{seed()}/{kind}")
    bad = []
    for place in places:
        damaged = bytearray(good)
        damaged[place] ^= 1 << chance.randrange(8)
        path.write_bytes(damaged)
        tally.flips[kind] += 1
        if said := trial.wrong():
            tally.undetected["flips"] += 1
            bad.append(f"byte {place} {good[place]:#04x} -> {damaged[place]:#04x}: {said}")
    path.write_bytes(good)
    _report(bad, path)


def cut_all(path: Path, lengths: Iterable[int], trial: Trial, tally: Tally, kind: str) -> None:
    """End ``path`` after each of ``lengths`` bytes, one after another; fail if any passes."""
    good = path.read_bytes()
    bad = []
    for length in lengths:
        path.write_bytes(good[:length])
        tally.cuts[kind] += 1
        if said := trial.wrong():
            tally.undetected["cuts"] += 1
            bad.append(f"cut after {length} of {len(good)} bytes: {said}")
    path.write_bytes(good)
    _report(bad, path)


def _report(bad: list[str], path: Path) -> None:
    if bad:
        more = f"\nand {len(bad) - _SHOWN} more" if len(bad) > _SHOWN else ""
        lines = "\n".join(bad[:_SHOWN])
        raise AssertionError(f"{len(bad)} undetected in {path.name}:\n{lines}{more}")


def some(start: int, end: int, count: int, kind: str) -> list[int]:
    """``count`` places between ``start`` and ``end``, all of them where there are no more."""
    places = range(start, end)
    if len(places) <= count:
        return list(places)
    return sorted(random.Random(f"{seed()}/{kind}/places").sample(places, count))
