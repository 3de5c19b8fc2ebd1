# SPDX-License-Identifier: GPL-3.0-or-later
"""Which drivers a kernel of an installed Linux has: as modules, or built in.

Read from what depmod and the kernel's build left beside the modules: ``modules.dep`` (their files),
``modules.builtin`` (what is part of the kernel), ``modules.alias`` and ``modules.builtin.modinfo``
(which of them is for which device).
"""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from oglib.fitting.edits import Files, words_of

_FOLDER = "lib/modules"
_MOST_BYTES = 32 << 20
_MODULE_FILE = re.compile(r"(.+)\.ko(?:\.[a-z0-9]+)?")
_WILD = re.compile(r"[*?\[]")
_MOST_WILD = 32  # stars of an alias: more than any has


@dataclass(frozen=True, slots=True)
class Modules:
    """Names are spelled with underscores. ``aliases``: a pattern, and the module that it names."""

    loadable: frozenset[str]
    built_in: frozenset[str]
    aliases: tuple[tuple[str, str], ...]

    def named(self, module: str) -> bool:
        """Whether this kernel has a module of this name, loadable or built in."""
        return module in self.loadable or module in self.built_in

    def for_device(self, modalias: str) -> frozenset[str]:
        """The modules that say they are for a device."""
        return frozenset(
            module
            for pattern, module in self.aliases
            # most differ before their first wildcard, and looking further costs much more
            if modalias.startswith(_WILD.split(pattern, maxsplit=1)[0])
            and fnmatch.fnmatchcase(modalias, pattern)
        )


def modules_of(root: Files, version: str) -> Modules:
    """The modules of one kernel; FileNotFoundError where one of both lists is not there."""
    folder = f"{_FOLDER}/{version}"
    loadable = _names(_text(root, f"{folder}/modules.dep", needed=True), ":")
    built_in = _names(_text(root, f"{folder}/modules.builtin", needed=True), "\n")
    aliases = []
    for line in _text(root, f"{folder}/modules.alias").split("\n"):
        words = line.split()
        if len(words) == 3 and words[0] == "alias":
            aliases.append((words[1], spelled(words[2])))
    for field in _text(root, f"{folder}/modules.builtin.modinfo").split("\0"):
        name, _, pattern = field.partition(".alias=")
        if pattern:
            aliases.append((pattern, spelled(name)))
    usable = tuple(one for one in aliases if one[0].count("*") <= _MOST_WILD)
    return Modules(frozenset(loadable), frozenset(built_in), usable)


def spelled(module: str) -> str:
    """The one spelling of a module: its file may have dashes where the kernel has underscores."""
    return module.replace("-", "_")


def _names(text: str, end: str) -> set[str]:
    found = set()
    for line in text.split("\n"):
        match = _MODULE_FILE.fullmatch(PurePosixPath(line.partition(end)[0].strip()).name)
        if match:
            found.add(spelled(match[1]))
    return found


def _text(root: Files, path: str, *, needed: bool = False) -> str:
    try:
        return words_of(root.read_bytes(path, limit_bytes=_MOST_BYTES))
    except FileNotFoundError:
        if needed:
            raise
        return ""
