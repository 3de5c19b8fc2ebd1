# SPDX-License-Identifier: GPL-3.0-or-later
"""Encrypted volumes that a Linux opens at its start: nothing is changed, what is wrong is refused.

A line with a kernel's name of a partition (``/dev/sda3``) means another one on another PC. Where
its key is a random one, as for swap, the system writes over what has that name here.
"""

from __future__ import annotations

import re

from oglib.fitting.edits import Files, content, words_of
from oglib.fitting.fittings import Check, Need
from oglib.osconfig.facts import Known, PcFacts
from oglib.osconfig.fstab import number_of
from oglib.texts import joined, shortened

_CRYPTTAB = "etc/crypttab"
_FIELDS = re.compile(r"[^ \t\r]+")


def crypttab(root: Files, facts: PcFacts) -> Check:
    """Refused where it names partitions by number; what was not found here is told."""
    raw = content(root, _CRYPTTAB)
    if raw is None:
        return Check(Need.NOT_NEEDED, "there is no etc/crypttab")
    volumes = volumes_of(words_of(raw))
    wrong = [one for one in volumes if number_of(one[1]) is not None]
    if wrong:
        told = joined([f"{name} is on {device}" for name, device in wrong])
        why = f"{told}, which is another partition on another PC: mend etc/crypttab"
        return Check(Need.CANNOT, why)
    esp = (facts.esp,) if facts.esp else ()
    present = (facts.root, *facts.swaps, *esp, *facts.others)
    away = [one for one in volumes if _is_tag(one[1]) and not _is_here(one[1], present)]
    told = joined([f"{name} is on {device}, not found on this disk" for name, device in away])
    return Check(Need.NOT_NEEDED, told or "already so")


def volumes_of(text: str) -> list[tuple[str, str]]:
    """The volumes of a crypttab: name and device, as a person is told them."""
    lines = (_FIELDS.findall(line) for line in text.split("\n"))
    return [
        (shortened(fields[0]), shortened(fields[1]))
        for fields in lines
        if len(fields) > 1 and not fields[0].startswith("#")
    ]


def _is_tag(device: str) -> bool:
    return "=" in device and not device.startswith("/")


def _is_here(device: str, present: tuple[Known, ...]) -> bool:
    return any(one.is_named(device) for one in present)
