# SPDX-License-Identifier: GPL-3.0-or-later
"""``ogrepo serve``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path

from oglib.errors import UsageError
from ogrepo.arriving.work import sweep
from ogrepo.intake.ledger import MOST_BYTES, SPARE_BYTES
from ogrepo.library.folder import check_owner, open_folder
from ogrepo.serving.server import Serving, serve
from ogrepo.verbs.line import Words, add_verb
from ogrepo.versions.prune import KEEP, Policy

_PORT = 8080


def add_to(words: Words) -> Sequence[argparse.ArgumentParser]:
    server = add_verb(words, "serve", _serve, help="serve a repository until Ctrl-C")
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
    server.add_argument(
        "--least-free-gib",
        type=float,
        default=SPARE_BYTES / (1 << 30),
        metavar="N",
        help="so much of the disk stays free: captures that need it are refused; default 64 MiB",
    )
    server.add_argument(
        "--keep",
        type=int,
        default=KEEP,
        metavar="N",
        help="before that, versions go that are not among the N newest of an image, as with "
        f"`ogrepo prune`; default {KEEP}, 0: none go",
    )
    server.add_argument(
        "--at-once",
        type=int,
        default=0,
        metavar="N",
        help="so many PCs read images at a time, the others wait in a queue; default 0: all",
    )
    server.add_argument(
        "--metrics-to",
        action="append",
        default=[],
        metavar="NET",
        help="who may read /metrics, default: this machine alone; may be given again",
    )
    return (server,)


def _serve(arguments: argparse.Namespace) -> int:
    folder = open_folder(arguments.dir)
    check_owner(folder)
    sweep(folder)
    certificate, key = arguments.certificate, arguments.key
    if (certificate is None) != (key is None):
        raise UsageError("https needs both --certificate and --key.")
    if arguments.most_gib < 1:
        raise UsageError("--most-gib must be 1 or more.")
    if arguments.at_once < 0:
        raise UsageError("--at-once must be 0 or more.")
    if arguments.keep < 0:
        raise UsageError("--keep must be 0 or more.")
    if not 0 <= arguments.least_free_gib < 1 << 30:
        raise UsageError("--least-free-gib must be 0 or more.")
    serving = Serving(
        bind=arguments.bind,
        port=arguments.port,
        trusted=[_network(text, "--trusted-proxy") for text in arguments.trusted_proxy],
        pair=None if certificate is None else (certificate, key),
        most_bytes=arguments.most_gib << 30,
        spare_bytes=max(SPARE_BYTES, int(arguments.least_free_gib * (1 << 30))),
        policy=Policy(arguments.keep) if arguments.keep else None,
        at_once=arguments.at_once,
        metrics_to=[_network(text, "--metrics-to") for text in arguments.metrics_to] or None,
    )
    serve(folder, serving)
    return 0


def _network(text: str, option: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(text)
    except ValueError:
        raise UsageError(
            f"{text!r} is no address or network.",
            hint=f"Give {option} one like 10.1.0.5 or 10.1.0.0/24.",
        ) from None
