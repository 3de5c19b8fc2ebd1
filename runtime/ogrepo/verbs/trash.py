# SPDX-License-Identifier: GPL-3.0-or-later
"""``ogrepo delete``, and ``ogrepo trash list|restore|empty``: what went can come back."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence

from oglib.wording import columns
from oglib.wording.amounts import human_bytes
from ogrepo.intake.under_way import refuse_under_way
from ogrepo.library.folder import Folder, checked_name, open_folder
from ogrepo.library.moving.entries import Entry, entries, shown_id, wanted
from ogrepo.library.moving.holdings import Holdings
from ogrepo.library.moving.naming import finish_renames
from ogrepo.library.moving.trash import (
    bring_back,
    bring_back_as,
    empty,
    plan_removal,
    refuse_taken,
    remove,
    sweep,
)
from ogrepo.verbs.line import NAME, Behind, Words, add_verb, plain
from ogrepo.words import say, table

_WHICH = "a name, or an id as NAME~2"
_NARROW = ("WHY", "DELETED", "VERSION", "SIZE")


def add_to(words: Words) -> Sequence[argparse.ArgumentParser]:
    gone = add_verb(
        words,
        "delete",
        _delete,
        NAME,
        help="move an image to the trash, with all of its versions",
        description="It takes the room that it took until the trash is emptied.",
    )
    trash = words.add_parser("trash", help="what was deleted: list, restore, empty")
    inner = trash.add_subparsers(metavar="WHAT", required=True, parser_class=type(trash))
    listed = add_verb(inner, "list", _list, help="what is in the trash")
    back = add_verb(
        inner,
        "restore",
        _restore,
        Behind("name", "NAME", "What shall come back is missing.", help=_WHICH),
        help="bring an image back with all of its versions",
    )
    back.add_argument(
        "--as", dest="new", metavar="NEW", help="under another name, as a first version of that"
    )
    emptied = add_verb(
        inner,
        "empty",
        _empty,
        Behind("name", "NAME", help=f"{_WHICH}; default: all"),
        help="remove for ever what is in the trash",
    )
    for verb in (gone, back, emptied):
        verb.add_argument("--dry-run", action="store_true", help="say what would be done")
    return gone, listed, back, emptied


def _delete(arguments: argparse.Namespace) -> int:
    folder = open_folder(arguments.dir)
    name = checked_name(arguments.name)
    finish_renames(folder)
    refuse_under_way(folder, name)
    held = plan_removal(folder, name)
    if not arguments.dry_run:
        held = remove(folder, name, "deleted")
    told = {
        "image": name,
        "version": held.version,
        "files": [str(path) for path in held.shown],
        "older_versions": _older(held),
    }
    if arguments.json:
        print(json.dumps(told))
        return 0
    older = f", and {_older(held)} older versions" if _older(held) else ""
    went = "would go" if arguments.dry_run else "went"
    say(
        f"{name} version {held.version} {went} to the trash: {len(held.shown)} files that were "
        f"shown{older}."
    )
    if not arguments.dry_run:
        say(f"`ogrepo trash restore {folder.root} {name}` brings it back.")
    return 0


def _older(held: Holdings) -> int:
    numbers = {path.name.partition(".")[0] for path in held.records}
    return len(numbers - {str(held.version)})


def _list(arguments: argparse.Namespace) -> int:
    folder = open_folder(arguments.dir)
    found = entries(folder)
    if arguments.json:
        print(json.dumps({"trash": [entry.as_dict() for entry in found]}, indent=2))
        return 0
    if not found:
        say(f"The trash of {folder.root} is empty.")
        return 0
    head = ("ID", "VERSION", "SIZE", "DELETED", "WHY")
    rows = [head, *(_row(entry) for entry in found)]
    for line in table(rows, columns.of(sys.stdout), _NARROW):
        print(line)
    own = sum(entry.own_bytes for entry in found)
    say(f"Emptying it gives {human_bytes(own)} back.")
    return 0


def _row(entry: Entry) -> tuple[str, ...]:
    about = entry.about
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(about.at))
    size = human_bytes(entry.size_bytes)
    return plain(shown_id(entry.id)), str(about.version), size, when, plain(about.why)


def _restore(arguments: argparse.Namespace) -> int:
    folder = open_folder(arguments.dir)
    entry = wanted(folder, arguments.name)
    name = arguments.new or entry.about.name
    finish_renames(folder)
    refuse_under_way(folder, checked_name(name))
    refuse_taken(folder, name)
    version = entry.about.version
    if not arguments.dry_run:
        version = _bring(folder, entry, arguments.new)
    if arguments.json:
        print(json.dumps({"image": name, "version": version, "id": entry.id}))
        return 0
    came = "would come back" if arguments.dry_run else "came back"
    number = f" as its version {version}" if version != entry.about.version else ""
    say(f"{entry.about.name} version {entry.about.version} {came} as {name}{number}.")
    return 0


def _bring(folder: Folder, entry: Entry, new: str | None) -> int:
    if new is not None and new != entry.about.name:
        return bring_back_as(folder, entry, new)
    return bring_back(folder, entry)


def _empty(arguments: argparse.Namespace) -> int:
    folder = open_folder(arguments.dir)
    gone = [wanted(folder, arguments.name)] if arguments.name else entries(folder)
    own = sum(entry.own_bytes for entry in gone)
    if not arguments.dry_run:
        sweep(folder)
        empty(folder, gone)
    if arguments.json:
        told = {"emptied": [entry.as_dict() for entry in gone], "own_bytes": own}
        print(json.dumps(told, indent=2))
        return 0
    for entry in gone:
        went = "would be removed" if arguments.dry_run else "was removed"
        say(f"{shown_id(entry.id)} version {entry.about.version} {went} for ever.")
    say(f"{human_bytes(own)} in all, which `ogrepo prune` gives back.")
    return 0
