# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever of the servers is dead: a PC gets to its entry or to its disk, and within a minute."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

import pytest

from ognetboot.inventory.reading import load
from ognetboot.texts.render import render
from unit.ognetboot.texts.ipxe_machine import (
    BUSY,
    MISSING,
    OK,
    REFUSED,
    SILENT,
    STOPPED,
    Ipxe,
)

HERE = Path(__file__).parents[1]
# Of a minute, the rest is the loader's own start and the one on the disk.
MOST_S = 50.0
# Debian 12's iPXE waits so long for a router of IPv6 where there is none, before its script begins.
ROUTER_S = 18.0
KNOWN, STRANGER = "52:54:00:00:00:0a", "52:54:00:ff:ff:ff"
Tree = dict[PurePosixPath, str]


@dataclass
class World:
    """Two servers with one tree; `dies_after` fetches the HTTP server falls silent."""

    tree: Tree
    http: str = OK
    tftp: str = OK
    dies_after: int = 10**6
    asked: int = 0
    # How any fetch of a PC's own file ends, by URL; what is not told, ends as its server does.
    own: Callable[[str], str | None] = lambda _: None

    def serve(self, url: str) -> tuple[str, str]:
        parts = urlsplit(url)
        state = self.http if parts.scheme == "http" else self.tftp
        if parts.scheme == "http":
            self.asked += 1
            state = SILENT if self.asked > self.dies_after else state
        if state == OK and "/ipxe/mac-" in url:
            state = self.own(url) or OK
        if state != OK:
            return state, ""
        path = parts.path.removeprefix("/netboot").lstrip("/")
        content = self.tree.get(PurePosixPath(path))
        if content is None:
            program = path.startswith(("oglive", "disk.", "memtest"))
            return (OK, "program") if program else (MISSING, "")
        return OK, content


@pytest.fixture(scope="module")
def bench() -> Tree:
    inventory = load(HERE / "data" / "bench.toml", allow_test=True)
    return dict(render(inventory, PurePosixPath("/srv/oglive/netboot")))


def pc(world: World, mac: str = KNOWN, platform: str = "efi", silent_s: float = 0) -> Ipxe:
    settings = {"platform": platform, "netX/mac": mac, "netX/ip": "10.0.2.9", "uuid": "0" * 8}
    return Ipxe(world.serve, settings, dhcp_silent_s=silent_s)


def first(world: World) -> str:
    return world.tree[PurePosixPath("boot.ipxe")]


@pytest.mark.parametrize("platform", ["efi", "pcbios"])
def test_a_known_pc_gets_its_entry(bench: Tree, platform: str) -> None:
    world = World(bench)
    one = pc(world, platform=platform)
    assert one.run(first(world)) == "boot"
    assert "http://10.0.2.2/netboot/ipxe/mac-52-54-00-00-00-0a.ipxe" in [u for u, _ in one.fetched]
    assert one.clock_s == 0


@pytest.mark.parametrize("platform", ["efi", "pcbios"])
@pytest.mark.parametrize("mac", [KNOWN, STRANGER])
@pytest.mark.parametrize("tftp", [OK, SILENT])
@pytest.mark.parametrize("http", [OK, REFUSED, SILENT])
def test_a_dead_server_costs_less_than_a_minute(
    bench: Tree, http: str, tftp: str, mac: str, platform: str
) -> None:
    world = World(bench, http, tftp)
    one = pc(world, mac, platform)
    ended = one.run(first(world))
    disk = "chain tftp://10.0.2.2/disk.efi og-disk" if platform == "efi" else "sanboot"
    lost = "exit 1" if platform == "efi" and tftp != OK else disk
    assert ended == ("boot" if http == OK else lost)
    assert one.clock_s <= MOST_S, (one.clock_s, one.fetched)


def test_an_older_ipxe_has_waited_for_a_router_before(bench: Tree) -> None:
    world = World(bench, http=SILENT)
    one = pc(world)
    assert one.run(first(world)) == "chain tftp://10.0.2.2/disk.efi og-disk"
    assert one.clock_s + ROUTER_S <= MOST_S - 5, (one.clock_s, one.fetched)
    assert sum("ogvmlinuz" in url for url, _ in one.fetched) == 1


def test_a_server_that_answered_is_asked_for_an_entry_twice(bench: Tree) -> None:
    world = World(bench, dies_after=2)
    one = pc(world)
    assert one.run(first(world)) == "chain tftp://10.0.2.2/disk.efi og-disk"
    assert sum("ogvmlinuz" in url for url, _ in one.fetched) == 2


@pytest.mark.parametrize("fetches", range(6))
def test_a_server_that_falls_silent_in_between_costs_no_more(bench: Tree, fetches: int) -> None:
    world = World(bench, dies_after=fetches)
    one = pc(world)
    assert one.run(first(world)) in ("chain tftp://10.0.2.2/disk.efi og-disk", "boot")
    assert one.clock_s <= MOST_S, (one.clock_s, one.fetched)


def test_a_server_that_failed_has_not_said_that_it_does_not_know_the_pc(bench: Tree) -> None:
    world = World(bench, dies_after=1)
    one = pc(world)
    one.run(first(world))
    assert ("tftp://10.0.2.2/ipxe/mac-52-54-00-00-00-0a.ipxe", OK) in one.fetched
    assert not [url for url, _ in one.fetched if "default" in url]


@pytest.mark.parametrize("platform", ["efi", "pcbios"])
@pytest.mark.parametrize("fault", [BUSY, SILENT, REFUSED, STOPPED])
def test_the_own_file_of_a_pc_that_fails_never_leads_to_the_menu_of_all(
    bench: Tree, fault: str, platform: str
) -> None:
    world = World(bench, own=lambda _: fault)
    one = pc(world, platform=platform)
    disk = "chain tftp://10.0.2.2/disk.efi og-disk" if platform == "efi" else "sanboot"
    assert one.run(first(world)) == disk
    assert not [url for url, _ in one.fetched if "default" in url]
    assert len([url for url, _ in one.fetched if "/mac-" in url]) == 2
    assert one.clock_s <= MOST_S


@pytest.mark.parametrize("fault", [BUSY, SILENT, STOPPED])
def test_a_server_that_failed_once_is_asked_once_more(bench: Tree, fault: str) -> None:
    once = iter([fault])
    world = World(bench, own=lambda _: next(once, None))
    assert pc(world).run(first(world)) == "boot"


@pytest.mark.parametrize("platform", ["efi", "pcbios"])
@pytest.mark.parametrize(("http", "tftp"), [(OK, OK), (OK, SILENT), (REFUSED, OK)])
def test_a_pc_that_nobody_knows_gets_the_menu_of_all(
    bench: Tree, http: str, tftp: str, platform: str
) -> None:
    world = World(bench, http, tftp)
    one = pc(world, STRANGER, platform)
    one.run(first(world))
    assert [url for url, answer in one.fetched if "default" in url and answer == OK]


def grub_asks(tree: Tree, *, own: str, default: str = "0") -> list[str]:
    """What GRUB's first file does, run by a shell: `own` are the codes of the PC's own file."""
    text = tree[PurePosixPath("grub/grub.cfg")]
    text = text[text.index("# BOOTIF") :]
    stubs = """
set() { printf -v "${1%%=*}" %s "${1#*=}"; }
codes=(OWN)
answer() { local one=DEFAULT
  if [[ $1 != */default ]]; then
    one=${codes[0]}
    [ ${#codes[@]} = 1 ] || codes=("${codes[@]:1}")
  fi
  return $one; }
source() { echo "$1"; if answer "$1"; then og_menu=yes; fi; return 0; }
loopback() { [ "$1" = -d ] || answer "$2"; }
regexp() { return 1; }
smbios() { return 1; }
sleep() { echo sleep; }
og_disk() { echo disk; exit; }
prefix=/grub net_default_mac=52:54:00:00:00:0a
set og_menu=
""".replace("OWN", own).replace("DEFAULT", default)
    done = subprocess.run(
        ["bash", "-c", stubs + text], capture_output=True, text=True, check=False, timeout=20
    )
    assert not done.stderr
    return [line.rpartition("/")[2] for line in done.stdout.split()]


@pytest.mark.parametrize("missing", ["5", "29"])
def test_grub_takes_a_missing_file_for_a_stranger(bench: Tree, missing: str) -> None:
    assert grub_asks(bench, own=missing)[-1] == "default"


@pytest.mark.parametrize("fault", ["28", "6", "32"])
def test_grub_takes_no_other_fault_for_a_stranger(bench: Tree, fault: str) -> None:
    asked = grub_asks(bench, own=fault)
    assert asked[-1] == "disk"
    assert "default" not in asked


def test_grub_asks_a_server_that_was_silent_once_more(bench: Tree) -> None:
    assert grub_asks(bench, own="28 0")[-1] == "01-52:54:00:00:00:0a"
    assert grub_asks(bench, own="28 28 0")[-1] == "01-52:54:00:00:00:0a"
    assert grub_asks(bench, own="0") == ["01-52:54:00:00:00:0a"]


def test_grub_without_anything_goes_to_the_disk(bench: Tree) -> None:
    assert grub_asks(bench, own="29", default="29")[-1] == "disk"


def test_dhcp_that_is_silent_for_35_seconds(bench: Tree) -> None:
    world = World(bench)
    one = pc(world, silent_s=35)
    one.settings = {key: value for key, value in one.settings.items() if key != "netX/ip"}
    assert one.run(bench[PurePosixPath("autoexec.ipxe")]) == "boot"
    assert 35 <= one.clock_s <= MOST_S


def test_dhcp_that_never_answers(bench: Tree) -> None:
    world = World(bench)
    one = pc(world, silent_s=10**6)
    one.settings = {key: value for key, value in one.settings.items() if key != "netX/ip"}
    assert one.run(bench[PurePosixPath("autoexec.ipxe")]) == "exit 1"
    assert one.clock_s <= MOST_S


def test_the_address_that_the_firmware_has_is_better_than_none(bench: Tree) -> None:
    world = World(bench)
    one = pc(world, silent_s=10**6)
    one.settings["net0/ip"] = "10.0.2.9"
    assert one.run(bench[PurePosixPath("autoexec.ipxe")]) == "boot"
    assert one.clock_s <= MOST_S
