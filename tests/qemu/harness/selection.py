# SPDX-License-Identifier: GPL-3.0-or-later
"""Which scenarios run: the covering set of covering.toml, and the parts of ``--shard I/N``."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import HarnessError

_UNKNOWN_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Shard:
    """Part ``index`` (from 1) of ``count``."""

    index: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        match = re.fullmatch(r"(\d+)/(\d+)", text)
        if match is None or not 1 <= int(match[1]) <= int(match[2]):
            raise HarnessError(f"--shard {text}: write I/N with I from 1 to N")
        return cls(int(match[1]), int(match[2]))


def _seconds(path: Path) -> dict[str, int]:
    """Every scenario named in covering.toml with how long it took when last measured."""
    tables = tomllib.loads(path.read_text("utf-8"))
    return {
        name: int(row["seconds"])
        for table in ("covering", "further")
        for name, row in tables.get(table, {}).items()
    }


def covering_names(path: Path) -> set[str]:
    return set(tomllib.loads(path.read_text("utf-8"))["covering"])


def pick_shard(names: Sequence[str], shard: Shard, path: Path) -> set[str]:
    """The scenarios of this shard: the longest first, each to the part with the least so far.

    The answer depends on the names alone, so all shards of one commit together run everything.
    """
    known = _seconds(path)
    loads = [0] * shard.count
    mine = set()
    for name in sorted(names, key=lambda one: (-known.get(one, _UNKNOWN_SECONDS), one)):
        part = loads.index(min(loads))
        loads[part] += known.get(name, _UNKNOWN_SECONDS)
        if part == shard.index - 1:
            mine.add(name)
    return mine
