# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a Linux finds its filesystems and the swap that it wakes up from: fstab, resume."""

from __future__ import annotations

import re

from oglib.fitting.devices import is_mapped
from oglib.fitting.edits import Edit, Files, bytes_of, changed, content, words_of
from oglib.fitting.fittings import Check, Need, edited
from oglib.osconfig.facts import PcFacts
from oglib.osconfig.fstab import adapt_fstab, has_swap_file, swap_uuids
from oglib.texts import joined

_FSTAB = "etc/fstab"
_BACKUP = "etc/fstab.backup"
_CONF_D = "etc/initramfs-tools/conf.d"
_RESUME = f"{_CONF_D}/resume"
_RESUME_LINE = re.compile(r"([ \t]*RESUME=)([^\s#]*)(.*)", re.DOTALL)


def wanted_swap_uuid(root: Files) -> str:
    """The UUID that this system's fstab names as swap, or nothing.

    Giving a fresh swap this UUID spares the initramfs, which remembers it for resuming.
    """
    found = swap_uuids(words_of(content(root, _FSTAB) or b""))
    return found[0].lower() if found and re.fullmatch(r"[0-9A-Fa-f-]{36}", found[0]) else ""


def fstab(root: Files, facts: PcFacts) -> Check:
    """The devices of etc/fstab; every changed line is told, and what it was is kept beside it.

    Both become files of this system's own: what a link leads to may be a package's, and an
    initramfs looks at the link from a root where an absolute one leads elsewhere.
    """
    old = content(root, _FSTAB)
    if old is None:
        return Check(Need.NOT_NEEDED, "there is no etc/fstab")
    new = adapt_fstab(words_of(old), facts)
    if not new.changes:
        return Check(Need.NOT_NEEDED, "already so")
    edits = [
        Edit(_BACKUP, content(root, _BACKUP), old, mode=0o600, own=True),
        Edit(_FSTAB, old, bytes_of(new.text), own=True),
    ]
    return edited(edits, f"{joined(new.changes)}; the old one is {_BACKUP}")


def resume(root: Files, facts: PcFacts) -> Check:
    """The swap that initramfs-tools looks at for a system that sleeps on it."""
    if not root.exists(_CONF_D):
        return Check(Need.NOT_NEEDED, "no initramfs-tools here")
    on_file = has_swap_file(words_of(content(root, _FSTAB) or b""))
    edit = changed(root, _RESUME, lambda text: adapt_resume(text, facts, on_file=on_file))
    return edited([edit], _resumed(facts, on_file=on_file))


def _resumed(facts: PcFacts, *, on_file: bool) -> str:
    """What the system wakes up from where it names nothing that is here."""
    wanted = facts.root if on_file else next(iter(facts.swaps), None)
    return wanted.spec if wanted else "none"


def adapt_resume(text: str, facts: PcFacts, *, on_file: bool = False) -> str:
    """``RESUME=`` names what is here, a swap or the filesystem of a swap file; else the swap.

    ``on_file``: its swap is a file, which lies on the root. Where there is none it says so. What is
    mapped, and all other lines, stay.
    """
    device = _resumed(facts, on_file=on_file)
    lines = text.split("\n")
    found = False
    for number, line in enumerate(lines):
        match = _RESUME_LINE.fullmatch(line)
        if match is None:
            continue
        found = True
        named = match[2].strip("\"'")
        if not is_mapped(named) and not any(one.is_named(named) for one in facts.present):
            lines[number] = f"{match[1]}{device}{match[3]}"
    if found:
        return "\n".join(lines)
    if not text.endswith("\n") and text:
        lines.append("")
    lines.insert(-1, f"RESUME={device}")
    return "\n".join(lines)
