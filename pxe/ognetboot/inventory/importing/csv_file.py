# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads a table of PCs: CSV with any usual delimiter, with a line of headings or without one.

Headings are understood in Spanish, Catalan and English. Without them the columns of MACs and of
addresses are found by what they hold; what is left is the name, and then the room.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Sequence

from ognetboot.errors import NetbootError
from ognetboot.inventory import checks
from ognetboot.inventory.importing.brought import Brought, BroughtCentre, BroughtPc, BroughtRoom
from ognetboot.inventory.importing.names import plain

MOST_BYTES = 16 << 20
_MOST_ROWS = 100_000
_MOST_COLUMNS = 64
_DELIMITERS = ";,\t|"
_HEADINGS = {
    "name": "nombre nom name equipo equip ordenador ordinador pc host hostname maquina computer",
    "ip": "ip ipaddress direccionip adrecaip address ipv4 fixedaddress",
    "mac": "mac macaddress direccionmac adrecamac hwaddr ethernet hardwareaddress hardwareethernet "
    "direccionfisica adrecafisica physicaladdress direccionethernet adrecaethernet",
    "uuid": "uuid systemuuid",
    "serial": "serial serie sn numserie numeroserie numerodeserie noserie nodeserie serialnumber",
    "room": "aula room sala laboratorio laboratori lab classroom ubicacion location nombreaula",
    "centre": "centro centre center unidadorganizativa unitatorganitzativa ou facultad campus",
    "entry": "arranque arrencada boot bootmode entry modo mode",
    "hardware": "perfilhardware perfilhard hardware hardwareprofile modelo model",
    "firmware": "firmware bios uefi",
    "repository": "repositorio repositori repository repo",
}
# What stands in a heading besides: "Nombre del equipo", "Nom de l'ordinador", "MAC of the PC".
_ARTICLES = frozenset(("de", "del", "d", "la", "el", "l", "los", "las", "les", "of", "the"))
_PC = frozenset(("equipo", "equip", "ordenador", "ordinador", "pc", "host", "maquina", "computer"))
_SHOWN = 300
_MEANING = {word: key for key, words in _HEADINGS.items() for word in words.split()}


def read_csv(text: str, source: str, room: str = "") -> Brought:
    """The PCs of the text; `room` is the title of the room of those that name none."""
    if len(text) > MOST_BYTES:
        raise NetbootError(f"{source} is larger than {MOST_BYTES >> 20} MiB", hint="split it")
    rows = _rows(text.removeprefix("\ufeff"), source)
    brought = Brought(source)
    headings, columns = _columns(rows, brought)
    rows = rows[1:] if headings else rows
    for at, heading in enumerate(headings):
        if at not in columns.values() and heading.strip():
            brought.lost[f"column {heading.strip()!r}"] = len(rows)
    rooms: dict[tuple[str, str], str] = {}
    centres: dict[str, str] = {}
    for line, cells in rows:
        told = {key: cells[at].strip() for key, at in columns.items() if at < len(cells)}
        if headings and len(cells) > len(headings):
            brought.lost[f"line {line}: more cells than headings"] += 1
        centre = _number(centres, told.pop("centre", ""))
        where = (told.pop("room", "") or room, centre)
        number = rooms.setdefault(where, str(len(rooms) + 1)) if where[0] else ""
        brought.pcs.append(
            BroughtPc(
                place=f"line {line}",
                name=told.get("name", ""),
                mac=told.get("mac", ""),
                ip=told.get("ip", ""),
                uuid=told.get("uuid", ""),
                serial=told.get("serial", ""),
                room=number,
                hardware=told.get("hardware", ""),
                repository=told.get("repository", ""),
                entry=told.get("entry", ""),
                firmware=told.get("firmware", ""),
            )
        )
    brought.centres += [BroughtCentre(n, title) for title, n in centres.items()]
    brought.rooms += [BroughtRoom(n, title, centre) for (title, centre), n in rooms.items()]
    return brought


def _number(numbers: dict[str, str], title: str) -> str:
    return numbers.setdefault(title, str(len(numbers) + 1)) if title else ""


def _rows(text: str, source: str) -> list[tuple[int, list[str]]]:
    """Line number and cells of each row that holds something."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=False)
    rows: list[tuple[int, list[str]]] = []
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells) and not cells[0].lstrip().startswith("#"):
                rows.append((reader.line_num, cells[:_MOST_COLUMNS]))
            if len(rows) > _MOST_ROWS:
                raise NetbootError(f"{source} has more than {_MOST_ROWS} rows", hint="split it")
    except csv.Error as error:
        raise NetbootError(
            f"{source} is no table of text at line {reader.line_num}: {error}",
            hint="save it as CSV with UTF-8",
        ) from None
    if not rows:
        raise NetbootError(f"{source} holds no row", hint="give a table of PCs")
    return rows


def _delimiter(text: str) -> str:
    """The sign that parts the first lines into equally many cells, as many as there are."""
    # Unicode knows more ends of lines, which a cell may hold.
    start = re.split(r"\r\n|\n|\r", text[:65536])[:50]
    lines = [line for line in start if line.strip() and line[0] != "#"][:20]

    def score(sign: str) -> tuple[int, int]:
        counts = [len(cells) for cells in csv.reader(lines, delimiter=sign)]
        usual = max(set(counts), key=counts.count) if counts else 1
        return (counts.count(usual) if usual > 1 else 0, usual)

    return max(_DELIMITERS, key=score)


def _columns(
    rows: Sequence[tuple[int, list[str]]], brought: Brought
) -> tuple[list[str], dict[str, int]]:
    """The headings, none where there is no line of them, and where each of our words stands."""
    line, first = rows[0]
    columns = _headed(first)
    listed = ", ".join(cell.strip() for cell in first if cell.strip())[:_SHOWN]
    if columns is not None:
        if "name" not in columns:
            brought.notes.append(
                "no heading says which column holds the PCs' names, so that they are called pc-1, "
                f"pc-2 …: there are {listed}; write `nombre` above the one that does"
            )
        return first, columns
    columns = _guessed([cells for _, cells in rows], brought.source)
    above = first[columns["mac"]] if columns["mac"] < len(first) else ""
    # A MAC that was mistyped is no heading.
    if not re.search(r"[^\W\d_]", above) or re.search(r"[\d:]", above):
        return [], columns
    brought.notes.append(
        f"no heading of line {line} is known ({listed}), so that columns were told by what they "
        "hold; write nombre, ip, mac and aula above them"
    )
    return first, columns


def _headed(cells: Sequence[str]) -> dict[str, int] | None:
    """Where each of our words stands, if the row is one of headings."""
    found: dict[str, int] = {}
    for number, cell in enumerate(cells):
        key = _meaning(cell)
        if key is not None:
            found.setdefault(key, number)
    return found if found.keys() & {"mac", "ip", "uuid"} and len(found) > 1 else None


def _meaning(heading: str) -> str | None:
    """Which of our words a heading is: as it is, without articles, without the PC that it is of."""
    words = re.findall(r"[a-z0-9]+", plain(heading).lower())
    bare = [word for word in words if word not in _ARTICLES]
    for some in (words, bare, [word for word in bare if word not in _PC]):
        if (key := _MEANING.get("".join(some))) is not None:
            return key
    return None


def _guessed(rows: Sequence[Sequence[str]], source: str) -> dict[str, int]:
    width = max(map(len, rows))
    columns: dict[str, int] = {}
    for key, check in (("mac", checks.mac), ("ip", checks.ipv4)):
        hits = [sum(_is(check, row[n]) for row in rows if n < len(row)) for n in range(width)]
        if max(hits) * 2 > len(rows):
            columns[key] = hits.index(max(hits))
    if "mac" not in columns:
        said = ", ".join(cell.strip() for cell in rows[0])[:_SHOWN]
        raise NetbootError(
            f"{source} has no column of MAC addresses; its first line says: {said}",
            hint="put headings into its first line: nombre;ip;mac;aula",
        )
    left = iter(n for n in range(width) if n not in columns.values())
    for key in ("name", "room"):
        at = next(left, None)
        if at is not None:
            columns[key] = at
    return columns


def _is(check: Callable[[str], object], text: str) -> bool:
    try:
        check(text.strip())
    except ValueError:
        return False
    return True
