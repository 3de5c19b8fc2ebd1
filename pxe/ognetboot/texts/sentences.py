# SPDX-License-Identifier: GPL-3.0-or-later
"""What menus.toml holds: the words of each language, colours and times."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from typing import Any

from ognetboot.inventory.choices import Tongue
from ognetboot.texts.languages import resource

# Every sentence a person may read while booting, by its name, in one language.
Texts = Mapping[str, str]


@cache
def load_texts(language: Tongue = Tongue.EN) -> Texts:
    """The sentences of a language; every language has the same ones."""
    return dict(_menus()["texts"][language])


@cache
def load_look() -> Mapping[str, int]:
    """Times in s; places in columns and rows of a text screen, in dots of one with a picture."""
    return dict(_menus()["look"])


@cache
def load_colours() -> dict[str, str]:
    """Each colour of a text screen as what a terminal takes for it."""
    return {"": "", **{name: f"\x1b[{numbers}m" for name, numbers in _menus()["colours"].items()}}


@cache
def load_picture() -> dict[str, str]:
    """Colours over a picture."""
    return dict(_menus()["picture"])


@cache
def load_reasons() -> dict[str, list[str]]:
    """iPXE's numbers of errors by the sentence that tells why."""
    return dict(_menus()["reasons"])


@cache
def _menus() -> dict[str, dict[str, Any]]:
    return tomllib.loads(resource("menus/menus.toml"))
