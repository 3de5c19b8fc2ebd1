# SPDX-License-Identifier: GPL-3.0-or-later
"""What each loader can draw, and the bytes for it.

A text console of a loader has a repertoire and an encoding of its own: iPXE on BIOS draws code page
437, iPXE of 2019 on UEFI takes bytes for Latin-1, the newer one reads UTF-8. What is outside is
spelled with other letters (À as A where there is no À), never as a question mark.
"""

from __future__ import annotations

import unicodedata
from enum import StrEnum
from functools import cache, lru_cache

# What Unicode itself does not take apart.
_SPELLED = {
    "\N{EN DASH}": "-", "\N{EM DASH}": "-", "\N{MINUS SIGN}": "-", "\N{HYPHEN}": "-",
    "\N{NON-BREAKING HYPHEN}": "-", "\N{FIGURE DASH}": "-", "\N{HORIZONTAL BAR}": "-",
    "\N{LEFT SINGLE QUOTATION MARK}": "'", "\N{RIGHT SINGLE QUOTATION MARK}": "'",
    "\N{SINGLE LOW-9 QUOTATION MARK}": "'", "\N{PRIME}": "'", "\N{ACUTE ACCENT}": "'",
    "\N{LEFT DOUBLE QUOTATION MARK}": '"', "\N{RIGHT DOUBLE QUOTATION MARK}": '"',
    "\N{DOUBLE LOW-9 QUOTATION MARK}": '"', "\N{LEFT-POINTING DOUBLE ANGLE QUOTATION MARK}": '"',
    "\N{RIGHT-POINTING DOUBLE ANGLE QUOTATION MARK}": '"', "\N{BULLET}": "-",
    "\N{MIDDLE DOT}": ".", "\N{EURO SIGN}": "EUR", "\N{MULTIPLICATION SIGN}": "x",
    "\N{DIVISION SIGN}": "/", "\N{COPYRIGHT SIGN}": "(c)", "\N{REGISTERED SIGN}": "(R)",
    "\N{LATIN SMALL LETTER SHARP S}": "ss", "\N{LATIN SMALL LETTER AE}": "ae",
    "\N{LATIN CAPITAL LETTER AE}": "AE", "\N{LATIN SMALL LIGATURE OE}": "oe",
    "\N{LATIN CAPITAL LIGATURE OE}": "OE", "\N{LATIN SMALL LETTER THORN}": "th",
    "\N{LATIN CAPITAL LETTER THORN}": "Th", "\N{LATIN SMALL LETTER ETH}": "d",
    "\N{LATIN SMALL LETTER DOTLESS I}": "i", "\N{INVERTED QUESTION MARK}": "",
    "\N{INVERTED EXCLAMATION MARK}": "", "\N{DEGREE SIGN}": "o",
    "\N{MASCULINE ORDINAL INDICATOR}": "o", "\N{FEMININE ORDINAL INDICATOR}": "a",
}  # fmt: skip

# Of what lines between the parts of a text screen are drawn.
RULE = "\N{BOX DRAWINGS LIGHT HORIZONTAL}"


class Charset(StrEnum):
    """One repertoire with its encoding, named by the loader that has it."""

    ASCII = "ascii"
    BIOS = "bios"
    LATIN1 = "latin1"
    UTF8 = "utf8"
    UNICODE = "unicode"


_CODECS = {
    Charset.ASCII: "ascii",
    Charset.BIOS: "cp437",
    Charset.LATIN1: "latin-1",
    Charset.UTF8: "utf-8",
    Charset.UNICODE: "utf-8",
}


def _drawn(char: str, charset: Charset) -> bool:
    """Whether the loader has that character."""
    if charset is Charset.UNICODE or " " <= char <= "~" or char == "\x1b":
        return True
    if charset in (Charset.UTF8, Charset.LATIN1):
        # What every UEFI firmware has to have.
        return "\xa0" <= char <= "\xff"
    try:
        return charset is Charset.BIOS and char.encode("cp437") >= b"\x80"
    except UnicodeEncodeError:
        return False


@cache
def _spelled(char: str, charset: Charset) -> str:
    if _drawn(char, charset):
        return char
    if char == RULE:
        # Over a picture nobody misses it.
        return "-" if charset is Charset.LATIN1 else " "
    parts = unicodedata.normalize("NFKD", char)
    plain = "".join(p for p in parts if not unicodedata.combining(p))
    if plain != char and plain:
        return "".join(_spelled(p, charset) for p in plain)
    if char in _SPELLED:
        return _SPELLED[char]
    # Ł, ø, đ: Unicode calls them a letter with something, and takes nothing apart.
    letter = unicodedata.name(char, "").partition(" WITH ")[0]
    try:
        base = unicodedata.lookup(letter)
    except KeyError:
        base = char
    if base != char:
        return _spelled(base, charset)
    return "" if unicodedata.combining(char) else f"<{ord(char):04X}>"


@lru_cache(maxsize=1 << 16)
def spelled(text: str, charset: Charset) -> str:
    """The text in letters that the loader draws, each accent in one letter with its own."""
    return "".join(_spelled(c, charset) for c in unicodedata.normalize("NFC", text))


def encoded(text: str, charset: Charset) -> bytes:
    """The bytes that make the loader draw the text."""
    return spelled(text, charset).encode(_CODECS[charset])


def decoded(raw: bytes, charset: Charset) -> str:
    """What the loader draws for bytes; what is no text of its encoding is told as such."""
    return raw.decode(_CODECS[charset], errors="replace")
