# SPDX-License-Identifier: GPL-3.0-or-later
"""Turns a checked inventory into the files of the output tree, in memory.

It names the files and fills the templates; what a screen offers is decided in `screens.py`, and
only `publish.py` writes to a disk. The same inventory always gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from ognetboot.assigning.offers import OfferedTo, for_good
from ognetboot.inventory.entries import Kind
from ognetboot.inventory.model import Client, Firmware, Inventory, UefiLoader
from ognetboot.texts.languages import Language, environment
from ognetboot.texts.menus import Menus
from ognetboot.texts.pictures import DEFAULT_PICTURE
from ognetboot.texts.sentences import load_reasons, load_texts
from ognetboot.texts.server_files import (
    BIOS_LOADER,
    FIRST_SCRIPT,
    UEFI_HTTP,
    UEFI_TFTP,
    server_files,
)
from ognetboot.texts.shapes import Shapes

# Where disk.efi and disk.0 read what they are to do.
DISK_CONFIG = PurePosixPath("debian-installer/amd64/grub/grub.cfg")
# Where operating systems put their UEFI loader, the fallback path of the specification last.
_DISK_LOADERS = (
    "/EFI/debian/shimx64.efi",
    "/EFI/debian/grubx64.efi",
    "/EFI/ubuntu/shimx64.efi",
    "/EFI/Microsoft/Boot/bootmgfw.efi",
    "/EFI/BOOT/BOOTX64.EFI",
)
# Where a system's own menu lies on its partition, /boot being one of its own or not.
_DISK_MENUS = ("/boot/grub/grub.cfg", "/boot/grub2/grub.cfg", "/grub/grub.cfg", "/grub2/grub.cfg")
# GRUB's names for the cards that it was started from; no PC has more that boot.
_CARDS = (*(f"efinet{number}" for number in range(8)), "pxe")


# Systems whose menu GRUB cannot read itself: what they alone have on their partition, and their
# loader on the ESP.
_PART_LOADERS = (
    ("/Windows/System32/winload.efi", "/EFI/Microsoft/Boot/bootmgfw.efi"),
    ("/etc/fedora-release", "/EFI/fedora/shimx64.efi"),
    ("/etc/SUSE-brand", "/EFI/opensuse/shim.efi"),
)


@dataclass(frozen=True, slots=True)
class Limits:
    """How long iPXE waits, in ms, for a server that sends nothing more.

    A dead server costs a PC one `probe`, then a `kernel` twice, and what its failure is shown for:
    less than a minute until the system on its disk starts.
    """

    probe: int = 3000
    script: int = 3000
    kernel: int = 6000
    loader: int = 5000


def needed_loaders(inventory: Inventory) -> frozenset[str]:
    """Names of the loaders that DHCP hands out, with what they and the entries load."""
    choice = inventory.server.uefi_loader
    needed = {BIOS_LOADER, "disk.efi", UEFI_TFTP[choice], UEFI_HTTP[choice]}
    if choice is UefiLoader.SHIM:
        needed.add("grubx64.efi")
    kinds = {(e.kind, e.partition is not None) for e in inventory.entries}
    if (Kind.SYSTEM, True) in kinds and any(
        c.firmware is not Firmware.UEFI for c in inventory.clients
    ):
        needed.add("disk.0")
    if any(kind is Kind.MEMTEST for kind, _ in kinds):
        needed |= {"memtest.bin", "memtest.efi"}
    return frozenset(needed)


def render(
    inventory: Inventory, tftp_root: PurePosixPath, offered: OfferedTo | None = None
) -> dict[PurePosixPath, str]:
    """Every text file of the tree by its path inside it; `tftp_root` is where the tree will lie.

    `offered` decides what each PC starts; None: the inventory alone does.
    """
    common = _common(inventory)
    ipxe, grub = environment(Language.IPXE), environment(Language.GRUB)
    first = ipxe.get_template("templates/boot.ipxe.j2")
    autoexec = ipxe.get_template("templates/autoexec.ipxe.j2")
    grub_first = grub.get_template("templates/grub.cfg.j2")
    files = {
        PurePosixPath(FIRST_SCRIPT): first.render(common),
        PurePosixPath("autoexec.ipxe"): autoexec.render(common),
        PurePosixPath("grub/grub.cfg"): grub_first.render(common),
        DISK_CONFIG: grub.get_template("templates/disk.cfg.j2").render(common),
    }
    picture = inventory.choices_of(None).picture or DEFAULT_PICTURE
    for name, text in Menus(common).grub_look(inventory.server.title, picture).items():
        files[PurePosixPath("grub", name)] = text
    everybody = (None, *inventory.clients)
    files.update(render_screens(inventory, everybody, offered or for_good(inventory)))
    files.update(server_files(inventory, tftp_root))
    return files


def render_screens(
    inventory: Inventory, clients: Iterable[Client | None], offered: OfferedTo
) -> dict[PurePosixPath, str]:
    """The files of these PCs alone; None: of those that nobody knows."""
    shapes = Shapes(inventory, menus_of(inventory))
    files: dict[PurePosixPath, str] = {}
    for client in clients:
        filled = shapes.filled(client, offered(client))
        for name in _names(client):
            files[PurePosixPath("ipxe", name.script)] = filled.script
            if filled.menu is not None:
                files[PurePosixPath("grub", name.menu)] = filled.menu
    return files


@dataclass(frozen=True, slots=True)
class _Name:
    """What a PC's files are called: iPXE's script, and GRUB's menu."""

    script: str
    menu: str


def _names(client: Client | None) -> tuple[_Name, ...]:
    if client is None:
        return (_Name("default.ipxe", "default"),)
    by_uuid = [_Name(f"uuid-{client.uuid}.ipxe", f"uuid-{client.uuid}")] if client.uuid else []
    # With dashes as iPXE's `hexhyp` and BOOTIF write it.
    return (
        *by_uuid,
        *(_Name(f"mac-{mac.replace(':', '-')}.ipxe", f"01-{mac}") for mac in client.macs),
    )


def menus_of(inventory: Inventory) -> Menus:
    """Fills the menus of this inventory."""
    return Menus(_common(inventory))


def _common(inventory: Inventory) -> Mapping[str, object]:
    """What the templates of iPXE and GRUB read."""
    return {
        "server": inventory.server,
        "texts": load_texts(),
        "reasons": load_reasons(),
        "limits": Limits(),
        "disk_loaders": _DISK_LOADERS,
        "disk_menus": _DISK_MENUS,
        "part_loaders": _PART_LOADERS,
        "cards": _CARDS,
        "by_uuid": any(client.uuid for client in inventory.clients),
        "shared_adapters": sorted(inventory.adapters),
    }


def in_order(files: Mapping[PurePosixPath, bytes]) -> dict[PurePosixPath, bytes]:
    """The order to write them in: what is named comes before what names it."""
    last = {PurePosixPath(FIRST_SCRIPT), PurePosixPath("autoexec.ipxe"), DISK_CONFIG,
            PurePosixPath("grub/grub.cfg")}  # fmt: skip
    return dict(
        sorted(files.items(), key=lambda item: (item[0].suffix == ".conf", item[0] in last))
    )
