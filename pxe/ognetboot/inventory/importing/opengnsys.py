# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads an export of an OpenGnsys database (1.0.6 to 1.2, `mysqldump ogAdmBD`).

Its tables, as the public schema has them: universidades, entidades, centros, grupos (of rooms),
aulas, gruposordenadores (in a room, one within another), ordenadores, repositorios, perfileshard.
What else a site made there is counted and told; passwords and keys are not even looked at.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from ognetboot.errors import NetbootError
from ognetboot.inventory.importing.brought import (
    Brought,
    BroughtCentre,
    BroughtGroup,
    BroughtPc,
    BroughtRoom,
)
from ognetboot.inventory.importing.sql import Row, read_rows

MOST_BYTES = 256 << 20
_NONE = ("", "0")
# `grupos` holds groups of everything; these are of rooms.
_OF_ROOMS = "2"
_HALF_DUPLEX = "1"
# Written by the console where nobody chose anything.
_USUAL = {"oglivedir": ("ogLive", ""), "netiface": ("eth0", ""), "netdriver": ("generic", "")}
# What ogLive does otherwise, or what is not an inventory's: told with its number.
_COUNTED = {
    "menus": "menus of the OpenGnsys browser: our menus come from the entries",
    "procedimientos": "procedures: jobs of entries, or scripts of the site, do this",
    "tareas": "tasks: use the server that gives jobs",
    "programaciones": "schedules: use `set --from --until`, or the server that gives jobs",
    "imagenes": "images: their files go into the repository as they are",
    "usuarios": "users of the web console",
    "perfilessoft": "software profiles",
}
_ROOM_FACTS = {
    "cagnon": "projector",
    "pizarra": "blackboard",
    "inremotepc": "remote access to rooms",
    "validacion": "login before the menu",
    "router": "router of its own: DHCP gives it",
    "dns": "DNS of its own: DHCP gives it",
}
_PC_FACTS = {
    "idproautoexec": "procedure at start (autoexec)",
    "inremotepc": "remote access to PCs",
    "maintenance": "mark of maintenance",
    "validacion": "login before the menu",
}


def read_dump(data: bytes, source: str) -> Brought:
    """All that the export says."""
    wanted = {"universidades", "entidades", "centros", "grupos", "aulas", "gruposordenadores",
              "ordenadores", "repositorios", "perfileshard", "entornos", *_COUNTED}  # fmt: skip
    rows = read_rows(decoded(data), wanted, source)
    if "ordenadores" not in rows and "aulas" not in rows:
        raise NetbootError(
            f"{source} holds no PCs and no rooms of OpenGnsys",
            hint="give the export of its database: mysqldump ogAdmBD > export.sql",
        )
    brought = Brought(source)
    brought.title = _first(rows, "universidades", "nombreuniversidad")
    brought.server = _first(rows, "entornos", "ipserveradm")
    brought.unit_folders = any(row.get("ogunit") == "1" for row in rows.get("entidades", ()))
    brought.centres += [
        BroughtCentre(row["idcentro"], row.get("nombrecentro", ""), row.get("directorio", ""))
        for row in rows.get("centros", ())
    ]
    _groups(brought, rows)
    _rooms(brought, rows)
    _pcs(brought, rows)
    for table, what in _COUNTED.items():
        if count := len(rows.get(table, ())):
            brought.lost[what] = count
    return brought


def decoded(data: bytes) -> str:
    """UTF-8, or what old servers and spreadsheets write."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        # Every byte is a character there.
        return data.decode("latin-1")


def _first(rows: Mapping[str, Sequence[Row]], table: str, column: str) -> str:
    found = [row.get(column, "") for row in rows.get(table, ())]
    return found[0] if found and "(Default)" not in found[0] and found[0] != "SERVERIP" else ""


def _groups(brought: Brought, rows: Mapping[str, Sequence[Row]]) -> None:
    for row in rows.get("grupos", ()):
        if row.get("tipo") == _OF_ROOMS:
            within = row.get("grupoid", "")
            brought.groups.append(
                BroughtGroup(f"g{row['idgrupo']}", row["nombregrupo"], _number("g", within))
            )
        else:
            brought.lost["groups of images, menus and profiles"] += 1
    for row in rows.get("gruposordenadores", ()):
        within = _number("", row.get("grupoid", ""))
        brought.groups.append(BroughtGroup(row["idgrupo"], row["nombregrupoordenador"], within))


def _number(kind: str, number: str) -> str:
    return "" if number in _NONE else kind + number


def _rooms(brought: Brought, rows: Mapping[str, Sequence[Row]]) -> None:
    for row in rows.get("aulas", ()):
        said = {
            "multicast": _multicast(row),
            "p2p": f"{row['modp2p']}:{row.get('timep2p', '60')}" if row.get("modp2p") else "",
            "proxy": row.get("proxy", ""),
            "ntp": row.get("ntp", ""),
        }
        brought.rooms.append(
            BroughtRoom(
                number=row["idaula"],
                title=row.get("nombreaula", ""),
                centre=row.get("idcentro", ""),
                about=" ".join((row.get("ubicacion", ""), row.get("comentarios", ""))).strip(),
                said=tuple((key, text) for key, text in said.items() if text),
                groups=tuple(filter(None, (_number("g", row.get("grupoid", "")),))),
            )
        )
        _count(brought, row, _ROOM_FACTS)
        _count_unusual(brought, row)


def _multicast(row: Row) -> str:
    """As the console makes the session of a room."""
    if row.get("pormul", "") in _NONE or not row.get("ipmul"):
        return ""
    duplex = "half-duplex" if row.get("modomul") == _HALF_DUPLEX else "full-duplex"
    clients = row.get("puestos", "")
    clients = "50" if clients in _NONE else clients
    return f"{row['pormul']}:{duplex}:{row['ipmul']}:{row.get('velmul', '70')}M:{clients}:60"


def _count(brought: Brought, row: Row, facts: Mapping[str, str]) -> None:
    for column, what in facts.items():
        if row.get(column, "") not in _NONE:
            brought.lost[what] += 1


def _count_unusual(brought: Brought, row: Row) -> None:
    for column, usual in _USUAL.items():
        if column in row and row[column] not in usual:
            brought.lost[f"{column} {row[column]!r}"] += 1


def _pcs(brought: Brought, rows: Mapping[str, Sequence[Row]]) -> None:
    profiles = {r["idperfilhard"]: r["descripcion"] for r in rows.get("perfileshard", ())}
    repositories = {r["idrepositorio"]: r["ip"] for r in rows.get("repositorios", ())}
    teachers = {r.get("idordprofesor", "") for r in rows.get("aulas", ())} - set(_NONE)
    kexec = sum(r.get("winboot") == "kexec" for r in rows.get("perfileshard", ()))
    if kexec:
        brought.lost["hardware profiles that start Windows by kexec"] = kexec
    used = Counter(row.get("idrepositorio", "") for row in rows.get("ordenadores", ()))
    usual = used.most_common(1)[0][0] if used else ""
    for row in rows.get("ordenadores", ()):
        number = row.get("idrepositorio", "")
        brought.pcs.append(
            BroughtPc(
                place=f"idordenador {row['idordenador']}",
                name=row.get("nombreordenador", ""),
                mac=row.get("mac", ""),
                ip=row.get("ip", ""),
                serial=row.get("numserie", ""),
                room=_number("", row.get("idaula", "")),
                group=_number("", row.get("grupoid", "")),
                hardware=profiles.get(row.get("idperfilhard", ""), ""),
                repository="" if number == usual else repositories.get(number, ""),
                entry=row.get("arranque", ""),
                teacher=row["idordenador"] in teachers,
            )
        )
        _count(brought, row, _PC_FACTS)
        _count_unusual(brought, row)
    ip = repositories.get(usual, "")
    if ip not in ("", "SERVERIP"):
        brought.repository = ip
