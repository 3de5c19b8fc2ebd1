# SPDX-License-Identifier: GPL-3.0-or-later
"""Turns a checked inventory into the files of the output tree, in memory.

It names the files and fills the templates; what a screen offers is decided in `screens.py`, and
only `publish.py` writes to a disk. The same inventory always gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

from ognetboot.inventory.model import Dhcp, Firmware, Inventory, UefiLoader
from ognetboot.texts.languages import Language, environment
from ognetboot.texts.screens import Screen, load_look, load_texts, screen_for

# First program per loader choice, over TFTP and (UEFI HTTP Boot) over HTTP. With HTTP Boot there is
# no PXE protocol for snponly.efi to sit on.
_UEFI_TFTP = {
    UefiLoader.IPXE: "snponly.efi",
    UefiLoader.IPXE_NATIVE: "ipxe.efi",
    UefiLoader.SHIM: "shimx64.efi",
}
_UEFI_HTTP = {**_UEFI_TFTP, UefiLoader.IPXE: "ipxe.efi"}
# disk.efi is Debian's GRUB for its installer's netboot: the one build that reads a configuration
# in a place of its own, so that it does nothing but start the disk. Unsigned, as iPXE is too.
DISK_LOADER = "disk.efi"
DISK_CONFIG = PurePosixPath("debian-installer/amd64/grub/grub.cfg")
BIOS_LOADER = "undionly.kpxe"
# Where operating systems put their UEFI loader, the fallback path of the specification last.
_DISK_LOADERS = (
    "/EFI/debian/shimx64.efi",
    "/EFI/debian/grubx64.efi",
    "/EFI/ubuntu/shimx64.efi",
    "/EFI/Microsoft/Boot/bootmgfw.efi",
    "/EFI/BOOT/BOOTX64.EFI",
)


def needed_loaders(inventory: Inventory) -> frozenset[str]:
    """File names of the loaders that the dnsmasq configuration hands out, with what they load."""
    choice = inventory.server.uefi_loader
    second = {"grubx64.efi"} if choice is UefiLoader.SHIM else set()
    return frozenset({BIOS_LOADER, DISK_LOADER, _UEFI_TFTP[choice], _UEFI_HTTP[choice], *second})


def render(inventory: Inventory, tftp_root: PurePosixPath) -> dict[PurePosixPath, str]:
    """Every text file of the tree by its path inside it; `tftp_root` is where the tree will lie."""
    server = inventory.server
    texts, look = load_texts(), load_look()
    files: dict[PurePosixPath, str] = {}

    ipxe = environment(Language.IPXE)
    common: Mapping[str, object] = {
        "server": server,
        "texts": texts,
        "look": look,
        "disk_loaders": _DISK_LOADERS,
    }
    first = ipxe.get_template("templates/boot.ipxe.j2")
    menu = ipxe.get_template("menus/menu.ipxe.j2")
    grub = environment(Language.GRUB)
    grub_first = grub.get_template("templates/grub.cfg.j2")
    grub_menu = grub.get_template("templates/grub-menu.cfg.j2")

    def add_screen(screen: Screen, ipxe_name: str, grub_name: str | None) -> None:
        files[PurePosixPath("ipxe", ipxe_name)] = menu.render(screen=screen, **common)
        if grub_name is not None:
            text = grub_menu.render(screen=screen, **common)
            files[PurePosixPath("grub", grub_name)] = text

    files[PurePosixPath("boot.ipxe")] = first.render(common)
    files[PurePosixPath("grub/grub.cfg")] = grub_first.render(common)
    files[DISK_CONFIG] = grub.get_template("templates/disk.cfg.j2").render(common)
    add_screen(screen_for(inventory, None, texts), "default.ipxe", "default")
    for client in inventory.clients:
        screen = screen_for(inventory, client, texts)
        for mac in client.macs:
            # GRUB runs on UEFI PCs only: a BIOS PC always gets iPXE.
            grub_name = None if client.firmware is Firmware.BIOS else f"01-{mac}"
            # As iPXE's `hexhyp` and BOOTIF write it.
            add_screen(screen, f"mac-{mac.replace(':', '-')}.ipxe", grub_name)

    dnsmasq = environment(Language.DNSMASQ)
    files[PurePosixPath("dnsmasq.conf")] = dnsmasq.get_template("templates/dnsmasq.conf.j2").render(
        server=server,
        clients=inventory.clients,
        own=server.dhcp is Dhcp.OWN,
        proxy=server.dhcp is Dhcp.PROXY,
        tftp_root=server.tftp_root or tftp_root,
        bios_loader=BIOS_LOADER,
        uefi_loader=_UEFI_TFTP[server.uefi_loader],
        uefi_http_loader=_UEFI_HTTP[server.uefi_loader],
        base_url=f"http://{server.authority}/netboot",
    )
    return files
