# SPDX-License-Identifier: GPL-3.0-or-later
"""What PCs will ask for and not find: looked for before the first of them does."""

from __future__ import annotations

import contextlib
import http.client
import socket
from collections.abc import Iterator
from ipaddress import IPv4Address
from itertools import product
from pathlib import Path

from ognetboot.inventory.entries import Kind, Variant
from ognetboot.inventory.model import Inventory

_ROOTS = ("ogclient.sqfs", "ogclient.erofs")
_ASK_S = 3.0


def missing(inventory: Inventory, out: Path, *, serves_files: bool, asks: bool) -> Iterator[str]:
    """A sentence for each thing; it looks at files and at this machine, and `asks` the repository:
    the daemon of a larger site may speak with this machine alone.
    """
    yield from _files(inventory, out)
    yield from _address(inventory)
    if asks:
        yield from _repositories(inventory, serves_files)


def _files(inventory: Inventory, out: Path) -> Iterator[str]:
    above = out.parent
    wanted: dict[Path, tuple[str, ...]] = {}
    everybody = (None, *inventory.clients)
    versions = {inventory.choices_of(client).oglive for client in everybody}
    for entry, version in product(inventory.entries, sorted(versions, key=str)):
        if entry.kind is Kind.OGLIVE:
            one_file = entry.variant is Variant.ONE_FILE
            names = ("ogvmlinuz", "oglive-onefile.img" if one_file else "oginitrd.img")
            folder = above / entry.directory_of(version)
            wanted[folder] = tuple(dict.fromkeys((*wanted.get(folder, ()), *names)))
            if not one_file and not any((folder / root).is_file() for root in _ROOTS):
                wanted[folder] = (*wanted[folder], _ROOTS[0])
    for folder, files in wanted.items():
        if not folder.is_dir():
            yield f"there is no ogLive in {folder}"
            continue
        absent = [name for name in dict.fromkeys(files) if not (folder / name).is_file()]
        if absent:
            yield f"{folder} has no {', '.join(absent)}"
    overlay = above / "oglive/site.cpio"
    if inventory.server.site_overlay and not overlay.is_file():
        yield f"{overlay} is not there: `ognetboot site` writes it"


def _address(inventory: Inventory) -> Iterator[str]:
    server = inventory.server
    if not _is_mine(server.address):
        yield f"{server.address}, which PCs are sent to, is no address of this machine"
    if not Path("/sys/class/net", server.interface).exists():
        yield f"this machine has no network interface {server.interface}"


def _is_mine(address: IPv4Address) -> bool:
    """Whether a socket can be bound there; nothing is sent."""
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as sock:
        try:
            sock.bind((str(address), 0))
        except OSError:
            return False
    return True


def _repositories(inventory: Inventory, serves_files: bool) -> Iterator[str]:
    here = inventory.server.authority
    named = {inventory.choices_of(client).repository for client in (None, *inventory.clients)}
    for place in sorted({name or here for name in named}):
        if place == here and serves_files:
            yield (
                f"the repository is to be at {place}, and this program serves no images: start "
                "`ogrepo serve` on another port and name it as `repository` in [server]"
            )
        elif why := _silent(place):
            yield f"the repository {place} does not answer: {why}"


def _silent(place: str) -> str:
    """Why nothing answers there; empty: something does."""
    host, _, port = place.partition(":")
    asked = http.client.HTTPConnection(host, int(port or 80), timeout=_ASK_S)
    try:
        asked.request("GET", "/healthz")
        asked.getresponse().read(64)
    except (OSError, http.client.HTTPException) as error:
        return str(getattr(error, "strerror", None) or error or "no HTTP")[:100]
    finally:
        asked.close()
    return ""
