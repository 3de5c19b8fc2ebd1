# SPDX-License-Identifier: GPL-3.0-or-later
"""Which format an image has, told by its own bytes and never by its name; and opening it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from oglib.errors import ImageError
from oglib.filesystem.kinds import HEAD_BYTES
from oglib.image.format.partclone import MAGIC, VERSION
from oglib.image.reading.formats import ntfsclone, partclone1, partimage
from oglib.image.reading.formats.base import Opened, Stream
from oglib.image.reading.formats.content import content_of
from oglib.image.reading.formats.model import ImageInfo
from oglib.image.reading.formats.partclone2 import open_partclone2
from oglib.image.reading.formats.partimage_volumes import Volumes, are_partimage, parts_of
from oglib.image.reading.formats.raw import Raw
from oglib.image.reading.formats.reader import Reader
from oglib.image.reading.source import FrameSource
from oglib.image.reading.unpack import unpacked

_PARTCLONE = MAGIC[:15]  # version 0001 goes on with the filesystem's name
_VERSION_AT = slice(30, 34)
_PAGE = b"<"


def open_stream(
    source: FrameSource, name: str, *, workers: int | None = None, scratch: Path | None = None,
    raw: bool = False,
) -> Stream:  # fmt: skip
    """Recognise the image in ``source`` and read what it says before its content.

    ``name`` is for messages, ``workers`` for decompression; ``scratch`` takes the unpacked
    bitmap (default: the temporary folder). With ``raw`` content that nobody knows is taken as a
    raw copy, because its owner says so. Raises ``ImageError`` for what is unknown, damaged
    or cannot be served. The source belongs to the result and is closed with it; on failure it
    stays the caller's.
    """
    opened = _begun(source, name, workers)
    try:
        return _open(opened, scratch, raw=raw)
    except BaseException:
        opened.reader.close()
        raise


def _begun(source: FrameSource, name: str, workers: int | None) -> Opened:
    parts = parts_of(source)

    def joined() -> Reader:
        return Reader(unpacked(source, workers=workers))

    def one_by_one() -> Reader:
        return Reader(Volumes(parts, workers))

    reader = joined()
    try:
        split = tool_of(reader.peek(HEAD_BYTES)) == "partimage" and are_partimage(parts)
    except BaseException:
        reader.close()
        raise
    if not split:
        return Opened(source, name, reader, joined, len(parts))
    reader.close()
    return Opened(source, name, one_by_one(), one_by_one, len(parts))


def tool_of(head: bytes) -> str:
    """The tool whose image begins with ``head``: a word of ``ImageInfo.tool``, or ""."""
    if head.startswith(_PARTCLONE):
        return "partclone"
    if head.startswith(ntfsclone.MAGIC):
        return "ntfsclone"
    if head.startswith(partimage.VOLUME_MAGIC):
        return "partimage"
    content = content_of(head)
    if content.table:
        return "disk"
    return "raw" if content.filesystem else ""


def _open(opened: Opened, scratch: Path | None, *, raw: bool) -> Stream:
    head = opened.reader.peek(HEAD_BYTES)
    match tool_of(head):
        case "partclone":
            return _open_partclone(opened, head[_VERSION_AT], scratch)
        case "ntfsclone":
            return ntfsclone.open_ntfsclone(opened)
        case "partimage":
            return partimage.open_partimage(opened, scratch)
        case "" if not raw:
            raise _unknown(opened.name, head)
        case _:
            return Raw(opened, content_of(head))


def _open_partclone(opened: Opened, version: bytes, scratch: Path | None) -> Stream:
    if version == VERSION:
        return open_partclone2(opened, scratch)
    if version == partclone1.VERSION:
        return partclone1.open_partclone1(opened, scratch)
    raise ImageError(f"partclone image version {version!r} is neither 0001 nor 0002.")


def _unknown(name: str, head: bytes) -> ImageError:
    if not head:
        return ImageError(f"{name} is empty: it is no image.")
    if head.lstrip()[:1] == _PAGE and head[:512].isascii():
        return ImageError(
            f"{name} is a page of text, not an image.",
            hint="The server answered with a page of its own; check the address.",
        )
    return ImageError(
        f"{name} is no image of a known format.",
        hint="Known are partclone, ntfsclone, partimage and raw copies, compressed or not.",
    )


def describe(
    source: FrameSource, name: str = "", *, thorough: bool = False, raw: bool = False
) -> ImageInfo:
    """What the image says of itself; where it is damaged or unknown, ``damage`` says why.

    Content is read only with ``thorough``, and of a compressed raw copy, which tells nowhere
    else how long it is. ``raw``: see ``open_stream``.
    """
    name = name or source.describe()
    known = ImageInfo(tool="", compressor="", volumes=len(parts_of(source)))
    try:
        opened = _begun(source, name, None)
        with opened.reader as reader:
            known = replace(
                known, tool=tool_of(reader.peek(HEAD_BYTES)), compressor=reader.compressor
            )
            stream = _open(opened, None, raw=raw)
            known = stream.info
            if thorough or not known.required_bytes:
                known = _measured(stream)
    except ImageError as error:
        return replace(known, damage=str(error))
    return known


def _measured(stream: Stream) -> ImageInfo:
    end = 0
    for region in stream.regions():
        offset, length = region.runs[-1]
        end = offset + length
    info = stream.info
    if info.required_bytes:
        return info
    blocks = -(-end // info.block_size)
    return replace(info, required_bytes=end, total_blocks=blocks, used_blocks=blocks)
