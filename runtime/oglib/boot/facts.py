# SPDX-License-Identifier: GPL-3.0-or-later
"""What is to be started, and from where: the facts that every part of booting is told."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from oglib.disk.firmware import Firmware
from oglib.disk.model import Disk


@dataclass(frozen=True, slots=True)
class BootFacts:
    """``disk`` shall start the system on the root.

    ``root_uuid`` and ``swap_uuid`` (empty: no swap) are this PC's, ``os_id`` is os-release's ID,
    ``present`` the UUIDs of other filesystems here. ``number``: of the system's partition, for its
    names. ``network_first``: the firmware shall try the network before it, as sites want it.
    """

    disk: Disk
    firmware: Firmware
    os_id: str
    root_uuid: str
    swap_uuid: str = ""
    present: Collection[str] = ()
    number: int = 0
    network_first: bool = True
