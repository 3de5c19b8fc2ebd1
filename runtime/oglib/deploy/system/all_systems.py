# SPDX-License-Identifier: GPL-3.0-or-later
"""A menu of every system on this PC's disks, as text: for a GRUB that is no system's own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from oglib.boot.menu.words import quoted
from oglib.boot.place import grub_folder
from oglib.deploy.system.menu import menu_in, names_of
from oglib.disk.firmware import Firmware
from oglib.disk.model import Disk, Partition
from oglib.disk.starts import ESP
from oglib.errors import FilesystemError, NotFoundError, OgError
from oglib.osconfig.kinds import find_system
from oglib.osconfig.opened_system import OpenedSystem, holds_files, opened_system

_HEAD = """\
set default="0"
set timeout=10
insmod part_gpt
insmod part_msdos
insmod ext2
insmod xfs
insmod btrfs
insmod all_video
"""
_WINDOWS_LOADERS = ("EFI/{label}/Boot/bootmgfw.efi", "EFI/Microsoft/Boot/bootmgfw.efi")
_LINUX, _WINDOWS = "Linux", "Windows"


def menu_of_all(
    disks: Sequence[Disk], firmware: Firmware, parameters: Sequence[str], only: Partition | None
) -> tuple[str, tuple[str, ...]]:
    """The text, and what was left out and why. ``parameters``: more of each Linux's kernel.

    ``only``: this partition alone. NOTFOUND where no system can be started.
    """
    entries: list[str] = []
    notes: list[str] = []
    for disk in disks:
        for part in disk.partitions:
            if part.type == ESP or not holds_files(part) or (only and part != only):
                continue
            try:
                entries += _entries(disk, part, firmware, parameters, disks)
            except OgError as error:
                notes.append(f"partition {part.number} of {disk.describe()}: {error.message}")
    if not entries:
        raise NotFoundError(f"No system for a menu was found. {' '.join(notes)}".rstrip())
    return _HEAD + "".join(entries), tuple(notes)


def _entries(
    disk: Disk,
    part: Partition,
    firmware: Firmware,
    parameters: Sequence[str],
    disks: Sequence[Disk],
) -> Iterator[str]:
    place = names_of(disk, part)
    with opened_system(disk, part) as system:
        found = find_system(system.root)
        if found is None:
            return
        title = f"{found.name} (on {place.device or disk.called(part)})"
        if found.kind == _LINUX:
            yield _linux(title, place.label, place.uuid, system, parameters)
    if found.kind == _WINDOWS:
        yield _windows(title, place.label, place.uuid, firmware, disks)


def _linux(
    title: str, label: str, uuid: str, system: OpenedSystem, parameters: Sequence[str]
) -> str:
    """The kernel that the system's own menu starts first."""
    menu = menu_in(system.files, f"{grub_folder(system.files)}/grub.cfg")
    first = next((one for one in menu.all_entries if not one.is_submenu and one.root), None)
    if first is None:
        raise NotFoundError("its menu starts no kernel that names its root")
    lines = [f"search --no-floppy --fs-uuid --set=root {quoted(first.searched or uuid)}"]
    kernel = next(first.values("linux", "linux16", "linuxefi"))
    lines.append(f"linux {_words((*kernel, *parameters))}")
    lines += [
        f"initrd {_words(words)}" for words in first.values("initrd", "initrd16", "initrdefi")
    ]
    return _entry(title, label, "gnu-linux", lines)


def _words(words: Sequence[str]) -> str:
    """As they are; what GRUB would have expanded in the system's own menu is left out."""
    return " ".join(quoted(word) for word in words if "$" not in word)


def _windows(title: str, label: str, uuid: str, firmware: Firmware, disks: Sequence[Disk]) -> str:
    search = "search --no-floppy --fs-uuid --set=root "
    if firmware is Firmware.BIOS:
        lines = ["insmod ntfs", search + quoted(uuid), "parttool ${root} boot+", "chainloader +1"]
        return _entry(title, label, "windows", lines)
    esps = [names_of(d, p).uuid for d in disks for p in d.partitions if p.type == ESP]
    if not esps:
        raise FilesystemError("there is no EFI system partition to start it from")
    own, usual = (name.format(label=label) for name in _WINDOWS_LOADERS)
    lines = ["insmod fat", search + quoted(esps[0]), f"if [ -f /{own} ]; then",
             f"\tchainloader /{own}", "else", f"\tchainloader /{usual}", "fi"]  # fmt: skip
    return _entry(title, label, "windows", lines)


def _entry(title: str, label: str, kind: str, lines: Sequence[str]) -> str:
    body = "".join(f"\t{line}\n" for line in lines)
    return f"menuentry {quoted(title)} --class {kind} --id {label} {{\n{body}}}\n"
