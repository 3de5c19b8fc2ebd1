# SPDX-License-Identifier: GPL-3.0-or-later
"""``og fs format|check|grow|shrink|info|uuid|mount|umount``."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from oglib.cli.arguments import Subparsers, add_disk, add_partition, noun, verb
from oglib.cli.context import Context, Handler, Result
from oglib.disk.find import find_partition
from oglib.disk.lock import held, refuse_locked
from oglib.disk.loop import partition_device
from oglib.disk.model import Disk, Partition
from oglib.errors import FilesystemError, OgErr, OgError, UsageError
from oglib.filesystem.check import check_filesystem
from oglib.filesystem.kinds import kind_of
from oglib.filesystem.make import check_format, format_filesystem
from oglib.filesystem.mount import mount_for_person, unmount_device
from oglib.filesystem.mounts import mountpoints_of
from oglib.filesystem.probe import FilesystemInfo, probe_filesystem
from oglib.filesystem.resize import grow_filesystem, minimum_size, shrink_filesystem
from oglib.filesystem.sizes import device_bytes, filesystem_bytes, usage_of
from oglib.filesystem.state import state_of
from oglib.views.output import table
from oglib.views.target import facts_of
from oglib.wording.amounts import human_bytes


def add_to(nouns: Subparsers) -> None:
    verbs = noun(nouns, "fs", "filesystems on partitions")
    fresh = _on_partition(verbs, "format", _format, "make a fresh filesystem", destroys=True)
    fresh.add_argument("kind", metavar="KIND", help="ext4, xfs, btrfs, fat32, ntfs, swap, ...")
    fresh.add_argument("--label", default="", help="the filesystem's label")
    _on_partition(verbs, "check", _check, "check a filesystem and repair what is safely repaired")
    _on_partition(verbs, "grow", _grow, "let a filesystem fill its partition")
    shrink = _on_partition(verbs, "shrink", _shrink, "make a filesystem as small as it can be")
    shrink.add_argument(
        "--size-bytes", type=int, metavar="BYTES", help="to this size and not to the minimum"
    )
    _on_partition(verbs, "info", _info, "kind, sizes and state of a filesystem")
    _on_partition(verbs, "uuid", _uuid, "give a filesystem a new UUID, and its system's files too")
    mount = _on_partition(verbs, "mount", _mount, "mount under /mnt and say where")
    mount.add_argument("--write", action="store_true", help="for writing too")
    mount.add_argument(
        "--discard-hibernation",
        action="store_true",
        help="with --write: throw away what a hibernated Windows keeps",
    )
    _on_partition(verbs, "umount", _umount, "unmount, wherever it is mounted")


def _on_partition(
    verbs: Subparsers, name: str, handler: Handler, text: str, *, destroys: bool = False
) -> argparse.ArgumentParser:
    made = verb(verbs, name, handler, text, destroys=destroys)
    add_disk(made)
    add_partition(made)
    return made


@contextmanager
def _device(context: Context) -> Iterator[tuple[Disk, Partition, Path]]:
    disk = context.disk()
    part = find_partition(disk, context.args.part)
    with partition_device(disk, part) as device:
        yield disk, part, device


@contextmanager
def _held_device(context: Context) -> Iterator[Path]:
    """The same, locked against other scripts of this PC while it is changed."""
    with _device(context) as (disk, part, device), held(disk, part):
        yield device


def _format(context: Context) -> Result:
    args = context.args
    disk = context.disk()
    part = find_partition(disk, args.part)
    kind = kind_of(args.kind)
    question = f"Format partition {part.number} of {disk.describe()} as {kind.name}?"
    with held(disk, part), partition_device(disk, part) as device:
        check_format(device, kind.name, label=args.label)
        if args.dry_run:
            return Result({"would": question.rstrip("?")}, question.rstrip("?"))
        context.confirm(question, lambda: facts_of(disk, part))
        made = format_filesystem(device, kind.name, label=args.label)
    return Result(made, f"{made.name} {made.uuid}".strip())


def _check(context: Context) -> Result:
    with _held_device(context) as device:
        checked = check_filesystem(device)
    said = f"the filesystem is sound{' now' if checked.repaired else ''}"
    data = {"sound": True, "repaired": checked.repaired, "said": checked.said}
    return Result(data, f"{said}: {checked.said}" if checked.said else said)


def _grow(context: Context) -> Result:
    with _held_device(context) as device:
        grown = grow_filesystem(device)
    said = "the filesystem fills its partition" if grown else "this filesystem cannot grow"
    return Result({"grown": grown}, said)


def _shrink(context: Context) -> Result:
    wanted = context.args.size_bytes
    if wanted is not None and wanted <= 0:
        raise UsageError(f"A filesystem cannot have {wanted} bytes.")
    with _held_device(context) as device:
        size = shrink_filesystem(device, wanted)
    return Result({"size_bytes": size}, f"the filesystem has {human_bytes(size)} ({size} bytes)")


def _info(context: Context) -> Result:
    with _device(context) as (_, _, device):
        info = probe_filesystem(device)
        points = mountpoints_of(device)
        # what is mounted looks dirty meanwhile
        states = () if points else state_of(device)
        sizes = _sizes(device, info, mounted=bool(points))
    data = {
        "kind": info.name,
        "mnemonic": info.mnemonic,
        "label": info.label,
        "uuid": info.uuid,
        **sizes,
        "mountpoints": points,
        "states": [
            {"trouble": str(state.trouble), "text": state.text, "remedy": state.remedy}
            for state in states
        ],
    }
    rows = [
        ("kind", info.name or "no filesystem"),
        ("label", info.label or "-"),
        ("uuid", info.uuid or "-"),
        *((words, _said(sizes[key])) for key, words in _SIZES.items()),
        ("mounted", " ".join(str(point) for point in points) or "no"),
        *(("state", f"{state.text}. {state.remedy}") for state in states),
    ]
    if info.kind and not points and not states:
        rows.append(("state", "clean"))
    return Result(data, table(rows))


def _uuid(context: Context) -> Result:
    from oglib.deploy.system.new_uuid import change_uuid  # noqa: PLC0415 - only this needs it

    disk = context.disk()
    part = find_partition(disk, context.args.part)
    with held(disk, part):
        made = change_uuid(disk, part)
    for note in made.notes:
        context.warn(note)
    return Result({"uuid": made.uuid, "files": list(made.files)}, made.uuid)


_SIZES = {
    "device_bytes": "partition",
    "filesystem_bytes": "filesystem",
    "used_bytes": "used",
    "free_bytes": "free",
    "minimum_bytes": "minimum",
}


def _sizes(device: Path, info: FilesystemInfo, *, mounted: bool) -> dict[str, int | None]:
    """In bytes; None for what this kind, or its state, does not tell."""
    found: dict[str, int | None] = dict.fromkeys(_SIZES)
    found["device_bytes"] = device_bytes(device)
    found["filesystem_bytes"] = filesystem_bytes(device, info) or None
    try:
        usage = usage_of(device, info)
        found |= {"used_bytes": usage.used_bytes, "free_bytes": usage.free_bytes}
        if not mounted:
            found["minimum_bytes"] = minimum_size(device)
    except OgError as error:
        # not mountable, not shrinkable, or a tool is missing: the rest is told all the same
        if not isinstance(error, FilesystemError) and error.code is not OgErr.NOTEXEC:
            raise
    return found


def _said(size_bytes: int | None) -> str:
    return "-" if size_bytes is None else human_bytes(size_bytes)


def _mount(context: Context) -> Result:
    args = context.args
    if args.discard_hibernation and not args.write:
        raise UsageError("--discard-hibernation goes with --write.")
    with _device(context) as (disk, part, device):
        refuse_locked(disk, part)
        before = mountpoints_of(device)
        # what is mounted looks as if it was not shut down
        states = () if before else state_of(device)
        point = mount_for_person(
            device,
            # a partition of a plain file has no device name of its own
            name=part.path.name if part.path else f"{disk.path.name}p{part.number}",
            write=args.write,
            discard_hibernation=args.discard_hibernation,
        )
    if before:
        context.tell(["it was mounted already"])
    for state in states:
        context.warn(f"{state.text}. {state.remedy}")
    if args.discard_hibernation and not before:
        context.warn("what a hibernated Windows kept on it was thrown away")
    return Result({"mountpoint": point}, str(point))


def _umount(context: Context) -> Result:
    with _held_device(context) as device:
        points = unmount_device(device)
    if not points:
        context.warn("it was not mounted")
    return Result({"unmounted": points}, "\n".join(str(point) for point in points))
