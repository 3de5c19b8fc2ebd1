# SPDX-License-Identifier: GPL-3.0-or-later
"""The image of a whole disk: what its ``disk.json`` says, and the few bytes beside the partitions.

Such an image is a folder ``NAME/``: ``disk.json`` (signed like a manifest, over its exact bytes),
``disk.gaps`` (boot code, the gap behind the MBR, a BIOS boot partition, and the sectors of the
partition table as they were) and one image ``NAME/p1`` for each partition with a filesystem,
bound to this one by the digest of its manifest. Swap is described and made anew. As a manifest
has, ``disk.json`` has exactly one spelling. No file is opened here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from itertools import pairwise
from uuid import UUID

from oglib import limits
from oglib.disk import firmware
from oglib.disk.tables.mbr import CODE_BYTES
from oglib.errors import ImageError, UsageError
from oglib.image.format.manifest import check_name, check_text
from oglib.image.format.spelling import check_fields, check_spelling, parsed, spelled

FORMAT = "oglive-disk-1"
DISK_FILE = "disk.json"
DISK_SIGNATURE = "disk.json.sig"
GAPS_FILE = "disk.gaps"
TABLES = ("gpt", "msdos")
MOST_NUMBER = 256  # of a partition
_MOST_TABLE_ROWS = 512
# left out where they are empty: older images have none
_OPTIONAL = frozenset({"table_bytes"})
_SECTORS = (512, 1024, 2048, 4096)
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
_KEY_ID = re.compile(r"(?:[0-9a-f]{16})?", re.ASCII)
_MBR_ID = re.compile(r"[0-9a-f]{8}", re.ASCII)
_MBR_TYPE = re.compile(r"[0-9a-f]{2}", re.ASCII)
_UUID = re.compile(r"[A-Za-z0-9-]{0,64}", re.ASCII)
_WORD = re.compile(r"[A-Za-z0-9_.+-]{0,32}", re.ASCII)
_PART_NAME = re.compile(r"p([1-9][0-9]{0,2})", re.ASCII)


class Content(StrEnum):
    """What a restore does with a partition."""

    IMAGE = "image"
    SWAP = "swap"
    GAP = "gap"  # a few raw bytes: the BIOS boot partition
    EMPTY = "empty"  # nothing in it counts: Windows' reserved one, the CACHE
    EXTENDED = "extended"
    # The image holds nothing of it, and something of it counts: only of folders of other programs.
    LEFT_OUT = "left out"


@dataclass(frozen=True, slots=True)
class DiskPart:
    """One partition of the captured disk; sizes in bytes, ``attributes`` those of a GPT entry.

    ``required_bytes`` is what its image needs at least, ``manifest_blake3`` the digest of that
    image's manifest; ``uuid`` and ``label`` are those of the filesystem or swap.
    """

    number: int
    start_bytes: int
    size_bytes: int
    type_id: str
    content: Content
    name: str = ""
    partuuid: str = ""
    attributes: int = 0
    active: bool = False
    filesystem: str = ""
    label: str = ""
    uuid: str = ""
    required_bytes: int = 0
    used_bytes: int = 0
    image_size_bytes: int = 0
    manifest_blake3: str = ""

    @property
    def end_bytes(self) -> int:
        return self.start_bytes + self.size_bytes

    @property
    def is_image(self) -> bool:
        return self.content is Content.IMAGE


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch of raw bytes; in ``disk.gaps`` they follow each other without a hole.

    ``offset_bytes`` counts from the start of partition ``part``, or of the disk where that is 0.
    """

    part: int
    offset_bytes: int
    length: int
    blake3: str


@dataclass(frozen=True, slots=True)
class DiskManifest:
    """What a whole-disk image says of itself. ``version`` 0 = not yet given by a repository.

    ``table_bytes``: where the sectors of the partition table lay, without the boot code; their
    bytes follow those of ``gaps``. They are written to a disk on which the table is the same.
    """

    name: str
    created: str
    size_bytes: int
    sector_size: int
    table: str
    disk_id: str
    partitions: tuple[DiskPart, ...]
    gaps: tuple[Gap, ...] = ()
    table_bytes: tuple[Gap, ...] = ()
    version: int = 0
    key_id: str = ""
    title: str = ""
    comment: str = ""
    hostname: str = ""
    os: str = ""
    firmware: str = ""
    format: str = FORMAT

    def to_bytes(self) -> bytes:
        """The one spelling."""
        data = asdict(self)
        return spelled({key: data[key] for key in data if data[key] or key not in _OPTIONAL})

    @classmethod
    def from_bytes(cls, raw: bytes) -> DiskManifest:
        """Parse and check; raises ``ImageError`` for anything ``to_bytes`` did not write."""
        data = parsed(raw, what=DISK_FILE, form=FORMAT, limit_bytes=limits.DISK_MANIFEST_BYTES)
        _check_fields(data, cls, optional=_OPTIONAL)
        rows = (("partitions", DiskPart), ("gaps", Gap), ("table_bytes", Gap))
        for key, kind in rows:
            for row in data.get(key, ()):
                _check_fields(row, kind, f"{key}.")
        try:
            parts = tuple(
                DiskPart(**{**row, "content": Content(row["content"])})
                for row in data["partitions"]
            )
        except ValueError:
            raise ImageError(f"The {DISK_FILE} has a partition of unknown content.") from None
        gaps, table = (
            tuple(Gap(**row) for row in data.get(key, ())) for key in ("gaps", "table_bytes")
        )
        disk = cls(**{**data, "partitions": parts, "gaps": gaps, "table_bytes": table})
        disk.check()
        check_spelling(disk.to_bytes, raw, what=DISK_FILE)
        return disk

    def check(self) -> None:
        """Raise ``ImageError`` unless everything fits together."""
        try:
            check_name(self.name)
            for text in (self.title, self.comment, self.hostname, self.os):
                check_text(text)
            for part in self.partitions:
                check_text(part.name)
                check_text(part.label)
            moment = datetime.fromisoformat(self.created)
        except (UsageError, ValueError) as error:
            raise ImageError(
                f"The {DISK_FILE} has an impossible name, text or date: {error}"
            ) from None
        numbers = [part.number for part in self.partitions]
        sound = (
            moment.tzinfo is not None
            and self.sector_size in _SECTORS
            and self.size_bytes > 0
            and self.table in TABLES
            and _is_disk_id(self.disk_id, self.table)
            and self.firmware in firmware.WORDS
            and _KEY_ID.fullmatch(self.key_id) is not None
            and len(numbers) <= MOST_NUMBER
            and numbers == sorted(set(numbers))
            and all(_is_sound(part, self) for part in self.partitions)
            and not _overlap(self.partitions)
            and self._gaps_fit()
            and self._is_table_sound()
        )
        if not sound:
            raise ImageError(f"The {DISK_FILE} of {self.name} contradicts itself.")

    def _gaps_fit(self) -> bool:
        sizes = {part.number: part.size_bytes for part in self.partitions}
        first = min((part.start_bytes for part in self.partitions), default=self.size_bytes)
        return self.gaps_bytes <= limits.DISK_GAPS_BYTES and all(
            gap.length > 0
            and gap.offset_bytes + gap.length <= (sizes.get(gap.part, 0) if gap.part else first)
            and _DIGEST.fullmatch(gap.blake3) is not None
            for gap in self.gaps
        )

    def _is_table_sound(self) -> bool:
        return len(self.table_bytes) <= _MOST_TABLE_ROWS and all(
            row.part == 0
            and row.length > 0
            and row.offset_bytes >= CODE_BYTES
            and row.offset_bytes + row.length <= self.size_bytes
            and _DIGEST.fullmatch(row.blake3) is not None
            for row in self.table_bytes
        )

    @property
    def images(self) -> tuple[DiskPart, ...]:
        """The partitions that have an image."""
        return tuple(part for part in self.partitions if part.is_image)

    @property
    def gaps_bytes(self) -> int:
        """The size of ``disk.gaps``."""
        return sum(gap.length for gap in (*self.gaps, *self.table_bytes))


def part_name(name: str, number: int) -> str:
    """The image of a partition of the disk ``name``."""
    return f"{name}/p{number}"


def _is_disk_id(text: str, table: str) -> bool:
    return _MBR_ID.fullmatch(text) is not None if table == "msdos" else _is_guid(text)


def _is_guid(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False


def _is_sound(part: DiskPart, disk: DiskManifest) -> bool:
    sector, gpt = disk.sector_size, disk.table == "gpt"
    marked = _is_guid(part.partuuid) and _is_guid(part.type_id)
    return (
        1 <= part.number <= MOST_NUMBER
        and part.size_bytes > 0
        and not part.start_bytes % sector
        and not part.size_bytes % sector
        and sector <= part.start_bytes
        and part.end_bytes <= disk.size_bytes
        and (marked if gpt else _MBR_TYPE.fullmatch(part.type_id) is not None)
        and part.attributes < 1 << 64
        and (gpt or not (part.attributes or part.name))
        and (part.content is not Content.EXTENDED or not gpt)
        and part.content is not Content.LEFT_OUT
        and _UUID.fullmatch(part.uuid) is not None
        and _WORD.fullmatch(part.filesystem) is not None
        and _image_fields_fit(part)
    )


def _image_fields_fit(part: DiskPart) -> bool:
    if not part.is_image:
        return not (part.manifest_blake3 or part.image_size_bytes or part.required_bytes)
    return (
        _DIGEST.fullmatch(part.manifest_blake3) is not None
        and 0 < part.required_bytes <= part.size_bytes
    )


def _overlap(parts: Iterable[DiskPart]) -> bool:
    """Logical partitions lie inside the extended one, whose content is theirs."""
    real = [part for part in parts if part.content is not Content.EXTENDED]
    real.sort(key=lambda part: part.start_bytes)
    return any(one.end_bytes > two.start_bytes for one, two in pairwise(real))


def _check_fields(
    data: dict[str, object],
    kind: type,
    prefix: str = "",
    optional: frozenset[str] = frozenset(),
) -> None:
    # A GPT entry's attributes take all 64 bits.
    check_fields(data, kind, what=DISK_FILE, int_limit=1 << 64, prefix=prefix, optional=optional)
