# SPDX-License-Identifier: GPL-3.0-or-later
"""A disk in a folder of ours: ``disk.json``, its signature and gaps, and the partitions' images.

The images of the partitions are opened one by one, judged like any other image, and must be those
that a signed ``disk.json`` was made with.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from blake3 import blake3

from oglib import limits
from oglib.deploy.opening.fetching import keys_of, signature_of
from oglib.deploy.opening.foreign_image import files_in
from oglib.deploy.opening.memory import Memory
from oglib.deploy.opening.opened import opened_at
from oglib.deploy.opening.policy import policy_for_url, policy_on, share_of
from oglib.deploy.opening.reference import Reference, no_version
from oglib.deploy.whole_disk.exact import with_exact
from oglib.deploy.whole_disk.location import FolderLocation
from oglib.deploy.whole_disk.sizing import ImagedDisk
from oglib.deploy.whole_disk.whole import WholeDisk
from oglib.disk.model import TableKind
from oglib.disk.tables.exact import Stretch
from oglib.disk.tables.gpt import ENTRIES_BYTES, ENTRY_BYTES
from oglib.errors import ImageError, OgErr
from oglib.image.any import Image, own_of
from oglib.image.format.disk_gaps import unpacked_gaps, unpacked_table
from oglib.image.format.disk_manifest import (
    DISK_FILE,
    DISK_SIGNATURE,
    GAPS_FILE,
    DiskManifest,
    Gap,
    part_name,
)
from oglib.image.format.signing import verify_signature
from oglib.image.reading.formats.model import ImageInfo, OwnInfo
from oglib.image.reading.vouching import how_to_vouch
from oglib.settings import Settings


def ours_at(
    location: FolderLocation, settings: Settings, memory: Memory | None = None
) -> WholeDisk | None:
    """The image that is there, its ``disk.json``, signature and gaps checked; None: there is none.

    ``memory`` refuses one from the network that is older than what the PC had.
    """
    raw = location.read(DISK_FILE, limits.DISK_MANIFEST_BYTES)
    if raw is None:
        return None
    where, share = location.where, share_of(location.path) if location.path else None
    allowed = (
        policy_on(share, settings).unsigned_local
        if location.path is not None
        else policy_for_url(location.url, settings).unsigned_remote
    )
    disk, signed_by, warnings = _judged(
        raw, _signature(location, raw, settings), location, settings, allowed=allowed
    )
    if location.version not in (0, disk.version):
        raise no_version(location.name, location.version, where, [str(disk.version)])
    from_network = location.path is None or share is not None
    if memory is not None and signed_by and from_network:
        said = memory.judge(disk.name, disk.version, wanted=bool(location.version))
        warnings = (*warnings, *said)
    gaps = location.read(GAPS_FILE, limits.DISK_GAPS_BYTES) if disk.gaps_bytes else b""
    if gaps is None:
        raise ImageError(f"The image {disk.name} lacks its {GAPS_FILE}.", code=OgErr.IMAGEFILE)

    @contextmanager
    def open_part(number: int) -> Iterator[Image]:
        of_parts = memory.for_parts() if memory else None
        with opened_at(_part_of(location, disk, number), settings, of_parts) as image:
            _check_bound(image, disk, number)
            yield image

    return WholeDisk(
        tool="disk",
        name=disk.name,
        where=where,
        imaged=imaged_disk_of(disk, unpacked_table(disk, gaps)),
        gaps=_beside_the_table(disk, unpacked_gaps(disk, gaps)),
        firmware=disk.firmware,
        info=lambda: _info(disk, signed_by),
        system=disk.os,
        open_part=open_part,
        version=disk.version,
        signed_by=signed_by,
        warnings=warnings,
        files=files_in(location.path) if location.path else (),
    )


def imaged_disk_of(disk: DiskManifest, table_bytes: Sequence[Stretch] = ()) -> ImagedDisk:
    """The table that ``disk.json`` describes, ``ImageError`` where its sectors are another one."""
    imaged = ImagedDisk(
        TableKind(disk.table), disk.disk_id, disk.size_bytes, disk.sector_size, disk.partitions
    )
    if not table_bytes:
        return imaged
    try:
        return with_exact(imaged, table_bytes)
    except ValueError as error:
        raise ImageError(
            f"The table in {GAPS_FILE} of {disk.name} is not the one that {DISK_FILE} describes: "
            f"{error}",
            hint="Capture the disk again.",
        ) from error


def _beside_the_table(
    disk: DiskManifest, gaps: tuple[tuple[Gap, bytes], ...]
) -> tuple[tuple[Gap, bytes], ...]:
    """Without the gap that older captures took for one: the entries of a large GPT lie there."""
    most = max((part.number for part in disk.partitions), default=0)
    entries_end = 2 * disk.sector_size + most * ENTRY_BYTES
    if disk.table_bytes or disk.table != TableKind.GPT or most * ENTRY_BYTES <= ENTRIES_BYTES:
        return gaps
    return tuple(
        (gap, raw)
        for gap, raw in gaps
        if gap.part or not gap.offset_bytes or gap.offset_bytes >= entries_end
    )


def _check_name_of(disk: DiskManifest, location: FolderLocation) -> None:
    """By address the whole name is known, of a folder only its last part."""
    asked = location.disk_name if location.url else location.disk_name.rpartition("/")[2]
    found = disk.name if location.url else disk.name.rpartition("/")[2]
    if asked != found:
        raise ImageError(
            f"The image is {disk.name}, but {location.name} was asked for.",
            hint="The folder was renamed or swapped; give it its own name back.",
        )


def _signature(location: FolderLocation, raw: bytes, settings: Settings) -> bytes | None:
    if location.path is not None:
        return location.read(DISK_SIGNATURE, limits.SIGNATURE_BYTES)
    url = location.address(DISK_SIGNATURE)
    return signature_of(url, raw, keys_of(settings), location.connection)


def _part_of(location: FolderLocation, disk: DiskManifest, number: int) -> Reference:
    """The image of one partition, called as it was captured, wherever its folder is now."""
    name, file = part_name(disk.name, number), f"p{number}.img"
    if location.path is not None:
        return Reference(
            name,
            path=location.path / file,
            repository=location.repository,
            hold=location.hold,
        )
    return Reference(name, url=f"{location.url}/{file}", kept=location.kept_part(number))


def _judged(
    raw: bytes,
    signature: bytes | None,
    location: FolderLocation,
    settings: Settings,
    *,
    allowed: bool,
) -> tuple[DiskManifest, str, tuple[str, ...]]:
    """Who signed, and what to warn of; raises when the site's policy says no."""
    keys = keys_of(settings)
    if signature is not None and keys:
        signed_by = verify_signature(raw, signature, keys)
        disk = DiskManifest.from_bytes(raw)
        _check_name_of(disk, location)
        if disk.key_id != signed_by:
            raise ImageError(f"The {DISK_FILE} of {disk.name} names another key than signed it.")
        return disk, signed_by, ()
    disk = DiskManifest.from_bytes(raw)
    _check_name_of(disk, location)
    why = "is not signed" if signature is None else "is signed, but no key is installed to check it"
    if not allowed:
        raise ImageError(
            f"The image {disk.name} from {location.path or location.url} {why}.",
            hint=how_to_vouch(signed=signature is not None),
        )
    return disk, "", (f"The image {disk.name} {why}: nobody vouches for its origin.",)


def _check_bound(image: Image, disk: DiskManifest, number: int) -> None:
    """Each image is the one that was captured with this disk: no older one, no other one."""
    bound = next(part.manifest_blake3 for part in disk.partitions if part.number == number)
    name = part_name(disk.name, number)
    own = own_of(image)
    found = own.manifest.to_bytes() if own else b""
    if blake3(found).hexdigest() != bound:
        raise ImageError(
            f"The image {name} is not the one that {DISK_FILE} of {disk.name} was made with.",
            hint="Fetch or copy the whole folder again.",
        )


def _info(disk: DiskManifest, signed_by: str) -> ImageInfo:
    return OwnInfo(
        tool="disk",
        compressor="zstd",
        required_bytes=disk.size_bytes,
        volumes=len(disk.images),
        signed=bool(signed_by),
        name=disk.name,
        version=disk.version,
        title=disk.title,
        comment=disk.comment,
        os=disk.os,
        hostname=disk.hostname,
        created=disk.created,
        signed_by=signed_by,
    )
