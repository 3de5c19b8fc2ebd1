# SPDX-License-Identifier: GPL-3.0-or-later
"""``og image create``: a partition, a volume, a whole disk, or what lies outside of partitions."""

from __future__ import annotations

from pathlib import Path

from oglib.cli import image_disk
from oglib.cli.arguments import Subparsers, add_disk, verb
from oglib.cli.context import Context, Result
from oglib.cli.doing import do
from oglib.cli.words import image_named
from oglib.deploy.jobs import Create
from oglib.deploy.partition.capture import Created
from oglib.deploy.whole_disk import table_copy
from oglib.deploy.whole_disk.capture import CreatedDisk
from oglib.errors import UsageError
from oglib.image.recording.legacy_capture import COMPRESSORS


def add_create(verbs: Subparsers) -> None:
    create = verb(verbs, "create", _create, "capture a partition or a whole disk", repository=True)
    add_disk(create)
    create.add_argument(
        "part", metavar="PART", nargs="?", help="number or PARTUUID=; without it the whole disk"
    )
    create.add_argument("name", metavar="NAME", nargs="?", help="the image's name")
    create.add_argument(
        "--name", dest="given", metavar="NAME", default="",
        help="the image's name where it could be a partition's, as 2 could",
    )  # fmt: skip
    create.add_argument("--to", default="", help="folder or repository address")
    create.add_argument("--title", default="", help="one line that says what it is")
    create.add_argument("--comment", default="", help="anything worth keeping with it")
    create.add_argument("--parent", default="", metavar="IMAGE", help="the image it is made from")
    create.add_argument(
        "--format", default="", choices=("", *COMPRESSORS), metavar="COMPRESSOR",
        help=f"write what old clients read, into a folder: {', '.join(COMPRESSORS)}",
    )  # fmt: skip
    create.add_argument(
        "--raw", action="store_true", help="take all blocks of what partclone does not know"
    )
    create.add_argument(
        "--dirty", action="store_true", help="capture it although it was not shut down cleanly"
    )
    create.add_argument(
        "--shrink", action="store_true",
        help="make the filesystem small for the capture, and grow it back",
    )  # fmt: skip
    create.add_argument(
        "--table", choices=table_copy.KINDS,
        help="keep the disk's MBR (512 bytes), its boot code or its GPT in a file of --to",
    )  # fmt: skip


def _create(context: Context) -> Result:
    args = context.args
    args.part, args.name = image_named(args.disk, args.part, args.name, args.given)
    if args.table:
        return _create_table(context)
    job = Create(
        args.name, args.disk, args.part,
        destination=args.to, title=args.title, comment=args.comment, parent=args.parent,
        format=args.format, raw=args.raw, dirty=args.dirty, shrink=args.shrink,
    )  # fmt: skip
    finished = do(context, job).finished
    made = finished.done if finished else None
    if isinstance(made, CreatedDisk):
        return image_disk.captured(context, made)
    assert isinstance(made, Created)  # noqa: S101 - for the type checker
    for warning in made.warnings:
        context.warn(warning)
    return Result(made.as_dict(), made.text)


def _create_table(context: Context) -> Result:
    args = context.args
    if args.part is not None or not args.to or "://" in args.to:
        raise UsageError(
            "--table keeps a part of a whole disk in a file.", hint="Say: DISK NAME --to FOLDER."
        )
    path: Path = table_copy.table_path(args.to, args.name, args.table)
    size = table_copy.create_table_image(context.disk(), args.table, path)
    data = {"name": args.name, "where": str(path), "image_size_bytes": size}
    return Result(data, f"{args.table} of {args.disk}: {size} bytes, {path}")
