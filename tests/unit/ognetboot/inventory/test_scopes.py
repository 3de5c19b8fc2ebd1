# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds for a PC comes from its scopes, the narrowest one first."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from ognetboot.errors import NetbootError
from ognetboot.inventory.choices import Choices, Duplex, Method, Multicast, P2p, Sharing, Tongue
from ognetboot.inventory.entries import Kind
from ognetboot.inventory.model import Client, Inventory
from ognetboot.inventory.reading import load, parse
from ognetboot.inventory.scopes import clients_in, find_scope, scopes_around

DATA = Path(__file__).parents[1] / "data"
CAMPUS = load(DATA / "campus.toml")
MINIMAL = (DATA / "minimal.toml").read_text("utf-8")


def pc(name: str, inventory: Inventory = CAMPUS) -> Client:
    return next(c for c in inventory.clients if c.name == name)


def test_every_choice_reaches_the_pc_of_the_room() -> None:
    assert CAMPUS.choices_of(pc("aula1-pc01")) == Choices(
        entry="windows",
        timeout_s=0,
        language=Tongue.CA,
        keyboard="es",
        method=Method.MULTICAST_CACHE,
        multicast=Multicast(9000, Duplex.FULL, IPv4Address("239.194.2.11"), 70, 50, 60),
        p2p=P2p(Sharing.PEER, 60),
        disks=(("system", "1"), ("data", "largest")),
        oglive="2026.11",
        oglive_before="2026.05",
        state="aula",
        protected_until=datetime(2026, 12, 20, 19, tzinfo=UTC),
        picture="campus.png",
        repository="10.0.2.2",
        mirrors="http://10.0.2.3:8080,/opt/opengnsys/images",
        proxy="proxy.example.org:3128",
        ntp="10.0.2.1",
    )


def test_a_pc_comes_before_its_group_room_centre_and_server() -> None:
    started = {c.name: CAMPUS.entry_of(c).name for c in CAMPUS.clients}
    assert started == {"aula1-pc01": "windows", "aula1-pc02": "10", "sala": "localdisk"}
    assert CAMPUS.entry_of(None).name == "localdisk"
    assert CAMPUS.timeout_s_of(pc("aula1-pc02")) == 10
    assert CAMPUS.choices_of(pc("sala")).language is Tongue.ES


def test_a_pc_that_nobody_knows_has_what_the_server_says() -> None:
    choices = CAMPUS.choices_of(None)
    assert choices.said().keys() == {"entry", "timeout_s", "language", "repository", "ntp"}


def test_every_choice_is_said_in_the_example() -> None:
    said = CAMPUS.choices_of(pc("aula1-pc01")).said()
    assert said.keys() == {each.name for each in fields(Choices)}


def test_old_names_are_entries_that_nobody_need_write() -> None:
    kinds = {name: CAMPUS.entry(name).kind for name in ("menu", "00unknown", "10", "19pxeadmin")}
    assert list(kinds.values()) == [Kind.MENU, Kind.LOCALDISK, Kind.LOCALDISK, Kind.OGLIVE]
    assert [CAMPUS.entry(f"1{n}").partition for n in (1, 2, 3)] == [1, 2, 3]
    assert CAMPUS.entry("19pxeadmin").admin
    assert not CAMPUS.entry("pxe").admin
    assert "10" not in {e.name for e in CAMPUS.entries}


def test_an_old_name_keeps_its_meaning_with_a_title_of_the_site_s() -> None:
    inventory = parse(MINIMAL + '[entries.12]\ntitle = "Linux"\n', source="x")
    linux = inventory.entry("12")
    assert (linux.kind, linux.partition, linux.in_menu) == (Kind.SYSTEM, 2, True)
    inventory = parse(MINIMAL + '[entries.19pxeadmin]\ntitle = "Mantenimiento"\n', source="x")
    assert inventory.entry("19pxeadmin").admin
    assert inventory.entry("19pxeadmin").args == ("ogdebug=true",)


def test_a_group_lies_behind_those_around_it() -> None:
    names = [str(scope) for scope in scopes_around(CAMPUS, pc("aula1-pc01"))]
    assert names == [
        *("all", "centre:informatica", "room:aula1", "group:profesores", "group:examen"),
        "pc:aula1-pc01",
    ]


def test_the_unit_is_the_room_s_or_its_centre_s() -> None:
    assert [CAMPUS.unit_of(c) for c in CAMPUS.clients] == ["FIB", "FIB", "IEC"]


def test_a_state_starts_the_system_that_is_marked() -> None:
    state = CAMPUS.state_of(pc("aula1-pc01"))
    assert state is not None
    assert state.default is not None
    assert state.default.title == "Windows 11"
    assert [s.disk for s in state.systems] == ["1", "system"]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("all", ["aula1-pc01", "aula1-pc02", "sala"]),
        ("centre:informatica", ["aula1-pc01", "aula1-pc02"]),
        ("informatica", ["aula1-pc01", "aula1-pc02"]),
        ("aula1", ["aula1-pc01", "aula1-pc02"]),
        ("group:profesores", ["aula1-pc01"]),
        ("room:sala", ["sala"]),
        ("pc:sala", ["sala"]),
        ("AULA1-PC02", ["aula1-pc02"]),
        ("52-54-00-00-00-81", ["aula1-pc01"]),
        ("4C4C4544-0042-3510-8058-B7C04F4D3133", ["aula1-pc02"]),
        ("pc:10.0.2.11", ["aula1-pc01"]),
    ],
)
def test_a_scope_holds_its_pcs(text: str, names: list[str]) -> None:
    assert [c.name for c in clients_in(CAMPUS, find_scope(CAMPUS, text))] == names


@pytest.mark.parametrize(
    ("text", "what", "hint"),
    [
        ("sala", "means more than one: room:sala, pc:sala", "say which"),
        ("aula2", "has no `aula2`", "did you mean aula1"),
        ("room:informatica", "has no `room:informatica`", "list"),
        ("pc:52:54:00:00:00:99", "has no `pc:52:54:00:00:00:99`", "list"),
        ("", "has no ``", "list"),
    ],
)
def test_a_word_that_means_nothing_or_two_things_is_refused(
    text: str, what: str, hint: str
) -> None:
    with pytest.raises(NetbootError) as caught:
        find_scope(CAMPUS, text)
    assert what in caught.value.message
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("Aula d'Informàtica 1", "room:aula1"),
        ("aula d'informatica 1", "room:aula1"),
        ("Aula_d'Informatica_1", "room:aula1"),
        ("room:AULA D'INFORMÀTICA 1", "room:aula1"),
        ("AULA1", "room:aula1"),
        ("Room:Aula1", "room:aula1"),
        ("All", "all"),
        ("Examen", "group:examen"),
        ("AULA1-PC01", "pc:aula1-pc01"),
    ],
)
def test_a_scope_is_found_by_its_title_and_in_any_case(word: str, meant: str) -> None:
    assert str(find_scope(CAMPUS, word)) == meant


@pytest.mark.parametrize("word", ["", "''", "room:", "room:--", "group:aula1"])
def test_signs_alone_name_no_scope(word: str) -> None:
    with pytest.raises(NetbootError, match="has no"):
        find_scope(CAMPUS, word)


def test_a_title_of_two_rooms_means_neither() -> None:
    rooms = (
        '[rooms.a]\ntitle = "Aula 5"\n[rooms.b]\ntitle = "AULA 5"\n[rooms.c]\ntitle = "aula-5"\n'
    )
    inventory = parse(MINIMAL + rooms, source="x")
    assert str(find_scope(inventory, "AULA 5")) == "room:b"
    with pytest.raises(NetbootError, match="more than one: room:a, room:b, room:c"):
        find_scope(inventory, "aula 5")
