# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever words a user or a script gives: an answer or one sentence, a known number, no defect."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from oglib.__main__ import main
from oglib.errors import OgErr
from oglib.shim.__main__ import main as old_main

MIB = 1024 * 1024
_WORDS = [
    *("1", "2", "3", "0", "-1", "9" * 30, "9" * 400, "9" * 5000, "1.5", "0x10", "nan", "٣", "²"),
    *("", " ", "é", "a\nb", "$(id)", "\x1b[31m", "a" * 5000, "%s", "{}", "\\", "'", "*"),
    *("/", "..", "/dev/null", "/dev/zero", "LABEL=", "UUID=x", "PARTUUID=zz", "1@", "1@x"),
    *("system", "nvme", "largest", "--", "-x", "50%", "rest", "5MiB", "LINUX:1000", "LINUX:"),
    *("EMPTY:0", "CACHE:" + "9" * 30, "EXTENDED:100", "GPT", "ext4", "ca", "REPO", "CDROM", "(?P<"),
    *("dis=1*par=1", "dis=1*che=0*tch=0!par=1*cpt=LINUX*sfi=EXT4*tam=50000*ope=0%"),
]
_VERBS = [
    *(("disk", verb) for verb in ("list", "show", "plan", "apply", "repair")),
    *(("fs", verb) for verb in ("format", "check", "grow", "shrink", "info", "mount", "umount")),
    *(("cache", verb) for verb in ("create", "list", "add", "evict", "check", "pin", "delete")),
    *(("inventory", verb) for verb in ("os", "software")),
    *(("image", "verify"), ("deploy",), ("disk",), ()),
]
_OLD = [
    "ogCreatePartitions",
    "ogCreateGptPartitions",
    "ogCreatePartitionTable",
    "ogDevToDisk",
    "ogDiskToDev",
    "ogGetDiskSize",
    "ogGetLastSector",
    "ogGetPartitionId",
    "ogGetPartitionSize",
    "ogGetPartitionType",
    "ogIdToType",
    "ogTypeToId",
    "ogListPartitions",
    "ogSetPartitionId",
    "ogSetPartitionSize",
    "ogSetPartitionType",
    "ogCreateCache",
    "ogFindCache",
    "ogGetFsSize",
    "ogGetFreeSize",
    "ogFormatFs",
    "ogCheckFs",
    "ogIsMounted",
    "ogGetPath",
    "ogCheckStringInReg",
    "ogCheckIpAddress",
    "ogHelp",
    "ogRaiseError",
]
_NUMBERS = {0, 127, *(int(one) for one in OgErr)}


@pytest.fixture(autouse=True)
def _disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    disk = tmp_path / "disk.img"
    disk.touch()
    os.truncate(disk, 64 * MIB)
    table = "label: gpt\nsize=20MiB\nsize=20MiB\n"
    subprocess.run(["sfdisk", "-q", "--no-tell-kernel", disk], input=table, text=True, check=True)
    monkeypatch.setenv("OG_DISKS", str(disk))
    monkeypatch.setenv("OGCAC", str(tmp_path / "cache"))
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)
    for point in (tmp_path / "cache", Path("/mnt/disk.imgp1"), Path("/mnt/disk.imgp2")):
        subprocess.run(["umount", "--quiet", point], capture_output=True, check=False)


def words(chance: random.Random) -> list[str]:
    found = chance.choices(_WORDS, k=chance.choice((0, 1, 2, 2, 2, 3, 4)))
    if chance.random() < 0.6:  # so that more than the first word is looked at
        found[:2] = ["1", chance.choice(("1", "2", *found[1:2]))][: len(found)]
    return found


@pytest.mark.parametrize("seed", range(2))
def test_og_answers_in_words_whatever_it_is_given(
    seed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    chance = random.Random(seed)
    for _ in range(30):
        argv = [*chance.choice(_VERBS), *words(chance), *chance.choice(([], ["--yes"]))]
        argv.append("--json")
        status = main(argv)
        said = capsys.readouterr()
        assert status in _NUMBERS, argv
        assert "defect" not in said.err, (argv, said.err)
        assert "\x1b" not in said.out + said.err, argv
        if "--" not in argv:
            json.loads(said.out)


@pytest.mark.parametrize("seed", range(2))
def test_old_commands_do_too(seed: int, capsys: pytest.CaptureFixture[str]) -> None:
    chance = random.Random(seed)
    for _ in range(30):
        argv = ["og-shim", chance.choice(_OLD), *words(chance)]
        status = old_main(argv)
        assert status in _NUMBERS, argv
        assert "defect" not in (said := capsys.readouterr().err), (argv, said)
