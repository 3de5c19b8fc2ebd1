# SPDX-License-Identifier: GPL-3.0-or-later
"""From a registration to a PC of the inventory: what is told, what is refused, what is written."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ognetboot.cli import main
from ognetboot.hearing.answers import WAITING, Answers
from ognetboot.hearing.identity import Claim, claim_of, words_of
from ognetboot.hearing.taking import candidates
from ognetboot.hearing.waiting import asking, register, waiting_of
from ognetboot.inventory import reading
from ognetboot.inventory.editing import with_tables
from ognetboot.inventory.model import Firmware
from unit.ognetboot.serving.server import ADAPTER, INVENTORY, MAC, UUID

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
OTHER = "99999999-2222-3333-4444-555555555555"
NEW = "52:54:00:ff:00:01"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "rooms.toml"
    path.write_text(f"# ours\n{INVENTORY}# the end\n", "utf-8")
    return path


def wait(file: Path, mac: str = NEW, uuid: str = "", **words: str) -> int:
    new = asking(Claim(mac, uuid, "S1234"), words, "10.0.0.5", NOW)
    (mine,) = register(file, [new], reading.load(file).adapters)
    assert mine is not None
    return mine.number


def approve(file: Path, *words: str) -> int:
    return main(["approve", *words, "--inventory", str(file)])


def test_a_pc_is_taken_in_and_comments_stay(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wait(file, name="pc09", room="aula d'informatica 1", platform="efi", product="Box")
    before = file.read_text("utf-8")
    assert approve(file) == 0
    told = capsys.readouterr().out
    assert "1  pc09 in aula1, since" in told
    assert "from 10.0.0.5" in told
    assert "Box" in told
    assert approve(file, "1") == 0
    assert capsys.readouterr().out == "1: pc09 in aula1 was taken in\n"
    after = file.read_text("utf-8")
    assert after.startswith("# ours\n")
    assert "# the end" in after
    assert set(before.splitlines()) <= set(after.splitlines())
    client = reading.load(file).clients[-1]
    assert (client.macs, client.name, client.room) == ((NEW,), "pc09", "aula1")
    assert (client.serial, client.firmware) == ("S1234", Firmware.UEFI)
    assert waiting_of(file).registrations == ()
    assert approve(file, "1") == 1


def test_a_shared_adapter_is_never_its_identity(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wait(file, ADAPTER, OTHER, name="pc09")
    wait(file, ADAPTER, name="pc10")
    assert approve(file, "all") == 1
    told = capsys.readouterr().out
    assert "1: pc09 was taken in" in told
    assert "2: it has no UUID, and no network card of its own" in told
    client = reading.load(file).clients[-1]
    assert (client.macs, client.uuid, client.name) == ((), OTHER, "pc09")


@pytest.mark.parametrize(
    ("who", "words", "why"),
    [
        ((NEW, ""), {}, "it has no name"),
        ((NEW, ""), {"name": "PC01"}, "the name PC01 is taken already"),
        ((NEW, ""), {"name": "a b"}, "is not a host name"),
        ((MAC, ""), {"name": "pc09"}, f"its MAC {MAC} is that of pc01"),
        ((NEW, UUID), {"name": "pc09"}, "its UUID is that of pc02"),
        ((NEW, ""), {"name": "pc09", "room": "nowhere"}, "there is no room 'nowhere'"),
    ],
)
def test_what_stands_against_it_is_said_and_nothing_is_written(
    file: Path,
    capsys: pytest.CaptureFixture[str],
    who: tuple[str, str],
    words: dict[str, str],
    why: str,
) -> None:
    wait(file, *who, **words)
    before = file.read_bytes()
    assert approve(file) == 0
    assert why in capsys.readouterr().out
    for which in ("1", "all"):
        assert approve(file, which) == 1
        assert why in capsys.readouterr().out
    assert file.read_bytes() == before
    assert len(waiting_of(file).registrations) == 1


def test_an_administrator_says_name_and_room(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wait(file, name="pc01", room="nowhere")
    assert approve(file, "1", "--name", "pc09", "--room", "none") == 1
    assert "there is no room 'none'. Rooms: aula1." in capsys.readouterr().err
    assert approve(file, "1", "--name", "pc09", "--room", "aula1") == 0
    assert reading.load(file).clients[-1].name == "pc09"


def test_two_who_want_one_name_are_told(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wait(file, name="pc09")
    wait(file, "52:54:00:ff:00:02", name="PC09")
    assert approve(file, "all") == 1
    assert capsys.readouterr().out.count("another PC that waits wants the name") == 2
    assert approve(file, "1") == 0


def test_one_is_refused(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wait(file, name="pc09")
    assert approve(file, "--refuse", "2") == 1
    assert approve(file, "--refuse", "1") == 0
    assert approve(file) == 0
    assert capsys.readouterr().out.endswith("No PC waits.\n")


def test_programs_read_it_and_nothing_that_was_typed_is_toml(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evil = 'x"]\n[server]\naddress = "10.6.6.6"'
    wait(file, name="pc09", room=evil, product=evil)
    assert approve(file, "--json") == 0
    (row,) = json.loads(capsys.readouterr().out)["waiting"]
    assert row["told"]["room"] == evil
    assert approve(file, "1", "--room", "aula1") == 0
    assert "10.6.6.6" not in file.read_text("utf-8")


def test_one_who_tells_nonsense_keeps_nobody_out(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    register(
        file, [asking(Claim(NEW, "", "ñ" * 90), {"name": "liar"}, "10.0.0.6", NOW)], frozenset()
    )
    wait(file, "52:54:00:ff:00:02", OTHER, name="pc07")
    wait(file, "52:54:00:ff:00:03", OTHER, name="pc08")
    wait(file, "52:54:00:ff:00:04", name="pc09")
    assert approve(file, "all") == 1
    told = capsys.readouterr().out
    assert "4: pc09 was taken in" in told
    assert "1: rooms.toml" in told
    assert told.count("tells the same UUID") == 2
    assert [client.name for client in reading.load(file).clients] == ["pc01", "pc02", "pc09"]


WORD = st.text(st.characters(exclude_categories=["Cs"]), max_size=80)


@given(name=WORD, room=WORD, serial=WORD, product=WORD)
def test_whatever_is_typed_is_taken_as_a_value_or_refused(
    name: str, room: str, serial: str, product: str
) -> None:
    inventory = reading.parse(INVENTORY, source="rooms.toml")
    query = urlencode(
        {"mac": NEW, "name": name, "room": room, "serial": serial, "product": product}
    )
    try:
        words = words_of(query)
    except ValueError:
        return
    one = asking(claim_of(words), words, "10.0.0.5", NOW)
    (found,) = candidates(inventory, [one], room="aula1")
    if not found.against:
        text = with_tables(INVENTORY, [found.table])
        after = reading.parse(text, source="rooms.toml")
        assert after.clients[:-1] == inventory.clients
        assert (after.clients[-1].name, after.clients[-1].macs) == (found.name, (NEW,))
        said = Answers(inventory).registered(WAITING, name=found.name, number=1)
        assert said.count(found.name) >= 1
    assert Answers(inventory).registered(WAITING, name="x", number=1).startswith("#!ipxe")


# ---- passwords ----------------------------------------------------------------------------------


def test_a_password_is_read_from_a_file_and_never_shown(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("correct horse\nsecond line\n")
    words = ["--inventory", str(file), "--file", str(secret)]
    assert main(["password", "aula1", *words]) == 0
    out = capsys.readouterr().out
    assert "room:aula1 is set" in out
    assert "horse" not in out
    for bad in ("short\n", "á" * 12 + "\n", "x" * 200 + "\n", ""):
        secret.write_text(bad, "utf-8")
        assert main(["password", "all", *words]) == 1
    assert main(["password", "nowhere", *words]) == 1
    secret.unlink()
    assert main(["password", "aula1", *words]) == 1
    os.mkfifo(secret)  # nobody will write into it
    assert main(["password", "aula1", *words]) == 1
    assert "it is not a plain file" in capsys.readouterr().err
    capsys.readouterr()
    assert main(["password", "aula1", "--inventory", str(file), "--remove"]) == 0
    assert capsys.readouterr().out.endswith(": room:aula1 has no password any more\n")


def test_a_list_that_cannot_be_had_is_refused_first(file: Path) -> None:
    wait(file, name="pc09")
    lock = file.with_name(f".{file.stem}.waiting.json.lock")
    lock.unlink()
    lock.mkdir()
    before = file.read_bytes()
    assert approve(file, "all") == 1
    assert file.read_bytes() == before


def test_who_was_taken_before_waits_no_more(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wait(file, mac=MAC, name="pc01")
    before = file.read_bytes()
    assert approve(file, "all") == 0
    assert "pc01 is in the inventory already, and waits no more" in capsys.readouterr().out
    assert file.read_bytes() == before
    assert waiting_of(file).registrations == ()


@pytest.mark.parametrize(("word", "left"), [("all", 0), ("10.0.0.5", 0), ("2", 2), ("10.0.0.6", 3)])
def test_many_are_refused_at_once(file: Path, word: str, left: int) -> None:
    for number in range(3):
        wait(file, mac=f"52:54:00:ff:00:0{number}", name=f"pc1{number}")
    assert approve(file, "--refuse", word) == (1 if left == 3 else 0)
    assert len(waiting_of(file).registrations) == left
