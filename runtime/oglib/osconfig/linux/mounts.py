# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a Linux finds its filesystems and the swap that it wakes up from: fstab, resume."""

from __future__ import annotations

import re

from oglib.fitting.edits import Edit, Files, bytes_of, changed, content, words_of
from oglib.fitting.fittings import Check, Need, edited
from oglib.osconfig.facts import Known, PcFacts
from oglib.osconfig.fstab import adapt_fstab, device_is_mapped, swap_uuids
from oglib.texts import joined

_FSTAB = "etc/fstab"
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
    """The devices of etc/fstab; every changed line is told."""
    old = content(root, _FSTAB)
    if old is None:
        return Check(Need.NOT_NEEDED, "there is no etc/fstab")
    new = adapt_fstab(
        words_of(old), root=facts.root, swaps=facts.swaps, esp=facts.esp, others=facts.others
    )
    return edited([Edit(_FSTAB, old, bytes_of(new.text))], joined(new.changes))


def resume(root: Files, facts: PcFacts) -> Check:
    """The swap that initramfs-tools looks at for a system that sleeps on it."""
    if not root.exists(_CONF_D):
        return Check(Need.NOT_NEEDED, "no initramfs-tools here")
    edit = changed(root, _RESUME, lambda text: adapt_resume(text, facts.swaps))
    return edited([edit], f"UUID={facts.swaps[0].uuid}" if facts.swaps else "none")


def adapt_resume(text: str, swaps: tuple[Known, ...]) -> str:
    """``RESUME=`` names a swap of this PC, or none; what is mapped, and all other lines, stay."""
    device = f"UUID={swaps[0].uuid}" if swaps else "none"
    lines = text.split("\n")
    found = False
    for number, line in enumerate(lines):
        match = _RESUME_LINE.fullmatch(line)
        if match is None:
            continue
        found = True
        named = match[2].strip("\"'")
        if not device_is_mapped(named) and not any(one.is_named(named) for one in swaps):
            lines[number] = f"{match[1]}{device}{match[3]}"
    if found:
        return "\n".join(lines)
    if not text.endswith("\n") and text:
        lines.append("")
    lines.insert(-1, f"RESUME={device}")
    return "\n".join(lines)
