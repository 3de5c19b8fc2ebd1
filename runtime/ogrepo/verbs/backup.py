# SPDX-License-Identifier: GPL-3.0-or-later
"""``ogrepo backup``, ``restore`` and ``fill``: the server burnt down, and its trust did not."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from oglib.errors import OgErr, UsageError
from oglib.texts import open_plain, read_whole
from oglib.wording.amounts import human_bytes
from ogrepo.backup.collect import Server
from ogrepo.backup.filling import fill
from ogrepo.backup.making import Made, back_up, back_up_to
from ogrepo.backup.model import CONFIG as SECTION_CONFIG
from ogrepo.backup.model import UNITS as SECTION_UNITS
from ogrepo.backup.needs import Need, missing, unreadable
from ogrepo.backup.restoring import UNITS_BEFORE, Target, restore
from ogrepo.install import units
from ogrepo.install.model import CONFIG, UNITS
from ogrepo.library.folder import open_folder
from ogrepo.verbs.line import Behind, Words, add_verb, plain
from ogrepo.words import fitted

_FILE = Behind("file", "FILE", "The backup's file is missing.", "a new file, or - for a pipe")
_PLACE = Behind("place", "PLACE", help="a folder or address that has bytes/ or images/")
_MOST_SHOWN = 20
_Say = Callable[[str], None]


def add_to(words: Words) -> Sequence[argparse.ArgumentParser]:
    backup = add_verb(
        words,
        "backup",
        _backup,
        _FILE,
        help="write a server's state into one file",
        description="Writes keys (the private ones, too), inventory, policy, CA, manifests with "
        "their signatures, version numbers and tokens into a tar that its owner alone can read. "
        "It is NOT encrypted. The bytes of images are not in it.",
    )
    restored = words.add_parser(
        "restore",
        help="make a server of a backup",
        description="Makes the repository DIR and the configuration of a backup, which must both "
        "be new. The user who had the repository must be there.",
    )
    restored.add_argument("file", metavar="FILE", help="what `ogrepo backup` wrote, or -")
    restored.add_argument("dir", nargs="?", type=Path, metavar="DIR")
    restored.add_argument("--user", help="owner of the repository; default: as before")
    restored.add_argument(
        "--bytes", metavar="PLACE", help="take images' bytes from this folder or address"
    )
    restored.set_defaults(run=_restore)
    filled = add_verb(
        words, "fill", _fill, _PLACE,
        help="say which bytes of images are missing, and take them from a PLACE",
    )  # fmt: skip
    for verb in (backup, restored):
        verb.add_argument(
            "--config", type=Path, default=CONFIG, metavar="DIR", help=f"default: {CONFIG}"
        )
    backup.add_argument(
        "--inventory", type=Path, metavar="FILE", help="default: that of the installed units"
    )
    backup.add_argument(
        "--units", type=Path, default=UNITS, metavar="DIR", help=f"default: {UNITS}"
    )
    return backup, restored, filled


def _backup(arguments: argparse.Namespace) -> int:
    config = arguments.config.absolute()
    server = Server(
        open_folder(arguments.dir),
        config,
        arguments.inventory.absolute()
        if arguments.inventory
        else _installed_inventory(arguments.units) or config / "inventory.toml",
        arguments.units,
        lambda text: not units.is_unedited(text),
    )
    if arguments.file == "-":
        if sys.stdout.isatty():
            raise UsageError("A backup holds private keys and is not shown on a terminal.")
        if arguments.json:
            raise UsageError("The backup itself goes to standard output.", hint="Leave out --json.")
        made = back_up_to(server, sys.stdout.buffer)
        sys.stdout.buffer.flush()
        _tell_made(made, "the pipe", stream_is_taken=True)
        return 0
    made = back_up(server, Path(arguments.file))
    if arguments.json:
        told = {"file": arguments.file, "blake3": made.digest, "size_bytes": made.size_bytes}
        left = list(made.contents.left_out)
        print(json.dumps({**told, "files": len(made.contents.files), "left_out": left}))
    else:
        _tell_made(made, arguments.file)
    return 0


def _installed_inventory(folder: Path) -> Path | None:
    """The inventory with which this server was installed, wherever it lies."""
    try:
        return units.inventory_watched(read_whole(folder / units.WATCH).decode("utf-8", "replace"))
    except FileNotFoundError:
        return None


def _tell_made(made: Made, where: str, *, stream_is_taken: bool = False) -> None:
    out = sys.stderr if stream_is_taken else sys.stdout
    lines = [
        f"{len(made.contents.files)} files in {where}, {human_bytes(made.size_bytes)}, "
        f"BLAKE3 {made.digest}.",
        "It holds the private signing key and is not encrypted: who reads it can sign images that "
        "every PC takes.",
        *(f"left out: {plain(name)}" for name in made.contents.left_out[:_MOST_SHOWN]),
    ]
    for line in lines:
        print(fitted(line, out), file=out)


def _restore(arguments: argparse.Namespace) -> int:
    target = Target(arguments.dir.absolute(), arguments.config.absolute(), arguments.user)
    with _opened(arguments.file) as stream:
        restored = restore(stream, target)
    say = _silent if arguments.json else _print
    contents = restored.contents
    say(f"{target.folder} is the repository of {contents.repository}, with {len(contents.files)} "
        f"files, for the user {restored.user}.")  # fmt: skip
    say(f"Signatures count of: {', '.join(restored.key_ids) or 'no key'}.")
    if any(file.path.startswith(f"{SECTION_CONFIG}/") for file in contents.files):
        say(f"{target.config} holds the configuration of {contents.config}.")
    if any(file.path.startswith(f"{SECTION_UNITS}/") for file in contents.files):
        say(f"Units of systemd that were edited are in {target.config / UNITS_BEFORE}: look "
            "through them after `ogrepo install`.")  # fmt: skip
    left = _filled(target.folder, arguments.bytes, say)
    if arguments.json:
        told = {"repository": str(target.folder), "config": str(target.config)}
        print(json.dumps({**told, "keys": restored.key_ids, **left.as_dict()}))
        return 0
    inventory = target.config / Path(contents.inventory).name
    more = "" if inventory.name == "inventory.toml" else f" --inventory {inventory}"
    more += f" --config {target.config}" if target.config != CONFIG else ""
    print(f"Next:\n  ogrepo install {target.folder} --user {restored.user}{more}")
    return 0


def _fill(arguments: argparse.Namespace) -> int:
    folder = open_folder(arguments.dir)
    left = _filled(folder.root, arguments.place, _silent if arguments.json else _print)
    if arguments.json:
        print(json.dumps(left.as_dict(), indent=2))
    if left.damaged:
        return int(OgErr.IMAGE)
    # Without a place it was a question, and this is its answer.
    return int(OgErr.NOTFOUND) if left.absent and arguments.place else 0


@dataclass(frozen=True, slots=True)
class _Left:
    """What a repository lacks: bytes, and manifests that do not tell what bytes they need."""

    absent: Sequence[Need]
    damaged: Sequence[str]

    def as_dict(self) -> dict[str, object]:
        return {"missing": [_as_dict(need) for need in self.absent], "damaged": list(self.damaged)}


def _filled(root: Path, place: str | None, say: _Say) -> _Left:
    """What is missing afterwards, told one by one."""
    left = _Left(fill(root, place, say) if place else missing(root), unreadable(root))
    for need in left.absent:
        say(f"missing: {need.told}: {need.place}")
    for name in left.damaged:
        say(f"damaged: {name}: what bytes it needs is not known")
    if left.absent:
        say(f"Bring them with `ogrepo fill {root} PLACE`.")
    elif not left.damaged:
        say("All bytes of images are there.")
    return left


def _as_dict(need: Need) -> dict[str, object]:
    return {
        "blake3": need.digest, "size_bytes": need.size, "of": need.told, "names": need.names
    }  # fmt: skip


def _opened(name: str) -> BinaryIO:
    return sys.stdin.buffer if name == "-" else open_plain(Path(name))


def _print(line: str) -> None:
    print(fitted(line, sys.stdout), flush=True)


def _silent(line: str) -> None:
    """Where one object is the whole answer."""
