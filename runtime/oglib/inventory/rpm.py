# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages of an rpm database in SQLite (rpm 4.16 and later); read from a private copy.

Format: table ``Packages``, one header blob per package: two big-endian counts (index entries, bytes
of data), 16-byte entries (tag, type, offset, count), data. Tags and types as in rpm's ``rpmtag.h``.
The older formats (Berkeley DB, NDB) are named as not readable. The database is hostile input:
``Packages`` must be a plain table, and SQLite trusts nothing of its schema.
"""

from __future__ import annotations

import sqlite3
import struct
import tempfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from oglib.errors import OgError
from oglib.inventory.sanitized import one_line
from oglib.osconfig.root import TargetRoot

_FOLDERS = ("usr/lib/sysimage/rpm", "var/lib/rpm")
_OLDER = {"Packages": "Berkeley DB", "Packages.db": "NDB"}
_NAME, _VERSION, _RELEASE, _ARCH = 1000, 1001, 1002, 1022
_STRING = 6
_ENTRY_BYTES = 16
_MAX_ENTRIES = 65536
_MAX_HEADER_BYTES = 64 * 1024 * 1024
_MAX_PACKAGES = 200_000
_MAX_READ_BYTES = 2 * 1024 * 1024 * 1024
_TEXT_BYTES = 4096
# Not a package: a signing key that was imported into the database.
_KEYS = "gpg-pubkey"


@dataclass(frozen=True, slots=True)
class RpmPackage:
    """One installed package: ``bash``, ``5.2.26-3.fc40.x86_64``."""

    name: str
    version: str


def installed(root: TargetRoot) -> tuple[RpmPackage, ...] | None:
    """The packages of a mounted system; None where it has no rpm database.

    Raises OgError where the database is damaged or of a format that cannot be read here.
    """
    for folder in _FOLDERS:
        if root.exists(f"{folder}/rpmdb.sqlite"):
            return _from_sqlite(root, folder)
    for folder in _FOLDERS:
        for name, form in _OLDER.items():
            if root.exists(f"{folder}/{name}"):
                raise OgError(f"The rpm database is in the format {form}, which is not read here.")
    return None


def _from_sqlite(root: TargetRoot, folder: str) -> tuple[RpmPackage, ...]:
    with tempfile.TemporaryDirectory(prefix="oglive-rpm-") as scratch:
        copy = Path(scratch) / "rpmdb.sqlite"
        # with its journal: a system that was not shut down has its last changes there
        for suffix in ("", "-wal"):
            try:
                with Path(f"{copy}{suffix}").open("wb") as file:
                    root.copy_to(f"{folder}/rpmdb.sqlite{suffix}", file)
            except FileNotFoundError:
                continue
        try:
            return _read(copy)
        except (sqlite3.Error, struct.error, IndexError, ValueError) as error:
            raise OgError(f"The rpm database is damaged: {error}.") from error


def _read(database: Path) -> tuple[RpmPackage, ...]:
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA trusted_schema = OFF")
        kinds = connection.execute("SELECT type FROM sqlite_master WHERE name = 'Packages'")
        if kinds.fetchall() != [("table",)]:
            raise ValueError("there is no table of packages")
        # pages of a damaged database may be met again and again, and a column may be computed
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MAX_HEADER_BYTES)
        found, count, read_bytes = set(), 0, 0
        for (blob,) in connection.execute("SELECT blob FROM Packages"):
            if not isinstance(blob, bytes):
                raise ValueError("a package without a header")
            count, read_bytes = count + 1, read_bytes + len(blob)
            if count > _MAX_PACKAGES or read_bytes > _MAX_READ_BYTES:
                raise ValueError("more packages than a system has")
            found.add(parse_header(blob))
    return tuple(
        sorted((one for one in found if one.name != _KEYS), key=lambda one: (one.name, one.version))
    )


def parse_header(blob: bytes) -> RpmPackage:
    """Name and version of one header blob; ValueError or struct.error where it is none."""
    entries, data_bytes = struct.unpack_from(">II", blob)
    if entries > _MAX_ENTRIES:
        raise ValueError(f"a package header with {entries} entries")
    start = 8 + entries * _ENTRY_BYTES
    data = blob[start : start + data_bytes]
    if len(data) < data_bytes:
        raise ValueError("a package header that is cut short")
    texts = {}
    for index in range(entries):
        tag, kind, offset, _ = struct.unpack_from(">IIII", blob, 8 + index * _ENTRY_BYTES)
        # the first of each tag, and no more of it than is shown: all may name one long text
        if tag in (_NAME, _VERSION, _RELEASE, _ARCH) and kind == _STRING and tag not in texts:
            text = data[offset : offset + _TEXT_BYTES].partition(b"\0")[0]
            texts[tag] = one_line(text.decode(errors="replace"))
    if not texts.get(_NAME):
        raise ValueError("a package without a name")
    version = "-".join(texts[tag] for tag in (_VERSION, _RELEASE) if tag in texts)
    arch = f".{texts[_ARCH]}" if _ARCH in texts else ""
    return RpmPackage(texts[_NAME], f"{version}{arch}")
