# SPDX-License-Identifier: GPL-3.0-or-later
"""Hostile names, defects, interruptions: a person sees words all the same."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable

import pytest

from oglib import cli
from oglib.__main__ import main
from oglib.ending import ended
from oglib.errors import NotFoundError, OgErr, OgError
from oglib.views.output import table


def raising(error: BaseException) -> Callable[..., int]:
    def work(*_: object) -> int:
        raise error

    return work


@pytest.mark.parametrize("option", ["--js", "--jso"])
def test_no_option_is_shortened(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["image", "info", "/nowhere/x.img", option]) == OgErr.FORMAT
    assert option in capsys.readouterr().err


def test_a_defect_is_one_sentence_with_its_place(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "main", raising(KeyError("gpt")))
    assert main(["disk", "list", "--json"]) == OgErr.GENERIC
    said = capsys.readouterr()
    assert json.loads(said.out)["error"]["code"] == OgErr.GENERIC
    assert "defect" in said.err
    assert "KeyError at" in said.err
    assert "test_use.py:" in said.err
    assert said.err.count("\n") == 1


@pytest.mark.parametrize("words", [["--debug", "disk", "list"], ["disk", "list", "--debug"]])
@pytest.mark.parametrize("error", [KeyError("gpt"), NotFoundError("There is no gpt.")])
def test_debug_shows_where_an_error_was_raised(
    words: list[str],
    error: Exception,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("oglib.cli.disk.list_disks", raising(error))
    assert main(["disk", "list"]) == main(words) != 0
    plain, _, shown = capsys.readouterr().err.partition("Traceback (most recent call last):\n")
    assert plain.startswith("og: ")
    assert 'test_use.py", line' in shown
    assert f"\n{plain}" in shown  # and then the same sentence


def test_an_interruption_is_one_json_object_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "main", raising(KeyboardInterrupt()))
    assert main(["disk", "list", "--json"]) == 130
    said = capsys.readouterr()
    assert json.loads(said.out)["error"]["code"] == 130
    assert "interrupted" in said.err


def test_the_terminal_gets_no_control_characters() -> None:
    heard: list[OgError] = []
    name = "a\x1b[31mb\nc\udcff"
    assert ended(raising(NotFoundError(f"There is no {name}.")), heard.append) == OgErr.NOTFOUND
    assert str(heard[0]) == r"There is no a\x1b[31mb\nc\udcff."
    assert table([("1", name), ("2", "é ñ")]) == "1  a\\x1b[31mb\\nc\\udcff\n2  é ñ"


def test_little_is_imported_before_an_interruption_is_told_in_words() -> None:
    code = "import sys, oglib.__main__; print({'argparse', 'oglib.settings'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("set()\n", "")
