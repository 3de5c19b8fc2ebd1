# SPDX-License-Identifier: GPL-3.0-or-later
"""A file that ``split`` cut into volumes (NAME.aa, NAME.ab … or NAME.000, NAME.001 …), as one.

FOG gives the first of its volumes the name of the image itself: d1p1.img, d1p1.img.001, … Finds the
volumes by their names and strings them together; what they hold is not looked at.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import accumulate
from pathlib import Path

from oglib.errors import ImageError, NotFoundError
from oglib.image.reading.source import FileSource, FrameSource
from oglib.partfile import is_there

_FIRST_SUFFIXES = ("aa", "aaa", "aaaa", "000", "00")
_VOLUME = re.compile(r"(.+)\.([a-z]{2,4}|[0-9]{2,3})", re.DOTALL)
_FOG_FIRST = re.compile(r"d[0-9]+p[0-9]+\.img", re.ASCII)
_FOG_SUFFIX = "000"
# A lost volume has its followers nearby; further on, NAME.ant and NAME.sum are other files.
_GAP = 20


def volumes_of(path: Path) -> list[Path]:
    """All volumes of the image at ``path``, in order; ``[path]`` where it is not split.

    ``path`` is a file, a first volume, or what comes before the suffix. Raises ``ImageError``
    for any other volume and where one is missing, ``NotFoundError`` where there is nothing.
    """
    if not is_there(path):
        first = next((one for s in _FIRST_SUFFIXES if is_there(one := _sibling(path, s))), None)
        if first is None:
            raise NotFoundError(f"There is no image file {path}.")
        path = first
    if is_fog_first(path.name) and not is_there(_sibling(path, _FOG_SUFFIX)):
        return _in_sequence(path, _FOG_SUFFIX, [path])
    match = _VOLUME.fullmatch(path.name)
    if match is None or not match[1].strip("."):
        return [path]
    stem, suffix = path.with_name(match[1]), match[2]
    if suffix not in _FIRST_SUFFIXES:
        _refuse_later_volume(path, stem, suffix)
        return [path]
    return _in_sequence(stem, suffix, [])


def is_fog_first(name: str) -> bool:
    """Whether FOG calls the first volume of an image so, or the whole of a small one."""
    return _FOG_FIRST.fullmatch(name) is not None


def later_suffixes(like: str) -> Iterator[str]:
    """The suffixes that ``split`` gives behind the first one, of as many letters or digits."""
    number = 1
    while suffix := _suffix(number, like):
        yield suffix
        number += 1


def _sibling(stem: Path, suffix: str) -> Path:
    return stem.with_name(f"{stem.name}.{suffix}")


def _suffix(number: int, like: str) -> str:
    """The suffix that ``split`` gives to volume ``number``, counted from 0; "" after the last."""
    digits = "0123456789" if like.isdigit() else "abcdefghijklmnopqrstuvwxyz"
    text = ""
    for _ in like:
        number, digit = divmod(number, len(digits))
        text = digits[digit] + text
    return "" if number else text


def _refuse_later_volume(path: Path, stem: Path, suffix: str) -> None:
    """Refuse ``path`` if the first volume is beside it; alone it may be any file."""
    first = _sibling(stem, _suffix(0, suffix))
    if suffix.isdigit() and is_fog_first(stem.name) and not is_there(first):
        first = stem
    if is_there(first):
        raise ImageError(
            f"{path} is not the first volume of its image.", hint=f"Name the first one, {first}."
        )


def _in_sequence(stem: Path, like: str, found: list[Path]) -> list[Path]:
    """``found``, where the first ones have other names, and all that follow them."""
    while (suffix := _suffix(len(found), like)) and is_there(one := _sibling(stem, suffix)):
        found.append(one)
    for number in range(len(found) + 1, len(found) + _GAP):
        if (suffix := _suffix(number, like)) and is_there(_sibling(stem, suffix)):
            missing = _sibling(stem, _suffix(len(found), like))
            raise ImageError(
                f"The volume {missing} is missing, but {stem.name}.{suffix} is there.",
                hint="Copy all volumes of the image into one folder.",
            )
    return found


def open_volumes(path: Path) -> FrameSource:
    """A source over the file at ``path``, or over all volumes where it is split."""
    return open_paths(volumes_of(path))


def open_paths(paths: Sequence[Path]) -> FrameSource:
    """A source over these volumes, in this order."""
    if len(paths) == 1:
        return FileSource(paths[0])
    with ExitStack() as opened:
        sources: list[FrameSource] = []
        for one in paths:
            sources.append(FileSource(one))
            opened.callback(sources[-1].close)
        opened.pop_all()
    return VolumeSource(sources)


class VolumeSource:
    """Several sources, one after the other, as one; closes them."""

    def __init__(self, parts: Sequence[FrameSource]) -> None:
        self._parts = list(parts)
        self._ends = list(accumulate(part.size_bytes for part in self._parts))

    @property
    def parts(self) -> tuple[FrameSource, ...]:
        """The sources, in order."""
        return tuple(self._parts)

    @property
    def size_bytes(self) -> int:
        return self._ends[-1] if self._ends else 0

    def read(self, offset: int, length: int) -> bytes:
        """Exactly ``length`` bytes from ``offset``, or an ``OgError``."""
        if offset < 0 or length < 0 or offset + length > self.size_bytes:
            raise ImageError(
                f"The volumes of {self.describe()} end at byte {self.size_bytes}, but byte "
                f"{offset + length} is needed.",
                hint="The last volume may be missing; copy all of them into one folder.",
            )
        pieces: list[bytes] = []
        number = bisect_right(self._ends, offset)
        while length:
            part = self._parts[number]
            start = offset - (self._ends[number] - part.size_bytes)
            count = min(length, part.size_bytes - start)
            if count:
                pieces.append(part.read(start, count))
            offset, length, number = offset + count, length - count, number + 1
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def describe(self) -> str:
        if not self._parts:
            return "an image without volumes"
        more = len(self._parts) - 1
        return self._parts[0].describe() + (f" and {more} more volumes" if more else "")

    def close(self) -> None:
        for part in self._parts:
            part.close()
