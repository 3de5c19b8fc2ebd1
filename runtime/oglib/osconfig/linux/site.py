# SPDX-License-Identifier: GPL-3.0-or-later
"""Clock, language and keyboard, where the site says them; else they are the image's."""

from __future__ import annotations

import re

from oglib.fitting.changes import Change, Linked
from oglib.fitting.edits import Edit, Files, bytes_of, changed, content
from oglib.fitting.fittings import Check, Need, edited
from oglib.osconfig.facts import PcFacts
from oglib.osconfig.linux.names import adapt_variable

_ZONES = "usr/share/zoneinfo"
_LOCALTIME = "etc/localtime"
_ZONE_NAME = "etc/timezone"  # Debian's, beside the link
# Before systemd: CentOS 6, SLES 11
_ZONE_VARIABLES = (("etc/sysconfig/clock", "ZONE"), ("etc/sysconfig/clock", "TIMEZONE"))
_LOCALES = (
    ("etc/locale.conf", "LANG"),
    ("etc/default/locale", "LANG"),
    ("etc/sysconfig/i18n", "LANG"),
    ("etc/sysconfig/language", "RC_LANG"),
)
_KEYBOARDS = (
    ("etc/default/keyboard", "XKBLAYOUT"),
    ("etc/vconsole.conf", "KEYMAP"),
    ("etc/vconsole.conf", "XKBLAYOUT"),
    ("etc/sysconfig/keyboard", "KEYTABLE"),
)
_X11 = "etc/X11/xorg.conf.d/00-keyboard.conf"
_X11_LAYOUT = re.compile(r"([ \t]*Option[ \t]+\"XkbLayout\"[ \t]+\")[^\"]*(\".*)", re.DOTALL)
_UNASKED = Check(Need.NOT_NEEDED, "the image's, as the site asks for none")


def timezone(root: Files, facts: PcFacts) -> Check:
    """A link as systemd makes it, and the files that hold its name."""
    zone = facts.policy.timezone
    if not zone:
        return _UNASKED
    if not root.is_regular(f"{_ZONES}/{zone}") and not root.exists(f"{_ZONES}/{zone}"):
        return Check(Need.CANNOT, f"this system knows no {zone}: there is no {_ZONES}/{zone}")
    changes: list[Change] = []
    old = root.link_target(_LOCALTIME)
    if old is None or not old.endswith(f"zoneinfo/{zone}"):
        changes.append(Linked(_LOCALTIME, old, f"../{_ZONES}/{zone}"))
    if (raw := content(root, _ZONE_NAME)) is not None:
        changes.append(Edit(_ZONE_NAME, raw, bytes_of(f"{zone}\n")))
    changes += _variables(root, _ZONE_VARIABLES, zone)
    return edited(changes, zone)


def locale(root: Files, facts: PcFacts) -> Check:
    """Where the system keeps it; /etc/locale.conf where it keeps it nowhere."""
    wanted = facts.policy.locale
    if not wanted:
        return _UNASKED
    edits = _variables(root, _LOCALES, wanted)
    if not any(root.exists(path) for path, _ in _LOCALES):
        edits = [Edit("etc/locale.conf", None, bytes_of(f"LANG={wanted}\n"))]
    return edited(edits, wanted)


def keyboard(root: Files, facts: PcFacts) -> Check:
    """The layout of the console and of X11."""
    layout = facts.policy.keyboard
    if not layout:
        return _UNASKED
    edits = _variables(root, _KEYBOARDS, layout)
    if root.is_regular(_X11):
        edits.append(changed(root, _X11, lambda text: _with_layout(text, layout)))
    if not any(root.exists(path) for path, _ in _KEYBOARDS):
        edits = [*edits, Edit("etc/vconsole.conf", None, bytes_of(f"KEYMAP={layout}\n"))]
    return edited(edits, layout)


def _with_layout(text: str, layout: str) -> str:
    return "\n".join(_X11_LAYOUT.sub(rf"\g<1>{layout}\g<2>", line) for line in text.split("\n"))


def _variables(root: Files, places: tuple[tuple[str, str], ...], value: str) -> list[Change]:
    """One edit a file, in those that are there; a link's file is edited under its own name."""
    by_path: dict[str, list[str]] = {}
    for path, variable in places:
        if root.is_regular(path):
            by_path.setdefault(path, []).append(variable)

    return [_with(root, path, names, value) for path, names in by_path.items()]


def _with(root: Files, path: str, names: list[str], value: str) -> Edit:
    def new(text: str) -> str:
        for name in names:
            text = adapt_variable(text, name, value, missing=name == "LANG")
        return text

    return changed(root, path, new)
