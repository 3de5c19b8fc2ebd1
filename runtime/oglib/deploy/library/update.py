# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring an image of the repository into the cache, where it replaces an older version.

What is signed, and whether the site allows it unsigned, is judged before anything is evicted; the
frames are taken from what the cache holds already and fetched as far as they are not there; all of
it is judged again when it lies in the cache, before it becomes an entry. What a run that was cut
has fetched waits for the next one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from oglib.cache import folder as disk
from oglib.cache.model import Entry, WhenFull
from oglib.cache.partition import Places
from oglib.cache.room import RoomPlan, make_room, plan_making_room
from oglib.cache.store import Store
from oglib.cancel import NEVER, Cancel
from oglib.deploy.library.cache import OpenCache, format_empty
from oglib.deploy.library.incoming import Incoming, incoming
from oglib.deploy.opening import memory as memories
from oglib.deploy.opening.memory import Memory
from oglib.errors import ImageError, OgError
from oglib.image.any import report, supply_of
from oglib.image.assembling.assemble import Assembled, assemble, to_fetch
from oglib.image.format.frames import FrameTable
from oglib.image.reading.local import local_image, own_files
from oglib.image.reading.opened import OpenImage
from oglib.progress import Progress
from oglib.settings import Settings
from oglib.wording.amounts import human_bytes

_MOST_OLDER = 4


@dataclass(frozen=True, slots=True)
class Updated:
    """``changed`` is False when this version was there already; ``said``: what was evicted.

    ``recovered``: what had to be repaired or removed when the cache was opened. Stored bytes by
    where they came from: ``kept_bytes`` of a run that was cut, ``copied_bytes`` of other entries.
    """

    entry: Entry
    version: int
    changed: bool
    said: tuple[str, ...] = ()
    recovered: tuple[str, ...] = ()
    kept_bytes: int = 0
    copied_bytes: int = 0
    fetched_bytes: int = 0


@dataclass(frozen=True, slots=True)
class UpdatePlan:
    """What an update will do; the image stays open while the block of ``planned_update`` lasts.

    ``present``: the entry that is this very version already; then there is nothing to do. ``older``
    are the entries whose bytes are used, ``most_bytes`` is what is fetched at most.
    """

    incoming: Incoming
    memory: Memory
    present: Entry | None = None
    room: RoomPlan | None = None
    older: tuple[Entry, ...] = ()
    most_bytes: int = 0

    @property
    def is_needed(self) -> bool:
        return self.present is None

    @property
    def changes(self) -> tuple[str, ...]:
        """What will be done, a sentence each."""
        if self.room is None:
            return ()
        names = ", ".join(one.name for one in self.older)
        there = f", the rest is taken from {names} in the cache" if names else ""
        return (
            *self.room.changes,
            f"bring {self.incoming.name} version {self.incoming.version} into the cache "
            f"({human_bytes(self.incoming.size_bytes)}): at most {human_bytes(self.most_bytes)} "
            f"to fetch{there}",
        )


@dataclass(frozen=True, slots=True)
class Necessity:
    """Whether an update is needed, to which version, and why or why not."""

    needed: bool
    version: int
    why: str


def necessity(text: str, cache: OpenCache, settings: Settings) -> Necessity:
    """Whether the cache lacks what ``text`` names now; raises where that cannot be told."""
    with incoming(text, settings, memories.of_store(cache.store)) as coming:
        entry = _entry(cache.store, coming.name)
        if _same_version(cache.store, coming) is not None:
            return Necessity(False, coming.version, f"the cache holds version {coming.version}")
        if entry is None:
            why = f"the cache holds no {coming.name}"
        elif entry.damaged:
            why = "what the cache holds is damaged"
        else:
            why = "the cache holds another version"
        return Necessity(True, coming.version, why)


@contextmanager
def planned_update(text: str, cache: OpenCache, settings: Settings) -> Iterator[UpdatePlan]:
    """Look at the image that ``text`` names and at the cache; changes nothing.

    Raises where it cannot be told whether an update is needed, and where it would not fit.
    """
    memory = memories.of_store(cache.store)
    with incoming(text, settings, memory) as coming:
        present = _same_version(cache.store, coming)
        if present is not None:
            yield UpdatePlan(coming, memory, present)
            return
        room = plan_making_room(
            cache.store,
            coming.size_bytes,
            WhenFull(settings.action_cache_full),
            replaces=coming.name,
            has=cache.store.begun(coming.name, coming.key),
        )
        older = tuple(one for one in _older(cache.store, coming) if one.name not in room.room.evict)
        yield UpdatePlan(coming, memory, None, room, older, _most_bytes(coming, older))


def update_cache(
    plan: UpdatePlan,
    cache: OpenCache,
    *,
    settings: Settings,
    places: Places,
    progress: Progress,
    cancel: Cancel = NEVER,
) -> Updated:
    """Do what was planned: make room, bring the image, prove it, show it."""
    coming = plan.incoming
    if plan.present is not None:
        return Updated(plan.present, coming.version, changed=False, said=plan.memory.keep())
    said = make_room(
        cache.store,
        coming.size_bytes,
        WhenFull(settings.action_cache_full),
        replaces=coming.name,
        has=cache.store.begun(coming.name, coming.key),
        reformat=lambda: format_empty(places, user=cache.user),
    )
    work = _Bringing(coming, plan.older, cache.store, settings, progress, cancel)
    entry = cache.store.publish(coming.name, work.fill, key=coming.key)
    return Updated(
        entry,
        coming.version,
        changed=True,
        said=(*said, *work.said, *plan.memory.keep()),
        kept_bytes=sum(one.kept_bytes for one in work.done),
        copied_bytes=sum(one.copied_bytes for one in work.done),
        fetched_bytes=sum(one.fetched_bytes for one in work.done),
    )


def _same_version(store: Store, coming: Incoming) -> Entry | None:
    """The whole entry whose manifest is exactly this one; its digests are those of its files."""
    entry = _entry(store, coming.name)
    if entry is None or entry.damaged:
        return None
    stored = (entry.files or {}).get(coming.manifest)
    return entry if stored and stored.blake3 == coming.key else None


def _entry(store: Store, name: str) -> Entry | None:
    return next((one for one in store.entries() if one.name == name), None)


def _older(store: Store, coming: Incoming) -> Iterator[Entry]:
    """The entries that may hold some of it, the likeliest first."""
    ours = [one for one in store.entries() if _tables(one, coming)]
    near = [one for one in ours if one.name in (coming.name, coming.parent)]
    others = sorted((one for one in ours if one not in near), key=lambda one: -one.used)
    yield from [*near, *others][:_MOST_OLDER]


def _tables(entry: Entry, coming: Incoming) -> dict[str, Path]:
    """The images of the entry by those of ``coming`` that they may be older versions of."""
    if entry.path.is_dir() != (coming.head not in coming.images):
        return {}
    found = {}
    for file in coming.images:
        path = entry.path / Path(file).name if entry.path.is_dir() else entry.path
        if own_files(path).frames.is_file():
            found[file] = path
    return found


def _most_bytes(coming: Incoming, older: Sequence[Entry]) -> int:
    total = 0
    for file, image in coming.images.items():
        with ExitStack() as stack:
            tables = []
            for entry in older:
                path = _tables(entry, coming).get(file)
                with suppress(ImageError, OSError):
                    if path is not None:
                        table = FrameTable(own_files(path).frames)
                        stack.callback(table.close)
                        tables.append(table)
            total += to_fetch(image, tables)
    return total


@dataclass(frozen=True, slots=True)
class _Bringing:
    """Fills the folder of an entry; ``done`` and ``said`` grow meanwhile."""

    coming: Incoming
    older: tuple[Entry, ...]
    store: Store
    settings: Settings
    progress: Progress
    cancel: Cancel
    done: list[Assembled] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def fill(self, folder: Path) -> None:
        """What an earlier run left there is taken up."""
        self._clear(folder)
        for file, raw in self.coming.small.items():
            (folder / file).parent.mkdir(exist_ok=True)
            (folder / file).write_bytes(raw)
        for file, image in self.coming.images.items():
            image.frames.write_to(own_files(folder / file).frames)
            self._bring(file, image, folder / file)

    def _clear(self, folder: Path) -> None:
        """What an earlier run was writing beside the images' files."""
        kept = {folder / file for file in self.coming.images}
        for path in sorted(folder.rglob("*"), reverse=True):
            if path not in kept and (path.is_symlink() or not path.is_dir()):
                disk.delete(path)

    def _bring(self, file: str, image: OpenImage, path: Path) -> None:
        supply = supply_of(image)
        report(supply, self.progress)
        with ExitStack() as stack:
            named = list(self._opened(file, stack))
            made = assemble(
                image,
                path,
                [one for _, one in named],
                progress=self.progress,
                cancel=self.cancel,
            )
        self.done.append(made)
        self.said.extend(supply.said if supply else ())
        for entry, one in named:
            if one.name in made.damaged:
                self._damaged(entry)

    def _opened(self, file: str, stack: ExitStack) -> Iterator[tuple[Entry, OpenImage]]:
        """The older images of this file, held until ``stack`` ends."""
        for entry in self.older:
            path = _tables(entry, self.coming).get(file)
            if path is None:
                continue
            try:
                stack.enter_context(self.store.holding(entry.name))
                scratch = Path(stack.enter_context(TemporaryDirectory(prefix="image-")))
                yield entry, stack.enter_context(local_image(path, scratch=scratch))
            except OgError as error:
                self.said.append(f"{entry.name} in the cache is of no use: {error.message}")

    def _damaged(self, entry: Entry) -> None:
        self.said.append(f"{entry.name} in the cache is damaged: more was fetched")
        if entry.name != self.coming.name:
            self.store.mark_damaged(entry.name)
