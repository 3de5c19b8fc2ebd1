# SPDX-License-Identifier: GPL-3.0-or-later
"""Who waits to be taken in: numbers, limits, and that nobody is put out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ognetboot.hearing import documents, waiting
from ognetboot.hearing.identity import Claim
from ognetboot.hearing.waiting import Registration, asking, deciding, register, told_of, waiting_of

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
NONE = frozenset[str]()


def mac(number: int) -> str:
    return f"52:54:00:00:{number >> 8:02x}:{number & 255:02x}"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "rooms.toml"


def ask(
    file: Path, number: int, *, name: str = "", address: str = "10.0.0.5", now: datetime = NOW
) -> Registration | None:
    claim = Claim(mac(number), "", "")
    return register(file, [asking(claim, {"name": name}, address, now)], NONE)[0]


def test_one_pc_has_one_number_and_says_it_again(file: Path) -> None:
    first = ask(file, 1, name="pc1")
    assert first is not None
    second = ask(file, 2)
    assert second is not None
    assert (first.number, second.number) == (1, 2)
    later = ask(file, 1, name="pc-one", now=NOW + timedelta(minutes=1))
    assert later is not None
    assert (later.number, later.since, later.word("name")) == (1, NOW, "pc-one")
    assert [one.number for one in waiting_of(file).registrations] == [1, 2]
    assert waiting_of(file).registrations[0] == later


def test_who_only_asks_again_costs_no_write(file: Path) -> None:
    ask(file, 1)
    before = documents.beside(file, "waiting").stat()
    ask(file, 1, now=NOW + timedelta(minutes=5))
    assert documents.beside(file, "waiting").stat().st_mtime_ns == before.st_mtime_ns
    ask(file, 1, now=NOW + timedelta(minutes=15))
    assert waiting_of(file).registrations[0].last == NOW + timedelta(minutes=15)


def test_an_address_has_so_many_places(file: Path) -> None:
    for number in range(waiting.MOST_OF_ADDRESS):
        assert ask(file, number) is not None
    assert ask(file, 900) is None
    assert ask(file, 0) is not None
    assert ask(file, 900, address="10.0.0.6") is not None


def test_a_full_list_refuses_the_new_and_keeps_the_old(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "MOST", 5)
    for number in range(5):
        assert ask(file, number, address=f"10.0.1.{number}") is not None
    assert ask(file, 5, address="10.0.2.1") is None
    assert len(waiting_of(file).registrations) == 5
    assert ask(file, 5, address="10.0.2.1", now=NOW + timedelta(days=31)) is not None
    assert len(waiting_of(file).registrations) == 1


def test_numbers_are_not_given_twice(file: Path) -> None:
    ask(file, 1)
    ask(file, 2)
    with deciding(file) as strike:
        strike(frozenset({2}))
    third = ask(file, 3)
    assert third is not None
    assert third.number == 3
    documents.write(
        documents.beside(file, "waiting"),
        {**_stored(file), "last_number": 9999},
    )
    fourth = ask(file, 4)
    assert fourth is not None
    assert fourth.number == 2


def _stored(file: Path) -> dict[str, object]:
    return documents.read(documents.beside(file, "waiting"), dict, dict)  # type: ignore[arg-type]


def test_a_shared_adapter_takes_no_place_of_another(file: Path) -> None:
    adapter = "00:e0:4c:68:00:01"
    shared = frozenset({adapter})
    for number in (1, 2):
        uuid = f"{number}1111111-2222-3333-4444-555555555555"
        mine = register(file, [asking(Claim(adapter, uuid, ""), {}, "10.0.0.5", NOW)], shared)[0]
        assert mine is not None
        assert mine.number == number
    assert register(file, [asking(Claim(adapter, "", ""), {}, "10.0.0.5", NOW)], shared) == [None]


def test_what_is_kept_has_limits() -> None:
    told = dict(told_of({"name": "n" * 500, "room": "r" * 500, "evil": "x", "product": "p" * 500}))
    assert {name: len(text) for name, text in told.items()} == {
        "name": 63,
        "room": 60,
        "product": 64,
    }
