# SPDX-License-Identifier: GPL-3.0-or-later
"""The layouts that the test repository offers by name."""

from __future__ import annotations

from collections.abc import Mapping

# Every kind that ogLive makes, with the MiB its tools insist on.
KINDS_MIB: Mapping[str, int] = {
    "ext2": 48,
    "ext3": 48,
    "ext4": 48,
    "xfs": 320,
    "btrfs": 160,
    "f2fs": 96,
    "fat12": 8,
    "fat16": 48,
    "fat32": 96,
    "exfat": 48,
    "ntfs": 48,
    "swap": 48,
    "jfs": 48,
    "nilfs2": 160,
    "reiserfs": 64,
}


def _part(type_name: str, size: str, **more: object) -> dict[str, object]:
    return {"type": type_name, "size": size, **more}


def _cached(size: str) -> dict[str, object]:
    """The partitions of ``bios``, and a cache behind them."""
    parts = [_part("LINUX", "rest", active=True), _part("LINUX-SWAP", "256MiB")]
    return {"table": "msdos", "partitions": [*parts, _part("CACHE", size)]}


def _moved(table: str, *, first: str = "", boot: bool = False) -> dict[str, object]:
    """The partitions of a model PC (harness.models) in another order, so with other numbers."""
    parts = [_part(first, "1MiB" if first == "BIOS-BOOT" else "128MiB")] if first else []
    parts.append(_part("LINUX-SWAP", "128MiB"))
    if boot:
        parts.append(_part("LINUX", "384MiB"))
    parts.append(_part("LINUX", "rest", **({} if first else {"active": True})))
    return {"table": table, "partitions": parts}


LAYOUTS: Mapping[str, object] = {
    "bios": {
        "table": "msdos",
        "partitions": [_part("LINUX", "rest", active=True), _part("LINUX-SWAP", "256MiB")],
    },
    "bios-cached": _cached("1GiB"),
    "bios-cached-small": _cached("64MiB"),
    "uefi": {
        "table": "gpt",
        "partitions": [
            _part("EFI", "256MiB"),
            _part("LINUX", "rest"),
            _part("LINUX-SWAP", "256MiB"),
        ],
    },
    "moved-bios-mbr": _moved("msdos"),
    "moved-bios-mbr-boot": _moved("msdos", boot=True),
    "moved-bios-gpt": _moved("gpt", first="BIOS-BOOT"),
    "moved-bios-gpt-boot": _moved("gpt", first="BIOS-BOOT", boot=True),
    "moved-uefi": _moved("gpt", first="EFI"),
    "moved-uefi-boot": _moved("gpt", first="EFI", boot=True),
    "every-kind": {
        "table": "gpt",
        "partitions": [_part("LINUX", f"{mib}MiB", name=kind) for kind, mib in KINDS_MIB.items()],
    },
    "logical": {
        "table": "msdos",
        "partitions": [
            _part("NTFS", "128MiB", active=True),
            {
                "type": "EXTENDED",
                "partitions": [_part("LINUX", "128MiB"), _part("FAT32", "128MiB")],
            },
        ],
    },
    "esp-and-root": {
        "table": "gpt",
        "partitions": [_part("EFI", "128MiB"), _part("LINUX", "512MiB")],
    },
    "esp-and-root-small": {
        "table": "gpt",
        "partitions": [_part("EFI", "64MiB"), _part("LINUX", "rest")],
    },
    "two-halves": {
        "table": "gpt",
        "partitions": [_part("LINUX-RAID", "50%"), _part("LINUX-RAID", "rest")],
    },
    "keep-first-on-gpt": {
        "table": "gpt",
        "partitions": [{"keep": True, "number": 1}, _part("LINUX", "rest")],
    },
    "empty-gpt": {"table": "gpt", "partitions": []},
    "four-kib": {
        "table": "gpt",
        "partitions": [
            _part("LINUX", "128MiB", name="ext4"),
            _part("LINUX", "384MiB", name="xfs"),
            _part("WINDOWS", "320MiB", name="fat32"),
            _part("WINDOWS", "128MiB", name="ntfs"),
        ],
    },
}
