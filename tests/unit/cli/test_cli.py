# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line as a person and a program meet it: errors, numbers, JSON, no surprises."""

from __future__ import annotations

import argparse
import errno
import json
import os
import subprocess
import sys
from importlib.metadata import version
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import Any

import pytest

from oglib.__main__ import main
from oglib.cli import main as run_one
from oglib.cli.context import Result
from oglib.disk.tables.damage import examine
from oglib.errors import OgErr, PartitionError


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


@pytest.fixture
def somebody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)


@pytest.mark.usefixtures("somebody")
@pytest.mark.parametrize(
    "argv",
    [
        ["disk", "apply", "1", "uefi", "--yes"],
        ["image", "restore", "debian", "1", "2", "--dry-run"],
        ["cache", "format"],
        ["deploy", "debian", "1", "2"],
    ],
)
def test_without_root_what_changes_disks_says_so_in_one_sentence(
    argv: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(argv) == OgErr.NOTEXEC
    assert capsys.readouterr().err == (
        f"og: `og {argv[0]} {argv[1]}` needs the rights of root. Run it as root.\n"
    )


@pytest.mark.usefixtures("somebody")
def test_without_root_a_disk_that_may_not_be_read_is_not_called_damaged(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = tmp_path / "disk.raw"
    disk.write_bytes(bytes(1 << 20))

    opened = os.open

    def refused(path: str | Path, *args: Any, **options: Any) -> int:
        if path == disk:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return opened(path, *args, **options)

    monkeypatch.setattr("oglib.disk.tables.damage.os.open", refused)
    with pytest.raises(PartitionError):
        examine(disk, 1 << 20, 512)
    monkeypatch.setattr("oglib.cli.disk.list_disks", lambda: examine(disk, 1 << 20, 512))
    assert main(["disk", "list"]) == OgErr.NOTEXEC
    assert capsys.readouterr().err == (
        f"og: `og disk list` needs the rights of root for {disk}. Run it as root.\n"
    )


def test_the_version_is_told_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"og {version('oglive')}\n"
    loaded = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "oglib", "--version"],
        capture_output=True,
        text=True,
        check=True,
    ).stderr
    assert "oglib.version" in loaded
    assert "oglib.cli" not in loaded


def test_every_verb_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["disk", "apply"], ["image", "create"], ["deploy"], ["os", "configure"], ["job"]):
        with pytest.raises(SystemExit) as ended:
            main([*words, "--help"])
        assert ended.value.code == 0
        shown = capsys.readouterr().out
        assert all(len(line) <= 80 for line in shown.splitlines()), shown


@pytest.mark.parametrize("terminal", [False, True])
def test_a_diff_is_for_patch_or_for_a_screen(
    terminal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    diff = b"--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\tb\n+a\tcaf\xe9\x1b[2J\r\n"
    out = TextIOWrapper(BytesIO())
    monkeypatch.setattr(out, "isatty", lambda: terminal)
    monkeypatch.setattr(sys, "stdout", out)
    known = argparse.ArgumentParser()
    known.add_argument("words", nargs="*")
    known.set_defaults(handler=lambda _: Result({}, "done  hosts", diff=diff), json=False)
    assert run_one(["x", "y"], known) == 0
    out.flush()
    printed = out.buffer.getvalue()
    screen = diff.replace(b"-a\t", b"-a      ").replace(b"+a\t", b"+a      ")
    screen = screen.replace(b"\xe9\x1b", b"\\xe9\\x1b").replace(b"\r", b"\\r")
    assert printed == b"done  hosts\n" + (screen if terminal else diff)
