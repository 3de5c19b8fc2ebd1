# SPDX-License-Identifier: GPL-3.0-or-later
"""What a table's own bytes tell is what sfdisk tells of it; what is not plain is left to the tools.

And how many programs a question starts: what is not printed is not looked for.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from oglib.__main__ import main as og
from oglib.disk.loop import attached
from oglib.disk.model import MIB, TableKind
from oglib.disk.probing.plain import plain_table
from oglib.disk.probing.virtual import read_table
from oglib.shim.__main__ import main as old

_ESP = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
_PLAIN = {
    "gpt": "label: gpt\nsize=4M, name=data\nsize=8M, name=CACHE\n",
    "gpt of one type each": f"label: gpt\nsize=4M, type={_ESP}, name=ñ€\nstart=9M, type=S\n",
    "gpt with gaps": "label: gpt\n3: size=4M\n128: size=4M\n",
    "gpt of many entries": "label: gpt\ntable-length: 256\nsize=4M\n200: size=4M\n",
    "msdos": "label: dos\nlabel-id: 0x0badcafe\nsize=4M, bootable\nsize=8M, type=7\n",
    "msdos out of order": "label: dos\nstart=20M, size=4M\nstart=2M, size=4M, type=b\n",
    "msdos with gaps": "label: dos\n2: size=4M\n4: size=4M\n",
    "logical": "label: dos\nsize=4M\nsize=30M, type=5\n5: size=4M\n6: size=6M, type=82\n",
    "logical, for LBA": "label: dos\nsize=30M, type=f\n5: size=4M, bootable\n6: size=4M\n",
    "extended without any": "label: dos\nsize=4M\nsize=8M, type=f\n",
}


def a_disk(path: Path, script: str, size: int = 64 * MIB) -> Path:
    with path.open("wb") as made:
        made.truncate(size)
    if script:
        tool("sfdisk", "--quiet", "--no-tell-kernel", path, stdin=script)
    return path


def tool(*argv: str | Path, stdin: str = "") -> None:
    subprocess.run(argv, input=stdin.encode(), check=True, capture_output=True)


@pytest.mark.parametrize("script", _PLAIN.values(), ids=_PLAIN)
def test_a_plain_table_reads_as_sfdisk_reads_it(script: str, tmp_path: Path) -> None:
    path = a_disk(tmp_path / "disk", script)
    found = plain_table(path, 512)
    assert found is not None
    assert found == read_table(path)


@pytest.mark.parametrize("kind", ["gpt", "dos"])
def test_so_it_does_on_large_sectors(kind: str, tmp_path: Path) -> None:
    with attached(a_disk(tmp_path / "disk", ""), sector_bytes=4096) as device:
        tool(
            "sfdisk",
            "--quiet",
            "--no-tell-kernel",
            device,
            stdin=f"label: {kind}\nsize=4M\nsize=8M\n",
        )
        found = plain_table(device, 4096)
        assert found is not None
        assert found == read_table(device)
        if kind == "gpt":  # an msdos table does not say what it counts
            assert plain_table(device, 512) is None


def _spoiled(path: Path, at: int, raw: bytes) -> Path:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(raw)
    return path


def test_what_is_not_plain_is_left_to_the_tools(tmp_path: Path) -> None:
    gpt, logical = _PLAIN["gpt"], _PLAIN["logical"]
    stick = a_disk(tmp_path / "stick", "")
    tool("mkfs.vfat", stick)
    hybrid = a_disk(tmp_path / "hybrid", gpt)
    tool("sgdisk", "--hybrid=1", hybrid)
    removed = a_disk(tmp_path / "removed", logical)
    tool("sfdisk", "--quiet", "--no-tell-kernel", "--delete", removed, "5")
    others = [
        a_disk(tmp_path / "blank", ""),
        a_disk(tmp_path / "empty", "label: dos\n"),
        stick,
        hybrid,
        _spoiled(a_disk(tmp_path / "header", gpt), 512 + 60, b"\xff"),
        _spoiled(a_disk(tmp_path / "backup", gpt), 64 * MIB - 500, b"\xff"),
        _spoiled(a_disk(tmp_path / "flag", _PLAIN["msdos"]), 446, b"\x7f"),
        _spoiled(a_disk(tmp_path / "far", _PLAIN["msdos"]), 446 + 12, b"\xff\xff\xff\x0f"),
        _spoiled(a_disk(tmp_path / "chain", logical), 5 * MIB + 510, b"\0"),
    ]
    assert [path.name for path in others if plain_table(path, 512) is not None] == []
    # sfdisk numbers what is left of a chain anew, and so does this
    assert plain_table(removed, 512) in (None, read_table(removed))
    assert plain_table(tmp_path / "none", 512) is None


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The programs that are started, in their order."""
    names: list[str] = []
    spawn = os.posix_spawn

    def noted(path: bytes, argv: Any, *words: Any, **more: Any) -> int:
        names.append(Path(os.fsdecode(path)).name)
        return spawn(path, argv, *words, **more)

    monkeypatch.setattr(os, "posix_spawn", noted)
    return names


_OF_A_TABLE = [
    ("ogGetPartitionsNumber", 1),
    ("ogGetPartitionId", 1, 1),
    ("ogGetPartitionType", 1, 1),
    ("ogGetPartitionSize", 1, 1),
    ("ogGetPartitionActive", 1),
    ("ogListPartitions", 1),
    ("ogListPrimaryPartitions", 1),
    ("ogGetPartitionTableType", 1),
    ("ogGetDiskSize", 1),
    ("ogGetLastSector", 1, 1),
    ("ogDiskToDev",),
    ("ogDiskToDev", 1),
    ("ogGetEsp",),
]


@pytest.mark.parametrize("words", _OF_A_TABLE, ids=lambda words: "-".join(map(str, words)))
@pytest.mark.parametrize("table", ["gpt", "logical"])
def test_a_plain_table_is_read_without_any_program(
    words: tuple[str, ...],
    table: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    started: list[str],
) -> None:
    disk = a_disk(tmp_path / "disk", _PLAIN[table])
    monkeypatch.setenv("OG_DISKS", f"{disk}:{a_disk(tmp_path / 'other', _PLAIN['msdos'])}")
    assert old(["og-shim", *map(str, words)]) == 0
    assert started == []


def test_any_other_table_is_read_without_a_look_into_its_partitions(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    started: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    disk = _spoiled(a_disk(tmp_path / "disk", _PLAIN["gpt"]), 512 + 60, b"\xff")
    monkeypatch.setenv("OG_DISKS", f"{disk}:{a_disk(tmp_path / 'other', _PLAIN['msdos'])}")
    assert old(["og-shim", "ogGetPartitionsNumber", "1"]) == 0
    assert capsys.readouterr().out == "2\n"
    assert started == ["blkid", "sfdisk"]
    assert read_table(disk)[0] is TableKind.GPT


def test_a_listing_looks_once_into_each_partition(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    started: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    one = a_disk(tmp_path / "one", _PLAIN["gpt"])
    two = a_disk(tmp_path / "two", _PLAIN["logical"])
    monkeypatch.setenv("OG_DISKS", f"{one}:{two}")
    assert og(["disk", "list", "--json"]) == 0
    disks = json.loads(capsys.readouterr().out)
    parts = [part for disk in disks for part in disk["partitions"] if part["type"] != "EXTENDED"]
    assert started == ["blkid"] * len(parts)
