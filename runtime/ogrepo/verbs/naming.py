# SPDX-License-Identifier: GPL-3.0-or-later
"""``ogrepo copy`` and ``ogrepo rename``."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence

from ogrepo.intake.under_way import refuse_under_way
from ogrepo.library.folder import Folder, open_folder
from ogrepo.library.moving.holdings import Holdings
from ogrepo.library.moving.naming import copy, finish_renames, plan_copy, plan_rename, rename
from ogrepo.verbs.line import NAME, Behind, Words, add_verb
from ogrepo.words import say

_NEW = Behind("new", "NEW", "The new name is missing.")


def add_to(words: Words) -> Sequence[argparse.ArgumentParser]:
    copied = add_verb(
        words,
        "copy",
        _copy,
        NAME,
        _NEW,
        help="publish an image under another name too",
        description="The bytes are not copied: both names lead to them. The manifest carries the "
        "name, so it is signed anew, as a version of NEW that says where it comes from.",
    )
    renamed = add_verb(
        words,
        "rename",
        _rename,
        NAME,
        _NEW,
        help="give an image another name",
        description="As `ogrepo copy`, and then NAME goes to the trash with its older versions.",
    )
    for verb in (copied, renamed):
        verb.add_argument("--dry-run", action="store_true", help="say what would be done")
    return copied, renamed


def _copy(arguments: argparse.Namespace) -> int:
    return _run(arguments, plan_copy, copy, "copied")


def _rename(arguments: argparse.Namespace) -> int:
    return _run(arguments, plan_rename, rename, "renamed")


def _run(
    arguments: argparse.Namespace,
    plan: Callable[[Folder, str, str], Holdings],
    work: Callable[[Folder, str, str], int],
    told: str,
) -> int:
    folder = open_folder(arguments.dir)
    name, new = arguments.name, arguments.new
    finish_renames(folder)
    refuse_under_way(folder, name, new)
    held = plan(folder, name, new)
    result: dict[str, object] = {"image": name, "new": new, "version": held.version}
    if arguments.dry_run:
        _tell(arguments, result, f"{name} version {held.version} would be {told} to {new}")
        return 0
    version = work(folder, name, new)
    result |= {"new_version": version}
    line = f"{name} version {held.version} was {told} to {new}, as its version {version}"
    if told == "renamed":
        line += f"; {name} itself is in the trash"
    _tell(arguments, result, line)
    return 0


def _tell(arguments: argparse.Namespace, result: dict[str, object], line: str) -> None:
    if arguments.json:
        print(json.dumps(result))
    else:
        say(f"{line}.")
