# SPDX-License-Identifier: GPL-3.0-or-later
"""What a short command costs: user and system time with its children, beside ``python -c pass``.

Scripts start the old names by the hundred, and a listing is what a person types first. The disks
are two sparse files with tables and filesystems, so that no disk of this machine matters.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from bench import rows
from oglib.errors import OgError

_TURNS = 10
_MIB = 1 << 20
_SIZE_MIB = 256
# size in MiB and what makes it, one after the other from the first MiB on
_PARTITIONS = (
    (96, ("mkfs.ext4", "-q", "-F")),
    (96, ("mkfs.ext4", "-q", "-F")),
    (32, ("mkswap", "--quiet")),
)
_OG = (sys.executable, "-m", "oglib")
_OLD = (sys.executable, "-m", "oglib.shim")
_COMMANDS = (
    ("og disk list, two disks", (*_OG, "disk", "list"), 8.0),
    ("og --version", (*_OG, "--version"), 3.0),
    ("ogGetPartitionsNumber", (*_OLD, "ogGetPartitionsNumber", "1"), 4.0),
    ("ogGetPartitionId", (*_OLD, "ogGetPartitionId", "1", "2"), 4.0),
    ("ogListPartitions", (*_OLD, "ogListPartitions", "2"), 4.0),
)
_PEER = (sys.executable, "-c", "pass")


def measure(work: Path, say: Callable[[str], None]) -> list[rows.Row]:
    """All rows; ``work`` is a folder in memory."""
    disks = [_disk(work / f"disk-{label}", label) for label in ("gpt", "dos")]
    environment = {"PATH": os.environ["PATH"], "OG_DISKS": ":".join(map(str, disks))}
    argvs: dict[tuple[str, ...], str] = {_PEER: "python -c pass"}
    argvs |= {argv: name for name, argv, _ in _COMMANDS}
    took: dict[tuple[str, ...], list[float]] = {argv: [] for argv in argvs}
    for _ in range(_TURNS):
        for argv in argvs:
            took[argv].append(processor_seconds(argv, environment))
    for disk in disks:
        disk.unlink()
    medians = {argv: statistics.median(seconds) * 1000 for argv, seconds in took.items()}
    for argv, name in argvs.items():
        say(f"  {name:<44} {medians[argv]:8.1f} ms")
    theirs = medians[_PEER]
    return [
        rows.Row(
            name, argvs[_PEER], medians[argv] / theirs, medians[argv], theirs, "ms of processor",
            "tmpfs", at_most=at_most,
        )
        for name, argv, at_most in _COMMANDS
    ]  # fmt: skip


def _disk(path: Path, label: str) -> Path:
    with path.open("wb") as file:
        file.truncate(_SIZE_MIB * _MIB)
    lines = [f"label: {label}", *(f"size={size}MiB" for size, _ in _PARTITIONS)]
    _run("sfdisk", "--quiet", str(path), stdin="\n".join(lines))
    part, at = path.with_suffix(".part"), _MIB
    for size, make in _PARTITIONS:
        with part.open("wb") as file:
            file.truncate(size * _MIB)
        _run(*make, str(part))
        with path.open("r+b") as file:
            file.seek(at)
            file.write(part.read_bytes())
        at += size * _MIB
    part.unlink()
    return path


def _run(*argv: str, stdin: str = "") -> None:
    done = subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OgError(f"{argv[0]} ended with {done.returncode}.", hint=done.stderr)


def processor_seconds(argv: tuple[str, ...], environment: dict[str, str]) -> float:
    """Of the command and its children; one that fails ends the bench."""
    null = subprocess.DEVNULL
    process = subprocess.Popen(argv, env=environment, stdin=null, stdout=null, stderr=null)
    _pid, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise OgError(f"`{' '.join(argv)}` ended with {process.returncode}.")
    return used.ru_utime + used.ru_stime
