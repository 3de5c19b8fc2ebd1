# SPDX-License-Identifier: GPL-3.0-or-later
"""What a power cut leaves of the files of an ESP, judged offline by mtools.

From the log of a whole disk come the writes of the one partition, so that its crash states are
small and many. FAT has no journal: what its files are is what its sectors say.
"""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

from harness.disks import Disk, Partition
from harness.steps import LOG
from power.crash import crash_states, make_disk
from power.write_log import WriteLog

Files = dict[str, bytes | None]


def of_partition(log: WriteLog, place: Partition) -> WriteLog:
    """The writes that fell into a partition, as its own; every flush stays."""
    end = place.start_bytes + place.size_bytes
    inside = (
        one for one in log.entries if not one.changes or place.start_bytes <= one.at_bytes < end
    )
    moved = (
        replace(one, at_bytes=one.at_bytes - place.start_bytes) if one.changes else one
        for one in inside
    )
    return replace(log, entries=tuple(moved))


def cut_out(disk: Disk, place: Partition, path: Path) -> Path:
    """A partition of a disk, as a file of its own."""
    path.write_bytes(disk.read(place.start_bytes, place.size_bytes))
    return path


def names(esp: Path) -> list[str]:
    """Every file on it, by its path."""
    listed = subprocess.run(
        ["mdir", "-/", "-b", "-i", str(esp), "::/"], capture_output=True, text=True, check=True
    ).stdout
    return [line for line in listed.splitlines() if line and not line.endswith("/")]


def content(esp: Path, wanted: list[str]) -> Files:
    """The files by their names; None for what cannot be read to its end."""
    found: Files = {}
    for name in wanted:
        argv = ["mtype", "-i", str(esp), name]
        done = subprocess.run(argv, capture_output=True, check=False)
        found[name] = done.stdout if done.returncode == 0 else None
    return found


def violations(base: Path, log: WriteLog, *, seed: str, count: int, work: Path) -> list[str]:
    """What is neither old nor new in the states, a line each; what was seen is said."""
    end, esp = work / "end", work / "esp"
    make_disk(log, base, crash_states(log, seed=seed, count=2)[1], end)
    known = sorted({*names(base), *names(end)})
    old, new = content(base, known), content(end, known)
    wrong, mixed = [], 0
    states = crash_states(log, seed=seed, count=count)
    for state in states:
        make_disk(log, base, state, esp)
        now = content(esp, known)
        wrong += [
            f"{state}: {name} is neither the old one nor the new one"
            for name in known
            if now[name] not in (old[name], new[name])
        ]
        mixed += now not in (old, new)
    changed = [name for name in known if old[name] != new[name]]
    LOG.say(f"ESP: {len(states)} states, {mixed} between old and new, of {', '.join(changed)}")
    return wrong
