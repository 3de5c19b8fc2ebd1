# SPDX-License-Identifier: GPL-3.0-or-later
"""A newc cpio archive from names and bytes: the site overlay is a second initrd of this kind.

Format: Documentation/driver-api/early-userspace/buffer-format.rst of the kernel.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

_FILE = 0o100644
_FOLDER = 0o040755
_ALIGN = 4


def _entry(name: str, mode: int, content: bytes, number: int) -> bytes:
    path = name.encode("ascii") + b"\0"
    fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(path), 0)
    header = b"070701" + b"".join(b"%08X" % value for value in fields) + path
    return _padded(header) + _padded(content)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % _ALIGN)


def archive(files: Mapping[str, bytes]) -> bytes:
    """The archive, its folders made before what lies in them; the same input, the same bytes."""
    parents = {str(parent) for name in files for parent in PurePosixPath(name).parents}
    folders = sorted(parents - {"."})
    rows = [(name, _FOLDER, b"") for name in folders]
    rows += [(name, _FILE, files[name]) for name in sorted(files)]
    body = b"".join(_entry(*row, number) for number, row in enumerate(rows, 1))
    return body + _entry("TRAILER!!!", 0, b"", 0)
