# SPDX-License-Identifier: GPL-3.0-or-later
"""Archives as an initramfs is made of, byte by byte."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

KERNEL = "6.12.1-amd64"


def cpio(files: Mapping[str, bytes] | Iterable[str], magic: bytes = b"070701") -> bytes:
    """A newc archive of these files; of bare names each is empty."""
    contents = files if isinstance(files, Mapping) else dict.fromkeys(files, b"")
    raw = b""
    for name, data in (*contents.items(), ("TRAILER!!!", b"")):
        raw = _aligned(
            raw + _head(magic, len(data), len(name.encode()) + 1) + name.encode() + b"\0"
        )
        raw = _aligned(raw + data)
    return raw


def _head(magic: bytes, file_bytes: int, name_bytes: int) -> bytes:
    numbers = (1, 0o100644, 0, 0, 1, 0, file_bytes, 0, 0, 0, 0, name_bytes, 0)
    return magic + b"".join(b"%08X" % number for number in numbers)


def _aligned(raw: bytes) -> bytes:
    return raw + bytes(-len(raw) % 4)


def modules(*names: str, kernel: str = KERNEL) -> dict[str, bytes]:
    """Modules of a kernel as they lie in its initramfs."""
    return {f"usr/lib/modules/{kernel}/kernel/drivers/{name}.ko.xz": b"module" for name in names}
