# SPDX-License-Identifier: GPL-3.0-or-later
"""Network interfaces of this PC from sysfs: address, driver, speed of the link; starts nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from oglib.inventory.firmware import SYS


@dataclass(frozen=True, slots=True)
class Interface:
    """A hardware interface. ``speed_mbps`` is None while there is no link, or none is known."""

    name: str
    mac: str
    driver: str
    speed_mbps: int | None
    has_link: bool


def interfaces(*, sys: Path = SYS) -> tuple[Interface, ...]:
    """All interfaces that are hardware, by name; no loopback, bridge or tunnel."""
    folder = sys / "class/net"
    if not folder.is_dir():
        return ()
    return tuple(_interface(one) for one in sorted(folder.iterdir()) if (one / "device").exists())


def link_speed(name: str, *, sys: Path = SYS) -> int | None:
    """Mbit/s of one interface's link; None where it has none or the driver does not say."""
    text = _read(sys / "class/net" / name / "speed")
    # drivers say -1 (as signed or unsigned number) for a speed they do not know
    return int(text) if text.isdecimal() and 0 < int(text) < 0xFFFFFFFF else None


def _interface(folder: Path) -> Interface:
    driver = folder / "device/driver"
    return Interface(
        name=folder.name,
        mac=_read(folder / "address").upper(),
        driver=driver.resolve().name if driver.exists() else "",
        speed_mbps=link_speed(folder.name, sys=folder.parents[2]),
        has_link=_read(folder / "carrier") == "1",
    )


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:  # sysfs refuses these files while the interface is down
        return ""
