# SPDX-License-Identifier: GPL-3.0-or-later
"""This PC's cards and its disk's name, as sysfs and udev have them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from oglib.deploy.system.pc import disk_id, nics
from oglib.disk.model import Disk, TableKind
from oglib.osconfig.facts import Nic


@pytest.fixture
def sys(tmp_path: Path) -> Path:
    for index, (name, carrier) in enumerate({"eth0": "0", "eth1": "1", "lo": "1"}.items(), 1):
        folder = tmp_path / f"sys/class/net/{name}"
        folder.mkdir(parents=True)
        (folder / "address").write_text(f"52:54:00:00:00:0{index}\n")
        (folder / "carrier").write_text(carrier)
        (folder / "ifindex").write_text(f"{index}\n")
        if name != "lo":
            (folder / "device").mkdir()
    return tmp_path / "sys"


def test_cards_have_the_names_that_udev_gives_them(sys: Path, tmp_path: Path) -> None:
    udev = tmp_path / "udev"
    assert [nic.name for nic in nics("", sys=sys, udev=udev)] == ["eth1", "eth0"]
    udev.mkdir()
    told = "I:1\nE:ID_NET_NAME_MAC=enx525400000001\nE:ID_NET_NAME_PATH=enp1s0\nG:x\n"
    (udev / "n1").write_text(told)
    (udev / "n2").write_text("E:ID_NET_NAME_MAC=enx525400000002\n")
    first, second = nics("eth0", sys=sys, udev=udev)
    assert first == Nic(
        "enp1s0", frozenset(("eth0", "enp1s0", "enx525400000001")), "52:54:00:00:00:01"
    )
    assert (second.name, "enx525400000002" in second.names) == ("eth1", True)


def test_a_disk_is_called_by_model_and_number(tmp_path: Path) -> None:
    (tmp_path / "sda").touch()
    disk = Disk(1, tmp_path / "sda", 0, TableKind.GPT)
    assert disk_id(disk, by_id=tmp_path / "none") == ""
    by_id = tmp_path / "by-id"
    by_id.mkdir()
    for name, device in (("wwn-0x5", "sda"), ("ata-X_1", "sda"), ("ata-X_1-part1", "sda1")):
        (by_id / name).symlink_to(f"../{device}")
    assert disk_id(disk, by_id=by_id) == str(by_id / "ata-X_1")
    assert disk_id(replace(disk, path=tmp_path / "sdb"), by_id=by_id) == ""
