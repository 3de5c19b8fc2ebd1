# SPDX-License-Identifier: GPL-3.0-or-later
"""The old commands about this PC and its systems; what is asked most imports least."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from oglib.errors import FilesystemError, OgErr, OgError
from oglib.shim.command import Command
from oglib.shim.logs import tell

if TYPE_CHECKING:
    from oglib.disk.model import Partition
    from oglib.inventory.system import System
    from oglib.osconfig.root import TargetRoot

# What looks at disks is imported only by what looks at disks: the others must start fast.
# ruff: noqa: PLC0415


def _arch(_words: Sequence[str]) -> str:
    from oglib.inventory.firmware import architecture

    return architecture()


def _is_efi(_words: Sequence[str]) -> bool:
    from oglib.inventory.firmware import is_efi

    return is_efi()


def _serial_number(_words: Sequence[str]) -> str:
    from oglib.inventory.firmware import serial_number

    return serial_number()


def _hardware(_words: Sequence[str]) -> str:
    from oglib.inventory.hardware import old_listing, read_hardware

    hardware = read_hardware()
    _tell(*hardware.notes)
    tell([], "info", os.environ.get("MSG_HARDWAREINVENTORY") or "Hardware inventory")
    return old_listing(hardware)


def _os_type(words: Sequence[str]) -> str:
    # the only one of these that is asked of every partition, and that took silence for "none"
    return _asked(words, lambda _root, _part, system: system.kind, files=False)


def _os_version(words: Sequence[str]) -> str:
    return _asked(words, lambda _root, _part, system: system.text)


def _os_uuid(words: Sequence[str]) -> str:
    from oglib.inventory.system import system_uuid

    return _asked(words, lambda root, part, system: system_uuid(root, system, part.uuid))


def _software(words: Sequence[str]) -> str:
    from oglib.inventory.software import installed, old_listing

    def listing(root: TargetRoot, _part: Partition, system: System) -> str:
        found = installed(root, system)
        _tell(*found.notes)
        return old_listing(system, found)

    answer = _asked(words, listing)
    if not answer:
        raise OgError(
            f"No operating system is known on partition {words[1]} of disk {words[0]}.",
            code=OgErr.NOTOS,
        )
    return answer


def _asked(
    words: Sequence[str],
    question: Callable[[TargetRoot, Partition, System], str],
    *,
    files: bool = True,
) -> str:
    """The answer about the system on a partition; empty, which is no error, where none is.

    What cannot be mounted is OG_ERR_PARTITION to the old scripts, as ogMount answers; ``files``
    False: silence where nothing could be (swap, encrypted, unknown or nothing).
    """
    from oglib.inventory.system import identify
    from oglib.osconfig.opened_system import NoFilesError, opened_system
    from oglib.shim.target import partition_of

    disk, part = partition_of(*words)
    try:
        with opened_system(disk, part) as opened:
            system = identify(opened.root)
            if system is None:
                return ""
            _tell(system.note, *opened.notes)
            return question(opened.root, part, system)
    except FilesystemError as error:
        if isinstance(error, NoFilesError) and not files:
            return ""
        raise OgError(error.message, hint=error.hint, code=OgErr.PARTITION) from error


def _tell(*notes: str) -> None:
    for note in filter(None, notes):
        print(f"Warning: {note}", file=sys.stderr)


_NO_CHROOT = "runs no code of the system, so that a hostile image cannot act"

COMMANDS = {
    command.name: command
    for command in (
        Command(
            "ogGetArch",
            "",
            "prints the architecture of this ogLive",
            _arch,
            example="ogGetArch",
            better="names the processor's architecture instead of looking for /lib64",
        ),
        Command(
            "ogGetOsType",
            "DISK PARTITION",
            "prints the type of the system on a partition (Linux, Windows, …)",
            _os_type,
            2,
            2,
            "ogGetOsType 1 2",
            f"{_NO_CHROOT}; a damaged filesystem is an error (PARTITION), not silence",
        ),
        Command(
            "ogGetOsUuid",
            "DISK PARTITION",
            "prints the identity of the system on a partition",
            _os_uuid,
            2,
            2,
            "ogGetOsUuid 1 2",
        ),
        Command(
            "ogGetOsVersion",
            "DISK PARTITION",
            "prints type and version of the system on a partition",
            _os_version,
            2,
            2,
            "ogGetOsVersion 1 2",
            f"{_NO_CHROOT}; knows Windows 11 by its build",
        ),
        Command(
            "ogGetSerialNumber",
            "",
            "prints the serial number of this PC",
            _serial_number,
            example="ogGetSerialNumber",
        ),
        Command(
            "ogIsEfiActive",
            "",
            "says whether this ogLive was started by UEFI",
            _is_efi,
            example="ogIsEfiActive",
        ),
        Command(
            "ogListHardwareInfo",
            "",
            "lists what this PC consists of, a word and a text a line",
            _hardware,
            example="ogListHardwareInfo",
            better="works without lshw, and where the PC has no SMBIOS it says what is missing; "
            "the heading line has time and level like every message",
        ),
        Command(
            "ogListSoftware",
            "DISK PARTITION",
            "lists the system on a partition and what is installed on it",
            _software,
            2,
            2,
            "ogListSoftware 1 2",
            f"{_NO_CHROOT}; leaves out updates and parts of other programs of Windows; of a snap "
            "it knows the revision, not the version",
        ),
    )
}
