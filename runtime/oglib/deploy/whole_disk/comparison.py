# SPDX-License-Identifier: GPL-3.0-or-later
"""What a comparison of a disk with the image of a whole disk came to, as values."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum


class Comparison(StrEnum):
    """What the comparison of one thing came to."""

    SAME = "same"
    DIFFERS = "differs"
    GROWN = "grown"  # differs, as growing it makes it
    NOT_COMPARED = "not compared"  # the image holds nothing of it


@dataclass(frozen=True, slots=True)
class Compared:
    """``what``: ``table``, ``boot code`` or ``partition N``; ``said``: the finding in words."""

    what: str
    outcome: Comparison
    said: str
    content_bytes: int = 0
    regions: int = 0
    different_regions: int = 0
    first_byte: int | None = None


@dataclass(frozen=True, slots=True)
class DiskVerified:
    """The comparison of a disk with an image, in the disk's order."""

    image: str
    version: int
    signed_by: str
    against: str
    rows: tuple[Compared, ...]
    content_bytes: int
    seconds: float
    warnings: tuple[str, ...]

    @property
    def first_difference(self) -> Compared | None:
        """None where the disk holds what the image says."""
        proven = (Comparison.SAME, Comparison.NOT_COMPARED)
        return next((row for row in self.rows if row.outcome not in proven), None)

    def as_dict(self) -> dict[str, object]:
        """JSON-able."""
        return {
            **asdict(self),
            "rows": [asdict(row) for row in self.rows],
            "warnings": list(self.warnings),
            "same": self.first_difference is None,
        }
