# SPDX-License-Identifier: GPL-3.0-or-later
"""An ogLive that cannot start on a PC with UEFI: counted, told, and at last the PC's own disk.

The PC starts by its firmware's own order, network before disk, as in a classroom.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.disks import Disk
from harness.inventory import UEFI_PC
from harness.machine import Machine
from harness.qemu_argv import FromOrder
from harness.room import Room
from harness.server import Server
from harness.steps import step
from harness.tiny import TinyPc

LOADER = "EFI/debian/grubx64.efi"
_WAITS_S = 45  # with its text on the screen, before it restarts


@contextmanager
def another_root(server: Server) -> Iterator[None]:
    """Within this block one bit of the root that the PCs fetch is wrong."""
    root = next((server.root / "oglive-test/current").glob("ogclient.*"))
    kept = root.with_name(".kept")
    root.rename(kept)
    try:
        data = bytearray(kept.read_bytes())
        data[len(data) // 2] ^= 1
        root.write_bytes(data)
        yield
    finally:
        kept.replace(root)


def network_first(pc: Machine) -> None:
    """An entry for the loader on the disk, and the firmware's own for the network before it."""
    told = pc.execute(f"efibootmgr -q -c -d /dev/vda -p 1 -L disk -l '/{LOADER}'; efibootmgr")
    network = re.search(r"Boot([0-9A-F]{4})\S* [^\n]*IPv4", told.output)
    disk = re.search(r"Boot([0-9A-F]{4})\S* disk", told.output)
    assert network, told.output
    assert disk, told.output
    pc.succeed(f"efibootmgr -q -o {network[1]},{disk[1]} && sync")
    pc.kill()


def fails(pc: Machine, said: str) -> None:
    """One start that fails, with these words on its screen; then the PC restarts."""
    pc.start(FromOrder())
    pc.wait_for_console(said, pc.timeouts.ready, f"{pc.name} says {said!r}")
    assert pc.wait_for_shutdown(_WAITS_S + pc.timeouts.shutdown) == "guest-reset"


def test_the_third_start_that_fails_ends_at_the_disk(room: Room, tmp_path: Path) -> None:
    tiny = TinyPc(tmp_path / "tiny", {LOADER: "DISK"})
    pc = room.pc(UEFI_PC, Disk(tiny.image, "tiny"))
    with step("a good start, in which the firmware gets its order"):
        pc.start(FromOrder())
        pc.wait_for_ready()
        network_first(pc)
    with another_root(room.server), step("three starts with a root that is not the entry's"):
        fails(pc, r"Start 1 of 3 failed\. It restarts in")
        fails(pc, r"Start 2 of 3 failed\. It restarts in")
        fails(pc, r"Start 3 of 3 failed\. In \d+ seconds the system on its own disk starts")
        pc.start(FromOrder())
        pc.wait_for_console("STARTED-DISK", pc.timeouts.report, "the loader on the disk")
