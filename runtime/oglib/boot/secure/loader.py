# SPDX-License-Identifier: GPL-3.0-or-later
"""What a loader says of itself: who signed it, its generations, and what it brings along. Pure."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from oglib.boot.secure.pe import PeFile

_MOST_LINES = 200
_LEVEL_VERSION = 0


@dataclass(frozen=True)
class Loader:
    """``called``: what a person knows it by. ValueError where the bytes are no loader."""

    called: str
    data: bytes

    @cached_property
    def _pe(self) -> PeFile:
        return PeFile(self.data)

    @property
    def digest(self) -> bytes:
        """What a signature of it is for, SHA-256."""
        return self._pe.digest

    @cached_property
    def signatures(self) -> tuple[tuple[bytes, ...], ...]:
        """The certificates (DER) of each signature that is of these very bytes."""
        return tuple(_certificates(one) for one in self._pe.signatures if self.digest in one)

    @cached_property
    def generations(self) -> Mapping[str, int]:
        """Its SBAT: the generation of each of its components; empty where it tells none."""
        return generations_in(self._pe.section(".sbat"))

    @cached_property
    def brings_level(self) -> Mapping[str, int]:
        """The generations that a shim writes as the least ones when it starts."""
        raw = self._pe.section(".sbatlevel")
        if len(raw) < 12:
            return {}
        version, automatic = struct.unpack_from("<II", raw)
        text = raw[4 + automatic :].partition(b"\0")[0]
        return generations_in(text) if version == _LEVEL_VERSION else {}

    @cached_property
    def brings_certificates(self) -> tuple[bytes, ...]:
        """Those that a shim accepts beside the firmware's: its vendor's (DER)."""
        raw = self._pe.section(".vendor_cert")
        if len(raw) < 16:
            return ()
        size, _, where, _ = struct.unpack_from("<IIII", raw)
        return (raw[where : where + size],) if size and where + size <= len(raw) else ()


def generations_in(raw: bytes) -> dict[str, int]:
    """``component,generation,…`` lines; what is none is passed over."""
    found = {}
    for line in raw.split(b"\0")[0].split(b"\n")[:_MOST_LINES]:
        name, _, rest = line.partition(b",")
        number = rest.partition(b",")[0].strip()
        if name and number.isdigit() and len(number) < 10:
            found[name.decode("ascii", "replace").strip()] = int(number)
    return found


def _certificates(signature: bytes) -> tuple[bytes, ...]:
    return tuple(_ders(signature))


def _ders(signature: bytes) -> Iterator[bytes]:
    # only who looks at signatures pays for the library
    from cryptography.hazmat.primitives.serialization import Encoding, pkcs7  # noqa: PLC0415

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = pkcs7.load_der_pkcs7_certificates(signature)
        except ValueError:
            return
    for one in found:
        yield one.public_bytes(Encoding.DER)
