# SPDX-License-Identifier: GPL-3.0-or-later
"""An export of an OpenGnsys database, made here after its public schema."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import trying
from ognetboot.cli import main
from ognetboot.errors import NetbootError
from ognetboot.inventory.importing.opengnsys import read_dump
from ognetboot.inventory.importing.pcs import build
from ognetboot.inventory.importing.sql import read_rows
from ognetboot.inventory.importing.writing import new_text, proven
from ognetboot.inventory.model import Inventory
from ognetboot.inventory.reading import parse

# Columns of the public schema (1.1.1), in their order.
SCHEMA = {
    "aulas": "idaula nombreaula idcentro urlfoto cagnon pizarra grupoid ubicacion comentarios "
    "puestos idordprofesor horaresevini horaresevfin modomul ipmul pormul velmul router netmask "
    "dns proxy ntp modp2p timep2p validacion paginalogin paginavalidacion inremotepc oglivedir",
    "centros": "idcentro nombrecentro identidad comentarios directorio",
    "entidades": "identidad nombreentidad comentarios iduniversidad grupoid ogunit",
    "entornos": "identorno ipserveradm portserveradm protoclonacion",
    "grupos": "idgrupo nombregrupo grupoid tipo idcentro iduniversidad comentarios",
    "gruposordenadores": "idgrupo nombregrupoordenador idaula grupoid comentarios",
    "menus": "idmenu descripcion idcentro",
    "ordenadores": "idordenador nombreordenador numserie ip mac idaula idperfilhard idrepositorio "
    "grupoid idmenu cache router mascara idproautoexec arranque netiface netdriver fotoord "
    "validacion paginalogin paginavalidacion agentkey oglivedir inremotepc maintenance",
    "perfileshard": "idperfilhard descripcion comentarios grupoid idcentro winboot",
    "repositorios": "idrepositorio nombrerepositorio ip idcentro grupoid comentarios apikey",
    "universidades": "iduniversidad nombreuniversidad comentarios",
    "usuarios": "idusuario usuario pasguor nombre email ididioma idtipousuario apikey",
}
Value = str | int | None


def sql(value: Value) -> str:
    """As mysqldump writes a value."""
    if value is None:
        return "NULL"
    if isinstance(value, int):
        return str(value)
    for plain, escaped in (
        ("\\", "\\\\"),
        ("'", "\\'"),
        ("\n", "\\n"),
        ("\r", "\\r"),
        ("\0", "\\0"),
    ):
        value = value.replace(plain, escaped)
    return f"'{value}'"


def dump(rows: Mapping[str, Sequence[Mapping[str, Value]]]) -> str:
    """As mysqldump writes a database: structure, then all rows of a table in one statement."""
    text = ["-- MySQL dump 10.13\n/*!40101 SET NAMES utf8 */;\n"]
    for table, columns in SCHEMA.items():
        names = columns.split()
        text.append(f"DROP TABLE IF EXISTS `{table}`;\nCREATE TABLE `{table}` (")
        text.append(",\n".join(f"  `{name}` varchar(250) DEFAULT 'a;b'" for name in names))
        text.append(f",\n  PRIMARY KEY (`{names[0]}`)\n) ENGINE=MyISAM DEFAULT CHARSET=utf8;\n")
        values = [
            "(" + ",".join(sql(row.get(name, "")) for name in names) + ")"
            for row in rows.get(table, ())
        ]
        if values:
            text.append(f"LOCK TABLES `{table}` WRITE;\n/*!40000 ALTER TABLE `{table}` */;\n")
            text.append(f"INSERT INTO `{table}` VALUES {','.join(values)};\nUNLOCK TABLES;\n")  # noqa: S608
    return "\n".join(text)


TRAP = "Planta 2; '); DROP TABLE x; --\nINSERT INTO `aulas` VALUES (9,'no');"
SITE: dict[str, list[Mapping[str, Value]]] = {
    "universidades": [{"iduniversidad": 1, "nombreuniversidad": "Universitat d'Exemple"}],
    "entidades": [{"identidad": 1, "nombreentidad": "Entidad", "ogunit": 1}],
    "entornos": [{"identorno": 1, "ipserveradm": "10.0.2.2"}],
    "centros": [
        {"idcentro": 1, "nombrecentro": "Facultat d'Informàtica", "directorio": "FIB"},
        {"idcentro": 2, "nombrecentro": "Unidad (2)", "directorio": "mal nombre"},
    ],
    "grupos": [
        {"idgrupo": 1, "nombregrupo": "Planta 1", "tipo": 2, "idcentro": 1, "grupoid": 0},
        {"idgrupo": 2, "nombregrupo": "Imágenes", "tipo": 50, "idcentro": 1, "grupoid": 0},
    ],
    "aulas": [
        {
            "idaula": 1, "nombreaula": 'Aula d\'Informàtica "1" ; touch x', "idcentro": 1,
            "grupoid": 1, "comentarios": TRAP, "puestos": 30, "idordprofesor": 3, "modomul": 1,
            "ipmul": "239.194.2.11", "pormul": 9000, "velmul": 70, "modp2p": "peer",
            "timep2p": 60, "proxy": "10.0.2.9:3128", "ntp": "10.0.2.1", "router": "10.0.2.1",
            "oglivedir": "ogLive",
        },
        {
            "idaula": 2, "nombreaula": "Laboratorio", "idcentro": 2, "grupoid": 0, "pormul": 9001,
            "ipmul": "239.194.2.12", "velmul": 70, "puestos": 0, "modp2p": "peer", "timep2p": 60,
            "oglivedir": "ogLive-5.4.0-r2019",
        },
    ],
    "gruposordenadores": [
        {"idgrupo": 2, "nombregrupoordenador": "Fila 1", "idaula": 1, "grupoid": 1},
        {"idgrupo": 1, "nombregrupoordenador": "Ventana", "idaula": 1, "grupoid": 0},
    ],
    "perfileshard": [{"idperfilhard": 1, "descripcion": "HP Elite 800 G3", "winboot": "kexec"}],
    "repositorios": [
        {"idrepositorio": 1, "ip": "10.0.2.2", "apikey": "SECRETO"},
        {"idrepositorio": 2, "ip": "10.0.2.3"},
    ],
    "menus": [{"idmenu": 1, "descripcion": "Menú"}],
    "usuarios": [{"idusuario": 1, "usuario": "root", "pasguor": "SECRETO"}],
    "ordenadores": [
        {
            "idordenador": number, "nombreordenador": name, "ip": f"10.0.2.1{number}",
            "mac": f"08002712340{number}", "idaula": room, "idrepositorio": repository,
            "grupoid": group, "arranque": mode, "numserie": serial, "idperfilhard": 1,
            "oglivedir": "ogLive", "netiface": "eth0", "netdriver": "generic", "maintenance": 0,
        }
        for number, name, room, repository, group, mode, serial in (
            (1, "pc01", 1, 1, 2, "pxe", "5BXM1"),
            (2, "pc02", 1, 1, 0, "pxe", ""),
            (3, "Profesor Señor", 1, 2, 1, "19pxeADMIN", ""),
            (4, "pc01", 2, 1, 0, "miplantilla", ""),
            (5, "sin aula", 7, 1, 0, "00unknown", ""),
        )
    ],
}  # fmt: skip


def taken(text: str) -> Inventory:
    brought = read_dump(text.encode(), "x.sql")
    made = new_text(brought, build(brought))
    assert proven(made, "x") == ["[server] interface"]
    return parse(made.replace("[server]", '[server]\ninterface = "eth0"'), source="x")


def test_an_export_becomes_an_inventory() -> None:
    inventory = taken(dump(SITE))
    assert (inventory.site.title, inventory.site.unit_folders) == ("Universitat d'Exemple", True)
    assert str(inventory.server.address) == "10.0.2.2"
    assert str(inventory.server.subnet) == "10.0.2.0/24"
    assert [(c.name, c.title, c.unit) for c in inventory.centres] == [
        ("facultat-d-informatica", "Facultat d'Informàtica", "FIB"),
        ("unidad-2", "Unidad (2)", None),
    ]
    first, second = inventory.rooms
    assert first.title == 'Aula d\'Informàtica "1" ; touch x'
    assert first.centre == "facultat-d-informatica"
    assert str(first.choices.multicast) == "9000:half-duplex:239.194.2.11:70M:30:60"
    assert str(first.choices.p2p) == "peer:60"
    assert (first.choices.proxy, first.choices.ntp) == ("10.0.2.9:3128", "10.0.2.1")
    assert first.choices.entry == "pxe"
    assert second.choices.multicast is None


def test_pcs_keep_their_groups_names_modes_and_teachers() -> None:
    inventory = taken(dump(SITE))
    pcs = {client.name: client for client in inventory.clients}
    assert list(pcs) == ["pc01", "pc02", "Profesor-Senor", "pc01-2", "sin-aula"]
    assert [g.title for g in inventory.groups_of(pcs["pc01"])] == ["Planta 1", "Ventana", "Fila 1"]
    assert [g.title for g in inventory.groups_of(pcs["pc02"])] == ["Planta 1"]
    teacher = pcs["Profesor-Senor"]
    assert (teacher.teacher, teacher.hardware) == (True, "hp-elite-800-g3")
    assert inventory.choices_of(teacher).repository == "10.0.2.3"
    assert inventory.choices_of(pcs["pc01"]).repository == "10.0.2.2"
    assert [inventory.entry_of(c).name for c in inventory.clients] == [
        *("pxe", "pxe", "19pxeadmin", "localdisk", "localdisk"),
    ]
    assert pcs["pc01"].serial == "5BXM1"
    assert pcs["sin-aula"].room is None


def test_what_has_no_place_is_told_and_no_secret_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = tmp_path / "og.sql", tmp_path / "site.toml"
    source.write_text(dump(SITE), "utf-8")
    assert main(["import", "database", str(source), str(out), "--json"]) == 0
    said = capsys.readouterr().out
    left = json.loads(said)["not_representable"]
    for what in (
        "centre Unidad (2): unit: 'mal nombre' is not a name",
        "room Laboratorio: multicast: port '9001' is not an even number",
        "PC pc01 (idordenador 4): boot mode 'miplantilla' is a template of its own",
        "PC sin aula (idordenador 5): there is no room 7",
        "groups of images, menus and profiles",
        "hardware profiles that start Windows by kexec",
        "menus of the OpenGnsys browser",
        "oglivedir 'ogLive-5.4.0-r2019'",
        "router of its own: DHCP gives it",
        "users of the web console",
    ):
        assert any(line.startswith(what) for line in left), what
    assert "SECRETO" not in said + out.read_text("utf-8")
    assert "# Planta 2; '); DROP TABLE x; -- INSERT INTO" in out.read_text("utf-8")


def test_columns_named_in_the_insert_and_other_ways_of_writing() -> None:
    text = """
    insert into aulas (idaula, `nombreaula`) values (1, 'it''s'), ( 2 , "no" );
    """
    with pytest.raises(NetbootError, match="a row of aulas holds what is no value"):
        read_rows(text, {"aulas"}, "x")
    text = "INSERT INTO aulas (idaula, nombreaula) VALUES (1, 'it''s\\\\'),\n ( 2 ,NULL );"
    assert read_rows(text, {"aulas"}, "x")["aulas"] == [
        {"idaula": "1", "nombreaula": "it's\\"},
        {"idaula": "2", "nombreaula": ""},
    ]
    old = "CREATE TABLE IF NOT EXISTS `aulas` (\n  `idaula` int,\n  `nombreaula` text\n);\n"
    old += "INSERT INTO `aulas` VALUES (1,_binary 'Aula');"
    assert read_rows(old, {"aulas"}, "x")["aulas"] == [{"idaula": "1", "nombreaula": "Aula"}]


def test_latin1_of_an_old_server_is_read() -> None:
    brought = read_dump(dump(SITE).encode("latin-1"), "x.sql")
    assert brought.centres[0].title == "Facultat d'Informàtica"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "holds no PCs and no rooms"),
        ("INSERT INTO `aulas` VALUES (1,'a');", "come before its CREATE TABLE"),
        (dump(SITE).partition("sin aula")[0], "a statement without an end"),
        ("INSERT INTO `aulas` (`a`) VALUES (" + "(" * 50_000, "a statement without an end"),
        ("INSERT INTO `aulas` (`a`) VALUES (CONV('1',16,10));", "holds what is no value"),
        ("/*" * 100_000, "a statement without an end"),
        ("a/*" * 300_000, "a statement without an end"),
        ("x" * 100_000 + "'" * 100_001, "a statement without an end"),
    ],
    ids=[
        "empty",
        "no columns",
        "cut off",
        "open",
        "function",
        "comments",
        "open comments",
        "quotes",
    ],
)
def test_what_is_no_export_is_refused(text: str, why: str) -> None:
    with pytest.raises(NetbootError, match=why):
        read_dump(text.encode(), "x.sql")


TEXTS = st.text(st.characters(codec="utf-8"), max_size=30)


@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=5))
@trying.examples(60)
def test_whatever_a_value_holds_it_is_read_as_it_was(rows: list[tuple[str, str]]) -> None:
    found = read_rows(
        dump({"centros": [{"idcentro": a, "comentarios": b} for a, b in rows]}), {"centros"}, "x"
    )
    assert [(row["idcentro"], row["comentarios"]) for row in found["centros"]] == [
        (a.replace("\0", ""), b.replace("\0", "")) for a, b in rows
    ]
