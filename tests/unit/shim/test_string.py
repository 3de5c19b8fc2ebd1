# SPDX-License-Identifier: GPL-3.0-or-later
"""Old commands about text."""

from __future__ import annotations

import pytest

from oglib.errors import OgErr, UsageError
from oglib.shim.string import COMMANDS
from unit.shim.old import Old, Ran


@pytest.mark.proves("ogCheckIpAddress")
def test_an_address_is_silently_accepted(old: Old) -> None:
    assert old("ogCheckIpAddress", "172.16.3.20") == Ran("", "", 0)


@pytest.mark.refuses("ogCheckIpAddress")
def test_what_is_no_address_is_status_1(old: Old) -> None:
    assert old("ogCheckIpAddress", "172.16.3.256") == Ran("", "", 1)


@pytest.mark.parametrize("text", ["", "1.2.3", "1.2.3.4.5", "1.2.3.x", "1.2.3.٤", "01234.1.1.1"])
def test_texts_that_only_look_like_addresses(text: str) -> None:
    assert COMMANDS["ogCheckIpAddress"].run([text]) is False


@pytest.mark.proves("ogCheckStringInGroup")
def test_a_word_of_the_list(old: Old) -> None:
    assert old("ogCheckStringInGroup", "FAT32", "NTFS FAT32") == Ran("", "", 0)
    assert old("ogCheckStringInGroup", "FAT", "NTFS FAT32") == Ran("", "", 1)


@pytest.mark.refuses("ogCheckStringInGroup", "ogCheckStringInReg", "ogCheckIpAddress")
@pytest.mark.parametrize("name", ["ogCheckStringInGroup", "ogCheckStringInReg", "ogCheckIpAddress"])
def test_a_wrong_count_of_arguments_is_refused(old: Old, name: str) -> None:
    ran = old(name)
    assert (ran.stdout, ran.status) == ("", OgErr.FORMAT)
    assert ran.stderr.startswith(f"{name}: ")


@pytest.mark.proves("ogCheckStringInReg")
def test_a_text_that_matches(old: Old) -> None:
    assert old("ogCheckStringInReg", "EXT4", "^EXT[234]$") == Ran("", "", 0)
    assert old("ogCheckStringInReg", "NEXT4", "^EXT[234]$") == Ran("", "", 1)


@pytest.mark.refuses("ogCheckStringInReg")
def test_a_broken_expression_is_not_a_no() -> None:
    with pytest.raises(UsageError):
        COMMANDS["ogCheckStringInReg"].run(["EXT4", "EXT["])


@pytest.mark.parametrize(
    ("text", "matches"), [("ab 12", True), ("ab12", False), ("[]", False), ("1 2", False)]
)
def test_classes_of_bash_are_understood(text: str, matches: bool) -> None:
    expression = "^[[:alpha:]]+[[:space:]_][^[:punct:]]*$"
    assert COMMANDS["ogCheckStringInReg"].run([text, expression]) is matches
