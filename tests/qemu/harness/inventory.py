# SPDX-License-Identifier: GPL-3.0-or-later
"""The test room: which PCs there are and what each boots, written as an ognetboot inventory."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.lan import BRIDGE, SERVER_IP
from harness.qemu_argv import Firmware, Shape

HTTP_PORT = 80


@dataclass(frozen=True, slots=True)
class Pc:
    """One PC of the room; its address is fixed, so that a saved state keeps it."""

    number: int
    firmware: Firmware
    entry: str = "oglive-test"
    room: str = "lab"
    display: str = "VGA"
    secure: bool = False
    slots: int = 0

    @property
    def name(self) -> str:
        return f"pc{self.number:02d}"

    @property
    def mac(self) -> str:
        return f"52:54:00:77:00:{self.number:02x}"

    @property
    def ip(self) -> str:
        return f"10.77.0.{10 + self.number}"

    def shape(self, memory_mib: int = 1024) -> Shape:
        return Shape(
            self.firmware,
            self.mac,
            memory_mib,
            display=self.display,
            secure=self.secure,
            slots=self.slots,
        )


BENCH = Pc(1, Firmware.BIOS)
"""The PC whose ready state is saved and resumed."""

UEFI_BENCH = Pc(2, Firmware.UEFI, slots=2)
"""The same, with UEFI."""

BIOS_PC = Pc(11, Firmware.BIOS)
UEFI_PC = Pc(12, Firmware.UEFI)
SECURE_PC = Pc(17, Firmware.UEFI, secure=True)
LOCKED_PC = Pc(13, Firmware.BIOS, entry="install-locked", display="isa-vga")
"""Boots the default profile with a job: nobody can log in.

Its display has no driver in Linux, so the screen stays in text mode and can be read as text.
"""

DEMO_PC = Pc(14, Firmware.UEFI, entry="install-debian", room="demo")
"""Shows its menu until somebody chooses, then does the job of its entry and stays."""

MODEL_PC = Pc(15, Firmware.BIOS, entry="capture-locked", display="isa-vga")
"""Captures its disk by the job of its entry, in the default profile."""

CHANGED_PC = Pc(16, Firmware.BIOS, entry="restore-locked", display="isa-vga")
"""Gets back, in the same way, the version that the model PC has made, and stays."""

PCS = (
    BENCH,
    UEFI_BENCH,
    BIOS_PC,
    UEFI_PC,
    SECURE_PC,
    LOCKED_PC,
    DEMO_PC,
    MODEL_PC,
    CHANGED_PC,
)


IN_FOLDER = "lab1/debian"
"""The image that the model PC makes."""

_CAPTURE_JOB = {"create": IN_FOLDER, "disk": 1, "partition": 1, "after": "poweroff"}
_RESTORE_JOB = {"restore": IN_FOLDER, "disk": 1, "partition": 1, "after": "stay"}
_DEMO_ENTRY = {"title": "Install Debian 13 on this PC", "in_menu": True}


def _table(name: str, values: Mapping[str, object]) -> str:
    # JSON's strings, numbers, booleans and arrays of strings are TOML's too.
    lines = [f"{key} = {json.dumps(value)}" for key, value in values.items()]
    return "\n".join([name, *lines, ""])


def inventory_text(pcs: Sequence[Pc] = PCS) -> str:
    """The TOML file for ``ognetboot render --test``."""
    server = {
        "title": "ogLive",
        "address": SERVER_IP,
        "http_port": HTTP_PORT,
        "subnet": "10.77.0.0/24",
        "interface": BRIDGE,
        "dhcp": "own",
        "dhcp_range": ["10.77.0.100", "10.77.0.199"],
        "default_entry": "oglive-test",
        "timeout_s": 0,
        "site_overlay": True,
    }
    test_entry = {
        "title": "ogLive (test)",
        "profile": "test",
        "console": ["ttyS0,115200"],
        "in_menu": False,
    }
    job = {
        "deploy": "debian-bios",
        "disk": 1,
        "partition": 1,
        "layout": "bios",
        "after": "poweroff",
    }
    demo_job = {
        "deploy": "debian-uefi",
        "disk": 1,
        "partition": 2,
        "layout": "uefi",
        "after": "stay",
    }
    rows = [
        _table("[server]", server),
        _table("[entries.localdisk]", {"title": "The system on this PC's disk"}),
        _table("[entries.oglive]", {"title": "ogLive"}),
        _table("[entries.oglive-test]", test_entry),
        _table("[entries.install-locked]", {"title": "Install Debian", "profile": "default"}),
        _table("[entries.install-locked.job]", job),
        _table("[entries.capture-locked]", {"title": "Capture Debian"}),
        _table("[entries.capture-locked.job]", _CAPTURE_JOB),
        _table("[entries.restore-locked]", {"title": "Restore Debian"}),
        _table("[entries.restore-locked.job]", _RESTORE_JOB),
        _table("[entries.install-debian]", {**test_entry, **_DEMO_ENTRY}),
        _table("[entries.install-debian.job]", demo_job),
        _table("[rooms.lab]", {"title": "Laboratory", "timeout_s": 0}),
        _table("[rooms.demo]", {"title": "Classroom 1", "timeout_s": 300}),
    ]
    for pc in pcs:
        client = {"mac": pc.mac, "name": pc.name, "room": pc.room, "entry": pc.entry, "ip": pc.ip,
                  "firmware": pc.firmware.value}  # fmt: skip
        rows.append(_table("[[clients]]", client))
    return "\n".join(rows)
