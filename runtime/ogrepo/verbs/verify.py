# SPDX-License-Identifier: GPL-3.0-or-later
"""``ogrepo verify``: images are judged, told, and what was found is remembered."""

from __future__ import annotations

import argparse
import difflib
import json
import sys
import time
from collections.abc import Sequence

from oglib.errors import NotFoundError, OgError, UsageError
from oglib.image.format.manifest import PublicKey, load_public_keys
from oglib.reporters import for_stream
from ogrepo.library.folder import Folder, checked_name, held, open_folder
from ogrepo.library.proving.pacing import Pace
from ogrepo.library.proving.rounds import (
    ChangedError,
    UnsignedError,
    due_names,
    is_damage,
    names_of,
    prove_name,
)
from ogrepo.verbs.line import Behind, Words, add_verb, plain
from ogrepo.words import fitted

_MIB = 1 << 20


def add_to(words: Words) -> Sequence[argparse.ArgumentParser]:
    verb = add_verb(
        words,
        "verify",
        _verify,
        Behind("name", "NAME", help="default: every image"),
        help="prove images against their digests and signature",
        description="Reads images from end to end. What was found is remembered: a damaged one is "
        "marked in every listing until it is mended. The exit code is that of the last bad one.",
    )
    verb.add_argument("--all", action="store_true", help="every image; so it is without NAME")
    verb.add_argument(
        "--due",
        type=float,
        metavar="DAYS",
        help="those alone that were proven longer ago, never, or found damaged; oldest first",
    )
    verb.add_argument(
        "--rate", type=int, default=0, metavar="MIB", help="read at most so many MiB a second"
    )
    return (verb,)


def _verify(arguments: argparse.Namespace) -> int:
    """Judge every image, also after one was bad."""
    _check(arguments)
    folder = open_folder(arguments.dir)
    keys = load_public_keys(folder.keys)
    if arguments.due is None:
        return _judge_all(arguments, folder, keys, _wanted(folder, arguments.name))
    with held(folder, "verify", what=f"The verification of {folder.root}"):
        wanted = due_names(folder, time.time(), arguments.due)
        return _judge_all(arguments, folder, keys, wanted)


def _check(arguments: argparse.Namespace) -> None:
    if arguments.name and (arguments.all or arguments.due is not None):
        raise UsageError("NAME is one image, --all and --due are of every one.")
    if arguments.due is not None and not arguments.due >= 0:
        raise UsageError("--due takes a number of days.")
    if arguments.rate < 0:
        raise UsageError("--rate must be 0 or more.")


def _wanted(folder: Folder, name: str | None) -> list[str]:
    everything = names_of(folder)
    if not name:
        return everything
    if checked_name(name) not in everything:
        raise _absent(folder, name, everything)
    return [name]


def _judge_all(
    arguments: argparse.Namespace, folder: Folder, keys: list[PublicKey], wanted: list[str]
) -> int:
    worst = 0
    results: list[dict[str, object]] = []
    pace = Pace(arguments.rate * _MIB)
    for name in wanted:
        progress = for_stream(sys.stderr, as_json=arguments.json)
        try:
            good = prove_name(folder, name, keys, progress, pace=pace, now=time.time())
        except OgError as error:
            worst = int(error.code)
            results.append({"image": name, "found": _word(error), **error.as_dict()})
            line = f"{plain(name)}: {_word(error)}: {plain(str(error))}"
        else:
            results.append({**good.about, "found": "good"})
            line = f"{name}: good: {good.text}"
        if not arguments.json:
            print(fitted(line, sys.stdout), flush=True)
    if arguments.json:
        print(json.dumps({"images": results}, indent=2))
    elif not wanted:
        nothing = "is due" if arguments.due is not None and names_of(folder) else "is there"
        print(f"{folder.root}: nothing {nothing} to be proven.")
    return worst


def _word(error: OgError) -> str:
    """What was found, in a word: not there any more, for one, is no damage."""
    if is_damage(error):
        return "DAMAGED"
    kinds = ((NotFoundError, "MISSING"), (UnsignedError, "UNSIGNED"), (ChangedError, "CHANGED"))
    return next((word for kind, word in kinds if isinstance(error, kind)), "UNKNOWN")


def _absent(folder: Folder, name: str, everything: Sequence[str]) -> NotFoundError:
    near = difflib.get_close_matches(name, everything, n=1)
    listing = f"`ogrepo list {folder.root}` shows what is there."
    return NotFoundError(
        f"There is no image {name} in {folder.root}.",
        hint=f"Did you mean {near[0]}?" if near else listing,
    )
