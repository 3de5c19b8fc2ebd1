# SPDX-License-Identifier: GPL-3.0-or-later
"""``og image create|restore|verify|list|info``."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from oglib.cli.arguments import Subparsers, add_disk, add_partition, noun, verb
from oglib.cli.context import Context, Result
from oglib.cli.output import table
from oglib.cli.target import facts_of
from oglib.deploy import images, source
from oglib.disk.find import find_partition
from oglib.image import Receipt
from oglib.progress import human_bytes
from oglib.transfer.repository import RepositoryClient

_IMAGE_HELP = "name in the repository, http address, or path of NAME.img"


def add_to(nouns: Subparsers) -> None:
    verbs = noun(nouns, "image", "capture, restore and check images")
    create = verb(verbs, "create", _create, "capture a partition")
    add_disk(create)
    add_partition(create)
    create.add_argument("name", metavar="NAME", help="the image's name")
    create.add_argument("--to", default="", help="folder or repository address")
    create.add_argument("--title", default="", help="one line that says what it is")
    create.add_argument("--comment", default="", help="anything worth keeping with it")
    restore = verb(verbs, "restore", _restore, "put an image onto a partition", destroys=True)
    restore.add_argument("image", metavar="IMAGE", help=_IMAGE_HELP)
    add_disk(restore)
    add_partition(restore, optional=True)
    restore.add_argument("--delta", action="store_true", help="leave what is equal alone")
    restore.add_argument(
        "--no-read-back", action="store_true", help="do not prove it; the receipt says so"
    )
    check = verb(verbs, "verify", _verify, "check an image, or a partition against it")
    check.add_argument("image", metavar="IMAGE", help=_IMAGE_HELP)
    check.add_argument("disk", metavar="DISK", nargs="?", help="compare with this disk or file")
    add_partition(check, optional=True)
    verb(verbs, "list", _list, "the images of the repository")
    info = verb(verbs, "info", _info, "what an image is")
    info.add_argument("image", metavar="IMAGE", help=_IMAGE_HELP)


def _create(context: Context) -> Result:
    args = context.args
    made = images.create(
        args.disk,
        args.part,
        args.name,
        destination=args.to,
        title=args.title,
        comment=args.comment,
        settings=context.settings,
        progress=context.progress,
    )
    manifest = made.manifest
    text = (
        f"{manifest.name}{f' version {made.version}' if made.version else ''}: "
        f"{human_bytes(manifest.used_blocks * manifest.block_size)} of {manifest.filesystem} in "
        f"{human_bytes(manifest.image_size_bytes)}, {made.where}"
    )
    data = {
        "name": manifest.name,
        "version": made.version,
        "where": made.where,
        "used_bytes": manifest.used_blocks * manifest.block_size,
        "image_size_bytes": manifest.image_size_bytes,
        "seconds": made.seconds,
    }
    return Result(data, text)


def _restore(context: Context) -> Result:
    args = context.args
    target: str = args.disk
    facts: Callable[[], list[str]] = list
    if args.part:
        disk = context.disk()
        part = find_partition(disk, args.part)
        target = f"partition {part.number} of {disk.describe()}"
        facts = partial(facts_of, disk, part)
    if args.dry_run:
        with source.opened(args.image, context.settings) as opened:
            name, version = opened.manifest.name, opened.manifest.version
        would = f"Restore {name} version {version} to {target}"
        return Result({"would": would}, would)
    context.confirm(f"Overwrite {target} with {args.image}?", facts)
    receipt = images.put_back(
        args.image,
        args.disk,
        args.part,
        read_back=not args.no_read_back,
        delta=args.delta,
        settings=context.settings,
        progress=context.progress,
    )
    return Result(receipt.as_dict(), told(context, receipt))


def told(context: Context, receipt: Receipt) -> str:
    """A receipt for a person; its warnings go to standard error."""
    for warning in receipt.warnings:
        context.warn(warning)
    already = f", {human_bytes(receipt.skipped_bytes)} were there" if receipt.skipped_bytes else ""
    return (
        f"{receipt.image} version {receipt.version} is on {receipt.target}: "
        f"{human_bytes(receipt.written_bytes)} written{already}, "
        f"{human_bytes(receipt.fetched_bytes)} fetched, "
        f"{receipt.seconds:.1f} s, {receipt.verified}"
    )


def _verify(context: Context) -> Result:
    args = context.args
    proof = images.prove(
        args.image, args.disk, args.part, settings=context.settings, progress=context.progress
    )
    for warning in proof.warnings:
        context.warn(warning)
    text = (
        f"{proof.image} version {proof.version}: {human_bytes(proof.content_bytes)} proven against "
    )
    return Result(proof.as_dict(), text + proof.against)


def _list(context: Context) -> Result:
    with RepositoryClient(context.settings.repository_url()) as repository:
        listed = repository.listing()
    rows = [
        (
            one.name,
            f"v{one.version}",
            human_bytes(one.size_bytes),
            one.filesystem,
            one.os,
            one.title,
        )
        for one in listed
    ]
    return Result(list(listed), table(rows) or "the repository has no image")


def _info(context: Context) -> Result:
    with source.opened(context.args.image, context.settings) as opened:
        manifest, signed, warnings = opened.manifest, opened.signed_by, opened.warnings
    for warning in warnings:
        context.warn(warning)
    data = {
        "tool": "partclone",
        "compressor": "zstd",
        "filesystem": manifest.filesystem,
        "block_size": manifest.block_size,
        "total_blocks": manifest.total_blocks,
        "used_blocks": manifest.used_blocks,
        "required_bytes": manifest.device_size_bytes,
        "checksum": "none",
        "volumes": 1,
        "frames": manifest.frame_count,
        "signed": bool(signed),
        "damage": "",
    }
    rows = [
        ("image", f"{manifest.name} version {manifest.version}"),
        ("title", manifest.title or "-"),
        ("system", manifest.source.os or "-"),
        ("filesystem", f"{manifest.filesystem}, {manifest.block_size} B blocks"),
        ("used", human_bytes(manifest.used_blocks * manifest.block_size)),
        (
            "needs",
            f"{manifest.device_size_bytes} bytes ({human_bytes(manifest.device_size_bytes)})",
        ),
        ("file", f"{human_bytes(manifest.image_size_bytes)} in {manifest.frame_count} frames"),
        ("signed by", signed or "nobody"),
        ("captured", f"{manifest.created} on {manifest.source.hostname or '-'}"),
    ]
    return Result(data, table(rows))
