# SPDX-License-Identifier: GPL-3.0-or-later
"""The texts of one iPXE script, as bytes for each generation of iPXE.

A script is served to a PC before its firmware is known, and iPXE neither quotes nor knows
encodings. So a text that is more than plain letters is set as a variable from hexadecimal digits,
which no text can break out of, once for all or once per charset; the script's lines only name it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from ognetboot.texts.charsets import RULE, Charset, encoded, spelled
from ognetboot.texts.languages import Quoted, grub_quote, quoted

# What iPXE draws: on a BIOS in text mode; there with a picture behind, which a newer one can; on
# UEFI the old and the newer one.
CHARSETS = (Charset.BIOS, Charset.ASCII, Charset.LATIN1, Charset.UTF8)
# Words that mean nothing to iPXE at any place of a line, with one blank between them.
_REST = r"[A-Za-z0-9.,:'()/!?+_-]*"
_PLAIN = re.compile(rf"[A-Za-z0-9]{_REST}( [A-Za-z0-9('+_-]{_REST})*")

Variants = tuple[bytes, ...]


class GrubWords:
    """Collects what a menu of GRUB shows: what is more than ASCII is set twice, and named."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def shown(self, text: str, before: str = "", after: str = "", limit: int = 0) -> Quoted:
        """How the menu names this text; it is cut at `limit` letters where there is a limit."""
        whole = before + (text[:limit] if limit else text) + after
        if whole.isascii():
            return grub_quote(whole)
        return Quoted(f'"$og_w{self._names.setdefault(whole, str(len(self._names) + 1))}"')

    @property
    def named(self) -> list[tuple[Quoted, Quoted, Quoted]]:
        """Name, the text in all letters, and in ASCII."""
        return [
            (Quoted(f"og_w{name}"), quoted(spelled(text, Charset.UNICODE)), grub_quote(text))
            for text, name in self._names.items()
        ]


class Words:
    """Collects what a script shows while its template is filled.

    `plain`: no letter of it is outside ASCII.
    """

    def __init__(self) -> None:
        self._names: dict[Variants, str] = {}
        self.plain = True

    def shown(self, text: str, before: str = "", after: str = "", limit: int = 0) -> Quoted:
        """How a line of the script names this text.

        It is cut where the whole passes `limit` bytes; `before` and `after` never are.
        """
        variants = _variants(text, before, after, limit)
        self.plain &= text.replace(RULE, "").isascii()
        first = variants[0]
        if len(set(variants)) == 1 and _PLAIN.fullmatch(first.decode("latin-1")):
            return Quoted(first.decode("ascii"))
        name = self._names.setdefault(variants, f"w{len(self._names) + 1}")
        return Quoted(f"${{{name}:string}}")

    @property
    def common(self) -> Iterator[tuple[Quoted, Quoted]]:
        """Name and hexadecimal digits of every text that is the same everywhere."""
        for variants, name in self._names.items():
            if len(set(variants)) == 1:
                yield Quoted(name), _digits(variants[0])

    @property
    def differing(self) -> list[tuple[Quoted, list[tuple[Quoted, Quoted]]]]:
        """For each charset the others; empty where there are none."""
        found = [(v, name) for v, name in self._names.items() if len(set(v)) > 1]
        return [
            (Quoted(charset), [(Quoted(name), _digits(v[at])) for v, name in found])
            for at, charset in enumerate(CHARSETS)
            if found
        ]


@lru_cache(maxsize=4096)
def _variants(text: str, before: str, after: str, limit: int) -> Variants:
    return tuple(_cut(text, before, after, limit, charset) for charset in CHARSETS)


def _cut(text: str, before: str, after: str, limit: int, charset: Charset) -> bytes:
    # iPXE expands what an expansion gave: no text may begin one.
    shown = spelled(text.replace("${", "$ {"), charset)
    head, tail = encoded(before, charset), encoded(after, charset)
    raw = encoded(shown, charset)
    over = len(head) + len(raw) + len(tail) - limit
    if limit and over > 0:
        # What was put in the middle goes to the left first.
        blanks = len(shown) - len(shown.lstrip(" "))
        shown = shown[min(over, blanks) :]
        raw = encoded(shown, charset)
    while limit and shown and len(head) + len(raw) + len(tail) > limit:
        shown = shown[:-1].rstrip()
        raw = encoded(shown + "~", charset)
    return head + raw + tail


def _digits(raw: bytes) -> Quoted:
    return Quoted(raw.hex(":"))
