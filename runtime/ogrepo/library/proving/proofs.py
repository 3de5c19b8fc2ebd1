# SPDX-License-Identifier: GPL-3.0-or-later
"""What was proven when: a small private record for each image, and which of them are due.

A record is of one manifest: of another version it says nothing. One that cannot be read, or whose
time is still to come because a clock was wrong, is of no use: its image is due, as one is that was
found damaged, for it may have been mended.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from blake3 import blake3

from oglib.errors import ImageError
from ogrepo.library.folder import Folder, write_whole
from ogrepo.library.stored import stored
from ogrepo.shortage import is_shortage

_KIND = "verified"
_MOST_BYTES = 64 << 10
_MOST_WORDS = 2000
DAY_S = 86400


@dataclass(frozen=True, slots=True)
class Proof:
    """``at``: seconds since 1970. ``why``: what is damaged; empty: all of it is good."""

    manifest: str
    at: int
    why: str = ""

    def age_s(self, now: float) -> float | None:
        """How long ago that was; None where the clock of then or of now is wrong."""
        return now - self.at if now >= self.at else None


def digest_of(manifest: bytes) -> str:
    """What a proof names a manifest by."""
    return blake3(manifest).hexdigest()


def note(folder: Folder, name: str, proof: Proof) -> None:
    """Remember it in place of what was proven before."""
    told = asdict(proof)
    told["why"] = proof.why[:_MOST_WORDS]
    write_whole(record_of(folder, name), json.dumps(told).encode(), mode=0o600)


def proof_of(folder: Folder, name: str, manifest: bytes) -> Proof | None:
    """What was found of this manifest last; None: nothing that helps."""
    try:
        told = json.loads(stored(record_of(folder, name), _MOST_BYTES))
        proof = Proof(str(told["manifest"]), int(told["at"]), str(told["why"]))
    except (FileNotFoundError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None
    return proof if proof.manifest == digest_of(manifest) else None


def known_proof(folder: Folder, name: str, manifest: bytes) -> Proof | None:
    """The same for a listing: a record that cannot be read is no good news."""
    try:
        return proof_of(folder, name, manifest)
    except (OSError, ImageError) as error:
        if is_shortage(error):
            raise
        said = error.strerror if isinstance(error, OSError) else "it is no plain file"
        why = f"What was found of it cannot be read: {said}."
        return Proof(digest_of(manifest), 0, why)


def with_proof(about: dict[str, object], proof: Proof | None) -> dict[str, object]:
    """An entry of the listing, with ``verified`` (when) and ``damaged`` (what) where it was."""
    if proof is None:
        return about
    said = {**about, "damaged": proof.why} if proof.why else about
    try:
        when = datetime.fromtimestamp(proof.at, tz=UTC).isoformat(timespec="seconds")
    except (ValueError, OverflowError, OSError):  # no clock says that
        return said
    return {**said, "verified": when}


def record_of(folder: Folder, name: str) -> Path:
    """Where the record of this name lies."""
    return folder.record(_KIND, name)


def due(found: Iterable[tuple[str, Proof | None]], now: float, days: float) -> list[str]:
    """Those of the names that must be proven again, the one that waits longest first."""
    waiting = []
    for name, proof in found:
        age = None if proof is None else proof.age_s(now)
        if proof is None or age is None:
            waiting.append((float("-inf"), name))
        elif proof.why or age >= days * DAY_S:
            waiting.append((-age, name))
    return [name for _, name in sorted(waiting)]
