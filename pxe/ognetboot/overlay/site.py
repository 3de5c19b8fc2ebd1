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
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ognetboot import keeping
from ognetboot.errors import NetbootError
from ognetboot.overlay import sitecheck

_ALIGN = 4
_MODE_BITS = 0o777
_MOST_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Extra:
    """What is put in beside the folder's own files: public keys (``*.pub``) and the site's CA."""

    keys: Path | None = None
    ca: Path | None = None


def pack(folder: Path, extra: Extra | None = None) -> bytes:
    """``folder``'s content as the archive; the same files give the same bytes."""
    files = _files(folder, extra or Extra())
    sitecheck.check({path: content for path, (_, content) in files.items()})
    body = bytearray()
    for number, (name, mode, content) in enumerate(_entries(folder, files), start=1):
        body += _entry(name, mode, content, number)
        if len(body) > _MOST_BYTES:
            raise _too_much(folder)
    return bytes(body) + _entry("TRAILER!!!", 0, b"", 0)


def write(folder: Path, out: Path, extra: Extra | None = None, *, dry_run: bool = False) -> bool:
    """Pack ``folder`` into ``out``, which appears complete or not at all; False: it is so."""
    data = pack(folder, extra)
    try:
        if out.is_file() and out.read_bytes() == data:
            return False
        if dry_run:
            return True
    except OSError as error:
        raise NetbootError(
            f"{out} cannot be written: {error.strerror}", hint="choose another place"
        ) from error
    keeping.write(out, data)
    return True


_Files = dict[PurePosixPath, tuple[int, bytes]]


def _files(folder: Path, extra: Extra) -> _Files:
    """Mode bits and content of every file by its path on the PC."""
    if not folder.is_dir():
        raise NetbootError(
            f"{folder} is not a folder",
            hint="lay the files out as in ogLive, such as etc/oglive/keys/image.pub",
        )
    found: _Files = {}
    total = 0
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        if stat.S_ISREG(status.st_mode):
            name = PurePosixPath(path.relative_to(folder))
            total += status.st_size
            if total > _MOST_BYTES:
                raise _too_much(folder)
            found[name] = (status.st_mode & _MODE_BITS, _read(path))
        elif not stat.S_ISDIR(status.st_mode):
            raise NetbootError(
                f"{path} is neither a plain file nor a folder", hint="copy what it points to"
            )
    for name, path in _extras(extra):
        content = _read(path)
        if found.setdefault(name, (0o644, content))[1] != content:
            raise NetbootError(
                f"{folder / name} and {path} differ, and both would be {name} on the PC",
                hint=f"remove {folder / name}, or give it another name",
            )
    return found


def _extras(extra: Extra) -> Iterable[tuple[PurePosixPath, Path]]:
    if extra.keys is not None:
        keys = sorted(extra.keys.glob("*.pub"))
        if not keys:
            raise NetbootError(
                f"{extra.keys} holds no public key", hint="give the repository's folder keys/"
            )
        yield from ((sitecheck.KEYS / key.name, key) for key in keys)
    if extra.ca is not None:
        yield sitecheck.CA, extra.ca


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise _too_much(path)
        return keeping.content(path, _MOST_BYTES)
    except OSError as error:
        raise NetbootError(
            f"{path} cannot be read: {error.strerror}", hint="check the path and its rights"
        ) from error


def _too_much(where: Path) -> NetbootError:
    return NetbootError(
        f"{where} holds more than {_MOST_BYTES >> 20} MiB",
        hint="the overlay stays in every PC's memory; keep programs in the image",
    )


def _entries(folder: Path, files: _Files) -> Iterator[tuple[str, int, bytes]]:
    yield "site", stat.S_IFDIR | 0o755, b""
    empty = (path.relative_to(folder) for path in folder.rglob("*") if path.is_dir())
    folders = {PurePosixPath(path) for path in empty} | {
        parent for path in files for parent in path.parents if parent.parts
    }
    for path in sorted(folders | files.keys()):
        if path in files:
            mode, content = files[path]
            yield f"site/{path}", stat.S_IFREG | mode, content
        else:
            yield f"site/{path}", stat.S_IFDIR | 0o755, b""


def _entry(name: str, mode: int, content: bytes, number: int) -> bytes:
    path = os.fsencode(name) + b"\0"
    fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(path), 0)
    header = b"070701" + b"".join(b"%08X" % value for value in fields) + path
    return _padded(header) + _padded(content)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % _ALIGN)
