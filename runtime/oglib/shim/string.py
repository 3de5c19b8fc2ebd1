# SPDX-License-Identifier: GPL-3.0-or-later
"""The old commands about text; each answers by its exit code alone."""

from __future__ import annotations

import re
from collections.abc import Sequence

from oglib.errors import UsageError
from oglib.shim.command import Command

# Bash itself matches: scripts write their expressions for it, and no other dialect is the same.
_MATCH = "[[ $1 =~ $2 ]]"
_NO, _BROKEN = 1, 2


def _is_ip_address(words: Sequence[str]) -> bool:
    numbers = words[0].split(".")
    return len(numbers) == 4 and all(
        re.fullmatch(r"[0-9]{1,3}", number) is not None and int(number) <= 255 for number in numbers
    )


def _is_in_group(words: Sequence[str]) -> bool:
    return words[0] in words[1].split()


def _matches(words: Sequence[str]) -> bool:
    from oglib.run import run  # noqa: PLC0415  the others start nothing

    status = run("bash", "-c", _MATCH, "bash", *words, accept=(0, _NO, _BROKEN)).status
    if status == _BROKEN:
        raise UsageError(f"{words[1]!r} is not a regular expression.")
    return status == 0


COMMANDS = {
    command.name: command
    for command in (
        Command(
            "ogCheckIpAddress",
            "ADDRESS",
            "says whether a text is an IPv4 address",
            _is_ip_address,
            1,
            1,
            "ogCheckIpAddress 172.16.3.20",
        ),
        Command(
            "ogCheckStringInGroup",
            'WORD "WORD WORD…"',
            "says whether a word is one of a list",
            _is_in_group,
            2,
            2,
            'ogCheckStringInGroup NTFS "NTFS FAT32"',
        ),
        Command(
            "ogCheckStringInReg",
            "TEXT REGULAR-EXPRESSION",
            "says whether a text matches a regular expression",
            _matches,
            2,
            2,
            'ogCheckStringInReg EXT4 "^EXT[234]$"',
        ),
    )
}
