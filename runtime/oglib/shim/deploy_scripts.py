# SPDX-License-Identifier: GPL-3.0-or-later
"""The scripts that bring an image to a partition: restoreImage, updateCache, deployImage.

The way is chosen by the same table as ``og deploy --method``, and each step of the choice is a
line of the log. Where the site has a script of its own for a step, it runs instead of ours.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from oglib import reporters
from oglib.deploy.jobs import Restore
from oglib.deploy.library.bringing import decide
from oglib.deploy.library.whereabouts import name_in_cache
from oglib.deploy.opening.reference import CACHE as IN_CACHE
from oglib.deploy.opening.reference import reference_of, resolve
from oglib.deploy.planned import PlannedJob
from oglib.deploy.work import perform
from oglib.disk.lock import refuse_locked
from oglib.errors import ImageError, OgErr, OgError, UsageError
from oglib.settings import Settings
from oglib.shim.command import Command, command_of
from oglib.shim.image_file import check_room, refuse_locked_named, unmounted_part
from oglib.shim.image_read import info_line, info_of, size_kb
from oglib.shim.origin import CACHE, Origin, origin_of
from oglib.shim.site_scripts import run_beside
from oglib.shim.steps import begin_logs, said, say, say_begun, say_time, told
from oglib.shim.target import partition_of, warn
from oglib.shim.update_script import BETTER, EXTENSION, brought
from oglib.transfer.choice_words import language_of
from oglib.transfer.choose import (
    Choice,
    Engine,
    Facts,
    Held,
    Method,
    Policy,
    Room,
    Via,
    Wanted,
    choose,
    wanted,
)

_USUAL = "UNICAST"
_NO_CACHE = (OgErr.NOTCACHE, OgErr.CACHESIZE)


@dataclass(frozen=True, slots=True)
class _Order:
    """One image for one partition, as a script was told."""

    place: str
    image: str
    disk: str
    part: str
    how: tuple[str, ...]

    @property
    def way(self) -> Wanted:
        return wanted(self.how[0] if self.how and self.how[0] else _USUAL)

    @property
    def options(self) -> str:
        return self.how[1] if len(self.how) > 1 else ""


def _order(words: Sequence[str]) -> _Order:
    place, image, disk, part, *how = words
    return _Order(place, image, disk, part, tuple(how))


def _restore(words: Sequence[str]) -> None:
    """As it is: the system is not fitted."""
    since = time.monotonic()
    order = _order(words)
    if order.way.method is Method.TORRENT:
        raise UsageError(f"{order.how[0]} is no way to restore.", hint="UNICAST or MULTICAST is.")
    begin_logs("deployImage", "restoreImageCustom")
    say_begun("restoreImage", words)
    origin = origin_of(order.place)
    image = origin.image(order.image)
    refuse_locked_named((origin.where, order.image), origin.settings)
    say(40, f"ogRestoreImage {origin.where} {order.image} {order.disk} {order.part}")
    _put(order, image, origin.settings, order.way.method)
    say_time(100, since)


def _put(order: _Order, image: str, settings: Settings, method: Method) -> None:
    """Onto the partition, without the cache: what is in it is read where it is."""
    disk, part = partition_of(order.disk, order.part)
    check_room(part, size_kb(info_of(image, settings)), image)
    refuse_locked(disk, part, own_counts=True)
    unmounted_part(disk, part)
    way = "" if image.startswith(IN_CACHE) else str(Wanted(method, Via.DIRECT))
    job = Restore(image, order.disk, order.part, method=way)
    done = perform(job, settings, progress=reporters.for_stream(), approve=_approved, tell=_told)
    warn(*(done.notes if done else ()))


def _approved(planned: PlannedJob) -> bool:
    """Old names never ask; how the image comes is told."""
    for line in planned.way:
        say(None, line)
    return True


def _told(facts: Sequence[str]) -> None:
    warn(*facts)


def _deploy(words: Sequence[str]) -> int | None:
    """Bring, restore and fit; each step by the site's script where it has one."""
    since = time.monotonic()
    order = _order(words)
    way = order.way
    begin_logs("EjecutarScript")
    say_begun("deployImage", words)
    disk, part = partition_of(order.disk, order.part)
    refuse_locked(disk, part, own_counts=True)
    say(None, f"{said('MSG_HELP_ogUnmount', 'Unmounting')} {order.disk} {order.part}")
    unmounted_part(disk, part)
    origin = origin_of(order.place)
    image = origin.image(order.image)
    refuse_locked_named((origin.where, order.image), origin.settings)
    file, metadata = f"{order.image}{EXTENSION}", _metadata(origin, image)
    say(1, f"REPO={origin.where} IMG-FILE={file}  METADATA={metadata}")
    try:
        taken = _taken(order, origin, image, way)
    except OgError as error:
        raise told(error) from error
    if isinstance(taken, int):
        return taken
    if status := _restored(order, taken, origin.settings):
        return status
    _fitted(order, origin)
    say_time(100, since)
    return None


def _metadata(origin: Origin, image: str) -> str:
    """What the image is; one that is damaged or none at all is OG_ERR_IMAGEFILE."""
    try:
        return info_line(info_of(image, origin.settings))
    except ImageError as error:
        raise OgError(error.message, hint=error.hint, code=OgErr.IMAGEFILE) from error


@dataclass(frozen=True, slots=True)
class _Taken:
    """What is restored now: ``words`` as restoreImage has them, and the same for ours."""

    words: tuple[str, ...]
    image: str
    method: Method = Method.UNICAST


def _taken(order: _Order, origin: Origin, image: str, way: Wanted) -> _Taken | int:
    """The way that is taken, its image brought into the cache where that is the way.

    A number: the site's own updateCache ended with it.
    """
    if origin.in_cache:
        return _Taken((CACHE, order.image), image)
    if way.via is Via.DIRECT:
        asked = reference_of(image, origin.settings)
        made = decide(asked, way, origin.settings, fallback=True, tell=_told)
        _say_lines(2, made.choice, origin)
        return _by(made.choice, order, made.opens.text, made.name)
    words = (order.place, f"/{order.image.strip('/')}{EXTENSION}", str(way.method))
    say(2, f"updateCache {' '.join((*words, order.options)).rstrip()}")
    status = run_beside("updateCache", (*words, order.options))
    if status is None:
        asked = reference_of(image, origin.settings)
        made = decide(asked, way, origin.settings, fallback=True, tell=_told)
        _say_lines(50, made.choice, origin)
        brought(made, origin.settings)
        opens = f"{IN_CACHE}{made.name}" if made.is_brought else made.opens.text
        return _by(made.choice, order, opens, made.name)
    if status not in (0, *_NO_CACHE):
        return status
    name = name_in_cache(resolve(image, origin.settings))
    choice = _without(status, way, origin.settings)
    _say_lines(50, choice, origin)
    if choice.code is not None:
        return status
    return _by(choice, order, image if choice.fetch else f"{IN_CACHE}{name}", name)


def _by(choice: Choice, order: _Order, opens: str, name: str) -> _Taken:
    if choice.via is Via.CACHE:
        return _Taken((CACHE, name), opens)
    more = (str(choice.method), order.options) if choice.method is Method.MULTICAST else ()
    return _Taken((order.place, order.image, *more), opens, choice.method)


def _without(status: int, way: Wanted, settings: Settings) -> Choice:
    """What the table says to the exit code of the site's updateCache."""
    return choose(
        way,
        Facts(
            from_cache=False,
            cache=status != OgErr.NOTCACHE,
            room=Room.NEVER,
            held=Held.SAME if status == 0 else Held.NONE,
            repository=True,
            multicast=Engine.MISSING,
            torrent=Engine.MISSING,
            policy=Policy(settings.restore_not_cached),
            fallback=True,
        ),
    )


def _say_lines(per_cent: int, choice: Choice, origin: Origin) -> None:
    for line in choice.lines(language_of(origin.settings.locale)):
        say(per_cent, line)


def _restored(order: _Order, taken: _Taken, settings: Settings) -> int:
    """By the site's script where it has one; its exit code is the end of all. Ours raises."""
    place, image, *more = taken.words
    words = (place, image, order.disk, order.part, *more)
    say(55, f"restoreImage {' '.join(words)}".rstrip())
    status = run_beside("restoreImage", words)
    if status is None:
        _put(order, taken.image, settings, taken.method)
        return 0
    return status


def _fitted(order: _Order, origin: Origin) -> None:
    """As it always was, what cannot be fitted is no reason for the restore to have failed."""
    say(90, said("MSG_SCRIPTS_OS_CONFIGURE", "Fitting the system to this PC"))
    place = (order.disk, order.part)
    status: int | None
    try:
        status = run_beside("configureOs", (*place, origin.where, order.image))
        if status is None:
            command_of("configureOs").run(place)
    except OgError as error:
        say(90, f"configureOs: {error}")
        return
    if status:
        say(90, f"configureOs: {status}")


_PLACES = "REPO|CACHE|ADDRESS"
_HTTP = (
    "Without a share the images come by HTTP, `ogunit` is then the folder of their name, and this "
    "PC's own address means its cache."
)

COMMANDS = {
    command.name: command
    for command in (
        Command(
            "restoreImage",
            f"{_PLACES} IMAGE DISK PARTITION [UNICAST|UNICAST-DIRECT|MULTICAST|MULTICAST-DIRECT "
            "[OPTIONS]]",
            "writes an image to a partition as it is",
            _restore,
            4,
            6,
            "restoreImage REPO debian 1 1 UNICAST",
            f"{BETTER}Multicast without a session falls back to unicast, and that is told. Each "
            f"error has its own number. {_HTTP}",
        ),
        Command(
            "deployImage",
            f"{_PLACES} IMAGE DISK PARTITION [METHOD [OPTIONS]]",
            "brings an image by the cache or directly, restores it and fits the system",
            _deploy,
            4,
            6,
            "deployImage REPO debian 1 1 UNICAST-CACHE",
            f"{BETTER}Each error keeps its own number, where all of them were 5. Without "
            "RESTOREPROTOCOLNOTCACHE it is UNICAST. A method whose engine is missing falls back to "
            "unicast; TORRENT-DIRECT is known too. What configureOs could not do is told. "
            f"updateCache, restoreImage, restoreImageCustom, configureOs and configureOsCustom of "
            f"the site's own run in the place of ours. {_HTTP}",
        ),
    )
}
