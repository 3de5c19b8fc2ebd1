# SPDX-License-Identifier: GPL-3.0-or-later
"""Old commands about copies of a system: its loader kept beside it, its UUIDs and its disk's."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from uuid import UUID

from oglib.deploy.system.loader import esp_here
from oglib.deploy.system.new_uuid import change_uuid
from oglib.disk.firmware import Firmware, running_firmware
from oglib.disk.lock import held
from oglib.disk.model import Disk, TableKind
from oglib.disk.probe import list_disks
from oglib.disk.tables.identity import identity_of
from oglib.disk.writing.table import refuse_busy
from oglib.errors import NotFoundError, OgErr, OgError, PartitionError
from oglib.osconfig.kinds import find_system
from oglib.osconfig.opened_system import NoFilesError, opened_system
from oglib.run import run
from oglib.shim.command import Command
from oglib.shim.disk_change import everything, unmounted
from oglib.shim.grub_menu import free_partition
from oglib.shim.place import take_place
from oglib.shim.target import disk_of, partition_of, warn
from oglib.texts import read_whole

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*")


def _loader_copy(words: Sequence[str]) -> None:
    """Of a Linux there is nothing to be kept: its loader is made anew when it is configured."""
    disk, part = partition_of(*words)
    try:
        with opened_system(disk, part) as system:
            found = find_system(system.root)
    except NoFilesError as error:
        raise PartitionError(error.message, hint=error.hint) from error
    esp_here(disk, list_disks())
    if found is not None and found.kind == "Windows":
        raise OgError(
            f"There is a Windows on {disk.called(part)}, whose loader is not fitted yet. Nothing "
            "was changed.",
            hint="Capture the whole disk, with its ESP (ogCreateDiskImage).",
            code=OgErr.NOTOS,
        )


def _uuid_change(words: Sequence[str]) -> None:
    with free_partition(words) as (disk, part):
        made = change_uuid(disk, part)
    if made.files:
        warn(f"it stands in {', '.join(made.files)} now")
    for note in made.notes:
        warn(note)


def _restore_uuids(words: Sequence[str]) -> None:
    if running_firmware() is not Firmware.UEFI:
        return
    said = _info(words)
    disk, _ = partition_of(*words[2:4])
    _with_guid(disk, said.get("guid"))
    esp_disk, _ = esp_here(disk, list_disks())
    if esp_disk.path != disk.path:
        _with_guid(esp_disk, said.get("espguid"))


def _info(words: Sequence[str]) -> dict[str, object]:
    """What the old engine noted beside an image: ``.NAME.img.json``."""
    folder, _, name = words[1].rpartition("/")
    if not _NAME.fullmatch(words[1]):
        raise NotFoundError(f"{words[1]!r} is not the name of an image.")
    place, _ = take_place([words[0], f"{folder}/.{name}.img.json".lstrip("/")])
    try:
        said = json.loads(read_whole(place.file()))
    except (ValueError, OSError) as error:
        raise NotFoundError(f"What was noted of {words[1]} cannot be read: {error}.") from error
    return said if isinstance(said, dict) else {}


def _with_guid(disk: Disk, guid: object) -> None:
    """The disk with this GUID in its GPT; nothing where it has it, or none is said."""
    if not guid:
        return
    try:
        wanted = str(UUID(str(guid))).upper()
    except ValueError as error:
        raise NotFoundError(f"{str(guid)[:50]!r} is no GUID of a disk.") from error
    if disk.table is not TableKind.GPT:
        raise PartitionError(f"{disk.describe()} has no GPT.", code=OgErr.NOGPT)
    if identity_of(disk).disk_id.upper() == wanted:
        return
    with held(disk), unmounted(disk, everything):
        refuse_busy(disk_of(str(disk.number)))
        run("sfdisk", "--quiet", "--no-tell-kernel", "--disk-id", disk.path, wanted)
    if identity_of(disk).disk_id.upper() != wanted:
        raise PartitionError(f"{disk.describe()} did not take the GUID {wanted}.")


_OF_WINDOWS = (
    "A Windows is not fitted yet: that is said (NOTOS), where the old one did nothing for all but "
    "Windows 10."
)

COMMANDS = {
    command.name: command
    for command in (
        Command(
            "ogCopyEfiBootLoader",
            "DISK PARTITION",
            "keeps the loader of a Windows beside it; of a Linux there is nothing to keep",
            _loader_copy,
            2,
            2,
            "ogCopyEfiBootLoader 1 2",
            better=_OF_WINDOWS,
        ),
        Command(
            "ogRestoreEfiBootLoader",
            "DISK PARTITION",
            "puts the loader of a Windows back; that of a Linux is made by configureOs",
            _loader_copy,
            2,
            2,
            "ogRestoreEfiBootLoader 1 2",
            better=f"{_OF_WINDOWS} No ESP is ever formatted.",
        ),
        Command(
            "ogUuidChange",
            "DISK PARTITION",
            "gives a filesystem a new UUID, and its system's files too",
            _uuid_change,
            2,
            2,
            "ogUuidChange 1 2",
            better="xfs and btrfs too; the new UUID is read back. Only the whole word changes, in "
            "fstab, crypttab, GRUB's files and entries, and GRUB checks its menu.",
        ),
        Command(
            "ogRestoreUuidPartitions",
            "REPO|CACHE NAME DISK PARTITION",
            "gives the disk the GUID that was noted with an image; on a BIOS it does nothing",
            _restore_uuids,
            4,
            4,
            "ogRestoreUuidPartitions REPO Windows 1 2",
            better="Read back; nothing is printed, as both printed their commands. Only a GPT has "
            "such a GUID (NOGPT).",
        ),
    )
}
