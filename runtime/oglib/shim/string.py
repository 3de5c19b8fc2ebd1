# SPDX-License-Identifier: GPL-3.0-or-later
"""The old commands about text; each answers by its exit code alone."""

from __future__ import annotations

import re
from collections.abc import Sequence

from oglib.errors import UsageError
from oglib.shim.command import Command

# Scripts write expressions for bash, whose named classes Python has not.
_POSIX_CLASSES = {
    "alnum": "a-zA-Z0-9",
    "alpha": "a-zA-Z",
    "blank": r" \t",
    "digit": "0-9",
    "lower": "a-z",
    "punct": r"!-/:-@\[-`{-~",
    "space": r"\s",
    "upper": "A-Z",
    "xdigit": "0-9A-Fa-f",
}


def _is_ip_address(words: Sequence[str]) -> bool:
    numbers = words[0].split(".")
    return len(numbers) == 4 and all(
        re.fullmatch(r"[0-9]{1,3}", number) is not None and int(number) <= 255 for number in numbers
    )


def _is_in_group(words: Sequence[str]) -> bool:
    return words[0] in words[1].split()


def _posix_class(match: re.Match[str]) -> str:
    try:
        return _POSIX_CLASSES[match[1]]
    except KeyError:
        raise UsageError(f"{match[0]} is not a class of characters.") from None


def _matches(words: Sequence[str]) -> bool:
    pattern = re.sub(r"\[:([a-z]+):\]", _posix_class, words[1])
    try:
        return re.search(pattern, words[0]) is not None
    except re.error as error:
        raise UsageError(f"{words[1]!r} is not a regular expression: {error}.") from error


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
