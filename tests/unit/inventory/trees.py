# SPDX-License-Identifier: GPL-3.0-or-later
"""Small installed systems as folders: just the files by which they are recognised."""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Mapping
from pathlib import Path

from unit.inventory.hives import Keys, make_hive

WINDOWS_VERSION = "Microsoft\\Windows NT\\CurrentVersion"
UNINSTALL = "Microsoft\\Windows\\CurrentVersion\\Uninstall"
UNINSTALL_32 = "Wow6432Node\\" + UNINSTALL
GUID = "11111111-2222-4333-8444-555555555555"

WINDOWS_11: Keys = {
    WINDOWS_VERSION: {
        "ProductName": "Windows 10 Education",
        "CurrentBuild": "22631",
        "DisplayVersion": "23H2",
        "ReleaseId": "2009",
    },
    "Microsoft\\Cryptography": {"MachineGuid": GUID},
    f"{UNINSTALL}\\7-Zip": {"DisplayName": "7-Zip 23.01 (x64)", "DisplayVersion": "23.01"},
    f"{UNINSTALL}\\Hidden": {"DisplayName": "Part of Windows", "SystemComponent": 1},
    f"{UNINSTALL}\\KB1": {"DisplayName": "Update KB1", "ParentKeyName": "OperatingSystem"},
    f"{UNINSTALL}\\NoName": {"DisplayVersion": "1"},
    f"{UNINSTALL_32}\\GIMP": {"DisplayName": "GIMP ñ", "DisplayVersion": "2.10.36"},
}

DEBIAN: dict[str, str | bytes] = {
    "usr/lib/os-release": 'PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nID=debian\n',
    "usr/bin/ls": b"\x7fELF\x02\x01\x01",
    "etc/machine-id": "0123456789abcdef0123456789abcdef\n",
    "var/lib/dpkg/status": (
        "Package: zlib1g\nStatus: install ok installed\nVersion: 1:1.3.1-1\n\n"
        "Package: bash\nStatus: install ok installed\nDescription: shell\n Package: no\n"
        "Version: 5.2.37-2\n\n"
        "Package: gone\nStatus: deinstall ok config-files\nVersion: 1.0-1\n"
    ),
}


def make_tree(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def make_windows(folder: Path, keys: Keys = WINDOWS_11) -> Path:
    config = folder / "Windows/System32/config"
    config.mkdir(parents=True)
    (folder / "Windows/SysWOW64").mkdir()
    make_hive(config / "SOFTWARE", keys)
    return folder


def rpm_header(name: str, version: str, release: str, arch: str = "") -> bytes:
    """A header blob as rpm stores it, with the tags that are read and one that is not."""
    texts = {1000: name, 1001: version, 1002: release, 1004: "a summary"}
    if arch:
        texts[1022] = arch
    index, data = b"", b""
    for tag, text in sorted(texts.items()):
        index += struct.pack(">IIII", tag, 6, len(data), 1)
        data += text.encode() + b"\0"
    return struct.pack(">II", len(texts), len(data)) + index + data


def make_rpm_database(path: Path, *headers: bytes, wal: bool = False) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path)
    if wal:
        connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE Packages (hnum INTEGER PRIMARY KEY, blob BLOB NOT NULL)")
    connection.executemany("INSERT INTO Packages (blob) VALUES (?)", [(one,) for one in headers])
    connection.commit()
    connection.close()
    return path
