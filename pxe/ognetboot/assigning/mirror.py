# SPDX-License-Identifier: GPL-3.0-or-later
"""Our entries where OpenGnsys looks for boot modes, and the program that it calls to set one.

`GET /mode` of ogServer lists the plain files of `tftpboot/menu.lst/templates`, consoles read the
second word of their first line. Files there that are not ours stay as they are.
"""

from __future__ import annotations

import re
import shlex
import stat
import sys
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path

from ognetboot import keeping
from ognetboot.errors import NetbootError
from ognetboot.inventory.entries import Entry

_FIRST_LINE = "##NO-TOCAR-ESTA-LINEA"
_OURS = "# Written by ognetboot, do not edit: the PCs are served by it.\n"
# What OpenGnsys shows for its own templates.
_SHOWN = {
    "00unknown": "Sin-designar",
    "10": "1hd",
    "11": "1hd-1partition",
    "12": "1hd-2partition",
    "13": "1hd-3partition",
    "19pxeadmin": "ogLiveAdmin",
    "pxe": "ogLive",
}
# The column of ogServer's database that keeps a PC's mode.
_LONGEST_NAME = 30
_MOST_TEMPLATE = 1 << 20
# OpenGnsys runs the program and reads the templates, as whatever user.
_RUN, _READ = 0o755, 0o444


def shown_names(entries: Iterable[Entry]) -> dict[str, str]:
    """What each entry is shown as, by its name: one word, for OpenGnsys takes no more of it, and
    hands it to a shell and to grep as it is."""
    found: dict[str, str] = {}
    for entry in entries:
        plain = unicodedata.normalize("NFKD", _SHOWN.get(entry.name) or entry.title or entry.name)
        word = re.sub(r"[^A-Za-z0-9]+", "-", plain.encode("ascii", "ignore").decode()).strip("-")
        if not word or word in found.values():
            word = f"{word}-{entry.name}".strip("-")
        found[entry.name] = word
    return found


def mirror(
    opengnsys: Path,
    entries: Iterable[Entry],
    inventory: Path,
    out: Path,
    *,
    dry_run: bool,
    force: bool = False,
) -> list[str]:
    """Write templates and program below OpenGnsys' folder; what is told of it, a line each.

    A folder that another inventory was shown to is refused, unless it is `force`d: OpenGnsys would
    set that one's PCs no more.
    """
    if not (opengnsys / "tftpboot").is_dir():
        raise NetbootError(
            f"{opengnsys} is no folder of OpenGnsys: it has no tftpboot",
            hint="name it as in --ogserver /opt/opengnsys",
        )
    program = opengnsys / "bin/setclientmode"
    source = _source(program)
    if source is not None and source != inventory.absolute() and not force:
        raise NetbootError(
            f"{program} sets PCs of {source}, not of {inventory}",
            hint="leave --ogserver away; --force puts this inventory in that one's place",
        )
    folder = opengnsys / "tftpboot/menu.lst/templates"
    wanted = {name: _template(word) for name, word in shown_names(entries).items()}
    too_long = sorted(name for name in wanted if len(name) > _LONGEST_NAME)
    for name in too_long:
        del wanted[name]
    lines = list(_put(folder, wanted, dry_run=dry_run))
    if too_long:
        lines.append(
            f"not shown to OpenGnsys, whose database keeps {_LONGEST_NAME} characters of a name: "
            f"{', '.join(too_long)}"
        )
    lines += _put_program(program, _program(inventory, out), dry_run)
    return lines


def _template(word: str) -> bytes:
    return f"{_FIRST_LINE} {word}\n{_OURS}".encode()


def _put(folder: Path, wanted: dict[str, bytes], *, dry_run: bool) -> Iterator[str]:
    there = {path.name: _content(path) for path in folder.iterdir()} if folder.is_dir() else {}
    ours = {name for name, content in there.items() if _is_ours(content)}
    foreign = sorted(wanted.keys() & there.keys() - ours)
    new = {name: content for name, content in wanted.items() if name not in foreign}
    changed = [
        name
        for name, content in new.items()
        if there.get(name) != content or (folder / name).stat().st_mode & _READ != _READ
    ]
    gone = sorted(ours - wanted.keys())
    if not dry_run:
        folder.mkdir(parents=True, exist_ok=True)
        for name in changed:
            keeping.write(folder / name, new[name])
        for name in gone:
            (folder / name).unlink()
    if changed or gone:
        yield f"{folder}: {len(changed)} written, {len(gone)} removed"
    if foreign:
        yield f"{folder}: left as they are, for they are not ours: {', '.join(foreign)}"


def _content(path: Path) -> bytes:
    """A template's text; empty for what is no plain file, which is not ours either."""
    return keeping.read(path, _MOST_TEMPLATE) or b"" if path.is_file() else b""


def _is_ours(content: bytes) -> bool:
    return _OURS.encode() in content.splitlines(keepends=True)[1:2]


def _program(inventory: Path, out: Path) -> bytes:
    words = (sys.executable, "-I", "-m", "ognetboot", "mode", "--inventory", inventory.absolute(),
             "--out", out.absolute(), "--")  # fmt: skip
    command = shlex.join(map(str, words))
    return f'#!/bin/bash\n{_OURS}exec {command} "$@"\n'.encode()


def _source(path: Path) -> Path | None:
    """The inventory whose PCs the program sets, where it is one of ours."""
    there = keeping.read(path, _MOST_TEMPLATE) or b""
    if not _is_ours(there):
        return None
    try:
        words = shlex.split(there.decode("utf-8").splitlines()[-1])
    except ValueError:  # somebody has changed it
        return None
    return Path(words[words.index("--inventory") + 1]) if "--inventory" in words[:-1] else None


def _put_program(path: Path, content: bytes, dry_run: bool) -> Iterator[str]:
    there = keeping.read(path, _MOST_TEMPLATE)
    if there == content:
        if stat.S_IMODE(path.stat().st_mode) != _RUN:
            if not dry_run:
                path.chmod(_RUN)
            yield f"{path}: may be run again"
        return
    if there is not None and not _is_ours(there):
        yield (
            f"{path} is OpenGnsys' own program: PCs are set by it, not by this inventory, until it "
            "is moved away and this is rendered again"
        )
        return
    if not dry_run:
        path.parent.mkdir(parents=True, exist_ok=True)
        keeping.write(path, content)
        path.chmod(_RUN)
    yield f"{path}: written"
