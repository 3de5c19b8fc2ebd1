# SPDX-License-Identifier: GPL-3.0-or-later
"""What an installed Windows says about itself, read from its SOFTWARE hive; never writes.

Keys and values are those Windows documents for its own setup and "Programs and Features".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from oglib.errors import OgError
from oglib.inventory.sanitized import one_line
from oglib.osconfig.registry import Hive, Value, find_hive, open_hive
from oglib.osconfig.root import TargetRoot

_VERSION = r"Microsoft\Windows NT\CurrentVersion"
_GUID = r"Microsoft\Cryptography"
# Programs of the system's own width, and those of 32 bits on a 64-bit Windows.
_UNINSTALL = (
    r"Microsoft\Windows\CurrentVersion\Uninstall",
    r"Wow6432Node\Microsoft\Windows\CurrentVersion\Uninstall",
)
# Microsoft left ProductName at "Windows 10" when Windows 11 came; the build number tells.
_FIRST_BUILD_OF_11 = 22000


@dataclass(frozen=True, slots=True)
class Program:
    """An entry of "Programs and Features"."""

    name: str
    version: str


def is_windows(root: TargetRoot) -> bool:
    """Whether there is a Windows with a registry on this root."""
    return bool(find_hive(root, "SOFTWARE"))


def is_64_bits(root: TargetRoot) -> bool:
    """Only a 64-bit Windows has a folder for 32-bit libraries."""
    return bool(root.spelled("Windows/SysWOW64"))


def description(root: TargetRoot) -> str:
    """``Windows 11 Pro 23H2``. Raises OgError where the registry cannot be read."""
    with open_hive(root, "SOFTWARE") as hive:
        return _describe(hive)


def machine_guid(root: TargetRoot) -> str:
    """The identity Windows gave itself when it was installed; empty where it has none."""
    with open_hive(root, "SOFTWARE") as hive:
        return one_line(hive.text(_GUID, "MachineGuid"))


def programs(root: TargetRoot) -> tuple[Program, ...]:
    """What "Programs and Features" lists, of both views; no updates, no parts of others."""
    with open_hive(root, "SOFTWARE") as hive:
        found = {
            program
            for view in _UNINSTALL
            for values in hive.values_below(view)
            if (program := _program(values)) is not None
        }
    return tuple(sorted(found, key=lambda one: (one.name.casefold(), one.version)))


def _describe(hive: Hive) -> str:
    text = _texts(hive.values(_VERSION))
    product = text("ProductName")
    build = text("CurrentBuild") or text("CurrentBuildNumber")
    if not product:
        raise OgError("The registry of this Windows names no product.")
    if build.isascii() and build.isdecimal() and int(build) >= _FIRST_BUILD_OF_11:
        product = product.replace("Windows 10", "Windows 11")
    release = text("DisplayVersion") or text("ReleaseId")
    return f"{product} {release}".strip()


def _texts(values: Mapping[str, Value]) -> Callable[[str], str]:
    """The values of a key by name, as text fit to be shown; empty where there is none."""

    def text(name: str) -> str:
        value = values.get(name.lower())
        return one_line(value.text) if value else ""

    return text


def _program(values: Mapping[str, Value]) -> Program | None:
    text = _texts(values)
    if not text("DisplayName") or text("SystemComponent") == "1" or text("ParentKeyName"):
        return None
    return Program(text("DisplayName"), text("DisplayVersion"))
