# SPDX-License-Identifier: GPL-3.0-or-later
"""What a PC is offered: the order of all that may be said, and when it changes by itself."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given as examples
from hypothesis import strategies as st

from ognetboot.assigning.model import NO_STAMP, SETTLING, Assigned, Use
from ognetboot.assigning.offers import effective, next_change
from unit.ognetboot.assigning.rooms import NOW, given, inventory, pc

HOUR = timedelta(hours=1)
ROOMS = inventory()


def offered(*given_: object, name: str = "pc1", now=NOW, rooms=ROOMS):  # type: ignore[no-untyped-def]
    return effective(rooms, Assigned(given_), pc(rooms, name), now)  # type: ignore[arg-type]


def test_nothing_is_given() -> None:
    assert offered().entry.name == "localdisk"
    assert offered(name="pc3").entry.name == "oglive"
    assert offered().stamp == NO_STAMP
    assert not offered().locked


def test_the_narrower_scope_comes_first_whenever_it_was_made() -> None:
    narrow_to_wide = ["pc:pc1", "group:exams", "room:aula1", "centre:science", "all"]
    entries = ["oglive", "update", "windows", "install", "pxe"]
    given_ = [
        given(scope, entry, end=NOW + HOUR)
        for scope, entry in zip(narrow_to_wide, entries, strict=True)
    ]
    for number, entry in enumerate(entries):
        assert offered(*given_[number:]).entry.name == entry


def test_the_later_one_of_a_scope_comes_first() -> None:
    both = [given("room:aula1", "oglive", end=NOW + HOUR), given("room:aula1", "pxe", boots=1)]
    assert offered(*both).entry.name == "pxe"


def test_an_exam_comes_before_everything_and_locks() -> None:
    exam = given("all", "windows", end=NOW + HOUR, exam=True)
    found = offered(exam, given("pc:pc1", "oglive", boots=1))
    assert (found.entry.name, found.locked, found.until) == ("windows", True, NOW + HOUR)


def test_the_window_begins_and_ends_by_itself() -> None:
    one = given("room:aula1", "oglive", start=NOW + HOUR, end=NOW + 2 * HOUR)
    at = [offered(one, now=NOW + minutes * HOUR / 60).entry.name for minutes in (59, 60, 119, 120)]
    assert at == ["localdisk", "oglive", "oglive", "localdisk"]


def test_what_a_pc_has_used_up_is_over_for_it_alone() -> None:
    one = given("room:aula1", "oglive", boots=2, used={"pc1": Use(1, NOW), "pc2": Use(2, NOW)})
    assert offered(one).entry.name == "oglive"
    assert offered(one).stamp == f"{one.number}x1"
    assert offered(one, name="pc2").entry.name == "localdisk"


def test_a_fetch_counts_when_the_loader_is_done_with_the_file() -> None:
    one = given("pc:pc1", "oglive", boots=1, used={"pc1": Use(1, NOW, by_fetch=True)})
    assert offered(one, now=NOW + SETTLING / 2).entry.name == "oglive"
    assert offered(one, now=NOW + SETTLING).entry.name == "localdisk"
    assert next_change(Assigned([one]), NOW) == NOW + SETTLING


def test_what_left_the_inventory_is_passed_over() -> None:
    assert offered(given("pc:pc1", "gone", boots=1)).entry.name == "localdisk"
    assert offered(given("room:gone", "oglive", boots=1)).entry.name == "localdisk"


def test_an_exam_whose_system_is_nowhere_locks_all_the_same() -> None:
    found = offered(given("pc:pc1", "gone", end=NOW + HOUR, exam=True))
    assert (found.entry.name, found.locked) == ("localdisk", True)


def test_a_protected_disk_is_not_written_whoever_says_so() -> None:
    text = """
[[clients]]
mac = "52:54:00:00:00:09"
name = "pc9"
room = "aula1"
entry = "install"
protected_until = 2026-12-20T08:00:00Z
"""
    rooms = inventory(text)
    found = offered(name="pc9", rooms=rooms)
    assert (found.entry.name, "protected" in found.why) == ("localdisk", True)
    once = given("room:aula1", "install", boots=1)
    assert offered(once, name="pc9", rooms=rooms).entry.name == "localdisk"
    end = pc(rooms, "pc9").choices.protected_until
    assert end is not None
    assert next_change(Assigned(), NOW, rooms) == end
    assert offered(name="pc9", rooms=rooms, now=end).entry.name == "install"


def test_a_pc_that_nobody_knows_is_given_nothing() -> None:
    assert effective(ROOMS, Assigned([given("all", "pxe", boots=1)]), None, NOW).entry.name == (
        "localdisk"
    )


def test_an_exam_names_a_system_in_three_ways() -> None:
    for words, place in (("windows", (1, 2)), ("1:3", (1, 3)), ("debian", (1, 3)),
                         ("windows@7", (1, 2))):  # fmt: skip
        entry = offered(given("pc:pc1", words, end=NOW + HOUR, exam=True)).entry
        assert (entry.disk, entry.partition) == place, words


@examples(
    st.lists(
        st.tuples(
            st.sampled_from(["all", "room:aula1", "group:exams", "pc:pc1"]),
            st.sampled_from(["oglive", "windows", "pxe"]),
            st.one_of(st.none(), st.integers(-5, 5)),
            st.one_of(st.none(), st.integers(-5, 5)),
            st.one_of(st.none(), st.integers(1, 3)),
            st.integers(0, 3),
        ),
        max_size=6,
    )
)
def test_nothing_changes_between_now_and_the_next_change(made: list[tuple]) -> None:  # type: ignore[type-arg]
    given_ = []
    for scope, entry, start, end, boots, uses in made:
        given_.append(
            given(
                scope,
                entry,
                start=None if start is None else NOW + start * HOUR,
                end=None if end is None else NOW + end * HOUR,
                boots=boots,
                used={"pc1": Use(uses, NOW - SETTLING / 3, by_fetch=True)} if uses else {},
            )
        )
    assigned = Assigned(given_)
    last = next_change(assigned, NOW) or NOW + 100 * HOUR
    before = effective(ROOMS, assigned, pc(ROOMS), NOW)
    assert effective(ROOMS, assigned, pc(ROOMS), last - timedelta(seconds=1)) == before
