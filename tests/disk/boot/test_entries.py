# SPDX-License-Identifier: GPL-3.0-or-later
"""A RHEL's shape on a disk of a PC with a BIOS: GRUB's real programs, and a menu that they read."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from disk.boot.room import SYSTEM, make_system, read
from disk.deploy.room import MIB, og
from oglib.boot.default_entry import of_grub
from oglib.deploy.system import configure
from oglib.disk.firmware import Firmware
from oglib.errors import OgErr
from unit.boot.menus import ROOT
from unit.boot.test_static_menu import ID, MENU, needs_grub

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: loop devices, mounts"),
    needs_grub,
]
KERNEL = "5.14.0-70.el9"
FILES = {
    "etc/os-release": 'ID="rhel"\nPRETTY_NAME="Red Hat Enterprise Linux 9.4 (Plow)"\n',
    "boot/grub/grub.cfg": MENU,
    "boot/grub/grubenv": f"# GRUB Environment Block\nsaved_entry={ID}-{KERNEL}\n".ljust(1024, "#"),
    f"boot/loader/entries/{ID}-{KERNEL}.conf": f"title RHEL\nversion {KERNEL}\n"
    "linux /boot/vmlinuz-6.12\ninitrd /boot/initrd.img-6.12\noptions root=UUID=x ro\n",
}


def steps(disk: Path, *words: str) -> dict[str, tuple[str, str]]:
    said = json.loads(og("os", "configure", disk, "1", "--json", *words).out)
    return {one["name"]: (one["outcome"], one["detail"]) for one in said["steps"]}


def test_its_kernels_stand_in_a_menu_that_our_boot_code_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(configure, "running_firmware", lambda: Firmware.BIOS)
    disk = make_system(tmp_path, {**SYSTEM, **FILES})
    refused = og("boot", "install", disk, "1")
    assert (refused.status, "by a command (blscfg)" in refused.error) == (OgErr.NOTOS, True)
    done = steps(disk, "--step", "grub-bios")
    assert done["grub-bios"][0] == "failed"
    assert "reads boot/loader/entries by blscfg" in done["grub-bios"][1]
    done = steps(disk)
    assert (done["grub.cfg"][0], done["grub-bios"][0]) == ("done", "done"), done
    menu = read(disk, "boot/grub/grub.cfg")
    found = of_grub(menu, {})
    assert found is not None
    assert (found.title, found.kernel) == ("RHEL", "/boot/vmlinuz-6.12")
    assert f"root=UUID={ROOT}" in found.options
    with disk.open("rb") as file:
        assert b"GRUB" in file.read(MIB)[:440]
    assert og("boot", "install", disk, "1").status == 0
    # its entries have the name of another machine id by now
    again = steps(disk)
    assert (again["grub.cfg"], again["loader-entries"][0]) == (
        ("not-needed", "already so"),
        "not-needed",
    )
    assert read(disk, "boot/grub/grub.cfg") == menu
