# SPDX-License-Identifier: GPL-3.0-or-later
"""What the readers of all formats share: one pass after another over a source.

The pass that read the header is kept for the first ``regions()``; every later one starts anew.
``BlockStream`` is for formats whose bitmap comes before the content.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from oglib.image.format.bitmap import Bitmap
from oglib.image.format.frames import region_bytes_for
from oglib.image.reading.formats.model import FromHeader, ImageInfo, Region
from oglib.image.reading.formats.reader import Reader
from oglib.image.reading.source import FrameSource

_NO_CHECKSUMS = "The image carries no checksums: damage to its content cannot be noticed."


@dataclass(frozen=True, slots=True)
class Opened:
    """An image of which a pass was begun: ``reader``. ``anew`` begins another one."""

    source: FrameSource
    name: str
    reader: Reader
    anew: Callable[[], Reader]
    volumes: int = 1


class Payload(Protocol):
    """The content of the used blocks, in order, checked on the way."""

    def take(self, count: int) -> list[memoryview]: ...

    def finish(self) -> None: ...


class Stream(FromHeader, ABC):
    """A ``StreamImage`` whose content begins where ``opened.reader`` stands."""

    def __init__(
        self, opened: Opened, info: ImageInfo, *, content_bytes: int = 0, sector_size: int = 0,
        warnings: tuple[str, ...] = (),
    ) -> None:  # fmt: skip
        self.info = info
        self.content_bytes = content_bytes
        self.sector_size = sector_size
        if (info.checksum, info.compressor) == ("none", "none"):
            warnings = (*warnings, _NO_CHECKSUMS)
        self.warnings = warnings
        self.region_bytes = region_bytes_for(info.block_size)
        self._opened = opened
        self._content_at = opened.reader.position
        self._ready: Reader | None = opened.reader

    @property
    def name(self) -> str:
        return self._opened.name

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self.close()

    def close(self) -> None:
        """Closes the source too."""
        if self._ready:
            self._ready.close()
            self._ready = None
        self._opened.source.close()

    def regions(self) -> Iterator[Region]:
        """See ``StreamImage``."""
        reader, self._ready = self._ready, None
        with reader or self._opened.anew() as reader:
            if reader.position < self._content_at:
                reader.skip(self._content_at - reader.position)
            yield from self._regions(reader)
            reader.finish()

    @abstractmethod
    def _regions(self, reader: Reader) -> Iterator[Region]:
        """The regions; ``reader`` stands at the first byte of content, and ends at the last."""

    def used_ranges(self) -> Iterator[tuple[int, int]] | None:
        """(offset, length) on the target of all that ``regions`` will hand over, ascending.

        None where only the content tells.
        """
        return None


class BlockStream(Stream):
    """An image that says before its content which blocks it holds."""

    def __init__(
        self, opened: Opened, info: ImageInfo, bitmap: Bitmap, *, sector_size: int = 0,
        warnings: tuple[str, ...] = (),
    ) -> None:  # fmt: skip
        super().__init__(
            opened, info, content_bytes=info.used_blocks * info.block_size,
            sector_size=sector_size, warnings=warnings,
        )  # fmt: skip
        self._bitmap = bitmap

    def close(self) -> None:
        super().close()
        self._bitmap.close()

    @abstractmethod
    def _payload(self, reader: Reader) -> Payload:
        """What checks the content of the used blocks and leaves the checksums out."""

    def _regions(self, reader: Reader) -> Iterator[Region]:
        payload = self._payload(reader)
        for number, runs in self._runs():
            yield Region(number, runs, payload.take(sum(length for _, length in runs)))
        payload.finish()

    def _runs(self) -> Iterator[tuple[int, list[tuple[int, int]]]]:
        """Every region that has used blocks: its number and its runs in bytes."""
        size = self.info.block_size
        per_region = self.region_bytes // size
        for number, first in enumerate(range(0, self.info.total_blocks, per_region)):
            if runs := self._bitmap.runs(first, per_region):
                yield number, [(block * size, count * size) for block, count in runs]

    def used_ranges(self) -> Iterator[tuple[int, int]] | None:
        return (run for _, runs in self._runs() for run in runs)
