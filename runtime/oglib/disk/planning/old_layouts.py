# SPDX-License-Identifier: GPL-3.0-or-later
"""Layouts as OpenGnsys writes them: the list ``TYPE:KB TYPE:KB …`` and Configurar's string.

Pure. Owns both formats (reference: ogCreatePartitions, ogCreateGptPartitions, Configurar) and
turns them into a ``Layout``, which is planned like any other. In a list, the order is the number
of a partition; ``EMPTY`` leaves it free, with a size that much room too. A type may be named by
the filesystem that will be on it (``EXT4``). The present CACHE keeps its place and its number,
which the list passes over. Sizes are KB of 1024 bytes.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from oglib.disk import types
from oglib.disk.model import PRIMARY_SLOTS, Disk, Partition, TableKind
from oglib.disk.planning.layout import Layout, LayoutPartition, Size
from oglib.disk.planning.planned import refuse_foreign
from oglib.disk.type_codes import canonical
from oglib.errors import OgErr, PartitionError, UsageError

KIB = 1024
_WORD = re.compile(r"^[A-Za-z0-9-]+:\d{1,18}$")
_NEVER_FORMATTED = ("EMPTY", "EXTENDED", "LINUX-LVM", "LVM", "ZPOOL")  # Configurar's own list
_REMOVE_CACHE = -1


@dataclass(frozen=True, slots=True)
class Row:
    """One partition of Configurar's string; ``format``: it gets the filesystem."""

    number: int
    type: str
    filesystem: str
    size_kib: int
    format: bool


@dataclass(frozen=True, slots=True)
class Configurar:
    """Configurar's string. ``cache_kib`` None or 0: the cache stays as it is; -1: it goes."""

    disk: int
    cache_kib: int | None
    rows: tuple[Row, ...]

    def layout(self, disk: Disk, table: TableKind | None = None) -> Layout:
        """The layout that it asks for on ``disk``; like the old one, msdos for an empty disk."""
        if disk.number not in (0, self.disk):
            raise UsageError(
                f"The string of Configurar is for disk {self.disk}, not for {disk.number}."
            )
        kind = table or _table_of(disk)
        entries = _Entries(kind)
        for row in self.rows:
            if row.type != types.CACHE:
                entries.add(row.type, row.size_kib, row.number)
        cache = next((row for row in self.rows if row.type == types.CACHE), None)
        return Layout(kind, (*entries.done(), *self._cache(disk, cache)))

    def _cache(self, disk: Disk, row: Row | None) -> tuple[LayoutPartition, ...]:
        asked = self.cache_kib or 0
        if row is None or not asked:
            return ()
        if asked == _REMOVE_CACHE:
            return (LayoutPartition(types.CACHE, keep=False),)
        size = Size(bytes=asked * KIB)
        present = _cache_of(disk)
        # like initCache: the same number and size stay, anything else is made anew
        same = present is not None and (present.number, present.size_bytes) == (
            row.number,
            size.bytes,
        )
        return (
            LayoutPartition(
                types.CACHE, size=size, keep=None if same else False, number=row.number
            ),
        )


def is_old_list(text: str) -> bool:
    """Whether this is a list ``TYPE:KB TYPE:KB …`` and not the name of a layout file."""
    words = text.split()
    return bool(words) and all(_WORD.fullmatch(word) for word in words)


def is_configurar(text: str) -> bool:
    """Whether this is Configurar's string, ``dis=1*che=…!par=1*…%``."""
    return "dis=" in text and "!" in text


def layout_from_old(words: Sequence[str], disk: Disk, table: TableKind | None = None) -> Layout:
    """The layout of ogCreatePartitions' arguments; ``table`` None: the disk's own, else msdos."""
    kind = table or _table_of(disk)
    cache = _cache_of(disk)
    entries = _Entries(kind)
    number = 1
    for word in words:
        name, colon, size = word.partition(":")
        if not colon or not size.isdecimal():
            raise UsageError(
                f"{word!r} is not TYPE:KB.", hint="For example: NTFS:30000000 LINUX:20000000."
            )
        if cache is not None and number == cache.number:
            number += 1
        entries.add(name.upper(), int(size), number)
        number += 1
    return Layout(kind, entries.done())


def parse_configurar(text: str) -> Configurar:
    """Configurar's string: ``dis=N*che=0|1*tch=KB!par=N*cpt=TYPE*sfi=FS*tam=KB*ope=0|1%…``.

    It was given to a shell that evaluated it; here it is only taken apart.
    """
    text = re.sub(r"\s", "", text)
    head, bang, tail = text.partition("!")
    if not bang:
        raise UsageError("The string of Configurar has no '!' between the disk and its partitions.")
    about = _fields(head, {"dis", "che", "tch"})
    rows = tuple(_row(piece) for piece in tail.split("%") if piece)
    counted = Counter(row.number for row in rows)
    if twice := next((number for number, times in counted.items() if times > 1), None):
        raise UsageError(f"The string of Configurar has partition {twice} twice.")
    cache = _number(about, "tch", head, least=-1) if about.get("tch") else None
    disk = _number(about, "dis", head, least=1)
    return Configurar(disk, cache, tuple(sorted(rows, key=lambda row: row.number)))


def _row(piece: str) -> Row:
    fields = _fields(piece, {"par", "cpt", "sfi", "tam", "ope", "cod"})
    kind = fields.get("cpt", "").upper()
    if not kind:
        raise UsageError(f"{piece!r} in the string of Configurar has no partition type (cpt).")
    number = _number(fields, "par", piece, least=1)
    return Row(
        number=number,
        type=kind,
        filesystem=fields.get("sfi", "").upper(),
        size_kib=_number(fields, "tam", piece, least=0) if kind != types.CACHE else 0,
        format=fields.get("ope") == "1" and kind not in _NEVER_FORMATTED,
    )


def _fields(text: str, known: set[str]) -> dict[str, str]:
    fields = {}
    for word in text.split("*"):
        key, equal, value = word.partition("=")
        if word and (not equal or key not in known):
            raise UsageError(
                f"{word!r} in the string of Configurar is not understood.",
                hint=f"Known: {', '.join(sorted(known))}.",
            )
        if word:
            fields[key] = value
    return fields


def _number(fields: Mapping[str, str], key: str, where: str, *, least: int) -> int:
    text = fields.get(key, "")
    if not re.fullmatch(r"-?\d{1,15}", text) or int(text) < least:
        raise UsageError(f"{where!r}: {key} must be a number from {least} on, not {text!r}.")
    return int(text)


class _Entries:
    """Collects numbered partitions into the nested form of a layout."""

    def __init__(self, table: TableKind) -> None:
        self._table = table
        self._whole: list[LayoutPartition] = []
        self._logical: list[LayoutPartition] = []

    def add(self, name: str, size_kib: int, number: int) -> None:
        logical = self._table is TableKind.MSDOS and number > PRIMARY_SLOTS
        row = self._logical if logical else self._whole
        size = Size(bytes=size_kib * KIB)
        if name == types.EMPTY:
            if size_kib:
                row.append(
                    LayoutPartition(types.EMPTY, size=size, number=None if logical else number)
                )
            return
        kind = self._kind(name, number)
        if not size_kib:
            raise UsageError(f"Partition {number} ({kind}) has no size.")
        row.append(LayoutPartition(kind, size=size, number=None if logical else number))

    def done(self) -> tuple[LayoutPartition, ...]:
        at = next((at for at, one in enumerate(self._whole) if one.type == types.EXTENDED), None)
        if at is None:
            if any(one.type != types.EMPTY for one in self._logical):
                raise UsageError(
                    "Partitions from number 5 on are logical, but there is no EXTENDED one.",
                    hint="Make one of the first four EXTENDED, or use gpt.",
                )
            return tuple(self._whole)
        extended = self._whole[at]
        around = LayoutPartition(
            types.EXTENDED,
            size=extended.size,
            number=extended.number,
            logical=tuple(self._logical),
        )
        return (*self._whole[:at], around, *self._whole[at + 1 :])

    def _kind(self, name: str, number: int) -> str:
        if name == types.CACHE:
            raise PartitionError(
                "The CACHE is not made by a list of partitions.", hint="Use ogCreateCache."
            )
        if name == types.EXTENDED and number > PRIMARY_SLOTS:
            raise UsageError(f"Partition {number} cannot be EXTENDED: only 1 to 4 can.")
        if name == types.EXTENDED and any(one.type == name for one in self._whole):
            raise UsageError("Only one partition can be EXTENDED.")
        try:
            return canonical(name, self._table)
        except UsageError as error:
            raise PartitionError(error.message, hint=error.hint, code=OgErr.PARTITION) from error


def _table_of(disk: Disk) -> TableKind:
    refuse_foreign(disk)
    return TableKind.MSDOS if disk.table is TableKind.NONE else disk.table


def _cache_of(disk: Disk) -> Partition | None:
    return next((part for part in disk.partitions if part.type == types.CACHE), None)
