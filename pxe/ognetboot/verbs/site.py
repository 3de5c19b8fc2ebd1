# SPDX-License-Identifier: GPL-3.0-or-later
"""`ognetboot site FOLDER OUT`."""

from __future__ import annotations

import argparse
from pathlib import Path

from ognetboot.overlay import site
from ognetboot.verbs import Verbs


def add(verbs: Verbs) -> None:
    """Its parser."""
    verb = verbs.add_parser(
        "site",
        help="pack a folder of the site's own files into site.cpio",
        description="Packs FOLDER, laid out like ogLive's root (etc/oglive/keys/image.pub, "
        "etc/oglive/policy.toml), into the overlay that ogLive puts over its root at each boot. A "
        "private key, a policy that does not parse and unknown words are refused.",
    )
    verb.set_defaults(run=run)
    verb.add_argument("folder", type=Path, metavar="FOLDER", help="the site's files")
    verb.add_argument("out", type=Path, metavar="OUT", help="e.g. oglive/site.cpio")
    verb.add_argument(
        "--keys", type=Path, metavar="DIR", help="also put in the public keys of a repository"
    )
    verb.add_argument(
        "--ca", type=Path, metavar="FILE", help="also put in the site's CA, as etc/oglive/ca.pem"
    )
    verb.add_argument(
        "--dry-run", action="store_true", help="refuse what would be refused; write nothing"
    )


def run(args: argparse.Namespace) -> str:
    """Pack and write."""
    extra = site.Extra(args.keys, args.ca)
    changed = site.write(args.folder, args.out, extra, dry_run=args.dry_run)
    done = "would be written" if args.dry_run else "written"
    return f"{args.out}: {done if changed else 'nothing to change'}"
