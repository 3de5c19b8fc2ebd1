# SPDX-License-Identifier: GPL-3.0-or-later
"""What `ognetboot` costs with 5,000 PCs: a tree rendered, checked, and one PC of it set.

User and system time with children beside ``python -c pass``, and how long an administrator waits
beside what it may take.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bench import rows
from bench.starts import processor_seconds

_PCS, _ROOMS = 5000, 200
_TURNS = 5
_OURS = (sys.executable, "-m", "ognetboot")
_PEER = (sys.executable, "-c", "pass")
_HEAD = """\
[server]
title = "Universidad de Málaga"
address = "10.20.0.1"
subnet = "10.20.0.0/16"
interface = "eth0"
language = "es"

[entries.debian]
kind = "system"
title = "Debian 13"
partition = 2

[entries.windows]
kind = "system"
title = "Windows 11"
partition = 1
"""


@dataclass(frozen=True, slots=True)
class _Work:
    """A command by the number of its turn: `at_most` ``python -c pass``, `limit_s` to wait."""

    name: str
    argv: Callable[[int], tuple[str, ...]]
    at_most: float
    limit_s: float | None = None


def inventory() -> str:
    """Of so many PCs, in rooms of 25."""
    rooms = (
        f'\n[rooms.aula{number}]\ntitle = "Aula Informática {number}"\ndefault_entry = "pxe"\n'
        for number in range(_ROOMS)
    )
    pcs = (
        f'\n[[clients]]\nmac = "525400{number:06x}"\nname = "pc{number}"\n'
        f'room = "aula{number % _ROOMS}"\nip = "10.20.{1 + number // 250}.{1 + number % 250}"\n'
        for number in range(_PCS)
    )
    return "".join((_HEAD, *rooms, *pcs))


def measure(work: Path, say: Callable[[str], None]) -> list[rows.Row]:
    """All rows; ``work`` is a folder in memory."""
    site = work / "site.toml"
    site.write_text(inventory())
    peer = statistics.median(processor_seconds(_PEER, {}) for _ in range(2 * _TURNS))
    tree = work / "netboot"
    processor_seconds((*_OURS, "render", str(site), str(tree)), {})
    found = [row for one in _works(site, tree) for row in _rows(one, peer)]
    for row in found:
        say(f"  {row.work:<44} {row.ours:10.3f} {row.unit}")
    return found


def _works(site: Path, tree: Path) -> tuple[_Work, ...]:
    given = ("--inventory", str(site), "--out", str(tree))
    pcs = f"of {_PCS} PCs"
    return (
        _Work(f"ognetboot render, a new tree {pcs}",
              lambda turn: (*_OURS, "render", str(site), f"{tree}-{turn}"), 200, 10),
        _Work(f"ognetboot render, nothing changed {pcs}",
              lambda _: (*_OURS, "render", str(site), str(tree)), 130, 10),
        _Work(f"ognetboot check {pcs}", lambda _: (*_OURS, "check", str(site)), 60, 3),
        _Work(f"ognetboot set --once, one {pcs}",
              lambda turn: (*_OURS, "set", *given, f"pc{turn}", "localdisk", "--once"), 28, 0.5),
        _Work(f"ognetboot set, one {pcs}",
              lambda turn: (*_OURS, "set", *given, f"pc{turn + 100}", "localdisk"), 38, 0.5),
    )  # fmt: skip


def _rows(work: _Work, peer: float) -> Iterator[rows.Row]:
    used, waited = [], []
    for turn in range(_TURNS):
        begun = time.monotonic()
        used.append(processor_seconds(work.argv(turn), {}))
        waited.append(time.monotonic() - begun)
    ours = statistics.median(used)
    yield rows.Row(
        work.name, "python -c pass", ours / peer, ours * 1000, peer * 1000, "ms of processor",
        "tmpfs", at_most=work.at_most,
    )  # fmt: skip
    if work.limit_s is not None:
        seconds = statistics.median(waited)
        yield rows.Row(
            work.name, "the limit", seconds / work.limit_s, seconds, work.limit_s, "s", "tmpfs",
            at_most=1.0,
        )  # fmt: skip
