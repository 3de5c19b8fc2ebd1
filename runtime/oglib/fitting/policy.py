# SPDX-License-Identifier: GPL-3.0-or-later
"""What a site wants of the systems that are fitted to its PCs: table ``[fitting]`` of its policy.

Each field's default is what is done where nobody said anything.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from oglib.errors import UsageError

# What each may say. The server refuses the same before it hands a policy out (ognetboot).
WORDS = {
    "ssh_host_keys": "new|keep",
    "agents": "forget|keep",
    "logins": "forget|keep",
    "subscription": "forget|keep",
    "network": "dhcp|keep",
    "timezone": r"[A-Za-z0-9_+-]+(?:/[A-Za-z0-9_+-]+){0,2}",
    "locale": r"[A-Za-z0-9_]+(?:\.[A-Za-z0-9-]+)?(?:@[a-z]+)?",
    "keyboard": r"[a-z0-9_-]{1,32}",
}


@dataclass(frozen=True, slots=True)
class FittingPolicy:
    """``timezone``, ``locale``, ``keyboard``: empty for what the image has."""

    ssh_host_keys: str = "new"
    agents: str = "forget"
    logins: str = "forget"
    subscription: str = "keep"
    network: str = "dhcp"
    timezone: str = ""
    locale: str = ""
    keyboard: str = ""


USUAL = FittingPolicy()


def fitting_policy(table: object, file: object) -> FittingPolicy:
    """The policy that ``[fitting]`` says; UsageError for a word or a value that is unknown."""
    if not isinstance(table, Mapping):
        raise UsageError(
            f"fitting in {file} is not a table.", hint='Write it as [fitting] and NAME = "WORD".'
        )
    for name, value in table.items():
        if name not in WORDS:
            raise UsageError(
                f"{name} in [fitting] of {file} is no word of a policy.",
                hint=f"There are {', '.join(WORDS)}.",
            )
        if not isinstance(value, str) or re.fullmatch(WORDS[name], value, re.ASCII) is None:
            raise UsageError(
                f"{name} = {value!r} in [fitting] of {file} is no value that it can have.",
                hint="Mend the site overlay: docs/guide.md lists them.",
            )
    return FittingPolicy(**table)
