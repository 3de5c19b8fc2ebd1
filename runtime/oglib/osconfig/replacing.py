# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts a whole new file in place of another, by the descriptor of its folder alone.

After a power cut or a full disk the old content is there or the new one, never a part. What
belongs to the file and not to its content stays: owner, mode, labels, ACLs.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import PurePosixPath
from typing import BinaryIO

from oglib.durable import settle
from oglib.errors import OgError
from oglib.osconfig.inside import NOTHING_THERE, open_inside

_MOST_LINKS = 40  # as the kernel follows
# Of a label that this filesystem or kernel does not take; anything else is a failure to write.
_NO_SUCH_LABEL = frozenset(
    (errno.EOPNOTSUPP, errno.EPERM, errno.EACCES, errno.EINVAL, errno.ENODATA)
)
# vfat and its like; and one that has as many names as it may.
_NO_SECOND_NAME = frozenset((errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK))
# Of large files: found again by the next run, which removes what one that was cut has left.
_PART, _OLD = ".og.part", ".og.old"
_PIECE_BYTES = 1 << 20
# Rights and sums of the old content, which the new one does not inherit.
_OF_THE_CONTENT = frozenset(("security.capability", "security.ima", "security.evm"))
_RIGHTS = frozenset(("system.posix_acl_access",))  # set, it opens a mode that was closed


@contextmanager
def folder_of(root_fd: int, name: str) -> Iterator[tuple[int, str]]:
    """The folder that ``name`` lies in, open, and its last part."""
    path = PurePosixPath("/", name)
    if path.name in ("", ".", ".."):
        raise OgError(f"{name!r} does not name a file.")
    folder_fd = open_inside(root_fd, str(path.parent), os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield folder_fd, path.name
    finally:
        os.close(folder_fd)


@contextmanager
def place_of(root_fd: int, name: str) -> Iterator[tuple[int, str]]:
    """The folder and last part where the content of ``name`` lies, or where it is to lie."""
    with folder_of(root_fd, name) as (folder_fd, last):
        real = _linked(root_fd, name, os.fstat(folder_fd).st_dev)
        if real == name:
            yield folder_fd, last
            return
    with folder_of(root_fd, real) as (folder_fd, last):
        yield folder_fd, last


def _linked(root_fd: int, name: str, device: int) -> str:
    """What the links at ``name`` lead to, where it is a regular file of ``device``.

    Else ``name``: another filesystem may be another system's, and what is not there is not made
    at a place that only a link names.
    """
    path = PurePosixPath("/", name)
    for _ in range(_MOST_LINKS):
        if path.name in ("", ".."):
            return name
        try:
            with folder_of(root_fd, str(path)) as (folder_fd, last):
                info = os.lstat(last, dir_fd=folder_fd)
                if not stat.S_ISLNK(info.st_mode):
                    plain = stat.S_ISREG(info.st_mode) and info.st_dev == device
                    return str(path) if plain else name
                target = os.readlink(last, dir_fd=folder_fd)
                if target.endswith("/"):
                    return name
                path = path.parent / target
        except OSError as error:
            if error.errno not in NOTHING_THERE:
                raise
            return name
    return name


def replace_file(
    folder_fd: int, last: str, data: bytes, mode: int, *, closed: bool = False
) -> None:
    """``last`` in the folder holds ``data``; ``mode`` is that of a file that was not there.

    ``closed``: of the rights of one that was there only its owner's stay.
    """
    temporary = _free_name_beside(folder_fd, last)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    file_fd = os.open(temporary, flags, 0o600, dir_fd=folder_fd)
    try:
        with os.fdopen(file_fd, "wb") as file:
            file.write(data)
            file.flush()
            _keep_attributes(folder_fd, last, file.fileno(), mode, closed=closed)
            os.fsync(file.fileno())
        os.rename(temporary, last, src_dir_fd=folder_fd, dst_dir_fd=folder_fd)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary, dir_fd=folder_fd)
        raise
    os.fsync(folder_fd)


def _free_name_beside(folder_fd: int, last: str) -> str:
    """What ``last`` is called until it is whole; what a power cut left of that name is gone.

    It is short, for a name near the longest that a filesystem takes leaves no room for more of it.
    """
    import hashlib  # noqa: PLC0415 - who only reads needs no digest

    name = f".og.{hashlib.sha256(os.fsencode(last)).hexdigest()[:16]}"
    _forget(folder_fd, name)
    return name


def replace_with_link(folder_fd: int, last: str, target: str) -> None:
    """``last`` in the folder is a link to ``target``, whatever it was."""
    temporary = _free_name_beside(folder_fd, last)
    os.symlink(target, temporary, dir_fd=folder_fd)
    try:
        os.rename(temporary, last, src_dir_fd=folder_fd, dst_dir_fd=folder_fd)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary, dir_fd=folder_fd)
        raise
    os.fsync(folder_fd)


def replace_proven(
    folder_fd: int, last: str, source: BinaryIO, prove: Callable[[BinaryIO], None], kept_as: str
) -> None:
    """``last`` in the folder holds what ``source`` gives, once ``prove`` took it; the old is kept.

    What was there has the name ``kept_as`` from before that moment on: at each moment ``last`` is
    the old file or the new one, whole, and the old one is there by one name at least.
    """
    _forget(folder_fd, _PART)
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    file_fd = os.open(_PART, flags, 0o600, dir_fd=folder_fd)
    try:
        with os.fdopen(file_fd, "w+b") as file:
            _pour(source, file)
            settle(file, forget=True)
            file.seek(0)
            prove(file)
            _keep_attributes(folder_fd, last, file.fileno(), 0o600)
            os.fsync(file.fileno())
        _keep_old(folder_fd, last, kept_as)
        os.rename(_PART, last, src_dir_fd=folder_fd, dst_dir_fd=folder_fd)
    except BaseException:
        with suppress(OSError):
            os.unlink(_PART, dir_fd=folder_fd)
        raise
    os.fsync(folder_fd)


def rename_file(folder_fd: int, last: str, new: str) -> None:
    """Another name for ``last``, in the same folder, for good."""
    if "/" in new or new in ("", ".", ".."):
        raise OgError(f"{new!r} does not name a file.")
    os.rename(last, new, src_dir_fd=folder_fd, dst_dir_fd=folder_fd)
    os.fsync(folder_fd)


def _keep_old(folder_fd: int, last: str, kept_as: str) -> None:
    """A second name for the file that is there; its copy where a filesystem has no such names."""
    _forget(folder_fd, _OLD)
    try:
        _name_again(folder_fd, last, _OLD)
        os.rename(_OLD, kept_as, src_dir_fd=folder_fd, dst_dir_fd=folder_fd)
    except BaseException:
        with suppress(OSError):
            os.unlink(_OLD, dir_fd=folder_fd)
        raise
    _forget(folder_fd, _OLD)  # of one file with two names, rename(2) leaves both
    os.fsync(folder_fd)


def _name_again(folder_fd: int, last: str, other: str) -> None:
    try:
        os.link(last, other, src_dir_fd=folder_fd, dst_dir_fd=folder_fd, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_SECOND_NAME:
            raise
        _copy(folder_fd, last, other)


def _copy(folder_fd: int, last: str, other: str) -> None:
    old_fd = os.open(last, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder_fd)
    with os.fdopen(old_fd, "rb") as old:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(other, flags, 0o600, dir_fd=folder_fd), "wb") as new:
            _pour(old, new)
            settle(new)


def _pour(source: BinaryIO, target: BinaryIO) -> None:
    while piece := source.read(_PIECE_BYTES):
        target.write(piece)


def _forget(folder_fd: int, name: str) -> None:
    """What a run that was cut has left."""
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder_fd)


def remove_file(folder_fd: int, last: str) -> None:
    """The name goes, for good; never what a link of that name points to."""
    os.unlink(last, dir_fd=folder_fd)
    os.fsync(folder_fd)


def _keep_attributes(
    folder_fd: int, last: str, file_fd: int, mode: int, *, closed: bool = False
) -> None:
    """Owner, mode and labels of the regular file ``last`` onto the file that replaces it."""
    try:
        regular = stat.S_ISREG(os.lstat(last, dir_fd=folder_fd).st_mode)
    except FileNotFoundError:
        regular = False
    if not regular:
        os.fchmod(file_fd, mode)
        return
    old_fd = os.open(last, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder_fd)
    try:
        old = os.fstat(old_fd)
        os.fchown(file_fd, old.st_uid, old.st_gid)
        _keep_mode(file_fd, stat.S_IMODE(old.st_mode) & 0o777, closed=closed)
        left = _OF_THE_CONTENT | _RIGHTS if closed else _OF_THE_CONTENT
        for attribute in os.listxattr(old_fd):
            if attribute not in left:
                _keep_label(old_fd, file_fd, attribute)
    finally:
        os.close(old_fd)


def _keep_mode(file_fd: int, mode: int, *, closed: bool) -> None:
    """A FAT has one mode for all of its files, and refuses any other."""
    try:
        os.fchmod(file_fd, mode & 0o700 if closed else mode)
    except PermissionError:
        os.fchmod(file_fd, mode)


def _keep_label(old_fd: int, file_fd: int, attribute: str) -> None:
    """A label that cannot be had here is no reason to refuse the file; a full disk is one."""
    try:
        os.setxattr(file_fd, attribute, os.getxattr(old_fd, attribute))
    except OSError as error:
        if error.errno not in _NO_SUCH_LABEL:
            raise
