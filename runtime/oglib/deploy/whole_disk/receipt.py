# SPDX-License-Identifier: GPL-3.0-or-later
"""What the restore of a disk did, as data that can be printed, stored and sent."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass

from oglib.deploy.whole_disk.whole import WholeDisk
from oglib.disk.model import Disk
from oglib.image.writing.receipt import Receipt

_READ_BACK = "read-back"
_NOT_PROVEN = "not proven"


@dataclass(frozen=True, slots=True)
class DiskReceipt:
    """A finished restore of a disk, or of several of its partitions; sizes in bytes.

    ``changes`` is what was done to the table, ``after`` what was made or grown beside the images,
    ``verified`` is ``read-back`` only when all of it was.
    """

    image: str
    version: int
    signed_by: str
    source: str
    target: str
    target_size_bytes: int
    changes: tuple[str, ...]
    parts: tuple[Receipt, ...]
    after: tuple[str, ...]
    written_bytes: int
    fetched_bytes: int
    seconds: float
    verified: str
    warnings: tuple[str, ...]

    def as_dict(self) -> dict[str, object]:
        """JSON-able."""
        return {**asdict(self), "parts": [part.as_dict() for part in self.parts]}


@dataclass(frozen=True, slots=True)
class ImageIdentity:
    """What an image is called, in which version, by whom it is signed and where it is."""

    name: str
    version: int
    signed_by: str
    where: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Done:
    """What was done: to the table, to partitions, and besides.

    ``warnings`` are those that are not about the image's origin: that is said once for all of it.
    """

    changes: tuple[str, ...]
    parts: tuple[Receipt, ...]
    after: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def receipt_of(
    image: WholeDisk | ImageIdentity, disk: Disk, done: Done, started: float
) -> DiskReceipt:
    """The receipt of what was done since ``started`` (``time.monotonic``)."""
    proven = all(one.verified == _READ_BACK for one in done.parts)
    return DiskReceipt(
        image=image.name,
        version=image.version,
        signed_by=image.signed_by,
        source=image.where,
        target=disk.describe(),
        target_size_bytes=disk.size_bytes,
        changes=done.changes,
        parts=done.parts,
        after=done.after,
        written_bytes=sum(one.written_bytes for one in done.parts),
        fetched_bytes=sum(one.fetched_bytes for one in done.parts),
        seconds=round(time.monotonic() - started, 3),
        verified=_READ_BACK if proven else _NOT_PROVEN,
        warnings=tuple(dict.fromkeys((*image.warnings, *done.warnings))),
    )
