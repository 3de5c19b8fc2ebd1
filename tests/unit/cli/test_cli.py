# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line as a person and a program meet it: errors, numbers, JSON, no surprises."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from oglib.__main__ import main
from oglib.errors import OgErr


def test_no_arguments_show_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == OgErr.FORMAT
    assert "deploy" in capsys.readouterr().out


@pytest.mark.parametrize(
    "argv",
    [["disk"], ["disc", "list"], ["image", "restore", "x"], ["disk", "apply", "1"]],
)
def test_wrong_arguments_are_a_format_error_with_a_hint(
    argv: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(argv) == OgErr.FORMAT
    said = capsys.readouterr().err
    assert said.startswith("og: ")
    assert "--help" in said
    assert "Traceback" not in said


def test_an_error_is_one_json_object_on_request(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["image", "info", "/nowhere/x.img", "--json"]) == OgErr.IMAGEFILE
    told = json.loads(capsys.readouterr().out)["error"]
    assert told["code"] == OgErr.IMAGEFILE
    assert told["name"] == "IMAGEFILE"
    assert "/nowhere" in told["message"]


def test_a_target_that_is_not_there_is_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    missing = tmp_path / "disk.raw"
    assert main(["disk", "show", str(missing)]) == OgErr.NOTFOUND
    assert str(missing) in capsys.readouterr().err


@pytest.mark.parametrize("name", ["../x", "a b", "$(id)", "-x", "a\nb"])
def test_names_that_are_no_names_are_refused(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["image", "info", f" {name}"]) != 0
    assert "Traceback" not in capsys.readouterr().err


def test_every_verb_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["disk", "apply"], ["image", "create"], ["deploy"], ["os", "configure"], ["job"]):
        with pytest.raises(SystemExit) as ended:
            main([*words, "--help"])
        assert ended.value.code == 0
        shown = capsys.readouterr().out
        assert all(len(line) <= 80 for line in shown.splitlines()), shown
