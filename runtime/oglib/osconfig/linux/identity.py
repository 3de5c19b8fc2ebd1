# SPDX-License-Identifier: GPL-3.0-or-later
"""What tells one installed Linux from its copies: the ids of systemd and of D-Bus."""

from __future__ import annotations

from oglib.fitting.changes import Change, Renamed
from oglib.fitting.edits import Edit, Files, bytes_of, content, words_of
from oglib.fitting.fittings import Check, Need, edited
from oglib.fitting.grub_places import FOLDERS
from oglib.osconfig.facts import PcFacts

_ID = "etc/machine-id"
_ENTRIES = "boot/loader/entries"
_TOKENS = "etc/kernel"
_TOKEN = f"{_TOKENS}/entry-token"
_DBUS_ID = "var/lib/dbus/machine-id"


def machine_id(root: Files, facts: PcFacts) -> Check:
    """Empty, not missing: systemd then makes a new one without first-boot questions.

    Boot entries that are named by the old one (Fedora, RHEL, SUSE) would be left behind at the
    next kernel. Where GRUB reads them, a new id is made here and they get its name; where their
    kernels lie in a folder of that name too, the name is kept as their token (kernel-install,
    systemd 251 and newer).
    """
    if not root.exists(_ID):
        return Check(Need.NOT_NEEDED, "there is none")
    old = content(root, _ID)
    said = words_of(old or b"").strip()
    new = _own_id(facts)
    entries = root.names(_ENTRIES)
    named = [name for name in entries if said not in ("", new) and name.startswith(f"{said}-")]
    if not named and new and any(name.startswith(f"{new}-") for name in entries):
        return edited([Edit(_ID, old, bytes_of(f"{new}\n"))], "the one that boot entries have")
    if not named:
        return edited([Edit(_ID, old, b"")], "new one at next boot")
    token = content(root, _TOKEN)
    if token is None and new and not root.exists(f"boot/{said}") and _is_of_grub(root):
        return edited(_renaming(root, said, new, named, old), f"{new}, boot entries follow it")
    if token is None and not root.exists(_TOKENS):
        why = f"boot entries are named by it, and there is no {_TOKENS} to keep their name in"
        return Check(Need.CANNOT, why)
    kept = [Edit(_TOKEN, None, bytes_of(f"{said}\n"))] if token is None else []
    return edited(
        [*kept, Edit(_ID, old, b"")], "new one at next boot; boot entries keep their name"
    )


def _own_id(facts: PcFacts) -> str:
    """A machine-id that is this PC's, in the form of a random UUID (machine-id(5))."""
    own = facts.own("machine-id")
    return f"{own[:12]}4{own[13:16]}a{own[17:]}" if own else ""


def _is_of_grub(root: Files) -> bool:
    return any(root.exists(folder) for folder in FOLDERS)


def _renaming(
    root: Files, old_id: str, new_id: str, named: list[str], old: bytes | None
) -> list[Change]:
    """What GRUB remembers of the entries, they, and the id last: cut short, it is done again."""
    changes: list[Change] = []
    for folder in FOLDERS:
        saved = content(root, f"{folder}/grubenv")
        if saved is not None and len(old_id) == len(new_id):  # a block of a size that must stay
            new = saved.replace(f"={old_id}-".encode(), f"={new_id}-".encode())
            changes.append(Edit(f"{folder}/grubenv", saved, new))
    changes += [Renamed(f"{_ENTRIES}/{name}", name.replace(old_id, new_id, 1)) for name in named]
    return [*changes, Edit(_ID, old, bytes_of(f"{new_id}\n"))]


def dbus_id(root: Files, facts: PcFacts) -> Check:  # noqa: ARG001
    """Removed where it is a file of its own; D-Bus then reads systemd's."""
    if not root.is_regular(_DBUS_ID):
        return Check(Need.NOT_NEEDED, "there is none of its own")
    return edited([Edit(_DBUS_ID, content(root, _DBUS_ID), None)], "removed; dbus reads systemd's")
