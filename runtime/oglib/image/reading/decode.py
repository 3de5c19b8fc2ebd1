# SPDX-License-Identifier: GPL-3.0-or-later
"""From a frame's stored bytes to its content, trusting neither.

The stored bytes' digest is checked before the decompressor sees them; the decompressor writes
into a buffer of the size the table allows, so nothing can grow. Region frames are decoded in
one piece into a reused buffer (fresh memory costs more than decompressing); frame 0, which may
be large, streams through files.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import BinaryIO

import zstandard
from blake3 import blake3

from oglib.errors import ImageError
from oglib.image.format.frames import Frame
from oglib.image.format.partclone import MAX_BLOCK_BYTES
from oglib.image.reading.source import FrameSource, is_elsewhere
from oglib.image.writing.direct import aligned_memory

_PIECE_BYTES = 4 << 20


class AlteredError(ImageError):
    """The stored bytes of frame ``index`` are not those that were captured."""

    def __init__(self, index: int, name: str) -> None:
        super().__init__(
            f"Frame {index} of the image {name} is damaged: its digest does not match.",
            hint="Run it again; if it persists, verify the image on the repository.",
        )
        self.index = index


def stored_frame(source: FrameSource, index: int, frame: Frame, name: str) -> bytes:
    """The stored bytes of a frame, from any place that has the right ones."""
    while True:
        stored = source.read(frame.offset, frame.stored_len)
        try:
            check_stored(index, frame, stored, name)
        except AlteredError:
            if is_elsewhere(source, frame.offset, frame.stored_len):
                continue
            raise
        return stored


def check_stored(index: int, frame: Frame, stored: bytes | memoryview, name: str) -> None:
    """Raise ``AlteredError`` unless ``stored`` are the bytes that the frame table promises."""
    if len(stored) == frame.stored_len and blake3(stored).digest() == frame.stored_blake3:
        return
    raise AlteredError(index, name)


def _damaged(index: int, name: str) -> ImageError:
    return ImageError(
        f"Frame {index} of the image {name} does not decompress to what its table says.",
        hint="The image was damaged when it was made; capture it again.",
    )


class Decoder:
    """Decompresses region frames; one per thread. The result is valid until the next call.

    ``room_bytes`` is the longest content, or that of several frames one behind the other.
    """

    def __init__(self, room_bytes: int) -> None:
        self._context = zstandard.ZstdDecompressor(max_window_size=MAX_BLOCK_BYTES)
        # One byte more than allowed: a frame that would fill it is too long.
        self._buffer = aligned_memory(room_bytes + 1)

    def decode(
        self, index: int, frame: Frame, stored: bytes | memoryview, name: str, at: int = 0
    ) -> memoryview:
        """The content of ``stored``, which ``check_stored`` has seen before.

        With ``at`` it is put behind that much content of calls before, which ``together`` gives.
        """
        got, room = 0, self._buffer[at : at + frame.content_len + 1]
        try:
            with self._context.stream_reader(stored, read_across_frames=True) as reader:
                while got < len(room) and (count := reader.readinto(room[got:])):
                    got += count
        except zstandard.ZstdError:
            raise _damaged(index, name) from None
        if got != frame.content_len:
            raise _damaged(index, name)
        return room[:got]

    def together(self, length: int) -> memoryview:
        """What the calls with ``at`` have put one behind the other."""
        return self._buffer[:length]

    @staticmethod
    def check_content(index: int, frame: Frame, content: memoryview, name: str) -> None:
        """Raise ``ImageError`` unless ``content`` is what was captured."""
        if blake3(content).digest() != frame.content_blake3:
            raise _damaged(index, name)


def spool_first_frame(
    source: FrameSource, frame: Frame, name: str, scratch: Path | None
) -> BinaryIO:
    """Fetch, check and decompress frame 0 into an unnamed file below ``scratch``."""
    try:
        return _spool(source, frame, name, scratch)
    except OSError as error:
        raise ImageError(
            f"The bitmap of the image {name} cannot be unpacked: {error.strerror}.",
            hint=f"It needs {frame.content_len} bytes in the temporary folder.",
        ) from error


def _spool(source: FrameSource, frame: Frame, name: str, scratch: Path | None) -> BinaryIO:
    with tempfile.TemporaryFile(dir=scratch) as stored:
        copy_first(source, frame, name, stored)
        content = tempfile.TemporaryFile(dir=scratch)  # noqa: SIM115 - handed to the caller
        try:
            _unpack_first(stored, content, frame, name)
        except BaseException:
            content.close()
            raise
        return content


def copy_first(source: FrameSource, frame: Frame, name: str, into: BinaryIO) -> None:
    """The stored bytes of frame 0 into a file, from any place that has the right ones."""
    while not _is_copied(source, frame, into):
        if not is_elsewhere(source, frame.offset, frame.stored_len):
            raise AlteredError(0, name)
    into.seek(0)


def _is_copied(source: FrameSource, frame: Frame, stored: BinaryIO) -> bool:
    """Copy the stored bytes of a frame in pieces; whether they are the right ones."""
    hasher = blake3()
    stored.seek(0)
    for start in range(0, frame.stored_len, _PIECE_BYTES):
        piece = source.read(frame.offset + start, min(_PIECE_BYTES, frame.stored_len - start))
        hasher.update(piece)
        stored.write(piece)
    return hasher.digest() == frame.stored_blake3


def _unpack_first(stored: BinaryIO, content: BinaryIO, frame: Frame, name: str) -> None:
    context = zstandard.ZstdDecompressor(max_window_size=MAX_BLOCK_BYTES)
    hasher, got = blake3(), 0
    try:
        with context.stream_reader(stored, read_across_frames=True, closefd=False) as reader:
            while piece := reader.read(min(_PIECE_BYTES, frame.content_len - got + 1)):
                got += len(piece)
                if got > frame.content_len:
                    raise _damaged(0, name)
                hasher.update(piece)
                content.write(piece)
    except zstandard.ZstdError:
        raise _damaged(0, name) from None
    if got != frame.content_len or hasher.digest() != frame.content_blake3:
        raise _damaged(0, name)
    content.flush()
