# SPDX-License-Identifier: GPL-3.0-or-later
"""Which operating system lies on a mounted root, in OpenGnsys' words; reads only.

The order of the questions is the old engine's (os-release first, a bare GRUB last). No code of the
system is run: where the old engine asked ``lsb_release`` in a chroot, its file is read instead.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from oglib.errors import OgError
from oglib.inventory import windows
from oglib.inventory.sanitized import one_line
from oglib.osconfig.kinds import OTHER_IDS, is_hurd
from oglib.osconfig.linux.system import detect_linux
from oglib.osconfig.reading import NoPlainFileError
from oglib.osconfig.root import TargetRoot

_KERNEL_LIMIT_BYTES = 128 * 1024 * 1024
_BCD_LIMIT_BYTES = 4 * 1024 * 1024
_ELF_64 = b"\x7fELF\x02"
_MACH_O_64 = b"\xcf\xfa\xed\xfe"
_MACH_O_FAT = b"\xca\xfe\xba\xbe"
_MACH_O_X86_64 = b"\x01\x00\x00\x07"
_PROGRAMS = tuple(
    f"{folder}/{name}" for name in ("ls", "sh", "init") for folder in ("bin", "usr/bin", "sbin")
)
_BSD_KERNELS = ("boot/kernel/kernel", "netbsd", "bsd", "kernel")
_BSD_VERSION = re.compile(rb"(FreeBSD|NetBSD|OpenBSD|DragonFly) (\d[\w.-]{0,63})")
_GRUB_CONFIGS = tuple(
    f"{folder}/{name}"
    for folder in ("boot/grub", "boot/grub2", "grub", "grub2")
    for name in ("grub.cfg", "menu.lst", "grub.conf")
)
_SYSTEM_VERSION = "System/Library/CoreServices/SystemVersion.plist"


class SystemKind(StrEnum):
    """OpenGnsys' type words."""

    ANDROID = "Android"
    BSD = "BSD"
    GRUB_LOADER = "GrubLoader"
    HURD = "Hurd"
    LINUX = "Linux"
    MACOS = "MacOS"
    SOLARIS = "Solaris"
    WINDOWS = "Windows"
    WIN_LOADER = "WinLoader"


@dataclass(frozen=True, slots=True)
class System:
    """A system as found. ``note``: what about it could not be read, empty when all could."""

    kind: SystemKind
    description: str
    is_64_bits: bool = False
    note: str = ""

    @property
    def is_loader(self) -> bool:
        """Whether it only starts systems, and is none itself."""
        return self.kind in (SystemKind.GRUB_LOADER, SystemKind.WIN_LOADER)

    @property
    def full_description(self) -> str:
        """``Debian GNU/Linux 13 (trixie) 64 bits``."""
        return f"{self.description}{' 64 bits' if self.is_64_bits else ''}"

    @property
    def text(self) -> str:
        """``Linux:Debian GNU/Linux 13 (trixie) 64 bits``, the answer of ogGetOsVersion."""
        return f"{self.kind}:{self.full_description}"


def identify(root: TargetRoot) -> System | None:
    """The system on this root, or None where there is none; OgError where that cannot be read."""
    return next((found for ask in _QUESTIONS if (found := ask(root)) is not None), None)


def _os_release(root: TargetRoot) -> System | None:
    try:
        found = detect_linux(root)
    except NoPlainFileError:
        return None
    return _unix(root, found.pretty_name, found.id) if found else None


def _lsb_release(root: TargetRoot) -> System | None:
    said = re.search(r'^DISTRIB_DESCRIPTION="?([^"\n]+)', _text(root, "etc/lsb-release"), re.M)
    return _unix(root, said[1]) if said else None


def _any_release(root: TargetRoot) -> System | None:
    """``redhat-release``, ``SuSE-release`` and their like: one line of text."""
    for name in root.names("etc"):
        if name.endswith("-release") and name not in ("os-release", "lsb-release"):
            said = _first_line(root, f"etc/{name}")
            if said:
                return _unix(root, said)
    return None


def _unix(root: TargetRoot, description: str, name: str = "") -> System:
    kind = SystemKind(OTHER_IDS.get(name, SystemKind.LINUX))
    if kind is SystemKind.LINUX and is_hurd(root):
        kind = SystemKind.HURD
    return System(kind, one_line(description), _is_elf_64(root))


def _android(root: TargetRoot) -> System | None:
    tops = [name for name in root.names("/") if name.startswith("android-")]
    for folder in ("system", ".", *(f"{top}/system" for top in tops)):
        said = re.search(
            r"^ro\.build\.version\.release=(.+)$", _text(root, f"{folder}/build.prop"), re.M
        )
        if said:
            is_64 = bool(root.names(f"{folder}/lib64"))
            return System(SystemKind.ANDROID, f"Android {one_line(said[1])}", is_64)
    return None


def _hurd(root: TargetRoot) -> System | None:
    return System(SystemKind.HURD, "GNU/Hurd", _is_elf_64(root)) if is_hurd(root) else None


def _windows(root: TargetRoot) -> System | None:
    if not windows.is_windows(root):
        return None
    is_64 = windows.is_64_bits(root)
    try:
        return System(SystemKind.WINDOWS, windows.description(root), is_64)
    except OgError as error:  # still a Windows, and to be shown as one
        return System(SystemKind.WINDOWS, "Windows", is_64, error.message)


def _win_loader(root: TargetRoot) -> System | None:
    path = root.spelled("Boot/BCD") or root.spelled("EFI/Microsoft/Boot/BCD")
    if not path:
        return None
    try:
        store = root.read_head(path, _BCD_LIMIT_BYTES)
    except (OgError, FileNotFoundError) as error:
        return System(SystemKind.WIN_LOADER, "Windows loader", note=str(error))
    for name in ("Windows Recovery", "Windows Boot"):
        if name.encode("utf-16-le") in store:
            return System(SystemKind.WIN_LOADER, f"{name} loader")
    return System(SystemKind.WIN_LOADER, "Windows loader")


def _macos(root: TargetRoot) -> System | None:
    property_list = _text(root, _SYSTEM_VERSION)
    if not property_list and not root.exists("mach_kernel"):
        return None

    def said(key: str) -> str:
        found = re.search(rf"<key>{key}</key>\s*<string>([^<]*)</string>", property_list)
        return found[1].strip() if found else ""

    name = one_line(f"{said('ProductName') or 'Mac OS X'} {said('ProductVersion')}")
    kernels = ("mach_kernel", "System/Library/Kernels/kernel")
    heads = [_head(root, kernel, 4096) for kernel in kernels]
    is_64 = any(
        head.startswith(_MACH_O_64) or (head.startswith(_MACH_O_FAT) and _MACH_O_X86_64 in head)
        for head in heads
    )
    return System(SystemKind.MACOS, name, is_64)


def _bsd(root: TargetRoot) -> System | None:
    for name in _BSD_KERNELS:
        kernel = _head(root, name, _KERNEL_LIMIT_BYTES)
        said = _BSD_VERSION.search(kernel)
        if said:
            description = f"{said[1].decode()} {said[2].decode()}"
            return System(SystemKind.BSD, description, kernel.startswith(_ELF_64))
    return None


def _solaris(root: TargetRoot) -> System | None:
    said = _first_line(root, "etc/release")
    return System(SystemKind.SOLARIS, said, _is_elf_64(root)) if said else None


def _grub(root: TargetRoot) -> System | None:
    top = root.spelled("EFI") or "EFI"
    on_esp = any(
        name.lower().startswith("grub") and name.lower().endswith(".efi")
        for vendor in root.names(top)
        for name in root.names(f"{top}/{vendor}")
    )
    if on_esp or any(root.exists(name) for name in _GRUB_CONFIGS):
        return System(SystemKind.GRUB_LOADER, "GRUB Loader")
    return None


_QUESTIONS: tuple[Callable[[TargetRoot], System | None], ...] = (
    _os_release,
    _lsb_release,
    _any_release,
    _android,
    _hurd,
    _windows,
    _win_loader,
    _macos,
    _bsd,
    _solaris,
    _grub,
)


def system_uuid(root: TargetRoot, system: System | None, filesystem_uuid: str) -> str:
    """Windows' MachineGuid, a Linux filesystem's UUID, else its machine-id; empty for others."""
    if system is None:
        return ""
    if system.kind is SystemKind.WINDOWS:
        return windows.machine_guid(root)
    if system.kind is SystemKind.LINUX:
        return filesystem_uuid or _first_line(root, "etc/machine-id")
    return ""


def _is_elf_64(root: TargetRoot) -> bool:
    """By the first program that is there; links are followed inside the root."""
    heads = (_head(root, name, len(_ELF_64)) for name in _PROGRAMS)
    return next((head == _ELF_64 for head in heads if head.startswith(b"\x7fELF")), False)


def _head(root: TargetRoot, name: str, size_bytes: int) -> bytes:
    try:
        return root.read_head(name, size_bytes)
    except (NoPlainFileError, FileNotFoundError):
        return b""


def _text(root: TargetRoot, name: str) -> str:
    return _head(root, name, 65536).decode("utf-8", "replace")


def _first_line(root: TargetRoot, name: str) -> str:
    lines = _text(root, name).strip().splitlines()
    return one_line(lines[0]) if lines else ""
