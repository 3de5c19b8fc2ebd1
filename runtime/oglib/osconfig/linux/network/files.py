# SPDX-License-Identifier: GPL-3.0-or-later
"""The fittings about the network: which files of a root are of which family, and their edits."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from oglib.fitting.changes import Change, Removed, Renamed
from oglib.fitting.edits import Edit, Files, bytes_of, content, words_of
from oglib.fitting.fittings import Check, Need, edited
from oglib.osconfig.facts import PcFacts
from oglib.osconfig.linux.network import ifupdown, keyed, netplan
from oglib.osconfig.linux.network.cards import Cards, is_card
from oglib.texts import joined

_RULES = "etc/udev/rules.d/70-persistent-net.rules"
_RULE_MAC = re.compile(r"(?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}")
_INTERFACES = "etc/network/interfaces"
_MORE_INTERFACES = "etc/network/interfaces.d"
_NETPLAN = "etc/netplan"
_NETWORKD = "etc/systemd/network"
_KEYFILES = "etc/NetworkManager/system-connections"
_IFCFG = ("etc/sysconfig/network-scripts", "etc/sysconfig/network")
_IFCFG_NAME = re.compile(r"ifcfg-([A-Za-z0-9]+)")
_IFCFG_FILE = re.compile(r"ifcfg-[A-Za-z0-9]+(?:[.:]\d+)?")  # also of a VLAN or a second address
_SECRET = re.compile(rb"(?i)password|psk|secret|wep-key|private-key")


def net_rules(root: Files, facts: PcFacts) -> Check:
    """The names that udev of the years before systemd gave to the model's cards."""
    raw = None if _is_masked(root, _RULES) else content(root, _RULES)
    if raw is None:
        return Check(Need.NOT_NEEDED, "there are none")
    ours = {nic.mac for nic in facts.nics}
    named = {mac.upper() for mac in _RULE_MAC.findall(words_of(raw))}
    if named and named <= ours:
        return Check(Need.NOT_NEEDED, "they are about this PC's cards")
    return edited([Removed(_RULES)], "removed: this PC's cards get the first names")


def network(root: Files, facts: PcFacts) -> Check:
    """Every file that names a card which this PC has not."""
    if facts.policy.network == "keep":
        return Check(Need.NOT_NEEDED, "the site keeps what the image has")
    if not facts.nics:
        return Check(Need.NOT_NEEDED, "this PC has no network card")
    cards = Cards(facts.nics)
    places = list(_places(root))
    if away := next((path for path, _ in places if _leads_nowhere(root, path)), ""):
        leads = f"{away} is a link to {root.link_target(away)}, which is not in the system"
        return Check(Need.CANNOT, f"{leads}, so nobody can tell which cards it names: mend it")
    texts = _texts(root, places)
    for path, (family, text) in texts.items():
        if family == "netplan" and not netplan.is_understood(text):
            return Check(Need.CANNOT, f"{path} names cards in a form that is not known: mend it")
        for name, mac in _pins(path, family, text):
            if not cards.is_foreign(name, mac):
                cards.hold(name, mac)
    changes: list[Change] = []
    told = []
    for path, (family, text) in texts.items():
        new = _adapted(path, family, text, cards)
        more = _renamed(root, path, family, text, cards)
        name = more[0].last if more else path.rpartition("/")[2]
        if left := cards.left_in(_said(name, family, new)):
            why = f"{path} would still name {left}, a card of another PC, in a form not known here"
            return Check(Need.CANNOT, f"{why}: mend it")
        if new == text and not more:
            continue
        old = bytes_of(text)
        changes += [Edit(path, old, bytes_of(new), private=_SECRET.search(old) is not None), *more]
        told.append(path)
    return edited(changes, f"this PC's card, by DHCP: {joined(told, ', ')}")


def _places(root: Files) -> Iterator[tuple[str, str]]:
    """The paths of the files by their family; those of folders that are links have none."""
    folders = (_MORE_INTERFACES, _NETPLAN, _KEYFILES, _NETWORKD, *_IFCFG)
    yield from ((folder, "") for folder in folders if root.link_target(folder) is not None)
    yield _INTERFACES, "ifupdown"
    yield from ((f"{_MORE_INTERFACES}/{name}", "ifupdown") for name in root.names(_MORE_INTERFACES))
    for name in root.names(_NETPLAN):
        if name.endswith((".yaml", ".yml")):
            yield f"{_NETPLAN}/{name}", "netplan"
    yield from ((f"{_KEYFILES}/{name}", "keyfile") for name in root.names(_KEYFILES))
    for name in root.names(_NETWORKD):
        if name.endswith((".network", ".link")):
            yield f"{_NETWORKD}/{name}", name.rpartition(".")[2]
    for folder in _IFCFG:
        for name in root.names(folder):
            if _IFCFG_FILE.fullmatch(name) and name != "ifcfg-lo":
                yield f"{folder}/{name}", "ifcfg"


def _texts(root: Files, places: list[tuple[str, str]]) -> dict[str, tuple[str, str]]:
    """The files by their path: family and text. What two paths lead to is one file, and is once."""
    texts: dict[str, tuple[str, str]] = {}
    real: set[str] = set()
    # a file goes before the links to it
    for path, family in sorted(places, key=lambda one: root.link_target(one[0]) is not None):
        if not family or not root.exists(path) or root.is_directory(path) or _is_masked(root, path):
            continue
        where = _real_path(root, path)
        if where not in real:
            texts[path] = family, words_of(root.read_bytes(path))
        real.add(where)
    return {path: texts[path] for path, _ in places if path in texts}


def _real_path(root: Files, path: str) -> str:
    with root.open_regular(path) as file:
        return str(Path(f"/proc/self/fd/{file.fileno()}").readlink())


def _is_masked(root: Files, path: str) -> bool:
    """Whether the system has been told to find nothing there."""
    return root.link_target(path) == "/dev/null"


def _leads_nowhere(root: Files, path: str) -> bool:
    is_link = root.link_target(path) is not None
    return is_link and not _is_masked(root, path) and not root.exists(path)


_KEYED = {
    "keyfile": keyed.KEYFILE,
    "network": keyed.NETWORKD,
    "link": keyed.LINK,
    "ifcfg": keyed.IFCFG,
}


def _file_name(path: str, family: str) -> str:
    """The card that the name of an ifcfg file is, where it is one."""
    found = _IFCFG_NAME.fullmatch(path.rpartition("/")[2]) if family == "ifcfg" else None
    return found[1] if found and is_card(found[1]) else ""


def _pins(path: str, family: str, text: str) -> list[tuple[str, str]]:
    if family == "ifupdown":
        return [(name, "") for name in ifupdown.names_in(text)]
    if family == "netplan":
        return netplan.pins_of(text)
    name, mac = keyed.pins_of(text, _KEYED[family], _file_name(path, family))
    return [(one, mac) for one in name.split() or [""]]


def _said(name: str, family: str, text: str) -> str:
    """All of a file that counts; of an ifcfg file its name is part of that."""
    if family == "ifupdown":
        return ifupdown.said_in(text)
    if family == "netplan":
        return netplan.said_in(text)
    said = keyed.said_in(text, _KEYED[family])
    return f"{name.partition('-')[2]}\n{said}" if said and family == "ifcfg" else said


def _adapted(path: str, family: str, text: str, cards: Cards) -> str:
    if family == "ifupdown":
        return ifupdown.adapt_interfaces(text, cards)
    if family == "netplan":
        return netplan.adapt_netplan(text, cards)
    return keyed.adapt_keyed(text, _KEYED[family], cards, _file_name(path, family))


def _renamed(root: Files, path: str, family: str, text: str, cards: Cards) -> list[Renamed]:
    """An ifcfg file is about the card of its name."""
    name = _file_name(path, family)
    pins = keyed.pins_of(text, keyed.IFCFG, name) if name else ("", "")
    if not name or not cards.is_foreign(name) or (card := cards.instead(*pins)) is None:
        return []
    folder = path.rpartition("/")[0]
    new = f"ifcfg-{cards.name_of(card, name)}"
    return [] if root.exists(f"{folder}/{new}") else [Renamed(path, new)]
