# SPDX-License-Identifier: GPL-3.0-or-later
"""What is given and has not begun: it is seen everywhere, and nothing takes it back unsaid."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ognetboot.assigning.store import Store
from unit.ognetboot.assigning.rooms import Say

TIMES = ("--from", "+40d", "--until", "+41d")


def entries(file: Path) -> list[str]:
    return [each.entry for each in Store(file).read().all]


def test_the_end_of_an_exam_leaves_the_one_to_come(file: Path, say: Say) -> None:
    say("exam", "aula1", "windows", *TIMES)
    say("exam", "aula1", "1:3", "--until", "+1h")
    code, said = say("exam", "aula1", "--end")
    assert code == 0
    assert "withdrawn: 1:3, exam, until" in said
    assert "still to come: windows, exam, from" in said
    assert entries(file) == ["windows"]
    code, said = say("exam", "aula1", "--end")
    assert code == 1
    assert "room:aula1 has no exam now. To come: windows, exam, from" in said
    code, said = say("exam", "aula1", "--end", "--all")
    assert code == 0
    assert "no exam any more" in said
    assert "withdrawn: windows, exam, from" in said
    assert entries(file) == []


def test_clear_leaves_what_is_to_come(file: Path, say: Say) -> None:
    say("set", "aula1", "windows", *TIMES)
    said = say("set", "aula1", "--clear")[1]
    assert "nothing to change" in said
    assert "room:aula1 keeps what is given: windows, from" in said
    assert "`ognetboot set room:aula1 --clear --all` takes back what is to come, too" in said
    assert entries(file) == ["windows"]
    say("set", "aula1", "pxe", "--until", "+1h")
    assert "withdrawn: pxe, until" in say("set", "aula1", "--clear")[1]
    said = say("set", "aula1", "--clear", "--all")[1]
    assert "withdrawn: windows, from" in said
    assert entries(file) == []


@pytest.mark.parametrize(
    "words",
    [("set", "aula1", "pxe", "--all"), ("exam", "aula1", "1:2", "--until", "+1h", "--all")],
)
def test_all_is_for_what_is_taken_back(say: Say, words: tuple[str, ...]) -> None:
    assert say(*words)[0] == 2


def test_what_is_to_come_is_shown_and_listed(say: Say) -> None:
    say("exam", "aula1", "windows", *TIMES)
    for words in (("show", "pc1"), ("show", "aula1"), ("show", "all"), ("list",), ("list", "aula1"),
                  ("list", "science")):  # fmt: skip
        (line,) = [each for each in say(*words)[1].splitlines() if "later" in each.split()]
        assert line.split()[:4] == ["later", "windows", "exam,", "from"]
        assert line.endswith("(room:aula1)")
        (told,) = json.loads(say(*words, "--json")[1])["later"]
        assert (told["entry"], told["scope"], told["exam"]) == ("windows", "room:aula1", True)
    for words in (("show", "pc3"), ("list", "lab")):
        assert "later" not in say(*words)[1]


def test_the_list_tells_what_pcs_start_now(say: Say) -> None:
    assert "NOW" not in say("list")[1]
    say("exam", "aula1", "windows", "--until", "+1h")
    rows = {line.split()[0]: line.split()[1:] for line in say("list")[1].splitlines()}
    assert rows["room:aula1"][:5] == ["2", "localdisk", "windows", "on", "2"]
    assert rows["room:lab"] == ["1", "oglive", "Laboratory"]
    lines = say("list", "all")[1].splitlines()
    assert "windows: exam, until" in lines[1]
    assert lines[3].split()[-2:] == ["lab", "oglive"]
    pcs = json.loads(say("list", "all", "--json")[1])["pcs"]
    assert [one["now"] for one in pcs] == ["windows", "windows", None]
    (now,) = json.loads(say("show", "aula1", "--json")[1])["now"]
    assert (now["entry"], now["pcs"]) == ("windows", ["pc1", "pc2"])


def test_what_is_withdrawn_is_said(say: Say) -> None:
    say("set", "aula1", "oglive", "--once", "--until", "+1h")
    said = say("set", "aula1", "pxe", "--until", "+2h")[1]
    assert "withdrawn: oglive, this once, until" in said
    say("set", "lab", "windows", "--once")
    said = say("set", "lab", "pxe", "--until", "+1h")[1]
    assert "still given, beside this: windows, this once" in said
    assert "withdrawn: windows, this once" in say("set", "lab", "10", "--once")[1]
    assert "withdrawn" not in say("set", "aula1", "windows", *TIMES)[1]
    say("exam", "aula1", "1:2", *TIMES)
    said = say("exam", "aula1", "1:3", *TIMES)[1]
    assert "withdrawn: 1:2, exam, from" in said
