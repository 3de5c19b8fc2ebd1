# SPDX-License-Identifier: GPL-3.0-or-later
"""``og disk plan|apply|repair`` as they are called, on a disk that is a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from disk.disk.tables import a_file, first_and_last, said, write_at
from oglib.__main__ import main
from oglib.disk.model import MIB
from oglib.errors import OgErr

LAYOUT = {
    "table": "gpt",
    "partitions": [{"type": "EFI", "size": "20MiB"}, {"type": "LINUX", "size": "rest"}],
}
LIST = "NTFS:20480 LINUX:30720"


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    image = a_file(tmp_path / "disk.img", 128 * MIB)
    monkeypatch.setenv("OG_DISKS", str(image))
    return image


@pytest.fixture
def layout(tmp_path: Path) -> str:
    path = tmp_path / "room.json"
    path.write_text(json.dumps(LAYOUT))
    return str(path)


def test_a_plan_is_shown_and_writes_nothing(
    disk: Path, layout: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["disk", "plan", "1", layout, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["disk"].startswith("1")
    assert told["before"] == []
    assert [(row["number"], row["type"], row["kept"]) for row in told["after"]] == [
        (1, "EFI", False),
        (2, "LINUX", False),
    ]
    assert told["after"][0]["start_bytes"] == MIB
    assert not any(first_and_last(disk))
    assert main(["disk", "apply", "1", layout, "--dry-run"]) == 0
    assert "create partition 1: EFI, 20.0 MiB" in capsys.readouterr().out
    assert not any(first_and_last(disk))


def test_a_second_apply_says_that_nothing_is_to_change(
    disk: Path, layout: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["disk", "apply", "1", layout, "--yes"]) == 0
    assert "write a new gpt table" in capsys.readouterr().out
    before = first_and_last(disk)
    assert main(["disk", "apply", "1", layout, "--yes"]) == 0
    assert capsys.readouterr().out == "nothing to change\n"
    assert first_and_last(disk) == before


def test_an_old_list_is_a_layout_too(disk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["disk", "apply", "1", LIST, "--yes"]) == 0
    assert "83" in said("sfdisk", "--part-type", disk, "2")
    string = "dis=1*che=0*tch=0!par=1*cpt=NTFS*sfi=NTFS*tam=20480*ope=1%par=2*cpt=LINUX*tam=30720%"
    capsys.readouterr()
    assert main(["disk", "apply", "1", string]) == 0
    assert "nothing to change" in capsys.readouterr().out
    assert main(["disk", "apply", "1", "NTFS:99999999", "--yes"]) == OgErr.PARTITION
    assert "102399998976 bytes" in capsys.readouterr().err


def test_nobody_is_asked_where_nobody_can_answer(
    disk: Path, layout: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["disk", "apply", "1", layout]) == OgErr.FORMAT
    assert "--yes" in capsys.readouterr().err
    assert not any(first_and_last(disk))


def test_a_damaged_table_is_repaired_or_replaced_when_told(
    disk: Path, layout: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["disk", "apply", "1", layout, "--yes"]) == 0
    assert main(["disk", "repair", "1"]) == 0
    assert "nothing to repair" in capsys.readouterr().out
    write_at(disk, -512, bytes(512))
    assert main(["disk", "apply", "1", layout, "--yes"]) == OgErr.PARTITION
    refused = capsys.readouterr().err
    assert "The backup GPT (sector 262143) is missing." in refused
    assert "og disk repair" in refused
    assert main(["disk", "repair", "1", "--yes"]) == 0
    assert "No problems found" in said("sgdisk", "-v", disk)
    for sector in (512, -512):
        write_at(disk, sector, bytes(512))
    assert main(["disk", "repair", "1", "--yes"]) == OgErr.PARTITION
    assert main(["disk", "apply", "1", layout, "--yes", "--replace-damaged"]) == 0
    assert "No problems found" in said("sgdisk", "-v", disk)


def test_what_cannot_be_repaired_is_refused_before_anybody_is_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    disk = a_file(tmp_path / "disk.img", 64 * MIB)
    layout = tmp_path / "gpt.json"
    layout.write_text(json.dumps(LAYOUT))
    assert main(["disk", "apply", str(disk), str(layout), "--yes"]) == 0
    with disk.open("r+b") as file:  # both headers are there, and neither is whole
        for place in (512 + 40, 64 * MIB - 512 + 40):
            file.seek(place)
            file.write(b"\xff" * 8)
    for words in (["--dry-run"], []):
        assert main(["disk", "repair", str(disk), *words]) == OgErr.PARTITION
        said = capsys.readouterr().err
        assert "cannot be repaired" in said
        assert "Nobody can be asked" not in said
