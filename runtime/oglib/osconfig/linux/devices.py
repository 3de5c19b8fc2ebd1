# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Linux wrote down of the model's disks beside fstab: LVM, the package of GRUB; SELinux."""

from __future__ import annotations

import re

from oglib.fitting.changes import Renamed
from oglib.fitting.edits import Edit, Files, changed, content, words_of
from oglib.fitting.fittings import Check, Need, edited
from oglib.osconfig.facts import PcFacts

_LVM = "etc/lvm/devices"
_LVM_FILE = "system.devices"
_LVM_ASIDE = "system.devices.before-oglive"
_DEBCONF = "var/cache/debconf/config.dat"
_GRUB_PC = "grub-pc/install_devices"
_GRUB_EFI = "grub-efi/install_devices"
_SELINUX = "etc/selinux/config"
_RELABEL = ".autorelabel"
_SELINUX_ON = re.compile(r"SELINUX=[\"']?(enforcing|permissive)[\"']?\s*")
# Read by a boot loader alone, or by people: without a label nothing of the system misses them.
_NOT_LABELLED = ("boot/", "etc/fstab.backup")


def lvm_devices(root: Files, facts: PcFacts) -> Check:  # noqa: ARG001
    """The list of disks that LVM looks at, by their serial numbers: without it, it takes all."""
    path = f"{_LVM}/{_LVM_FILE}"
    if not root.is_regular(path):
        return Check(Need.NOT_NEEDED, "there is no list of disks")
    return edited([Renamed(path, _LVM_ASIDE)], f"{path} is now {_LVM_ASIDE}: all disks count")


def debconf(root: Files, facts: PcFacts) -> Check:
    """The disk that Debian's next update of GRUB installs it to, and fails where there is none."""
    raw = content(root, _DEBCONF)
    if raw is None:
        return Check(Need.NOT_NEEDED, "no debconf here")
    text = words_of(raw)
    if not facts.disk_id:
        return Check(Need.NOT_NEEDED, "this disk has no name that stays")
    new = adapt_debconf(text, _GRUB_PC, facts.disk_id)
    if facts.esp is not None and facts.esp.number:
        new = adapt_debconf(new, _GRUB_EFI, f"{facts.disk_id}-part{facts.esp.number}")
    if new == text:
        return Check(Need.NOT_NEEDED, "already so")
    return edited([changed(root, _DEBCONF, lambda _: new)], facts.disk_id)


def adapt_debconf(text: str, question: str, value: str) -> str:
    """The database with this answer, where the question was asked and answered."""
    stanzas = text.split("\n\n")
    for at, stanza in enumerate(stanzas):
        lines = stanza.split("\n")
        if f"Name: {question}" in lines:
            lines = [f"Value: {value}" if one.startswith("Value: ") else one for one in lines]
            stanzas[at] = "\n".join(lines)
    return "\n\n".join(stanzas)


def relabel(root: Files, facts: PcFacts) -> Check:
    """The mark by which SELinux labels all files at the next start; only for files that are new.

    A file that was replaced has the label of the old one.
    """
    said = words_of(content(root, _SELINUX) or b"").split("\n")
    if not any(_SELINUX_ON.fullmatch(line) for line in said):
        return Check(Need.NOT_NEEDED, "no SELinux here")
    if root.exists(_RELABEL):
        return Check(Need.NOT_NEEDED, "already so")
    new = [path for path in facts.new_files if not path.startswith(_NOT_LABELLED)]
    if not new:
        return Check(Need.NOT_NEEDED, "no file is new")
    return edited([Edit(_RELABEL, None, b"")], f"at its next start, for {new[0]} is new")
