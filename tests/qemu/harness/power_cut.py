# SPDX-License-Identifier: GPL-3.0-or-later
"""A power cut in the middle of what a PC did: its disk as a drive with a cache may leave it.

Killing QEMU alone keeps every completed write. So the writes and flushes of the disk are noted
while the PC works, and the disk after the cut is made from them (``power.crash``).
"""

from __future__ import annotations

import random
from dataclasses import replace

from harness.disks import Bus, Disk
from harness.errors import HarnessError
from harness.machine import Machine
from harness.room import Room
from harness.steps import LOG
from power.crash import crash_states, make_disk
from power.write_log import entry_count, read_log

_STATES = 400  # to choose one from


class RecordedWork:
    """A disk whose writes are noted; ``begin`` and ``end`` bound the work that a cut falls into."""

    def __init__(self, room: Room, disk: Disk) -> None:
        self.base = room.snapshot(disk)
        self.log = disk.path.with_suffix(".log")
        self.disk = replace(disk, log=self.log, bus=Bus.SCSI)
        self._room = room
        self._first = 0
        room.discard_later(self.log)

    def begin(self, pc: Machine) -> None:
        """What was written so far is on the disk; the work comes now."""
        pc.succeed("sync")
        self._first = entry_count(self.log)

    def cut(self, *, seed: str) -> Disk:
        """The disk after a cut in the work, after the PC was killed; the same for the same seed."""
        log = read_log(self.log)
        states = [
            state
            for state in crash_states(log, seed=seed, count=_STATES)
            if self._first < state.whole < len(log.entries)
        ]
        if not states:
            raise HarnessError(f"nothing was written to {self.disk.serial} in the work")
        state = random.Random(seed).choice(states)
        LOG.say(
            f"power cut: {state} of {len(log.entries)} entries, the work began at {self._first}"
        )
        left = replace(self._room.snapshot(self.base), serial=self.disk.serial)
        make_disk(log, self.base.path, state, left.path)
        return left
