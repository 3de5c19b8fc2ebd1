# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernels of an installed Linux that its boot loader starts, and the initramfs of each.

Read from the menu: GRUB's, GRUB legacy's, the entries of the boot loader specification; where there
is no menu yet, by the names that distributions give. The version is what the kernel says of itself,
else what its name says, where there are modules for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from oglib.fitting.edits import Files, bytes_of, content, words_of
from oglib.fitting.grub_places import LEGACY_MENUS, MENUS

_BOOT = "boot"
_MENUS = (*MENUS, *LEGACY_MENUS)
_ENTRIES = "boot/loader/entries"
_MODULES = "lib/modules"
_LINE = re.compile(r"[ \t]*(linux|linux16|linuxefi|kernel|initrd|initrd16|initrdefi)[ \t]+(\S.*)")
_BLS = re.compile(r"^[ \t]*blscfg\b", re.MULTILINE)
_KERNEL_NAME = re.compile(r"(?:vmlinuz|vmlinux|kernel|bzImage|Image)-(.+)")
_INITRAMFS_NAMES = (
    "initrd.img-{}",
    "initramfs-{}.img",
    "initrd-{}",
    "initrd-{}.img",
    "initramfs-{}",
)
_MOST_KERNELS = 32
_MOST_ENTRIES = 256
# An x86 kernel's header: "HdrS" at 0x202, and at 0x20e where its version stands, less 0x200
# (Documentation/arch/x86/boot.rst).
_HEAD_BYTES = 64 << 10
_MARK_AT, _MARK = 0x202, b"HdrS"
_VERSION_AT, _VERSION_BASE, _MOST_VERSION = 0x20E, 0x200, 128
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~-]*")


@dataclass(frozen=True, slots=True)
class Kernel:
    """``version`` as its modules' folder is called; ``initramfs`` is a path of the system."""

    version: str
    initramfs: str


def kernels(root: Files) -> tuple[Kernel, ...]:
    """Each initramfs that is started, the best kernel first: what the menu has first.

    Those whose version cannot be told, or that have no modules here, are left out.
    """
    menus = [words_of(content(root, menu) or b"") for menu in _MENUS]
    pairs = [pair for text in menus for pair in _pairs(root, text)]
    if not pairs or any(_BLS.search(text) for text in menus):
        pairs = [*_from_entries(root), *pairs]  # beside them, other systems alone stand in the menu
    pairs = pairs or list(_by_name(root))
    found: dict[str, Kernel] = {}
    for image, initramfs in pairs[:_MOST_KERNELS]:
        version = _version_of(root, image)
        if version and initramfs not in found:
            found[initramfs] = Kernel(version, initramfs)
    return tuple(found.values())


def _from_entries(root: Files) -> Iterator[tuple[str, str]]:
    """The entries of the boot loader specification, the newest version first."""
    names = [name for name in root.names(_ENTRIES) if name.endswith(".conf")][:_MOST_ENTRIES]
    for name in sorted(names, key=_natural, reverse=True):
        yield from _pairs(root, words_of(content(root, f"{_ENTRIES}/{name}") or b""))


def _pairs(root: Files, text: str) -> Iterator[tuple[str, str]]:
    """Kernel and initramfs of each entry; of several files the last, before it is microcode."""
    image = ""
    for line in text.split("\n"):
        match = _LINE.fullmatch(line.rstrip("\r"))
        if match is None:
            continue
        words = match[2].split()
        if not match[1].startswith("initrd"):
            image = _path(root, words[0])
        elif image and (files := [path for word in words if (path := _path(root, word))]):
            yield image, files[-1]


def _by_name(root: Files) -> Iterator[tuple[str, str]]:
    for image in sorted(root.names(_BOOT), key=_natural, reverse=True):
        if match := _KERNEL_NAME.fullmatch(image):
            for name in _INITRAMFS_NAMES:
                path = f"{_BOOT}/{name.format(match[1])}"
                if root.exists(path):
                    yield f"{_BOOT}/{image}", path
                    break


def _path(root: Files, word: str) -> str:
    """Where a menu's file lies in the system; empty where it is not there.

    The menu counts from the filesystem of ``/boot``, or from the top of a btrfs.
    """
    parts = [part for part in PurePosixPath(word.strip("\"'")).parts if part not in ("/", "..")]
    if parts and parts[0].startswith("("):
        del parts[0]
    for at in range(len(parts)):
        rest = "/".join(parts[at:])
        for path in (f"{_BOOT}/{rest}", rest):
            if (at == 0 or path.startswith(f"{_BOOT}/")) and root.exists(path):
                return path
    return ""


def _version_of(root: Files, image: str) -> str:
    told = _version_in_header(root.read_head(image, _HEAD_BYTES))
    named = _KERNEL_NAME.fullmatch(PurePosixPath(image).name)
    for version in (told, named[1] if named else ""):
        if _VERSION.fullmatch(version) and root.exists(f"{_MODULES}/{version}/modules.dep"):
            return version
    return ""


def _version_in_header(head: bytes) -> str:
    """The version in the header of an x86 kernel; empty where it is another file."""
    if head[_MARK_AT : _MARK_AT + len(_MARK)] != _MARK:
        return ""
    at = int.from_bytes(head[_VERSION_AT : _VERSION_AT + 2], "little") + _VERSION_BASE
    return words_of(head[at : at + _MOST_VERSION].split(b"\0")[0]).partition(" ")[0]


def _natural(name: str) -> list[tuple[bool, int, bytes]]:
    """For sorting: numbers in a name count as numbers."""
    pieces = re.findall(r"([0-9]{1,18})|([^0-9]+)", name)
    return [(bool(number), int(number or 0), bytes_of(word)) for number, word in pieces]
