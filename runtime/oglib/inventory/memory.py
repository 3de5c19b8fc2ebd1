# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory of this PC: how much the kernel has, and which modules SMBIOS tells of (dmidecode)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from oglib.inventory.firmware import meaningful
from oglib.inventory.sanitized import one_line
from oglib.run import run

MEMINFO = Path("/proc/meminfo")

_NO_SMBIOS = 1
_UNITS = {"B": 1, "kB": 1 << 10, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30, "TB": 1 << 40}


@dataclass(frozen=True, slots=True)
class MemoryModule:
    """One module. ``speed_mts`` (million transfers a second) is 0 where it is not told."""

    slot: str
    size_bytes: int
    type: str = ""
    speed_mts: int = 0
    manufacturer: str = ""
    part: str = ""


def total_bytes(meminfo: Path = MEMINFO) -> int:
    """Memory that the kernel can use; 0 where it does not say."""
    said = re.search(r"^MemTotal:\s+(\d+) kB$", meminfo.read_text(), re.MULTILINE)
    return int(said[1]) * 1024 if said else 0


def memory_modules() -> tuple[MemoryModule, ...]:
    """The modules in their slots; empty where the PC has no SMBIOS, which is no error.

    Raises OgError where dmidecode is missing or fails.
    """
    said = run("dmidecode", "--type", "17", accept=(0, _NO_SMBIOS))
    return parse_dmidecode(said.stdout) if said.status == 0 else ()


def parse_dmidecode(text: str) -> tuple[MemoryModule, ...]:
    """``dmidecode --type 17``: a block per slot, ``\\tField: value``; empty slots are left out."""
    modules = []
    for block in re.split(r"^Handle ", text, flags=re.MULTILINE)[1:]:
        fields = dict(re.findall(r"^\t([^:\t\n]+): *(.*)$", block, re.MULTILINE))
        size_bytes = _size(fields.get("Size", ""))
        if "\nMemory Device\n" in block and size_bytes:
            modules.append(_module(fields, size_bytes))
    return tuple(modules)


def _module(fields: dict[str, str], size_bytes: int) -> MemoryModule:
    def first_of(*names: str) -> str:
        texts = (meaningful(one_line(fields.get(name, ""))) for name in names)
        return next((text for text in texts if text and text != "Other"), "")

    speed = re.match(r"(\d+) (MT/s|MHz)", first_of("Configured Memory Speed", "Speed"))
    return MemoryModule(
        slot=first_of("Locator", "Bank Locator"),
        size_bytes=size_bytes,
        type=first_of("Type"),
        speed_mts=int(speed[1]) if speed else 0,
        manufacturer=first_of("Manufacturer"),
        part=first_of("Part Number"),
    )


def _size(text: str) -> int:
    said = re.fullmatch(r"(\d+) ([kKMGT]?B)", text.strip())
    return int(said[1]) * _UNITS[said[2]] if said else 0
