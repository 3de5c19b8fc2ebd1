# SPDX-License-Identifier: GPL-3.0-or-later
"""A mounted root that cannot be left: every path is resolved by the kernel inside it.

The content of an image is hostile: ``etc/hostname`` may be a link to ``/etc/shadow`` of ogLive
or a named pipe. All access goes through ``inside``, so that absolute links and ``..`` end inside
the root; only regular files are read; a file is replaced as a whole, never written through.
Nothing else in osconfig may open a path of the target. Contents are bytes: nobody promised that
a file of another system is UTF-8.

Only what the tree itself says is taken for "not there": no such name, a part of the path that is
no folder, links in a circle. What cannot be read is an error, never an absence.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import BinaryIO, Self

from oglib.errors import OgError, WriteError
from oglib.osconfig.inside import NOTHING_THERE, open_inside

READ_LIMIT_BYTES = 4 * 1024 * 1024
_COPY_LIMIT_BYTES = 512 * 1024 * 1024  # a registry hive or package database of hundreds of MiB
_COPY_BYTES = 1024 * 1024


class NoPlainFileError(OgError):
    """What has the name of a file is none (a folder, a pipe, …), or is larger than believed."""


class ReadRoot:
    """Files of a mounted system by their path inside it, read only; use as a context manager."""

    def __init__(self, path: Path, *, folder_fd: int = -1, called: str = "") -> None:
        """``folder_fd``: the root, open already; it is closed with this object.

        ``called``: what a person knows it by, for errors; mountpoints are ours and change.
        """
        self.path = path
        self.called = called or str(path)
        self._fd = folder_fd
        if folder_fd >= 0:
            return
        try:
            self._fd = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise OgError(f"{path} is not a mounted system: {error.strerror}.") from error

    def __enter__(self) -> Self:
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
        return self._is_there(name, os.O_PATH)

    def is_directory(self, name: str) -> bool:
        """Whether ``name`` is a folder, reached without any link as its last part."""
        return self._is_there(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW)

    def below(self, name: str) -> Self | None:
        """A folder of this root as a root of its own (a btrfs subvolume); None where none is."""
        folder_fd = self._opened(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW)
        if folder_fd is None:
            return None
        return type(self)(self.path / name, folder_fd=folder_fd, called=f"{name} of {self.called}")

    def folder_path(self, name: str) -> Path | None:
        """Where a folder really lies on this PC, links resolved inside the root; None: nowhere.

        To mount something there. It stays true while nobody else changes the tree.
        """
        folder_fd = self._opened(name, os.O_PATH | os.O_DIRECTORY)
        if folder_fd is None:
            return None
        try:
            return Path(f"/proc/self/fd/{folder_fd}").readlink()
        finally:
            os.close(folder_fd)

    def holds_mount(self, name: str) -> bool:
        """Whether another filesystem (or subvolume) is seen at this folder than at the root."""
        folder_fd = self._opened(name, os.O_PATH | os.O_DIRECTORY)
        if folder_fd is None:
            return False
        try:
            return os.fstat(folder_fd).st_dev != os.fstat(self._fd).st_dev
        finally:
            os.close(folder_fd)

    @property
    def inode(self) -> int:
        """The inode number of the root itself."""
        return os.fstat(self._fd).st_ino

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

    def open_regular(self, name: str, limit_bytes: int | None = None) -> BinaryIO:
        """A regular file, open for reading, if no larger; FileNotFoundError where there is none."""
        # looked at before it is opened: opening a pipe would wait, opening a device may do more
        seen_fd = self._opened(name, os.O_PATH)
        if seen_fd is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
        try:
            info = os.fstat(seen_fd)
            regular = stat.S_ISREG(info.st_mode)
            if not regular or (limit_bytes is not None and info.st_size > limit_bytes):
                why = f"{info.st_size} bytes: too large" if regular else "not a regular file"
                raise NoPlainFileError(f"{name} in {self.called} is {why}.")
            file_fd = os.open(f"/proc/self/fd/{seen_fd}", os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise _said(self.called, name, error) from error
        finally:
            os.close(seen_fd)
        return os.fdopen(file_fd, "rb")

    def read_bytes(self, name: str, *, limit_bytes: int = READ_LIMIT_BYTES) -> bytes:
        """The whole of a regular file; FileNotFoundError where there is none."""
        with self.open_regular(name, limit_bytes) as file:
            return self._read(name, file, limit_bytes)

    def read_head(self, name: str, size_bytes: int) -> bytes:
        """The first bytes of a regular file however large; FileNotFoundError where none is."""
        with self.open_regular(name) as file:
            return self._read(name, file, size_bytes)

    def copy_to(self, name: str, target: BinaryIO, *, limit_bytes: int = _COPY_LIMIT_BYTES) -> int:
        """Copy a regular file into an open file of ours and return its size in bytes.

        For what a library must open by itself: it gets the copy, never a path of the target.
        """
        copied = 0
        with self.open_regular(name, limit_bytes) as file:
            # a damaged filesystem may give more than the size it told
            while copied < limit_bytes and (data := self._read(name, file, _COPY_BYTES)):
                try:
                    copied += target.write(data)
                    target.flush()
                except OSError as error:
                    raise WriteError(
                        f"{name} in {self.called} cannot be copied: {error.strerror}.",
                        hint="The memory of this PC may be full.",
                    ) from error
        return copied

    def link_target(self, name: str) -> str | None:
        """What a link says that it leads to; None where ``name`` is none, or is not there."""
        link_fd = self._opened(name, os.O_PATH | os.O_NOFOLLOW)
        if link_fd is None:
            return None
        try:
            is_link = stat.S_ISLNK(os.fstat(link_fd).st_mode)
            return os.readlink("", dir_fd=link_fd) if is_link else None
        finally:
            os.close(link_fd)

    def is_regular(self, name: str) -> bool:
        """Whether ``name`` is itself a regular file, not a link to one."""
        file_fd = self._opened(name, os.O_PATH | os.O_NOFOLLOW)
        if file_fd is None:
            return False
        try:
            return stat.S_ISREG(os.fstat(file_fd).st_mode)
        finally:
            os.close(file_fd)

    def names(self, name: str) -> list[str]:
        """What lies in a folder of the root, sorted; empty where there is no such folder."""
        folder_fd = self._opened(name, os.O_RDONLY | os.O_DIRECTORY)
        if folder_fd is None:
            return []
        try:
            return sorted(entry.name for entry in os.scandir(folder_fd))
        except OSError as error:
            raise _said(self.called, name, error) from error
        finally:
            os.close(folder_fd)

    def irregular_below(self, name: str) -> list[str]:
        """Everything in the tree ``name`` that is neither folder nor regular file (links, …)."""
        top_fd = self._opened(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        if top_fd is None:
            return []
        found = []
        try:
            # fwalk goes by descriptors and follows no link; unasked, it passes over what fails
            for folder, folders, files, folder_fd in os.fwalk(".", dir_fd=top_fd, onerror=_raise):
                for entry in (*folders, *files):
                    mode = os.lstat(entry, dir_fd=folder_fd).st_mode
                    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
                        found.append(str(PurePosixPath(name) / folder / entry))
        except OSError as error:
            raise _said(self.called, name, error) from error
        finally:
            os.close(top_fd)
        return sorted(found)

    def _read(self, name: str, file: BinaryIO, size_bytes: int) -> bytes:
        try:
            return file.read(size_bytes)
        except OSError as error:
            raise _said(self.called, name, error) from error

    def _is_there(self, name: str, flags: int) -> bool:
        found_fd = self._opened(name, flags)
        if found_fd is None:
            return False
        os.close(found_fd)
        return True

    def _opened(self, name: str, flags: int) -> int | None:
        """A descriptor, or None where nothing is there. OgError where that cannot be told."""
        try:
            return open_inside(self._fd, name, flags)
        except OSError as error:
            if error.errno in NOTHING_THERE:
                return None
            raise _said(self.called, name, error) from error


def _raise(error: OSError) -> None:
    raise error


def _said(root: str, name: str, error: OSError) -> OgError:
    return OgError(f"{name} in {root} cannot be read: {error.strerror}.")
