# SPDX-License-Identifier: GPL-3.0-or-later
"""Encrypted volumes that a Linux opens at its start, by what their lines mean here.

A name by its place (``/dev/sda3``) means another partition on another PC. Where the key is a random
one, or any key opens anything (``plain``), or a filesystem is made at each start (``swap``,
``tmp``), the system writes over what has that name: such a line is given the swap of this disk, or
it is refused. All others are opened by a key that only their own volume takes.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass

from oglib.fitting.devices import TAGS, Known, named_by, number_of
from oglib.fitting.edits import Edit, Files, bytes_of, content, words_of
from oglib.fitting.fittings import Check, Need, edited
from oglib.osconfig.facts import PcFacts
from oglib.texts import joined, shortened

_CRYPTTAB = "etc/crypttab"
_LUKS = "crypto_LUKS"
_LINE = re.compile(
    r"([ \t]*[^ \t\r#][^ \t\r]*[ \t]+)([^ \t\r]+)((?:[ \t]+[^ \t\r]+){0,2})(.*)", re.DOTALL
)
_RANDOM = ("/dev/urandom", "/dev/random", "/dev/hwrng", "/dev/hw_random")
_WRITTEN_OVER = frozenset(("plain", "swap", "tmp"))


@dataclass(frozen=True, slots=True)
class Volume:
    """A line of crypttab. ``fresh``: the system may write over what is on it."""

    name: str
    device: str
    fresh: bool
    options: tuple[str, ...]

    @property
    def text(self) -> str:
        return f"{shortened(self.name)} is on {shortened(self.device)}"


@dataclass(frozen=True, slots=True)
class NewCrypttab:
    """The text to write, what changed in it, what cannot be told, and what is not here."""

    text: str
    changes: tuple[str, ...]
    unsure: tuple[str, ...]
    away: tuple[str, ...]


def crypttab(root: Files, facts: PcFacts) -> Check:
    """The devices of etc/crypttab; refused where one could be another's partition."""
    raw = content(root, _CRYPTTAB)
    if raw is None:
        return Check(Need.NOT_NEEDED, "there is no etc/crypttab")
    new = adapt_crypttab(words_of(raw), facts)
    if new.unsure:
        why = f"{joined(new.unsure)}, which is another partition on another PC: mend etc/crypttab"
        return Check(Need.CANNOT, why)
    away = joined([f"{told}, not found on this PC" for told in new.away])
    told = "; ".join(filter(None, (joined(new.changes), away)))
    return edited([Edit(_CRYPTTAB, raw, bytes_of(new.text))], told, away or "already so")


def adapt_crypttab(text: str, facts: PcFacts) -> NewCrypttab:
    """Of a line that changes the device alone does."""
    lines, changes, unsure, away = [], [], [], []
    for line in text.split("\n"):
        found = _LINE.fullmatch(line)
        if found is None:
            lines.append(line)
            continue
        volume = _volume(found)
        wanted = _wanted(volume, facts)
        here = any(one.is_named(volume.device) for one in facts.present)
        if wanted:
            changes.append(f"{volume.text}, which is now {wanted}")
            line = f"{found[1]}{wanted}{found[3]}{found[4]}"  # noqa: PLW2901
        elif number_of(volume.device) is not None or _is_at_risk(volume, facts):
            unsure.append(volume.text)
        elif not here and volume.device.partition("=")[0] in TAGS:
            away.append(volume.text)
        lines.append(line)
    return NewCrypttab("\n".join(lines), tuple(changes), tuple(unsure), tuple(away))


def _volume(match: re.Match[str]) -> Volume:
    """Any blanks part its words; the system takes what stands in quotes without them."""
    key, options = (*map(_bare, f"{match[3]}{match[4]}".split()[:2]), "", "")[:2]
    words = tuple(filter(None, map(_bare, options.split(","))))
    over = not _WRITTEN_OVER.isdisjoint(word.partition("=")[0] for word in words)
    random = posixpath.normpath(key) in _RANDOM
    return Volume(match[1].strip(), _bare(match[2]), random or over, words)


def _bare(word: str) -> str:
    return word.strip("\"'")


def _wanted(volume: Volume, facts: PcFacts) -> str:
    """What the line has to name instead; empty where it is right, or nobody can tell."""
    by_place = number_of(volume.device) is not None
    if volume.fresh:
        # what is written over again and again is named by its place in the table: a UUID on it
        # would be gone after the first start
        swap = _swap_for(volume, facts) if "swap" in volume.options else None
        return f"PARTUUID={swap.partuuid}" if swap and swap.partuuid else ""
    if not by_place:
        return ""
    found = named_by(volume.device, _LUKS, _luks(facts.present))
    return found.spec if found else ""


def _is_at_risk(volume: Volume, facts: PcFacts) -> bool:
    """Whether the line names a LUKS volume that is here, and the system would write over it."""
    return volume.fresh and any(one.is_named(volume.device) for one in _luks(facts.present))


def _swap_for(volume: Volume, facts: PcFacts) -> Known | None:
    """This disk's swap, where the line names none that is here."""
    if any(one.is_named(volume.device) for one in facts.present):
        return None
    number = number_of(volume.device)
    same = [one for one in facts.swaps if one.number == number]
    named = number is None and volume.device.partition("=")[0] not in TAGS
    return None if named else next(iter((*same, *facts.swaps)), None)


def _luks(present: Sequence[Known]) -> tuple[Known, ...]:
    return tuple(one for one in present if one.kind == _LUKS)
