# SPDX-License-Identifier: GPL-3.0-or-later
"""``ogrepo verify``: every image is judged, and told."""

from __future__ import annotations

import argparse
import difflib
import json
import sys
from collections.abc import Sequence

from oglib.errors import NotFoundError, OgError
from oglib.image.format.manifest import PublicKey, load_public_keys
from oglib.reporters import for_stream
from oglib.wording.amounts import human_bytes
from ogrepo.library.disks import disk_names, find_disk, verify_disk
from ogrepo.library.folder import Folder, checked_name, open_folder
from ogrepo.library.foreign import find_foreign, foreign_names, verify_foreign
from ogrepo.library.store import find, names
from ogrepo.library.verify import verify_published
from ogrepo.verbs.line import Behind, Words, add_verb, plain
from ogrepo.words import fitted


def add_to(words: Words) -> Sequence[argparse.ArgumentParser]:
    name = Behind("name", "NAME", help="default: every image")
    told = "prove images against their digests and signature"
    return (add_verb(words, "verify", _verify, name, help=told),)


def _verify(arguments: argparse.Namespace) -> int:
    """Judge every image, also after one was bad; the exit code is that of the last bad one."""
    folder = open_folder(arguments.dir)
    keys = load_public_keys(folder.keys)
    everything = [*names(folder), *disk_names(folder), *foreign_names(folder)]
    wanted = [checked_name(arguments.name)] if arguments.name else everything
    if arguments.name and arguments.name not in everything:
        raise _absent(folder, arguments.name, everything)
    worst = 0
    results: list[dict[str, object]] = []
    for name in wanted:
        try:
            results.append(_verify_one(folder, name, keys, quiet=arguments.json))
        except OgError as error:
            worst = int(error.code)
            results.append({"image": name, **error.as_dict()})
            if not arguments.json:
                # Not there any more is no damage, nor is what nobody signed.
                word = "MISSING" if isinstance(error, NotFoundError) else "DAMAGED"
                _print(f"{plain(name)}: {word}: {plain(str(error))}")
    if arguments.json:
        print(json.dumps({"images": results}, indent=2))
    elif not wanted:
        print(f"{folder.root} holds no image.")
    return worst


def _absent(folder: Folder, name: str, everything: Sequence[str]) -> NotFoundError:
    near = difflib.get_close_matches(name, everything, n=1)
    listing = f"`ogrepo list {folder.root}` shows what is there."
    return NotFoundError(
        f"There is no image {name} in {folder.root}.",
        hint=f"Did you mean {near[0]}?" if near else listing,
    )


def _print(line: str) -> None:
    print(fitted(line, sys.stdout))


def _verify_one(
    folder: Folder, name: str, keys: list[PublicKey], *, quiet: bool
) -> dict[str, object]:
    if name in disk_names(folder):
        return _verify_disk(folder, name, keys, quiet=quiet)
    if name not in names(folder):
        return _verify_foreign(folder, name, keys, quiet=quiet)
    proof = verify_published(
        find(folder, checked_name(name), keys), keys, for_stream(sys.stderr, as_json=quiet)
    )
    if not quiet:
        _print(
            f"{name}: good: version {proof.version}, {proof.frames} frames, "
            f"{human_bytes(proof.content_bytes)} of content, signed by {proof.signed_by}"
        )
    return proof.as_dict()


def _verify_disk(
    folder: Folder, name: str, keys: list[PublicKey], *, quiet: bool
) -> dict[str, object]:
    disk = find_disk(folder, checked_name(name), keys)
    content = verify_disk(disk, keys, for_stream(sys.stderr, as_json=quiet))
    if not quiet:
        _print(
            f"{name}: good: version {disk.manifest.version}, a disk of "
            f"{len(disk.manifest.partitions)} partitions, {human_bytes(content)} of content, "
            f"signed by {disk.key_id}"
        )
    return {"image": name, "version": disk.manifest.version, "content_bytes": content}


def _verify_foreign(
    folder: Folder, name: str, keys: list[PublicKey], *, quiet: bool
) -> dict[str, object]:
    image = find_foreign(folder, checked_name(name), keys)
    verify_foreign(image, keys, for_stream(sys.stderr, as_json=quiet))
    record = image.record
    if not quiet:
        _print(
            f"{name}: good: version {record.version}, {record.tool} as it is, "
            f"{human_bytes(record.image_size_bytes)}, signed by {image.key_id}"
        )
    return {"image": name, "version": record.version, "size_bytes": record.image_size_bytes}
