# SPDX-License-Identifier: GPL-3.0-or-later
"""A PC belongs to one inventory: `render` refuses what another one claims too."""

from __future__ import annotations

from pathlib import Path

import pytest

from ognetboot.cli import main

DATA = Path(__file__).parents[1] / "data"
MINIMAL = (DATA / "minimal.toml").read_text("utf-8")


def inventory(path: Path, *macs: str) -> Path:
    pcs = (f'[[clients]]\nmac = "{mac}"\nname = "pc-{n}"\n' for n, mac in enumerate(macs))
    path.write_text(MINIMAL + "".join(pcs), "utf-8")
    return path


def test_a_pc_of_another_inventory_is_refused_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ours = inventory(tmp_path / "ours.toml", "525400000001", "525400000002")
    other = inventory(tmp_path / "other.toml", "525400000003")
    theirs = inventory(tmp_path / "theirs.toml", "525400000009", "52-54-00-00-00-02")
    words = ["render", str(ours), str(tmp_path / "www/netboot"), "--dry-run"]
    assert main([*words, "--beside", str(other)]) == 0
    capsys.readouterr()
    assert main([*words, "--beside", str(other), "--beside", str(theirs)]) == 1
    said = capsys.readouterr().err
    assert f"pc-1 with the MAC 52:54:00:00:00:02 is claimed by {theirs} too, as pc-1" in said
    assert not (tmp_path / "www").exists()
