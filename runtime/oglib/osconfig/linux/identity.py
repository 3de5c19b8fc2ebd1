# SPDX-License-Identifier: GPL-3.0-or-later
"""What tells one installed Linux from its copies: the ids of systemd and of D-Bus."""

from __future__ import annotations

from oglib.edits import Edit, Files, content
from oglib.fitting import Check, Need, edited
from oglib.osconfig.facts import PcFacts

_ID = "etc/machine-id"
_DBUS_ID = "var/lib/dbus/machine-id"


def machine_id(root: Files, facts: PcFacts) -> Check:  # noqa: ARG001 - the same for every PC
    """Empty, not missing: systemd then makes a new one without first-boot questions."""
    if not root.exists(_ID):
        return Check(Need.NOT_NEEDED, "there is none")
    return edited([Edit(_ID, content(root, _ID), b"")], "new one at next boot")


def dbus_id(root: Files, facts: PcFacts) -> Check:  # noqa: ARG001
    """Removed where it is a file of its own; D-Bus then reads systemd's."""
    if not root.is_regular(_DBUS_ID):
        return Check(Need.NOT_NEEDED, "there is none of its own")
    return edited([Edit(_DBUS_ID, content(root, _DBUS_ID), None)], "removed; dbus reads systemd's")
