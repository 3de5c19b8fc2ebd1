# SPDX-License-Identifier: GPL-3.0-or-later
"""A golden system captured inside ogLive into the repository, and where its image is."""

from __future__ import annotations

import time
from dataclasses import dataclass

from harness.golden import Golden
from harness.room import Room
from harness.steps import step

TOKEN_FILE = "/run/oglive/upload.token"  # noqa: S105 - where it is, not what


@dataclass(frozen=True, slots=True)
class Captured:
    """An image in the repository and the golden system it was taken from."""

    name: str
    golden: Golden
    capture_seconds: float


def capture(room: Room, golden: Golden, name: str) -> Captured:
    """Resume a ready ogLive with the golden disk and capture its root with a one-image token."""
    with step(f"capture {name} inside ogLive"):
        pc = room.ready_pc(golden.disk)
        pc.place_secret(TOKEN_FILE, room.server.token(name))
        begun = time.monotonic()
        pc.succeed(
            f"og image create 1 {golden.root_partition} {name} --to {room.server.url}",
            seconds=pc.timeouts.long_command,
        )
        seconds = time.monotonic() - begun
        pc.kill()
    return Captured(name, golden, seconds)
