# SPDX-License-Identifier: GPL-3.0-or-later
"""Every byte of the file of an image of ours, in order and proven, from whichever place has it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator

from oglib.errors import ImageError
from oglib.image.format.seekable import seek_table
from oglib.image.reading.decode import copy_first, stored_frame
from oglib.image.reading.opened import OpenImage
from oglib.image.reading.source import holds

_PIECE_BYTES = 4 << 20


def pieces_of(image: OpenImage) -> Iterator[tuple[int, bytes]]:
    """The number of a frame and its stored bytes; frame 0 and the seek table come in pieces of 0.

    ``ImageError`` where no place has the right ones.
    """
    source, name = image.source, image.manifest.name
    first = image.frames[0]
    with tempfile.TemporaryFile() as stored:
        copy_first(source, first, name, stored)
        while piece := stored.read(_PIECE_BYTES):
            yield 0, piece
    end = first.stored_len
    for index in range(1, len(image.frames)):
        frame = image.frames[index]
        yield index, stored_frame(source, index, frame, name)
        end = frame.offset + frame.stored_len
    for piece in seek_table(image.frames):
        if not holds(source, end, piece):
            raise ImageError(f"The seek table at the end of {name} is damaged.")
        yield 0, piece
        end += len(piece)
