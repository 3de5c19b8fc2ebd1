# SPDX-License-Identifier: GPL-3.0-or-later
"""What the store holds and answers, as values; touches nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Proof(StrEnum):
    """What vouches for an entry's bytes, the best first."""

    SIGNED = "signed"  # a manifest that a known key signed names their digest
    DIGESTS = "digests"  # a manifest names their digest, but no known key signed it
    SUM = "sum"  # an MD5 of all of it lies beside it, as older repositories write it
    UNPROVEN = "unproven"


class WhenFull(StrEnum):
    """What may be done when an image does not fit (``ACTIONCACHEFULL`` of engine.cfg)."""

    NONE = "NONE"
    DELETE = "DELETE"
    FORMAT = "FORMAT"


class Verdict(StrEnum):
    """Whether so many bytes fit into the cache."""

    FITS = "fits"
    AFTER_EVICTING = "fits after evicting"
    NEVER = "does not fit"


@dataclass(frozen=True, slots=True)
class StoredFile:
    """Size and content of one file of an entry; ``blake3`` in hex."""

    size_bytes: int
    blake3: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One image that is whole. ``path`` is ``NAME.img`` or, of a whole disk, its folder.

    ``used`` counts up with each use in this cache (0: never used), because clocks of PCs go
    wrong. ``files`` is empty where an older ogLive stored it: then nothing is recorded.
    ``damaged``: who read it last found other bytes than were stored.
    """

    name: str
    path: Path
    size_bytes: int
    proof: Proof
    pinned: bool = False
    used: int = 0
    files: Mapping[str, StoredFile] | None = None
    damaged: bool = False


@dataclass(frozen=True, slots=True)
class Room:
    """The answer before a transfer; ``evict`` names what must go first, in this order."""

    verdict: Verdict
    need_bytes: int
    free_bytes: int
    evict: tuple[str, ...] = ()


# Judges what was written, before it becomes an entry: the head (``NAME.img`` or a folder) and
# the digests of every file. Raises an OgError when the bytes are not what they should be.
Prove = Callable[[Path, Mapping[str, StoredFile]], Proof]
