# SPDX-License-Identifier: GPL-3.0-or-later
"""What this PC's firmware accepts: Secure Boot's variables, as efivarfs shows them.

A folder of files in that form serves too. What cannot be read is not known: it is never taken for
"off".
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from oglib.boot.secure.loader import generations_in
from oglib.errors import OgError
from oglib.texts import read_whole

EFIVARS = Path("/sys/firmware/efi/efivars")
_GLOBAL = "8be4df61-93ca-11d2-aa0d-00e098032b8c"
_IMAGES = "d719b2cb-3d3a-4596-a3bc-dad00e67656f"
_SHIM = "605dab50-e046-4300-abb6-3dd810dd8b23"
_ATTRIBUTES_BYTES = 4
_MOST_BYTES = 4 << 20
_X509 = bytes.fromhex("a159c0a5e494a74a87b5ab155c2bf072")
_SHA256 = bytes.fromhex("2616c4c14c509240aca941f936934328")
_OWNER_BYTES = 16


@dataclass(frozen=True, slots=True)
class Signers:
    """A list of the firmware: certificates (DER), and digests of loaders (SHA-256)."""

    certificates: tuple[bytes, ...] = ()
    digests: frozenset[bytes] = frozenset()


@dataclass(frozen=True, slots=True)
class Accepts:
    """``enforced`` None: not known. ``level``: the least generations that a shim starts."""

    enforced: bool | None = None
    allowed: Signers = Signers()
    forbidden: Signers = Signers()
    level: Mapping[str, int] = field(default_factory=dict)


def read_accepts(folder: Path = EFIVARS) -> Accepts:
    """What the variables in ``folder`` say. OgError where one that is there cannot be read."""
    try:
        there = any(folder.iterdir())
    except OSError:
        there = False
    if not there:
        return Accepts()
    enabled = _value(folder, "SecureBoot", _GLOBAL)
    if enabled[:1] != b"\1" or _value(folder, "SetupMode", _GLOBAL)[:1] == b"\1":
        return Accepts(enforced=False)
    return Accepts(
        enforced=True,
        allowed=signers_in(_value(folder, "db", _IMAGES)),
        forbidden=signers_in(_value(folder, "dbx", _IMAGES)),
        level=generations_in(_value(folder, "SbatLevelRT", _SHIM)),
    )


def signers_in(raw: bytes) -> Signers:
    """The certificates and digests in a variable of signature lists."""
    lists = list(_lists(raw))
    return Signers(
        tuple(value for kind, value in lists if kind == _X509),
        frozenset(value for kind, value in lists if kind == _SHA256),
    )


def _lists(raw: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at + 28 <= len(raw):
        kind = raw[at : at + 16]
        size, head, each = struct.unpack_from("<III", raw, at + 16)
        if size < 28 or each <= _OWNER_BYTES or at + size > len(raw):
            return
        for one in range(at + 28 + head, at + size - each + 1, each):
            yield kind, raw[one + _OWNER_BYTES : one + each]
        at += size


def _value(folder: Path, name: str, guid: str) -> bytes:
    """Of a variable; empty where the firmware has none of that name."""
    try:
        return read_whole(folder / f"{name}-{guid}", _MOST_BYTES)[_ATTRIBUTES_BYTES:]
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise OgError(
            f"The firmware's variable {name} cannot be read ({error.strerror}), so what Secure "
            "Boot accepts is not known.",
            hint="Run it again.",
        ) from error
