# SPDX-License-Identifier: GPL-3.0-or-later
"""What a PC with a cache remembers of images from the network: the last version of each name.

A correctly signed image that is older than what the PC had is refused, unless that very version was
asked for (``NAME@VERSION``): then it is the administrator's word for going back. What an image of
this PC's own disks is called teaches nothing and is never refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from oglib.cache.find import find_cache, has_cache_folders_in_gate
from oglib.cache.partition import Places, mountpoints
from oglib.cache.store import Store
from oglib.cache.turn import gate
from oglib.cache.versions import last_version
from oglib.deploy.library.cache import opened_cache
from oglib.deploy.opening.hold import Hold
from oglib.disk.loop import partition_device
from oglib.disk.model import Disk, Partition
from oglib.disk.planning.planned import TablePlan
from oglib.disk.probe import list_disks
from oglib.errors import ImageError, OgErr, OgError, PartitionError
from oglib.filesystem.mount import mounted
from oglib.settings import Settings


@dataclass(slots=True)
class Memory:
    """The memory of one command. ``recall`` gives 0 where nothing is remembered.

    ``uses_cache``: what is restored may come from the PC's cache where that has the same bytes.
    ``holds``: the entries that are open.
    """

    recall: Callable[[str], int]
    store: Callable[[str, int], None]
    uses_cache: bool = False
    holds: list[Hold] = field(default_factory=list)
    _seen: dict[str, tuple[int, int]] = field(default_factory=dict)

    def hold(self, hold: Hold) -> None:
        """An entry was opened: it counts as used when what was opened is on the disk."""
        self.holds.append(hold)

    def for_parts(self) -> Memory:
        """For the images that one of a whole disk consists of, which have no versions."""
        return Memory(lambda _: 0, lambda _name, _version: None, self.uses_cache, self.holds)

    @contextmanager
    def aside(self, disk: Disk) -> Iterator[None]:
        """A block in which the table of ``disk`` can be written: a cache on it is let go."""
        there = [one for one in self.holds if one.is_taken and _is_on(one, disk)]
        for one in there:
            one.let_go()
        try:
            yield
        except BaseException:
            for one in there:
                with suppress(OgError):
                    one.take()
            raise
        for one in there:
            one.take_again()

    def keep_only_what_stays(self, table: TablePlan, disk: Disk) -> None:
        """Raise where ``table`` takes the cache away that the image is in.

        What may come from elsewhere is not taken from there any more.
        """
        for one in self.holds:
            if one.partition is None or not _is_on(one, disk) or keeps(table, one.partition.part):
                continue
            if not one.may_go:
                raise PartitionError(
                    f"The image is in the cache, {one.partition.describe()}, and the table to be "
                    "written takes that away.",
                    hint="Keep it in the layout (`keep`), or name an image of the repository.",
                    code=OgErr.LOCKED,
                )
            one.give_up()

    def judge(self, name: str, version: int, *, wanted: bool) -> tuple[str, ...]:
        """Raise where the PC had a later version and this one was not ``wanted`` by its number.

        Gives what a person should know: why it cannot be told.
        """
        try:
            last = self.recall(name)
        except OgError as error:
            return (f"Whether {name} is older than what this PC had is not known: {error.message}",)
        if version < last and not wanted:
            raise ImageError(
                f"The image {name} is version {version}, and this PC had version {last} of it: an "
                "older one may be given to it by somebody who means harm.",
                hint=f"Where going back is meant, name the version: {name}@{version}.",
            )
        self._seen[name] = (last, version)
        return ()

    def keep(self, *, whole: bool = True) -> tuple[str, ...]:
        """Remember what was judged and is on the disk now; gives what could not be.

        ``whole`` False: only a part of it is there, so its version is not remembered.
        """
        said = self._keep_uses()
        if not whole:
            return tuple(said)
        for name, (last, version) in self._seen.items():
            if last == version:
                continue
            try:
                self.store(name, version)
            except OgError as error:
                if error.code is not OgErr.NOTCACHE:
                    said.append(f"That this PC has {name}@{version} is not kept: {error.message}")
        self._seen.clear()
        return tuple(said)

    def _keep_uses(self) -> list[str]:
        said: list[str] = []
        for hold in self.holds:
            try:
                hold.count_use()
            except OgError as error:
                said.append(f"That an image of the cache was used is not kept: {error.message}")
        return said


def _is_on(hold: Hold, disk: Disk) -> bool:
    return hold.partition is not None and hold.partition.disk.path == disk.path


def keeps(table: TablePlan, part: Partition) -> bool:
    """Whether the partition is the same, content and all, when ``table`` is written."""
    sector = table.sector_bytes
    return table.nothing_to_change or any(
        not one.fresh
        and (one.start_sector * sector, one.size_sectors * sector)
        == (part.start_bytes, part.size_bytes)
        for one in table.partitions
    )


def of_this_pc(settings: Settings) -> Memory:
    """The memory in the PC's cache, which is only looked into until something is kept."""
    places = Places.from_environment()

    def store(name: str, version: int) -> None:
        with opened_cache(settings, places) as cache:
            cache.store.remember(name, version)

    return Memory(_recalled, store, uses_cache=True)


def of_store(store: Store) -> Memory:
    """The memory in a cache that is open already."""
    return Memory(store.last_version, store.remember)


def _recalled(name: str) -> int:
    with gate():
        found = find_cache(list_disks(), has_cache_folders_in_gate)
        if found is None or not found.part.filesystem:
            return 0
        if there := mountpoints(found):
            return last_version(there[0], name)
        with (
            partition_device(found.disk, found.part) as device,
            mounted(device, kind=found.part.filesystem) as point,
        ):
            return last_version(point, name)
