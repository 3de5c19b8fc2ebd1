# SPDX-License-Identifier: GPL-3.0-or-later
"""``CACHE:NAME``: an entry of this PC's cache, mounted and held for as long as it is open.

Nobody evicts or replaces it meanwhile. It counts as used when what was opened is proven on its
target, which the command's memory is told of (``Memory.keep``): least used means used.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from oglib.cache.model import Entry
from oglib.cache.partition import Places
from oglib.deploy.library.cache import opened_cache
from oglib.deploy.opening.memory import Memory
from oglib.deploy.opening.reference import CACHE, Reference, versioned
from oglib.settings import Settings


@contextmanager
def held(text: str, settings: Settings, memory: Memory | None = None) -> Iterator[Reference | None]:
    """The files of the entry that ``text`` names; None where it names none of the cache."""
    if not text.startswith(CACHE):
        yield None
        return
    name, version = versioned(text.removeprefix(CACHE))
    with (
        opened_cache(settings, Places.from_environment()) as cache,
        cache.store.holding(name) as entry,
    ):
        if memory is not None:
            memory.count(partial(cache.store.count_use, name))
        yield Reference(name, path=entry.path, version=version, recorded=_recorded(entry))


def _recorded(entry: Entry) -> str:
    of_image = (entry.files or {}).get(entry.path.name)
    return of_image.blake3 if of_image else ""
