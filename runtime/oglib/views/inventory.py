# SPDX-License-Identifier: GPL-3.0-or-later
"""A PC's parts and the system on a partition, as a person reads them."""

from __future__ import annotations

from oglib.inventory.hardware import Hardware, module_text
from oglib.inventory.system import System
from oglib.views.output import table
from oglib.wording.amounts import human_bytes


def system_text(system: System, uuid: str) -> str:
    """Which system it is; ``uuid`` may be empty."""
    rows = [("type", system.kind), ("version", system.full_description), ("uuid", uuid or "-")]
    return table(rows)


def hardware_text(hardware: Hardware) -> str:
    """A row for each part that is known."""
    return table(_rows(hardware))


def _rows(hardware: Hardware) -> list[tuple[str, str]]:
    cpu = hardware.cpu
    links = [
        f"{one.name} {one.mac} {one.driver} "
        + (f"{one.speed_mbps} Mbit/s" if one.speed_mbps else "link" if one.has_link else "no link")
        for one in hardware.interfaces
    ]
    columns: list[tuple[str, list[str]]] = [
        ("model", [hardware.model]),
        ("serial", [hardware.serial]),
        ("chassis", [hardware.chassis]),
        ("virtual", [hardware.virtual_machine]),
        ("firmware", [f"{hardware.firmware} {hardware.bios}".strip()]),
        ("board", [hardware.board]),
        ("cpu", [f"{cpu.model}, {cpu.cores} cores, {cpu.threads} threads"]),
        ("memory", [human_bytes(hardware.memory_bytes) if hardware.memory_bytes else ""]),
        ("module", [module_text(one) for one in hardware.memory]),
        *(
            (word, [device.name for device in found])
            for word, found in (
                ("ide", hardware.ide),
                ("storage", hardware.storage),
                ("disk", hardware.disks),
                ("cd", hardware.cdroms),
                ("display", hardware.display),
                ("network", hardware.network),
            )
        ),
        ("interface", links),
        *(
            (word, [device.name for device in found])
            for word, found in (
                ("multimedia", hardware.multimedia),
                ("usb", hardware.usb),
                ("firewire", hardware.firewire),
                ("bus", hardware.bus),
            )
        ),
    ]
    return [(word, text) for word, texts in columns for text in texts if text]
