# SPDX-License-Identifier: GPL-3.0-or-later
"""What os-release, or its forerunners, say of the system on a root; reads only."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection
from dataclasses import dataclass

from oglib.fitting.edits import words_of
from oglib.osconfig.root import TargetRoot
from oglib.texts import shortened

_SYSTEM_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,31}")
_OS_RELEASE = ("etc/os-release", "usr/lib/os-release")
# Of the years before it, one line of text: CentOS 6, SLES 11.
_RELEASES = (
    ("etc/centos-release", "centos"),
    ("etc/redhat-release", "rhel"),
    ("etc/SuSE-release", "sles"),
)
_OS_RELEASE_BYTES = 64 << 10
_MOST_VALUE_CHARS = 1024


@dataclass(frozen=True, slots=True)
class LinuxSystem:
    """What it calls itself: ``debian``, ``Debian GNU/Linux 13 (trixie)``."""

    id: str
    pretty_name: str


def detect_linux(root: TargetRoot) -> LinuxSystem | None:
    """The system that says so on this root, or None where none does."""
    for name in _OS_RELEASE:
        try:
            text = words_of(root.read_bytes(name, limit_bytes=_OS_RELEASE_BYTES))
        except FileNotFoundError:
            continue
        said = _variables(text, ("ID", "NAME", "PRETTY_NAME"))
        name_of = said.get("ID", "").lower()
        return LinuxSystem(
            # becomes a folder of the ESP: nothing but a plain name is believed
            id=name_of if _SYSTEM_ID.fullmatch(name_of) else "linux",
            pretty_name=shortened(said.get("PRETTY_NAME") or said.get("NAME", "Linux")),
        )
    for name, of in _RELEASES:
        try:
            text = words_of(root.read_bytes(name, limit_bytes=_OS_RELEASE_BYTES))
        except FileNotFoundError:
            continue
        if line := text.partition("\n")[0].strip():
            return LinuxSystem(of, shortened(line))
    return None


def _variables(text: str, wanted: Collection[str]) -> dict[str, str]:
    """os-release: shell assignments without any expansion; only those that are wanted."""
    found = {}
    for line in text.splitlines():
        key, equals, value = line.strip().partition("=")
        if equals and key in wanted:
            found[key] = value[:_MOST_VALUE_CHARS]  # shlex copies all it has for each character
    return {key: _unquoted(value) for key, value in found.items()}


def _unquoted(value: str) -> str:
    try:
        return " ".join(shlex.split(value))
    except ValueError:
        return value
