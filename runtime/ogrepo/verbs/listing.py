# SPDX-License-Identifier: GPL-3.0-or-later
"""``ogrepo list``: the images as a table that fits its terminal."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from oglib.wording import columns
from oglib.wording.amounts import human_bytes
from ogrepo.library.disks import disk_names, published_disks
from ogrepo.library.folder import Folder, checked_name, open_folder
from ogrepo.library.foreign import foreign_names, published_foreign
from ogrepo.library.proving.proofs import known_proof, with_proof
from ogrepo.library.store import names, published
from ogrepo.library.waiting import all_waiting
from ogrepo.verbs.line import Words, add_verb, plain
from ogrepo.words import table


def add_to(words: Words) -> Sequence[argparse.ArgumentParser]:
    listing = add_verb(words, "list", _list, help="the images of a repository")
    listing.add_argument("--ou", metavar="OU", help="those of one organisational unit's folder")
    return (listing,)


def _list(arguments: argparse.Namespace) -> int:
    folder = open_folder(arguments.dir)
    below = f"{checked_name(arguments.ou)}/" if arguments.ou else ""
    images = [one for one in _shown(folder) if one["name"].startswith(below)]
    waiting = [one for one in all_waiting(folder.waiting) if one.name.startswith(below)]
    if arguments.json:
        waits = [one.as_dict() for one in waiting]
        print(json.dumps({"images": images, "waiting": waits}, indent=2))
        return 0
    head = ("NAME", "VERSION", "SYSTEM", "FILESYSTEM", "SIZE", "NEEDS", "CAPTURED", "KEY")
    rows = [head, *(_columns(image) for image in images)]
    for line in table(rows, columns.of(sys.stdout), SPARE):
        print(line)
    for one in waiting:
        print(f"{plain(one.name)} version {one.version} waits for a signature: `ogrepo sign`.")
    for image in images:
        if image.get("damaged"):
            print(f"ogrepo: {image['name']} is damaged: {plain(image['damaged'])}", file=sys.stderr)
    complete = {image["name"] for image in images}
    for name in (*names(folder), *disk_names(folder), *foreign_names(folder)):
        if name not in complete and name.startswith(below):
            print(f"ogrepo: {plain(name)} is incomplete and not offered.", file=sys.stderr)
    return 0


# What a narrow terminal does without first; NAME and VERSION stay.
SPARE = ("KEY", "NEEDS", "FILESYSTEM", "CAPTURED", "SYSTEM", "SIZE")


def _shown(folder: Folder) -> Iterator[dict[str, Any]]:
    """The entries of the listing, as the server gives them."""
    for image in published(folder):
        yield with_proof(image.as_dict(), known_proof(folder, image.name, image.manifest_bytes))
    for disk in published_disks(folder):
        yield with_proof(disk.as_dict(), known_proof(folder, disk.name, disk.raw))
    for other in published_foreign(folder):
        yield with_proof(other.as_dict(), known_proof(folder, other.name, other.raw))


def _columns(shown: dict[str, Any]) -> tuple[str, ...]:
    return (
        shown["name"] + " (damaged)" * bool(shown.get("damaged")),
        str(shown["version"]),
        plain(shown["os"]) or "-",
        plain(shown["filesystem"]),
        human_bytes(shown["size_bytes"]),
        human_bytes(shown["required_bytes"]),
        plain(shown["created"][:16]),
        shown["key_id"] or "unsigned",
    )
