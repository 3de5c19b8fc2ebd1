# SPDX-License-Identifier: GPL-3.0-or-later
"""Which kind of system lies on a root; what fits each kind to a PC says ``fitted``. Reads only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from oglib.osconfig.linux.system import detect_linux
from oglib.osconfig.root import TargetRoot

LINUX = "Linux"
# os-release's ID where it is no Linux, and OpenGnsys' word for the kind
OTHER_IDS = {
    **dict.fromkeys(("freebsd", "netbsd", "openbsd", "dragonfly", "ghostbsd"), "BSD"),
    **dict.fromkeys(("solaris", "openindiana", "omnios", "illumos"), "Solaris"),
}
_WINDOWS = ("Windows/System32/config/SYSTEM", "WINNT/System32/config/SYSTEM")


@dataclass(frozen=True, slots=True)
class OperatingSystem:
    """A system on a root. ``id`` is a plain word, good as a folder's name."""

    kind: str
    id: str
    name: str


def find_system(root: TargetRoot) -> OperatingSystem | None:
    """The system on this root; None where none is known. OgError where that cannot be read."""
    return next((system for detect in _DETECTORS if (system := detect(root)) is not None), None)


def is_hurd(root: TargetRoot) -> bool:
    """Whether what names itself as a Debian runs on the Hurd."""
    return root.exists("hurd/init") or root.exists("hurd/startup")


def _with_os_release(root: TargetRoot) -> OperatingSystem | None:
    said = detect_linux(root)
    if said is None:
        return None
    kind = OTHER_IDS.get(said.id, LINUX)
    return OperatingSystem(
        "Hurd" if kind == LINUX and is_hurd(root) else kind, said.id, said.pretty_name
    )


def _windows(root: TargetRoot) -> OperatingSystem | None:
    is_windows = any(root.spelled(name) for name in _WINDOWS)
    return OperatingSystem("Windows", "windows", "Windows") if is_windows else None


_DETECTORS: tuple[Callable[[TargetRoot], OperatingSystem | None], ...] = (
    _with_os_release,
    _windows,
)
