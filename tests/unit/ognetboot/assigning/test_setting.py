# SPDX-License-Identifier: GPL-3.0-or-later
"""What `set` would change: the same again changes nothing, and what cannot be is refused."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ognetboot.assigning.model import Assigned, Use
from ognetboot.assigning.setting import (
    Limits,
    Whom,
    counted,
    limits,
    named,
    offers,
    others,
    refuse_unable,
    whom,
    with_assignment,
    with_entry,
)
from ognetboot.errors import NetbootError
from ognetboot.inventory.scopes import find_scope
from unit.ognetboot.assigning.rooms import NOW, given, inventory

HOUR = timedelta(hours=1)
ROOMS = inventory()


def to(text: str, rooms=ROOMS) -> Whom:  # type: ignore[no-untyped-def]
    return whom(rooms, find_scope(rooms, text))


def test_limits_are_what_was_written() -> None:
    assert limits(NOW, once=False, boots=None, start=None, end=None).none
    assert limits(NOW, once=True, boots=None, start=None, end=None) == Limits(boots=1)
    assert limits(NOW, once=False, boots=3, start=None, end="+2h") == Limits(
        3, None, NOW + 2 * HOUR
    )
    window = limits(NOW, once=False, boots=None, start="+1h", end="+2h")
    assert window == Limits(None, NOW + HOUR, NOW + 2 * HOUR)


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"boots": 0}, "not between"),
        ({"boots": 1001}, "not between"),
        ({"start": "+1h"}, "needs one to end"),
        ({"end": "2026-11-27 15:59Z"}, "is past"),
        ({"start": "+2h", "end": "+1h"}, "is not after"),
        ({"end": "soon"}, "is not a time"),
    ],
)
def test_limits_that_mean_nothing_are_refused(values: dict[str, object], why: str) -> None:
    with pytest.raises(NetbootError, match=why):
        limits(NOW, **({"once": False, "boots": None, "start": None, "end": None} | values))  # type: ignore[arg-type]


def test_the_same_again_changes_nothing() -> None:
    once = Assigned([given("pc:pc1", "oglive", boots=1)])
    assert with_assignment(once, given("pc:pc1", "oglive", boots=1), NOW) is once


def test_the_same_again_after_a_use_is_given_anew() -> None:
    used = Assigned([given("room:aula1", "oglive", boots=1, used={"pc1": Use(1, NOW)})])
    new = given("room:aula1", "oglive", boots=1)
    assert with_assignment(used, new, NOW).all == (new,)


def test_this_once_takes_the_place_of_another_this_once() -> None:
    old = [given("pc:pc1", "pxe", boots=1), given("pc:pc1", "update", end=NOW + HOUR)]
    new = given("pc:pc1", "oglive", boots=1)
    assert with_assignment(Assigned(old), new, NOW).all == (old[1], new)


def test_a_shorter_time_lies_over_a_longer_one() -> None:
    old = given("room:aula1", "pxe", end=NOW + 2 * HOUR)
    new = given("room:aula1", "oglive", end=NOW + HOUR)
    assert with_assignment(Assigned([old]), new, NOW).all == (old, new)


def test_what_is_over_goes() -> None:
    old = given("room:aula1", "pxe", end=NOW)
    new = given("pc:pc1", "oglive", boots=1)
    assert with_assignment(Assigned([old]), new, NOW).all == (new,)


def test_an_exam_takes_the_place_of_one_in_its_time_alone() -> None:
    now, later = (
        given("room:aula1", "windows", start=NOW + n * HOUR, end=NOW + (n + 1) * HOUR, exam=True)
        for n in (0, 5)
    )
    other = given("room:aula1", "1:3", start=NOW, end=NOW + 2 * HOUR, exam=True)
    once = given("room:aula1", "pxe", boots=1)
    found = with_assignment(Assigned([now, later, once]), other, NOW)
    assert found.all == (later, once, other)


def test_for_good_is_the_scope_s_own_word() -> None:
    for text, pcs in (("pc:pc1", ["pc1"]), ("room:aula1", ["pc1", "pc2"]), ("group:exams", ["pc1"]),
                      ("centre:science", ["pc1", "pc2"]), ("all", ["pc1", "pc2"])):  # fmt: skip
        after = with_entry(ROOMS, to(text), "update")
        found = offers(after, Assigned(), after.clients, NOW)
        assert [name for name, offered in found.items() if offered.entry.name == "update"] == pcs


@pytest.mark.parametrize(
    ("text", "entry", "why"),
    [
        ("pc:pc3", "setup", "pc3 has a BIOS"),
        ("all", "setup", "pc3 has a BIOS"),
        ("pc:pc9", "install", "pc9 is protected from jobs that write to its disk until"),
        ("all", "install", r"`install` is not set for all \(4 PCs\): pc9 is protected"),
    ],
)
def test_what_a_pc_cannot_or_must_not_start_is_refused(text: str, entry: str, why: str) -> None:
    more = '[[clients]]\nmac = "52:54:00:00:00:09"\nname = "pc9"\nprotected_until = 2026-12-20\n'
    rooms = inventory(more)
    with pytest.raises(NetbootError, match=why):
        refuse_unable(rooms, to(text, rooms), rooms.entry(entry), NOW)
    refuse_unable(rooms, to("pc:pc1", rooms), rooms.entry(entry), NOW)
    refuse_unable(rooms, to("pc:pc9", rooms), rooms.entry("update"), NOW)


def test_the_memory_test_is_not_for_secure_boot() -> None:
    text = 'dhcp = "off"\nuefi_loader = "shim"\n'
    more = '[[clients]]\nmac = "52:54:00:00:00:09"\nname = "pc9"\nfirmware = "uefi"\n'
    from unit.ognetboot.assigning.rooms import TEXT

    rooms = inventory(more, TEXT.replace("[entries.oglive]", text + "\n[entries.oglive]", 1))
    with pytest.raises(NetbootError, match="pc9 starts with Secure Boot"):
        refuse_unable(rooms, to("pc:pc9", rooms), rooms.entry("memory"), NOW)
    refuse_unable(rooms, to("pc:pc3", rooms), rooms.entry("memory"), NOW)


def test_what_is_told_is_counted_and_bounded() -> None:
    exam = given("pc:pc1", "windows", end=NOW + HOUR, exam=True)
    found = offers(ROOMS, Assigned([exam]), ROOMS.clients, NOW)
    assert counted(found) == "windows on 1, localdisk on 1, oglive on 1"
    said = list(others(found, "localdisk"))
    assert said[0].startswith("pc1 starts windows, exam, until Fri 27 Nov 2026")
    assert said[1] == "pc3 starts oglive, for good"
    assert named(f"pc{n}" for n in range(40)).endswith("pc7 and 32 more")
