# SPDX-License-Identifier: GPL-3.0-or-later
"""Any image, ours or foreign, asked the same questions: its name, its size, what to warn of.

Whether it is one of ours is asked here alone: ``either`` and ``own_of``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, TypeVar, cast

from oglib.cancel import NEVER, Cancel
from oglib.filesystem.kind import Kind
from oglib.image.format.manifest import SourceInfo, titled
from oglib.image.reading.formats.model import (
    FromHeader,
    ImageInfo,
    Region,
    StreamImage,
    measured,
)
from oglib.image.reading.opened import OpenImage
from oglib.image.reading.source import Supply
from oglib.image.reading.source import supply_of as source_supply_of
from oglib.progress import Event, EventKind, Progress

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
    def title(self) -> str:
        """``NAME version 3``, or the name alone where no repository counts versions."""
        ...

    @property
    def where(self) -> str:
        """Where its bytes come from, for messages and receipts."""
        ...

    @property
    def files(self) -> tuple[Path, ...]:
        """The files of this PC that it lies in; none where it comes from elsewhere."""
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
    def kind(self) -> Kind | None:
        """The row of its filesystem; None where it is none that we know."""
        ...

    @property
    def info(self) -> ImageInfo:
        """The answer of ``og image info``; an ``OwnInfo`` where it is an image of our own."""
        ...

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person should know before it is used."""
        ...

    @property
    def own_warnings(self) -> tuple[str, ...]:
        """Those of its content; what to think of its origin was said of the folder around it."""
        ...

    def sized(self, progress: Progress, cancel: Cancel = NEVER) -> Image:
        """The same, and it is known what a target must have.

        Compressed raw content is read whole for that.
        """
        ...

    def refuse_cut(self, progress: Progress, cancel: Cancel = NEVER) -> None:
        """Raise where a foreign image ends too early or is damaged, by reading all of it.

        For who is about to lose more than the image's own target: a table, or another's content.
        """
        ...

    def close(self) -> None: ...


class Proving(Protocol):
    """Stored bytes whose digest is known, and compared behind the last one."""

    def begin(self) -> None: ...

    def prove(self, name: str) -> None:
        """Raise ``ImageError`` where the content, of the image ``name``, is another one."""
        ...


@dataclass(frozen=True, slots=True)
class ForeignImage(FromHeader):
    """A foreign image as it was opened: with where it comes from, and what to warn of.

    ``where`` is for messages and receipts; ``stored_bytes`` is the size of its files.
    ``measured_bytes``: what a target must have where only reading all of it has told. ``version``
    and ``signed_by`` are of the repository's record of its bytes, where it has one. ``recorded``:
    its bytes, where their digest is known; it is proven behind the last region. ``supply``: they
    come from several places.
    """

    stream: StreamImage
    where: str
    stored_bytes: int
    doubts: tuple[str, ...] = ()
    measured_bytes: int = 0
    files: tuple[Path, ...] = ()
    version: int = 0
    signed_by: str = ""
    recorded: Proving | None = None
    supply: Supply | None = None

    @property
    def name(self) -> str:
        return self.stream.name

    @property
    def title(self) -> str:
        return titled(self.name, self.version)

    @property
    def info(self) -> ImageInfo:
        info = self.stream.info
        needed = info.required_bytes or self.measured_bytes
        return replace(info, required_bytes=needed, signed=bool(self.signed_by))

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
        if self.recorded is None:
            yield from self.stream.regions()
            return
        self.recorded.begin()
        yield from self.stream.regions()
        self.recorded.prove(self.name)

    def used_ranges(self) -> Iterator[tuple[int, int]] | None:
        return self.stream.used_ranges()

    def sized(self, progress: Progress, cancel: Cancel = NEVER) -> ForeignImage:
        if self.required_bytes:
            return self
        return replace(self, measured_bytes=measured(self, progress, cancel))

    def close(self) -> None:
        self.stream.close()


def either(
    image: Image, *, ours: Callable[[OpenImage], _T], foreign: Callable[[StreamImage], _T]
) -> _T:
    """What only one of the two can do, or each in its own way: frames here, regions there."""
    if isinstance(image, OpenImage):
        return ours(image)
    return foreign(cast(StreamImage, image))


def supply_of(image: Image) -> Supply | None:
    """The places that its bytes come from; None where there is only one."""
    if isinstance(image, OpenImage):
        return source_supply_of(image.source)
    return image.supply if isinstance(image, ForeignImage) else None


def report(supply: Supply | None, progress: Progress) -> None:
    """Let whoever watches ``progress`` know which place of ``supply`` is left, and why."""
    if supply is not None:
        supply.listen(lambda line: progress.emit(Event(EventKind.NOTE, line)))


def own_of(image: Image) -> OpenImage | None:
    """The image as one of our own format; None where it is a foreign one."""
    return image if isinstance(image, OpenImage) else None
