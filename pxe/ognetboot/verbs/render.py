# SPDX-License-Identifier: GPL-3.0-or-later
"""`ognetboot render INVENTORY OUT [--test]`."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from ognetboot.assigning.mirror import mirror
from ognetboot.assigning.offers import OfferedTo, offers_at
from ognetboot.assigning.store import Store
from ognetboot.errors import NetbootError
from ognetboot.inventory import reading
from ognetboot.inventory.checks import directory
from ognetboot.inventory.claims import claimed
from ognetboot.inventory.custom import custom_files
from ognetboot.inventory.model import Inventory
from ognetboot.texts.loaders import places, read_loaders, told
from ognetboot.texts.pictures import pictures
from ognetboot.texts.publish import Changes, publish, remembering
from ognetboot.texts.refresh import check_source
from ognetboot.texts.render import in_order, needed_loaders, render
from ognetboot.verbs import Verbs, add_loaders, add_test

_MOST_TIMES = 5


def add(verbs: Verbs) -> None:
    """Its parser."""
    verb = verbs.add_parser(
        "render",
        help="write iPXE scripts, GRUB menus and dnsmasq.conf",
        description="Writes the tree OUT, which is the TFTP root and /netboot/ of the HTTP server. "
        "Only what changed is written; a PC that boots meanwhile sees each file old or new, whole.",
    )
    verb.set_defaults(run=run)
    verb.add_argument(
        "inventory", type=Path, metavar="INVENTORY", help="TOML file: server, entries, rooms, PCs"
    )
    verb.add_argument(
        "out", type=Path, metavar="OUT", help="folder to write, e.g. build/www/netboot"
    )
    add_test(verb)
    add_loaders(verb)
    verb.add_argument(
        "--beside",
        type=Path,
        action="append",
        default=[],
        metavar="OTHER",
        help="refuse a PC that this inventory claims too; may be given more than once",
    )
    verb.add_argument(
        "--ogserver",
        type=Path,
        metavar="DIR",
        help="also show the entries to OpenGnsys, whose folder this is: /opt/opengnsys",
    )
    verb.add_argument("--force", action="store_true", help="take the place of another inventory")
    verb.add_argument(
        "--dry-run", action="store_true", help="refuse what would be refused; write nothing"
    )


def run(args: argparse.Namespace) -> str:
    """Render and publish."""
    inventory = reading.load(args.inventory, allow_test=args.test)
    for other in args.beside:
        _refuse_claimed(inventory, other)
    _mirrored(inventory, args, dry_run=True)
    store = Store(args.inventory)
    written: set[PurePosixPath] = set()
    removed: set[PurePosixPath] = set()
    for _ in range(_MOST_TIMES):
        assigned = store.read()
        offered = offers_at(inventory, assigned, datetime.now(UTC))
        texts = texts_for(inventory, args.out, offered)
        changes = write(
            inventory, args.out, texts, args.loaders, source=args.inventory, dry_run=args.dry_run,
            force=args.force,
        )  # fmt: skip
        written.update(changes.written)
        removed.update(changes.removed)
        # What was assigned meanwhile has been written by whoever did it, and over it by us.
        if args.dry_run or store.read() == assigned:
            break
    shown = _mirrored(inventory, args, dry_run=args.dry_run)
    if not written and not removed:
        return "\n".join([f"{args.out}: nothing to change", *shown])
    count = len(inventory.clients)
    done = "would be written" if args.dry_run else "written"
    gone = f", {len(removed)} removed" if removed else ""
    said = f"{args.out}: {count} PC{'' if count == 1 else 's'}, {len(written)} files {done}{gone}"
    loaders = read_loaders(needed_loaders(inventory), places(args.loaders))
    return "\n".join([said, *(f"  {line}" for line in told(loaders)), *shown])


def _mirrored(inventory: Inventory, args: argparse.Namespace, *, dry_run: bool) -> list[str]:
    if args.ogserver is None:
        return []
    entries = inventory.known_entries.values()
    return mirror(
        args.ogserver, entries, args.inventory, args.out, dry_run=dry_run, force=args.force
    )


def _refuse_claimed(inventory: Inventory, path: Path) -> None:
    """Two inventories that claim one PC would send it to two servers, whoever answers first."""
    other = reading.load(path, allow_test=True)
    for mine, (kind, value), theirs in claimed(inventory.clients, other.clients):
        raise NetbootError(
            f"{mine.name} with the {kind} {value} is claimed by {path} too, as {theirs.name}",
            hint="leave the PC in one inventory; `ognetboot check` with both names all of them",
        )


Texts = Mapping[PurePosixPath, str]


def texts_for(inventory: Inventory, out: Path, offered: OfferedTo | None = None) -> Texts:
    """Every text of the tree that shall lie at `out`."""
    return render(inventory, tftp_root(inventory, out), offered)


def write(
    inventory: Inventory,
    out: Path,
    texts: Texts,
    site: Path | None,
    *,
    source: Path,
    dry_run: bool = False,
    force: bool = False,
) -> Changes:
    """Bring the tree to that, with loaders of the `site`'s folder where it has some.

    `source` is the inventory's file, which the tree remembers. That of another one is refused,
    unless it is `force`d.
    """
    if not force:
        hint = "name another OUT; `ognetboot render --force` puts this one in that one's place"
        check_source(out, source, hint=hint)
    loaders = read_loaders(needed_loaders(inventory), places(site))
    files = {
        **{PurePosixPath(n): c for n, c in custom_files(source, inventory.entries).items()},
        **remembering(source),
        **{name: text.encode("utf-8") for name, text in texts.items()},
        **pictures(inventory, source.parent),
        **{PurePosixPath(name): found.content for name, found in loaders.items()},
    }
    place = out.parent.resolve() / out.name
    return publish(place, in_order(files), _links(inventory), dry_run=dry_run)


def tftp_root(inventory: Inventory, out: Path) -> PurePosixPath:
    """Where the TFTP server finds the tree that shall lie at `out`."""
    if inventory.server.tftp_root is not None:
        return inventory.server.tftp_root
    try:
        return directory(str(out.parent.resolve() / out.name))
    except ValueError as error:
        raise NetbootError(
            f"OUT: {error}, and dnsmasq would misread it",
            hint="choose a plain path, or set `tftp_root` in [server] to where it will be served",
        ) from None


def _links(inventory: Inventory) -> dict[PurePosixPath, str]:
    """The artefact folders lie beside OUT under the HTTP root; a link lets TFTP reach them too."""
    folders = {e.folder for e in inventory.entries}
    return {PurePosixPath(name): f"../{name}" for name in sorted(folders | {"oglive"})}
