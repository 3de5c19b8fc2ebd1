# SPDX-License-Identifier: GPL-3.0-or-later
"""This PC as a system on its disk will see it: its network cards, what udev calls its disk."""

from __future__ import annotations

from pathlib import Path

from oglib.disk.model import Disk
from oglib.inventory.links import Interface, interfaces
from oglib.osconfig.facts import Nic

_SYS = Path("/sys")
_UDEV = Path("/run/udev/data")
_BY_ID = Path("/dev/disk/by-id")
# The order in which systemd gives one of them to a card (systemd.link(5), NamePolicy=).
_NAMES = ("ID_NET_NAME_FROM_DATABASE", "ID_NET_NAME_ONBOARD", "ID_NET_NAME_SLOT",
          "ID_NET_NAME_PATH", "ID_NET_NAME_MAC")  # fmt: skip
_LAST = "ID_NET_NAME_MAC"  # which it gives only where nothing else is known
_NUMBERS_ALONE = ("wwn-", "nvme-eui.", "scsi-3")


def nics(started_by: str, *, sys: Path = _SYS, udev: Path = _UDEV) -> tuple[Nic, ...]:
    """The PC's cards, the one named ``started_by`` first, then those with a link."""
    found = sorted(
        interfaces(sys=sys), key=lambda one: (one.name != started_by, not one.has_link, one.name)
    )
    return tuple(_nic(one, sys, udev) for one in found)


def _nic(interface: Interface, sys: Path, udev: Path) -> Nic:
    properties = _udev_properties(interface.name, sys, udev)
    names = [properties[key] for key in _NAMES if properties.get(key)]
    sure = [properties[key] for key in _NAMES if properties.get(key) and key != _LAST]
    return Nic([*sure, interface.name][0], frozenset((interface.name, *names)), interface.mac)


def _udev_properties(name: str, sys: Path, udev: Path) -> dict[str, str]:
    """What udev knows of it: ``E:KEY=value`` lines; nothing where udev does not run."""
    try:
        index = (sys / "class/net" / name / "ifindex").read_text().strip()
        lines = (udev / f"n{index}").read_text(errors="replace").splitlines()
    except OSError:
        return {}
    pairs = (line.removeprefix("E:").partition("=") for line in lines if line.startswith("E:"))
    return {key: value for key, _, value in pairs}


def disk_id(disk: Disk, *, by_id: Path = _BY_ID) -> str:
    """The link in ``/dev/disk/by-id`` that leads to the disk; empty where there is none (a file).

    One with model and serial number before one of numbers alone, as Debian's installer takes it.
    """
    if not by_id.is_dir():
        return ""
    device = disk.path.resolve()
    names = sorted(one.name for one in by_id.iterdir() if one.resolve() == device)
    names.sort(key=lambda name: name.startswith(_NUMBERS_ALONE))
    return str(by_id / names[0]) if names else ""
