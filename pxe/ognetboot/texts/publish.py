# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts a finished tree where TFTP and HTTP serve it, whole or not at all.

The tree is written beside its place and changes names with the old one in one step, so a PC that
boots in this moment sees the old files or the new ones, never a mixture, and files of PCs that left
the inventory are gone. A folder that ognetboot did not write is never replaced.
"""

from __future__ import annotations

import ctypes
import errno
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from ognetboot.errors import NetbootError

# Marks a tree as ours. The repository does not serve files whose name begins with a dot.
MARKER = PurePosixPath(".ognetboot")
_MARKER_TEXT = b"This folder is written by `ognetboot render`; changes made here are lost.\n"
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


Files = Mapping[PurePosixPath, bytes]
Links = Mapping[PurePosixPath, str]


def publish(out: Path, files: Files, links: Links, *, dry_run: bool = False) -> bool:
    """Make `out` hold exactly `files` and symbolic `links`; False if it did already."""
    files = {MARKER: _MARKER_TEXT, **files}
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise NetbootError(f"{out} exists and is not a folder", hint="choose another OUT")
    if out.is_dir() and any(out.iterdir()) and not (out / MARKER).is_file():
        raise NetbootError(
            f"{out} holds files that ognetboot did not write",
            hint="choose an empty or new folder as OUT",
        )
    if _holds(out, files, links):
        return False
    if dry_run:
        return True
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as scratch:
            fresh = Path(scratch) / "tree"
            _write(fresh, files, links)
            for path in (fresh, *fresh.rglob("*")):
                give_away(path, out.parent)
            _swap(fresh, out)
            _sync(out.parent)
    except OSError as error:
        raise NetbootError(
            f"{out}: the files cannot be written: {error.strerror}",
            hint="check rights and free space",
        ) from None
    return True


def _holds(out: Path, files: Files, links: Links) -> bool:
    if not out.is_dir():
        return False
    found: set[PurePosixPath] = set()
    for path in out.rglob("*"):
        name = PurePosixPath(path.relative_to(out))
        if path.is_symlink():
            if links.get(name) != str(path.readlink()):
                return False
        elif path.is_file():
            if files.get(name) != path.read_bytes():
                return False
        else:
            continue
        found.add(name)
    return found == {*files, *links}


def _write(root: Path, files: Files, links: Links) -> None:
    root.mkdir()
    folders = {root}
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        folders.update(p for p in path.parents if p.is_relative_to(root))
        with path.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        # TFTP and HTTP servers drop their rights: everybody must be able to read.
        path.chmod(0o644)
    for name, target in links.items():
        (root / name).symlink_to(target)
    for folder in folders:
        folder.chmod(0o755)
        _sync(folder)


def _swap(fresh: Path, out: Path) -> None:
    """Exchange the two names in one system call; what was at `out` is then at `fresh`."""
    if not out.exists():
        fresh.rename(out)
        return
    libc = ctypes.CDLL(None, use_errno=True)
    names = (_AT_FDCWD, os.fsencode(fresh), _AT_FDCWD, os.fsencode(out))
    if libc.renameat2(*names, _RENAME_EXCHANGE) == 0:
        return
    code = ctypes.get_errno()
    if code not in (errno.EINVAL, errno.ENOSYS):
        raise OSError(code, os.strerror(code), str(out))
    # A filesystem without exchange (NFS, old overlays): two renames, a PC in between finds nothing.
    old = fresh.with_name("old")
    out.rename(old)
    try:
        fresh.rename(out)
    except OSError:
        old.rename(out)
        raise


def give_away(path: Path, above: Path) -> None:
    """What root writes into another user's folder is that user's, who will write it anew."""
    if os.geteuid() == 0:
        owner = above.stat()
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
