# SPDX-License-Identifier: GPL-3.0-or-later
"""What a repository signs of an image that another program made: ``NAME.img.foreign.json``.

The bytes of such an image stay as they are, so what is signed is their digests: of the whole, and
of every piece, so that no byte is used before it was proven. As a manifest has, a record has
exactly one spelling. No file is opened here.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from datetime import datetime

from blake3 import blake3

from oglib import limits
from oglib.errors import ImageError, UsageError
from oglib.image.format.frames import DIGEST_BYTES
from oglib.image.format.manifest import check_name, check_text
from oglib.image.format.spelling import check_fields, check_spelling, parsed, spelled

FORMAT = "oglive-foreign-1"
RECORD, RECORD_SIGNATURE = ".foreign.json", ".foreign.json.sig"  # behind NAME.img
_WHAT = "record"
_LEAST_PIECE_BYTES = 2 << 20  # what is read of a foreign image at a time
_MOST_PIECE_BYTES = 64 << 20  # held in memory by who restores
_MOST_PIECES = 32_768  # so that a record is never longer than a manifest may be
_MAX_INT = 1 << 63
_HEX_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
_HEX_DIGESTS = re.compile(r"(?:[0-9a-f]{64})+", re.ASCII)
_KEY_ID = re.compile(r"(?:[0-9a-f]{16})?", re.ASCII)
_WORD = re.compile(r"[A-Za-z0-9 _.+-]{0,32}", re.ASCII)


@dataclass(frozen=True, slots=True)
class ForeignRecord:
    """The record of one image; sizes in bytes, 0 or empty = not known.

    ``tool``, ``compressor``, ``filesystem`` and ``required_bytes`` as of ``ImageInfo``: what the
    image says of itself, for listings. ``created``: when it was looked at and signed. ``pieces``:
    the BLAKE3 of every ``piece_bytes`` of the file, in hex, one behind the other. ``version`` and
    ``key_id`` as of a manifest.
    """

    name: str
    created: str
    tool: str
    compressor: str
    filesystem: str
    required_bytes: int
    hostname: str
    image_size_bytes: int
    image_blake3: str
    piece_bytes: int
    pieces: str
    version: int = 0
    key_id: str = ""
    format: str = FORMAT

    def to_bytes(self) -> bytes:
        """The one spelling."""
        return spelled(asdict(self))

    @classmethod
    def from_bytes(cls, raw: bytes) -> ForeignRecord:
        """Parse and check; raises ``ImageError`` for anything ``to_bytes`` did not write."""
        data = parsed(raw, what=_WHAT, form=FORMAT, limit_bytes=limits.MANIFEST_BYTES)
        check_fields(data, cls, what=_WHAT, int_limit=_MAX_INT)
        record = cls(**data)
        record._check()
        check_spelling(record.to_bytes, raw, what=_WHAT)
        return record

    def _check(self) -> None:
        try:
            check_name(self.name)
            check_text(self.hostname)
            moment = datetime.fromisoformat(self.created)
        except (UsageError, ValueError) as error:
            raise ImageError(f"The record has an impossible name, text or date: {error}") from None
        sound = (
            moment.tzinfo is not None
            and all(_WORD.fullmatch(word) for word in (self.tool, self.compressor, self.filesystem))
            and 0 < self.image_size_bytes <= limits.IMAGE_BYTES
            and self.piece_bytes == piece_bytes_for(self.image_size_bytes)
            and len(self.pieces) == 2 * DIGEST_BYTES * self.piece_count
            and _HEX_DIGESTS.fullmatch(self.pieces) is not None
            and _HEX_DIGEST.fullmatch(self.image_blake3) is not None
            and _KEY_ID.fullmatch(self.key_id) is not None
        )
        if not sound:
            raise ImageError(f"The record of {self.name} contradicts itself.")

    @property
    def piece_count(self) -> int:
        return -(-self.image_size_bytes // self.piece_bytes)

    def piece_digest(self, number: int) -> bytes:
        """That of piece ``number``, counted from 0."""
        length = 2 * DIGEST_BYTES
        return bytes.fromhex(self.pieces[number * length : (number + 1) * length])


def piece_bytes_for(size_bytes: int) -> int:
    """How large the pieces of a file of this size are; ``ImageError`` where it is too large."""
    piece = _LEAST_PIECE_BYTES
    while piece * _MOST_PIECES < size_bytes:
        piece *= 2
    if piece > _MOST_PIECE_BYTES:
        raise ImageError(
            f"An image of {size_bytes} bytes is more than a record can hold the digests of.",
            hint="Convert it into one of our own format.",
        )
    return piece


class PieceDigests:
    """The digests of a file of ``size_bytes``, taken while its bytes pass in order."""

    def __init__(self, size_bytes: int) -> None:
        self.piece_bytes = piece_bytes_for(size_bytes)
        self._whole = blake3()
        self._piece = blake3()
        self._in_piece = 0
        self._pieces: list[str] = []

    def update(self, data: bytes) -> None:
        self._whole.update(data)
        left = memoryview(data)
        while left:
            part = left[: self.piece_bytes - self._in_piece]
            self._piece.update(part)
            self._in_piece += len(part)
            left = left[len(part) :]
            if self._in_piece == self.piece_bytes:
                self._end_piece()

    def finish(self) -> tuple[str, str]:
        """``image_blake3`` and ``pieces`` of a record."""
        if self._in_piece:
            self._end_piece()
        return self._whole.hexdigest(), "".join(self._pieces)

    def _end_piece(self) -> None:
        self._pieces.append(self._piece.hexdigest())
        self._piece, self._in_piece = blake3(), 0
