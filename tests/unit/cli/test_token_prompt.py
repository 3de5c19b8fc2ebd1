# SPDX-License-Identifier: GPL-3.0-or-later
"""The upload token that a capture from a boot entry asks for at the PC."""

from __future__ import annotations

import os
import select
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from oglib.cli.token_prompt import ask_for_token
from oglib.errors import OgErr, TransferError
from oglib.transfer.upload import keep_token, read_token

TOKEN = f"og1~lab1/debian~1764215000~{'0' * 32}~{'a' * 64}"


class Person:
    """Somebody at the keyboard: reads what is said, then does the next thing of a list."""

    def __init__(self, *does: bytes | Path) -> None:
        self.master, slave = os.openpty()
        self.terminal = Path(os.ttyname(slave))
        self._slave = slave
        self._does = list(does)
        self.read: list[str] = []

    def told(self, facts: Sequence[str]) -> None:
        self.read += facts
        if self._does:
            thing = self._does.pop(0)
            if isinstance(thing, Path):
                keep_token(TOKEN, thing)
            else:
                os.write(self.master, thing)

    def wait_until_typed(self) -> None:
        """Until a whole line has come to the terminal's other end."""
        assert select.select([self._slave], [], [], 60)[0]

    def close(self) -> None:
        os.close(self.master)
        os.close(self._slave)


@pytest.fixture
def keep(tmp_path: Path) -> Path:
    return tmp_path / "oglive" / "upload.token"


@pytest.fixture
def people() -> Iterator[list[Person]]:
    made: list[Person] = []
    yield made
    for person in made:
        person.close()


def asked(person: Person, keep: Path) -> None:
    ask_for_token("lab1/debian", keep, person.terminal, tell=person.told)


def test_a_typed_token_is_kept_for_root_alone_and_never_shown(
    keep: Path, people: list[Person]
) -> None:
    person = Person(b"og1~mistyped\n", f" {TOKEN}\n".encode())
    people.append(person)
    asked(person, keep)
    assert read_token(keep) == TOKEN
    assert stat.S_IMODE(keep.stat().st_mode) == 0o600
    assert "This PC has no upload token for lab1/debian" in person.read[0]
    assert "ogrepo token lab1/debian" in person.read[1]
    assert person.read[-1] == "That is no upload token (12 characters). Type it once more."
    os.set_blocking(person.master, False)
    with pytest.raises(BlockingIOError):
        os.read(person.master, 1)


def test_what_was_typed_before_the_question_is_no_answer(keep: Path, people: list[Person]) -> None:
    person = Person(f"{TOKEN}\n".encode())
    people.append(person)
    os.write(person.master, b"a student was here\n")
    person.wait_until_typed()
    asked(person, keep)
    assert not any("no upload token (" in said for said in person.read)


def test_a_token_that_an_administrator_puts_there_meanwhile_counts(
    keep: Path, people: list[Person]
) -> None:
    person = Person(keep)
    people.append(person)
    asked(person, keep)
    assert read_token(keep) == TOKEN


def test_nobody_is_asked_where_the_token_is_there(keep: Path, people: list[Person]) -> None:
    person = Person()
    people.append(person)
    keep_token(TOKEN, keep)
    asked(person, keep)
    assert person.read == []


def test_the_wait_ends_with_the_sentence(keep: Path, people: list[Person]) -> None:
    person = Person()
    people.append(person)
    with pytest.raises(TransferError, match=r"The upload token .* cannot be read") as caught:
        ask_for_token("lab1/debian", keep, person.terminal, tell=person.told, patience_s=0.01)
    assert caught.value.code is OgErr.REPO
    assert "ogrepo token" in caught.value.hint


def test_keys_are_no_signals(keep: Path, people: list[Person]) -> None:
    """Ctrl-C, Ctrl-Z and Ctrl-\\ at the PC end neither the question nor the job."""
    person = Person(b"\x03\x1a\x1c\n" + f"{TOKEN}\n".encode())
    people.append(person)
    asked(person, keep)
    assert read_token(keep) == TOKEN
