# SPDX-License-Identifier: GPL-3.0-or-later
"""From what a person calls the image of a whole disk to its table and its partitions' images.

Ours is a folder with a ``disk.json``, on this PC, on a share or on a web server; Clonezilla's and
FOG's are folders too. What they say is checked here; the images of the partitions are opened one
by one, judged like any other image, and must be those that a signed ``disk.json`` was made with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from blake3 import blake3

from oglib import limits
from oglib.deploy.opening import reference
from oglib.deploy.opening.foreign import in_folder
from oglib.deploy.opening.memory import Memory
from oglib.deploy.opening.policy import policy_for, policy_for_url, share_of
from oglib.deploy.whole_disk.exact import with_exact
from oglib.deploy.whole_disk.fit import Wanted
from oglib.disk.model import TableKind
from oglib.disk.tables.exact import Stretch
from oglib.disk.tables.gpt import ENTRIES_BYTES, ENTRY_BYTES
from oglib.errors import ImageError, NotFoundError, OgErr, OgError
from oglib.image.any import Image, own_of
from oglib.image.format.disk_manifest import (
    DISK_FILE,
    DISK_SIGNATURE,
    GAPS_FILE,
    DiskManifest,
    Gap,
    part_name,
    unpacked_gaps,
    unpacked_table,
)
from oglib.image.format.manifest import check_name
from oglib.image.format.signing import load_public_keys, verify_signature
from oglib.image.reading.formats.model import ImageInfo, OwnInfo
from oglib.image.reading.opened import how_to_vouch
from oglib.image.reading.stretch import Raw
from oglib.partfile import is_there
from oglib.settings import Settings

_OLD_SUFFIX = ".dsk"


@dataclass(frozen=True, slots=True)
class WholeDisk:
    """The image of a whole disk, opened; ``open_part`` gives the image of one of its partitions.

    ``tool`` is ``disk`` for our own, ``clonezilla`` or ``fog``. ``gaps`` hold the boot code and
    other bytes outside filesystems; ``missing`` names what the folder holds and nobody restores,
    ``lacking`` says what belongs to the image and is not there. ``others`` are further disks in the
    same folder, which are images of their own: ``FOLDER/sdb``.
    """

    tool: Literal["disk", "clonezilla", "fog"]
    name: str
    where: str
    wanted: Wanted
    gaps: tuple[tuple[Gap, Raw], ...]
    firmware: str
    info: ImageInfo
    open_part: Callable[[int], AbstractContextManager[Image]]
    version: int = 0
    signed_by: str = ""
    warnings: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()
    others: tuple[str, ...] = ()

    @property
    def system(self) -> str:
        """The systems on it as they named themselves; empty where nobody noted them."""
        return self.info.os if isinstance(self.info, OwnInfo) else ""

    def refuse_lacking(self) -> None:
        """Raise ``ImageError`` where a piece of the image is not there."""
        if self.lacking:
            raise ImageError(
                f"The image {self.name} is damaged: {' '.join(self.lacking)}",
                hint="Copy the whole folder again, or restore its other partitions with --parts.",
                code=OgErr.IMAGEFILE,
            )

    def beside(self, other: str) -> str:
        """What names one of the ``others``."""
        path = Path(self.where)
        return str((path if path.is_dir() else path.parent) / other)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a folder image is: exactly one of ``path`` and ``url`` is set; ``name`` as asked.

    ``version``: that one and no other; 0 for the one that is shown.
    """

    name: str
    path: Path | None = None
    url: str = ""
    version: int = 0

    @property
    def where(self) -> str:
        return str(self.path or self.url)

    @property
    def disk_name(self) -> str:
        """What its ``disk.json`` calls it; the folder of the version before has a longer name."""
        return self.name.removesuffix(reference.ASIDE)

    def aside(self) -> _Place:
        """The version before."""
        name = self.name + reference.ASIDE
        if self.path is not None:
            return replace(self, name=name, path=self.path.with_name(name))
        return replace(self, name=name, url=self.url + reference.ASIDE)

    def read(self, file: str, limit_bytes: int) -> bytes | None:
        if self.path is not None:
            return _file(self.path / file, limit_bytes)
        return reference.fetch_if_there(f"{self.url}/{file}", limit_bytes)


def is_whole(text: str, settings: Settings) -> bool:
    """Whether ``text`` names the image of a whole disk: a folder, ours or foreign, or a raw one.

    A name or address is asked for with one small request; what is not there is none.
    """
    place = _place_of(text, settings)
    places = (place, place.aside()) if place.version else (place,)
    if place.path is not None:
        found = any(one.path is not None and is_folder(one.path) for one in places)
        return found or is_raw_disk(text, settings)
    return any(one.read(DISK_FILE, limits.DISK_MANIFEST_BYTES) is not None for one in places)


def is_folder(path: Path) -> bool:
    """Whether this is the folder of a whole disk, ours or foreign, or one of the disks in it."""
    if path.is_dir():
        from oglib.image.reading.formats.folders.folder import is_folder_image  # noqa: PLC0415 - only where one is met

        return (path / DISK_FILE).is_file() or bool(is_folder_image(path))
    try:
        found = in_folder(path)
    except OgError:
        return False  # whoever opens it will say why
    return found is not None and not found[1]


def is_raw_disk(text: str, settings: Settings) -> bool:
    """Whether this file is the raw copy of a disk with its partition table (OpenGnsys' ``.dsk``).

    An image of ours is told by its name, and never read for this. What OpenGnsys made of a disk
    is a partclone image of all its bytes: there the file's name says that it was a disk.
    """
    path = Path(text)
    if (
        not reference.is_path(text)
        or not path.is_file()
        or is_there(path.with_name(f"{path.name}.json"))
    ):
        return False
    info = reference.described(text, settings)
    is_old = path.suffix == _OLD_SUFFIX and (info.tool, info.filesystem) == ("partclone", "raw")
    return info.tool == "disk" or is_old


@contextmanager
def opened_whole(
    text: str, settings: Settings, memory: Memory | None = None
) -> Iterator[WholeDisk]:
    """The image that ``text`` names, its ``disk.json``, signature and gaps checked.

    ``memory`` refuses one from the network that is older than what the PC had.
    """
    place = _located(_place_of(text, settings))
    if place.path is not None and not (place.path / DISK_FILE).exists():
        from oglib.deploy.whole_disk.foreign import opened_folder  # noqa: PLC0415

        with opened_folder(place.path, policy_for(place.path, settings), settings) as whole:
            yield whole
        return
    yield _ours(place, settings, memory)


def _located(place: _Place) -> _Place:
    """The folder of the version that was asked for: the one that is shown, or the one before."""
    if not place.version:
        return place
    known = []
    for one in (place, place.aside()):
        raw = one.read(DISK_FILE, limits.DISK_MANIFEST_BYTES)
        if raw is None:
            continue
        found = DiskManifest.from_bytes(raw).version
        if found == place.version:
            return one
        known.append(str(found))
    raise reference.no_version(place.name, place.version, place.where, known)


def whole_info(text: str, settings: Settings) -> ImageInfo:
    """The answer of ``og image info`` for a whole disk; its damage is said, not raised."""
    place = _place_of(text, settings)
    if place.version:
        place = _located(place)
    if place.path is not None and not (place.path / DISK_FILE).exists():
        return reference.described(text, settings)
    try:
        return _ours(place, settings).info
    except ImageError as error:
        return ImageInfo("disk", "zstd", damage=str(error))


def _place_of(text: str, settings: Settings) -> _Place:
    text, version = reference.versioned(text)
    if "://" in text:
        base = text.removesuffix(f"/{DISK_FILE}").rstrip("/")
        _, below, tail = base.rpartition("/images/")
        name = check_name(tail if below else base.rpartition("/")[2])
        return _Place(name, url=base, version=version)
    if reference.is_path(text) or Path(text).is_absolute():
        path = Path(text.removesuffix(f"/{DISK_FILE}"))
        return _Place(path.resolve().name, path=path, version=version)
    reference.refuse_ambiguous(text, settings)
    url = f"{settings.repository_url()}/images/{text}"
    return _Place(check_name(text), url=url, version=version)


def _ours(place: _Place, settings: Settings, memory: Memory | None = None) -> WholeDisk:
    where = place.where
    raw = place.read(DISK_FILE, limits.DISK_MANIFEST_BYTES)
    if raw is None:
        raise NotFoundError(f"There is no image of a disk at {where}.", code=OgErr.IMAGEFILE)
    disk, signed_by, warnings = _judged(raw, _signature(place), place, settings)
    if place.version not in (0, disk.version):
        raise reference.no_version(place.name, place.version, where, [str(disk.version)])
    from_network = place.path is None or share_of(place.path) is not None
    if memory is not None and signed_by and from_network:
        said = memory.judge(disk.name, disk.version, wanted=bool(place.version))
        warnings = (*warnings, *said)
    gaps = place.read(GAPS_FILE, limits.DISK_GAPS_BYTES) if disk.gaps_bytes else b""
    if gaps is None:
        raise ImageError(f"The image {disk.name} lacks its {GAPS_FILE}.", code=OgErr.IMAGEFILE)

    @contextmanager
    def open_part(number: int) -> Iterator[Image]:
        with reference.opened_at(_part_of(place, disk, number), settings) as image:
            _check_bound(image, disk, number)
            yield image

    return WholeDisk(
        tool="disk",
        name=disk.name,
        where=where,
        wanted=wanted_of(disk, unpacked_table(disk, gaps)),
        gaps=_beside_the_table(disk, unpacked_gaps(disk, gaps)),
        firmware=disk.firmware,
        info=_info(disk, signed_by),
        open_part=open_part,
        version=disk.version,
        signed_by=signed_by,
        warnings=warnings,
    )


def wanted_of(disk: DiskManifest, table_bytes: Sequence[Stretch] = ()) -> Wanted:
    """The table that ``disk.json`` describes, ``ImageError`` where its sectors are another one."""
    wanted = Wanted(
        TableKind(disk.table), disk.disk_id, disk.size_bytes, disk.sector_size, disk.partitions
    )
    if not table_bytes:
        return wanted
    try:
        return with_exact(wanted, table_bytes)
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


def _check_name_of(disk: DiskManifest, place: _Place) -> None:
    """By address the whole name is known, of a folder only its last part."""
    asked = place.disk_name if place.url else place.disk_name.rpartition("/")[2]
    found = disk.name if place.url else disk.name.rpartition("/")[2]
    if asked != found:
        raise ImageError(
            f"The image is {disk.name}, but {place.name} was asked for.",
            hint="The folder was renamed or swapped; give it its own name back.",
        )


def _signature(place: _Place) -> bytes | None:
    if place.path is not None:
        return place.read(DISK_SIGNATURE, limits.SIGNATURE_BYTES)
    return reference.signature_of(f"{place.url}/{DISK_SIGNATURE}")


def _part_of(place: _Place, disk: DiskManifest, number: int) -> reference.Reference:
    """The image of one partition, called as it was captured, wherever its folder is now."""
    name, file = part_name(disk.name, number), f"p{number}.img"
    if place.path is not None:
        return reference.Reference(name, path=place.path / file)
    return reference.Reference(name, url=f"{place.url}/{file}")


def _judged(
    raw: bytes, signature: bytes | None, place: _Place, settings: Settings
) -> tuple[DiskManifest, str, tuple[str, ...]]:
    """Who signed, and what to warn of; raises when the site's policy says no."""
    keys = load_public_keys(settings.keys_dir) if settings.keys_dir.is_dir() else []
    if signature is not None and keys:
        signed_by = verify_signature(raw, signature, keys)
        disk = DiskManifest.from_bytes(raw)
        _check_name_of(disk, place)
        if disk.key_id != signed_by:
            raise ImageError(f"The {DISK_FILE} of {disk.name} names another key than signed it.")
        return disk, signed_by, ()
    disk = DiskManifest.from_bytes(raw)
    _check_name_of(disk, place)
    if place.path is not None:
        allowed = policy_for(place.path, settings).unsigned_local
    else:
        allowed = policy_for_url(place.url, settings).unsigned_remote
    why = "is not signed" if signature is None else "is signed, but no key is installed to check it"
    if not allowed:
        raise ImageError(
            f"The image {disk.name} from {place.path or place.url} {why}.",
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


def _file(path: Path, limit_bytes: int) -> bytes | None:
    try:
        if not path.is_file():
            return None
        with path.open("rb") as file:
            raw = file.read(limit_bytes + 1)
    except OSError as error:
        raise NotFoundError(f"{path} cannot be read: {error.strerror}.") from error
    if len(raw) > limit_bytes:
        raise ImageError(f"{path} has more than {limit_bytes} bytes.")
    return raw
