# SPDX-License-Identifier: GPL-3.0-or-later
"""Put the image of a whole disk onto a disk, or some of its partitions onto those of a disk.

Every image is opened, judged and checked against its place before the first write. The disk
cannot start while it is incomplete: its boot code and the first MiB of every ESP are zeroed first;
what firmware starts from is restored last, an ESP after swap was made and filesystems were grown,
and the boot code after everything else was read back. A run that was cut is begun again by the
same command, and goes on where it stopped.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from oglib.boot.grub import running_firmware
from oglib.deploy import receipts, source
from oglib.deploy.disk_boot import disarm, write_gaps
from oglib.deploy.disk_fit import Fitted, fit
from oglib.deploy.disk_read import starters
from oglib.deploy.disk_receipt import DiskReceipt, Done, Told, receipt_of
from oglib.deploy.disk_source import WholeDisk, is_raw_disk, opened_whole
from oglib.deploy.restorable import Wishes, check_restorable
from oglib.disk import types
from oglib.disk.find import find_disk, find_partition
from oglib.disk.lock import held
from oglib.disk.loop import partition_device
from oglib.disk.model import Disk, Partition
from oglib.disk.probe import probe_target
from oglib.disk.remedy import remedy
from oglib.disk.table import apply_table, is_of_another_size, refuse_busy, repair_table
from oglib.errors import ImageError, NotFoundError, OgErr, OgError, PartitionError
from oglib.filesystem.kinds import KINDS, Grow
from oglib.filesystem.make import make_swap
from oglib.filesystem.resize import grow_filesystem
from oglib.image import Receipt, restore
from oglib.image.disk_image import Content, DiskPart
from oglib.image.foreign import ForeignImage, Image
from oglib.progress import Progress
from oglib.settings import Settings


@dataclass(frozen=True, slots=True)
class Options:
    """How it shall be done: as ``og image restore`` says it."""

    read_back: bool = True
    delta: bool = False
    grow: bool = True
    other_firmware: bool = False


def plan_disk(whole: WholeDisk, disk: Disk, options: Options) -> Fitted:
    """The table that the image gets on ``disk``; raises where it cannot go there. Only plans."""
    if whole.missing:
        raise ImageError(
            f"The image {whole.name} holds what is not restored from here: "
            f"{', '.join(whole.missing)}.",
            hint="Restore its other partitions with --parts.",
        )
    _check_firmware(whole, options)
    return fit(whole.wanted, disk, can_grow, grow=options.grow)


def can_grow(part: DiskPart) -> bool:
    """Whether the filesystem of a partition can fill a larger one."""
    row = KINDS.get("ext4" if part.filesystem.lower() == "extfs" else part.filesystem.lower())
    row = row or next((one for one in KINDS.values() if part.filesystem in one.probed), None)
    return row is not None and row.grow is not Grow.NEVER


def able_to_start(whole: WholeDisk) -> set[str]:
    """The kinds of firmware that start the disk: ``bios``, ``uefi``, both or none."""
    wanted = whole.wanted
    kinds = {types.mnemonic(p.type_id, wanted.table, name=p.name) for p in wanted.parts}
    code = any(gap.part == 0 == gap.offset_bytes for gap, _ in whole.gaps)
    return {whole.firmware} if whole.firmware else starters(wanted.table, kinds, code)


def _check_firmware(whole: WholeDisk, options: Options) -> None:
    """A disk that only the other kind of firmware can start is refused."""
    able, here = able_to_start(whole), running_firmware()
    if able and here not in able and not options.other_firmware:
        raise OgError(
            f"The image {whole.name} is of a disk that {'/'.join(sorted(able)).upper()} starts, "
            f"and this PC starts by {here.upper()}.",
            hint="--other-firmware restores it all the same; it will not start here.",
            code=OgErr.NOTUEFI if here == "uefi" else OgErr.NOTBIOS,
        )


def restore_disk(
    image: str, disk_spec: str, options: Options, *, settings: Settings, progress: Progress
) -> DiskReceipt:
    """Put a whole disk back: its table, its partitions, its boot code.

    On a larger disk the last filesystem that can grow fills it. ``image`` is a folder, ours,
    Clonezilla's or FOG's, a name in the repository, or the raw copy of a disk.
    """
    started = time.monotonic()
    disk = find_disk(disk_spec, rules=settings.disk_rules)
    if is_raw_disk(image, settings):
        with source.opened(image, settings) as raw, held(disk):
            return _restore_raw(raw, disk, options, progress, started)
    with opened_whole(image, settings) as whole, held(disk), ExitStack() as stack:
        fitted = plan_disk(whole, disk, options)
        numbers = [part.number for part in fitted.parts if part.is_image]
        images = {number: stack.enter_context(whole.open_part(number)) for number in numbers}
        said = tuple(text for image in images.values() for text in _own_warnings(image))
        planned = _planned_disk(disk, fitted)
        wishes = Wishes(other_firmware=True)  # of the disk as a whole, judged above
        for number in numbers:
            check_restorable(images[number], planned, find_partition(planned, number), wishes)
        refuse_busy(disk)
        first, esps = _in_order(fitted)
        disarm(disk, [find_partition(planned, part.number).start_bytes for part in esps])
        there = apply_table(fitted.plan)

        def put(parts: Sequence[DiskPart]) -> tuple[Receipt, ...]:
            return tuple(
                _restore_one(images[part.number], there, part.number, options, progress)
                for part in parts
            )

        done = put(first)
        after = (*_made(there, fitted), *_grown(there, first))
        done += put(esps)
        after += _grown(there, esps)
        write_gaps(there, whole.gaps)
    return receipt_of(whole, disk, Done(fitted.plan.changes, done, after, said), started)


def restore_parts(
    image: str,
    disk_spec: str,
    numbers: Sequence[int],
    options: Options,
    *,
    settings: Settings,
    progress: Progress,
) -> DiskReceipt:
    """Put some partitions of an image onto those with the same numbers; the table stays."""
    started = time.monotonic()
    disk = find_disk(disk_spec, rules=settings.disk_rules)
    with opened_whole(image, settings) as whole, held(disk), ExitStack() as stack:
        have = {part.number for part in whole.wanted.parts if part.is_image}
        for number in numbers:
            if number not in have:
                raise NotFoundError(
                    f"The image {whole.name} has no image of a partition {number}.",
                    hint=f"It has {', '.join(map(str, sorted(have)))}.",
                )
        for number in numbers:
            _refuse_used(disk, find_partition(disk, number))
        images = {number: stack.enter_context(whole.open_part(number)) for number in numbers}
        wishes = Wishes(grow=False, other_firmware=options.other_firmware)
        checks = [
            check_restorable(images[number], disk, find_partition(disk, number), wishes)
            for number in numbers
        ]
        done = tuple(
            _restore_one(images[number], disk, number, options, progress) for number in numbers
        )
    said = (
        *(text for image in images.values() for text in _own_warnings(image)),
        *(text for check in checks for text in check.warnings),
    )
    return receipt_of(whole, disk, Done((), done, warnings=said), started)


def _own_warnings(image: Image) -> tuple[str, ...]:
    """What an image warns of besides its origin, for which the whole disk's word is enough."""
    return image.stream.warnings if isinstance(image, ForeignImage) else ()


def _refuse_used(disk: Disk, part: Partition) -> None:
    if part.use:
        raise PartitionError(
            f"Partition {part.number} of {disk.describe()} is in use: {'; '.join(part.use)}.",
            hint=remedy(disk),
            code=OgErr.LOCKED,
        )


def _planned_disk(disk: Disk, fitted: Fitted) -> Disk:
    """The disk as it will be, to ask of it what is asked of one that is there."""
    table = fitted.plan.table
    return replace(
        disk,
        table=table,
        partitions=tuple(
            Partition(
                number=part.number,
                start_bytes=part.start_bytes,
                size_bytes=part.size_bytes,
                type=types.mnemonic(part.type_id, table, name=part.name),
                type_id=part.type_id,
            )
            for part in fitted.parts
        ),
    )


def _in_order(fitted: Fitted) -> tuple[list[DiskPart], list[DiskPart]]:
    """The images to restore, the active partition's last, and those of ESPs, which follow.

    With its ESP a disk starts, boot code or not: then it has its swap and its grown filesystems.
    """
    kinds = {part.number: part.type for part in fitted.plan.partitions}
    images = [part for part in fitted.parts if part.is_image]
    first = [part for part in images if kinds[part.number] != "EFI"]
    esps = [part for part in images if kinds[part.number] == "EFI"]
    return sorted(first, key=lambda part: part.active), esps


def _restore_one(
    image: Image, disk: Disk, number: int, options: Options, progress: Progress
) -> Receipt:
    with partition_device(disk, find_partition(disk, number)) as device:
        receipt = restore(
            image, device, progress=progress, verify=options.read_back, delta=options.delta
        )
    receipts.keep(receipt)
    return receipt


def _made(disk: Disk, fitted: Fitted) -> list[str]:
    """Swap under its old UUID and label, for the restored system looks for it; what is left."""
    said = []
    for part in fitted.parts:
        if part.content is Content.SWAP:
            with partition_device(disk, find_partition(disk, part.number)) as device:
                made = make_swap(device, label=part.label, uuid=part.uuid)
            said.append(f"partition {part.number}: swap {made.uuid}")
    said += [
        f"partition {part.number}: a CACHE without a filesystem, `og cache format` makes it"
        for part in fitted.plan.partitions
        if part.type == types.CACHE and part.fresh
    ]
    return said


def _grown(disk: Disk, parts: Sequence[DiskPart]) -> tuple[str, ...]:
    said = []
    for part in parts:
        if part.is_image and part.size_bytes > part.required_bytes and can_grow(part):
            with partition_device(disk, find_partition(disk, part.number)) as device:
                if grow_filesystem(device):
                    said.append(f"partition {part.number}: its filesystem fills it")
    return tuple(said)


def _restore_raw(
    image: Image, disk: Disk, options: Options, progress: Progress, started: float
) -> DiskReceipt:
    """A raw copy goes onto the disk as it is; the end of a GPT moves to that of a larger disk."""
    refuse_busy(disk)
    receipt = restore(
        image, disk.path, progress=progress, verify=options.read_back, delta=options.delta
    )
    receipts.keep(receipt)
    there = probe_target(disk.path)
    after: tuple[str, ...] = ()
    # on a disk of the same size nothing of it changes, odd as it may be
    if is_of_another_size(there):
        there = repair_table(there)
        after = ("both copies of the GPT written for a disk of this size",)
    said = tuple(f"Its partition table is as odd as the image's: {one}" for one in there.damage)
    changes = ("the whole disk is overwritten, its partition table too",)
    told = Told(receipt.image, receipt.version, receipt.signed_by, receipt.source, receipt.warnings)
    return receipt_of(told, disk, Done(changes, (receipt,), after, said), started)
