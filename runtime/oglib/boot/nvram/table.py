# SPDX-License-Identifier: GPL-3.0-or-later
"""All that firmware keeps about booting, as one value, and how it is read and made so.

Whoever changes it plans another table; ``write`` makes the difference so and reads it back. New
entries come first, then the order, and what nobody names any more goes last: cut anywhere, the
order names only what is there.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from oglib.boot.nvram.load_option import LoadOption, decoded
from oglib.boot.nvram.variables import Variables
from oglib.errors import OgError, WriteError

_WORD = struct.Struct("<H")


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry, by its number (``Boot0003``: 3)."""

    number: int
    option: LoadOption

    @property
    def name(self) -> str:
        return name_of(self.number)

    @property
    def label(self) -> str:
        return self.option.label

    def describe(self) -> str:
        """``Boot0003 "debian"``, for sentences."""
        return f'{self.name} "{self.label}"'


@dataclass(frozen=True, slots=True)
class BootTable:
    """``order``: which are tried, first to last. ``next``: the one start that comes alone.

    ``current`` is what started this PC; None: the firmware does not say. ``timeout`` in seconds.
    """

    entries: tuple[Entry, ...] = ()
    order: tuple[int, ...] = ()
    next: int | None = None
    current: int | None = None
    timeout: int | None = None

    def entry(self, number: int) -> Entry | None:
        return next((one for one in self.entries if one.number == number), None)

    @property
    def tried(self) -> tuple[Entry, ...]:
        """The entries of the order that are there, first to last, each once."""
        found = (self.entry(number) for number in dict.fromkeys(self.order))
        return tuple(one for one in found if one is not None)


def name_of(number: int) -> str:
    """The variable that holds an entry."""
    return f"Boot{number:04X}"


def read_table(variables: Variables) -> BootTable:
    """What the firmware has now. OgError where it cannot be told."""
    found = []
    for number in variables.numbers():
        raw = variables.read(name_of(number))
        if raw is not None:  # gone meanwhile
            found.append(Entry(number, decoded(raw)))
    order = variables.read("BootOrder") or b""
    return BootTable(
        entries=tuple(found),
        order=tuple(word for (word,) in _WORD.iter_unpack(order[: len(order) & ~1])),
        next=_word(variables, "BootNext"),
        current=_word(variables, "BootCurrent"),
        timeout=_word(variables, "Timeout"),
    )


def _word(variables: Variables, name: str) -> int | None:
    raw = variables.read(name)
    return None if raw is None or len(raw) < _WORD.size else int(_WORD.unpack_from(raw)[0])


def write(variables: Variables, old: BootTable, new: BootTable) -> BootTable:
    """Make ``new`` of ``old``; what is there then, which is ``new`` by the firmware's own word.

    WriteError where it refuses, or does not keep what it took; OgError where the table is not
    ``old`` any more, before anything is written.
    """
    if read_table(variables) != old:
        raise OgError(
            "The firmware's boot entries are not as they were when this was planned.",
            hint="Run it again.",
        )
    before = {one.number: one.option.raw for one in old.entries}
    for one in new.entries:
        if before.get(one.number) != one.option.raw:
            variables.write(one.name, one.option.raw)
    if new.order != old.order:
        variables.write("BootOrder", b"".join(map(_WORD.pack, new.order)))
    for name, was, wanted in (
        ("BootNext", old.next, new.next),
        ("Timeout", old.timeout, new.timeout),
    ):
        if wanted is None and was is not None:
            variables.delete(name)
        elif wanted is not None and wanted != was:
            variables.write(name, _WORD.pack(wanted))
    kept = {one.number for one in new.entries}
    for one in old.entries:
        if one.number not in kept:
            variables.delete(one.name)
    return _judged(read_table(variables), new)


def _judged(there: BootTable, wanted: BootTable) -> BootTable:
    lost = [one for one in wanted.entries if there.entry(one.number) != one]
    stayed = [one for one in there.entries if wanted.entry(one.number) is None]
    if lost:
        why = f"it did not keep {lost[0].describe()}"
    elif stayed:
        why = f"it still has {stayed[0].describe()}"
    elif there.order != wanted.order:
        why = f"its order is {in_words(there.order)} and not {in_words(wanted.order)}"
    elif there.next != wanted.next:
        why = "it did not keep what comes next"
    elif there.timeout != wanted.timeout:
        why = "it did not keep the timeout"
    else:
        return there
    raise WriteError(
        f"The firmware took the boot entries and did not keep them: {why}.",
        hint="The removable path on the ESP starts without any entry.",
    )


def in_words(order: tuple[int, ...]) -> str:
    """``0001,0000``, as firmware tools write an order."""
    return ",".join(f"{number:04X}" for number in order) or "empty"
