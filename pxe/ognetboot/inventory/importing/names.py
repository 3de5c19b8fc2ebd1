# SPDX-License-Identifier: GPL-3.0-or-later
"""Plain names out of what people write: `Aula d'Informàtica 1` becomes `aula-d-informatica-1`."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection

_OTHER = re.compile(r"[^A-Za-z0-9._]+")
_OTHER_OF_HOST = re.compile(r"[^A-Za-z0-9]+")
_LONGEST = 60
_LONGEST_HOST = 60
# Letters that are no base letter with a mark.
_LETTERS = str.maketrans(
    {"ß": "ss", "æ": "ae", "Æ": "Ae", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D"}
)


def plain(text: str) -> str:
    """Without accents; other signs as they are."""
    apart = unicodedata.normalize("NFKD", text.translate(_LETTERS))
    return "".join(c for c in apart if not unicodedata.combining(c))


def name_of(title: str, taken: Collection[str], usual: str) -> str:
    """A name for something with this title, unlike all that are taken; `usual` where nothing of
    the title is left."""
    name = _OTHER.sub("-", plain(title)).strip("-._")[:_LONGEST].rstrip("-._").lower() or usual
    return _unlike(name, taken)


def host_of(text: str, taken: Collection[str], usual: str) -> str:
    """The same as a host name."""
    name = _OTHER_OF_HOST.sub("-", plain(text)).strip("-")[:_LONGEST_HOST].rstrip("-") or usual
    return _unlike(name, taken)


def group_of(title: str) -> str:
    """What OpenGnsys tells a PC as the name of its room: blanks are `_`."""
    words = _OTHER.sub("-", plain(title).strip().replace(" ", "_")).strip("-._")
    return words[:_LONGEST].rstrip("-._")


def _unlike(name: str, taken: Collection[str]) -> str:
    found, number = name, 2
    while found.lower() in taken:
        found = f"{name[: _LONGEST - 4]}-{number}"
        number += 1
    return found


def title_of(text: str, limit: int) -> str:
    """As much of it as a title may hold: one line, printable, so long."""
    line = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(line.split())[:limit].rstrip()
