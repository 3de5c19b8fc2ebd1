# SPDX-License-Identifier: GPL-3.0-or-later
"""Passwords: never kept as they are, never readable by others, judged without telling how."""

from __future__ import annotations

from pathlib import Path

import pytest

from ognetboot.errors import NetbootError
from ognetboot.hearing import passwords


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "rooms.toml"


def test_what_was_set_opens_and_nothing_else(file: Path) -> None:
    passwords.set_password(file, "all", "correct horse")
    passwords.set_password(file, "room:aula1", "battery staple")
    kept = passwords.read(file)
    assert sorted(kept) == ["all", "room:aula1"]
    assert passwords.opens("correct horse", kept.values())
    assert passwords.opens("battery staple", kept.values())
    assert not passwords.opens("battery staple", [kept["all"]])
    assert not passwords.opens("", kept.values())
    assert not passwords.opens("correct horse", [])


def test_the_file_holds_no_password_and_is_its_owners(file: Path) -> None:
    passwords.set_password(file, "all", "correct horse")
    place = passwords.passwords_file(file)
    assert place.stat().st_mode & 0o777 == 0o600
    assert b"horse" not in place.read_bytes()
    place.chmod(0o644)
    with pytest.raises(NetbootError, match="read by other users"):
        passwords.read(file)


def test_two_of_the_same_are_kept_apart() -> None:
    assert passwords.hashed("a word of mine").key != passwords.hashed("a word of mine").key


def test_it_can_be_taken_away(file: Path) -> None:
    with pytest.raises(NetbootError, match="has no password"):
        passwords.set_password(file, "all", None)
    passwords.set_password(file, "all", "correct horse")
    passwords.set_password(file, "all", None)
    assert passwords.read(file) == {}


@pytest.mark.parametrize(
    "bad",
    [
        '{"all": {"salt": "00", "key": "00", "n": 16384, "r": 8, "p": 1}}',
        '{"all": {"salt": "00", "key": "%s", "n": 1073741824, "r": 8, "p": 1}}' % ("00" * 32),
        '{"all": {"salt": "", "key": "%s", "n": 16384, "r": 8, "p": 1}}' % ("00" * 32),
        '{"all": "secret"}',
        "[]",
    ],
)
def test_a_file_that_somebody_else_made_is_refused(file: Path, bad: str) -> None:
    place = passwords.passwords_file(file)
    place.write_text(bad)
    place.chmod(0o600)
    with pytest.raises(NetbootError, match="damaged"):
        passwords.read(file)
