# SPDX-License-Identifier: GPL-3.0-or-later
"""``og fs format|check|grow``."""

from __future__ import annotations

from oglib.cli.arguments import Subparsers, add_disk, add_partition, noun, verb
from oglib.cli.context import Context, Result
from oglib.cli.target import facts_of
from oglib.disk.find import find_disk, find_partition
from oglib.disk.loop import partition_device
from oglib.filesystem.apply import check_filesystem, format_filesystem, grow_filesystem
from oglib.filesystem.kinds import kind_of


def add_to(nouns: Subparsers) -> None:
    verbs = noun(nouns, "fs", "filesystems on partitions")
    fresh = verb(verbs, "format", _format, "make a fresh filesystem", destroys=True)
    add_disk(fresh)
    add_partition(fresh)
    fresh.add_argument("kind", metavar="KIND", help="ext4, xfs, btrfs, fat32, ntfs, swap, ...")
    fresh.add_argument("--label", default="", help="the filesystem's label")
    for name, handler, text in (
        ("check", _check, "check a filesystem and repair what is safely repaired"),
        ("grow", _grow, "let a filesystem fill its partition"),
    ):
        made = verb(verbs, name, handler, text)
        add_disk(made)
        add_partition(made)


def _format(context: Context) -> Result:
    args = context.args
    disk = find_disk(args.disk)
    part = find_partition(disk, args.part)
    kind = kind_of(args.kind)
    question = f"Format partition {part.number} of {disk.describe()} as {kind.name}?"
    if args.dry_run:
        return Result({"would": question.rstrip("?")}, question.rstrip("?"))
    context.confirm(question, facts_of(disk, part))
    with partition_device(disk, part) as device:
        made = format_filesystem(device, kind.name, label=args.label)
    return Result(made, f"{made.kind} {made.uuid}")


def _check(context: Context) -> Result:
    disk = find_disk(context.args.disk)
    with partition_device(disk, find_partition(disk, context.args.part)) as device:
        check_filesystem(device)
    return Result({"sound": True}, "the filesystem is sound")


def _grow(context: Context) -> Result:
    disk = find_disk(context.args.disk)
    with partition_device(disk, find_partition(disk, context.args.part)) as device:
        grown = grow_filesystem(device)
    said = "the filesystem fills its partition" if grown else "this filesystem cannot grow"
    return Result({"grown": grown}, said)
