# SPDX-License-Identifier: GPL-3.0-or-later
"""``ogrepo VERB``: arguments to calls, results to text or JSON. No decision is made here."""

from __future__ import annotations

import argparse
import difflib
import json
import sys
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any, NoReturn

from oglib import columns
from oglib.amounts import human_bytes
from oglib.errors import NotFoundError, OgError, UsageError
from oglib.image.format.manifest import PublicKey, load_public_keys
from oglib.reporters import for_stream
from ogrepo.disks import PublishedDisk, disk_names, find_disk, published_disks, verify_disk
from ogrepo.folder import Folder, check_owner, checked_name, make_folder, open_folder
from ogrepo.install import command as install
from ogrepo.ledger import MOST_BYTES
from ogrepo.server import Serving, serve
from ogrepo.signingkey import checked_comment, make_key
from ogrepo.store import Published, find, names, published
from ogrepo.tokens import load_secret, make_token
from ogrepo.verify import verify_published
from ogrepo.words import fitted

_PORT = 8080


class _Parser(argparse.ArgumentParser):
    """Wrong arguments are an error like any other, as with ``og``; no option may be shortened."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"allow_abbrev": False, **kwargs})

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message[:1].upper()}{message[1:]}.", hint=f"See `{self.prog} --help`.")


class _Version(argparse.Action):
    """Looks the version up only when it is asked for: that import is slow."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from importlib.metadata import version  # noqa: PLC0415

        parser.exit(message=f"ogrepo {version('oglive')}\n")


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line as a namespace that has ``run``; ``UsageError`` when it is wrong."""
    parser = _Parser(
        prog="ogrepo", description="Keep images in a folder and serve them to PCs over HTTP."
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and stop")
    parser.add_argument("--json", action="store_true", help="results and errors as JSON")
    verbs = parser.add_subparsers(metavar="VERB", required=True, parser_class=_Parser)
    whole_server = install.add_to(verbs)

    keygen = verbs.add_parser("keygen", help="make a repository with its signing key")
    keygen.add_argument("dir", nargs="?", type=Path, metavar="DIR")
    keygen.add_argument("--comment", default="", help="who signs, for people")
    keygen.set_defaults(run=_keygen)

    token = verbs.add_parser("token", help="print a token that lets a PC upload one image")
    token.add_argument("dir", nargs="?", type=Path, metavar="DIR")
    token.add_argument("name", nargs="?", metavar="NAME")
    token.set_defaults(run=_token)

    server = verbs.add_parser("serve", help="serve a repository until Ctrl-C")
    server.add_argument("dir", nargs="?", type=Path, metavar="DIR")
    server.add_argument("--bind", default="0.0.0.0", metavar="IP", help="default: all")  # noqa: S104
    server.add_argument("--port", type=int, default=_PORT, help=f"default {_PORT}; 0 = any free")
    server.add_argument(
        "--certificate", type=Path, metavar="PEM", help="serve https with this chain and --key"
    )
    server.add_argument("--key", type=Path, metavar="PEM", help="the certificate's private key")
    server.add_argument(
        "--trusted-proxy",
        action="append",
        default=[],
        metavar="NET",
        help="an address or network of proxies that ask for many PCs; may be given again",
    )
    server.add_argument(
        "--most-gib",
        type=int,
        default=MOST_BYTES >> 30,
        metavar="N",
        help=f"what one token may bring in all, default {MOST_BYTES >> 30}",
    )
    server.set_defaults(run=_serve)

    listing = verbs.add_parser("list", help="the images of a repository")
    listing.add_argument("dir", nargs="?", type=Path, metavar="DIR")
    listing.set_defaults(run=_list)

    verify = verbs.add_parser("verify", help="prove images against their digests and signature")
    verify.add_argument("dir", nargs="?", type=Path, metavar="DIR")
    verify.add_argument("name", nargs="?", metavar="NAME", help="default: every image")
    verify.set_defaults(run=_verify)

    for verb in (keygen, token, listing, verify, server, *whole_server):
        verb.add_argument("--dir", type=Path, dest="dir_option", help=argparse.SUPPRESS)
        verb.add_argument(
            "--json", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS
        )
    arguments = parser.parse_args(argv)
    _settle_folder(arguments)
    return arguments


def _settle_folder(arguments: argparse.Namespace) -> None:
    """DIR comes first, or anywhere as ``--dir DIR``; a NAME behind it moves up then."""
    said = vars(arguments)
    option = said.pop("dir_option")
    if option is not None:
        spare = said["dir"]
        if spare is not None and said.get("name", "") is not None:
            raise UsageError(f"Two folders are named: {spare} and {option}.")
        if spare is not None:
            said["name"] = str(spare)
        said["dir"] = option
    if said["dir"] is None:
        raise UsageError("The repository's folder is missing.", hint="Write it behind the verb.")


def execute(arguments: argparse.Namespace) -> int:
    """Run what ``parse`` understood."""
    return int(arguments.run(arguments))


def _plain(text: str) -> str:
    """Text that came from a PC, without what would steer a terminal."""
    return "".join(char if char.isprintable() else "?" for char in text)


def _keygen(arguments: argparse.Namespace) -> int:
    comment = checked_comment(arguments.comment)
    folder = make_folder(arguments.dir)
    public = make_key(folder, comment)
    if arguments.json:
        print(json.dumps({"key_id": public.key_id, "public_key": str(folder.keys / "image.pub")}))
    else:
        print(f"{folder.keys / 'image.pub'} (key {public.key_id})")
    return 0


def _token(arguments: argparse.Namespace) -> int:
    if arguments.name is None:
        raise UsageError("The image's name is missing.", hint="Write it behind the folder.")
    folder = open_folder(arguments.dir)
    token = make_token(load_secret(folder), checked_name(arguments.name))
    print(json.dumps({"token": token}) if arguments.json else token)
    return 0


def _serve(arguments: argparse.Namespace) -> int:
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


def _list(arguments: argparse.Namespace) -> int:
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


def _verify(arguments: argparse.Namespace) -> int:
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
                _say(f"{_plain(name)}: {word}: {_plain(str(error))}")
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


def _say(line: str) -> None:
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
        _say(
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
        _say(
            f"{name}: good: version {disk.manifest.version}, a disk of "
            f"{len(disk.manifest.partitions)} partitions, {human_bytes(content)} of content, "
            f"signed by {disk.key_id}"
        )
    return {"image": name, "version": disk.manifest.version, "content_bytes": content}
