# SPDX-License-Identifier: GPL-3.0-or-later
"""Configurations of the servers beside PCs: dnsmasq, ISC dhcpd, Kea, nginx.

dnsmasq does DHCP (in full, or beside the site's) and TFTP. Where the site's own DHCP server is Kea
or ISC's, the file for it says the same: who gets which first program, and the address of each PC.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from ipaddress import IPv4Address
from pathlib import PurePosixPath

from jinja2 import Environment, FunctionLoader, StrictUndefined, Template

from ognetboot.errors import NetbootError
from ognetboot.inventory.model import Dhcp, Inventory, UefiLoader
from ognetboot.texts.languages import Language, environment, resource

BIOS_LOADER = "undionly.kpxe"
FIRST_SCRIPT = "boot.ipxe"
# Where `ognetboot serve --behind` hears what PCs report, for nginx to pass on to.
FORMS_PORT = 8069
# First program per loader choice, over TFTP and (UEFI HTTP Boot) over HTTP. With HTTP Boot there is
# no PXE protocol for snponly.efi to sit on.
UEFI_TFTP = {
    UefiLoader.IPXE: "snponly.efi",
    UefiLoader.IPXE_NATIVE: "ipxe.efi",
    UefiLoader.SHIM: "shimx64.efi",
}
UEFI_HTTP = {**UEFI_TFTP, UefiLoader.IPXE: "ipxe.efi"}
# A word of ISC's or nginx's grammar, or the inside of a string there: it ends neither.
_WORD = re.compile(r"[A-Za-z0-9_.:/@+~-]*")


@dataclass(frozen=True, slots=True)
class Reservation:
    """What a DHCP server knows of one card: `label` is unique, `ip` None: any address."""

    label: str
    mac: str
    ip: IPv4Address | None
    name: str


def reservations(inventory: Inventory) -> Iterator[Reservation]:
    """One for each card of each PC; an adapter that is carried about has none."""
    for client in inventory.clients:
        for mac in client.macs:
            if mac not in inventory.adapters:
                label = f"pc-{mac.replace(':', '-')}"
                yield Reservation(label, mac, client.ip, client.name)


def server_files(inventory: Inventory, tftp_root: PurePosixPath) -> dict[PurePosixPath, str]:
    """All four; `tftp_root` is where the tree will lie."""
    root = inventory.server.tftp_root or tftp_root
    words = _words(inventory, root)
    dnsmasq = environment(Language.DNSMASQ).get_template("templates/dnsmasq.conf.j2")
    return {
        PurePosixPath("dhcpd.conf"): _template("dhcpd.conf.j2").render(words),
        PurePosixPath("kea-dhcp4.conf"): json.dumps(_kea(inventory, words), indent=2) + "\n",
        PurePosixPath("nginx.conf"): _template("nginx.conf.j2").render(words),
        PurePosixPath("dnsmasq.conf"): dnsmasq.render(words),
    }


def _words(inventory: Inventory, root: PurePosixPath) -> dict[str, object]:
    server = inventory.server
    shared = inventory.adapters
    pcs = [(client, [mac for mac in client.macs if mac not in shared])
           for client in inventory.clients]  # fmt: skip
    return {
        "server": server,
        "clients": [(client, macs) for client, macs in pcs if macs],
        "reservations": list(reservations(inventory)),
        "own": server.dhcp is Dhcp.OWN,
        "proxy": server.dhcp is Dhcp.PROXY,
        "lease_s": server.lease_hours * 3600,
        "tftp_root": root,
        "http_root": root.parent,
        "artefacts": sorted({e.folder for e in inventory.entries} | {"oglive"}),
        "forms_port": FORMS_PORT,
        "bios_loader": BIOS_LOADER,
        "uefi_loader": UEFI_TFTP[server.uefi_loader],
        "uefi_http_loader": UEFI_HTTP[server.uefi_loader],
        # By TFTP, from the program that gave the address: an HTTP server that hangs would hold iPXE
        # for ever, because nothing that a DHCP server can say bounds this first fetch.
        "first_script": f"tftp://{server.address}/{FIRST_SCRIPT}",
        "base_url": f"http://{server.authority}/netboot",
    }


@cache
def _template(name: str) -> Template:
    env = Environment(
        loader=FunctionLoader(resource),
        undefined=StrictUndefined,
        finalize=_guard,
        autoescape=False,  # noqa: S701  no HTML is written here, and `finalize` guards every value
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return env.get_template(f"templates/{name}")


def _guard(value: object) -> object:
    """Neither dhcpd nor nginx gives these signs a meaning, within a string or without."""
    if not _WORD.fullmatch(str(value)):
        raise NetbootError(
            f"{str(value)!r} cannot be written into a server's configuration",
            hint="use plain letters and digits there",
        )
    return value


# ---- Kea: JSON, so that nothing has to be guarded ------------------------------------------------


def _kea(inventory: Inventory, words: Mapping[str, object]) -> dict[str, object]:
    server = inventory.server
    rows = list(reservations(inventory))
    taken = [row.ip for row in rows if row.ip is not None]
    top: dict[str, object] = {
        "interfaces-config": {"interfaces": [server.interface]},
        "lease-database": {"type": "memfile"},
        "valid-lifetime": server.lease_hours * 3600,
        # iPXE's own options, of which one says that no second DHCP server is to be waited for.
        "option-def": [
            {"name": "ipxe", "code": 175, "space": "dhcp4", "type": "empty", "encapsulate": "ipxe"},
            {"name": "no-pxedhcp", "code": 176, "space": "ipxe", "type": "uint8"},
        ],
        "client-classes": _kea_classes(inventory, words),
        "subnet4": [_kea_subnet(inventory, rows)],
    }
    if server.dhcp is Dhcp.OWN:
        top["authoritative"] = True
    if len(taken) != len(set(taken)):  # a PC with two cards
        top["ip-reservations-unique"] = False
    return {"Dhcp4": top}


def _kea_classes(inventory: Inventory, words: Mapping[str, object]) -> list[dict[str, object]]:
    address = str(inventory.server.address)
    by_http = {"name": "vendor-class-identifier", "data": "HTTPClient", "always-send": True}

    def first(name: str, test: str, file: object, *options: dict[str, object]) -> dict[str, object]:
        told: dict[str, object] = {
            "name": name,
            "test": test,
            "next-server": address,
            "boot-file-name": str(file),
        }
        return {**told, "option-data": list(options)} if options else told

    # iPXE is known by its user class: without that mark it would be handed iPXE again, for ever.
    pxe, not_ipxe = "oglive-ipxe", "not member('oglive-ipxe') and option[93].hex == "
    return [
        first(pxe, "substring(option[77].hex,0,4) == 'iPXE'", words["first_script"],
              {"name": "ipxe"}, {"name": "no-pxedhcp", "space": "ipxe", "data": "1"}),
        first("oglive-bios", f"{not_ipxe}0x0000", BIOS_LOADER),
        first("oglive-uefi", f"{not_ipxe}0x0007", words["uefi_loader"]),
        first("oglive-uefi-bc", f"{not_ipxe}0x0009", words["uefi_loader"]),
        first("oglive-uefi-http", f"{not_ipxe}0x0010",
              f"{words['base_url']}/{words['uefi_http_loader']}", by_http),
    ]  # fmt: skip


def _kea_subnet(inventory: Inventory, rows: list[Reservation]) -> dict[str, object]:
    server = inventory.server
    options = []
    if server.router is not None:
        options.append({"name": "routers", "data": str(server.router)})
    if server.dns:
        options.append({"name": "domain-name-servers", "data": ", ".join(map(str, server.dns))})
    subnet: dict[str, object] = {
        "id": 1,
        "subnet": str(server.subnet),
        "option-data": options,
        "reservations": [
            {
                "hw-address": row.mac,
                **({"ip-address": str(row.ip)} if row.ip else {}),
                "hostname": row.name,
            }
            for row in rows
        ],
    }
    if server.dhcp_range is not None:
        first, last = server.dhcp_range
        subnet["pools"] = [{"pool": f"{first} - {last}"}]
    return subnet
