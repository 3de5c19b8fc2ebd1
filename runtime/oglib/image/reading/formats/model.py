# SPDX-License-Identifier: GPL-3.0-or-later
"""What every image can say of itself, and how the content of a foreign one is handed over."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from oglib.cancel import NEVER, Cancel
from oglib.filesystem.kind import Family, Kind
from oglib.filesystem.kinds import kind_in_image
from oglib.image.format.manifest import SourceInfo
from oglib.progress import Progress

Buffer = bytes | memoryview
_T = TypeVar("_T")
_AS_LONG_AS_THEY_SAY = ("partclone", "raw", "disk")
_SYNCHRONISED = (Family.EXT, Family.BTRFS)


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """The answer of ``og image info``; sizes in bytes, counts in blocks, 0 = not known.

    ``tool``: partclone, partimage, ntfsclone, raw, disk, clonezilla, fog. ``compressor``: none,
    gzip, lzop, zstd, lz4, xz, bzip2 (of the first partition for a folder). ``checksum``: none,
    crc32, xxh64, xxh128, v1. ``required_bytes`` is what a target must have.
    """

    tool: str
    compressor: str
    filesystem: str = ""
    block_size: int = 0
    total_blocks: int = 0
    used_blocks: int = 0
    required_bytes: int = 0
    checksum: str = "none"
    volumes: int = 1
    frames: int = 0
    signed: bool = False
    damage: str = ""

    def as_dict(self) -> dict[str, object]:
        """JSON-able."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class OwnInfo(ImageInfo):
    """The answer for an image of our own format: also what its manifest says, for people.

    ``version`` 0 = no repository counts it. ``os``, ``hostname`` and ``created`` are of its
    capture; ``signed_by`` is the key that was checked, empty where none was.
    """

    name: str = ""
    version: int = 0
    title: str = ""
    comment: str = ""
    os: str = ""
    hostname: str = ""
    created: str = ""
    signed_by: str = ""


@dataclass(frozen=True, slots=True)
class Region:
    """Content of one aligned region of the target, number ``number`` counted from 0.

    ``runs`` are (offset on the target, length) in bytes, ascending, inside the region;
    ``views`` hold their content back to back, cut anywhere.
    """

    number: int
    runs: list[tuple[int, int]]
    views: Sequence[Buffer]


class _Described(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def info(self) -> ImageInfo: ...

    @property
    def warnings(self) -> tuple[str, ...]: ...


class FromHeader:
    """What any image is asked (``any.Image``), answered by the header of a foreign one.

    Nobody noted a version, a key or a firmware in it.
    """

    __slots__ = ()

    @property
    def where(self: _Described) -> str:
        return self.name

    @property
    def version(self) -> int:
        return 0

    @property
    def title(self: _Described) -> str:
        return self.name

    @property
    def files(self) -> tuple[Path, ...]:
        return ()

    @property
    def signed_by(self) -> str:
        return ""

    @property
    def origin(self) -> SourceInfo:
        return SourceInfo()

    @property
    def firmware(self) -> str:
        return ""

    @property
    def required_bytes(self: _Described) -> int:
        return self.info.required_bytes

    @property
    def filesystem(self: _Described) -> str:
        return self.info.filesystem.upper()

    @property
    def kind(self: _Described) -> Kind | None:
        return kind_in_image(self.info.filesystem)

    @property
    def stored_bytes(self) -> int:
        return 0

    @property
    def measured_bytes(self) -> int:
        return 0

    @property
    def own_warnings(self: _Described) -> tuple[str, ...]:
        return self.warnings

    def sized(self: _T, _progress: Progress, _cancel: Cancel = NEVER) -> _T:
        return self

    def refuse_cut(self: StreamImage, progress: Progress, cancel: Cancel = NEVER) -> None:
        """Plain copies are as long as they say, or were refused; what was measured was read."""
        info = self.info
        plain = info.compressor == "none" and info.tool in _AS_LONG_AS_THEY_SAY
        if self.measured_bytes or (plain and info.checksum != "v1"):
            return
        with progress.phase("check", self.content_bytes) as phase:
            for region in self.regions():
                cancel.check()
                phase.advance(sum(length for _, length in region.runs))


class StreamImage(Protocol):
    """A foreign image: no digests to trust, no frame can be had without those before it.

    What it answers beside its content: ``any.Image``.
    """

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> int: ...

    @property
    def signed_by(self) -> str: ...

    @property
    def where(self) -> str: ...

    @property
    def info(self) -> ImageInfo: ...

    @property
    def required_bytes(self) -> int: ...

    @property
    def stored_bytes(self) -> int:
        """The size of its files; 0 = not known."""
        ...

    @property
    def measured_bytes(self) -> int:
        """What a target must have, where reading all of it has told; else 0."""
        ...

    @property
    def sector_size(self) -> int:
        """Of the disk it was made on; 0 = not known or of no importance."""
        ...

    @property
    def region_bytes(self) -> int: ...

    @property
    def content_bytes(self) -> int:
        """How much ``regions`` hands over; 0 = known only at the end."""
        ...

    @property
    def warnings(self) -> tuple[str, ...]: ...

    def regions(self) -> Iterator[Region]:
        """Every region with content, ascending; each call starts over.

        The checksums inside the image are verified on the way; ``ImageError`` where they, or
        the image's length, are wrong, and only the end of the iteration says that all is well.
        """
        ...

    def used_ranges(self) -> Iterator[tuple[int, int]] | None:
        """(offset on the target, length) of all that ``regions`` will hand over, ascending.

        None where only reading the content tells (ntfsclone).
        """
        ...

    def close(self) -> None: ...


def measured(image: StreamImage, progress: Progress, cancel: Cancel = NEVER) -> int:
    """Where the content ends, found by reading all of it: compressed raw content does not say."""
    end = 0
    with progress.phase("measure", image.content_bytes) as phase:
        for region in image.regions():
            cancel.check()
            phase.advance(sum(length for _, length in region.runs))
            end = max(end, *(offset + length for offset, length in region.runs))
    return end


def is_synchronised(info: ImageInfo) -> bool:
    """Whether this may be one of OpenGnsys' synchronised images: files in a filesystem in a file.

    Such a one is no copy of a partition: what it holds is to be copied onto one by rsync.
    """
    packed = info.compressor not in ("", "none")
    kind = kind_in_image(info.filesystem)
    return info.tool == "raw" and not packed and kind is not None and kind.family in _SYNCHRONISED
