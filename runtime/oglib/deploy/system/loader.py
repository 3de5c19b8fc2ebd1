# SPDX-License-Identifier: GPL-3.0-or-later
"""GRUB put where a firmware starts it, for a system that is on a partition: MBR, partition, ESP.

Everything is checked before anything is written. Of what is written the MBR with the gap behind it
alone is not whole at each moment: a power cut there leaves a disk that starts nothing by a BIOS
until this is done again; its table and partitions are as they were.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass

from oglib.boot.esp import accepted_here, opened_esp, put_files
from oglib.boot.facts import part_label
from oglib.boot.firmware import check_table
from oglib.boot.grub import TARGETS, bios_argv, check_tools, install
from oglib.boot.loaders import Pair, chosen, core_files, pair_of_oglive, pair_of_system, stub
from oglib.boot.menu.judge import check_script
from oglib.boot.place import boot_directory, grub_folder, not_understood
from oglib.deploy.partition.checks import check_free
from oglib.deploy.system.all_systems import menu_of_all
from oglib.deploy.system.menu import OF_MBR, OF_PARTITION
from oglib.disk.firmware import Firmware
from oglib.disk.lock import held
from oglib.disk.model import Disk, Partition
from oglib.disk.probe import list_disks
from oglib.disk.starts import ESP
from oglib.errors import NotFoundError, OgErr, OgError, PartitionError
from oglib.fitting.edits import Edit, bytes_of, content
from oglib.osconfig.folders import make_folder
from oglib.osconfig.opened_system import OpenedSystem, opened_system
from oglib.osconfig.root import TargetRoot
from oglib.run import run

_OWN_CONFIG = "grub.cfg"


@dataclass(frozen=True, slots=True)
class LoaderRequest:
    """``onto``: whose MBR; None: the boot sector of the partition itself (BIOS).

    ``every``: with a menu of all systems, or of this one alone in its partition, and not with the
    system's own; ``parameters``: more for the kernels in it.
    """

    disk: Disk
    part: Partition
    firmware: Firmware
    onto: Disk | None = None
    every: bool = False
    parameters: tuple[str, ...] = ()

    @property
    def menu(self) -> str:
        """The file of the menu that is made; empty where it is the system's own."""
        if not self.every:
            return ""
        return OF_MBR if self.onto else OF_PARTITION

    @property
    def folder(self) -> str:
        """Where on the ESP its loader is."""
        name = "grub" if self.onto else part_label(self.disk.number, self.part.number)
        return f"EFI/{name}/Boot"


def put_loader(wanted: LoaderRequest) -> tuple[str, ...]:
    """Do it; what is to be told. Raises before the first write for all that can be known."""
    text, notes = _checked(wanted)
    lock = held(wanted.onto) if wanted.onto and wanted.onto != wanted.disk else nullcontext()
    with lock, opened_system(wanted.disk, wanted.part, write=True) as system:
        root = system.root
        if wanted.menu:
            folder = wanted.menu.rpartition("/")[0]
            make_folder(root, folder)
            check_safe(root, folder)
            Edit(wanted.menu, content(root, wanted.menu), bytes_of(text)).write(root)
        if wanted.firmware is Firmware.UEFI:
            _put_on_esp(wanted, root)
            return notes
        with (
            boot_directory(root)
            if not wanted.menu
            else nullcontext(root.path / wanted.menu.partition("/grub/")[0]) as boot
        ):
            device = wanted.onto.path if wanted.onto else wanted.part.path
            assert device is not None  # noqa: S101 - checked before
            argv = bios_argv(boot, device)
            install(system.files, argv if wanted.onto else (*argv[:-1], "--force", argv[-1]))
    return notes


def _checked(wanted: LoaderRequest) -> tuple[str, tuple[str, ...]]:
    """The text of a menu that is to be made, and its notes."""
    check_free(wanted.disk, wanted.part)
    if wanted.onto is not None:
        _check_writable(wanted.onto)
    check_tools(wanted.firmware)
    disks = list_disks()
    if wanted.disk.path not in [disk.path for disk in disks]:
        disks = (wanted.disk, *disks)  # a file that was named by its path
    if wanted.firmware is Firmware.UEFI:
        _check_writable(esp_here(wanted.disk, disks)[0])
    elif wanted.onto is not None:
        types = {part.type for part in wanted.onto.partitions}
        check_table(wanted.onto.table, types, wanted.firmware, wanted.onto.describe())
    elif wanted.part.path is None:
        raise PartitionError(
            f"GRUB cannot be put into partition {wanted.part.number} of {wanted.disk.path}: it "
            "notes places of a disk, and this is a file.",
            hint="Put it into the MBR of the file.",
        )
    with opened_system(wanted.disk, wanted.part) as system:
        check_safe(system.root, grub_folder(system.root))
        pair = _pair(system.root) if wanted.firmware is Firmware.UEFI else None
        if not wanted.every:
            if not system.files.exists(f"{grub_folder(system.root)}/{_OWN_CONFIG}"):
                raise NotFoundError(f"{system.root.called} has no menu of GRUB.")
            _check_understood(system, wanted.firmware, pair)
            return "", ()
    only = None if wanted.onto else wanted.part
    text, notes = menu_of_all(disks, wanted.firmware, wanted.parameters, only)
    check_script(text, "the menu of all systems")
    return text, notes


def _check_understood(system: OpenedSystem, firmware: Firmware, pair: Pair | None) -> None:
    """Raise where ogLive's GRUB would show an empty menu; the system's own knows its menu."""
    if pair is not None and pair == pair_of_system(system.root):
        return
    if why := not_understood(system.files, TARGETS[firmware], system.subvolume):
        raise OgError(
            f"GRUB is not put before the menu of {system.root.called}: {why}.",
            hint="On a PC with a BIOS `og os configure` writes boot entries into the menu first.",
            code=OgErr.NOTOS,
        )


def _check_writable(disk: Disk) -> None:
    if disk.read_only:
        raise PartitionError(f"{disk.describe()} is read-only.", code=OgErr.NOTWRITE)


def check_safe(root: TargetRoot, folder: str) -> None:
    """Raise where a link leads out of the folders that grub-install writes to: it follows them."""
    parts = folder.split("/")
    for number in range(1, len(parts) + 1):
        name = "/".join(parts[:number])
        above = "/".join(parts[: number - 1]) or "."
        if parts[number - 1] in root.names(above) and not root.is_directory(name):
            raise _strange(root, name)
    strange = [one for one in root.irregular_below(folder) if "/themes/" not in one]
    if strange:
        raise _strange(root, strange[0])


def _strange(root: TargetRoot, name: str) -> OgError:
    return OgError(
        f"{name} in {root.called} is a link or special file; GRUB is not installed through it.",
        hint="Replace it by a regular file or folder in the model PC.",
        code=OgErr.NOTWRITE,
    )


def esp_here(disk: Disk, disks: Sequence[Disk]) -> tuple[Disk, Partition]:
    """The ESP of a disk, else the first of this PC; PARTITION where there is none."""
    for one in (disk, *disks):
        for part in one.partitions:
            if part.type == ESP:
                return one, part
    raise PartitionError("This PC has no EFI system partition.", hint="`og disk apply` makes one.")


def stub_for(root: TargetRoot, menu: str = "") -> str:
    """The stub for a menu of the system; empty: its own."""
    folder = root.path / (menu.rpartition("/")[0] if menu else grub_folder(root))
    uuid = run("grub-probe", "--target=fs_uuid", folder).stdout.strip()
    return stub(uuid, run("grub-mkrelpath", folder).stdout.strip())


def _pair(root: TargetRoot) -> Pair | None:
    """The signed loaders; None: there are none, and none are needed. NOTWRITE where they are."""
    pair, why = chosen([pair_of_oglive(), pair_of_system(root)], accepted_here())
    if why:
        raise OgError(f"Secure Boot would not start it: {why}.", code=OgErr.NOTWRITE)
    return pair


def _put_on_esp(wanted: LoaderRequest, root: TargetRoot) -> None:
    pair = _pair(root)
    script = stub_for(root, wanted.menu)
    esp_disk, esp = esp_here(wanted.disk, list_disks())
    with opened_esp(esp_disk, esp, write=True) as at:
        if pair is None:
            put_files(at, wanted.folder, core_files(script, first="ogloader.efi"))
        else:
            files = {**pair.files(script), "ogloader.efi": pair.shim}
            put_files(at, wanted.folder, files)
