# SPDX-License-Identifier: GPL-3.0-or-later
"""How a console has a disk laid out (``Configurar``), and what it is told of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from oglib.disk.model import Disk, Partition, TableKind
from oglib.disk.planning.old_layouts import Configurar, parse_configurar
from oglib.disk.probe import list_disks
from oglib.errors import FilesystemError, OgErr, OgError
from oglib.shim.command import FREE, Command, command_of
from oglib.shim.copy import write_small
from oglib.shim.filesystem_read import mounted_usage_of
from oglib.shim.interface import told_from_end_to_end
from oglib.shim.steps import said, say

_KIB = 1024
_PER_CENT = 100
_KEPT = Path("/tmp/getconfig")  # noqa: S108  where OpenGnsys' scripts look for it
_CACHE, _EMPTY = "CACHE", "EMPTY"
_NO_FILES = (_EMPTY, "LINUX-SWAP", "LINUX-LVM", "ZVOL")
_TABLES = {TableKind.MSDOS: 1, TableKind.GPT: 2, TableKind.LVM: 3, TableKind.ZPOOL: 4}
_DISKLESS = "1:0:0:::0:0"
_FIELDS = ("disk", "par", "cpt", "fsi", "soi", "tam", "uso")


@dataclass(frozen=True, slots=True)
class _Request:
    """What is asked for, in the words of the commands that do it. ``table``: empty, as it is."""

    table: str
    asked: Configurar

    @property
    def disk(self) -> str:
        return str(self.asked.disk)

    @property
    def cache_kb(self) -> str:
        return str(self.asked.cache_kib or 0)

    @property
    def cache_number(self) -> int:
        """The partition of the cache; 0 where none is asked for."""
        return next((row.number for row in self.asked.rows if row.type == _CACHE), 0)

    @property
    def partitions(self) -> tuple[str, ...]:
        """``TYPE:KB`` by their numbers; the cache's own is never among them."""
        by_number = {row.number: f"{row.type}:{row.size_kib}" for row in self.asked.rows
                     if row.type != _CACHE}  # fmt: skip
        last = max(by_number, default=0)
        return tuple(by_number.get(number, f"{_EMPTY}:0") for number in range(1, last + 1))


def read_request(words: Sequence[str]) -> _Request:
    """What a console wrote, in one word or several; FORMAT where it is not that."""
    table = words[0].upper() if words[0].upper() in ("MSDOS", "GPT") else ""
    text = "".join("".join(words).partition("dis=")[1:])
    return _Request(table, parse_configurar(text))


def _configure(words: Sequence[str]) -> int:
    request = read_request(words)
    return told_from_end_to_end("Configurar", words, lambda: _configured(request))


def _configured(request: _Request) -> None:
    disk = request.disk
    before = _cache_kb()
    say(10, said("MSG_HELP_ogUnmountAll", "Unmounting all filesystems"))
    command_of("ogUnmountAll").run((disk,))
    command_of("ogUnmountCache").run(())
    if request.table:
        command_of("ogCreatePartitionTable").run((disk, request.table))
    if request.cache_number:
        place = (disk, str(request.cache_number), request.cache_kb)
        say(30, f"initCache {' '.join(place)}")
        command_of("initCache").run(place)
    if request.partitions:
        say(50, f"ogCreatePartitions {disk} {' '.join(request.partitions)}")
        command_of("ogCreatePartitions").run((disk, *request.partitions))
    say(70, said("MSG_HELP_ogFormat", "Formatting"))
    for row in request.asked.rows:
        if not row.format:
            continue
        if row.filesystem == _CACHE:
            if before == request.cache_kb:  # else it was made anew, and is empty
                say(None, "ogFormatCache")
                command_of("ogFormatCache").run(())
        elif row.filesystem:
            place = (disk, str(row.number), row.filesystem)
            say(None, f"ogFormatFs {' '.join(place)}")
            command_of("ogFormatFs").run(place)


def _cache_kb() -> str:
    if command_of("ogFindCache").run(()) == OgErr.NOTFOUND:
        return ""
    return str(command_of("ogGetCacheSize").run(()))


def _configuration(_words: Sequence[str]) -> str:
    """The serial number, then a line for each disk and each partition."""
    serial = str(command_of("ogGetSerialNumber").run(()) or "")
    rows = [row for disk in list_disks() if disk.number for row in _rows_of(disk)] or [_DISKLESS]
    write_small(_KEPT, ";".join([*filter(None, [serial]), *rows, ""]) + "\n")
    lines = [_line(row) for row in rows]
    return "\n".join([f"ser={serial}", *lines] if serial else lines)


def _line(row: str) -> str:
    values = zip(_FIELDS, row.split(":"), strict=True)
    return "\t".join(f"{name}={value}" for name, value in values)


def _rows_of(disk: Disk) -> Iterator[str]:
    """``DISK:PARTITION:TYPE:FILESYSTEM:SYSTEM:KB:PERCENT``; partition 0 is the disk itself."""
    yield f"{disk.number}:0:{_TABLES.get(disk.table, 0)}:::{disk.size_bytes // _KIB}:0"
    there = {part.number: part for part in disk.partitions}
    for number in range(1, max(there, default=0) + 1):
        part = there.get(number)
        if part is None:
            yield f"{disk.number}:{number}::{_EMPTY}::0:0"
        else:
            yield _row_of(disk, part)


def _row_of(disk: Disk, part: Partition) -> str:
    place = (str(disk.number), str(part.number))
    kind = _asked("ogGetPartitionId", place)
    filesystem = _asked("ogGetFsType", place) or _EMPTY
    system = ""
    used: int | None = 0
    if filesystem not in _NO_FILES:
        used = _used_percent(place)
        _, _, system = _asked("ogGetOsVersion", place).partition(":")
        if not system and filesystem != _CACHE and used is not None:
            system = "DATA"
    size = part.size_bytes // _KIB
    system = system.translate({ord(":"): " ", ord(";"): " ", ord("\t"): " "})
    return f"{':'.join(place)}:{kind}:{filesystem}:{system}:{size}:{used or 0}"


def _asked(name: str, place: tuple[str, str]) -> str:
    """What cannot be told is empty: the others of the PC are told all the same."""
    try:
        answer = command_of(name).run(place)
    except OgError:
        return ""
    return answer if isinstance(answer, str) else ""


def _used_percent(place: tuple[str, str]) -> int | None:
    """As ``df`` has it, rounded up; None where it cannot be mounted."""
    try:
        usage = mounted_usage_of(*place)
    except (OgError, FilesystemError):
        return None
    whole = usage.used_bytes + usage.free_bytes
    return -(-usage.used_bytes * _PER_CENT // whole) if whole else 0


COMMANDS = {
    command.name: command
    for command in (
        Command(
            "Configurar",
            "[MSDOS|GPT] 'dis=N*che=C*tch=KB!par=n*cpt=TYPE*sfi=FS*tam=KB*ope=0|1%…'",
            "lays out a disk with its cache and formats what is asked for",
            _configure,
            1,
            FREE,
            "Configurar 1 'dis=1*che=0*tch=0!par=1*cpt=LINUX*sfi=EXT4*tam=20000000*ope=1%'",
            "All of it is read before anything is done. A table that is there keeps its kind "
            "where none is named: a GPT does not become MSDOS. Partitions that are as asked stay "
            "as they are. Each error has its own number.",
        ),
        Command(
            "getConfiguration",
            "",
            "prints serial number, disks, partitions, their systems and how full they are",
            _configuration,
            0,
            0,
            "getConfiguration",
            "A line is `disk=1 par=1 cpt=83 fsi=EXT4 soi=Debian… tam=KB uso=PERCENT` with tabs "
            "between. It leaves nothing mounted and removes nothing.",
        ),
    )
}
