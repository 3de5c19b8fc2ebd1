# SPDX-License-Identifier: GPL-3.0-or-later
"""`ognetboot render INVENTORY OUT [--test]` and `ognetboot site FOLDER OUT`: arguments to calls.

Exit codes: 0 done or nothing to change, 1 refused (one sentence and a hint on standard error; on a
terminal it is folded to its width), 2 usage.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NoReturn

from ognetboot import inventory as inventories
from ognetboot import site
from ognetboot.checks import directory
from ognetboot.errors import NetbootError
from ognetboot.loaders import DEBIAN_LIBRARY, read_loaders
from ognetboot.model import Inventory
from ognetboot.publish import publish
from ognetboot.render import needed_loaders, render


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of the console script."""
    args = _parser().parse_args(argv)
    try:
        if args.verb == "site":
            extra = site.Extra(args.keys, args.ca)
            changed = site.write(args.folder, args.out, extra, dry_run=args.dry_run)
            done = "would be written" if args.dry_run else "written"
            print(f"{args.out}: {done if changed else 'nothing to change'}")
        else:
            print(_render(args))
    except NetbootError as error:
        hint = f"{error.hint[:1].upper()}{error.hint[1:]}"
        _say(f"{error.message}. {hint}{'' if hint.endswith('?') else '.'}")
        return 1
    except OSError as error:
        named = f" {error.filename}" if error.filename else ""
        _say(f"the system refused{named}: {error.strerror or error}. Check its rights.")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _say(text: str) -> None:
    """One line for a log or a pipe, folded for a terminal."""
    line = "".join(char if char.isprintable() else "?" for char in f"ognetboot: {text}")
    if sys.stderr.isatty():
        width = max(20, shutil.get_terminal_size().columns - 1)
        line = textwrap.fill(line, width, subsequent_indent="  ", break_on_hyphens=False)
    print(line, file=sys.stderr)


class _Parser(argparse.ArgumentParser):
    """Wrong arguments are one sentence too; no option may be shortened."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"allow_abbrev": False, **kwargs})

    def error(self, message: str) -> NoReturn:
        _say(f"{message[:1].upper()}{message[1:]}. See `{self.prog} --help`.")
        sys.exit(2)


class _Version(argparse.Action):
    """Looks the version up only when it is asked for: that import is slow."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from importlib.metadata import version  # noqa: PLC0415

        parser.exit(message=f"ognetboot {version('oglive')}\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="ognetboot", description="Writes what the PCs of an inventory boot from the network."
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and stop")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    verb = verbs.add_parser(
        "render",
        help="write iPXE scripts, GRUB menus and dnsmasq.conf",
        description="Writes the tree OUT, which is the TFTP root and /netboot/ of the HTTP server. "
        "All or nothing: a PC that boots meanwhile sees the old files or the new ones.",
    )
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
    overlay = verbs.add_parser(
        "site",
        help="pack a folder of the site's own files into site.cpio",
        description="Packs FOLDER, laid out like ogLive's root (etc/oglive/keys/image.pub, "
        "etc/oglive/policy.toml), into the overlay that ogLive puts over its root at each boot. A "
        "private key, a policy that does not parse and unknown words are refused.",
    )
    overlay.add_argument("folder", type=Path, metavar="FOLDER", help="the site's files")
    overlay.add_argument("out", type=Path, metavar="OUT", help="e.g. oglive/site.cpio")
    overlay.add_argument(
        "--keys", type=Path, metavar="DIR", help="also put in the public keys of a repository"
    )
    overlay.add_argument(
        "--ca", type=Path, metavar="FILE", help="also put in the site's CA, as etc/oglive/ca.pem"
    )
    for one in (verb, overlay):
        one.add_argument(
            "--dry-run", action="store_true", help="refuse what would be refused; write nothing"
        )
    return parser


def _render(args: argparse.Namespace) -> str:
    out: Path = args.out
    inventory = inventories.load(args.inventory, allow_test=args.test)
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
    folders = {e.directory.partition("/")[0] for e in inventory.entries}
    return {PurePosixPath(name): f"../{name}" for name in sorted(folders | {"oglive"})}
