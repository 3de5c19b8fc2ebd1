# SPDX-License-Identifier: GPL-3.0-or-later
"""The EFI system partition of a disk, and the loaders on it.

Each system has a folder of its own, ``EFI/Part-DD-PP/Boot``, which nobody else writes. The
removable path starts without an entry of the firmware, and to the distribution's folder point the
entries of a PC that had it before; both are shared by all systems of the disk, so they are left
where they start another one that is here. FAT knows no links: what is written here stays here.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from oglib import durable
from oglib.boot.facts import BootFacts
from oglib.boot.grub import install, uefi_argv
from oglib.boot.loaders import (
    Pair,
    chosen,
    core_files,
    pair_of_oglive,
    pair_of_system,
    stub,
)
from oglib.boot.place import boot_directory, grub_folder, not_understood
from oglib.boot.secure.firmware import Accepts, read_accepts
from oglib.disk.firmware import Firmware, running_firmware
from oglib.disk.loop import partition_device
from oglib.disk.model import Disk, Partition
from oglib.disk.starts import ESP
from oglib.errors import OgError, PartitionError
from oglib.filesystem.mount import check_writable, mounted
from oglib.fitting.edits import Files
from oglib.fitting.fittings import Check, Need
from oglib.run import run

_KIND = "vfat"
_REMOVABLE = "EFI/BOOT"
_STARTED = "BOOTX64.EFI"
_SHIM = "shimx64.efi"
_OLD_NAME = "ogloader.efi"  # what menus and entries of OpenGnsys start
_FALLBACK = "fbx64.efi"  # a shim would start it before GRUB
_KEPT = ".og-old"
_LOOKED_BYTES = 16 << 20


def esp_of(disk: Disk) -> Partition:
    """The first ESP of a disk; PARTITION where it has none."""
    found = next((part for part in disk.partitions if part.type == ESP), None)
    if found is None:
        raise PartitionError(f"{disk.describe()} has no EFI system partition.")
    return found


@contextmanager
def opened_esp(disk: Disk, esp: Partition, *, write: bool = False) -> Iterator[Path]:
    """Its files for the length of a ``with`` block; raises where it is not a FAT, or read-only."""
    with partition_device(disk, esp) as device:
        if not write:
            check_writable(device)
        with mounted(device, write=write, kind=_KIND) as at:
            yield at


@contextmanager
def esp_folder(root: Files, facts: BootFacts, *, write: bool = False) -> Iterator[Path]:
    """The ESP of the disk: where the system has it mounted, never a second time.

    Two loop devices of one file that are both written would destroy the filesystem.
    """
    esp = esp_of(facts.disk)
    if facts.boot and facts.boot.number == esp.number:
        yield root.path / "boot"
        return
    with opened_esp(facts.disk, esp, write=write) as at:
        yield at


def accepted_here() -> Accepts:
    """What this PC's firmware accepts; nothing is known of it where a BIOS started it."""
    return read_accepts() if running_firmware() is Firmware.UEFI else Accepts()


def stub_of(root: Files) -> str:
    """The stub for the menu of a system, wherever that lies: on a partition, in a subvolume."""
    folder = root.path / grub_folder(root)
    uuid = run("grub-probe", "--target=fs_uuid", folder).stdout.strip()
    prefix = run("grub-mkrelpath", folder).stdout.strip()
    return stub(uuid, prefix)


def put_files(at: Path, folder: str, files: Mapping[str, bytes]) -> bool:
    """Write those that are not so yet, each whole, in this order; whether there were any."""
    place = at / folder
    wanted = {name: data for name, data in files.items() if _content(place / name) != data}
    if wanted:
        place.mkdir(parents=True, exist_ok=True)
        for name, data in wanted.items():
            durable.write_whole(place / name, data)
        durable.sync(place)
        durable.sync(at)
    return bool(wanted)


def _content(path: Path) -> bytes | None:
    try:
        with path.open("rb") as file:
            return file.read(_LOOKED_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        return None


@dataclass(frozen=True, slots=True)
class Loader:
    """GRUB in one folder of the ESP.

    ``folder`` empty: that of the distribution; ``Part``: the one of the partition. ``shared``:
    other systems of the disk may have it too.
    """

    name: str
    folder: str
    first: str = _SHIM
    shared: bool = True

    def check(self, root: Files, facts: BootFacts) -> Check:
        where = self._where(facts)
        if not where:
            return Check(Need.NOT_NEEDED, "no distribution name")
        if _is_doubled(facts):
            why = f"two filesystems of the disk have the UUID {_own(facts)}: give one a new one"
            return Check(Need.CANNOT, f"{why} (`og fs uuid`)")
        try:
            esp = esp_of(facts.disk)
            pair, why = self._pair(root)
            if why:
                return Check(Need.CANNOT, f"Secure Boot is on: {why}")
            if why := not_understood(root, "x86_64-efi", facts.subvolume, static=False):
                return Check(Need.CANNOT, why)
            with esp_folder(root, facts) as at:
                if self.shared and (other := _starts_other(at / where, facts)):
                    return Check(Need.NOT_NEEDED, f"{where} is left: it starts {other}")
                return self._compared(root, at, where, pair, esp)
        except (OgError, OSError) as error:
            return Check(Need.CANNOT, error.message if isinstance(error, OgError) else str(error))

    def _compared(
        self, root: Files, at: Path, where: str, pair: Pair | None, esp: Partition
    ) -> Check:
        whose = f"{pair.of} shim and signed GRUB" if pair else "GRUB without a signature"
        told = f"{where} on partition {esp.number}: {whose}"
        if pair is None:
            return Check(Need.NEEDED, told)
        files = self._files(root, pair)
        new = {name: data for name, data in files.items() if _content(at / where / name) != data}
        if not new:
            return Check(Need.NOT_NEEDED, "already so")
        room = os.statvfs(at)
        needed = sum(map(len, new.values()))
        if needed > room.f_bavail * room.f_frsize + self._replaced(at / where, new):
            return Check(Need.CANNOT, f"the ESP has no room for {needed} bytes in {where}")
        return Check(Need.NEEDED, told)

    @staticmethod
    def _replaced(place: Path, new: Mapping[str, bytes]) -> int:
        """What goes for the new files, but for one: each is whole before the old one goes."""
        old = sorted((place / name).stat().st_size for name in new if (place / name).is_file())
        return sum(old[:-1])

    def apply(self, root: Files, facts: BootFacts, checked: Check) -> str:
        where = self._where(facts)
        pair, _ = self._pair(root)
        with esp_folder(root, facts, write=True) as at:
            if self.first == _STARTED:
                _keep(at / where, _own(facts))
            if pair is None and self.shared:
                with boot_directory(root) as boot:
                    install(root, uefi_argv(boot, at, self._id(facts)))
            elif pair is None:
                put_files(at, where, core_files(stub_of(root), first=_OLD_NAME))
            else:
                put_files(at, where, self._files(root, pair))
        return checked.detail

    def _files(self, root: Files, pair: Pair) -> dict[str, bytes]:
        files = pair.files(stub_of(root), first=self.first)
        return files if self.shared else {**files, _OLD_NAME: pair.shim}

    def _where(self, facts: BootFacts) -> str:
        if not self.shared:
            return f"EFI/{facts.place}/Boot"
        return self.folder or (f"EFI/{facts.os_id}" if facts.os_id else "")

    def _id(self, facts: BootFacts) -> str:
        return "" if self.folder else facts.os_id

    def _pair(self, root: Files) -> tuple[Pair | None, str]:
        """Its folder keeps the distribution's own; everywhere else ogLive's come first."""
        pairs = [pair_of_oglive(), pair_of_system(root)]
        own = self.shared and not self.folder
        return chosen(pairs[::-1] if own else pairs, accepted_here())


def _own(facts: BootFacts) -> str:
    """The UUID by which the system is looked for when it starts."""
    return facts.start.uuid


def _others(facts: BootFacts) -> list[str]:
    """The UUIDs of all other filesystems here; a copy on another disk has none of its own."""
    own = (facts.root.uuid, facts.start.uuid)
    return [one.uuid for one in facts.present if one.uuid and one.uuid not in own]


def _is_doubled(facts: BootFacts) -> bool:
    """Whether another filesystem of the same disk has the system's UUID: GRUB takes either."""
    same = (facts.root, facts.start)
    return any(
        one.uuid == facts.start.uuid and one.number and one not in same for one in facts.present
    )


def _starts_other(place: Path, facts: BootFacts) -> str:
    """The other system of this disk that the loaders in a folder start; empty where none."""
    others = _others(facts)
    with suppress(FileNotFoundError, NotADirectoryError):
        for file in sorted(place.iterdir()):
            if file.is_file() and not file.name.endswith(_KEPT):
                found = (_content(file) or b"").lower()
                for uuid in others:
                    if uuid.lower().encode() in found:
                        return f"the system on the filesystem {uuid}"
    return ""


def _keep(place: Path, own: str) -> None:
    """What somebody else had at the removable path stays beside, for a person to put back.

    ``own``: the UUID by which what this system has there is known.
    """
    kept = place / f"{_STARTED}{_KEPT}"
    names = (_STARTED, "grubx64.efi", "grub.cfg")
    there = [data for name in names if (data := _content(place / name)) is not None]
    ours = any(own.encode() in data for data in there)
    if (old := _content(place / _STARTED)) is not None and not ours and not kept.exists():
        durable.write_whole(kept, old)
    with suppress(FileNotFoundError):
        (place / _FALLBACK).rename(place / f"{_FALLBACK}{_KEPT}")


PART = Loader("grub-part", "", shared=False)
OWN_FOLDER = Loader("grub-esp", "")
REMOVABLE = Loader("grub-removable", _REMOVABLE, first=_STARTED)
