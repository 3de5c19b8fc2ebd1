# SPDX-License-Identifier: GPL-3.0-or-later
"""Old commands that put GRUB where a firmware starts it: MBR, partition, ESP."""

from __future__ import annotations

from collections.abc import Sequence

from oglib.boot.esp import opened_esp, put_files
from oglib.boot.facts import part_label
from oglib.boot.loaders import stub
from oglib.boot.nvram.changing import change_here, table_here
from oglib.boot.nvram.load_option import loader
from oglib.boot.nvram.planning import second
from oglib.deploy.system.loader import LoaderRequest, esp_here, put_loader, stub_for
from oglib.disk.firmware import Firmware, running_firmware
from oglib.disk.loop import partition_device
from oglib.disk.model import Disk
from oglib.disk.probe import list_disks
from oglib.errors import OgErr, OgError, PartitionError, UsageError
from oglib.filesystem.probe import probe_filesystem
from oglib.osconfig.kinds import LINUX, find_system
from oglib.osconfig.opened_system import opened_system
from oglib.shim.command import Command
from oglib.shim.grub_menu import free_partition
from oglib.shim.target import disk_of, warn

_CODE_BYTES = 440
# The first words of boot code, and whose it is.
_KNOWN_CODE = (
    (b"GRUB", "GRUB"),
    (b"Missing operating system", "Windows, or a loader of its kind"),
    (b"LILO", "LILO"),
    (b"SYSLINUX", "SYSLINUX"),
)
_FIRST_DISK = "1"
_OLD_LOADER = "ogloader.efi"


def _wanted(words: Sequence[str]) -> tuple[bool, tuple[str, ...]]:
    """Whether the menu is made anew, and what its kernels get more."""
    every = words[2].upper() if len(words) > 2 else "FALSE"
    if every not in ("TRUE", "FALSE"):
        raise UsageError(f"{words[2]!r} is neither TRUE nor FALSE.")
    return every == "TRUE", tuple(words[3].split()) if len(words) > 3 else ()


def _install_mbr(words: Sequence[str]) -> None:
    every, parameters = _wanted(words)
    first = disk_of(_FIRST_DISK)
    with free_partition(words) as (disk, part):
        onto = disk if disk.path == first.path else first
        wanted = LoaderRequest(disk, part, running_firmware(), onto, every, parameters)
        uefi = wanted.firmware is Firmware.UEFI
        if uefi:
            table_here()  # what cannot be read is refused before anything is written
        warn(*put_loader(wanted))
        if uefi:
            _enter(wanted)


def _enter(wanted: LoaderRequest) -> None:
    """The firmware's entry for the loader of all systems, second in its order."""
    esp_disk, esp = esp_here(wanted.disk, list_disks())
    option = loader("grub", esp_disk, esp, f"{wanted.folder}/{_OLD_LOADER}")
    change_here(lambda old: second(old, option))


def _install_partition(words: Sequence[str]) -> None:
    every, parameters = _wanted(words)
    with free_partition(words) as (disk, part):
        with opened_system(disk, part) as system:
            found = find_system(system.root)
        if found is None or found.kind != LINUX:
            raise OgError(
                f"There is no Linux on {disk.called(part)}.",
                hint="GRUB is put into partitions of a Linux.",
                code=OgErr.NOTOS,
            )
        warn(*put_loader(LoaderRequest(disk, part, running_firmware(), None, every, parameters)))


def _uefi_conf(words: Sequence[str]) -> None:
    with free_partition(words) as (disk, part):
        if len(words) > 2:
            with partition_device(disk, part) as device:
                script = stub(probe_filesystem(device).uuid, f"{_folder(words[2])}/boot/grub")
        else:
            with opened_system(disk, part) as system:
                script = stub_for(system.root)
        esp_disk, esp = esp_here(disk, list_disks())
        folder = f"EFI/{part_label(disk.number, part.number)}"
        with opened_esp(esp_disk, esp, write=True) as at:
            for name in (f"{folder}/Boot/grub", folder, f"{folder}/Boot"):
                put_files(at, name, {"grub.cfg": script.encode()})


def _folder(word: str) -> str:
    if ".." in word.split("/"):
        raise UsageError(f"{word!r} is no folder of a system.")
    return f"/{word.strip('/')}"


def _boot_mbr(words: Sequence[str]) -> str:
    disk = disk_of(words[0])
    code = _code(disk)
    if not any(code):
        return f"{disk.path} has no boot code"
    whose = next((name for mark, name in _KNOWN_CODE if mark in code), "nobody who is known")
    return f"{disk.path} has boot code of {whose}"


def _code(disk: Disk) -> bytes:
    try:
        with disk.path.open("rb", buffering=0) as device:
            return device.read(_CODE_BYTES)
    except OSError as error:
        raise PartitionError(f"{disk.describe()} cannot be read: {error.strerror}.") from error


def _retired(words: Sequence[str]) -> None:
    disk_of(words[0])
    raise OgError(
        "This is retired: it wrote boot code for a Windows of before 2007. Nothing was changed.",
        hint="Instead of it: ogGrubInstallMbr, or ogRestoreBootLoaderImage of a kept one.",
        code=OgErr.NOTEXEC,
    )


_LOADER = (
    "By ogLive's own tools, code of the image is never run; everything is checked before anything "
    "is written, what Secure Boot accepts too. Modules for both tables are named, so that disk "
    "files start as well."
)

COMMANDS = {
    command.name: command
    for command in (
        Command(
            "ogGrubInstallMbr",
            'DISK PARTITION [TRUE|FALSE ["PARAMETERS"]]',
            "puts GRUB into the MBR of disk 1, or on the ESP, with the menu of this system; TRUE: "
            "with a menu of all systems",
            _install_mbr,
            2,
            4,
            'ogGrubInstallMbr 1 1 TRUE "nomodeset irqpoll"',
            better=f"{_LOADER} The system's own menu stays where it is. ogLive is put into the "
            "menu by ogGrubAddOgLive. The firmware's entry is read back.",
        ),
        Command(
            "ogGrubInstallPartition",
            'DISK PARTITION [TRUE|FALSE ["PARAMETERS"]]',
            "puts GRUB into the boot sector of a partition, or into its own folder on the ESP",
            _install_partition,
            2,
            4,
            "ogGrubInstallPartition 1 1 FALSE",
            better=f"{_LOADER} In a disk that is a file it is refused for a BIOS (PARTITION).",
        ),
        Command(
            "ogGrubUefiConf",
            "DISK PARTITION [FOLDER]",
            "writes what leads from the loader on the ESP to the menu of a system",
            _uefi_conf,
            2,
            3,
            "ogGrubUefiConf 1 3 /boot/grubPARTITION",
            better="The system is looked for by its UUID, a /boot of its own and a subvolume too.",
        ),
        Command(
            "ogGetBootMbr",
            "DISK",
            "prints whose boot code the MBR has",
            _boot_mbr,
            1,
            1,
            "ogGetBootMbr 1",
            better="Asked of the code itself, in one line.",
        ),
        *(
            Command(
                name,
                "DISK",
                "wrote boot code for an old Windows",
                _retired,
                1,
                1,
                f"{name} 1",
                better="What starts a disk is GRUB (ogGrubInstallMbr), or the code that was kept "
                "of it (ogRestoreBootLoaderImage).",
                status="retired",
            )
            for name in ("ogBootMbrGeneric", "ogBootMbrXP")
        ),
    )
}
