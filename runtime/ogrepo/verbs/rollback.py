# SPDX-License-Identifier: GPL-3.0-or-later
"""``ogrepo rollback``: the content of an earlier version becomes the newest one."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from oglib.errors import NotFoundError, OgErr, UsageError
from oglib.reporters import for_stream
from ogrepo.library.folder import Folder, checked_name, open_folder
from ogrepo.verbs.line import NAME, Behind, Words, add_verb
from ogrepo.versions.again import publish_again
from ogrepo.versions.kept import known_name, read_kept, standing, versions_of


def add_to(words: Words) -> Sequence[argparse.ArgumentParser]:
    version = Behind("version", "VERSION", help="default: the one before what is shown")
    told = "publish an earlier version of an image again"
    verb = add_verb(words, "rollback", _rollback, NAME, version, help=told)
    verb.add_argument("--dry-run", action="store_true", help="only say what would be done")
    return (verb,)


def _rollback(arguments: argparse.Namespace) -> int:
    folder = open_folder(arguments.dir)
    name = known_name(folder, checked_name(arguments.name))
    now = standing(folder, name).shown
    wanted = _number(arguments.version) if arguments.version else _before(folder, name, now)
    kept = read_kept(folder, name, wanted)
    if wanted == now:
        raise UsageError(f"{name} version {wanted} is shown already.")
    told: dict[str, object] = {"image": name, "content_of": wanted, "shown_before": now}
    if not arguments.dry_run:
        progress = for_stream(sys.stderr, as_json=arguments.json)
        done = publish_again(folder, kept, name, progress)
        told |= {"version": done.version, "waits": done.waits}
    if arguments.json:
        print(json.dumps(told))
    elif arguments.dry_run:
        print(f"{name} would get a new version with the content of version {wanted}.")
    elif told["waits"]:
        print(f"{name} version {told['version']} waits for its signature: `ogrepo sign`.")
    else:
        print(f"{name} version {told['version']} is shown, with the content of version {wanted}.")
    return 0


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 0 < int(text) < 1 << 63):
        raise UsageError(f"{text!r} is no version.", hint="Give its number, as in 3.")
    return int(text)


def _before(folder: Folder, name: str, shown: int) -> int:
    """The newest version below the one that is shown; the newest of all where none is."""
    older = [one for one in versions_of(folder, name) if not shown or one < shown]
    if not older:
        raise NotFoundError(
            f"No version of {name} before {shown} is kept.",
            hint=f"`ogrepo versions {folder.root} {name}` shows what is.",
            code=OgErr.NOTFOUND,
        )
    return older[-1]
