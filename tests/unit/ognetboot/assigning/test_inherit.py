# SPDX-License-Identifier: GPL-3.0-or-later
"""A scope, or each PC in it, says nothing for good itself, and follows the wider scope again."""

from __future__ import annotations

from pathlib import Path

import pytest

from unit.ognetboot.assigning.rooms import Say, render


def script(file: Path, number: int) -> str:
    text = (file.parent / f"www/netboot/ipxe/mac-52-54-00-00-00-0{number}.ipxe").read_text()
    (line, *_) = [each for each in text.splitlines() if each.startswith("choose ")]
    return line.split("--default ")[1].split()[0]


def test_a_pc_follows_its_room_again(file: Path, say: Say) -> None:
    before = file.read_text()
    say("set", "pc3", "windows")
    assert script(file, 3) == "entry_windows"
    code, said = say("set", "pc3", "--inherit")
    assert (code, said) == (0, "pc:pc3: now oglive; before: windows\n")
    assert (file.read_text(), script(file, 3)) == (before, "entry_oglive")
    assert "nothing to change" in say("set", "pc3", "--inherit")[1]


def test_a_room_follows_the_server_again(file: Path, say: Say) -> None:
    assert say("set", "lab", "--inherit")[1] == ("room:lab (1 PC): now localdisk; before: oglive\n")
    assert "default_entry" not in file.read_text()
    assert script(file, 3) == "entry_localdisk"
    said = say("set", "all", "--inherit", "--pcs")[1]
    assert "nothing to change, none of its PCs says" in said


def test_all_pcs_of_a_room_follow_it_at_once(file: Path, say: Say) -> None:
    before = file.read_text()
    for pc in ("pc1", "pc2"):
        say("set", pc, "windows")
    say("set", "pc2", "pxe", "--until", "+1h")
    said = say("set", "aula1", "oglive")[1]
    assert "pc1 starts windows, for good" in said
    assert "`ognetboot set room:aula1 --inherit --pcs` lets PCs" in said
    dry = say("set", "aula1", "--inherit", "--pcs", "--dry-run")[1]
    assert script(file, 1) == "entry_windows"
    code, said = say("set", "aula1", "--inherit", "--pcs")
    assert (code, said) == (0, dry)
    assert said.splitlines()[0] == (
        "room:aula1 (2 PCs): pc1, pc2 say nothing themselves, now oglive on 1, pxe on 1; "
        "before: windows on 1, pxe on 1"
    )
    assert "pc2 starts pxe, until" in said
    assert script(file, 1) == "entry_oglive"
    added = set(file.read_text().splitlines()) - set(before.splitlines())
    assert added == set()
    assert file.read_text().count('default_entry = "oglive"') == 2
    assert render(file) == 0
    assert script(file, 1) == "entry_oglive"


@pytest.mark.parametrize(
    "words",
    [("pc1", "pxe", "--inherit"), ("pc1", "pxe", "--pcs"),
     ("pc1", "--inherit", "--until", "+1h"), ("pc1", "--pcs")],
)  # fmt: skip
def test_inherit_stands_alone(say: Say, words: tuple[str, ...]) -> None:
    assert say("set", *words)[0] == 2
