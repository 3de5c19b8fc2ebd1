# SPDX-License-Identifier: GPL-3.0-or-later
"""Start the installed system of a partition: planned, then this PC leaves ogLive for it.

On a PC with UEFI its firmware is told to start the system's own loader next, once; where there is
none, and on a BIOS, its kernel is started by this one (kexec), as the system's own menu starts it.
Nothing is written to its disk. Everything that can be refused is, before anything is unmounted.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from oglib.boot import kexec
from oglib.boot.default_entry import Start
from oglib.boot.facts import part_label
from oglib.boot.linux_start import LinuxStart, find_start, located
from oglib.boot.nvram import planning, variables
from oglib.boot.nvram.changing import find_esp
from oglib.boot.nvram.fitting import folders, loader_in, own_label
from oglib.boot.nvram.load_option import loader
from oglib.boot.nvram.planning import OrderPosition
from oglib.boot.nvram.presence import on_partition
from oglib.boot.nvram.table import BootTable, read_table, write
from oglib.deploy.leaving import leave
from oglib.deploy.system.starting import starting_disk
from oglib.disk.firmware import Firmware, running_firmware
from oglib.disk.lock import refuse_locked
from oglib.disk.loop import partition_device
from oglib.disk.model import Disk, Partition
from oglib.disk.probe import list_disks
from oglib.errors import OgErr, OgError
from oglib.filesystem.mount import unmount_device
from oglib.osconfig.kinds import LINUX, OperatingSystem, find_system
from oglib.osconfig.opened_system import OpenedSystem, opened_system

_MEMORY = Path("/run/oglive")
_ALIGNED = 4  # parts of an initramfs begin at such an address


class How(StrEnum):
    """Who starts the system."""

    KEXEC = "kexec"
    FIRMWARE = "firmware"


@dataclass(frozen=True, slots=True)
class StartPlan:
    """``linux`` where this kernel does it; ``tables``, old and new, where the firmware does.

    ``why``: why it is not done in the way that was tried first; empty where it is.
    """

    disk: Disk
    part: Partition
    system: str
    how: How
    linux: LinuxStart | None = None
    tables: tuple[BootTable, BootTable] | None = None
    why: str = ""

    @property
    def changes(self) -> tuple[str, ...]:
        """What will be done, a sentence each."""
        done: tuple[str, ...] = planning.changes(*self.tables) if self.tables else ()
        if self.linux is not None:
            initrds = " ".join(f"/{name}" for name in self.linux.initrds) or "none"
            done = (
                f"kernel /{self.linux.kernel}, initrd {initrds}",
                f"command line {self.linux.options}",
            )
        return (f"start {self.system} by {self.how}", *done, *((self.why,) if self.why else ()))


@dataclass(frozen=True, slots=True)
class Started:
    """What was begun. ``way``: of kexec, ``-s`` or ``-c``; empty for the firmware."""

    system: str
    how: How
    way: str = ""


def plan_start(
    disk: Disk, part: Partition, *, how: str = "", given: Start | None = None
) -> StartPlan:
    """How the system on ``part`` is started; only reads.

    ``how`` names one way, and no other is tried then; ``given`` is a kernel to be started instead
    of the one of its menu. NOTOS where there is no system that can be started; LOCKED while
    somebody works on the partition; else what keeps it from being started.
    """
    refuse_locked(disk, part)
    if disk.number == 0:
        raise OgError(f"{disk.path} is a file, and no disk of this PC.", code=OgErr.NOTFOUND)
    with opened_system(disk, part) as opened:
        system = find_system(opened.root)
        if system is None or system.kind != LINUX:
            raise _not_started(system, disk, part)
        why = ""
        if running_firmware(sys=variables.SYS) is Firmware.UEFI and how != How.KEXEC and not given:
            try:
                tables = _next(disk, part, system)
                return StartPlan(disk, part, system.name, How.FIRMWARE, tables=tables)
            except OgError as error:
                if how:
                    raise
                why = f"not by its firmware: {error.message}"
        elif how == How.FIRMWARE:
            variables.here()  # which says that there is none
        try:
            linux = _linux(opened, given)
        except OgError as error:
            raise OgError(
                f"{error.message} {why}".strip(), hint=error.hint, code=error.code
            ) from None
        return StartPlan(disk, part, system.name, How.KEXEC, linux, why=why)


def start(plan: StartPlan) -> Started:
    """Do it: what is mounted of this PC's disks is unmounted, and ogLive goes down."""
    if plan.tables is not None:
        store, (old, new) = variables.here(), plan.tables
        _unmount_all()
        write(store, old, new)
        try:
            leave("reboot")
        except OgError:
            write(store, new, old)
            raise
        return Started(plan.system, plan.how)
    assert plan.linux is not None  # noqa: S101 - for the type checker
    with _copied(plan, plan.linux) as (kernel, initrd):
        _unmount_all()
        way = kexec.load(kernel, initrd, plan.linux.options)
    try:
        leave("kexec")
    except OgError:
        kexec.unload()
        raise
    return Started(plan.system, plan.how, way)


def _not_started(system: OperatingSystem | None, disk: Disk, part: Partition) -> OgError:
    where = f"Partition {part.number} of {disk.describe()}"
    if system is None:
        return OgError(f"{where} holds no system that could be started.", code=OgErr.NOTOS)
    return OgError(
        f"{where} holds {system.name}, which is not started from here yet: only a Linux is.",
        hint="Start it from its disk.",
        code=OgErr.NOTOS,
    )


def _next(disk: Disk, part: Partition, system: OperatingSystem) -> tuple[BootTable, BootTable]:
    """The firmware's table now, and with the system's own loader at the next start alone."""
    place = part_label(disk.number, part.number)
    disks = list_disks()
    near = starting_disk(disk, disks, Firmware.UEFI)
    esp_disk, esp = find_esp([*([near] if near else []), *disks])
    file = on_partition(esp_disk, esp, lambda top: loader_in(top, folders(system.id, place)))
    if not file:
        raise OgError(
            f"there is no loader of this system on partition {esp.number} of {esp_disk.describe()}",
            code=OgErr.NOTFOUND,
        )
    old = read_table(variables.here())
    option = loader(own_label(system.id, place), esp_disk, esp, file)
    same = next((one for one in old.entries if one.option == option), None)
    new = old if same else planning.added(old, option, OrderPosition.OUT)
    number = next(one.number for one in new.entries if one.option == option)
    return old, planning.with_next(new, number)


def _linux(opened: OpenedSystem, given: Start | None) -> LinuxStart:
    """The kernel that its menu starts, where this PC's can start it."""
    root = opened.root
    if "/boot" in opened.absent:
        note = opened.notes[opened.absent.index("/boot")]
        raise OgError(note, hint="Start it from its disk.", code=OgErr.NOTOS)
    linux = located(root, given, opened.subvolume) if given else find_start(root, opened.subvolume)
    if why := kexec.why_not(root.read_head(linux.kernel, kexec.HEAD_BYTES)):
        raise OgError(f"/{linux.kernel} is not started: {why}.", code=OgErr.NOTEXEC)
    return linux


@contextmanager
def _copied(plan: StartPlan, linux: LinuxStart) -> Iterator[tuple[Path, Path | None]]:
    """Kernel and initrd in memory, for as long as the block lasts; their disk is let go."""
    _MEMORY.mkdir(parents=True, exist_ok=True)
    folder = _MEMORY / f"start-{os.urandom(6).hex()}"
    folder.mkdir(mode=0o700)
    try:
        kernel, initrd = folder / "kernel", folder / "initrd"
        with opened_system(plan.disk, plan.part) as opened:
            with kernel.open("wb") as file:
                opened.root.copy_to(linux.kernel, file)
            with initrd.open("wb") as file:
                for name in linux.initrds:
                    size = opened.root.copy_to(name, file)
                    file.write(bytes(-size % _ALIGNED))
        yield kernel, initrd if linux.initrds else None
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _unmount_all() -> None:
    """Let go of every filesystem of this PC's disks. Raises where one is in use."""
    for disk in list_disks():
        for part in disk.partitions:
            if any(point.startswith("/mnt/") for point in part.mountpoints):
                with partition_device(disk, part) as device:
                    unmount_device(device)
    with suppress(OSError):
        os.sync()
