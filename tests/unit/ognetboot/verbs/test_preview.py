# SPDX-License-Identifier: GPL-3.0-or-later
"""`preview` draws the PC that is named, and `| head` is no fault."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ognetboot.cli import main

DATA = Path(__file__).parents[1] / "data"
CAMPUS = DATA / "campus.toml"


@pytest.mark.parametrize("word", ["aula1-pc01", "10.0.2.11", "52-54-00-00-00-01", "525400000001"])
def test_the_card_and_address_are_the_pc_s_own(
    word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["preview", str(CAMPUS), word]) == 0
    shown = capsys.readouterr().out
    assert "aula1-pc01" in shown
    assert "52:54:00:00:00:01 10.0.2.11" in shown


def test_what_the_inventory_does_not_know_is_not_made_up(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["preview", str(CAMPUS), "sala"]) == 0
    assert "52:54:00:00:00:03 (an address by DHCP)" in capsys.readouterr().out


def test_a_reader_that_has_enough_is_no_fault() -> None:
    """As `| head` does: the pipe is closed before the script is through."""
    words = [sys.executable, "-m", "ognetboot", "preview", str(CAMPUS), "unknown", "--script"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == b""
        assert process.wait(60) == 0
