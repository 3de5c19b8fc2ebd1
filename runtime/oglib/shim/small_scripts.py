# SPDX-License-Identifier: GPL-3.0-or-later
"""Scripts that put one or two functions of the engine together: the cache, partitions, formats."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from oglib.disk.tables.gpt import SLOTS
from oglib.errors import OgError, UsageError
from oglib.shim.command import FREE, Answer, Command, command_of, positive
from oglib.shim.steps import say, say_time

_USUAL = ("1", "4")
_NO_MOUNT = "NOMOUNT"
_NOTHING, _DELETE = "0", "-1"
_MOST_WORDS = 1 + SLOTS  # a disk and its partitions


def _init_cache(words: Sequence[str]) -> None:
    since = time.monotonic()
    mount = words[-1].upper() != _NO_MOUNT
    rest = list(words if mount else words[:-1])
    if not 1 <= len(rest) <= len(_USUAL) + 1:
        raise UsageError("A size is missing.", hint="initCache [DISK [PARTITION]] -1|0|KB.")
    size = rest.pop()
    place = tuple([*rest, *_USUAL[len(rest):]])  # fmt: skip
    for word in place:
        positive(word, "Disk and partition")
    if size == _NOTHING:
        say(100, "The cache stays as it is.")
        return
    if size == _DELETE:
        say(10, "This PC works without a cache.")
        _without_cache()
    else:
        _with_cache(place, str(positive(size, "The size in KB")), mount=mount)
    say_time(100, since)


def _without_cache() -> None:
    command_of("ogUnmountCache").run(())
    if _found():
        command_of("ogDeleteCache").run(())


def _found() -> tuple[str, ...]:
    """Disk and partition of the cache."""
    answer = command_of("ogFindCache").run(())
    return tuple(answer.split()) if isinstance(answer, str) else ()


def _with_cache(place: tuple[str, ...], size: str, *, mount: bool) -> None:
    there = _found()
    if there and there != place:
        say(10, f"The cache on disk {there[0]}, partition {there[1]}, is removed.")
        _without_cache()
        there = ()
    fresh = not there or command_of("ogGetCacheSize").run(()) != size
    if fresh:
        say(10, "The cache's partition is made.")
        command_of("ogUnmountCache").run(())
        command_of("ogCreateCache").run((*place, size))
    if fresh or not command_of("ogIsFormated").run(place):
        say(50, "The cache is formatted.")
        command_of("ogFormatCache").run(())
    say(70, "The cache is mounted.")
    try:
        command_of("ogMountCache").run(())
    except OgError:
        say(80, "The cache is checked, and mounted then.")
        command_of("ogCheckFs").run(place)
        command_of("ogMountCache").run(())
    if not mount:
        say(90, "The cache is unmounted again.")
        command_of("ogUnmountCache").run(())


def _format(words: Sequence[str]) -> None:
    since = time.monotonic()
    say(5, "Unmounting the filesystem")
    command_of("ogUnmountFs").run(words)
    say(20, "Formatting the filesystem")
    command_of("ogFormatFs").run(words)
    say_time(100, since)


def _list(words: Sequence[str]) -> str:
    rows = str(command_of("ogListPartitions").run(words) or "").split()
    while rows and rows[-1] == "EMPTY:0":
        rows.pop()
    return " ".join(rows)


def _nothing(_words: Sequence[str]) -> None:
    """The logical partitions were made with the others."""


def _as(name: str) -> Callable[[Sequence[str]], Answer]:
    def call(words: Sequence[str]) -> Answer:
        return command_of(name).run(words)

    return call


_PLACE = "DISK PARTITION"
COMMANDS = {
    command.name: command
    for command in (
        Command(
            "initCache",
            "[DISK [PARTITION]] -1|0|KB [NOMOUNT]",
            "makes the cache of a PC as large as that; -1: removes it, 0: leaves it",
            _init_cache,
            1,
            4,
            "initCache 10000000",
            "A cache of that size and place stays as it is, with its images. Each error is the "
            "exit code.",
        ),
        Command(
            "createPrimaryPartitions",
            "DISK TYPE:KB [TYPE:KB …]",
            "the same as ogCreatePartitions",
            _as("ogCreatePartitions"),
            2,
            _MOST_WORDS,
            "createPrimaryPartitions 1 LINUX:20000000",
            "An error is the exit code, which was always 0.",
        ),
        Command(
            "createLogicalPartitions",
            "[DISK TYPE:KB …]",
            "does nothing: createPrimaryPartitions makes the logical ones too",
            _nothing,
            0,
            FREE,
            "createLogicalPartitions 1 LINUX:20000000",
        ),
        Command(
            "formatFs",
            _PLACE,
            "unmounts and formats a partition as its present filesystem",
            _format,
            2,
            2,
            "formatFs 1 2",
        ),
        Command("getFsType", _PLACE, "the same as ogGetFsType", _as("ogGetFsType"), 2, 2,
                "getFsType 1 2"),
        Command("getOsVersion", _PLACE, "the same as ogGetOsVersion", _as("ogGetOsVersion"), 2, 2,
                "getOsVersion 1 2"),
        Command("getIpAddress", "", "the same as ogGetIpAddress", _as("ogGetIpAddress"),
                example="getIpAddress"),
        Command("listPartitions", "DISK", "the same as ogListPartitions without empty ones at the "
                "end", _list, 1, 1, "listPartitions 1"),
        Command("listPrimaryPartitions", "DISK", "the same as ogListPrimaryPartitions",
                _as("ogListPrimaryPartitions"), 1, 1, "listPrimaryPartitions 1"),
    )
}  # fmt: skip
