# SPDX-License-Identifier: GPL-3.0-or-later
"""The old commands about files; each path may be preceded by where it is (see ``place``)."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from oglib.errors import NotFoundError, OgErr, OgError, UsageError
from oglib.filesystem.mounts import parse_mountinfo
from oglib.shim.command import Answer, Command
from oglib.shim.place import Place, places
from oglib.texts import read_whole

_SUM_BYTES = 4096
_MOUNTINFO = Path("/proc/self/mountinfo")
_WHERE = "[REPO|CACHE|CDROM | DISK PARTITION]"
_CASE = (
    "An exact name wins over one that differs in case; of several that only differ in case none "
)
_CASE += "is taken. Links of a disk never lead out of it."


def _of_a_file(call: Callable[[Sequence[str]], Answer]) -> Callable[[Sequence[str]], Answer]:
    """What is on something that cannot be mounted is not found (OG_ERR_NOTFOUND)."""

    def answer(words: Sequence[str]) -> Answer:
        try:
            return call(words)
        except OgError as error:
            if error.code is not OgErr.PARTITION:
                raise
            raise NotFoundError(error.message, hint=error.hint) from error

    return answer


def _path(words: Sequence[str]) -> str:
    return str(places(words, 1)[0].named() or "")


def _parent_path(words: Sequence[str]) -> str:
    return str(places(words, 1)[0].parent().named() or "")


def _checksum(words: Sequence[str], *, whole: bool) -> str:
    from oglib.shim.copy import checksum  # noqa: PLC0415  other commands need no digests

    return checksum(places(words, 1)[0].file(), whole=whole)


def _make_checksum_file(words: Sequence[str]) -> None:
    from oglib.shim.copy import checksum, write_small  # noqa: PLC0415

    place = places(words, 1)[0]
    path = place.file()
    beside = place.named() or path
    write_small(beside.with_name(f"{beside.name}.sum"), checksum(path, whole=False) + "\n")


def _sum_beside(place: Place) -> str:
    path = place.file()
    beside = Place(place.root, f"{place.name}.sum").find()
    text = ""
    if beside is not None and beside.is_file():
        text = read_whole(beside, _SUM_BYTES).decode(errors="replace").strip()
    if not text:
        raise NotFoundError(f"{path} has no checksum beside it.", hint="Use ogMakeChecksumFile.")
    return text


def _compare_checksums(words: Sequence[str]) -> bool:
    first, second = places(words, 2)
    return _sum_beside(first) == _sum_beside(second)


def _copy(words: Sequence[str]) -> None:
    from oglib.shim.copy import copy_file  # noqa: PLC0415

    source, folder = places(words, 2)
    path = source.file()
    copy_file(path, folder.folder(), name=(source.named() or path).name)


def _delete_file(words: Sequence[str]) -> None:
    place = places(words, 1)[0]
    found = place.entry()
    if found is None or (found.is_dir() and not found.is_symlink()):
        raise NotFoundError(f"There is no file {place.name}.")
    found.unlink()


def _delete_tree(words: Sequence[str]) -> None:
    place = places(words, 1)[0]
    found = place.entry()
    if found is None:
        raise NotFoundError(f"There is no {place.name}.")
    if found == place.root:
        raise UsageError(f"{found} as a whole is not deleted.", hint="Name what is in it.")
    inside = _mounted_in(found)
    if inside is not None:
        raise OgError(
            f"{found} is not deleted: {inside} is mounted in it.",
            hint="Unmount that first.",
            code=OgErr.LOCKED,
        )
    if found.is_dir() and not found.is_symlink():
        shutil.rmtree(found)
    else:
        found.unlink()


def _mounted_in(tree: Path) -> Path | None:
    points = (mount.point for mount in parse_mountinfo(_MOUNTINFO.read_text()))
    return next((point for point in points if point.is_relative_to(tree)), None)


def _make_folder(words: Sequence[str]) -> None:
    places(words, 1)[0].make()


def _is_newer(words: Sequence[str]) -> bool:
    first, second = (place.existing() for place in places(words, 2))
    return first.stat().st_mtime_ns > second.stat().st_mtime_ns


COMMANDS = {
    command.name: command
    for command in (
        Command(
            "ogCalculateChecksum",
            f"{_WHERE} FILE",
            "prints the MD5 of the last MiB of a file",
            _of_a_file(lambda words: _checksum(words, whole=False)),
            1,
            3,
            "ogCalculateChecksum REPO debian.img",
            better=_CASE,
        ),
        Command(
            "ogCalculateFullChecksum",
            f"{_WHERE} FILE",
            "prints the MD5 of a whole file",
            _of_a_file(lambda words: _checksum(words, whole=True)),
            1,
            3,
            "ogCalculateFullChecksum REPO debian.img",
            better=_CASE,
        ),
        Command(
            "ogCompareChecksumFiles",
            f"{_WHERE} FILE {_WHERE} FILE",
            "says whether two files have the same checksum beside them",
            _of_a_file(_compare_checksums),
            2,
            6,
            "ogCompareChecksumFiles REPO debian.img CACHE debian.img",
            better="A file without a checksum beside it gives 2 (NOTFOUND); two without one are "
            "never equal.",
        ),
        Command(
            "ogCopyFile",
            f"{_WHERE} FILE {_WHERE} FOLDER",
            "copies a file into a folder",
            _of_a_file(_copy),
            2,
            6,
            "ogCopyFile REPO debian.img CACHE /",
            better="The copy is read back, and takes its name only when it is equal; a folder "
            "without room is refused before a byte is written. Progress is on standard error.",
        ),
        Command(
            "ogDeleteFile",
            f"{_WHERE} FILE",
            "deletes a file",
            _of_a_file(_delete_file),
            1,
            3,
            "ogDeleteFile REPO debian.img",
            better=_CASE,
        ),
        Command(
            "ogDeleteTree",
            f"{_WHERE} FOLDER",
            "deletes a folder and all that is in it",
            _of_a_file(_delete_tree),
            1,
            3,
            "ogDeleteTree 1 2 /tmp/old",
            better="A whole disk or repository, and a folder in which something is mounted, are "
            "refused.",
        ),
        Command(
            "ogGetParentPath",
            f"{_WHERE} PATH",
            "prints the real path of the folder that holds a file",
            _parent_path,
            1,
            3,
            "ogGetParentPath REPO debian.img",
            better=f"Blanks in a path are kept. {_CASE}",
        ),
        Command(
            "ogGetPath",
            f"{_WHERE} PATH",
            "prints the real path of a file, nothing where there is none",
            _path,
            1,
            3,
            "ogGetPath 1 2 /windows/system32",
            better=_CASE,
        ),
        Command(
            "ogIsNewerFile",
            f"{_WHERE} FILE {_WHERE} FILE",
            "says whether the first file was changed after the second",
            _of_a_file(_is_newer),
            2,
            6,
            "ogIsNewerFile REPO debian.img CACHE debian.img",
            better=f"A file that is not there gives 2 (NOTFOUND). {_CASE}",
        ),
        Command(
            "ogMakeChecksumFile",
            f"{_WHERE} FILE",
            "writes the MD5 of the last MiB of a file into FILE.sum",
            _of_a_file(_make_checksum_file),
            1,
            3,
            "ogMakeChecksumFile REPO debian.img",
            better="The .sum file is whole or not there.",
        ),
        Command(
            "ogMakeDir",
            f"{_WHERE} FOLDER",
            "makes a folder and those above it",
            _make_folder,
            1,
            3,
            "ogMakeDir REPO groups/lab1",
            better=_CASE,
        ),
    )
}
