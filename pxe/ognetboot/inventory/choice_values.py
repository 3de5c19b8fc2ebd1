# SPDX-License-Identifier: GPL-3.0-or-later
"""What the values of a scope's choices may be, and how a table says them.

As in `checks.py`, a check returns the value or raises `ValueError` with the rest of a sentence.
"""

from __future__ import annotations

import re
from dataclasses import fields, replace
from datetime import date, datetime, time, timedelta
from functools import cache
from ipaddress import AddressValueError, IPv4Address

from ognetboot.inventory import checks
from ognetboot.inventory.choices import (
    NOTHING_SAID,
    Choices,
    Duplex,
    Method,
    Multicast,
    P2p,
    Sharing,
    Tongue,
)
from ognetboot.inventory.fields import Table

LONGEST_WAIT_S = 3600
# Whatever the zone, a day before and after such a date is one, too.
_FIRST_YEAR, _LAST_YEAR = 1970, 2999
_MOST_SERVERS = 4
MOST_MIRRORS = 16
# As oglib's settings take it.
_MIRROR = re.compile(
    r"(https?://[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?)?(/[A-Za-z0-9._~-]+)*/?"
)
_KEYBOARD = re.compile(r"[a-z0-9_-]{1,32}")
_PICTURE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}\.png")
_NUMBER = re.compile(r"[0-9]{1,5}")
_SPEED = re.compile(r"([0-9]{1,3})M")
_FIRST_PORT, _LAST_PORT = 9000, 9098


def method(text: str) -> Method:
    """A way to get an image, small letters allowed."""
    try:
        return Method(text.upper())
    except ValueError:
        raise ValueError(f"{text!r} is none of {', '.join(Method)}") from None


def multicast(text: str) -> Multicast:
    """`9000:full-duplex:239.194.2.11:70M:50:60`, as OpenGnsys writes it."""
    words = text.split(":")
    if len(words) != 6:
        raise ValueError(f"{text!r} is not PORT:MODE:ADDRESS:SPEED:CLIENTS:TIMEOUT")
    port, duplex, address, speed, clients, timeout = words
    if not _NUMBER.fullmatch(port) or int(port) % 2 or not _FIRST_PORT <= int(port) <= _LAST_PORT:
        raise ValueError(f"port {port!r} is not an even number from {_FIRST_PORT} to {_LAST_PORT}")
    if duplex not in list(Duplex):
        raise ValueError(f"mode {duplex!r} is none of {', '.join(Duplex)}")
    try:
        group = IPv4Address(address)
    except AddressValueError:
        raise ValueError(f"{address!r} is not an IPv4 address") from None
    if not group.is_multicast:
        raise ValueError(f"{address} is no multicast address such as 239.194.2.11")
    megabits = _SPEED.fullmatch(speed)
    if megabits is None or int(megabits[1]) == 0:
        raise ValueError(f"speed {speed!r} is not one to three digits and M, such as 70M")
    for name, number in (("clients", clients), ("timeout", timeout)):
        if not _NUMBER.fullmatch(number) or int(number) == 0:
            raise ValueError(f"{name} {number!r} is not a whole number above 0")
    return Multicast(int(port), Duplex(duplex), group, int(megabits[1]), int(clients), int(timeout))


def p2p(text: str) -> P2p:
    """`peer:60`, as OpenGnsys writes it."""
    sharing, colon, seconds = text.partition(":")
    if not colon or sharing not in list(Sharing) or not _NUMBER.fullmatch(seconds):
        raise ValueError(f"{text!r} is not MODE:SECONDS with a mode of {', '.join(Sharing)}")
    return P2p(Sharing(sharing), int(seconds))


def addresses(text: str) -> str:
    """IPv4 addresses with commas between them, at most as many as a PC asks."""
    words = text.split(",")
    if len(words) > _MOST_SERVERS:
        raise ValueError(f"{text!r} are more than {_MOST_SERVERS} addresses")
    return ",".join(str(checks.ipv4(word.strip())) for word in words)


def is_mirror(text: str) -> bool:
    """Whether it is the base address of a web server, or the whole path of a folder on a PC."""
    plain = _MIRROR.fullmatch(text) is not None and not {".", ".."} & set(text.split("/"))
    return plain and text not in ("", "/")


def mirrors(text: str) -> str:
    """Mirrors with commas between them, in the order in which PCs ask them."""
    words = [word.strip() for word in text.split(",")]
    if len(words) > MOST_MIRRORS:
        raise ValueError(f"{text!r} are more than {MOST_MIRRORS} mirrors")
    for word in words:
        if not is_mirror(word):
            raise ValueError(f"{word!r} is neither http://HOST[:PORT] nor the path of a folder")
    return ",".join(words)


def keyboard(text: str) -> str:
    """The name of a keyboard layout as XKB has it: `es`, `us`."""
    if not _KEYBOARD.fullmatch(text):
        raise ValueError(f"{text!r} is not the name of a keyboard layout such as es")
    return text


def picture(text: str) -> str:
    """A PNG file of the site's."""
    if not _PICTURE.fullmatch(text):
        raise ValueError(f"{text!r} is not the name of a picture such as campus.png")
    return text


def read_choices(table: Table, entry_key: str = "default_entry") -> Choices:
    """Every choice that the table says; a PC calls its entry `entry`."""
    if not table.says_any(_keys(entry_key)):
        # Most PCs of thousands say nothing of their own.
        return NOTHING_SAID
    choices = Choices(
        entry=table.text(entry_key, checks.name),
        timeout_s=table.integer("timeout_s", low=0, high=LONGEST_WAIT_S),
        language=table.choice("language", Tongue),
        keyboard=table.text("keyboard", keyboard),
        method=table.text("method", method),
        multicast=table.text("multicast", multicast),
        p2p=table.text("p2p", p2p),
        disks=table.pairs("disks", checks.disk_rule, checks.disk),
        oglive=table.text("oglive", checks.name),
        oglive_before=table.text("oglive_before", checks.name),
        state=table.text("state", checks.name),
        picture=table.text("picture", picture),
        repository=table.text("repository", checks.host_port),
        mirrors=table.text("mirrors", mirrors),
        proxy=table.text("proxy", checks.host_port),
        ntp=table.text("ntp", addresses),
    )
    return replace(choices, protected_until=_moment(table, "protected_until"))


@cache
def _keys(entry_key: str) -> frozenset[str]:
    return frozenset(each.name for each in fields(Choices)) - {"entry"} | {entry_key}


def _moment(table: Table, key: str) -> datetime | None:
    """A date-time or a date of TOML. Without an offset it is the server's own time; a date alone
    counts to its end."""
    value = table.value(key)
    if value is None:
        return None
    if not isinstance(value, date):
        table.error(key, f"{value!r} is not a date", hint=f"write it as {key} = 2026-12-20")
        return None
    try:
        if not _FIRST_YEAR <= value.year <= _LAST_YEAR:
            raise ValueError
        if not isinstance(value, datetime):
            value = datetime.combine(value + timedelta(days=1), time())
        return value if value.tzinfo else value.astimezone()
    except (OverflowError, ValueError):
        table.error(key, f"{value} is out of reach")
        return None
