# SPDX-License-Identifier: GPL-3.0-or-later
"""The archive: a tar of plain files, the same bytes for the same state, its list at its end.

It is written and read from start to end once, so it passes through a pipe. Nothing in it is
believed before its list was reached: what was cut or changed is refused as a whole.
"""

from __future__ import annotations

import fcntl
import io
import os
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO

from blake3 import blake3

from oglib import partfile
from oglib.durable import settle, sync
from oglib.errors import ImageError, OgErr, OgError, WriteError
from oglib.texts import open_straight
from ogrepo.backup.collect import Found
from ogrepo.backup.model import LIST, LIST_BYTES, SEAL, Contents, Kept, is_inside

_PIECE_BYTES = 1 << 20
_HINT = "Take another copy of the backup."
_MOST_FILES = 1_000_000


class Writer:
    """Adds files to a tar and remembers what was added."""

    def __init__(self, out: BinaryIO) -> None:
        self._tar = tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT)  # noqa: SIM115
        self.files: list[Kept] = []

    def add(self, found: Found, *, ours: bool) -> bool:
        """One file as it is now; False: it has gone meanwhile."""
        try:
            # Root reads here what another user may exchange for a link meanwhile.
            file = open_straight(found.path)
        except FileNotFoundError:
            return False
        with file:
            status = os.fstat(file.fileno())
            reader = _Measured(file)
            try:
                self._tar.addfile(_header(found.member, status.st_size), reader)
            except OSError as error:
                if reader.count < status.st_size:
                    raise OgError(
                        f"{found.path} became shorter while it was read.", hint="Try again."
                    ) from error
                raise
        mode = status.st_mode & 0o777
        digest = reader.digest.hexdigest()
        self.files.append(Kept(found.member, status.st_size, mode, ours, digest))
        return True

    def finish(self, contents: Contents) -> None:
        """The list, and the list's digest."""
        raw = contents.to_bytes()
        for name, data in ((LIST, raw), (SEAL, f"{blake3(raw).hexdigest()}\n".encode())):
            self._tar.addfile(_header(name, len(data)), io.BytesIO(data))
        self._tar.close()


class _Measured:
    """A file that is hashed while it is read."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.digest = blake3()
        self.count = 0

    def read(self, size: int = -1, /) -> bytes:
        data = self._file.read(size)
        self.digest.update(data)
        self.count += len(data)
        return data


def _header(name: str, size: int) -> tarfile.TarInfo:
    """Neither owner nor time: they would make two backups of one state differ."""
    header = tarfile.TarInfo(name)
    header.size = size
    header.mode = 0o600
    return header


@contextmanager
def private_file(path: Path) -> Iterator[BinaryIO]:
    """A new file that its owner alone can read, there as a whole or not at all."""
    part = path.with_name(f".{path.name}.part")
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    _let_go(part)
    handle = partfile.locked(part, lambda: os.open(part, flags, 0o600))
    if handle is None:
        raise _under_way(path)
    with os.fdopen(handle, "wb") as file:
        try:
            if os.fstat(handle).st_mode & 0o077:
                raise WriteError(
                    f"{path} could be read by others: its filesystem keeps no modes.",
                    hint="Write it elsewhere, or encrypt it on its way: `ogrepo backup DIR - | "
                    "age --passphrase > FILE`.",
                )
            yield file
            settle(file)
            os.link(part, path)  # unlike a rename this replaces nothing
        except FileExistsError:
            raise WriteError(f"{path} is there already.", hint="Choose another name.") from None
        finally:
            part.unlink(missing_ok=True)
    sync(path.parent)


def _let_go(part: Path) -> None:
    """Remove what a cut left; raises where another backup writes it now."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        handle = os.open(part, flags)
    except OSError:
        part.unlink(missing_ok=True)  # a link, or none at all: nobody of ours has it
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if partfile.is_at(handle, part):
            part.unlink()
    except BlockingIOError:
        raise _under_way(part.with_name(part.name[1:].removesuffix(".part"))) from None
    finally:
        os.close(handle)


def _under_way(path: Path) -> OgError:
    return OgError(
        f"Another backup into {path} is under way.",
        hint="Wait until it has ended, or choose another name.",
        code=OgErr.LOCKED,
    )


def unpack(stream: BinaryIO, into: Path) -> Contents:
    """Write an archive's files below ``into``, which is new, and give its list.

    Everything is compared with the list: ``ImageError`` unless all of it is there, unchanged,
    and nothing else. Modes and owners are the caller's to set, and all of it his to make lasting.
    """
    got: dict[str, tuple[int, str]] = {}
    raw = seal = None
    try:
        with tarfile.open(fileobj=stream, mode="r|") as tar:
            for member in tar:
                _check_member(member, got, over=seal is not None)
                file = tar.extractfile(member)
                assert file is not None  # noqa: S101 - it is a plain file
                if member.name == LIST:
                    raw = file.read(LIST_BYTES + 1)
                elif member.name == SEAL:
                    seal = file.read(_PIECE_BYTES)
                else:
                    got[member.name] = _write(file, into / member.name)
    except (tarfile.TarError, EOFError, UnicodeError, ValueError) as error:
        raise ImageError(f"The backup is damaged: {error}.", hint=_HINT) from error
    if raw is None or seal is None:
        raise ImageError("The backup is cut off: its list is missing.", hint=_HINT)
    if seal != f"{blake3(raw).hexdigest()}\n".encode():
        raise ImageError("The backup's list of files is damaged.", hint=_HINT)
    contents = Contents.from_bytes(raw)
    _compare(contents, got)
    return contents


def _check_member(member: tarfile.TarInfo, got: dict[str, tuple[int, str]], *, over: bool) -> None:
    name = member.name
    if not member.isreg() or member.issparse():
        raise ImageError(f"The backup holds {name!r:.200}, which is no plain file.", hint=_HINT)
    if name not in (LIST, SEAL) and not is_inside(name):
        raise ImageError(f"The backup holds {name!r:.200}, which leads elsewhere.", hint=_HINT)
    if name in got or over or len(got) >= _MOST_FILES:
        raise ImageError(f"The backup holds {name!r:.200} where nothing belongs.", hint=_HINT)


def _write(file: IO[bytes], path: Path) -> tuple[int, str]:
    """A new private file; its size and digest."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    digest, size = blake3(), 0
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, 0o600), "wb") as out:
        while piece := file.read(_PIECE_BYTES):
            digest.update(piece)
            size += len(piece)
            out.write(piece)
    return size, digest.hexdigest()


def _compare(contents: Contents, got: dict[str, tuple[int, str]]) -> None:
    listed = {file.path: (file.size, file.blake3) for file in contents.files}
    for path in sorted({*listed, *got}):
        if listed.get(path) != got.get(path):
            what = "missing in" if path not in got else "changed in"
            raise ImageError(f"{path!r:.200} is {what} the backup.", hint=_HINT)
