# SPDX-License-Identifier: GPL-3.0-or-later
"""The site overlay: a folder of the site's own files as a second initrd, ``site.cpio``.

ogLive's first stage copies what lies below ``/site`` of its initrd over the root before it
starts it, so a site's image key and policy need no build. Only plain files and folders go in;
all of them belong to root, with the folder's own mode bits.

Format: newc cpio, Documentation/driver-api/early-userspace/buffer-format.rst of the kernel. Its
length is a multiple of four, so that firmware may join other initrds to it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from ognetboot.errors import NetbootError

_ALIGN = 4
_MODE_BITS = 0o777
_MOST_BYTES = 64 << 20


def pack(folder: Path) -> bytes:
    """``folder``'s content as the archive; the same files give the same bytes."""
    if not folder.is_dir():
        raise NetbootError(
            f"{folder} is not a folder",
            hint="lay the files out as in ogLive, such as etc/oglive/keys/image.pub",
        )
    body = bytearray()
    for number, (name, mode, content) in enumerate(_entries(folder), start=1):
        body += _entry(name, mode, content, number)
        if len(body) > _MOST_BYTES:
            raise NetbootError(
                f"{folder} holds more than {_MOST_BYTES >> 20} MiB",
                hint="the overlay stays in every PC's memory; keep programs in the image",
            )
    return bytes(body) + _entry("TRAILER!!!", 0, b"", 0)


def write(folder: Path, out: Path) -> None:
    """Pack ``folder`` into ``out``, which appears complete or not at all."""
    data = pack(folder)
    part = out.with_name(out.name + ".part")
    try:
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.rename(out)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise NetbootError(
            f"{out} cannot be written: {error.strerror}", hint="choose another place"
        ) from error


def _entries(folder: Path) -> Iterator[tuple[str, int, bytes]]:
    yield "site", stat.S_IFDIR | 0o755, b""
    for path in sorted(folder.rglob("*")):
        name = f"site/{path.relative_to(folder)}"
        status = path.lstat()
        if stat.S_ISDIR(status.st_mode):
            yield name, stat.S_IFDIR | 0o755, b""
        elif stat.S_ISREG(status.st_mode):
            yield name, stat.S_IFREG | status.st_mode & _MODE_BITS, path.read_bytes()
        else:
            raise NetbootError(
                f"{path} is neither a plain file nor a folder", hint="copy what it points to"
            )


def _entry(name: str, mode: int, content: bytes, number: int) -> bytes:
    path = os.fsencode(name) + b"\0"
    fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(path), 0)
    header = b"070701" + b"".join(b"%08X" % value for value in fields) + path
    return _padded(header) + _padded(content)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % _ALIGN)
