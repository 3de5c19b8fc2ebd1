# SPDX-License-Identifier: GPL-3.0-or-later
"""`ognetboot approve [NUMBER|all]`: PCs that registered themselves are taken in, or refused."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from ognetboot.assigning import times
from ognetboot.errors import FoundFaultsError, NetbootError
from ognetboot.hearing.taking import Candidate, candidates, is_there, room_of
from ognetboot.hearing.waiting import HARDWARE, deciding, waiting_of
from ognetboot.inventory import reading
from ognetboot.inventory.editing import with_tables
from ognetboot.inventory.model import Inventory
from ognetboot.inventory.saving import open_inventory, save
from ognetboot.verbs import Verbs, add_inventory, add_json, add_test

_ALL = "all"


def add(verbs: Verbs) -> None:
    """Its parser."""
    verb = verbs.add_parser(
        "approve",
        help="list PCs that registered themselves, take them in, or refuse them",
        description="Without a number: who waits, with what the PC told and what stands against "
        "it. With one: that PC is taken into the inventory. Where `ognetboot serve` runs, the PC's "
        "next try boots.",
    )
    verb.set_defaults(run=run)
    verb.add_argument("number", nargs="?", metavar="NUMBER", help="which one, or all of them")
    verb.add_argument(
        "--refuse",
        metavar="NUMBER",
        help="strike that one off the list, all of them, or those of an address",
    )
    verb.add_argument("--room", default="", metavar="ROOM", help="where it stands")
    verb.add_argument("--name", default="", metavar="NAME", help="what it is called")
    add_inventory(verb)
    add_test(verb)
    add_json(verb)


def run(args: argparse.Namespace) -> str:
    """List, take or refuse."""
    path: Path = args.inventory
    if args.refuse is not None:
        if args.number is not None:
            raise NetbootError("a PC is taken or refused", hint="give one of both", code=2)
        return _refuse(path, args.refuse)
    if args.name and args.number in (None, _ALL):
        raise NetbootError("--name is for one PC alone", hint="give its number", code=2)
    opened = open_inventory(path)
    inventory = reading.parse(opened.text, source=path.name, allow_test=args.test)
    if args.room and room_of(inventory, args.room) is None:
        known = ", ".join(room.name for room in inventory.rooms) or "none"
        raise NetbootError(f"there is no room {args.room!r}", hint=f"rooms: {known}")
    waiting = waiting_of(path).registrations
    if args.number is None:
        listed = candidates(inventory, waiting, room=args.room)
        return _json(listed) if args.json else _listed(listed)
    if args.number != _ALL:
        waiting = tuple(one for one in waiting if str(one.number) == args.number)
        if not waiting:
            raise NetbootError(f"no PC waits with the number {args.number}", hint="list them")
    them = candidates(inventory, waiting, name=args.name, room=args.room)
    there = [one for one in them if is_there(inventory, one)]
    found = [one for one in them if one not in there]
    take = partial(_with, inventory, opened.text, path, args.test)
    good, bad = _parted(found, take)
    if good or there:
        with deciding(path) as strike:
            if good:
                save(opened, take(good))
            strike(frozenset(one.registration.number for one in (*good, *there)))
    return _taken(good, bad, there)


def _refuse(path: Path, word: str) -> str:
    """`word`: a number, an address, or all."""
    with deciding(path) as strike:
        waiting = waiting_of(path).registrations
        numbers = {o.number for o in waiting if word in (_ALL, str(o.number), o.address)}
        if not numbers:
            raise NetbootError(f"no PC waits with the number or address {word}", hint="list them")
        strike(frozenset(numbers))
    if len(numbers) == 1:
        return f"Number {numbers.pop()} is struck off. The PC may register again."
    return f"{len(numbers)} PCs are struck off. They may register again."


def _parted(
    found: Sequence[Candidate], take: Callable[[Sequence[Candidate]], str]
) -> tuple[list[Candidate], list[Candidate]]:
    """Those that can be taken, together, and those that cannot. What one of them told keeps no
    other out."""
    good = [one for one in found if not one.against]
    bad = [one for one in found if one.against]
    try:
        take(good)
    except NetbootError:
        for one in good:
            try:
                take([one])
            except NetbootError as error:
                bad.append(replace(one, against=(error.message,)))
        named = {one.registration.number for one in bad}
        good = [one for one in good if one.registration.number not in named]
    return good, bad


def _with(
    inventory: Inventory, text: str, path: Path, allow_test: bool, good: Sequence[Candidate]
) -> str:
    """The file with these PCs; refused where it would not be what was there, with more PCs."""
    new = with_tables(text, [one.table for one in good])
    after = reading.parse(new, source=path.name, allow_test=allow_test)
    if not set(inventory.clients) <= set(after.clients):
        raise NetbootError(
            f"{path} would not be what it is with these PCs", hint="add them to the file by hand"
        )
    return new


def _taken(good: Sequence[Candidate], bad: Sequence[Candidate], there: Sequence[Candidate]) -> str:
    lines = [
        f"{one.registration.number}: {one.name}{f' in {one.room}' if one.room else ''} was taken in"
        for one in good
    ]
    lines += [
        f"{one.registration.number}: {one.name} is in the inventory already, and waits no more"
        for one in there
    ]
    lines += [f"{one.registration.number}: {why}" for one in bad for why in one.against]
    report = "\n".join(lines) or "No PC waits."
    if bad:
        raise FoundFaultsError(report)
    return report


def _listed(found: Sequence[Candidate]) -> str:
    return "\n".join(line for one in found for line in _lines(one)) or "No PC waits."


def _lines(one: Candidate) -> Iterator[str]:
    told = one.registration
    name, room = one.name or "without a name", one.room or told.word("room")
    where = f" in {room}" if room else ""
    yield f"{told.number}  {name}{where}, since {times.told(told.since)}, from {told.address}"
    claim = told.claim
    adapter = " (an adapter that PCs share)" if one.shared else ""
    identity = (f"MAC {claim.mac}{adapter}" if claim.mac else "",
                f"UUID {claim.uuid}" if claim.uuid else "",
                f"serial number {claim.serial}" if claim.serial else "")  # fmt: skip
    for line in (", ".join(filter(None, identity)), " ".join(map(told.word, HARDWARE)).strip()):
        if line:
            yield f"   {' '.join(line.split())}"
    yield from (f"   ! {why}" for why in one.against)


def _json(found: Sequence[Candidate]) -> str:
    rows = [
        {
            "number": one.registration.number,
            "name": one.name,
            "room": one.room,
            "mac": one.registration.claim.mac,
            "uuid": one.registration.claim.uuid,
            "serial": one.registration.claim.serial,
            "address": one.registration.address,
            "since": times.to_text(one.registration.since),
            "told": dict(one.registration.told),
            "against": list(one.against),
        }
        for one in found
    ]
    return json.dumps({"waiting": rows}, ensure_ascii=False)
