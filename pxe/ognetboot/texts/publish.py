# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the folder that TFTP and HTTP serve hold exactly what was rendered, and writes no more.

A file that is as it shall be is not touched: it keeps its inode, and a change of one PC costs the
writing of one PC. Each file is the old one or the new one, whole: it is written beside the tree,
brought to the disk, and takes its name in one step. They do so in the order they were given in, so
what is named comes before what names it; what nobody names any more goes last. A cut in between
leaves files of both, and the next run ends the work. A folder that is not there yet appears whole.
A folder that ognetboot did not write is never touched.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ognetboot.errors import NetbootError
from ognetboot.keeping import give_away
from ognetboot.texts.written import (
    FILE_MODE,
    FOLDER_MODE,
    alone,
    scratch,
    sync,
    write_all,
)

# Marks a tree as ours. The repository does not serve files whose name begins with a dot.
MARKER = PurePosixPath(".ognetboot")
_MARKER_TEXT = b"This folder is written by `ognetboot render`; changes made here are lost.\n"

Files = Mapping[PurePosixPath, bytes]
Links = Mapping[PurePosixPath, str]


@dataclass(frozen=True, slots=True)
class Changes:
    """What was (or would be) written anew, and what went; false where nothing was to do."""

    written: tuple[PurePosixPath, ...]
    removed: tuple[PurePosixPath, ...]

    def __bool__(self) -> bool:
        return bool(self.written or self.removed)


def publish(out: Path, files: Files, links: Links, *, dry_run: bool = False) -> Changes:
    """Make `out` hold exactly `files` (written in their order) and symbolic `links`."""
    files = {MARKER: _MARKER_TEXT, **files}
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise NetbootError(f"{out} exists and is not a folder", hint="choose another OUT")
    try:
        if out.is_dir() and any(out.iterdir()) and not (out / MARKER).is_file():
            raise NetbootError(
                f"{out} holds files that ognetboot did not write",
                hint="choose an empty or new folder as OUT",
            )
        if dry_run:
            return _compare(out, files, links)
        out.parent.mkdir(parents=True, exist_ok=True)
        with alone(out):
            changes = _compare(out, files, links)
            if changes:
                with scratch(out) as beside:
                    write = _update if (out / MARKER).is_file() else _appear
                    write(out, files, links, changes, beside)
        return changes
    except OSError as error:
        raise _unwritable(out, error) from None


def renew(out: Path, files: Files) -> Changes:
    """Bring these files of a tree that is there to that, and leave all the others as they are."""
    if not (out / MARKER).is_file():
        raise NetbootError(
            f"{out} is no folder that `ognetboot render` wrote", hint="render the inventory first"
        )
    try:
        with alone(out):
            fresh = tuple(n for n, content in files.items() if _content(out / n) != content)
            if fresh:
                with scratch(out) as beside:
                    parts = {name: beside / str(number) for number, name in enumerate(fresh)}
                    write_all({parts[name]: files[name] for name in fresh}, out.parent)
                    for name, part in parts.items():
                        part.rename(out / name)
                for folder in {(out / name).parent for name in fresh}:
                    sync(folder)
        return Changes(fresh, ())
    except OSError as error:
        raise _unwritable(out, error) from None


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def remembered(out: Path) -> Path | None:
    """The inventory that the tree was rendered from, where it says so."""
    content = _content(out / MARKER) or b""
    found = re.search(rb"^inventory (/[^\n]*)$", content, re.MULTILINE)
    return Path(os.fsdecode(found[1])) if found else None


def remembering(inventory: Path) -> dict[PurePosixPath, bytes]:
    """The file by which a tree says it."""
    name = os.fsencode(inventory.resolve())
    return {MARKER: _MARKER_TEXT + (b"" if b"\n" in name else b"inventory " + name + b"\n")}


def _unwritable(out: Path, error: OSError) -> NetbootError:
    return NetbootError(
        f"{out}: the files cannot be written: {error.strerror}", hint="check rights and free space"
    )


def _compare(out: Path, files: Files, links: Links) -> Changes:
    wanted = {str(name): name for name in (*files, *links)}
    right: set[PurePosixPath] = set()
    others: list[PurePosixPath] = []
    for within, found in _found(str(out)) if out.is_dir() else ():
        name = wanted.get(within)
        if name is None:
            others.append(PurePosixPath(within))
        elif _is_right(found, files.get(name), links.get(name)):
            right.add(name)
    fresh = (name for name in wanted.values() if name not in right)
    return Changes(tuple(fresh), tuple(sorted(others)))


def _found(folder: str, within: str = "") -> Iterator[tuple[str, os.DirEntry[str]]]:
    """All that is there but folders, each with its path inside the tree."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _found(entry.path, f"{within}{entry.name}/")
            else:
                yield within + entry.name, entry


def _is_right(found: os.DirEntry[str], content: bytes | None, target: str | None) -> bool:
    """Whether it is a link to that target, or a file with that content that everybody may read."""
    path = Path(found.path)
    if found.is_symlink():
        return str(path.readlink()) == target
    if content is None or not found.is_file(follow_symlinks=False):
        return False
    status = found.stat(follow_symlinks=False)
    if stat.S_IMODE(status.st_mode) != FILE_MODE or status.st_size != len(content):
        return False
    with path.open("rb", buffering=0) as stream:
        return stream.read() == content


def _appear(out: Path, files: Files, links: Links, _: Changes, beside: Path) -> None:
    """Make the tree where there is none, in one step."""
    tree = beside / "tree"
    tree.mkdir()
    folders = _folders((*files, *links))
    _make_folders(tree, folders, out.parent)
    write_all({tree / name: content for name, content in files.items()}, out.parent)
    for name, target in links.items():
        _link(tree / name, target, out.parent)
    for folder in folders:
        sync(tree / folder)
    tree.rename(out)
    sync(out.parent)


def _update(out: Path, files: Files, links: Links, changes: Changes, beside: Path) -> None:
    """Change an existing tree, file by file."""
    touched = {(out / name).parent for name in (*changes.written, *changes.removed)}
    parts = {name: beside / str(number) for number, name in enumerate(changes.written)}
    write_all({parts[name]: files[name] for name in parts if name in files}, out.parent)
    _clear_ways(out, changes.written)
    folders = _folders((*files, *links))
    _make_folders(out, folders, out.parent)
    for name, part in parts.items():
        if name in links:
            _link(part, links[name], out.parent)
        part.rename(out / name)
    for name in changes.removed:
        # What stood in the way of a folder or file is gone already.
        if os.path.lexists(out / name) and ((out / name).is_symlink() or not (out / name).is_dir()):
            (out / name).unlink()
    _remove_empty(out, folders)
    for folder in touched:
        if folder.is_dir():
            sync(folder)
    sync(out)


def _clear_ways(out: Path, names: Iterable[PurePosixPath]) -> None:
    """Remove what stands where these files and their folders shall be, as another kind."""
    names = list(names)
    for folder in _folders(names):
        path = out / folder
        if path != out and os.path.lexists(path) and (path.is_symlink() or not path.is_dir()):
            path.unlink()
    for name in names:
        if (out / name).is_dir() and not (out / name).is_symlink():
            shutil.rmtree(out / name)


def _folders(names: Iterable[PurePosixPath]) -> list[PurePosixPath]:
    """Every folder that these are in, the outer before the inner."""
    inner = {name.parent for name in names}
    found = inner | {above for folder in inner for above in folder.parents}
    return sorted(found, key=lambda folder: len(folder.parts))


def _make_folders(root: Path, folders: Iterable[PurePosixPath], above: Path) -> None:
    for folder in folders:
        path = root / folder
        if not path.is_dir():
            path.mkdir()
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            if stat.S_IMODE(os.fstat(handle).st_mode) != FOLDER_MODE:
                os.fchmod(handle, FOLDER_MODE)
        finally:
            os.close(handle)
        give_away(path, above)


def _remove_empty(out: Path, wanted: list[PurePosixPath]) -> None:
    kept = {out / folder for folder in wanted}
    for folder, _, _ in os.walk(out, topdown=False):
        if Path(folder) not in kept:
            Path(folder).rmdir()


def _link(path: Path, target: str, above: Path) -> None:
    path.symlink_to(target)
    give_away(path, above)
