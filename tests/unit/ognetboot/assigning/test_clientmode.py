# SPDX-License-Identifier: GPL-3.0-or-later
"""Orders of OpenGnsys, byte for byte as ogServer writes them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given as examples
from hypothesis import strategies as st

from ognetboot.assigning.clientmode import Mode, Order, entry_of, order_of, parse, scope_of
from ognetboot.errors import NetbootError
from unit.ognetboot.assigning.rooms import inventory

ROOMS = inventory()
PATH = Path("mode_params_x")
ROOM = 'Aula d\'Informàtica "1" ; touch x'


def written(mode: str, mac: str, room: str = ROOM, lang: str = "es_ES.UTF-8") -> bytes:
    """As ogServer's printf does it: nothing escaped, the NUL of C behind it."""
    group = room.strip().replace(" ", "_")
    data = (
        f" LANG={lang} ip=10.0.2.11:10.0.2.2:10.0.2.1:255.255.255.0:pc1:eth0:none group={group}"
        " ogrepo=10.0.2.2 oglive=10.0.2.2 oglog=10.0.2.2 ogshare=10.0.2.2 oglivedir=ogLive"
        " ogprof=false"
    )
    return f"MODE_FILE='{mode}'\nMAC='{mac}'\nDATA='{data}'\nMODE='PERM'".encode() + b"\0"


@pytest.mark.parametrize(
    "room",
    [ROOM, "Aula", "", "x'\nMODE='TEMP", "x'\nMAC='525400000003'\nDATA='", "`touch x`",
     "$(touch x)", "ñ" * 3000, "a\0b"],
)  # fmt: skip
def test_the_mac_decides_whatever_a_room_is_called(room: str) -> None:
    order = parse(written("oglive", "525400000001", room), PATH)
    assert order == Order("oglive", "52:54:00:00:00:01", "525400000001", Mode.PERM)
    assert str(scope_of(ROOMS, order)) == "pc:pc1"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0",
        written("x' y", "525400000001"),
        written("x", "52540000000"),
        written("x", ""),
        written("x", "525400000001")[:-10],
        written("x", "525400000001") + b"touch x\n",
        b"touch x\n" + written("x", "525400000001"),
        b"MODE_FILE='x'\nMAC='525400000001'\nMODE='PERM'",
        written("x", "525400000001").replace(b"PERM", b"EVER"),
    ],
)
def test_another_text_is_refused(content: bytes) -> None:
    with pytest.raises(NetbootError) as caught:
        parse(content, PATH)
    assert caught.value.code in (1, 2)


@examples(st.text(alphabet=st.characters(codec="latin-1")), st.text())
def test_no_name_becomes_another_order(mode: str, room: str) -> None:
    """A boot mode with a quote is refused; every other one comes out as it went in."""
    content = written(mode, "525400000002", room.encode("utf-8", "ignore").decode())
    if "'" in mode or "\n" in mode or "\0" in mode:
        return
    assert parse(content, PATH) == Order(mode, "52:54:00:00:00:02", "525400000002", Mode.PERM)


@pytest.mark.parametrize(
    ("words", "scope", "entry", "mode"),
    [
        (("ogLive", "pc1", "PERM"), "pc:pc1", "pxe", Mode.PERM),
        (("1hd-1partition", "pc1", "0"), "pc:pc1", "11", Mode.TEMP),
        (("ogLiveAdmin", ROOM, "temp"), "room:aula1", "19pxeadmin", Mode.TEMP),
        (("19pxeADMIN", "Laboratory", "1"), "room:lab", "19pxeadmin", Mode.PERM),
        (("update", "aula_d'informatica_\"1\"_;_touch_x", "0"), "room:aula1", "update", Mode.TEMP),
        (("Install-Debian", "lab", "PERM"), "room:lab", "install", Mode.PERM),
    ],
)  # fmt: skip
def test_the_older_call_names_pc_or_room(
    words: tuple[str, ...], scope: str, entry: str, mode: Mode
) -> None:
    order = order_of(words)
    assert (str(scope_of(ROOMS, order)), order.mode) == (scope, mode)
    assert entry_of(ROOMS, order.template).name == entry


@pytest.mark.parametrize("words", [(), ("a", "b"), ("a", "b", "TEMP", "c"), ("a", "b", "EVER")])
def test_other_arguments_are_refused(words: tuple[str, ...]) -> None:
    with pytest.raises(NetbootError):
        order_of(words)


def test_a_file_that_is_no_order_for_its_length_is_told_so(tmp_path: Path) -> None:
    path = tmp_path / "mode"
    path.write_bytes(b"x" * (65 << 10))
    with pytest.raises(NetbootError, match="longer than 64 KiB") as refused:
        order_of([str(path)])
    assert refused.value.code == 1
    assert "ognetboot writes" not in refused.value.message


def test_who_and_what_nobody_knows_has_a_code_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(NetbootError) as file:
        order_of([str(tmp_path / "none")])
    with pytest.raises(NetbootError) as by_mac:
        scope_of(ROOMS, parse(written("pxe", "525400000099"), PATH))
    with pytest.raises(NetbootError) as by_name:
        scope_of(ROOMS, order_of(["pxe", "nobody", "TEMP"]))
    with pytest.raises(NetbootError) as mode:
        entry_of(ROOMS, "nothing")
    assert {each.value.code for each in (file, by_mac, by_name, mode)} == {2}


GOOD = b"MODE_FILE='x'\nMAC='525400000001'\nDATA='y'\nMODE='PERM'"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b"PERM", b"EVER", "MODE: 'EVER' is neither TEMP nor PERM"),
        (b"PERM", b"for ever", "MODE: 'for ever' is neither TEMP nor PERM"),
        (b"'PERM'", b'"PERM"', "MODE does not stand in single quotes"),
        (b"'x'", b'"x"', "MODE_FILE does not stand in single quotes"),
        (b"'x'", b"x", "MODE_FILE does not stand in single quotes"),
        (b"'525400000001'", b'"525400000001"', "MAC does not stand in single quotes"),
        (b"MAC='525400000001'\n", b"", "it has no line MAC="),
        (b"DATA='y'\n", b"", "it has no line DATA="),
        (b"\nMODE='PERM'", b"", "it has no line MODE="),
        (b"525400000001", b"5254", "MAC: '5254' is not a MAC address"),
        (b"'x'", b"'x' y'", "a boot mode has no quote in its name"),
        (b"MODE_FILE", b"touch x\nMODE_FILE", "it has other lines than these"),
    ],
)
def test_what_is_wrong_with_an_order_is_said(old: bytes, new: bytes, said: str) -> None:
    with pytest.raises(NetbootError, match=said) as caught:
        parse(GOOD.replace(old, new), PATH)
    assert not caught.value.hint.startswith("setclientmode")
