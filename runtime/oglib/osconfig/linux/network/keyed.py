# SPDX-License-Identifier: GPL-3.0-or-later
"""Network files of lines ``key=value``: NetworkManager, networkd, ifcfg of RHEL and SUSE."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from oglib.osconfig.linux.network.cards import Cards, is_card, mac_like

_SECTION = re.compile(r"[ \t]*\[([^\]]*)\].*", re.DOTALL)
# In a file of the shell a comment can follow, and "export" begin.
_SHELL_LINE = re.compile(
    r"([ \t]*(?:export[ \t]+)?)(\w+)(=)([\"']?)([^\"'\r]*?)\4([ \t]*(?:[ \t]#.*)?\r?)", re.DOTALL
)
_COMMENT = re.compile(r"[ \t]*[#;].*", re.DOTALL)
_BESIDE = re.compile(r"[ \t]#.*", re.DOTALL)
_LINE = re.compile(r"([ \t]*)([A-Za-z0-9_.-]+)([ \t]*=[ \t]*)([\"']?)([^\"'\r]*?)\4([ \t]*\r?)")


@dataclass(frozen=True, slots=True)
class Keyed:
    """The keys of one family, as ``section/key`` (``/key`` where there are no sections).

    ``fixed``: what says that the address is written down, with the values that say so and what is
    said instead; ``gone``: what goes with a written address. ``of_cards``: a key by which a file
    is known to be about a card in a socket, and the values it may have (empty: any file is).
    """

    name: str
    mac: str
    fixed: Mapping[str, tuple[str, str]]
    gone: str
    of_cards: str = ""
    types: tuple[str, ...] = ()
    asked: str = ""
    given: str = ""  # the name that a card gets which is found by its address
    labels: str = ""  # keys whose values are words for a person
    more_types: tuple[str, ...] = ()  # which stand upon a card, and are not adapted
    is_shell: bool = False


KEYFILE = Keyed(
    name="connection/interface-name",
    mac="(?:ethernet|802-3-ethernet)/mac-address",
    fixed={"ipv[46]/method": ("manual", "auto")},
    gone=r"ipv[46]/(?:address|addresses|route|routes)\d*|ipv[46]/gateway",
    of_cards="connection/type",
    types=("ethernet", "802-3-ethernet"),
    labels="connection/id",
    more_types=("vlan",),
)
NETWORKD = Keyed(
    name="Match/Name",
    mac="Match/(?:Permanent)?MACAddress",
    fixed={"Network/DHCP": ("no|false|off|0", "yes")},
    gone=r"Network/(?:Address|Gateway)|(?:Address|Route)/.*",
    asked="Network/DHCP=yes",
    labels="Network/Description",
)
LINK = Keyed(
    name="",
    mac="Match/(?:Permanent)?MACAddress",
    fixed={},
    gone="",
    given="Link/Name",
    labels="Link/(?:Description|Alias|Name)",
)
IFCFG = Keyed(
    name="/DEVICE",
    mac="/HWADDR",
    fixed={"/BOOTPROTO": ("static|none|", "dhcp")},
    gone=r"/(?:IPADDR|NETMASK|PREFIX|PREFIXLEN|GATEWAY|NETWORK|BROADCAST)(?:_?\d+)?",
    of_cards="/TYPE",
    types=("Ethernet", "ethernet", "eth"),
    asked="/BOOTPROTO=dhcp",
    labels="/NAME",
    more_types=("Vlan",),
    is_shell=True,
)


def pins_of(text: str, family: Keyed, name: str = "") -> tuple[str, str]:
    """The name and the address of the card that a file is about; ``name``: that of the file."""
    found = {"name": name, "mac": ""}
    for path, value in _values(text, family):
        if family.of_cards and path == family.of_cards and value not in family.types:
            return "", ""
        if family.name and path == family.name:
            found["name"] = value
        elif re.fullmatch(family.mac, path):
            found["mac"] = value
    return found["name"], found["mac"]


def adapt_keyed(text: str, family: Keyed, cards: Cards, name: str = "") -> str:
    """The file for this PC's card, its address by DHCP; as it is where it names none or ours."""
    old_name, old_mac = pins_of(text, family, name)
    foreign = [one for one in old_name.split() if cards.is_foreign(one)]
    ours = [one for one in old_name.split() if is_card(one) and one not in foreign]
    if not cards.is_foreign(mac=old_mac) and (not foreign or ours):
        return text
    card = cards.instead((foreign or ours or [""])[0], old_mac)
    if card is None:
        return text
    written = any(re.fullmatch(family.gone, path) for path, _ in _values(text, family))

    def new(path: str, value: str) -> str | None:
        if family.name and path == family.name:
            return " ".join(dict.fromkeys(_new_name(cards, one) for one in value.split()))
        if family.given and path == family.given and cards.is_foreign(value):
            return cards.name_of(card, value)
        if re.fullmatch(family.mac, path):
            return mac_like(card.mac, value) if cards.is_foreign(mac=value) else value
        if written and re.fullmatch(family.gone, path):
            return None
        for key, (fixed, instead) in family.fixed.items():
            if written and re.fullmatch(key, path) and re.fullmatch(fixed, value):
                return instead
        return value

    changed = _mapped(text, family, new)
    asked, _, value = family.asked.partition("=")
    if written and asked and not any(path == asked for path, _ in _values(changed, family)):
        return _with(changed, asked, value)
    return changed


def _new_name(cards: Cards, name: str) -> str:
    card = cards.instead(name) if cards.is_foreign(name) else None
    return cards.name_of(card, name) if card else name


def said_in(text: str, family: Keyed) -> str:
    """Without comments and labels; nothing of a file that is about no card."""
    kinds = (*family.types, *family.more_types)
    if any(path == family.of_cards and value not in kinds for path, value in _values(text, family)):
        return ""
    said = _mapped(text, family, lambda path, value: _unless_label(family, path, value))
    lines = (line for line in said.split("\n") if not _COMMENT.fullmatch(line))
    return "\n".join(_BESIDE.sub("", line) if family.is_shell else line for line in lines)


def _unless_label(family: Keyed, path: str, value: str) -> str | None:
    return None if re.fullmatch(family.labels, path) else value


def _values(text: str, family: Keyed) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []

    def note(path: str, value: str) -> str:
        found.append((path, value))
        return value

    _mapped(text, family, note)
    return found


def _mapped(text: str, family: Keyed, new: Callable[[str, str], str | None]) -> str:
    """Each value as ``new`` says; None: its line goes."""
    lines, section = [], ""
    form = _SHELL_LINE if family.is_shell else _LINE
    for line in text.split("\n"):
        if head := _SECTION.fullmatch(line):
            section = head[1]
        elif match := form.fullmatch(line):
            value = new(f"{section}/{match[2]}", match[5].rstrip())
            if value is None:
                continue
            if value != match[5].rstrip():
                quote = match[4]
                line = f"{match[1]}{match[2]}{match[3]}{quote}{value}{quote}{match[6]}"  # noqa: PLW2901
        lines.append(line)
    return "\n".join(lines)


def _with(text: str, path: str, value: str) -> str:
    """The text with one line more: behind its section's head, or at its end without sections."""
    section, _, key = path.partition("/")
    lines = text.split("\n")
    heads = [
        at for at, line in enumerate(lines) if (m := _SECTION.fullmatch(line)) and m[1] == section
    ]
    if section and heads:
        lines.insert(heads[0] + 1, f"{key}={value}")
    elif section:
        lines[len(lines) - (not lines[-1]) :] = [f"[{section}]", f"{key}={value}", ""]
    else:
        lines[len(lines) - (not lines[-1]) :] = [f"{key}={value}", ""]
    return "\n".join(lines)
