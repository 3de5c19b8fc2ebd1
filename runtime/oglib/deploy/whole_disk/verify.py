# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare a disk with the image of a whole disk; only reads.

What a restore writes is what is compared: the table as it is written on a disk of this size, the
boot code, every used block of every partition, the UUID of swap. Everything that differs is
listed. A filesystem that was grown differs by that alone, and which other difference it hides
cannot be told: it is called grown, and the disk is not proven.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from oglib.deploy.itself import refuse_itself
from oglib.deploy.partition.restore import is_grown
from oglib.deploy.whole_disk.boot_bytes import first_difference, places_of
from oglib.deploy.whole_disk.comparison import Compared, Comparison, DiskVerified
from oglib.deploy.whole_disk.image import is_disk_copy, opened_any
from oglib.deploy.whole_disk.sizing import ImagedDisk, sized_for
from oglib.deploy.whole_disk.whole import WholeDisk
from oglib.disk import types
from oglib.disk.find import find_disk
from oglib.disk.loop import partition_device
from oglib.disk.model import Disk, Partition, TableKind
from oglib.disk.tables.exact import Exact
from oglib.disk.tables.identity import identity_of
from oglib.disk.tables.mbr import CODE_BYTES, without_chs
from oglib.errors import FilesystemError, UsageError, printable
from oglib.filesystem.probe import probe_filesystem
from oglib.image.any import Image
from oglib.image.format.disk_manifest import Content, DiskPart
from oglib.image.proving.verify import verify
from oglib.image.proving.verify_stream import DiffersError
from oglib.image.reading.stretch import Raw
from oglib.progress import Progress
from oglib.settings import Settings
from oglib.wording.amounts import human_bytes


def verify_disk(
    image: str, disk_spec: str, *, settings: Settings, progress: Progress
) -> DiskVerified:
    """Compare; a difference is a finding and not an error.

    ``ImageError`` where the image is damaged, ``PartitionError`` where it cannot be on this disk.
    """
    started = time.monotonic()
    disk = find_disk(disk_spec, rules=settings.disk_rules)
    with opened_any(image, settings) as found:
        refuse_itself(found.files, disk.path)
        if isinstance(found, WholeDisk):
            found.refuse_lacking()
            rows: tuple[Compared, ...] = (*_rows(found, disk, progress), *_other_disks(found))
        elif is_disk_copy(found):
            rows = (_of_image("disk", found, disk.path, progress),)
        else:
            raise UsageError(
                f"The image {found.name} is that of a partition, and no partition is named.",
                hint="Name it behind the disk.",
            )
        return DiskVerified(
            image=found.name,
            version=found.version,
            signed_by=found.signed_by,
            against=disk.describe(),
            rows=rows,
            content_bytes=sum(row.content_bytes for row in rows),
            seconds=round(time.monotonic() - started, 3),
            warnings=found.warnings,
        )


def _rows(whole: WholeDisk, disk: Disk, progress: Progress) -> Iterator[Compared]:
    imaged = whole.imaged
    parts = _placed_on(disk, imaged)
    yield from _table(imaged, parts, disk)
    if disk.table is not imaged.table:
        return  # its partitions are others, whatever their numbers
    there = {part.number for part in disk.partitions}
    places = places_of(disk, [(gap, raw) for gap, raw in whole.gaps if gap.part in {0, *there}])
    yield _raw_bytes("boot code", [(at, raw) for part, at, raw in places if not part], disk)
    for part in parts:
        found = _part_numbered(disk, part.number)
        if found is None or part.content is Content.EXTENDED:
            continue
        if part.content is Content.GAP:
            raw_bytes = [(at, raw) for number, at, raw in places if number == part.number]
            yield _raw_bytes(f"partition {part.number}", raw_bytes, disk)
        else:
            yield _partition(whole, disk, part, found, progress)


def _other_disks(whole: WholeDisk) -> Iterator[Compared]:
    for other in whole.others:
        said = "another disk of the same folder, an image of its own"
        yield Compared(f"disk {other}", Comparison.NOT_COMPARED, said)


def _part_numbered(disk: Disk, number: int) -> Partition | None:
    return next((one for one in disk.partitions if one.number == number), None)


def _placed_on(disk: Disk, imaged: ImagedDisk) -> tuple[DiskPart, ...]:
    """The partitions as a restore places them here, growing or not: whichever is nearer."""

    def far(parts: tuple[DiskPart, ...]) -> int:
        return sum(_place(part) != _place(_part_numbered(disk, part.number)) for part in parts)

    return min((sized_for(imaged, disk, grow=grow).parts for grow in (True, False)), key=far)


def _place(part: DiskPart | Partition | None) -> tuple[int, int]:
    return (part.start_bytes, part.size_bytes) if part else (0, 0)


def _table(imaged: ImagedDisk, parts: tuple[DiskPart, ...], disk: Disk) -> Iterator[Compared]:
    """A row for each thing that differs, or one for all of it."""
    differences = [*disk.damage, *_differences(imaged, parts, disk)]
    said = f"{disk.table}, {len(parts)} partitions"
    if not differences and imaged.exact is not None and imaged.is_exact(disk, parts):
        differences = list(_other_bytes(imaged.exact, disk, _without_chs))
        if not differences and any(_other_bytes(imaged.exact, disk, _as_it_is)):
            said += "; other CHS values, which only a BIOS without LBA reads"
    for difference in differences:
        yield Compared("table", Comparison.DIFFERS, difference)
    if not differences:
        yield Compared("table", Comparison.SAME, said)


def _other_bytes(
    exact: Exact, disk: Disk, seen: Callable[[Exact, int, bytes], bytes]
) -> Iterator[str]:
    """What no field of a partition tells: flags, CHS values, the copies' own places."""
    with disk.path.open("rb") as device:
        for offset, raw in (one for one in exact.stretches if one[0] not in exact.drafted):
            there = seen(exact, offset, os.pread(device.fileno(), len(raw), offset))
            imaged = seen(exact, offset, raw)
            if there != imaged:
                pairs = enumerate(zip(there, imaged, strict=False))
                at = next((at for at, (one, two) in pairs if one != two), len(there))
                yield f"byte {offset + at} of the disk is another one than in the image"


def _as_it_is(exact: Exact, offset: int, raw: bytes) -> bytes:  # noqa: ARG001
    return raw


def _without_chs(exact: Exact, offset: int, raw: bytes) -> bytes:
    """Who writes a table makes CHS values of a geometry that each kernel invents for itself."""
    if offset == CODE_BYTES:
        return without_chs(bytes(CODE_BYTES) + raw)[CODE_BYTES:]
    return without_chs(raw) if offset // exact.sector_bytes in exact.chain else raw


def _name_in(imaged: ImagedDisk, part: DiskPart) -> str:
    if imaged.exact is not None and imaged.exact.copy is not None:
        return printable(imaged.exact.copy.names.get(part.number, ""))
    return part.name


def _differences(imaged: ImagedDisk, parts: tuple[DiskPart, ...], disk: Disk) -> Iterator[str]:
    if disk.table is not imaged.table:
        yield f"is {disk.table}, in the image {imaged.table}"
        return
    identity = identity_of(disk)
    if identity.disk_id != imaged.disk_id:
        yield f"disk id is {identity.disk_id}, in the image {imaged.disk_id}"
    gpt = imaged.table is TableKind.GPT
    numbers = {part.number for part in parts}
    for extra in (one for one in disk.partitions if one.number not in numbers):
        yield f"partition {extra.number} is not in the image"
    for part in parts:
        there = _part_numbered(disk, part.number)
        if there is None:
            yield f"partition {part.number} is not there"
            continue
        mark = identity.marks.get(part.number)
        pairs = [
            ("starts at byte", there.start_bytes, part.start_bytes),
            ("has bytes", there.size_bytes, part.size_bytes),
            ("has the type", there.type_id.lower(), part.type_id.lower()),
            ("has the active flag", there.active, part.active),
        ]
        if gpt:
            pairs += [
                ("is named", printable(there.name), _name_in(imaged, part)),
                ("has the PARTUUID", mark.guid if mark else "", part.partuuid),
                ("has the attributes", mark.attributes if mark else 0, part.attributes),
            ]
        for what, found, expected in pairs:
            if found != expected:
                yield f"partition {part.number} {what} {found}, in the image {expected}"


def _raw_bytes(what: str, places: list[tuple[int, Raw]], disk: Disk) -> Compared:
    """Boot code and what else no filesystem holds."""
    length = sum(len(raw) for _, raw in places)
    with disk.path.open("rb") as device:
        for offset, raw in sorted(places, key=lambda place: place[0]):
            first = first_difference(device.fileno(), offset, raw)
            if first is not None:
                said = f"first at byte {first} of the disk"
                return Compared(what, Comparison.DIFFERS, said, first_byte=first)
    return Compared(what, Comparison.SAME, f"raw, {human_bytes(length)}", content_bytes=length)


def _partition(
    whole: WholeDisk, disk: Disk, part: DiskPart, there: Partition, progress: Progress
) -> Compared:
    what = f"partition {part.number}"
    if there.type == types.EXTENDED:
        return Compared(what, Comparison.DIFFERS, "is extended, and holds no content")
    match part.content:
        case Content.IMAGE:
            if there.size_bytes < part.required_bytes:
                said = f"has {there.size_bytes} bytes, its image needs {part.required_bytes}"
                return Compared(what, Comparison.DIFFERS, said)
            with (
                whole.open_part(part.number) as image,
                partition_device(disk, there) as device,
            ):
                return _of_image(what, image, device, progress)
        case Content.SWAP:
            with partition_device(disk, there) as device:
                return _swap(what, part, device)
        case Content.LEFT_OUT:
            return Compared(what, Comparison.NOT_COMPARED, "its content is not in the image")
        case _:
            return Compared(what, Comparison.NOT_COMPARED, "the image holds nothing of it")


def _of_image(what: str, image: Image, device: Path, progress: Progress) -> Compared:
    try:
        proof = verify(image, device, progress=progress)
    except DiffersError as error:
        grown = is_grown(image, device)
        said = f"{error.different} of {error.regions} regions differ"
        said += (
            ": its filesystem was grown, and what else differs cannot be told from that"
            if grown
            else f", first near byte {error.first_byte}"
        )
        return Compared(
            what,
            Comparison.GROWN if grown else Comparison.DIFFERS,
            said,
            regions=error.regions,
            different_regions=error.different,
            first_byte=error.first_byte,
        )
    said = f"{image.info.filesystem or 'raw'}, {human_bytes(proof.content_bytes)}"
    return Compared(
        what, Comparison.SAME, said, content_bytes=proof.content_bytes, regions=proof.frames
    )


def _swap(what: str, part: DiskPart, device: Path) -> Compared:
    try:
        found = probe_filesystem(device)
    except FilesystemError as error:
        return Compared(what, Comparison.DIFFERS, error.message)
    if found.kind != "swap":
        return Compared(
            what, Comparison.DIFFERS, f"holds {found.kind or 'nothing'} instead of swap"
        )
    if part.uuid and found.uuid != part.uuid:
        said = f"swap has the UUID {found.uuid}, in the image {part.uuid}"
        return Compared(what, Comparison.DIFFERS, said)
    return Compared(what, Comparison.SAME, "swap with its UUID")
