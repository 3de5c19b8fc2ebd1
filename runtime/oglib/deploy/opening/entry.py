# SPDX-License-Identifier: GPL-3.0-or-later
"""``CACHE:NAME``: an entry of this PC's cache, mounted and held for as long as it is open.

Nobody evicts or replaces it meanwhile. It counts as used when what was opened is proven on its
target, which the command's memory is told of (``Memory.keep``): least used means used. What turns
out to be damaged is marked.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from oglib.cache.model import Entry
from oglib.cache.partition import Places
from oglib.cache.store import Store
from oglib.deploy.library.cache import opened_cache
from oglib.deploy.opening.hold import Hold
from oglib.deploy.opening.memory import Memory
from oglib.deploy.opening.reference import CACHE, Reference, versioned
from oglib.errors import ImageError, OgError, TransferError
from oglib.image.format.manifest import Manifest
from oglib.image.reading.decode import AlteredError
from oglib.image.reading.local import own_files
from oglib.image.reading.recorded import NotAsStoredError
from oglib.settings import Settings
from oglib.transfer.answers import StatusError


@contextmanager
def held(text: str, settings: Settings, memory: Memory | None = None) -> Iterator[Reference | None]:
    """The files of the entry that ``text`` names; None where it names none of the cache."""
    if not text.startswith(CACHE):
        yield None
        return
    name, version = versioned(text.removeprefix(CACHE))
    with held_entry(name, version, settings, memory) as entry:
        yield entry


@contextmanager
def held_entry(
    name: str, version: int, settings: Settings, memory: Memory | None = None
) -> Iterator[Reference]:
    """The files of the entry ``name``; ``version``: that one and no other, where it is not 0."""

    def named(store: Store) -> Entry:
        return store.entry(name)

    hold = Hold(settings, named)
    entry = hold.take()
    try:
        if memory is not None:
            memory.hold(hold)
        yield Reference(
            name, path=entry.path, version=version, recorded=_recorded(entry), hold=hold
        )
    except (AlteredError, NotAsStoredError) as error:
        hold.blamed()
        error.hint = f"`og cache update {name}` fetches anew what is damaged of it."
        raise
    finally:
        hold.let_go()


def _recorded(entry: Entry) -> str:
    of_image = (entry.files or {}).get(entry.path.name)
    return of_image.blake3 if of_image else ""


@contextmanager
def telling_of_the_cache(name: str, settings: Settings) -> Iterator[None]:
    """Where the repository does not answer, the hint says what the cache holds of ``name``.

    Empty for what is not called by a name of the repository.
    """
    try:
        yield
    except StatusError:
        raise  # it answers
    except TransferError as error:
        if there := _version_there(name, settings) if name else "":
            error.hint = f"{error.hint} The cache holds {there}: `{CACHE}{name}` is that.".strip()
        raise


def _version_there(name: str, settings: Settings) -> str:
    """``debian version 3``; empty where the cache holds nothing of it, or there is none."""
    with suppress(OgError), opened_cache(settings, Places.from_environment()) as cache:
        path = cache.store.entry(name).path
        with suppress(ImageError):
            raw = None if path.is_dir() else own_files(path).read_manifest()
            return f"{name} version {Manifest.from_bytes(raw).version}" if raw else name
        return name
    return ""
