# SPDX-License-Identifier: GPL-3.0-or-later
"""What a PC starts from the network, for good and for a while: orders to the server, PCs that obey.

The disk of a PC starts in a blink and says which of its systems did.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from harness.inventory import Pc
from harness.machine import Machine
from harness.paths import LiveArtifacts
from harness.qemu_argv import Firmware, FromNetwork
from harness.site import Entries, Site, client, inventory_of, wait_for_start
from harness.steps import step
from harness.tiny_disk import DISK, SYSTEM
from harness.wire import Wire

OLD_PC, NEW_PC = Pc(31, Firmware.BIOS), Pc(32, Firmware.UEFI)
_ENTRIES: Entries = {
    "localdisk": {"title": "The system on this PC's disk"},
    "lesson": {"title": "Lesson", "kind": "system", "partition": 2},
    "oglive-test": {"title": "ogLive", "profile": "test", "console": ["ttyS0,115200"]},
}
_SCRIPT = f"ipxe/mac-{OLD_PC.mac.replace(':', '-')}.ipxe"
_GOT_THERE = "got to {}, which it was given for this once"
_LIMIT_S = 240
_WRITTEN = "boot was written anew"


@pytest.fixture
def place(work_dir: Path, request: pytest.FixtureRequest) -> Path:
    """A folder that dnsmasq may enter."""
    folder = work_dir / str(request.node.name).replace("[", "-").rstrip("]")
    folder.mkdir()
    return folder


@contextmanager
def school(place: Path, pc: Pc, **server: object) -> Iterator[tuple[Site, Machine]]:
    """A site with this one PC, whose entry for good is its disk."""
    with Site(place / "site", inventory_of(_ENTRIES, [client(pc)], server)) as site:
        site.serve()
        with site.pc(pc) as machine:
            yield site, machine


def boots(machine: Machine) -> str:
    """Which of its systems a PC starts that is switched on now."""
    machine.start(FromNetwork(then_disk=True))
    return wait_for_start(machine)


def test_what_is_given_once_is_booted_once(place: Path) -> None:
    with school(place, OLD_PC) as (site, pc):
        with step("what it starts for good"):
            assert boots(pc) == DISK
        with step("this once"):
            site.order("set", OLD_PC.name, "lesson", "--once")
            for _ in range(2):  # a loader that asks twice has not got there
                assert "lesson" in site.fetched(_SCRIPT)
            assert boots(pc) == SYSTEM
            site.wait_for_line(_GOT_THERE.format("lesson"))
        with step("and at the next start the old entry"):
            assert boots(pc) == DISK


def test_two_times_are_two_times_on_uefi(place: Path) -> None:
    with school(place, NEW_PC) as (site, pc):
        site.order("set", NEW_PC.name, "lesson", "--boots", "2")
        for count in (1, 2):
            assert boots(pc) == SYSTEM
            site.wait_for_line(_GOT_THERE.format("lesson"), times=count)
        assert boots(pc) == DISK


def test_oglive_once_is_used_up_when_it_is_ready(place: Path, live: LiveArtifacts) -> None:
    with Site(place / "site", inventory_of(_ENTRIES, [client(OLD_PC)], {})) as site:
        site.offer(live)
        site.serve()
        site.order("set", OLD_PC.name, "oglive-test", "--once")
        with site.pc(OLD_PC, memory_mib=1024) as pc:
            with step("ogLive is ready and tells it"):
                pc.start(FromNetwork(then_disk=True))
                pc.wait_for_ready()
                site.wait_for_line(_GOT_THERE.format("oglive-test"))
                pc.kill()
            with step("and at the next start the old entry"):
                assert boots(pc) == DISK


def test_until_a_time_ends_by_itself(place: Path) -> None:
    with school(place, OLD_PC) as (site, pc):
        with step("until a time, as often as it likes"):
            site.order("set", OLD_PC.name, "lesson", "--until", "+2h")
            assert boots(pc) == SYSTEM
            assert boots(pc) == SYSTEM
        with step("the time has come, and nobody does anything"):
            site.order("set", OLD_PC.name, "--clear")
            site.order("set", OLD_PC.name, "lesson", "--until", "+1m")
            site.wait_for_another(_SCRIPT)
            assert boots(pc) == DISK


def test_an_exam_locks_menu_and_jobs_and_ends_by_itself(place: Path) -> None:
    with school(place, OLD_PC, timeout_s=30) as (site, pc):
        with step("an exam; nobody has seen its system on the disk, and that is said"):
            said = site.order("exam", OLD_PC.name, "1:2", "--until", "+2h", status=4)
            assert "0 of 1 ready" in said
            assert OLD_PC.name in said
        with step("there is no menu: what is typed changes nothing; nor does another order"):
            site.order("set", OLD_PC.name, "localdisk", "--once")
            with Wire(site.lan) as wire:
                pc.start(FromNetwork(then_disk=True))
                wire.wait_for_file("boot.ipxe")
                for _ in range(4):
                    pc.running.screen.press("down")
                pc.running.screen.press("ret")
                assert wait_for_start(pc) == SYSTEM
        with step("it ends by itself"):
            site.order("set", OLD_PC.name, "--clear")
            site.order("exam", OLD_PC.name, "1:2", "--until", "+1m", status=4)
            site.wait_for_another(_SCRIPT)
            with step("the menu is there again"):
                pc.start(FromNetwork(then_disk=True))
                pc.wait_for_screen("Lesson", _LIMIT_S)
                pc.running.screen.press("ret")
                assert wait_for_start(pc) == DISK


def test_a_pc_that_nobody_knows_is_approved_and_boots(place: Path) -> None:
    """It types its name and its room; the administrator approves it and says what it starts."""
    with Site(place / "site", inventory_of(_ENTRIES, [], {"timeout_s": 300})) as site:
        site.serve()
        with site.pc(OLD_PC) as pc:
            pc.start(FromNetwork(then_disk=True))
            with step("it shows what an unknown PC is offered, and registers itself"):
                pc.wait_for_screen("Register this PC", _LIMIT_S)
                pc.running.screen.press("r")
                pc.wait_for_screen("Name of this PC", _LIMIT_S)
                pc.running.screen.type("pc31\n")
                pc.wait_for_screen("Room (then Enter)", _LIMIT_S)
                pc.running.screen.type("room1\n")
                site.wait_for_line("waits for approval, number 1")
                pc.wait_for_screen("waits for approval, number 1", _LIMIT_S)
            with step("the administrator takes it in, for a lesson"):
                assert OLD_PC.mac in site.order("approve")
                assert "pc31 in room1 was taken in" in site.order("approve", "1")
                site.order("set", "pc31", "lesson")
                site.wait_for_line(_WRITTEN)
            with step("at its next try it boots that"):
                pc.running.screen.press("r")
                pc.wait_for_screen("Lesson", _LIMIT_S)
                pc.running.screen.press("ret")
                assert wait_for_start(pc) == SYSTEM
