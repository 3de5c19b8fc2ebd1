# SPDX-License-Identifier: GPL-3.0-or-later
"""``ogrepo sign``: on the machine that has the key, over what a repository has proven."""

from __future__ import annotations

import argparse
import json
import stat
import sys
from collections.abc import Sequence
from pathlib import Path

from oglib.errors import OgError
from oglib.image.format.manifest import PrivateKey
from oglib.reporters import for_stream
from ogrepo.library.waiting import found, sign_one
from ogrepo.verbs.line import Behind, Words, add_verb, plain
from ogrepo.words import fitted

_NAME = Behind("name", "NAME", help="default: every image that waits")


def add_to(words: Words) -> Sequence[argparse.ArgumentParser]:
    verb = add_verb(
        words,
        "sign",
        _sign,
        _NAME,
        help="sign images that wait, with a key that the repository has not",
        description="Every byte is proven again before an image is signed. `ogrepo serve` "
        "publishes what came back.",
        folder="private/waiting of a repository, or a copy of that folder",
    )
    verb.add_argument("--key", type=Path, required=True, metavar="FILE", help="the private key")
    return (verb,)


def _sign(arguments: argparse.Namespace) -> int:
    key = _load(arguments.key)
    top = arguments.dir / "private/waiting"
    top = top if top.is_dir() else arguments.dir
    results: list[dict[str, object]] = []
    worst = 0
    for one in found(top, arguments.name):
        named = f"{plain(one.name)} version {one.version}"
        try:
            new = sign_one(one, key, for_stream(sys.stderr, as_json=arguments.json))
        except OgError as error:
            worst = int(error.code)
            results.append({**one.as_dict(), **error.as_dict()})
            _print(f"{named}: NOT signed: {plain(str(error))}", quiet=arguments.json)
            continue
        results.append({**one.as_dict(), "key_id": key.public.key_id})
        word = "signed" if new else "was signed"
        _print(f"{named}: {word} by {key.public.key_id}", quiet=arguments.json)
    if arguments.json:
        print(json.dumps({"images": results}, indent=2))
    elif not results:
        print(f"Nothing waits in {top}.")
    return worst


def _print(line: str, *, quiet: bool) -> None:
    if not quiet:
        print(fitted(line, sys.stdout), flush=True)


def _load(path: Path) -> PrivateKey:
    key = PrivateKey.load(path)
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise OgError(
            f"{path} can be read by other users of this machine.",
            hint=f"Run `chmod 0600 {path}`; if it lay open, make a new key.",
        )
    return key
