# SPDX-License-Identifier: GPL-3.0-or-later
"""A partition table as ``sfdisk --dump`` wrote it, old and new, as a value.

Reads text that may be hostile and judges only that it is such a dump. Sample, sfdisk 2.38:

    label: gpt
    label-id: 6D1F0C1B-...
    first-lba: 2048
    last-lba: 131038
    sector-size: 512

    /dev/sda1 : start=  2048, size=  20480, type=C12A7328-..., uuid=0B..., name="EFI, system"

and of before 2.26: ``/dev/sda1 : start= 63, size= 1000, Id= 7, bootable``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from oglib import limits
from oglib.disk import types
from oglib.disk.model import TableKind
from oglib.disk.starts import starters, the_only
from oglib.disk.tables.gpt import ENTRIES_BYTES
from oglib.errors import ImageError

_ROW = re.compile(r"^(?P<device>\S+?)\s*:\s*(?P<fields>(?:start|size)=.*)$")
_PIECE = re.compile(r'(?:[^,"]|"[^"]*")+')
_HEADER = re.compile(r"^(?P<key>[a-z-]+):\s*(?P<value>.*)$")
_NUMBER = re.compile(r"(\d+)$")
_SECTOR = 512
_MOST_ROWS = 256
_MOST_LINE_CHARS = 1024  # a name of 36 characters and a few words
_PROTECTIVE = "ee"
_EXTENDED = {"5", "f", "85"}


@dataclass(frozen=True, slots=True)
class DumpRow:
    """One partition; ``start`` and ``size`` in sectors, ``type`` a GUID or a hex number."""

    number: int
    start: int
    size: int
    type: str
    uuid: str = ""
    name: str = ""
    attrs: str = ""
    bootable: bool = False

    @property
    def extended(self) -> bool:
        return self.type.lower() in _EXTENDED


@dataclass(frozen=True, slots=True)
class TableDump:
    """``label``: gpt or dos; ``sector_size`` in bytes; ``last_lba`` 0 where it is not told."""

    label: str
    sector_size: int
    rows: tuple[DumpRow, ...]
    label_id: str = ""
    last_lba: int = 0

    def row(self, number: int) -> DumpRow | None:
        return next((row for row in self.rows if row.number == number), None)

    @property
    def protective(self) -> bool:
        """Whether it is only what a GPT shows to those who know none: sfdisk before 2.26."""
        return self.label == "dos" and any(row.type.lower() == _PROTECTIVE for row in self.rows)

    @property
    def stated_disk_bytes(self) -> int:
        """The size of the disk where the dump tells it (a GPT's last sector in use); else 0."""
        tail = ENTRIES_BYTES // self.sector_size + 1
        return (self.last_lba + 1 + tail) * self.sector_size if self.last_lba else 0

    @property
    def disk_bytes(self) -> int:
        """The smallest disk that takes the table as it is."""
        end = max((row.start + row.size for row in self.rows), default=0)
        return (end + self._tail) * self.sector_size

    @property
    def packed_bytes(self) -> int:
        """The smallest disk that takes the partitions one behind the other."""
        rows = [row for row in self.rows if row.size and not row.extended]
        first = min((row.start for row in rows), default=0)
        return (first + sum(row.size for row in rows) + self._tail) * self.sector_size

    @property
    def _tail(self) -> int:
        return ENTRIES_BYTES // _SECTOR + 1 if self.label == "gpt" else 0

    @property
    def firmware(self) -> str:
        """uefi or bios, as far as the table tells; "" where it serves both."""
        table = TableKind.MSDOS if self.label == "dos" else TableKind.GPT
        kinds = {types.mnemonic(types.normalise_id(row.type), table) for row in self.rows}
        return the_only(starters(table, kinds))


def parse_dump(text: str) -> TableDump:
    """Raises ``ImageError`` where ``text`` is no dump of a partition table."""
    heads: dict[str, str] = {}
    rows: list[DumpRow] = []
    seen = 0
    for line in text.splitlines():
        if len(line) > _MOST_LINE_CHARS or seen > _MOST_ROWS:
            raise _no_dump()
        if found := _ROW.match(line.strip()):
            seen += 1
            if row := _row(found["device"], found["fields"]):
                rows.append(row)
        elif found := _HEADER.match(line.strip()):
            heads[found["key"]] = found["value"]
    # Before 2.26 sfdisk knew no other table and named none.
    label = heads.get("label", "dos" if heads.get("unit") == "sectors" else "")
    if label not in {"gpt", "dos"} or not rows or seen > _MOST_ROWS:
        raise _no_dump()
    if len({row.number for row in rows}) < len(rows):
        raise ImageError("The partition table beside the image names a partition twice.")
    sector = _number(heads.get("sector-size", str(_SECTOR)))
    if sector not in {512, 1024, 2048, 4096}:
        raise ImageError(f"The partition table beside the image has sectors of {sector} bytes.")
    last = _number(heads.get("last-lba", "0")) if label == "gpt" else 0
    return TableDump(label, sector, tuple(rows), heads.get("label-id", ""), last)


def _no_dump() -> ImageError:
    return ImageError("The partition table beside the image is no dump of sfdisk.")


def _row(device: str, fields: str) -> DumpRow | None:
    """One row, None for the empty ones that old dumps list too."""
    number = _NUMBER.search(device)
    pieces = (each[0].partition("=") for each in _PIECE.finditer(fields))
    values = {key.strip().lower(): value.strip().strip('"') for key, _, value in pieces}
    size = _number(values.get("size", ""))
    if number is None:
        raise ImageError(f"The partition table beside the image has a row for {device!r}.")
    if not size:
        return None
    return DumpRow(
        _number(number[1]), _number(values.get("start", "")), size,
        values.get("type") or values.get("id", ""), values.get("uuid", ""),
        values.get("name", ""), values.get("attrs", ""), "bootable" in values,
    )  # fmt: skip


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 18 or int(text) > limits.SECTORS:
        raise ImageError(f"The partition table beside the image has {text[:40]!r} for a number.")
    return int(text)
