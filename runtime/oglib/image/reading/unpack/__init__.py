# SPDX-License-Identifier: GPL-3.0-or-later
"""Compressed files of any origin, read as one stream of bytes with nothing taken on trust.

Knows compressors, not images: what the bytes mean is read in ``oglib.image.reading.formats``.
"""

from oglib.image.reading.unpack.detect import compressor_in, compressor_of
from oglib.image.reading.unpack.stream import Unpacked, unpacked

__all__ = ["Unpacked", "compressor_in", "compressor_of", "unpacked"]
