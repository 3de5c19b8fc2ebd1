# SPDX-License-Identifier: GPL-3.0-or-later
"""``ogrepo versions``, ``pin`` and ``unpin``: what is kept of an image, and what must stay."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from oglib.errors import NotFoundError
from oglib.image.format.foreign_record import ForeignRecord
from oglib.wording import columns
from oglib.wording.amounts import human_bytes
from ogrepo.library.folder import Folder, checked_name, open_folder
from ogrepo.verbs.line import NAME, Behind, Words, add_verb, plain
from ogrepo.versions.kept import (
    Kept,
    kept_names,
    kept_versions,
    known_name,
    read_kept,
    split_version,
    standing,
    versions_of,
)
from ogrepo.versions.pins import pin, pins_of, unpin
from ogrepo.words import table

_SPARE = ("TITLE", "CAPTURED", "SIZE")


def add_to(words: Words) -> Sequence[argparse.ArgumentParser]:
    name = Behind("name", "NAME", help="default: every image")
    pinned = Behind("name", "NAME[@N]", NAME.missing, help="default: the version that is shown")
    freed = Behind("name", "NAME[@N]", NAME.missing, help="default: every version of it")
    return (
        add_verb(words, "versions", _versions, name, help="the versions of images that are kept"),
        add_verb(words, "pin", _pin, pinned, help="keep a version until it is unpinned"),
        add_verb(words, "unpin", _unpin, freed, help="let the policy decide about it again"),
    )


def _versions(arguments: argparse.Namespace) -> int:
    folder = open_folder(arguments.dir)
    if arguments.name:
        names = [known_name(folder, checked_name(arguments.name))]
    else:
        names = [name for name in kept_names(folder) if versions_of(folder, name)]
    told = [one for name in names for one in _told(folder, name)]
    if arguments.json:
        print(json.dumps({"versions": told}, indent=2))
        return 0
    if not told:
        print(f"No version of an image is kept in {folder.root}.")
        return 0
    head = ("NAME", "VERSION", "CAPTURED", "SIZE", "STATE", "TITLE")
    for line in table([head, *map(_columns, told)], columns.of(sys.stdout), _SPARE):
        print(line)
    return 0


def _told(folder: Folder, name: str) -> list[dict[str, Any]]:
    """What is said of each version of one name, the newest first."""
    now, pinned = standing(folder, name), pins_of(folder, name)
    told: list[dict[str, Any]] = []
    first: dict[tuple[str, ...], int] = {}
    for kept in kept_versions(folder, name):
        same = first.setdefault(kept.content, kept.version)
        told.append(
            {
                "name": name,
                "version": kept.version,
                **_about(kept),
                "size_bytes": kept.size_bytes,
                "shown": kept.version == now.shown,
                "before": kept.version == now.before,
                "pinned": kept.version in pinned,
                "same_as": 0 if same == kept.version else same,
            }
        )
    return told[::-1]


def _about(kept: Kept) -> dict[str, str]:
    about = kept.about
    if isinstance(about, ForeignRecord):
        return {"created": about.created, "title": "", "comment": ""}
    return {"created": about.created, "title": about.title, "comment": about.comment}


def _columns(told: dict[str, Any]) -> tuple[str, ...]:
    states: Iterable[tuple[Any, str]] = (
        (told["shown"], "shown"),
        (told["before"], "the one before"),
        (told["pinned"], "pinned"),
        (told["same_as"], f"as {told['same_as']}"),
    )
    return (
        told["name"],
        str(told["version"]),
        plain(told["created"][:16]),
        human_bytes(told["size_bytes"]),
        ", ".join(word for holds, word in states if holds) or "-",
        plain(told["title"]),
    )


def _pin(arguments: argparse.Namespace) -> int:
    folder = open_folder(arguments.dir)
    name, version = split_version(arguments.name)
    known_name(folder, name)
    version = version or standing(folder, name).shown
    if not version:
        raise NotFoundError(
            f"No version of {name} is shown.",
            hint=f"Name one, as in {name}@{_newest(folder, name)}.",
        )
    pin(folder, name, version)
    _say(arguments, name, [version], "stays until it is unpinned")
    return 0


def _unpin(arguments: argparse.Namespace) -> int:
    folder = open_folder(arguments.dir)
    name, version = split_version(arguments.name)
    versions = [version] if version else sorted(pins_of(folder, name))
    if not versions:
        raise NotFoundError(f"No version of {name} is pinned.")
    for one in versions:
        unpin(folder, name, one)
    _say(arguments, name, versions, "is no longer pinned")
    return 0


def _newest(folder: Folder, name: str) -> int:
    return read_kept(folder, name, versions_of(folder, name)[-1]).version


def _say(arguments: argparse.Namespace, name: str, versions: list[int], what: str) -> None:
    if arguments.json:
        print(json.dumps({"image": name, "versions": versions}))
        return
    for version in versions:
        print(f"{name} version {version} {what}.")
