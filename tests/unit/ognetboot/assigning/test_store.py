# SPDX-License-Identifier: GPL-3.0-or-later
"""The file of assignments: whole, bounded, and suspicious of what others wrote there."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given as examples
from hypothesis import strategies as st

from ognetboot import keeping
from ognetboot.assigning import history, written
from ognetboot.assigning.model import Assigned, Use
from ognetboot.assigning.store import Store
from ognetboot.errors import NetbootError
from unit.ognetboot.assigning.rooms import NOW, given

PATH = Path("rooms.assigned.json")
FULL = given(
    "room:aula1",
    "install",
    start=NOW,
    end=NOW + timedelta(days=1),
    boots=3,
    used={"pc1": Use(2, NOW, by_fetch=True)},
)
EXAM = given("pc:pc2", "lab/debian@3", end=NOW, exam=True)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    store = Store(tmp_path / "rooms.toml")
    assert store.read() == Assigned()
    with store.changing("ana", NOW) as change:
        change.assigned = Assigned([FULL, EXAM])
    assert store.read() == Assigned([FULL, EXAM])
    assert store.path == tmp_path / "rooms.assigned.json"
    assert store.path.stat().st_mode & 0o777 == 0o644


def test_no_two_inventories_share_what_is_beside_them(tmp_path: Path) -> None:
    for name in ("rooms", "rooms.old"):
        with pytest.raises(NetbootError, match=r"ends in \.toml"):
            Store(tmp_path / name)
    (tmp_path / "now.toml").symlink_to("rooms.toml")
    assert Store(tmp_path / "now.toml").path == tmp_path / "rooms.assigned.json"
    endings = ("assigned.lock", "toml.lock", "report.lock", "fetch.lock")
    stems = ("a", "a.toml", "a.report", "a.assigned")
    places = [
        keeping.beside(tmp_path / f"{stem}.toml", ending, hidden=True)
        for stem in stems
        for ending in endings
    ]
    assert len(set(places)) == len(places)


def test_an_error_writes_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path / "rooms.toml")
    with pytest.raises(RuntimeError), store.changing("ana", NOW) as change:
        change.assigned = Assigned([FULL])
        change.notes.append("set")
        raise RuntimeError
    assert store.read() == Assigned()
    assert not store.history.exists()


def broken(change: Callable[[dict[str, Any]], object]) -> bytes:
    values = json.loads(written.text(Assigned([FULL, EXAM])))
    change(values)
    return json.dumps(values).encode()


def one(**values: object) -> Callable[[dict[str, Any]], object]:
    return lambda top: top["assigned"][0].update(values)


DAMAGED: dict[str, bytes] = {
    "empty": b"",
    "cut": written.text(Assigned([FULL]))[:-20],
    "not UTF-8": b'{"schema": 1, "assigned": []}\xff',
    "a list": b"[]",
    "deep": b"[" * 100_000,
    "a huge number": b'{"schema": 1, "assigned": ' + b"9" * 5000 + b"}",
    "twice the same key": b'{"schema": 1, "assigned": [], "assigned": []}',
    "no schema": b'{"assigned": []}',
    "another schema": b'{"schema": 2, "assigned": []}',
    "schema true": b'{"schema": true, "assigned": [], "more": 1}',
    "more": broken(lambda top: top.update(more=1)),
    "an unknown key": broken(one(more=1)),
    "a missing key": broken(lambda top: top["assigned"][0].pop("by")),
    "no string": broken(one(entry=1)),
    "a shell word": broken(one(entry="x; touch y")),
    "a path": broken(one(entry="../x")),
    "a line": broken(one(by="a\nb")),
    "no scope": broken(one(scope="floor:1")),
    "no number": broken(one(number="12")),
    "twice the same number": broken(one(number=EXAM.number)),
    "a time beyond all zones": broken(one(end="9999-12-31T23:59:59Z")),
    "a time before all zones": broken(one(end="0001-01-01T00:00:00Z")),
    "no time": broken(one(end="soon")),
    "a local time": broken(one(end="2026-11-27T16:00:00")),
    "boots true": broken(one(boots=True)),
    "no boots": broken(one(boots=0)),
    "too many boots": broken(one(boots=1001)),
    "exam 1": broken(one(exam=1)),
    "used list": broken(one(used=[])),
    "a use of nobody": broken(one(used={"": {}})),
    "half a use": broken(one(used={"pc1": {"count": 1}})),
    "too many": json.dumps({"schema": 1, "assigned": [0] * 20_001}).encode(),
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_what_is_not_ours_is_refused_and_kept(content: bytes, tmp_path: Path) -> None:
    store = Store(tmp_path / "rooms.toml")
    store.path.write_bytes(content)
    with pytest.raises(NetbootError, match=r"rooms\.assigned\.json"), store.changing("ana", NOW):
        pass
    assert store.path.read_bytes() == content


@examples(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    try:
        written.parse(content, PATH)
    except NetbootError:
        return
    pytest.fail("these bytes were taken")


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    store = Store(tmp_path / "rooms.toml")
    os.mkfifo(store.path)
    with pytest.raises(NetbootError, match="not a plain file"):
        store.read()


def test_a_file_without_end_is_refused(tmp_path: Path) -> None:
    store = Store(tmp_path / "rooms.toml")
    with store.path.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(NetbootError, match="longer than 16 MiB"):
        store.read()


def test_one_that_is_gone_is_no_empty_one(tmp_path: Path) -> None:
    """An exam may have been in it, and its end is for a person to say."""
    store, was = Store(tmp_path / "rooms.toml"), tmp_path / ".rooms.assigned.was"
    with store.changing("ana", NOW):
        pass
    assert not was.exists()
    with store.changing("ana", NOW) as change:
        change.assigned = Assigned([EXAM])
    for content in (store.path.read_bytes(), written.text(Assigned([FULL]))):
        store.path.unlink()
        for _ in range(2):
            with pytest.raises(NetbootError, match="nobody knows what was assigned") as caught:
                store.read()
            assert str(was) in caught.value.hint
            with pytest.raises(NetbootError, match="is gone"), store.changing("ana", NOW):
                pass
        store.path.write_bytes(content)
        store.read()
    was.unlink()  # written by an ognetboot that left no mark: the next change leaves it
    with store.changing("ana", NOW):
        assert was.exists()
    store.path.unlink()
    was.unlink()
    assert store.read() == Assigned()


def test_who_waits_for_the_lock_does_not_wait_for_ever(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with (
        keeping.locked(lock),
        pytest.raises(NetbootError, match="another program"),
        keeping.locked(lock, wait_s=0),
    ):
        pass
    with keeping.locked(lock, wait_s=0):
        pass


def test_a_part_of_somebody_else_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("mine")
    (tmp_path / f".a.json.{os.getpid()}.part").symlink_to("victim")
    keeping.write(tmp_path / "a.json", b"x")
    assert (tmp_path / "a.json").read_bytes() == b"x"
    assert (tmp_path / "victim").read_text() == "mine"


def test_the_history_is_bounded_and_of_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "rooms.history"
    for _ in range(3):
        history.add(path, ["set x\ny\x1b[2J" + "z" * 1000] * 1500, "ana", NOW)
    kept = path.read_text()
    assert len(kept) < 2 << 20
    assert (tmp_path / "rooms.history.1").exists()
    assert all(
        line.startswith("2026-11-27T16:00:00Z ana set x?y?[2J") for line in kept.splitlines()
    )
    assert {path.name for path in tmp_path.iterdir()} == {"rooms.history", "rooms.history.1"}


def test_who_gave_it_is_the_person_behind_sudo() -> None:
    expected = "ana" if os.geteuid() == 0 else history.who({})
    assert history.who({"SUDO_USER": "ana"}) == expected
    assert "\n" not in history.who({"SUDO_USER": "a\nb c"})
