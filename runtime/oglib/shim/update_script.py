# SPDX-License-Identifier: GPL-3.0-or-later
"""The script updateCache: an image into the cache, by the table of ``og deploy --method``."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from oglib import reporters
from oglib.cancel import NEVER
from oglib.deploy.library.bringing import Bringing, bring, decide
from oglib.deploy.opening.reference import reference_of
from oglib.deploy.planned import Given, PlannedJob
from oglib.errors import ImageError, OgErr, OgError, TransferError, UsageError, WriteError
from oglib.settings import Settings
from oglib.shim.command import Command, command_of
from oglib.shim.origin import Origin, origin_of
from oglib.shim.steps import begin_logs, say, say_begun, say_time
from oglib.shim.target import warn
from oglib.transfer.choice_words import Sentence
from oglib.transfer.choose import Method, Via, Wanted

EXTENSION = ".img"
BETTER = (
    "The way is chosen by the table of `og deploy --method`, and every step of the choice is a "
    "line of the log. "
)
_RSYNC = "RSYNC"


def _told(facts: Sequence[str]) -> None:
    warn(*facts)


def _never_asked(_planned: PlannedJob) -> bool:
    return True


def _update(words: Sequence[str]) -> None:
    place, file, protocol, *_ = words
    begin_logs("deployImage", "restoreBaseImage", "restoreDiffImage")
    say_begun("updateCache", words)
    method = protocol.upper()
    if method == _RSYNC:
        raise OgError(
            f"{file} is no synchronised image.",
            hint="Say UNICAST, MULTICAST or TORRENT.",
            code=OgErr.DONTSYNC_IMAGE,
        )
    if method not in list(Method):
        raise UsageError(f"{protocol!r} is none of {', '.join(Method)}.")
    if not file.endswith(EXTENSION):
        raise UsageError(f"{file} is not named NAME{EXTENSION}: the cache holds images.")
    origin = origin_of(place)
    if origin.in_cache:
        raise UsageError("The cache is not brought from itself.", hint="Say REPO or an address.")
    command_of("ogFindCache").run(())
    since = time.monotonic()
    _updated(origin, file.removesuffix(EXTENSION), Wanted(Method(method), Via.CACHE))
    say_time(None, since, of_all=False)


def _updated(origin: Origin, name: str, way: Wanted) -> Bringing:
    """Into the cache and nowhere else: no way without it is taken."""
    only = replace(origin.settings, restore_not_cached="NONE")
    made = decide(reference_of(origin.image(name), only), way, only, fallback=True, tell=_told)
    for line in made.lines:
        say(None, line)
    if any(one.sentence is Sentence.AS_IT_IS for one in made.choice.said):
        raise TransferError("The repository does not answer, so the cache stays as it is.")
    brought(made, origin.settings)
    return made


def brought(made: Bringing, settings: Settings) -> None:
    """The numbers of updateCache: whatever keeps an image from coming whole is UPDATECACHE."""
    if not made.is_brought:
        return
    given = Given(settings, reporters.for_stream(), _never_asked, NEVER, _told)
    try:
        for line in bring(made, given):
            say(None, line)
    except (TransferError, ImageError, WriteError) as error:
        raise OgError(error.message, hint=error.hint, code=OgErr.UPDATECACHE) from error


COMMANDS = {
    command.name: command
    for command in (
        Command(
            "updateCache",
            "REPO|ADDRESS /IMAGE.img UNICAST|MULTICAST|TORRENT [OPTIONS]",
            "brings an image into the cache where it is not there, or is another one",
            _update,
            3,
            5,
            "updateCache REPO /debian.img UNICAST",
            f"{BETTER}What is copied is proven; the room is looked at again after other images "
            "went; nobody waits at random. An image of a repository asked by HTTP is one of "
            "ogLive's own format. Of synchronised images it is DONTSYNC_IMAGE (71), of other "
            "files FORMAT.",
        ),
    )
}
