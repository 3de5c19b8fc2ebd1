# SPDX-License-Identifier: GPL-3.0-or-later
"""Times as an administrator writes them, in the local time of the server, and as they are told.

`18:00`, `2026-11-28`, `2026-11-28 18:00`, one with its offset (`2026-11-28 18:00+01:00`, `...Z`),
or `+90m`, `+2h`, `+3d` from now. Inside everything is UTC. `zone` None is the zone of this machine.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from ognetboot.errors import NetbootError

_FROM_NOW = re.compile(r"\+([0-9]{1,4})([mhd])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
_CLOCK = re.compile(r"[0-9]{1,2}:[0-9]{2}")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_BOTH = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]([0-9]{1,2}:[0-9]{2})(:00)?(Z|[+-][0-9:]+)?")
_HINT = "write it as 18:00, 2026-11-28, '2026-11-28 18:00' or +90m, +2h, +3d"
# What lies further off is a slip of the pen.
_FURTHEST = timedelta(days=5 * 366)


def parse(text: str, now: datetime, *, end: bool, zone: tzinfo | None = None) -> datetime:
    """The moment that is meant, in UTC; a bare clock is the next one, a bare date a whole day.

    So a date as an `end` is the midnight after it. A time that the clocks leave out or show twice
    when they are changed is refused.
    """
    try:
        found = _parse(text.strip(), now, end, zone)
    except (ValueError, OverflowError):
        raise NetbootError(f"{text!r} is not a time", hint=_HINT) from None
    if abs(found - now) > _FURTHEST:
        raise NetbootError(f"{text!r} is years away", hint="check the year")
    return found


def _parse(text: str, now: datetime, end: bool, zone: tzinfo | None) -> datetime:
    if further := _FROM_NOW.fullmatch(text):
        count, unit = further.groups()
        return (now + timedelta(**{_UNITS[unit]: int(count)})).replace(microsecond=0)
    if _CLOCK.fullmatch(text):
        today = now.astimezone(zone).date()
        clock = _clock(text)
        found = _utc(datetime.combine(today, clock), zone, text)
        return found if found > now else _utc(datetime.combine(_after(today), clock), zone, text)
    if _DATE.fullmatch(text):
        day = date.fromisoformat(text)
        return _utc(datetime.combine(_after(day) if end else day, time()), zone, text)
    if both := _BOTH.fullmatch(text):
        day_text, clock_text, _, offset = both.groups()
        naive = datetime.combine(date.fromisoformat(day_text), _clock(clock_text))
        if offset is None:
            return _utc(naive, zone, text)
        return datetime.fromisoformat(f"{naive.isoformat()}{offset}").astimezone(UTC)
    raise ValueError(text)


def _after(day: date) -> date:
    return day + timedelta(days=1)


def _clock(text: str) -> time:
    hour, minute = text.split(":")
    if (int(hour), int(minute)) == (24, 0):
        raise NetbootError(f"{text} is the 0:00 of the next day", hint="write it as that")
    return time(int(hour), int(minute))


def _utc(naive: datetime, zone: tzinfo | None, text: str) -> datetime:
    """UTC of a local time; there may be none or two on the day when the clocks are changed."""
    first, second = (_as_utc(naive.replace(fold=fold), zone) for fold in (0, 1))
    if first == second:
        return first
    if first.astimezone(zone).replace(tzinfo=None) != naive:
        raise NetbootError(
            f"{text!r} does not exist: the clocks are put forward then",
            hint="choose a time before or after it",
        )
    raise NetbootError(
        f"{text!r} comes twice: the clocks are put back then",
        hint=f"write it with its offset, {naive:%Y-%m-%d %H:%M}{first.astimezone(zone):%z} or "
        f"{naive:%Y-%m-%d %H:%M}{second.astimezone(zone):%z}",
    )


def _as_utc(naive: datetime, zone: tzinfo | None) -> datetime:
    return (naive if zone is None else naive.replace(tzinfo=zone)).astimezone(UTC)


def told(when: datetime, zone: tzinfo | None = None) -> str:
    """`Sat 28 Nov 2026 18:00 CET`, in local time."""
    local = when.astimezone(zone)
    return f"{local:%a} {local.day} {local:%b %Y %H:%M %Z}"


def told_end(when: datetime, zone: tzinfo | None = None) -> str:
    """The same of a moment that ends something: a midnight is the end of the day before it, for
    whoever wrote that date would take the next one for a fault."""
    local = when.astimezone(zone)
    if (day := day_that_ends(local)) is None:
        return told(when, zone)
    return f"the end of {day:%a} {day.day} {day:%b %Y} {local:%Z}"


def day_that_ends(local: datetime) -> date | None:
    """The day that is over at that local time; None: it is no midnight."""
    return local.date() - timedelta(days=1) if local.time() == time() else None


def told_span(start: datetime | None, end: datetime | None, zone: tzinfo | None = None) -> str:
    """`Tue 1 Dec 2026 08:00-11:00 CET` within a day, else `from ... until ...`."""
    if start is None or end is None:
        words = [] if start is None else [f"from {told(start, zone)}"]
        words += [] if end is None else [f"until {told_end(end, zone)}"]
        return " ".join(words)
    first, last = start.astimezone(zone), end.astimezone(zone)
    if (first.date(), first.tzname()) != (last.date(), last.tzname()):
        return f"from {told(start, zone)} until {told_end(end, zone)}"
    return f"{first:%a} {first.day} {first:%b %Y %H:%M}-{last:%H:%M %Z}"


def to_text(when: datetime) -> str:
    """As it is stored: `2026-11-28T17:00:00Z`."""
    return when.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def from_text(text: str) -> datetime:
    """The same back; ValueError for anything else."""
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z", text):
        raise ValueError(text)
    return datetime.fromisoformat(text)
