# SPDX-License-Identifier: GPL-3.0-or-later
"""What is printed: no name moves a cursor, and no pipe, locale or key ends in a traceback."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ognetboot import cli
from ognetboot.errors import NetbootError
from ognetboot.inventory.reading import parse
from ognetboot.overlay.sitecheck import check_policy

CAMPUS = Path(__file__).parents[1] / "data" / "campus.toml"
CSV = 'name,mac,room,ip\n"a\x1b[2Jb\nTaken: 99",525400000001,"r\x9b31mo",10.0.2.11\n'


@pytest.mark.parametrize("as_json", [False, True])
def test_a_table_cannot_write_to_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], as_json: bool
) -> None:
    source = tmp_path / "pcs.csv"
    source.write_text(CSV, "utf-8")
    words = ["import", "csv", str(source), str(tmp_path / "x.toml")]
    assert cli.main([*words, *(["--json"] if as_json else [])]) == 0
    told = capsys.readouterr().out
    assert all(char.isprintable() or char == "\n" for char in told), ascii(told)
    if as_json:
        assert "\x1b" in str(json.loads(told)["renamed"]) or json.loads(told)["taken"]
    else:
        assert "Taken: 99" not in [line.strip() for line in told.splitlines()]


def started(*words: str, **variables: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "ognetboot", *words, "--inventory", str(CAMPUS)]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(sys.path), **variables},
    )


def test_a_reader_that_has_enough_is_no_error() -> None:
    with started("list") as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == b""
        assert process.wait(60) == 0


@pytest.mark.parametrize("words", [["list"], ["list", "--json"]])
def test_a_locale_without_accents_shows_what_it_can(words: list[str]) -> None:
    with started(*words, PYTHONIOENCODING="ascii") as process:
        out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, b"")
    assert b"Aula d'Inform" in out
    if "--json" in words:
        assert "Aula d'Informàtica 1" in str(json.loads(out))


def test_ctrl_c_before_there_is_a_verb(monkeypatch: pytest.MonkeyPatch) -> None:
    def pressed(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "_parser", pressed)
    assert cli.main(["list"]) == 130


@pytest.mark.parametrize("number", ["9" * 5000, "0x" + "f" * 5000])
@pytest.mark.parametrize("key", ["timeout_s", "title", "dns", "repository"])
def test_numbers_of_thousands_of_digits_are_refused(key: str, number: str) -> None:
    with pytest.raises(NetbootError):
        parse(f"[server]\n{key} = {number}\n", source="x.toml")


def test_a_policy_with_such_a_number_is_refused() -> None:
    with pytest.raises(NetbootError, match="not valid TOML"):
        check_policy(b"x = " + b"9" * 5000)
    with pytest.raises(NetbootError, match="too deep"):
        check_policy(b"x = " + b"[" * 5000)
