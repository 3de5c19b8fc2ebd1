# SPDX-License-Identifier: GPL-3.0-or-later
"""How an old command is found, helped, ended; and what its start may not drag in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from oglib.errors import OgErr
from oglib.shim.__main__ import main
from oglib.shim.command import Command, positive
from oglib.shim.names import MODULE_OF
from unit.plain_disks import plain_disk
from unit.shim.old import Old, Ran

LAUNCHER = "#!{} -I\nimport sys\nfrom oglib.shim.__main__ import main\nsys.exit(main())\n"


def test_help_is_no_call(old: Old) -> None:
    ran = old("ogCheckIpAddress", "help")
    assert (ran.stderr, ran.status) == ("", 0)
    assert "ogCheckIpAddress 172.16.3.20" in ran.stdout


def test_an_unknown_name_is_not_found_as_a_shell_says_it(old: Old) -> None:
    assert old("ogFly") == Ran("", "ogFly: this ogLive has no command of that name.\n", 127)


def test_no_name_at_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["/usr/bin/og-shim"]) == OgErr.FORMAT
    assert "which command" in capsys.readouterr().err


def test_a_link_is_called_by_its_name(old: Old, tmp_path: Path) -> None:
    launcher = tmp_path / "og-shim"
    launcher.write_text(LAUNCHER.format(sys.executable))
    launcher.chmod(0o755)
    folder = tmp_path / "opt/bin"
    assert old("--install", folder, launcher) == Ran("", "", 0)
    assert old("--install", folder, launcher) == Ran("", "", 0)
    assert {link.name for link in folder.iterdir()} == set(MODULE_OF)
    link = folder / "ogCheckIpAddress"
    assert [subprocess.run([link, word], check=False).returncode for word in ("1.2.3.4", "x")] == [
        0,
        1,
    ]


def test_install_needs_both_words(old: Old) -> None:
    assert old("--install", "/tmp").status == OgErr.FORMAT


def test_what_the_system_refuses_is_said(old: Old, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ran = old("--install", tmp_path / "file", "x")
    assert ran.status == OgErr.GENERIC
    assert "The system refused" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_reader_that_leaves_is_no_accident() -> None:
    argv = [sys.executable, "-I", "-m", "oglib.shim", "ogCheckIpAddress", "help"]
    read_end, write_end = os.pipe()
    os.close(read_end)
    with os.fdopen(write_end, "wb") as stdout:
        done = subprocess.run(argv, stdout=stdout, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (OgErr.GENERIC, b"")


def test_being_told_to_stop_is_an_interruption_of_what_it_runs_too() -> None:
    argv = [sys.executable, "-I", "-m", "oglib.shim", "ogExecAndLog", "sh", "-c"]
    with subprocess.Popen(
        [*argv, "echo started; exec sleep 60"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        assert running.stdout.readline() == b"started\n"
        running.terminate()
        said = running.stderr.read()  # ends when nobody, sleep included, can write to it any more
    assert running.returncode == 130
    assert b"interrupted" in said
    assert b"Traceback" not in said


def test_a_wrong_count_of_words_names_the_right_one() -> None:
    command = Command("ogX", "A B", "does nothing", lambda _: None, 2, 2)
    with pytest.raises(Exception, match="was given 1") as caught:
        command.run(["a"])
    assert "Usage: ogX A B." in str(caught.value)


@pytest.mark.parametrize("word", ["0", "-1", "1.5", "", "٣", "+1", " 1"])
def test_only_plain_numbers_name_disks(word: str) -> None:
    with pytest.raises(Exception, match="positive"):
        positive(word, "The disk")


# What costs more than all the rest of a start, and no question about disks needs.
_HEAVY = {"asyncio", "cryptography", "zstandard", "argparse", "parted", "tomllib", "hivex"}
# A plain table is read without a program, so without whatever starts one.
_PROBING = {
    "sh", "subprocess", "blkinfo", "ctypes", "json", "logging", "tempfile", "typing", "uuid",
    "importlib.metadata", "oglib.run", "oglib.settings", "oglib.progress", "oglib.deploy",
    "oglib.disk.probe", "oglib.kernel.loops", "oglib.filesystem.mount",
}  # fmt: skip


@pytest.mark.parametrize(
    ("words", "unwanted"),
    [
        (["ogCheckIpAddress", "1.2.3.4"], {*_HEAVY, "sh", "json", "oglib.run", "oglib.settings"}),
        (["ogGetPath", "/"], {*_HEAVY, "sh", "json", "hashlib", "oglib.settings"}),
        (["ogEcho", "text"], {*_HEAVY, "sh", "json", "oglib.run", "oglib.settings"}),
        (["ogGetPartitionsNumber", "1"], {*_HEAVY, *_PROBING}),
        (["ogGetPartitionId", "1", "1"], {*_HEAVY, *_PROBING}),
        (["ogListPartitions", "1"], {*_HEAVY, *_PROBING}),
        (["ogGetPartitionTableType", "1"], {*_HEAVY, *_PROBING}),
        (["ogGetDiskSize", "1"], {*_HEAVY, *_PROBING}),
        (["ogIsImageLocked", "/x"], {*_HEAVY, "sh", "oglib.settings"}),
        (["ogGetImageInfo", "/x"], {*_HEAVY, "sh", "oglib.image"}),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_start_brings_in_what_it_needs_and_no_more(
    words: list[str], unwanted: set[str], tmp_path: Path
) -> None:
    disk = plain_disk(tmp_path / "disk")
    code = (
        "import sys; from oglib.shim.__main__ import main;"
        f"main(['og-shim', *{words!r}]); loaded = set(sys.modules);"
        "import json; print(json.dumps(sorted(loaded)), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", code],
        env={"PATH": os.environ["PATH"], "OG_DISKS": str(disk)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(json.loads(done.stderr.splitlines()[-1])) & unwanted == set()


def test_names_that_are_no_text_go_out_as_they_are(tmp_path: Path) -> None:
    name = os.fsencode(tmp_path) + b"/a\xffb"
    Path(os.fsdecode(name)).touch()
    asked = os.fsdecode(name.replace(b"b", b"B"))
    argv = [sys.executable, "-I", "-m", "oglib.shim", "ogGetPath", asked]
    done = subprocess.run(argv, capture_output=True, check=False)
    assert (done.stdout, done.stderr, done.returncode) == (name + b"\n", b"", 0)
