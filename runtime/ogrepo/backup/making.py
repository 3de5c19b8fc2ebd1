# SPDX-License-Identifier: GPL-3.0-or-later
"""``ogrepo backup``: a server that goes on serving, as one file."""

from __future__ import annotations

import os
import pwd
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from blake3 import blake3

from oglib.errors import OgErr, OgError, UsageError
from ogrepo.backup.archive import Writer, private_file
from ogrepo.backup.collect import Found, Left, Server, collect, stamps
from ogrepo.backup.model import REPOSITORY, Contents, KeptFolder, KeptLink

_TRIES = 5
_MOST_TOLD = 1000


@dataclass(frozen=True, slots=True)
class Made:
    """``digest``: of the whole file, so that a copy can be told from a forgery."""

    contents: Contents
    digest: str
    size_bytes: int


class _Counted:
    """Where the archive goes, hashed on its way."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self.digest = blake3()
        self.size = 0

    def write(self, data: bytes, /) -> int:
        self.digest.update(data)
        self.size += len(data)
        return self._out.write(data)

    def tell(self) -> int:
        return self.size


def back_up(server: Server, file: Path) -> Made:
    """Write the backup to a new private ``file``, again where something was published meanwhile."""
    _check_place(file.absolute())
    for _ in range(_TRIES):
        with suppress(_Changed), private_file(file) as out:
            return back_up_to(server, out)
    raise _Changed


def back_up_to(server: Server, out: BinaryIO) -> Made:
    """Write it to a stream, once. Raises when something was published meanwhile."""
    left = Left([])
    found = list(collect(server, left))
    owner = server.folder.private.stat().st_uid
    counted = _Counted(out)
    writer = Writer(cast(BinaryIO, counted))  # tarfile calls no other method
    for one in found:
        if not one.is_folder and not one.link:
            writer.add(one, ours=one.status.st_uid == owner)
    again = list(collect(server, Left([])))
    if _published(found) != _published(again):
        raise _Changed
    contents = Contents(
        repository=str(server.folder.root),
        config=str(server.config),
        inventory=str(server.inventory),
        user=_name_of(owner),
        folders=tuple(
            KeptFolder(one.member, one.status.st_mode & 0o777, one.status.st_uid == owner)
            for one in found
            if one.is_folder
        ),
        files=tuple(writer.files),
        links=tuple(KeptLink(one.member, one.link) for one in found if one.link),
        left_out=tuple(left.names[:_MOST_TOLD]),
    )
    writer.finish(contents)
    return Made(contents, counted.digest.hexdigest(), counted.size)


class _Changed(OgError):
    """Half of the backup may be of before a publication, and half of after it."""

    def __init__(self) -> None:
        super().__init__(
            "Images were published or removed while the backup was written.",
            hint="Try again.",
            code=OgErr.LOCKED,
        )


def _published(found: list[Found]) -> dict[str, tuple[int, int, int]]:
    """What must be of one moment; records that count up may go on."""
    steady = tuple(f"{REPOSITORY}/{part}/" for part in ("images", "versions", "keys"))
    return stamps(one for one in found if one.member.startswith(steady))


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _check_place(file: Path) -> None:
    """Refuse to lay the keys where a web server may give them out."""
    if os.path.lexists(file):
        raise UsageError(f"{file} is there already.", hint="Choose another name.")
    if not file.parent.is_dir():
        raise UsageError(f"There is no folder {file.parent}.", hint="Make it first.")
    for above in _above(file):
        if _is_served(above):
            raise UsageError(
                f"{above} is served to PCs, and the backup holds its private keys.",
                hint="Write it elsewhere, best onto another machine.",
            )


def _above(file: Path) -> tuple[Path, ...]:
    folder = file.parent.resolve()
    return folder, *folder.parents


def _is_served(folder: Path) -> bool:
    """A repository, or a tree that PCs boot from; of other web servers nothing is known here."""
    scripts = (folder / "netboot/boot.ipxe", folder / "boot.ipxe")
    repository = (folder / "images").is_dir() and (folder / "private").is_dir()
    return repository or any(script.exists() for script in scripts)
