# SPDX-License-Identifier: GPL-3.0-or-later
"""What tells one installed Linux from its copies: the ids of systemd and of D-Bus."""

from __future__ import annotations

from oglib.fitting.edits import Edit, Files, bytes_of, content, words_of
from oglib.fitting.fittings import Check, Need, edited
from oglib.osconfig.facts import PcFacts

_ID = "etc/machine-id"
_ENTRIES = "boot/loader/entries"
_TOKENS = "etc/kernel"
_TOKEN = f"{_TOKENS}/entry-token"
_DBUS_ID = "var/lib/dbus/machine-id"


def machine_id(root: Files, facts: PcFacts) -> Check:  # noqa: ARG001 - the same for every PC
    """Empty, not missing: systemd then makes a new one without first-boot questions.

    Boot entries that are named by the old one would be left behind at the next kernel: then its
    name is kept as their token (kernel-install, systemd 251 and newer).
    """
    if not root.exists(_ID):
        return Check(Need.NOT_NEEDED, "there is none")
    old = content(root, _ID)
    edits = [Edit(_ID, old, b"")]
    token = words_of(old or b"").strip()
    if not any(token and name.startswith(f"{token}-") for name in root.names(_ENTRIES)):
        return edited(edits, "new one at next boot")
    if content(root, _TOKEN) is None:
        if not root.exists(_TOKENS):
            why = f"boot entries are named by it, and there is no {_TOKENS} to keep their name in"
            return Check(Need.CANNOT, why)
        edits.insert(0, Edit(_TOKEN, None, bytes_of(f"{token}\n")))
    return edited(edits, "new one at next boot; boot entries keep their name")


def dbus_id(root: Files, facts: PcFacts) -> Check:  # noqa: ARG001
    """Removed where it is a file of its own; D-Bus then reads systemd's."""
    if not root.is_regular(_DBUS_ID):
        return Check(Need.NOT_NEEDED, "there is none of its own")
    return edited([Edit(_DBUS_ID, content(root, _DBUS_ID), None)], "removed; dbus reads systemd's")
