# SPDX-License-Identifier: GPL-3.0-or-later
"""Bytes for manifests that have none: from a folder or another server, by digest.

Whoever gives them is not trusted for them. Each appears under its digest when it is whole and
proven, then under the names that show it; what was cut goes on where it was.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Protocol

from blake3 import blake3

from oglib import limits
from oglib.durable import settle, show, sync
from oglib.errors import OgErr, OgError, TransferError
from oglib.texts import NotPlainError, open_plain
from oglib.transfer.answers import StatusError
from oglib.transfer.http import HttpSource
from ogrepo.backup.needs import Need, here, needs
from ogrepo.library.folder import hand_over

_PIECE_BYTES = 4 << 20
_GONE = (404, 410)
_ANOTHER_DISK = (18, 1, 95)  # EXDEV, EPERM, EOPNOTSUPP: no second name can be given there


class _Source(Protocol):
    size_bytes: int

    def read(self, offset: int, length: int) -> bytes: ...


class _File:
    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.status = os.fstat(file.fileno())
        self.size_bytes = self.status.st_size

    def read(self, offset: int, length: int) -> bytes:
        return os.pread(self.file.fileno(), length, offset)

    def close(self) -> None:
        self.file.close()


def fill(root: Path, place: str, tell: Callable[[str], None]) -> list[Need]:
    """Bring what is missing from ``place``; returns what is missing still."""
    store = root / "bytes"
    if not store.is_dir():
        store.mkdir(mode=0o755)
        store.chmod(0o755)
        hand_over(store, root)
    absent = []
    for need in needs(root):
        if next(here(root, need), None) is None and not _bring(root, place, need, tell):
            absent.append(need)
            continue
        _name(root, need)
    return absent


def _bring(root: Path, place: str, need: Need, tell: Callable[[str], None]) -> bool:
    """Whether the bytes are there now."""
    for where in _candidates(place, need):
        try:
            with _opened(where) as source:
                if source is None:
                    continue
                how = _take(root, need, source, where)
        except OgError as error:
            tell(f"{need.told}: {error}")
            continue
        tell(f"{need.told}: {how} {where}")
        return True
    return False


def _candidates(place: str, need: Need) -> list[str]:
    """By digest first; a folder of images of before has them by name."""
    names = [need.place, need.digest, *need.names]
    names += [name.removeprefix("images/") for name in need.names]
    names += [name.removesuffix(".ant") for name in names if name.endswith(".ant")]
    # What was shown when the backup was made may stand aside by now, or the other way round.
    names += [f"{name}.ant" for name in names if ".img" in name and not name.endswith(".ant")]
    return [f"{place.rstrip('/')}/{name}" for name in dict.fromkeys(names)]


@contextmanager
def _opened(where: str) -> Iterator[_Source | None]:
    """The bytes at an address or path; None: there are none."""
    if "://" not in where:
        try:
            file = open_plain(Path(where))
        except (FileNotFoundError, NotADirectoryError, NotPlainError):
            yield None
            return
        with closing(_File(file)) as source:
            yield source
        return
    try:
        remote = HttpSource(where)
    except StatusError as error:
        if error.status not in _GONE:
            raise
        yield None
        return
    with remote:
        yield remote


def _take(root: Path, need: Need, source: _Source, where: str) -> str:
    """Prove the bytes and give them their name in ``bytes``; says how they came."""
    if source.size_bytes > limits.IMAGE_BYTES or need.size not in (None, source.size_bytes):
        raise TransferError(f"{where} has {source.size_bytes} bytes, so it is not what is named.")
    target = root / need.place
    part = target.with_name(f".{need.digest}.part")
    if isinstance(source, _File) and _link(root, need, source, where, part):
        return "linked from"
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(part, flags, 0o644), "r+b") as out:
        hand_over(out.fileno(), root)
        digest, have = _hashed(out, source.size_bytes)
        while piece := source.read(have, min(_PIECE_BYTES, source.size_bytes - have)):
            digest.update(piece)
            out.write(piece)
            have += len(piece)
        if have != source.size_bytes or digest.hexdigest() != need.digest:
            out.truncate(0)
            raise _wrong(where)
        os.fchmod(out.fileno(), 0o644)
        settle(out)
    show(part, target)
    return "taken from"


def _hashed(file: BinaryIO, most: int) -> tuple[blake3, int]:
    """What an earlier try left of a file, hashed; ready to go on behind it."""
    digest, have = blake3(), 0
    while piece := file.read(_PIECE_BYTES):
        digest.update(piece)
        have += len(piece)
    if have > most:
        file.seek(0)
        file.truncate(0)
        return blake3(), 0
    return digest, have


def _link(root: Path, need: Need, source: _File, where: str, part: Path) -> bool:
    """A second name for a file of this disk that nobody else can write; proven all the same."""
    owner, status = root.stat(), source.status
    if status.st_dev != owner.st_dev or status.st_uid != owner.st_uid or status.st_mode & 0o022:
        return False
    with suppress(FileNotFoundError):
        part.unlink()
    try:
        # By the descriptor: what stands under the name may be another file by now. That it is
        # relative to something makes Python follow the link, and the kernel does not look there.
        opened = source.file.fileno()
        os.link(f"/proc/self/fd/{opened}", part, src_dir_fd=opened, follow_symlinks=True)
    except OSError as error:
        if error.errno in _ANOTHER_DISK:
            return False
        raise
    digest = blake3()
    source.file.seek(0)
    while piece := source.file.read(_PIECE_BYTES):
        digest.update(piece)
    if digest.hexdigest() != need.digest:
        part.unlink()
        raise _wrong(where)
    part.chmod(0o644)
    show(part, root / need.place)
    return True


def _wrong(where: str) -> TransferError:
    return TransferError(
        f"{where} does not hold the bytes that the manifest names.",
        hint="It is damaged, or another version.",
        code=OgErr.IMAGE,
    )


def _name(root: Path, need: Need) -> None:
    """Show the bytes under each of their names that has none."""
    there = next(here(root, need), None)
    for name in (need.place, *need.names) if there else ():
        path = root / name
        if os.path.lexists(path) or there is None:
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        os.link(there, path)
        sync(path.parent)
