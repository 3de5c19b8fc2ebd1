# SPDX-License-Identifier: GPL-3.0-or-later
"""Times of administrators: local, also on the days when the clocks are changed."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from ognetboot.assigning import times
from ognetboot.errors import NetbootError

MADRID = ZoneInfo("Europe/Madrid")
NOW = datetime(2026, 11, 27, 16, 0, tzinfo=UTC)  # 17:00 in Madrid


@pytest.mark.parametrize(
    ("text", "end", "meant"),
    [
        ("18:00", True, "2026-11-27T17:00:00Z"),
        ("9:05", True, "2026-11-28T08:05:00Z"),
        ("17:00", True, "2026-11-28T16:00:00Z"),
        ("2026-11-28", False, "2026-11-27T23:00:00Z"),
        ("2026-11-28", True, "2026-11-28T23:00:00Z"),
        ("2026-11-28 18:00", True, "2026-11-28T17:00:00Z"),
        ("2026-11-28T18:00:00", True, "2026-11-28T17:00:00Z"),
        ("2026-11-28 18:00Z", True, "2026-11-28T18:00:00Z"),
        ("2026-11-28 18:00+05:00", True, "2026-11-28T13:00:00Z"),
        ("+90m", True, "2026-11-27T17:30:00Z"),
        ("+2h", True, "2026-11-27T18:00:00Z"),
        ("+3d", True, "2026-11-30T16:00:00Z"),
        ("2027-07-01 18:00", True, "2027-07-01T16:00:00Z"),
    ],
)
def test_what_is_meant(text: str, end: bool, meant: str) -> None:
    assert times.to_text(times.parse(text, NOW, end=end, zone=MADRID)) == meant


@pytest.mark.parametrize(
    "text",
    ["", "tomorrow", "25:00", "2026-02-30", "2026-13-01", "18", "+5w", "+99999d", "24:00",
     "2026-11-28 18:00+99:00", "2036-01-01", "\u06609:00", "18:00\n"],
)  # fmt: skip
def test_what_is_no_time_is_refused(text: str) -> None:
    if text == "18:00\n":  # blanks around it are no fault
        assert times.parse(text, NOW, end=True, zone=MADRID)
        return
    with pytest.raises(NetbootError):
        times.parse(text, NOW, end=True, zone=MADRID)


def test_the_hour_that_the_clocks_leave_out_is_refused() -> None:
    with pytest.raises(NetbootError, match="does not exist"):
        times.parse("2027-03-28 02:30", NOW, end=True, zone=MADRID)


def test_the_hour_that_comes_twice_must_say_which() -> None:
    with pytest.raises(NetbootError, match="comes twice") as caught:
        times.parse("2027-10-31 02:30", NOW, end=True, zone=MADRID)
    assert "02:30+0200" in caught.value.hint
    first = times.parse("2027-10-31 02:30+0200", NOW, end=True, zone=MADRID)
    second = times.parse("2027-10-31 02:30+0100", NOW, end=True, zone=MADRID)
    assert (second - first).total_seconds() == 3600


def test_a_window_over_the_change_of_clocks_has_its_real_length() -> None:
    start = times.parse("2027-03-27 22:00", NOW, end=False, zone=MADRID)
    end = times.parse("2027-03-28 06:00", NOW, end=True, zone=MADRID)
    assert (end - start).total_seconds() == 7 * 3600


def test_without_a_zone_it_is_that_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Madrid")
    time.tzset()
    try:
        when = times.parse("2027-07-01 18:00", NOW, end=True)
        assert times.to_text(when) == "2027-07-01T16:00:00Z"
        assert times.told(when) == "Thu 1 Jul 2027 18:00 CEST"
        with pytest.raises(NetbootError, match="does not exist"):
            times.parse("2027-03-28 02:30", NOW, end=True)
        with pytest.raises(NetbootError, match="comes twice"):
            times.parse("2027-10-31 02:30", NOW, end=True)
    finally:
        monkeypatch.undo()
        time.tzset()


def test_an_end_at_midnight_is_that_of_the_day_that_was_written() -> None:
    end = times.parse("2026-12-04", NOW, end=True, zone=MADRID)
    assert times.told_end(end, MADRID) == "the end of Fri 4 Dec 2026 CET"
    later = times.parse("2026-12-04 18:00", NOW, end=True, zone=MADRID)
    assert times.told_end(later, MADRID) == "Fri 4 Dec 2026 18:00 CET"


def test_a_span_within_a_day_names_it_once() -> None:
    first, last, next_day = (
        times.parse(text, NOW, end=True, zone=MADRID)
        for text in ("2026-12-01 08:00", "2026-12-01 11:00", "2026-12-02")
    )
    assert times.told_span(first, last, MADRID) == "Tue 1 Dec 2026 08:00-11:00 CET"
    assert times.told_span(first, next_day, MADRID) == (
        "from Tue 1 Dec 2026 08:00 CET until the end of Wed 2 Dec 2026 CET"
    )
    assert times.told_span(None, next_day, MADRID) == "until the end of Wed 2 Dec 2026 CET"


def test_what_is_stored_is_read_back() -> None:
    assert times.from_text(times.to_text(NOW)) == NOW
    for text in ("2026-11-27 16:00:00Z", "2026-11-27T16:00:00", "2026-11-27T16:00:00+01:00", ""):
        with pytest.raises(ValueError, match=r"^" + (text[:4] or "$")):
            times.from_text(text)
