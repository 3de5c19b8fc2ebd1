# SPDX-License-Identifier: GPL-3.0-or-later
"""Which versions go, and which bytes nothing needs any more: looked at, planned, done.

A version stays while it is shown, is the one before (``.ant``), is pinned, or is one of the newest;
then for a day more, because a PC may be restoring it. Bytes stay while a version needs them, while
they have another name here (in ``images/``, in the trash, in an upload), and for a day after the
last of that ended. A record goes before the bytes that it names: a cut leaves bytes that the next
run removes.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from oglib.durable import sync
from oglib.errors import ImageError
from oglib.image.format.disk_manifest import DISK_FILE, DiskManifest
from oglib.image.format.foreign_record import ForeignRecord
from oglib.image.format.manifest import Manifest
from ogrepo.library.folder import Folder, is_digest, walk
from ogrepo.library.keep import bytes_held
from ogrepo.library.publishing import turn
from ogrepo.library.store import ASIDE, MANIFEST, RECORD
from ogrepo.versions.kept import (
    About,
    Kept,
    Standing,
    kept_names,
    kept_versions,
    record_of,
    standing,
)
from ogrepo.versions.pins import pins_held, pins_of

KEEP = 3
GRACE_S = 86400.0


@dataclass(frozen=True, slots=True)
class Policy:
    """``keep``: so many of the newest versions of each image, 1 or more. ``grace_s``: see above."""

    keep: int = KEEP
    grace_s: float = GRACE_S


@dataclass(frozen=True, slots=True)
class Bytes:
    """A file in ``bytes/``. ``room``: what it takes on the disk. ``links``: its names in all.

    ``changed_ns``: when it got or lost a name last, in nanoseconds since 1970.
    """

    room: int
    links: int
    changed_ns: int


@dataclass(frozen=True, slots=True)
class Named:
    """All that is known of one name."""

    versions: tuple[Kept, ...]
    standing: Standing
    pins: frozenset[int]


@dataclass(frozen=True, slots=True)
class Facts:
    """``shown``: the digests that the manifests in ``images/`` name."""

    names: Mapping[str, Named]
    bytes: Mapping[str, Bytes]
    shown: frozenset[str]

    @property
    def needed(self) -> frozenset[str]:
        """The digests that something names, whether it stays or not."""
        kept = (kept for named in self.names.values() for kept in named.versions)
        return self.shown.union(*(one.digests for one in kept))


@dataclass(frozen=True, slots=True)
class Verdict:
    """``why`` a version stays; empty: it goes."""

    kept: Kept
    why: str


@dataclass(frozen=True, slots=True)
class Plan:
    """``verdicts``: of every version. ``bytes``: what goes; ``waiting_bytes`` go when they may."""

    verdicts: tuple[Verdict, ...]
    bytes: Mapping[str, Bytes]
    waiting_bytes: int

    @property
    def goes(self) -> tuple[Kept, ...]:
        return tuple(one.kept for one in self.verdicts if not one.why)

    @property
    def freed_bytes(self) -> int:
        return sum(one.room for one in self.bytes.values())


def look(folder: Folder) -> Facts:
    """Raises where a record cannot be read: what it needs is not known then."""
    names = {}
    for name in kept_names(folder, whole=True):
        try:
            names[name] = _named(folder, name)
        except ImageError as error:
            raise ImageError(
                f"Nothing is removed, for a record of {name} cannot be read: {error}",
                hint=f"Move the damaged file away from {folder.versions / name}.",
            ) from error
    # the bytes come last: what a version that is published meanwhile needs has changed by then
    return Facts(names, _bytes(folder), _shown_digests(folder))


def _named(folder: Folder, name: str) -> Named:
    versions = tuple(kept_versions(folder, name))
    return Named(versions, standing(folder, name), pins_of(folder, name))


def _bytes(folder: Folder) -> dict[str, Bytes]:
    found = {}
    for entry in os.scandir(folder.bytes):
        if not is_digest(entry.name):
            continue
        try:
            status = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            continue
        if stat.S_ISREG(status.st_mode):
            found[entry.name] = _seen(status)
    return found


def _seen(status: os.stat_result) -> Bytes:
    return Bytes(status.st_blocks * 512, status.st_nlink, status.st_ctime_ns)


def _shown_digests(folder: Folder) -> frozenset[str]:
    """For a folder that was copied without its links; what is no image any more needs nothing."""
    found: set[str] = set()
    for at, files in walk(folder.images, whole=True):
        for name in files:
            kind = next((kind for end, kind in _KINDS.items() if name.endswith(end)), None)
            if kind is not None:
                found |= _digests_in(at / name, kind)
    return frozenset(found)


_KINDS: dict[str, type[About]] = {
    **{MANIFEST + aside: Manifest for aside in ("", ASIDE)},
    **{RECORD + aside: ForeignRecord for aside in ("", ASIDE)},
    DISK_FILE: DiskManifest,
}


def _digests_in(path: Path, kind: type[About]) -> frozenset[str]:
    try:
        return Kept(kind.from_bytes(path.read_bytes()), 0.0).digests
    except (ImageError, FileNotFoundError):
        return frozenset()


def judge(named: Named, policy: Policy, now: float) -> tuple[Verdict, ...]:
    """Of each version of one name, the newest first, whether it stays. Pure."""
    newest = sorted(named.versions, key=lambda kept: kept.version, reverse=True)
    verdicts = []
    for place, kept in enumerate(newest):
        surplus_since = newest[place - policy.keep].recorded_at if place >= policy.keep else now
        reasons = (
            (kept.version == named.standing.shown, "shown"),
            (kept.version == named.standing.before, "the one before"),
            (kept.version in named.pins, "pinned"),
            (place < policy.keep, f"one of the newest {policy.keep}"),
            (now - surplus_since < policy.grace_s, "a restore of it may be under way"),
        )
        verdicts.append(Verdict(kept, next((why for holds, why in reasons if holds), "")))
    return tuple(verdicts)


def plan(facts: Facts, policy: Policy, now: float) -> Plan:
    """What goes. Pure; ``now`` in seconds since 1970."""
    verdicts = tuple(
        verdict for name in sorted(facts.names) for verdict in judge(facts.names[name], policy, now)
    )
    needed = set(facts.shown)
    for verdict in verdicts:
        needed |= verdict.kept.digests if verdict.why else set()
    goes, waiting = {}, 0
    for digest, one in facts.bytes.items():
        if digest in needed or one.links > 1:
            continue
        if now - one.changed_ns / 1e9 < policy.grace_s:
            waiting += one.room
        else:
            goes[digest] = one
    return Plan(verdicts, goes, waiting)


def apply(folder: Folder, decided: Plan, policy: Policy, now: float) -> int:
    """Do it; what has changed since it was planned is looked at anew, and stays. Freed bytes."""
    for name in sorted({kept.name for kept in decided.goes} | set(_untidy(folder))):
        wanted = {kept.version for kept in decided.goes if kept.name == name}
        with turn(folder, name), pins_held(folder):
            for verdict in judge(_named(folder, name), policy, now):
                if not verdict.why and verdict.kept.version in wanted:
                    drop_records(folder, name, verdict.kept.version)
            _tidy(folder, name)
    needed = look(folder).needed  # by what stayed after all, too
    freed = sum(
        _drop_bytes(folder, digest, seen)
        for digest, seen in decided.bytes.items()
        if digest not in needed
    )
    with bytes_held(folder):
        for path in folder.bytes.glob(".*.part"):
            path.unlink()
        sync(folder.bytes)
    return freed


def drop_records(folder: Folder, name: str, version: int) -> None:
    """Forget a version: with what makes it one first. The caller has the name's turn."""
    record = record_of(folder, name, version)
    at = folder.version_file(name, version, "").parent
    if record is not None:
        record.unlink()
        sync(at)
    for path in at.glob(f"{version}.*"):
        path.unlink()
    sync(at)


def _untidy(folder: Folder) -> list[str]:
    """The names of which something is left that is no version, or just becomes one."""
    return [name for name in kept_names(folder) if _left(folder, name)]


def _left(folder: Folder, name: str) -> list[int]:
    at = folder.version_file(name, 0, "").parent
    numbers = {path.name.partition(".")[0] for path in at.iterdir() if path.is_file()}
    numbers = {one for one in numbers if one.isascii() and one.isdecimal()}
    return sorted(int(one) for one in numbers if record_of(folder, name, int(one)) is None)


def _tidy(folder: Folder, name: str) -> None:
    """What a cut left of versions, and folders that are empty. Nobody publishes this name now."""
    for number in _left(folder, name):
        drop_records(folder, name, number)
    at = folder.version_file(name, 0, "").parent
    with bytes_held(folder):  # nobody makes a folder for a record meanwhile
        for path in (at, *at.parents):
            if path == folder.versions or any(path.iterdir()):
                return
            path.rmdir()
            sync(path.parent)


def _drop_bytes(folder: Folder, digest: str, seen: Bytes) -> int:
    """Remove a file in ``bytes/`` that has no other name still, and got none meanwhile."""
    path = folder.bytes_file(digest)
    with bytes_held(folder):
        try:
            if _seen(path.lstat()) != seen:
                return 0
            path.unlink()
        except FileNotFoundError:
            return 0
    return seen.room
