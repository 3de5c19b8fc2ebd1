# SPDX-License-Identifier: GPL-3.0-or-later
"""What a PC tells of itself in the address of a request, checked and bounded. Pure.

All of it is claimed: whoever can reach the server can claim to be any PC. So nothing here is
trusted further than to find the PC that somebody speaks of.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from ognetboot.checking.strange import FILLERS
from ognetboot.inventory import checks

_MOST_FIELDS = 32
_MOST_QUERY = 4096
_LONGEST = 128


@dataclass(frozen=True, slots=True)
class Claim:
    """MAC (lower case, colons), UUID (lower case) and serial number; empty: not told, or no use."""

    mac: str
    uuid: str
    serial: str


def words_of(query: str) -> dict[str, str]:
    """The fields of a query string or form as text; `ValueError` where it is too much.

    Firmware sends what its keyboard gave: UTF-8, else Latin-1. Anything but one line of printable
    text is dropped from it; of two fields of one name the first one counts.
    """
    if len(query) > _MOST_QUERY:
        raise ValueError("is too long")
    parts = query.split("&", _MOST_FIELDS)
    if len(parts) > _MOST_FIELDS:
        raise ValueError("has too many fields")
    found: dict[str, str] = {}
    for part in parts:
        name, equals, value = part.partition("=")
        if equals and name.isascii() and name.isalnum():
            found.setdefault(name, _decoded(value))
    return found


def secret_of(query: str, name: str) -> str:
    """One field as it was typed: nothing dropped, nothing folded."""
    for part in query[:_MOST_QUERY].split("&"):
        if part.partition("=")[0] == name:
            return _text(part.partition("=")[2])
    return ""


def _text(value: str) -> str:
    data = unquote_to_bytes(value.replace("+", " "))
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _decoded(value: str) -> str:
    text = unicodedata.normalize("NFC", _text(value))
    line = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(line.split())[:_LONGEST].strip()


def claim_of(words: Mapping[str, str]) -> Claim:
    """Who speaks; `ValueError` where a MAC is told that is none, or nothing is told at all."""
    mac = checks.mac(words["mac"]) if words.get("mac") else ""
    claim = Claim(mac, uuid(words.get("uuid", "")), serial(words.get("serial", "")))
    if not identity_of(claim):
        raise ValueError("names no PC")
    return claim


def uuid(text: str) -> str:
    """A UUID that is one PC's own, or nothing."""
    try:
        return checks.uuid(text)
    except ValueError:
        return ""


def serial(text: str) -> str:
    """A serial number that is one PC's own, or nothing."""
    try:
        plain = checks.serial(text)
    except ValueError:
        return ""
    lower = plain.lower()
    return "" if lower in FILLERS or len(set(lower)) == 1 else plain


def identity_of(claim: Claim, shared: frozenset[str] = frozenset()) -> str:
    """What tells this PC from the others; empty: nothing does.

    Its MAC, but never that of an adapter which PCs `shared`; then the UUID, and the serial number
    last: makers repeat these.
    """
    if claim.mac and claim.mac not in shared:
        return f"mac:{claim.mac}"
    if claim.uuid:
        return f"uuid:{claim.uuid}"
    return f"serial:{claim.serial}" if claim.serial else ""
