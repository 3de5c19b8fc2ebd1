# SPDX-License-Identifier: GPL-3.0-or-later
"""A loader for UEFI (a PE file) as bytes: sections, signatures, and what its digest is made of.

Pure; the bytes may be anybody's. ValueError for what is no such file.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator

_PE_AT = 0x3C
_PLUS, _PLAIN = 0x20B, 0x10B
_CHECKSUM_AT = 64  # in the optional header
_DIRECTORIES_AT = {_PLUS: 112, _PLAIN: 96}
_SECURITY = 4  # which of the directories names the signatures
_MOST_SECTIONS = 96
_PKCS7 = 2
_SYMBOL_BYTES = 18
_MOST_NAME = 64


class PeFile:
    """A loader whose headers were found; its content is not believed."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        try:
            (head,) = struct.unpack_from("<I", data, _PE_AT)
            if data[:2] != b"MZ" or data[head : head + 4] != b"PE\0\0":
                raise ValueError("it is no loader for UEFI")
            self._count, symbols_at, symbols, self._optional_bytes = struct.unpack_from(
                "<2xH4xIIH", data, head + 4
            )
            self._names_at = symbols_at + _SYMBOL_BYTES * symbols
            self._optional = head + 24
            (magic,) = struct.unpack_from("<H", data, self._optional)
            if magic not in _DIRECTORIES_AT or self._count > _MOST_SECTIONS:
                raise ValueError("its headers are of no kind that is known")
            self._security = self._optional + _DIRECTORIES_AT[magic] + 8 * _SECURITY
            self._signed_at, self._signed_bytes = struct.unpack_from("<II", data, self._security)
        except struct.error as error:
            raise ValueError("it is cut off in its headers") from error

    def section(self, name: str) -> bytes:
        """The content of a section; empty where there is none of that name."""
        for number in range(self._count):
            at = self._optional + self._optional_bytes + 40 * number
            raw = self.data[at : at + 40]
            if len(raw) == 40 and self._name(raw[:8].rstrip(b"\0")) == name.encode():
                used, _, stored, where = struct.unpack_from("<IIII", raw, 8)
                return self.data[where : where + min(used, stored)]
        return b""

    def _name(self, short: bytes) -> bytes:
        """Of a section: one longer than eight letters stands among the names of symbols."""
        if not short.startswith(b"/") or not short[1:].isdigit():
            return short
        at = self._names_at + int(short[1:])
        return self.data[at : at + _MOST_NAME].partition(b"\0")[0]

    @property
    def signatures(self) -> tuple[bytes, ...]:
        """The PKCS#7 blocks that vouch for it."""
        return tuple(self._signatures())

    def _signatures(self) -> Iterator[bytes]:
        at, end = self._signed_at, min(len(self.data), self._signed_at + self._signed_bytes)
        while at and at + 8 < end:
            size, _, kind = struct.unpack_from("<IHH", self.data, at)
            if size <= 8:
                return
            if kind == _PKCS7:
                yield _without_padding(self.data[at + 8 : min(end, at + size)])
            at += (size + 7) // 8 * 8

    @property
    def digest(self) -> bytes:
        """SHA-256 of what a signature is for (Authenticode): all but checksum and signatures."""
        checksum = self._optional + _CHECKSUM_AT
        end = self._signed_at or len(self.data)
        view = memoryview(self.data)
        made = hashlib.sha256(view[:checksum])
        made.update(view[checksum + 4 : self._security])
        made.update(view[self._security + 8 : end])
        return made.digest()


def _without_padding(der: bytes) -> bytes:
    """A DER value without what stands behind it."""
    if len(der) < 4 or not der[1] & 0x80:
        return der
    count = der[1] & 0x7F
    return der[: 2 + count + int.from_bytes(der[2 : 2 + count], "big")]
