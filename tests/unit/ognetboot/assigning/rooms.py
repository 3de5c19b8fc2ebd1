# SPDX-License-Identifier: GPL-3.0-or-later
"""Two small rooms, and assignments to them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from ognetboot.assigning.model import Assignment
from ognetboot.assigning.reports import Heard, Report, report_all
from ognetboot.assigning.store import Store
from ognetboot.cli import main
from ognetboot.inventory.model import Client, Inventory
from ognetboot.inventory.reading import parse

NOW = datetime(2026, 11, 27, 16, 0, tzinfo=UTC)

TEXT = """
[server]
address = "10.0.2.2"
subnet = "10.0.2.0/24"
interface = "eth0"
tftp_root = "/srv/oglive/netboot"

[entries.oglive]
title = "ogLive"

[entries.install]
title = "Install Debian"
job = { deploy = "debian", disk = "system", partition = 2, after = "poweroff" }

[entries.update]
title = "Update"
job = { update_cache = "debian" }

[entries.windows]
title = "Windows"
kind = "system"
disk = 1
partition = 2

[entries.memory]
title = "Memory test"
kind = "memtest"

[entries.setup]
title = "Firmware setup"
kind = "firmware"

[centres.science]
title = "Faculty of Science"

[groups.exams]
title = "Exams"

[states.dual]
layout = "uefi"
systems = [
    { disk = 1, partition = 2, image = "windows@7", default = true },
    { disk = 1, partition = 3, image = "debian" },
]

[rooms.aula1]
title = "Aula d'Informàtica \\"1\\" ; touch x"
centre = "science"
state = "dual"

[rooms.lab]
title = "Laboratory"
default_entry = "oglive"

[[clients]]
mac = "52:54:00:00:00:01"
name = "pc1"
room = "aula1"
groups = ["exams"]

[[clients]]
mac = "52:54:00:00:00:02"
name = "pc2"
room = "aula1"

[[clients]]
mac = "52:54:00:00:00:03"
name = "pc3"
room = "lab"
firmware = "bios"
"""

_numbers = count(1)
# Types a verb; its exit code, and what it said on both ways.
Say = Callable[..., tuple[int, str]]


def render(file: Path, *options: str) -> int:
    """The inventory into `www/netboot` beside it, with loaders of `lib`."""
    out = file.parent / "www/netboot"
    return main(["render", str(file), str(out), "--loaders", str(file.parent / "lib"), *options])


def inventory(more: str = "", text: str = TEXT) -> Inventory:
    """The rooms, with more TOML behind them."""
    return parse(text + more, source="rooms.toml")


def pc(inventory: Inventory, name: str = "pc1") -> Client:
    """A PC of it."""
    return next(each for each in inventory.clients if each.name == name)


def given(scope: str, entry: str, **more: object) -> Assignment:
    """An assignment, made a second after the one before."""
    number = next(_numbers)
    values: dict[str, object] = {"by": "ana", "made": NOW, "number": f"{number:012x}"}
    return Assignment(scope=scope, entry=entry, **(values | more))  # type: ignore[arg-type]


def report_reached(store: Store, pc: str, entry: str, stamp: str, now: datetime) -> Heard:
    """One report alone."""
    (heard,) = report_all(store, [Report(pc, entry, stamp)], now)
    return heard
