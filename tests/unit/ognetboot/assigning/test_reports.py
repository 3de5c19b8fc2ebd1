# SPDX-License-Identifier: GPL-3.0-or-later
"""Used up by what a PC tells: once, whoever says it how often, from how many sides at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from ognetboot import keeping
from ognetboot.assigning.model import NO_STAMP, SETTLING, Assigned, Assignment
from ognetboot.assigning.reports import Heard, fetched
from ognetboot.assigning.store import Store
from unit.ognetboot.assigning.rooms import NOW, given, report_reached


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """The store of an inventory in a folder of its own."""
    return Store(tmp_path / "rooms.toml")


def assign(store: Store, *given_: Assignment) -> Assigned:
    with store.changing("ana", NOW) as change:
        change.assigned = Assigned(given_)
    return store.read()


def stamp(store: Store, pc: str = "pc1", now=NOW) -> str:  # type: ignore[no-untyped-def]
    return store.read().all[0].stamp(pc, now)


def left(store: Store, pc: str = "pc1", now=NOW) -> int | None:  # type: ignore[no-untyped-def]
    return store.read().all[0].left(pc, now)


def test_a_report_uses_it_up_and_the_same_again_does_not(store: Store) -> None:
    assign(store, given("room:aula1", "oglive", boots=2))
    first = stamp(store)
    assert report_reached(store, "pc1", "oglive", first, NOW) is Heard.USED
    assert left(store) == 1
    assert report_reached(store, "pc1", "oglive", first, NOW) is Heard.ALREADY
    assert left(store) == 1
    assert report_reached(store, "pc1", "oglive", stamp(store), NOW) is Heard.USED
    assert left(store) == 0
    assert report_reached(store, "pc1", "oglive", stamp(store), NOW) is Heard.ALREADY
    assert left(store, "pc2") == 2


def test_an_old_script_uses_up_nothing_of_a_new_assignment(store: Store) -> None:
    assign(store, given("pc:pc1", "oglive", boots=1))
    old = stamp(store)
    assign(store, given("pc:pc1", "oglive", boots=1))
    assert report_reached(store, "pc1", "oglive", old, NOW) is Heard.NOTHING
    assert left(store) == 1


def test_another_entry_that_was_chosen_in_the_menu_uses_up_nothing(store: Store) -> None:
    assign(store, given("pc:pc1", "oglive", boots=1))
    assert report_reached(store, "pc1", "pxe", stamp(store), NOW) is Heard.NOTHING


@pytest.mark.parametrize(
    "stamp",
    ["", "0", NO_STAMP, "x", "0" * 12, "." * 12, "0" * 12 + "x1", "a" * 4000, "\u0661" * 12 + "x1"],
)
def test_a_strange_stamp_is_nothing_and_writes_nothing(store: Store, stamp: str) -> None:
    assign(store, given("pc:pc1", "oglive", boots=1, number="f" * 12))
    before = store.path.stat().st_mtime_ns
    assert report_reached(store, "pc1", "oglive", stamp, NOW) is Heard.NOTHING
    assert store.path.stat().st_mtime_ns == before


def test_without_assignments_nothing_is_written(store: Store) -> None:
    assert report_reached(store, "pc1", "oglive", f"{'f' * 12}x1", NOW) is Heard.NOTHING
    assert list(store.path.parent.iterdir()) == []


def test_a_fetch_counts_once_and_later(store: Store) -> None:
    assign(store, given("pc:pc1", "oglive", boots=2))
    first = stamp(store)
    assert fetched(store, "pc1", first, NOW) is Heard.USED
    # the loader asks for the size, then for the file: it gets the same one
    assert stamp(store) == first
    assert fetched(store, "pc1", first, NOW + timedelta(seconds=2)) is Heard.ALREADY
    later = NOW + SETTLING
    assert left(store, now=later) == 1
    assert fetched(store, "pc1", stamp(store, now=later), later) is Heard.USED
    assert left(store, now=later + SETTLING) == 0


def test_a_report_makes_a_fetch_sure_at_once(store: Store) -> None:
    assign(store, given("pc:pc1", "oglive", boots=1))
    first = stamp(store)
    fetched(store, "pc1", first, NOW)
    assert report_reached(store, "pc1", "oglive", first, NOW) is Heard.USED
    assert left(store) == 0


def test_the_history_tells_it(store: Store) -> None:
    one = given("pc:pc1", "oglive", boots=1)
    assign(store, one)
    report_reached(store, "pc1", "oglive", stamp(store), NOW)
    assert store.history.read_text().splitlines() == [
        f"2026-11-27T16:00:00Z server reached pc:pc1 {one.number}x1"
    ]


REPORT = """
import sys
from datetime import datetime, UTC
from pathlib import Path
from ognetboot.assigning.reports import Report, report_all
from ognetboot.assigning.store import Store
inventory, pc, stamp = sys.argv[1:]
print("ready", flush=True)
sys.stdin.readline()
now = datetime(2026, 11, 27, tzinfo=UTC)
print(*report_all(Store(Path(inventory)), [Report(pc, "oglive", stamp)], now))
"""


def reporter(store: Store, pc: str) -> subprocess.Popen[str]:
    argv = [sys.executable, "-c", REPORT, str(store.path.with_name("rooms.toml")), pc, stamp(store)]
    return subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_two_processes_at_once_use_it_up_once_each_pc(store: Store) -> None:
    """While somebody holds the lock all of them wait; then each finds what the others left."""
    assign(store, given("room:aula1", "oglive", boots=3))
    programs = [reporter(store, pc) for pc in ("pc1", "pc1", "pc2", "pc1")]
    with store.changing("ana", NOW):
        for program in programs:
            assert program.stdout is not None
            assert program.stdout.readline() == "ready\n"
            assert program.stdin is not None
            program.stdin.write("\n")
            program.stdin.flush()
    said = [program.communicate(timeout=60)[0].strip() for program in programs]
    assert sorted(said) == ["already", "already", "used", "used"]
    assert (left(store), left(store, "pc2")) == (2, 2)


def test_a_crash_while_it_is_written_leaves_the_file_before(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    assign(store, given("pc:pc1", "oglive", boots=1))
    before = store.path.read_bytes()

    def power_cut(*_: object) -> None:
        raise KeyboardInterrupt

    for step in ("fsync", "open"):
        monkeypatch.setattr(os, step, power_cut)
        with pytest.raises(KeyboardInterrupt):
            keeping.write(store.path, b"{}")
        monkeypatch.undo()
        assert store.path.read_bytes() == before
    with store.path.open("rb") as reader:
        keeping.write(store.path, before)
        # who reads meanwhile has the whole file that it was, not this one half written
        assert os.fstat(reader.fileno()).st_ino != store.path.stat().st_ino
    # the half of it that lies there is in nobody's way
    assert report_reached(store, "pc1", "oglive", stamp(store), NOW) is Heard.USED
    assert left(store) == 0


def test_a_crash_before_the_files_are_written_is_healed_by_the_next_report(store: Store) -> None:
    """What was used up stays so; the old script still says it, and its report says: write anew."""
    assign(store, given("pc:pc1", "oglive", boots=1))
    old = stamp(store)
    report_reached(store, "pc1", "oglive", old, NOW)
    assert report_reached(store, "pc1", "oglive", old, NOW) is Heard.ALREADY
    assert json.loads(store.path.read_text())["assigned"][0]["used"]["pc1"]["count"] == 1
