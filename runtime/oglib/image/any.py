# SPDX-License-Identifier: GPL-3.0-or-later
"""Any image, ours or foreign, asked the same questions: its name, its size, what to warn of.

Whether it is one of ours is asked here alone: ``either`` and ``own_of``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar, cast

from oglib.image.format.manifest import SourceInfo
from oglib.image.reading.formats.model import FromHeader, ImageInfo, Region, StreamImage
from oglib.image.reading.opened import OpenImage

_T = TypeVar("_T")


class Image(Protocol):
    """What every image answers; sizes in bytes, 0 or empty = not known."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> int:
        """In the repository; 0 where none counts them."""
        ...

    @property
    def where(self) -> str:
        """Where its bytes come from, for messages and receipts."""
        ...

    @property
    def signed_by(self) -> str:
        """The key that was checked; empty where none was."""
        ...

    @property
    def origin(self) -> SourceInfo:
        """What was noted when it was made: PC, system, firmware."""
        ...

    @property
    def firmware(self) -> str:
        """What started the PC it was made on: ``bios``, ``uefi`` or empty."""
        ...

    @property
    def required_bytes(self) -> int:
        """What a target must have; 0 where only reading the whole image would tell."""
        ...

    @property
    def sector_size(self) -> int:
        """The sector size of the disk it was made on."""
        ...

    @property
    def filesystem(self) -> str:
        """partclone's word for its filesystem, in capitals."""
        ...

    @property
    def info(self) -> ImageInfo:
        """The answer of ``og image info``; an ``OwnInfo`` where it is an image of our own."""
        ...

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person should know before it is used."""
        ...

    def close(self) -> None: ...

    @property
    def own_warnings(self) -> tuple[str, ...]:
        """Those of its content; what to think of its origin was said of the folder around it."""
        ...


@dataclass(frozen=True, slots=True)
class ForeignImage(FromHeader):
    """A foreign image as it was opened: with where it comes from, and what to warn of.

    ``where`` is for messages and receipts; ``stored_bytes`` is the size of its files.
    ``measured_bytes``: what a target must have where only reading all of it has told.
    """

    stream: StreamImage
    where: str
    stored_bytes: int
    doubts: tuple[str, ...] = ()
    measured_bytes: int = 0

    @property
    def name(self) -> str:
        return self.stream.name

    @property
    def info(self) -> ImageInfo:
        info = self.stream.info
        needed = info.required_bytes or self.measured_bytes
        return info if needed == info.required_bytes else replace(info, required_bytes=needed)

    @property
    def sector_size(self) -> int:
        return self.stream.sector_size

    @property
    def region_bytes(self) -> int:
        return self.stream.region_bytes

    @property
    def content_bytes(self) -> int:
        return self.stream.content_bytes

    @property
    def warnings(self) -> tuple[str, ...]:
        return (*self.doubts, *self.stream.warnings)

    @property
    def own_warnings(self) -> tuple[str, ...]:
        return self.stream.warnings

    def regions(self) -> Iterator[Region]:
        return self.stream.regions()

    def used_ranges(self) -> Iterator[tuple[int, int]] | None:
        return self.stream.used_ranges()

    def close(self) -> None:
        self.stream.close()


def either(
    image: Image, *, ours: Callable[[OpenImage], _T], foreign: Callable[[StreamImage], _T]
) -> _T:
    """What only one of the two can do, or each in its own way: frames here, regions there."""
    if (own := own_of(image)) is not None:
        return ours(own)
    return foreign(cast(StreamImage, image))


def own_of(image: Image) -> OpenImage | None:
    """The image as one of our own format; None where it is a foreign one."""
    return image if isinstance(image, OpenImage) else None


def titled(image: Image) -> str:
    """``NAME version 3``, or the name alone where no repository counts versions."""
    return named(image.name, image.version)


def named(name: str, version: int) -> str:
    """The same of a name and a version; 0: it has none."""
    return f"{name} version {version}" if version else name


def with_required(image: Image, measure: Callable[[StreamImage], int]) -> Image:
    """``image`` with what a target must have: asked of ``measure`` where it does not say."""
    if image.required_bytes or not isinstance(image, ForeignImage):
        return image
    return replace(image, measured_bytes=measure(image))
