# SPDX-License-Identifier: GPL-3.0-or-later
"""grub.cfg and /etc/default/grub on another PC: pure text in, text out.

Owns which words of a kernel command line name a device of the PC the image came from. Only
what the system's own generator wrote for itself is touched, not its entries for other systems.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from oglib.texts import shortened

_OWN_BEGIN = re.compile(r"^### BEGIN /etc/grub\.d/(\d+_linux\w*) ###", re.ASCII)
_OWN_END = re.compile(r"^### END /etc/grub\.d/\d+_linux\w* ###", re.ASCII)
_KERNEL_LINE = re.compile(r"^\s*linux(16|efi)?\s", re.ASCII)
_INITRD_LINE = re.compile(r"^\s*initrd(16|efi)?\s", re.ASCII)
_ROOT = re.compile(r"(?<=\s)root=(\S+)", re.ASCII)
_RESUME = re.compile(r"(?<=[\s\"'])resume=([^\s\"']+)", re.ASCII)
_DEFAULTS = re.compile(r"^\s*GRUB_CMDLINE_LINUX\w*=", re.ASCII)


def adapt_config(
    text: str, *, root_uuid: str, swap_uuid: str, present: Collection[str]
) -> tuple[str, tuple[str, ...]]:
    """grub.cfg for this PC and what changed; ``present``: UUIDs of filesystems that are here."""
    # Patterns are asked line by line: over a text of blank lines one that begins with blanks would
    # look at each of them again from each. A newline alone ends a line.
    old_lines = text.split("\n")
    own = not any(_OWN_BEGIN.match(line) for line in old_lines)
    by_uuid = any(_INITRD_LINE.match(line) for line in old_lines)  # else no UUID is understood
    changes: dict[str, None] = {}
    lines = []
    for line in old_lines:
        if _OWN_BEGIN.match(line):
            own = True
        elif _OWN_END.match(line):
            own = False
        if own and _KERNEL_LINE.match(line):
            new = _with_root(line, root_uuid, present) if by_uuid else line
            new = _with_resume(new, swap_uuid)
            if new != line:
                changes[_told(line, new)] = None
            lines.append(new)
        else:
            lines.append(line)
    return "\n".join(lines), tuple(changes)


def adapt_defaults(text: str, *, swap_uuid: str) -> tuple[str, tuple[str, ...]]:
    """/etc/default/grub, so that the system's next update-grub keeps what was put right."""
    lines = []
    changes = []
    for line in text.split("\n"):
        new = _with_resume(line, swap_uuid) if _DEFAULTS.match(line) else line
        if new != line:
            changes.append(_told(line, new))
        lines.append(new)
    return "\n".join(lines), tuple(changes)


def _with_root(line: str, root_uuid: str, present: Collection[str]) -> str:
    found = _ROOT.search(line)
    if found is None:
        return line
    device = found.group(1)
    tag, _, value = device.partition("=")
    here = tag == "UUID" and (value.lower() == root_uuid.lower() or value in present)
    # volumes and labels travel with the image; kernel names and partition ids do not
    if here or not (tag in ("UUID", "PARTUUID") or re.match(r"/dev/(?!mapper/|md)\w+\d", device)):
        return line
    return line[: found.start()] + f"root=UUID={root_uuid}" + line[found.end() :]


def _with_resume(line: str, swap_uuid: str) -> str:
    found = _RESUME.search(line)
    if found is None or found.group(1).startswith("/dev/mapper/"):
        return line
    if swap_uuid:
        return line[: found.start()] + f"resume=UUID={swap_uuid}" + line[found.end() :]
    return re.sub(r" ?(?<=[\s\"'])resume=[^\s\"']+", "", line, count=1)


def _told(old: str, new: str) -> str:
    before, after = old.split(), new.split()
    gone = shortened(" ".join(_without(before, after)))
    come = shortened(" ".join(_without(after, before)))
    return f"{gone} is now {come or 'left out'}"


def _without(words: Sequence[str], others: Sequence[str]) -> list[str]:
    known = frozenset(others)
    return [word for word in words if word not in known]
