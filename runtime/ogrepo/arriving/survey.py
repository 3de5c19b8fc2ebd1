# SPDX-License-Identifier: GPL-3.0-or-later
"""What is in a folder of OpenGnsys' images: looked at and named; nothing in it is touched.

Headers are read and names judged, no more. Images lie in the folder itself, or one level deeper
where each organisational unit has a folder of its own.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from oglib.errors import NotFoundError, OgError, UsageError
from oglib.image.reading.formats.detect import open_stream
from oglib.image.reading.formats.folders.folder import is_folder_image
from oglib.image.reading.formats.model import is_synchronised
from oglib.image.reading.source import FileSource
from oglib.texts import TooLargeError, read_whole
from ogrepo.arriving.naming import alias, bare, free_name, is_beside, is_under_way
from ogrepo.arriving.rest import Stamps, has_writer
from ogrepo.library.folder import Folder

_MOST_ENTRIES = 20_000
_INFO_BYTES = 4096
_REPOINFO_BYTES = 16 << 20
_ENDS = (".img", ".dsk")
_SYNC_DIFFERENCE, _SYNC_LIST = ".diff", "ogimg.info"

READABLE, DAMAGED, LEFT, IN_USE = "readable", "damaged", "left alone", "in use"


@dataclass(frozen=True, slots=True)
class Found:
    """One thing in the folder; ``path`` is relative to it. ``state``: one of the words above.

    ``name``: as which it is, or would be, served; empty where it is not. ``hostname``: the PC that
    it was made on, as OpenGnsys noted it. ``said``: what a person should know of it.
    """

    path: str
    state: str
    name: str = ""
    size: int = 0
    hostname: str = ""
    said: str = ""
    stamps: Stamps | None = None

    @property
    def is_renamed(self) -> bool:
        """Whether its own name is none that an image can have here."""
        return bool(self.name) and self.name != named(self.path)

    def as_dict(self) -> dict[str, object]:
        """JSON-able; bytes of a name that are no text are escaped."""
        path = os.fsencode(self.path).decode("utf-8", "backslashreplace")
        return {
            "path": path,
            "state": self.state,
            "name": self.name,
            "renamed": self.is_renamed,
            "size_bytes": self.size,
            "hostname": self.hostname,
            "said": self.said,
        }


def named(path: str) -> str:
    """What OpenGnsys calls the image at this relative path, its organisational unit before it."""
    above, slash, leaf = path.rpartition("/")
    return above + slash + bare(leaf)


def checked_folder(folder: Folder, path: Path) -> Path:
    """The folder to look into, without links; it is none of the repository's own."""
    try:
        real = path.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise NotFoundError(f"There is no folder {path}.") from error
    if not real.is_dir():
        raise UsageError(f"{path} is no folder.")
    if real.is_relative_to(folder.root) or folder.root.is_relative_to(real):
        raise UsageError(
            f"{path} and the repository {folder.root} lie in each other.",
            hint="Adopt a folder of its own; a file is brought in by `ogrepo import`.",
        )
    return real


def survey(top: Path, known: dict[str, str], taken: set[str]) -> list[Found]:
    """Everything in ``top`` that is, or looks like, an image.

    ``known``: which name each path was given before; ``taken``: names of other images.
    """
    hosts = _hosts(top)
    found = []
    used = taken | set(known.values())
    for path, said in _entries(top):
        if said:
            found.append(Found(path, LEFT, said=said))
            continue
        one = _judged(top, path, hosts)
        if one.state in (READABLE, IN_USE, DAMAGED):
            name = known.get(path) or free_name(alias(named(path)), used)
            used.add(name)
            one = replace(one, name=name)
        found.append(one)
    return found


def _entries(top: Path) -> Iterator[tuple[str, str]]:
    """Paths below ``top``, each with the sentence why it is none to look at, or ""."""
    for entry in _listed(top):
        if not entry.is_dir():
            yield from _file(entry.name, entry)
            continue
        yield from _folder(top, entry)


def _listed(folder: Path) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        found = list(islice(entries, _MOST_ENTRIES + 1))
    if len(found) > _MOST_ENTRIES:
        raise UsageError(f"{folder} has more than {_MOST_ENTRIES} entries.")
    return sorted(found, key=lambda entry: os.fsencode(entry.name))


def _file(path: str, entry: os.DirEntry[str]) -> Iterator[tuple[str, str]]:
    low = entry.name.lower()
    if low.endswith(_SYNC_DIFFERENCE):
        yield path, "the difference of a synchronised image; only OpenGnsys restores it"
    elif low.endswith(_ENDS) and not is_under_way(entry.name):
        yield path, ""
    elif not is_beside(entry.name) and not is_under_way(entry.name) and ".img." in low:
        yield path, "a volume or an odd file; `ogrepo import` joins volumes"


def _folder(top: Path, entry: os.DirEntry[str]) -> Iterator[tuple[str, str]]:
    path = top / entry.name
    if entry.is_symlink() or entry.name.startswith("."):
        return
    if tool := is_folder_image(path):
        yield entry.name, f"the {tool} image of a disk; `ogrepo import` takes it"
    elif (path / _SYNC_LIST).exists():
        yield entry.name, "a synchronised image; only OpenGnsys restores it"
    else:
        try:
            inside = _listed(path)
        except OSError as error:
            yield entry.name, f"cannot be looked into: {error.strerror}"
            return
        for one in inside:
            if not one.is_dir():
                yield from _file(f"{entry.name}/{one.name}", one)


def _judged(top: Path, path: str, hosts: dict[str, str]) -> Found:
    full = top / path
    try:
        if full.is_symlink():
            return Found(path, LEFT, said="a link, and only files are served from here")
        status = full.stat()
        stamps = Stamps.of(status)
        host = _host_in(full) or hosts.get(named(path), "")
        one = Found(path, READABLE, "", status.st_size, host, "", stamps)
        if why := in_use(full):
            return Found(path, IN_USE, "", status.st_size, host, why, stamps)
        return _read(full, one)
    except OSError as error:
        return Found(path, DAMAGED, said=f"cannot be read: {error.strerror}")


def _read(full: Path, one: Found) -> Found:
    """What its header says; its content is read when it is adopted."""
    try:
        with closing(open_stream(FileSource(full), one.path)) as stream:
            info = stream.info
    except OgError as error:
        return replace(one, state=DAMAGED, said=error.message)
    if is_synchronised(info):
        said = "a synchronised image, or a plain copy of a Linux filesystem; it is not served"
        return replace(one, state=LEFT, said=said)
    return replace(one, said=f"{info.tool}, {info.compressor}, {info.filesystem or 'a whole disk'}")


def in_use(path: Path) -> str:
    """Why it seems that somebody is changing it, in a few words; empty where nobody is known to."""
    for end in (".lock", ".bf", ".bfog"):
        if path.with_name(path.name + end).exists():
            return f"{path.name}{end} lies beside it"
    return "a process has it open for writing" if has_writer(path, lease=False) else ""


def _host_in(image: Path) -> str:
    """The PC's name in the image's ``.info``: ``TOOL:COMPRESSOR:FS:KB:HOST``."""
    with suppress(OSError, TooLargeError, ValueError):
        text = read_whole(image.with_name(image.name + ".info"), _INFO_BYTES).decode("utf-8")
        fields = text.strip().split(":")
        return _word(fields[4]) if len(fields) > 4 else ""
    return ""


def _hosts(top: Path) -> dict[str, str]:
    """The PC of each image by OpenGnsys' own list, ``etc/repoinfo.json``; none where there is none.

    A convenience for people: what cannot be read, or is not as it should be, tells nothing.
    """
    hosts: dict[str, str] = {}
    with suppress(OSError, TooLargeError, ValueError, LookupError, AttributeError, TypeError):
        told = json.loads(read_whole(top.parent / "etc" / "repoinfo.json", _REPOINFO_BYTES))
        units = [("", told), *((f"{one['subdir']}/", one) for one in told.get("ous", []))]
        for above, unit in units:
            for image in unit.get("images", []):
                hosts[f"{above}{image['name']}"] = _word(str(image.get("clientname", "")))
    return hosts


def _word(text: str) -> str:
    return "".join(char for char in text.strip() if char.isalnum() or char in "-._")[:255]
