# SPDX-License-Identifier: GPL-3.0-or-later
"""What menus.toml holds: the words of each language, colours and times."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from functools import cache
from typing import Any

from ognetboot.inventory.choices import Tongue
from ognetboot.texts.languages import resource


@dataclass(frozen=True, slots=True)
class Texts:
    """Every sentence a person may read while booting, in one language."""

    systems: str
    restore: str
    oglive: str
    administration: str
    local_disk: str
    more: str
    back: str
    leave: str
    keys: str
    seconds: str
    grub_keys: str
    starting: str
    to_disk: str
    to_firmware: str
    failed: str
    retry: str
    unknown_pc: str
    write_down: str
    register: str
    ask_name: str
    ask_room: str
    sending: str
    waiting: str
    approve: str
    taken_in: str
    no_name_of_pc: str
    too_many_wait: str
    later: str
    not_now: str
    again: str
    password: str
    refused: str
    locked: str
    until: str
    protected: str
    shared_adapter: str
    missing: str
    silent: str
    denied: str
    no_name: str
    no_way: str
    damaged: str


@dataclass(frozen=True, slots=True)
class Look:
    """Times in s; places in columns and rows of a text screen, in dots of one with a picture."""

    failed_s: int
    asking_s: int
    columns: int
    indent: int
    rule: int
    rows: int
    width: int
    height: int
    left: int
    right: int
    top: int
    bottom: int


@cache
def load_texts(language: Tongue = Tongue.EN) -> Texts:
    """The sentences of a language; a missing or unknown one is a fault of the package."""
    return Texts(**_menus()["texts"][language])


@cache
def load_look() -> Look:
    """Times and places of menus.toml."""
    values = _menus()["look"]
    return Look(**{f.name: int(values[f.name]) for f in fields(Look)})


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
