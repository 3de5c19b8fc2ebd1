# SPDX-License-Identifier: GPL-3.0-or-later
"""What a restore did, as data that can be printed, stored and sent."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Receipt:
    """One finished restore; ``verified`` is ``read-back`` or ``not proven``."""

    image: str
    version: int
    signed_by: str
    image_blake3: str
    frames_blake3: str
    source: str
    target: str
    target_size_bytes: int
    frames: int
    fetched_bytes: int
    """Stored bytes of frames that this run read from the source."""
    written_bytes: int
    skipped_bytes: int
    """Content that was on the target already, by its hash: of an earlier run, or equal."""
    skipped_frames: int
    resumed: bool
    seconds: float
    verified: str
    warnings: tuple[str, ...]
    content_blake3: str = ""
    """Of a foreign image: BLAKE3 of the BLAKE3 digests of its regions, in order."""
    after: tuple[str, ...] = ()
    """What was done beside the restore: the partition's type set, the filesystem grown."""
    came_from: tuple[tuple[str, int], ...] = ()
    """Of several places that have the same bytes: how many each of them gave."""

    def as_dict(self) -> dict[str, object]:
        """JSON-able."""
        fields = {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
        }
        return {**fields, "came_from": dict(self.came_from)}
