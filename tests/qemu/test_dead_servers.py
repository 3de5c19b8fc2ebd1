# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers that are dead, or deaf for a while: a PC gets to its entry, or to its disk, in a minute.

The minute is counted from iPXE's first question for an address, as the segment sees it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from harness.clock import Deadline, poll
from harness.inventory import Pc
from harness.lan import SERVER_IP
from harness.machine import Machine
from harness.other_dhcp import other_dhcp
from harness.paths import LiveArtifacts
from harness.qemu_argv import Firmware, FromNetwork
from harness.site import ADDRESSES, Entries, Site, client, inventory_of, wait_for_start
from harness.steps import LOG, step
from harness.tiny_disk import DISK, SYSTEM
from harness.wire import Wire

_MINUTE_S = 60
_DEAF_S = 35
_LIMIT_S = 300
NOBODY = "10.77.0.9"
_ENTRIES: Entries = {
    "localdisk": {"title": "The system on this PC's disk"},
    "lesson": {"title": "Lesson", "kind": "system", "partition": 2},
    "oglive-test": {"title": "ogLive", "profile": "test", "console": ["ttyS0,115200"]},
}
LOADERS = {
    "bios": (Pc(41, Firmware.BIOS), True),
    "uefi-older": (Pc(42, Firmware.UEFI), True),
    "uefi-newer": (Pc(43, Firmware.UEFI), False),
}


@pytest.fixture
def place(work_dir: Path, request: pytest.FixtureRequest) -> Path:
    """A folder that dnsmasq may enter."""
    folder = work_dir / str(request.node.name).replace("[", "-").rstrip("]")
    folder.mkdir()
    return folder


def school(place: Path, loader: str, entry: str, **server: object) -> tuple[Site, Pc]:
    """A site whose PC has that entry for good; nothing is served yet."""
    pc, older = LOADERS[loader]
    text = inventory_of(_ENTRIES, [client(pc, entry=entry)], server)
    return Site(place / "site", text, older=older, router=False), pc


def starts_within_a_minute(
    wire: Wire, pc: Machine, meanwhile: Callable[[float], None] = lambda _: None
) -> str:
    """What starts on its disk; `meanwhile` is told when iPXE began."""
    pc.start(FromNetwork(then_disk=True))
    begun = wire.ipxe_begins(pc.shape.mac, Deadline(_LIMIT_S, "iPXE asks for an address"))
    meanwhile(begun)
    word = wait_for_start(pc)
    took = time.monotonic() - begun
    LOG.show(f"{pc.name} ({pc.shape.firmware}): {word} {took:.1f} s after iPXE's start")
    assert took < _MINUTE_S
    return word


@pytest.mark.parametrize("way", ["refused", "silent", "gone"])
@pytest.mark.parametrize("loader", LOADERS)
def test_without_http_the_disk_starts(place: Path, loader: str, way: str) -> None:
    """The entry is ogLive, which comes by HTTP alone. `gone`: there is no such host."""
    site, pc = school(place, loader, "oglive-test")
    with site, site.dead_http(way), Wire(site.lan) as wire, site.pc(pc) as machine:
        if way == "gone":
            tree = place / "tree"
            site.render(tree)
            send_elsewhere(tree, f"http://{SERVER_IP}:", f"http://{NOBODY}:")
            site.dnsmasq(tree)
        else:
            site.serve("--no-http")
        assert starts_within_a_minute(wire, machine) == DISK
        assert wire.heard(lambda one: one.what == "http") or way == "gone"


def send_elsewhere(tree: Path, here: str, there: str) -> None:
    """Replace an address in all files of the tree."""
    for path in tree.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            path.write_bytes(content.replace(here.encode(), there.encode()))


def test_a_dhcp_server_deaf_for_a_while_is_waited_for(place: Path) -> None:
    """It hears the firmware, and iPXE 35 seconds later.

    That of Debian 12 reads no script before it has an address, and gives up after 15 seconds; the
    firmware then goes through its other ways to boot, which takes minutes.
    """
    site, pc = school(place, "uefi-newer", "lesson")
    with site, Wire(site.lan) as wire, site.pc(pc) as machine:
        site.serve("--no-dhcp", "--no-tftp")
        tree = place / "dhcp"
        site.render(tree)
        deaf = site.dnsmasq(tree, "--dhcp-ignore=tag:ipxe")

        def hear_again(begun: float) -> None:
            passed = Deadline(_LIMIT_S, "the server is deaf for a while")
            poll(lambda: time.monotonic() >= begun + _DEAF_S or None, passed)
            deaf.stop()
            site.dnsmasq(tree)

        assert starts_within_a_minute(wire, machine, hear_again) == SYSTEM


@pytest.mark.parametrize("loader", LOADERS)
def test_a_proxy_beside_the_dhcp_server_of_the_site(place: Path, loader: str) -> None:
    site, pc = school(place, loader, "lesson", dhcp="proxy", dhcp_range=None)
    with site, other_dhcp(site.lan, site.folder, *ADDRESSES), Wire(site.lan) as wire:
        site.serve()
        with site.pc(pc) as machine:
            assert starts_within_a_minute(wire, machine) == SYSTEM


def test_a_cable_out_while_the_kernel_starts_is_waited_for(
    place: Path, live: LiveArtifacts
) -> None:
    site, pc = school(place, "bios", "oglive-test")
    with site, site.pc(pc, memory_mib=1024) as machine:
        site.offer(live)
        site.serve()
        with step("the kernel took over, and the cable is out for a while"):
            machine.start(FromNetwork(then_disk=True))
            machine.wait_for_console("Linux version", _LIMIT_S, "the kernel starts")
            machine.set_link(up=False)
            out = time.monotonic()
            passed = Deadline(_LIMIT_S, "the cable is out for a while")
            poll(lambda: time.monotonic() >= out + _DEAF_S or None, passed)
            machine.set_link(up=True)
        machine.wait_for_ready()
