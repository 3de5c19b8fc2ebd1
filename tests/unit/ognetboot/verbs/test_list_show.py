# SPDX-License-Identifier: GPL-3.0-or-later
"""`list` and `show`: what a person reads, and the same for programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ognetboot.cli import main

CAMPUS = Path(__file__).parents[1] / "data" / "campus.toml"


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Any:
    def said(*words: str, code: int = 0) -> str:
        assert main([*words, "--inventory", str(CAMPUS)]) == code
        captured = capsys.readouterr()
        return captured.err if code else captured.out

    return said


def test_the_list_of_scopes_counts_pcs_and_says_what_they_start(say: Any) -> None:
    lines = [line.split(maxsplit=3) for line in say("list").splitlines()]
    assert ["room:aula1", "2", "pxe", "Aula d'Informàtica 1"] in lines
    assert ["group:examen", "1", "windows", "examen"] in lines
    told = json.loads(say("list", "--json"))["scopes"]
    assert [one["pcs"] for one in told] == [3, 2, 2, 1, 1, 1]


def test_the_list_of_a_room_has_its_pcs(say: Any) -> None:
    lines = say("list", "aula1").splitlines()
    assert lines[1].split() == ["aula1-pc01", "52:54:00:00:00:01", "10.0.2.11", "aula1", "windows"]
    (told,) = json.loads(say("list", "pc:sala", "--json"))["pcs"]
    assert (told["unit"], told["macs"], told["starts"]) == (
        "IEC",
        ["52:54:00:00:00:03"],
        "localdisk",
    )


def test_each_choice_is_shown_with_the_scope_that_says_it(say: Any) -> None:
    lines = say("show", "aula1-pc01").splitlines()
    shown = dict(line.split(maxsplit=1) for line in lines[1:])
    assert shown["starts"].split("  ")[0] == "windows (Windows 11)"
    assert shown["starts"].endswith("from group:examen")
    assert shown["language"].endswith("from centre:informatica")
    assert shown["disks.data"].endswith("from room:aula1")
    assert lines[-2].split() == ["1", "3", "aula1/windows@4", "default"]
    choices = json.loads(say("show", "aula1-pc01", "--json"))["choices"]
    assert choices["timeout_s"] == {"value": 0, "from": "group:profesores"}
    assert choices["protected_until"]["value"] == "2026-12-20T20:00:00+01:00"
    assert choices["disks.system"] == {"value": "1", "from": "group:examen"}


def test_a_protection_ends_with_the_day_that_was_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = CAMPUS.read_text("utf-8")
    path = tmp_path / "campus.toml"
    path.write_text(
        text.replace("protected_until = 2026-12-20T20:00:00+01:00", "protected_until = 2026-12-20")
    )
    assert main(["show", "aula1", "--inventory", str(path)]) == 0
    (line,) = [x for x in capsys.readouterr().out.splitlines() if "protected_until" in x]
    assert "the end of Sun 20 Dec 2026" in line


def test_what_nobody_says_holds_by_itself(say: Any) -> None:
    shown = json.loads(say("show", "all", "--json"))["choices"]
    assert shown["entry"] == {"value": "localdisk", "from": None}
    assert shown["language"] == {"value": "es", "from": "all"}
    assert "by default" in say("show", "room:sala")


def test_a_scope_that_is_not_there_is_refused(say: Any) -> None:
    assert "did you mean aula1?" in say("show", "aula2", code=1).lower()
