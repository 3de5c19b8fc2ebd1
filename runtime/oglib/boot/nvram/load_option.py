# SPDX-License-Identifier: GPL-3.0-or-later
"""One boot entry as firmware stores it (UEFI specification, EFI_LOAD_OPTION), bytes to value.

The bytes of an entry stay with it: what is not understood goes back as it came. A damaged one is
a value too, so that it can be shown and removed.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from uuid import UUID

from oglib.disk.model import Disk, Partition, TableKind
from oglib.errors import PartitionError

_HEAD = struct.Struct("<IH")
_NODE = struct.Struct("<BBH")
_DISK_NODE = struct.Struct("<IQQ16sBB")
_ACTIVE = 1
_MOST_LABEL = 255  # characters; the longest of real firmware have some dozens
_END, _MESSAGING, _MEDIA = 0x7F, 3, 4
_HARD_DISK, _FILE = 1, 4  # of a medium
_MBR, _GPT = 1, 2
_BY_SIGNATURE, _BY_GUID = 1, 2
_PROTOCOLS = {12: "IPv4", 13: "IPv6", 24: "HTTP"}  # of a message; nearer the end is what counts
_CARD = 11
_BAD = ("utf-16-le", "surrogatepass")


class Kind(StrEnum):
    """What an entry starts."""

    FILE = "file"
    NETWORK = "network"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Target:
    """Where an entry leads.

    ``partition`` is its PARTUUID in the kernel's spelling, ``file`` a path with ``/``; both empty
    but for ``FILE``. ``protocol`` of a network: IPv4, IPv6, HTTP, or empty.
    """

    kind: Kind
    partition: str = ""
    file: str = ""
    protocol: str = ""

    def describe(self) -> str:
        match self.kind:
            case Kind.FILE:
                return f"{self.file} on PARTUUID={self.partition}"
            case Kind.NETWORK:
                return f"the network{f' ({self.protocol})' if self.protocol else ''}"
        return "something else"


@dataclass(frozen=True, slots=True)
class LoadOption:
    """An entry's content. ``raw`` is all of it; ``damage`` says why it cannot be read."""

    raw: bytes
    label: str
    active: bool
    target: Target
    damage: str = ""


def decoded(raw: bytes) -> LoadOption:
    """The value of stored bytes; what breaks the rules is told in ``damage``."""
    nothing = LoadOption(raw, "", active=False, target=Target(Kind.OTHER))
    if len(raw) < _HEAD.size:
        return replace(nothing, damage="it is shorter than its head")
    attributes, path_bytes = _HEAD.unpack_from(raw)
    active = bool(attributes & _ACTIVE)
    end = _end_of_text(raw, _HEAD.size)
    if end < 0:
        return replace(nothing, active=active, damage="its label has no end")
    label = raw[_HEAD.size : end].decode(*_BAD).encode("utf-8", "replace").decode()
    begin = end + 2
    if begin + path_bytes > len(raw):
        return replace(nothing, label=label, active=active, damage="its path is cut")
    nodes = list(_nodes(raw[begin : begin + path_bytes]))
    return LoadOption(raw, label, active, _target(nodes))


def loader(label: str, disk: Disk, part: Partition, file: str) -> LoadOption:
    """The entry that starts ``file`` (a path with ``/``) on a partition; PARTITION where none can.

    It names the partition alone, not the way to the disk, so that another socket does not matter.
    """
    text = f"/{file.strip('/')}".replace("/", "\\")
    name = label[:_MOST_LABEL].encode("utf-16-le", "replace") + b"\0\0"
    path = _node(_MEDIA, _HARD_DISK, _place(disk, part))
    path += _node(_MEDIA, _FILE, text.encode("utf-16-le") + b"\0\0")
    path += _node(_END, 0xFF, b"")
    return decoded(_HEAD.pack(_ACTIVE, len(path)) + name + path)


def with_active(option: LoadOption, *, active: bool) -> LoadOption:
    """The same entry, tried by the firmware or not."""
    if len(option.raw) < _HEAD.size:
        return option
    attributes, path_bytes = _HEAD.unpack_from(option.raw)
    attributes = attributes | _ACTIVE if active else attributes & ~_ACTIVE
    raw = _HEAD.pack(attributes, path_bytes) + option.raw[_HEAD.size :]
    return replace(option, raw=raw, active=active)


def without_attributes(option: LoadOption) -> bytes:
    """What two entries have in common that start the same in the same way."""
    return option.raw[4:]


def _place(disk: Disk, part: Partition) -> bytes:
    sector = disk.logical_sector_bytes
    start, size = part.start_bytes // sector, part.size_bytes // sector
    if disk.table is TableKind.GPT and part.partuuid:
        how = (UUID(part.partuuid).bytes_le, _GPT, _BY_GUID)
    elif disk.table is TableKind.MSDOS and "-" in part.partuuid:
        signature = int(part.partuuid.partition("-")[0], 16)
        how = (signature.to_bytes(16, "little"), _MBR, _BY_SIGNATURE)
    else:
        raise PartitionError(
            f"Partition {part.number} of {disk.describe()} has no identity that firmware could "
            "find it by."
        )
    return _DISK_NODE.pack(part.number, start, size, *how)


def _node(kind: int, sub: int, data: bytes) -> bytes:
    return _NODE.pack(kind, sub, _NODE.size + len(data)) + data


def _end_of_text(raw: bytes, begin: int) -> int:
    """Where the two zero bytes after a text of 16 bits a character are; -1 where there are none."""
    for at in range(begin, len(raw) - 1, 2):
        if raw[at] == raw[at + 1] == 0:
            return at
    return -1


def _nodes(path: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Type, subtype and data of each part; ends where the path does, or where it makes no sense."""
    at = 0
    while at + _NODE.size <= len(path):
        kind, sub, length = _NODE.unpack_from(path, at)
        if kind == _END or length < _NODE.size or at + length > len(path):
            return
        yield kind, sub, path[at + _NODE.size : at + length]
        at += length


def _target(nodes: list[tuple[int, int, bytes]]) -> Target:
    disk = next((d for kind, sub, d in nodes if (kind, sub) == (_MEDIA, _HARD_DISK)), b"")
    names = [_text(data) for kind, sub, data in nodes if (kind, sub) == (_MEDIA, _FILE)]
    if partition := _partition(disk):
        file = "\\".join(name.strip("\\") for name in names if name)
        return Target(Kind.FILE, partition, f"/{file}".replace("\\", "/")) if file else _OTHER
    subs = [sub for kind, sub, _ in nodes if kind == _MESSAGING]
    protocols = [_PROTOCOLS[sub] for sub in subs if sub in _PROTOCOLS]
    if protocols or _CARD in subs:
        return Target(Kind.NETWORK, protocol=protocols[-1] if protocols else "")
    return _OTHER


_OTHER = Target(Kind.OTHER)


def _partition(data: bytes) -> str:
    if len(data) < _DISK_NODE.size:
        return ""
    number, _, _, signature, _, how = _DISK_NODE.unpack_from(data)
    if how == _BY_GUID:
        return str(UUID(bytes_le=signature))
    if how == _BY_SIGNATURE:
        return f"{int.from_bytes(signature[:4], 'little'):08x}-{number:02x}"
    return ""


def _text(data: bytes) -> str:
    end = _end_of_text(data, 0)
    text = data[: end if end >= 0 else len(data) & ~1]
    return text.decode(*_BAD).encode("utf-8", "replace").decode()
