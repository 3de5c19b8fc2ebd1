# SPDX-License-Identifier: GPL-3.0-or-later
"""Menus as they are drawn, in three languages by each loader, against what they are meant to be.

After a wanted change: `OG_UPDATE_GOLDEN=1 pytest tests/unit/ognetboot/texts/test_menus.py`, then
read the difference in git before it is committed.
"""

from __future__ import annotations

import os
import struct
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

import trying
from ognetboot.assigning.offers import Offered, for_good
from ognetboot.cli import main
from ognetboot.errors import NetbootError
from ognetboot.hearing import answers
from ognetboot.hearing.answers import Answers
from ognetboot.inventory.choices import Tongue
from ognetboot.inventory.model import Inventory
from ognetboot.inventory.reading import parse
from ognetboot.texts import preview
from ognetboot.texts.charsets import Charset, encoded, spelled
from ognetboot.texts.pictures import DEFAULT_PICTURE, fault_of, pictures
from ognetboot.texts.render import menus_of
from ognetboot.texts.screens import screen_for
from ognetboot.texts.sentences import load_texts
from ognetboot.texts.words import CHARSETS, Words

DATA = Path(__file__).parents[1] / "data" / "menus.toml"
GOLDEN = Path(__file__).parents[1] / "golden" / "menus"
# Letters that are question marks themselves.
_QUESTIONS = {chr(code) for code in (0xFE16, 0xFE56, 0xFF1F, 0x2047, 0x2048, 0x2049)}
LOADERS = ("ipxe-bios", "ipxe-2019", "ipxe-2025", "grub")


@pytest.fixture(scope="module")
def inventory() -> Inventory:
    return parse(DATA.read_text("utf-8"), source="menus.toml")


@pytest.fixture(autouse=True)
def _zone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize("pc", ["en", "es", "ca", "waiting", "unknown"])
def test_screens_are_the_golden_ones(
    pc: str, loader: str, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = ""
    for options in ([], ["--more"])[: 1 if loader == "grub" else 2]:
        assert main(["preview", str(DATA), pc, "--loader", loader, *options]) == 0
        shown += capsys.readouterr().out + "=" * 80 + "\n"
    golden = GOLDEN / f"{pc}.{loader}.txt"
    if os.environ.get("OG_UPDATE_GOLDEN"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(shown, "utf-8")
    assert shown == golden.read_text("utf-8")


def test_no_script_holds_a_password_or_a_locked_kernel(inventory: Inventory) -> None:
    screen = screen_for(inventory, inventory.clients[0], for_good(inventory)(inventory.clients[0]))
    script = menus_of(inventory).ipxe(screen)
    grub = menus_of(inventory).grub(screen)
    assert "ask_entry_maintenance" in script
    assert "ogactiveadmin" not in script
    assert "ogactiveadmin" not in grub
    assert "maintenance" not in grub


def test_an_exam_offers_nothing_else(inventory: Inventory) -> None:
    end = datetime(2026, 6, 1, 12, tzinfo=UTC)
    given = Offered(inventory.entry("windows"), "exam", end, locked=True)
    screen = screen_for(inventory, inventory.clients[1], given)
    script = menus_of(inventory).ipxe(screen)
    lines = preview.lines_of(script, Charset.BIOS)
    assert [line.label for line in lines if line.label] == ["entry_windows"]
    assert ":more\n" not in script
    assert "|| goto entry_windows" in script
    assert "Examen" in "\n".join(preview.ipxe(script, Charset.BIOS).rows)
    assert menus_of(inventory).grub(screen).count("menuentry ") == 2  # and which PC this is


def test_what_a_pc_was_given_for_a_while_is_told(inventory: Inventory) -> None:
    end = datetime(2026, 6, 1, 12, tzinfo=UTC)
    for number, told in enumerate(("for now until", "De momento", "De moment arrenca")):
        given = Offered(inventory.entry("windows"), "until then", end)
        screen = screen_for(inventory, inventory.clients[number], given)
        (row,) = [note for note in screen.notes if told in note]
        shown = preview.ipxe(menus_of(inventory).ipxe(screen), Charset.UTF8).rows
        assert row in [each.strip() for each in shown]


@pytest.mark.parametrize(
    ("end", "told"),
    [
        (datetime(2026, 12, 5, tzinfo=UTC), ("until the end of 04 Dec 2026",
                                             "hasta el final del 04/12/2026",
                                             "fins al final del 04/12/2026")),
        (datetime(2026, 12, 4, 18, 30, tzinfo=UTC), ("until 04 Dec 2026 18:30",
                                                     "hasta el 04/12/2026 18:30",
                                                     "fins al 04/12/2026 18:30")),
    ],
)  # fmt: skip
def test_an_end_is_written_as_its_language_does(
    inventory: Inventory, end: datetime, told: tuple[str, ...]
) -> None:
    for number, words in enumerate(told):
        given = Offered(inventory.entry("windows"), "until then", end)
        for offered in (given, replace(given, locked=True)):
            screen = screen_for(inventory, inventory.clients[number], offered)
            assert screen.notes[0].endswith(words)
            shown = preview.ipxe(menus_of(inventory).ipxe(screen), Charset.UTF8).rows
            assert screen.notes[0] in [row.strip() for row in shown]


def test_the_longest_note_is_not_cut() -> None:
    """A note's line takes 59 bytes beside its colours."""
    for tongue in Tongue:
        texts = load_texts(tongue)
        end = f"{texts['until_end_of']} {datetime(2026, 12, 24, tzinfo=UTC).strftime(texts['day'])}"
        for sentence in ("given", "locked", "protected"):
            assert len(f"{texts[sentence]} {end}".encode()) <= 59


def test_every_language_has_every_sentence() -> None:
    assert {frozenset(load_texts(tongue)) for tongue in Tongue} == {frozenset(load_texts())}


@pytest.mark.parametrize(
    ("text", "charset", "shown"),
    [
        ("Català à É", Charset.BIOS, "Català à É"),
        ("À È Ò Á Í Ó Ú", Charset.BIOS, "A E O A I O U"),
        ("À È Ò Á Í Ó Ú", Charset.LATIN1, "À È Ò Á Í Ó Ú"),
        ("Łódź \N{EN DASH} “x” €", Charset.UTF8, 'Lódz - "x" EUR'),
        ("¿Qué? l·l …", Charset.ASCII, "Que? l.l ..."),
        ("中", Charset.UTF8, "<4E2D>"),
    ],
)
def test_what_a_loader_cannot_draw_is_spelled(text: str, charset: Charset, shown: str) -> None:
    assert spelled(text, charset) == shown


@given(st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=40))
@trying.examples(200)
def test_every_text_has_bytes_everywhere_and_no_question_mark(text: str) -> None:
    for charset in CHARSETS:
        assert encoded(text, charset).count(b"?") <= text.count("?") + 2 * len(
            _QUESTIONS & set(text)
        ) * len(text)


@given(st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=80))
@trying.examples(200)
def test_no_text_is_syntax(text: str) -> None:
    """A line of a script names a text by letters that mean nothing to iPXE."""
    words = Words()
    named = words.shown(text, "  ", "", 69)
    allowed = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 .,:'()/!?+_-${}")
    assert set(named) <= allowed
    for _, values in words.differing:
        for _, digits in values:
            raw = bytes.fromhex(digits.replace(":", ""))
            assert len(raw) <= 69
            assert b"${" not in raw


def test_pictures_of_ours_are_as_a_site_s_must_be(inventory: Inventory, tmp_path: Path) -> None:
    found = pictures(inventory, tmp_path)
    assert fault_of(found[PurePosixPath("menus") / DEFAULT_PICTURE]) is None


def _png(width: int = 1024, depth: int = 8, colour: int = 2, interlace: int = 0) -> bytes:
    head = struct.pack(">I4sIIBBBBB", 13, b"IHDR", width, 768, depth, colour, 0, 0, interlace)
    return b"\x89PNG\r\n\x1a\n" + head + b"\0\0\0\0"


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (_png(), None),
        (_png(width=1920), "has 1920 x 768 dots"),
        (_png(colour=3), "has a palette"),
        (_png(depth=16), "not 8 bits"),
        (_png(interlace=1), "is interlaced"),
        (b"\xff\xd8\xff\xe0", "is no PNG"),
        (b"", "is no PNG"),
    ],
)
def test_a_picture_that_a_loader_cannot_draw_is_refused(content: bytes, fault: str | None) -> None:
    found = fault_of(content)
    assert (found is None) if fault is None else fault in str(found)


def test_a_picture_that_is_not_there_is_refused(tmp_path: Path) -> None:
    text = DATA.read_text("utf-8").replace("[server]\n", '[server]\npicture = "campus.png"\n')
    with pytest.raises(NetbootError, match=r"campus\.png: the picture cannot be read"):
        pictures(parse(text, source="x.toml"), tmp_path)


@pytest.mark.parametrize("language", ["en", "es", "ca"])
@pytest.mark.parametrize("state", [answers.WAITING, answers.KNOWN, answers.NO_NAME, answers.FULL])
def test_answers_to_a_registration_go_on(language: str, state: str) -> None:
    text = DATA.read_text("utf-8").replace("[server]\n", f'[server]\nlanguage = "{language}"\n')
    script = Answers(parse(text, source="x.toml")).registered(state, name="pc9", number=1)
    _holds_together(script)


@pytest.mark.parametrize("pc", [0, 1, 2])
@pytest.mark.parametrize("state", [answers.WRONG, answers.LATER, answers.NOT_NOW])
def test_answers_to_a_password_go_on(inventory: Inventory, pc: int, state: str) -> None:
    _holds_together(Answers(inventory).refused(state, inventory.clients[pc]))


def _holds_together(script: str) -> None:
    """iPXE ends a script that goes where nothing is."""
    lines = script.splitlines()
    assert lines[0] == "#!ipxe"
    labels = {line[1:] for line in lines if line.startswith(":")}
    targets = {line.split("goto ")[at].split(" ")[0] for line in lines
               for at in range(1, line.count("goto ") + 1)}  # fmt: skip
    assert targets <= labels
