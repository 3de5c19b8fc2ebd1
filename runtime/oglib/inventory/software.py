# SPDX-License-Identifier: GPL-3.0-or-later
"""What is installed on a mounted system: the databases of its package managers, read as files.

Nothing of the system is run. A database that cannot be read is named in ``notes``; the others are
still listed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from oglib.errors import OgError
from oglib.inventory import rpm, windows
from oglib.inventory.sanitized import one_line
from oglib.inventory.system import System, SystemKind
from oglib.osconfig.reading import NoPlainFileError
from oglib.osconfig.root import TargetRoot

_DATABASE_LIMIT_BYTES = 128 * 1024 * 1024
_SNAP_LIMIT_BYTES = 32 * 1024 * 1024  # as values it takes ten times that
_ENTRY_LIMIT_BYTES = 1024 * 1024  # of one package
_FIELD_CHARS = 4096
_DPKG = "var/lib/dpkg/status"
_PACMAN = "var/lib/pacman/local"
_SNAPS = "var/lib/snapd/state.json"
_FLATPAKS = "var/lib/flatpak/app"
_RELEASE = re.compile(r"<release\b")
_VERSION = re.compile(r"\bversion=\"([^\"]*)\"")


@dataclass(frozen=True, slots=True)
class Package:
    """One installed program; ``source`` is who installed it (dpkg, rpm, windows, …)."""

    name: str
    version: str
    source: str

    @property
    def text(self) -> str:
        return f"{self.name} {self.version}".strip()


@dataclass(frozen=True, slots=True)
class Software:
    """All packages, sorted by name; ``notes`` say which databases could not be read."""

    packages: tuple[Package, ...]
    notes: tuple[str, ...] = ()


def installed(root: TargetRoot, system: System) -> Software:
    """The software of the system on ``root``."""
    readers = _WINDOWS if system.kind is SystemKind.WINDOWS else _UNIX
    found: set[Package] = set()
    notes = []
    for source, read in readers.items():
        try:
            found |= {Package(name, version, source) for name, version in read(root)}
        except FileNotFoundError:
            continue
        except (OgError, ValueError) as error:
            notes.append(f"{source}: {error}")
    ordered = sorted(found, key=lambda one: (one.name.casefold(), one.version, one.source))
    return Software(tuple(ordered), tuple(notes))


def listing(system: System, software: Software) -> str:
    """The system, then a name and version a line."""
    return "\n".join([system.full_description, *(package.text for package in software.packages)])


def old_listing(system: System, software: Software) -> str:
    """The same as ogListSoftware answers: what a server compares with what it had before."""
    lines = (_old_text(package) for package in software.packages)
    return "\n".join([system.full_description, *dict.fromkeys(filter(None, lines))])


def _old_text(package: Package) -> str:
    """Of dpkg and rpm without epoch and revision, and not what programs are built with."""
    match package.source:
        case "dpkg":
            name = package.name.removesuffix("-dev")
            words = [name, package.version.rpartition(":")[2].partition("-")[0]]
        case "rpm":
            if package.name.endswith("-devel"):
                return ""
            words = [package.name, package.version.partition("-")[0]]
        case "snap" | "flatpak":
            words = [package.name, f"({package.source})", package.version]
        case _:
            words = [package.name, package.version]
    return " ".join(words).strip()


def _text(root: TargetRoot, name: str, limit_bytes: int) -> str:
    return root.read_bytes(name, limit_bytes=limit_bytes).decode(errors="replace")


def _dpkg(root: TargetRoot) -> Iterator[tuple[str, str]]:
    return parse_dpkg(_text(root, _DPKG, _DATABASE_LIMIT_BYTES))


def parse_dpkg(text: str) -> Iterator[tuple[str, str]]:
    """dpkg's ``status``: paragraphs of ``Field: value``; only what is installed, not its rest."""
    fields: dict[str, str] = {}
    for line in _lines(text):
        name, colon, value = line.partition(":")
        if colon and name in ("Package", "Status", "Version"):
            fields[name] = value[:_FIELD_CHARS].strip()
        elif not line.strip():
            if fields.get("Status", "").split()[-1:] == ["installed"] and fields.get("Package"):
                yield one_line(fields["Package"]), one_line(fields.get("Version", ""))
            fields = {}


def _lines(text: str) -> Iterator[str]:
    """The lines of a text and an empty one, one at a time: a list of them may take gigabytes."""
    at = 0
    while (end := text.find("\n", at)) >= 0:
        yield text[at:end]
        at = end + 1
    yield from (text[at:], "")


def _rpm(root: TargetRoot) -> Iterator[tuple[str, str]]:
    for package in rpm.installed(root) or ():
        yield package.name, package.version


def _pacman(root: TargetRoot) -> Iterator[tuple[str, str]]:
    """A folder per package with a file ``desc``: ``%NAME%``, the name on the next line, …"""
    for folder in root.names(_PACMAN):
        try:
            text = _text(root, f"{_PACMAN}/{folder}/desc", _ENTRY_LIMIT_BYTES)
        except (FileNotFoundError, NoPlainFileError):
            continue  # a file beside the packages (ALPM_DB_VERSION)
        fields = dict(re.findall(r"^%(NAME|VERSION)%\n(.*)$", text, re.MULTILINE))
        if "NAME" in fields:
            yield one_line(fields["NAME"]), one_line(fields.get("VERSION", ""))


def _snap(root: TargetRoot) -> Iterator[tuple[str, str]]:
    """snapd's own state knows the revision in use; the version is inside the packed snap."""
    try:
        state = json.loads(_text(root, _SNAPS, _SNAP_LIMIT_BYTES))
        snaps = state["data"].get("snaps", {})
        for name, snap in snaps.items():
            yield one_line(str(name)), one_line(f"revision {snap['current']}")
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"the state of snapd is of an unknown form ({error!r})") from error


def _flatpak(root: TargetRoot) -> Iterator[tuple[str, str]]:
    """Programs for all users; the version as their own description for shops says it."""
    for name in root.names(_FLATPAKS):
        files = f"{_FLATPAKS}/{name}/current/active/files/share"
        version = ""
        for path in (f"metainfo/{name}.metainfo.xml", f"appdata/{name}.appdata.xml"):
            try:
                text = _text(root, f"{files}/{path}", _ENTRY_LIMIT_BYTES)
            except (FileNotFoundError, NoPlainFileError):
                continue
            version = version or newest_release(text)
        yield one_line(name), version


def newest_release(text: str) -> str:
    """The version in the first ``<release version="…">`` of a description for shops, or nothing."""
    found = _RELEASE.search(text)
    while found:
        # each tag once: a pattern for the whole would look from every tag to the end of the text
        end = text.find(">", found.end())
        said = _VERSION.search(text, found.end(), end if end >= 0 else len(text))
        if said or end < 0:
            return one_line(said[1]) if said else ""
        found = _RELEASE.search(text, end)
    return ""


def _windows(root: TargetRoot) -> Iterator[tuple[str, str]]:
    for program in windows.programs(root):
        yield program.name, program.version


_Reader = Callable[[TargetRoot], Iterator[tuple[str, str]]]
_UNIX: dict[str, _Reader] = {
    "dpkg": _dpkg,
    "rpm": _rpm,
    "pacman": _pacman,
    "snap": _snap,
    "flatpak": _flatpak,
}
_WINDOWS: dict[str, _Reader] = {"windows": _windows}
