# SPDX-License-Identifier: GPL-3.0-or-later
"""A mounted root that cannot be left: every path is resolved by the kernel inside it.

The content of an image is hostile: ``etc/hostname`` may be a link to ``/etc/shadow`` of ogLive
or a named pipe. All access goes through openat2(RESOLVE_IN_ROOT) (Linux 5.6), so that absolute
links and ``..`` end inside the root; only regular files are read; a file is replaced as a
whole, never written through. Nothing else in osconfig may open a path of the target.
"""

from __future__ import annotations

import ctypes
import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import BinaryIO

from oglib.errors import OgErr, OgError, WriteError

_SYS_OPENAT2 = 437  # the same number on every architecture
_RESOLVE_NO_MAGICLINKS = 0x02
_RESOLVE_IN_ROOT = 0x10
_READ_LIMIT_BYTES = 4 * 1024 * 1024
_COPY_LIMIT_BYTES = 512 * 1024 * 1024  # a registry hive or package database of hundreds of MiB
_COPY_BYTES = 1024 * 1024
_LIBC = ctypes.CDLL(None, use_errno=True)


class _OpenHow(ctypes.Structure):
    _fields_ = (
        ("flags", ctypes.c_uint64),
        ("mode", ctypes.c_uint64),
        ("resolve", ctypes.c_uint64),
    )


class TargetRoot:
    """Files of a mounted system by their path inside it; use as a context manager."""

    def __init__(self, path: Path, *, folder_fd: int = -1) -> None:
        """``folder_fd``: the root, open already; it is closed with this object."""
        self.path = path
        self._fd = folder_fd
        if folder_fd >= 0:
            return
        try:
            self._fd = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise OgError(f"{path} is not a mounted system: {error.strerror}.") from error

    def __enter__(self) -> TargetRoot:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the root, so that it can be unmounted."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def exists(self, name: str) -> bool:
        """Whether a path leads, inside the root, to something (not a dangling link)."""
        try:
            os.close(self._open(name, os.O_PATH))
        except FileNotFoundError:
            return False
        except OSError as error:
            if error.errno in (errno.ENOTDIR, errno.ELOOP):
                return False
            raise _said(self.path, name, error) from error
        return True

    def is_directory(self, name: str) -> bool:
        """Whether ``name`` is a folder, reached without any link as its last part."""
        try:
            os.close(self._open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW))
        except OSError:
            return False
        return True

    def below(self, name: str) -> TargetRoot | None:
        """A folder of this root as a root of its own (a btrfs subvolume); None where none is."""
        try:
            folder_fd = self._open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError:
            return None
        return TargetRoot(self.path / name, folder_fd=folder_fd)

    def spelled(self, name: str) -> str:
        """``name`` as it is written here, upper and lower case aside; empty where there is none.

        For systems that do not tell them apart (Windows). An exact match wins.
        """
        path = PurePosixPath()
        for part in PurePosixPath(name).parts:
            if not self.exists(str(path / part)):
                same = (one for one in self.names(str(path)) if one.casefold() == part.casefold())
                part = next(same, "")  # noqa: PLW2901
                if not part or not self.exists(str(path / part)):
                    return ""
            path /= part
        return str(path)

    def read_bytes(self, name: str, *, limit_bytes: int = _READ_LIMIT_BYTES) -> bytes:
        """The whole of a regular file; FileNotFoundError where there is none."""
        with self._open_regular(name, limit_bytes) as file:
            return self._read(name, file, limit_bytes)

    def read_head(self, name: str, size_bytes: int) -> bytes:
        """The first bytes of a regular file however large; FileNotFoundError where none is."""
        with self._open_regular(name) as file:
            return self._read(name, file, size_bytes)

    def copy_to(self, name: str, target: BinaryIO, *, limit_bytes: int = _COPY_LIMIT_BYTES) -> int:
        """Copy a regular file into an open file of ours and return its size in bytes.

        For what a library must open by itself: it gets the copy, never a path of the target.
        """
        copied = 0
        with self._open_regular(name, limit_bytes) as file:
            # a damaged filesystem may give more than the size it told
            while copied < limit_bytes and (data := self._read(name, file, _COPY_BYTES)):
                try:
                    copied += target.write(data)
                    target.flush()
                except OSError as error:
                    raise WriteError(
                        f"{name} in {self.path} cannot be copied: {error.strerror}.",
                        hint="The memory of this PC may be full.",
                    ) from error
        return copied

    def read_text(self, name: str) -> str:
        """As ``read_bytes``, as text; bytes that are not UTF-8 survive a later ``write_text``."""
        return self.read_bytes(name).decode("utf-8", "surrogateescape")

    def write_text(self, name: str, text: str, *, mode: int = 0o644) -> None:
        """Put a whole new file in place of ``name`` (also of a link of that name).

        Owner, mode and extended attributes of a regular file that was there are kept; power
        loss leaves the old or the new content. The folder must exist.
        """
        data = text.encode("utf-8", "surrogateescape")
        try:
            with self._folder(name) as (folder_fd, last):
                self._replace(folder_fd, last, data, mode)
        except OSError as error:
            raise WriteError(
                f"{name} in {self.path} cannot be written: {error.strerror}."
            ) from error

    def remove(self, name: str) -> bool:
        """Remove a file or link (never what a link points to); False where there is none."""
        try:
            with self._folder(name) as (folder_fd, last):
                os.unlink(last, dir_fd=folder_fd)
                os.fsync(folder_fd)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise WriteError(
                f"{name} in {self.path} cannot be removed: {error.strerror}."
            ) from error
        return True

    def is_regular(self, name: str) -> bool:
        """Whether ``name`` is itself a regular file, not a link to one."""
        try:
            file_fd = self._open(name, os.O_PATH | os.O_NOFOLLOW)
        except OSError:
            return False
        try:
            return stat.S_ISREG(os.fstat(file_fd).st_mode)
        finally:
            os.close(file_fd)

    def names(self, name: str) -> list[str]:
        """What lies in a folder of the root, sorted; empty where there is no such folder."""
        try:
            folder_fd = self._open(name, os.O_RDONLY | os.O_DIRECTORY)
        except OSError:
            return []
        try:
            return sorted(entry.name for entry in os.scandir(folder_fd))
        except OSError as error:
            raise _said(self.path, name, error) from error
        finally:
            os.close(folder_fd)

    def irregular_below(self, name: str) -> list[str]:
        """Everything in the tree ``name`` that is neither folder nor regular file (links, …)."""
        try:
            top_fd = self._open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError:
            return []
        found = []
        try:
            # fwalk goes by descriptors and follows no link
            for folder, folders, files, folder_fd in os.fwalk(".", dir_fd=top_fd):
                for entry in (*folders, *files):
                    mode = os.lstat(entry, dir_fd=folder_fd).st_mode
                    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
                        found.append(str(PurePosixPath(name) / folder / entry))
        finally:
            os.close(top_fd)
        return sorted(found)

    def _replace(self, folder_fd: int, last: str, data: bytes, mode: int) -> None:
        temporary = f".{last}.{secrets.token_hex(6)}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        file_fd = os.open(temporary, flags, 0o600, dir_fd=folder_fd)
        try:
            with os.fdopen(file_fd, "wb") as file:
                file.write(data)
                file.flush()
                _keep_attributes(folder_fd, last, file.fileno(), mode)
                os.fsync(file.fileno())
            os.rename(temporary, last, src_dir_fd=folder_fd, dst_dir_fd=folder_fd)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary, dir_fd=folder_fd)
            raise
        os.fsync(folder_fd)

    def _open_regular(self, name: str, limit_bytes: int | None = None) -> BinaryIO:
        """A regular file not larger than the limit, open for reading."""
        try:
            # without O_NONBLOCK a named pipe in the image would stop us here for ever
            file_fd = self._open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise _said(self.path, name, error) from error
        info = os.fstat(file_fd)
        regular = stat.S_ISREG(info.st_mode)
        if not regular or (limit_bytes is not None and info.st_size > limit_bytes):
            os.close(file_fd)
            why = f"{info.st_size} bytes: too large" if regular else "not a regular file"
            raise OgError(f"{name} in {self.path} is {why}.")
        return os.fdopen(file_fd, "rb")

    def _read(self, name: str, file: BinaryIO, size_bytes: int) -> bytes:
        try:
            return file.read(size_bytes)
        except OSError as error:
            raise _said(self.path, name, error) from error

    @contextmanager
    def _folder(self, name: str) -> Iterator[tuple[int, str]]:
        path = PurePosixPath("/", name)
        if path.name in ("", ".", ".."):
            raise OgError(f"{name!r} does not name a file.")
        folder_fd = self._open(str(path.parent), os.O_RDONLY | os.O_DIRECTORY)
        try:
            yield folder_fd, path.name
        finally:
            os.close(folder_fd)

    def _open(self, name: str, flags: int) -> int:
        how = _OpenHow(flags | os.O_CLOEXEC, 0, _RESOLVE_IN_ROOT | _RESOLVE_NO_MAGICLINKS)
        fd: int = _LIBC.syscall(
            ctypes.c_long(_SYS_OPENAT2),
            ctypes.c_int(self._fd),
            ctypes.c_char_p(os.fsencode(name)),
            ctypes.byref(how),
            ctypes.c_size_t(ctypes.sizeof(how)),
        )
        if fd >= 0:
            return fd
        number = ctypes.get_errno()
        if number == errno.ENOSYS:
            raise OgError(
                "This kernel has no openat2, so the files of a system cannot be changed safely.",
                hint="Boot an ogLive with Linux 5.6 or newer.",
                code=OgErr.NOTEXEC,
            )
        raise OSError(number, os.strerror(number), name)


def _keep_attributes(folder_fd: int, last: str, file_fd: int, mode: int) -> None:
    """Owner, mode and labels of the regular file ``last`` onto the file that replaces it."""
    try:
        old_fd = os.open(
            last, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder_fd
        )
    except OSError:
        os.fchmod(file_fd, mode)
        return
    try:
        old = os.fstat(old_fd)
        if not stat.S_ISREG(old.st_mode):
            os.fchmod(file_fd, mode)
            return
        os.fchown(file_fd, old.st_uid, old.st_gid)
        os.fchmod(file_fd, stat.S_IMODE(old.st_mode) & 0o777)
        for attribute in os.listxattr(old_fd):
            # a label that this filesystem or kernel refuses is no reason to refuse the file
            with suppress(OSError):
                os.setxattr(file_fd, attribute, os.getxattr(old_fd, attribute))
    finally:
        os.close(old_fd)


def _said(root: Path, name: str, error: OSError) -> OgError:
    return OgError(f"{name} in {root} cannot be read: {error.strerror}.")
