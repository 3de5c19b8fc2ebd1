# SPDX-License-Identifier: GPL-3.0-or-later
"""``ogrepo list``: the images as a table that fits its terminal."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

from oglib.wording import columns
from oglib.wording.amounts import human_bytes
from ogrepo.library.disks import PublishedDisk, disk_names, published_disks
from ogrepo.library.folder import open_folder
from ogrepo.library.store import Published, names, published
from ogrepo.library.waiting import all_waiting
from ogrepo.verbs.line import Words, add_verb, plain


def add_to(words: Words) -> Sequence[argparse.ArgumentParser]:
    return (add_verb(words, "list", _list, help="the images of a repository"),)


def _list(arguments: argparse.Namespace) -> int:
    folder = open_folder(arguments.dir)
    images: list[Published | PublishedDisk] = [*published(folder), *published_disks(folder)]
    waiting = list(all_waiting(folder.waiting))
    if arguments.json:
        waits = [one.as_dict() for one in waiting]
        told = {"images": [image.as_dict() for image in images], "waiting": waits}
        print(json.dumps(told, indent=2))
        return 0
    head = ("NAME", "VERSION", "SYSTEM", "FILESYSTEM", "SIZE", "NEEDS", "CAPTURED", "KEY")
    rows = [head, *(_columns(image) for image in images)]
    for line in table(rows, columns.of(sys.stdout)):
        print(line)
    for one in waiting:
        print(f"{plain(one.name)} version {one.version} waits for a signature: `ogrepo sign`.")
    complete = {image.name for image in images}
    for name in (*names(folder), *disk_names(folder)):
        if name not in complete:
            print(f"ogrepo: {plain(name)} is incomplete and not offered.", file=sys.stderr)
    return 0


# What a narrow terminal does without first; NAME and VERSION stay.
_SPARE = ("KEY", "NEEDS", "FILESYSTEM", "CAPTURED", "SYSTEM", "SIZE")


def table(rows: Sequence[tuple[str, ...]], most: int | None) -> list[str]:
    """Rows under their head, in lines of at most ``most`` columns where that can be."""
    shown = list(range(len(rows[0])))
    widths = [max(columns.width(row[one]) for row in rows) for one in shown]
    for name in _SPARE:
        if most is None or sum(widths[one] + 2 for one in shown) - 2 <= most:
            break
        shown.remove(rows[0].index(name))
    return ["  ".join(columns.padded(row[one], widths[one]) for one in shown).rstrip()
            for row in rows]  # fmt: skip


def _columns(image: Published | PublishedDisk) -> tuple[str, ...]:
    shown: dict[str, Any] = image.as_dict()
    return (
        image.name,
        str(shown["version"]),
        plain(shown["os"]) or "-",
        plain(shown["filesystem"]),
        human_bytes(shown["size_bytes"]),
        human_bytes(shown["required_bytes"]),
        plain(shown["created"][:16]),
        image.key_id or "unsigned",
    )
