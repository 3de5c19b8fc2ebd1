# SPDX-License-Identifier: GPL-3.0-or-later
"""Files as the old commands name them: ``[REPO|CACHE|CDROM | DISK PARTITION] PATH``.

Upper and lower case do not count where a path has no exact match. Links of a mounted disk are
followed inside that disk only, as if its top were ``/``: its content is a stranger's.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from oglib.errors import NotFoundError, UsageError
from oglib.shim.command import command_of

IMAGES = "/opt/opengnsys/images"
_MOST_LINKS = 40  # as the kernel


@dataclass(frozen=True, slots=True)
class Place:
    """A path ``name`` below ``root``, which links cannot leave; it need not exist."""

    root: Path
    name: str

    def find(self) -> Path | None:
        """The real path, or None where there is nothing."""
        return _walk(self.root, self.name, follow_last=True)

    def entry(self) -> Path | None:
        """The same, but a link at the very end is itself what is meant."""
        return _walk(self.root, self.name, follow_last=False)

    def parent(self) -> Place:
        """The folder that holds it."""
        return Place(self.root, self.name.rstrip("/").rpartition("/")[0])

    def existing(self) -> Path:
        """The real path; OG_ERR_NOTFOUND where there is nothing."""
        return _there(self.find(), self.name or str(self.root))

    def file(self) -> Path:
        """The real path of a regular file; OG_ERR_NOTFOUND otherwise."""
        found = self.existing()
        if not found.is_file():
            raise NotFoundError(f"{found} is not a file.")
        return found

    def folder(self) -> Path:
        """The real path of a folder; OG_ERR_NOTFOUND otherwise."""
        found = self.existing()
        if not found.is_dir():
            raise NotFoundError(f"{found} is not a folder.")
        return found

    def named(self) -> Path | None:
        """As ``find``, but of a link that leads to the same place its own path, as it was given."""
        found = self.find()
        plain = self.root / self.name.strip("/")
        if found is None or ".." in plain.parts:
            return found
        # both asked of the kernel too: of a disk, neither the link nor its folder may lead out
        same = plain.resolve() == found and plain.parent.resolve() == self.parent().find()
        return plain if same else found

    def make(self) -> None:
        """Make the folder and those above it that are missing; an existing one is fine.

        A file in its place, and whatever else keeps it from being made, is OG_ERR_NOTFOUND.
        """
        here: Place = self
        missing: list[str] = []
        while (found := here.find()) is None:
            last = here.name.rstrip("/").rpartition("/")[2]
            if last in ("", ".", ".."):
                raise UsageError(f"{self.name} does not name a folder.")
            missing.insert(0, last)
            here = here.parent()
        if not found.is_dir():
            raise NotFoundError(f"{self.name} cannot be made: {found} is a file.")
        try:
            # each by itself: a link that leads nowhere inside the disk is not followed outside
            for name in missing:
                found = found / name
                found.mkdir()
        except OSError as error:
            raise NotFoundError(f"{self.name} cannot be made: {error.strerror}.") from error


def repository() -> Path:
    """Where the images of the repository are mounted."""
    return Path(os.environ.get("OGIMG") or IMAGES)


def take_place(words: Sequence[str]) -> tuple[Place, Sequence[str]]:
    """The place that the first words name, and the words after them."""
    if len(words) >= 3 and words[0].isdecimal() and words[1].isdecimal():
        return Place(_mounted(words[:2]), words[2]), words[3:]
    match words:
        case [where, path, *rest] if where.upper() == "REPO":
            return Place(repository().resolve(), path), rest
        case [where, path, *rest] if where.upper() == "CACHE":
            return Place(_mounted(["CACHE"]), f"{IMAGES}/{path}"), rest
        case [where, path, *rest] if where.upper() == "CDROM":
            return Place(_mounted(["CDROM"]), path), rest
        case [path, *rest] if path:
            return Place(Path("/"), os.path.join(Path.cwd(), path)), rest  # noqa: PTH118  keeps ..
    raise UsageError("A path is missing.", hint="Give [REPO|CACHE|CDROM | DISK PARTITION] PATH.")


def places(words: Sequence[str], count: int) -> list[Place]:
    """Exactly ``count`` places and no word more."""
    found: list[Place] = []
    rest = words
    for _ in range(count):
        place, rest = take_place(rest)
        found.append(place)
    if rest:
        raise UsageError(
            f"{' '.join(rest)!r} is too much.", hint="REPO, CACHE and CDROM are the places known."
        )
    return found


def _mounted(words: Sequence[str]) -> Path:
    return Path(str(command_of("ogMount").run(words))).resolve()


def _there(found: Path | None, name: str) -> Path:
    if found is None:
        raise NotFoundError(f"There is no {name}.")
    return found


def _walk(root: Path, name: str, *, follow_last: bool) -> Path | None:
    if not root.is_dir():
        return None
    todo = deque(name.split("/"))
    here = root
    links = 0
    while todo:
        part = todo.popleft()
        if part in ("", "."):
            continue
        if part == "..":
            here = here if here == root else here.parent
            continue
        entry = _spelled(here, part)
        if entry is None:
            return None
        if entry.is_symlink() and (follow_last or any(todo)):
            links += 1
            if links > _MOST_LINKS:
                return None
            target = str(entry.readlink())
            here = root if target.startswith("/") else here
            todo.extendleft(reversed(target.split("/")))
            continue
        here = entry
    return here


def _spelled(folder: Path, name: str) -> Path | None:
    """The entry called ``name``, else the only one that differs in case alone."""
    if os.path.lexists(folder / name):
        return folder / name
    if not folder.is_dir():
        return None
    same = [one for one in folder.iterdir() if one.name.casefold() == name.casefold()]
    if len(same) > 1:
        spellings = ", ".join(sorted(one.name for one in same))
        raise NotFoundError(
            f"{name} may be any of {spellings} in {folder}.", hint="Spell it exactly."
        )
    return same[0] if same else None
