# SPDX-License-Identifier: GPL-3.0-or-later
"""What each verb of ``ogrepo`` does: calls of the rooms, and their results as text or JSON."""

from __future__ import annotations

import argparse
import difflib
import json
import sys
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

from oglib.errors import NotFoundError, OgError, UsageError
from oglib.image.format.manifest import PublicKey, load_public_keys
from oglib.reporters import for_stream
from oglib.wording import columns
from oglib.wording.amounts import human_bytes
from ogrepo.intake.tokens import load_secret, make_token
from ogrepo.library.disks import PublishedDisk, disk_names, find_disk, published_disks, verify_disk
from ogrepo.library.folder import Folder, check_owner, checked_name, make_folder, open_folder
from ogrepo.library.signingkey import checked_comment, make_key
from ogrepo.library.store import Published, find, names, published
from ogrepo.library.verify import verify_published
from ogrepo.serving.server import Serving, serve
from ogrepo.words import fitted


def _plain(text: str) -> str:
    """Text that came from a PC, without what would steer a terminal."""
    return "".join(char if char.isprintable() else "?" for char in text)


def keygen(arguments: argparse.Namespace) -> int:
    comment = checked_comment(arguments.comment)
    folder = make_folder(arguments.dir)
    public = make_key(folder, comment)
    if arguments.json:
        print(json.dumps({"key_id": public.key_id, "public_key": str(folder.keys / "image.pub")}))
    else:
        print(f"{folder.keys / 'image.pub'} (key {public.key_id})")
    return 0


def token(arguments: argparse.Namespace) -> int:
    if arguments.name is None:
        raise UsageError("The image's name is missing.", hint="Write it behind the folder.")
    folder = open_folder(arguments.dir)
    token = make_token(load_secret(folder), checked_name(arguments.name))
    print(json.dumps({"token": token}) if arguments.json else token)
    return 0


def serve_folder(arguments: argparse.Namespace) -> int:
    folder = open_folder(arguments.dir)
    check_owner(folder)
    certificate, key = arguments.certificate, arguments.key
    if (certificate is None) != (key is None):
        raise UsageError("https needs both --certificate and --key.")
    if arguments.most_gib < 1:
        raise UsageError("--most-gib must be 1 or more.")
    serving = Serving(
        bind=arguments.bind,
        port=arguments.port,
        trusted=[_network(text) for text in arguments.trusted_proxy],
        pair=None if certificate is None else (certificate, key),
        most_bytes=arguments.most_gib << 30,
    )
    serve(folder, serving)
    return 0


def _network(text: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(text)
    except ValueError:
        raise UsageError(
            f"{text!r} is no address or network.",
            hint="Give --trusted-proxy one like 10.1.0.5 or 10.1.0.0/24.",
        ) from None


def list_images(arguments: argparse.Namespace) -> int:
    folder = open_folder(arguments.dir)
    images: list[Published | PublishedDisk] = [*published(folder), *published_disks(folder)]
    if arguments.json:
        print(json.dumps({"images": [image.as_dict() for image in images]}, indent=2))
        return 0
    head = ("NAME", "VERSION", "SYSTEM", "FILESYSTEM", "SIZE", "NEEDS", "CAPTURED", "KEY")
    rows = [head, *(_columns(image) for image in images)]
    for line in table(rows, columns.of(sys.stdout)):
        print(line)
    complete = {image.name for image in images}
    for name in (*names(folder), *disk_names(folder)):
        if name not in complete:
            print(f"ogrepo: {_plain(name)} is incomplete and not offered.", file=sys.stderr)
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
        _plain(shown["os"]) or "-",
        _plain(shown["filesystem"]),
        human_bytes(shown["size_bytes"]),
        human_bytes(shown["required_bytes"]),
        _plain(shown["created"][:16]),
        image.key_id or "unsigned",
    )


def verify(arguments: argparse.Namespace) -> int:
    """Judge every image, also after one was bad; the exit code is that of the last bad one."""
    folder = open_folder(arguments.dir)
    keys = load_public_keys(folder.keys)
    everything = [*names(folder), *disk_names(folder)]
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
                _print(f"{_plain(name)}: {word}: {_plain(str(error))}")
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
