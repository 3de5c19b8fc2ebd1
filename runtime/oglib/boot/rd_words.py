# SPDX-License-Identifier: GPL-3.0-or-later
"""Words of a command line that name what an initramfs opens before it looks for the root. Pure.

dracut opens only what they name (``rd.lvm.lv=vg/lv``, ``rd.luks.uuid=``, ``rd.md.uuid=``), and
waits for it: one that is not here keeps the system from starting. Of a volume group alone it can be
told what took its place: the root's own, where that has a volume of the same name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from oglib.boot.facts import BootFacts
from oglib.fitting.devices import Known, volume_of
from oglib.texts import shortened

# As they are written since dracut 008, and before.
_WORD = re.compile(
    r"((?:(?<=[\s\"'=])|^)rd[._](lvm[._]lv|lvm[._]vg|luks[._]uuid|luks[._]name|md[._]uuid)=)"
    r"([^\s\"']+)",
    re.ASCII | re.IGNORECASE,
)
_RESUME = re.compile(r"(?:(?<=[\s\"'=])|^)resume=([^\s\"']+)", re.ASCII)
_NO_DIGIT = re.compile(r"[^0-9a-f]")
_LUKS = "crypto_LUKS"
_RAID = "linux_raid_member"


def adapt_volumes(line: str, facts: BootFacts) -> str:
    """The line with the volume group of this root where its own is not here."""
    line = _WORD.sub(lambda found: found[1] + _instead(found[2], found[3], facts), line)
    return _RESUME.sub(lambda found: found[0].replace(found[1], _volume(found[1], facts)), line)


def not_here(line: str, facts: BootFacts) -> tuple[str, ...]:
    """The words that name what is not on this PC, as they stand."""
    away = [found[0] for found in _WORD.finditer(line) if not _is_here(found[2], found[3], facts)]
    for found in _RESUME.finditer(line):
        volume = volume_of(found[1])
        if volume and volume not in _volumes(facts.present):
            away.append(found[0])
    return tuple(dict.fromkeys(map(shortened, away)))


def told_away(words: Iterable[str]) -> list[str]:
    """For a person: that the start will wait for what is not here."""
    return [f"{word} names what is not on this PC, and its start may wait for it" for word in words]


def _instead(kind: str, value: str, facts: BootFacts) -> str:
    if _is_here(kind, value, facts):
        return value
    if _kind(kind) == "lvmvg":
        return volume[0] if (volume := _of_root(facts)) else value
    if _kind(kind) == "lvmlv":
        group, _, name = value.partition("/")
        return "/".join(_moved((group, name), facts))
    return value


def _volume(device: str, facts: BootFacts) -> str:
    """A path of a volume, in the manner in which it was written."""
    volume = volume_of(device)
    if volume is None or volume in _volumes(facts.present):
        return device
    moved = _moved(volume, facts)
    by_name = {volume_of(node): one.nodes for one in facts.present for node in one.nodes}
    nodes = by_name.get(moved, ())
    mapped = device.startswith("/dev/mapper/")
    return next((node for node in nodes if node.startswith("/dev/mapper/") == mapped), device)


def _moved(volume: tuple[str, str], facts: BootFacts) -> tuple[str, str]:
    """The volume of that name in the root's group; itself where its own group is here."""
    root, here = _of_root(facts), _volumes(facts.present)
    if root is None or volume[0] in {group for group, _ in here}:
        return volume
    moved = (root[0], volume[1])
    return moved if moved in here else volume


def _of_root(facts: BootFacts) -> tuple[str, str] | None:
    return volume_of(facts.root.nodes[0]) if facts.root.nodes else None


def _volumes(present: Sequence[Known]) -> frozenset[tuple[str, str]]:
    found = (volume_of(node) for one in present for node in one.nodes)
    return frozenset(one for one in found if one)


def _is_here(kind: str, value: str, facts: BootFacts) -> bool:
    here = _volumes(facts.present)
    match _kind(kind):
        case "lvmlv":
            group, _, name = value.partition("/")
            return (group, name) in here
        case "lvmvg":
            return value in {group for group, _ in here}
        case "mduuid":
            return _has(_RAID, value, facts)
        case "luksname":
            return _has(_LUKS, value.partition("=")[0], facts)
    return _has(_LUKS, value.removeprefix("luks-"), facts)


def _has(kind: str, uuid: str, facts: BootFacts) -> bool:
    """Whether there is one of the kind whose UUID begins so, whatever signs part its digits."""
    wanted = _NO_DIGIT.sub("", uuid.lower())
    ours = (_NO_DIGIT.sub("", one.uuid.lower()) for one in facts.present if one.kind == kind)
    return bool(wanted) and any(one.startswith(wanted) for one in ours)


def _kind(word: str) -> str:
    return word.lower().replace(".", "").replace("_", "")
