# SPDX-License-Identifier: GPL-3.0-or-later
"""The rows of the result: which work is compared with which, and what the ratio must be."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from bench.measure import Works

MEMORY_LIMIT_BYTES = 200_000_000
# Times differ from run to run by as much as this; what is worse is a miss.
_TIMED_SHARE = 0.95


@dataclass(frozen=True, slots=True)
class Row:
    """``ratio`` is how many times better (``at_least``) or more (``at_most``) ours is."""

    work: str
    peer: str
    ratio: float
    ours: float
    theirs: float
    unit: str
    place: str
    peer_sleeps: bool = False
    at_least: float | None = None
    at_most: float | None = None

    @property
    def share(self) -> float | None:
        """How much of its bound the ratio reaches, 1 and more = all; None = without a bound."""
        if self.at_least is not None:
            return self.ratio / self.at_least
        return self.at_most / self.ratio if self.at_most is not None else None

    @property
    def is_met(self) -> bool | None:
        """None = a row without a bound. Bytes are exact; times have a little room for noise."""
        wanted = 1.0 if self.unit == "MB" else _TIMED_SHARE
        return self.share >= wanted if self.share is not None else None

    def as_dict(self) -> dict[str, object]:
        """JSON-able; only the bound that there is."""
        named = {key: value for key, value in asdict(self).items() if value is not None}
        return {**named, "met": self.is_met} if self.is_met is not None else named


@dataclass(frozen=True, slots=True)
class _Pair:
    """Two works by rate of used data: ours, what it is called, the peer's, its name."""

    ours: str
    work: str
    theirs: str
    peer: str
    at_least: float | None = None
    place: str = "tmpfs"


_FRESH = "fresh restore, stored digests verified"
_PAIRS = (
    _Pair("restore ours", _FRESH, "restore clonezilla", "Clonezilla, -a0", 1.6),
    _Pair("restore ours", _FRESH, "restore fog", "FOG", 1.6),
    _Pair("restore ours", _FRESH, "restore opengnsys-lzop", "OpenGnsys, lzop", 4.5),
    _Pair("restore ours", _FRESH, "restore clonezilla-crc", "Clonezilla, checksums"),
    _Pair("restore ours", _FRESH, "restore opengnsys-gzip", "OpenGnsys, gzip"),
    _Pair(
        "restore ours lzop", "restore of an lzop image, checksums verified",
        "restore opengnsys-lzop", "OpenGnsys, lzop", 2.5,
    ),
    _Pair(
        "restore ours gzip", "restore of a gzip image, checksums verified",
        "restore opengnsys-gzip", "OpenGnsys, gzip", 3.5,
    ),
    _Pair("capture ours", "capture with digests", "capture clonezilla", "Clonezilla, -a0", 1.0),
    _Pair("capture ours", "capture with digests", "capture opengnsys-lzop", "OpenGnsys, lzop", 1.1),
    _Pair("capture ours", "capture with digests", "capture fog", "FOG"),
    _Pair(
        "capture ours", "capture with digests", "capture clonezilla-crc", "Clonezilla, checksums"
    ),
    _Pair("capture ours", "capture with digests", "capture opengnsys-gzip", "OpenGnsys, gzip"),
    _Pair("disk ours", "fresh restore, read back", "disk clonezilla", "Clonezilla, -a0",
          place="disk, fsync"),
    _Pair("disk ours plain", "fresh restore, not read back", "disk clonezilla",
          "Clonezilla, -a0", place="disk, fsync"),
    _Pair("disk ours", "fresh restore, read back", "disk opengnsys-lzop", "OpenGnsys, lzop",
          place="disk, fsync"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Cost:
    """Two works of ours by their time."""

    one: str
    work: str
    other: str
    peer: str
    at_most: float | None = None
    place: str = "tmpfs"


_COSTS = (
    _Cost("capped read-back", "restore with read-back, source at 1 Gb/s", "capped plain",
          "the same without", 1.25),
    _Cost("restore ours read-back", "restore with read-back, source not capped", "restore ours",
          "the same without"),
    _Cost("disk ours", "restore with read-back, source not capped", "disk ours plain",
          "the same without", place="disk, fsync"),
    _Cost("disk ours", "restore with read-back, source not capped", "disk plain",
          "a plain run: written and read directly", 1.3, place="disk, fsync"),
    _Cost("disk capped read-back", "restore with read-back, source at 1 Gb/s",
          "disk capped plain", "the same without", place="disk, fsync"),
    _Cost("disk delta", "delta restore after an update", "disk fresh of the update",
          "fresh restore", 0.45, place="disk, fsync"),
    _Cost("disk capped delta", "delta restore after an update, source at 1 Gb/s",
          "disk capped fresh of the update", "fresh restore", place="disk, fsync"),
    _Cost("disk delta", "delta restore after an update", "disk plain",
          "a plain run: written and read directly", place="disk, fsync"),
)  # fmt: skip


def compared(works: Works, used_bytes: int) -> list[Row]:
    """Every pair that was measured: rates in MB of used data a second, times in seconds."""
    rows = []
    for pair in _PAIRS:
        for suffix in ("", " (sleep)"):
            if pair.ours in works.samples and pair.theirs + suffix in works.samples:
                ours = used_bytes / 1e6 / works.seconds(pair.ours)
                theirs = used_bytes / 1e6 / works.seconds(pair.theirs + suffix)
                rows.append(
                    Row(
                        pair.work, pair.peer, ours / theirs, ours, theirs, "MB/s", pair.place,
                        peer_sleeps=bool(suffix), at_least=None if suffix else pair.at_least,
                    )
                )  # fmt: skip
    for cost in _COSTS:
        if cost.one in works.samples and cost.other in works.samples:
            ours, theirs = works.seconds(cost.one), works.seconds(cost.other)
            rows.append(
                Row(
                    cost.work, cost.peer, ours / theirs, ours, theirs, "s", cost.place,
                    at_most=cost.at_most,
                )
            )  # fmt: skip
    return rows


def amount(
    work: str, peer: str, ours: int, theirs: int, *, at_most: float | None, place: str = "tmpfs"
) -> Row:
    """A row of two amounts in bytes."""
    return Row(work, peer, ours / theirs, ours / 1e6, theirs / 1e6, "MB", place, at_most=at_most)


def memory(work: str, peak_bytes: int) -> Row:
    return amount(work, "the limit", peak_bytes, MEMORY_LIMIT_BYTES, at_most=1.0)
