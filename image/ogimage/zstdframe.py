# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a zstd frame ends: behind the first stage's archive lies another one, not compressed.

Format: RFC 8878, section 3.1.1.
"""

from ogimage.shell import BuildError

_MAGIC = b"\x28\xb5\x2f\xfd"
_DICTIONARY_BYTES = (0, 1, 2, 4)
_SIZE_BYTES = (0, 2, 4, 8)
_RLE = 1


def length(data: bytes) -> int:
    """Bytes of the frame that data begins with. BuildError: it begins with none, or ends early."""
    if data[:4] != _MAGIC or len(data) < 5:
        raise BuildError("the first stage does not begin with a zstd frame")
    descriptor = data[4]
    single = descriptor >> 5 & 1
    at = 5 + (0 if single else 1) + _DICTIONARY_BYTES[descriptor & 3]
    at += _SIZE_BYTES[descriptor >> 6] or single
    last = False
    while not last:
        if at + 3 > len(data):
            raise BuildError("the first stage's zstd frame ends early")
        header = int.from_bytes(data[at : at + 3], "little")
        last = bool(header & 1)
        at += 3 + (1 if header >> 1 & 3 == _RLE else header >> 3)
    at += 4 if descriptor >> 2 & 1 else 0
    if at > len(data):
        raise BuildError("the first stage's zstd frame ends early")
    return at
