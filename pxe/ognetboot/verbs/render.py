# SPDX-License-Identifier: GPL-3.0-or-later
"""`ognetboot render INVENTORY OUT [--test]`."""

from __future__ import annotations

import argparse
from pathlib import Path, PurePosixPath

from ognetboot.errors import NetbootError
from ognetboot.inventory import reading
from ognetboot.inventory.checks import directory
from ognetboot.inventory.model import Inventory
from ognetboot.texts.loaders import DEBIAN_LIBRARY, read_loaders
from ognetboot.texts.publish import publish
from ognetboot.texts.render import needed_loaders, render
from ognetboot.verbs import Verbs


def add(verbs: Verbs) -> None:
    """Its parser."""
    verb = verbs.add_parser(
        "render",
        help="write iPXE scripts, GRUB menus and dnsmasq.conf",
        description="Writes the tree OUT, which is the TFTP root and /netboot/ of the HTTP server. "
        "All or nothing: a PC that boots meanwhile sees the old files or the new ones.",
    )
    verb.set_defaults(run=run)
    verb.add_argument(
        "inventory", type=Path, metavar="INVENTORY", help="TOML file: server, entries, rooms, PCs"
    )
    verb.add_argument(
        "out", type=Path, metavar="OUT", help="folder to write, e.g. build/www/netboot"
    )
    verb.add_argument(
        "--test",
        action="store_true",
        help="allow the test and debug profiles, whose root console is open",
    )
    verb.add_argument(
        "--loaders",
        type=Path,
        default=DEBIAN_LIBRARY,
        metavar="DIR",
        help="where ipxe/, shim/ and grub/ of Debian's packages are (default: %(default)s)",
    )
    verb.add_argument(
        "--dry-run", action="store_true", help="refuse what would be refused; write nothing"
    )


def run(args: argparse.Namespace) -> str:
    """Render and publish."""
    out: Path = args.out
    inventory = reading.load(args.inventory, allow_test=args.test)
    place = out.parent.resolve() / out.name
    texts = render(inventory, _tftp_root(inventory, place))
    loaders = read_loaders(needed_loaders(inventory), args.loaders)
    files = {
        **{name: text.encode("ascii") for name, text in texts.items()},
        **{PurePosixPath(name): content for name, content in loaders.items()},
    }
    if not publish(place, files, _links(inventory), dry_run=args.dry_run):
        return f"{out}: nothing to change"
    count = len(inventory.clients)
    done = "would be written" if args.dry_run else "written"
    return f"{out}: {count} PC{'' if count == 1 else 's'}, {len(files)} files {done}"


def _tftp_root(inventory: Inventory, place: Path) -> PurePosixPath:
    if inventory.server.tftp_root is not None:
        return inventory.server.tftp_root
    try:
        return directory(str(place))
    except ValueError as error:
        raise NetbootError(
            f"OUT: {error}, and dnsmasq would misread it",
            hint="choose a plain path, or set `tftp_root` in [server] to where it will be served",
        ) from None


def _links(inventory: Inventory) -> dict[PurePosixPath, str]:
    """The artefact folders lie beside OUT under the HTTP root; a link lets TFTP reach them too."""
    folders = {e.folder for e in inventory.entries}
    return {PurePosixPath(name): f"../{name}" for name in sorted(folders | {"oglive"})}
