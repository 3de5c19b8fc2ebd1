# SPDX-License-Identifier: GPL-3.0-or-later
"""iPXE tells what it is about to start, and gets there whether the server answers or not."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from ognetboot.assigning.model import Assigned
from ognetboot.assigning.offers import Offered, offers_at
from ognetboot.texts.render import render
from ognetboot.texts.screens import screen_for
from unit.ognetboot.assigning.rooms import NOW, given, inventory, pc
from unit.ognetboot.texts.ipxe_machine import MISSING, OK, REFUSED, SILENT, Ipxe

ROOMS = inventory()


def run(entry: str, platform: str, answer: str) -> tuple[Ipxe, str]:
    """A PC that is given the entry once, and starts what it is given."""
    once = given("pc:pc1", entry, boots=1)
    offered = offers_at(ROOMS, Assigned([once]), NOW)
    tree = render(ROOMS, PurePosixPath("/srv/oglive/netboot"), offered)
    settings = {"platform": platform, "netX/mac": "52:54:00:00:00:01", "netX/ip": "10.0.2.9"}
    settings |= {"uuid": "0" * 8, "og_base": "http://10.0.2.2/netboot"}
    machine = Ipxe(lambda url: (answer, "") if "/do/" in url else (OK, "program"), settings)
    machine.run(tree[PurePosixPath("ipxe/mac-52-54-00-00-00-01.ipxe")])
    return machine, f"entry={entry}&stamp={once.number}x1"


@pytest.mark.parametrize("answer", [OK, MISSING, REFUSED, SILENT])
@pytest.mark.parametrize("platform", ["efi", "pcbios"])
@pytest.mark.parametrize("entry", ["windows", "localdisk", "10", "memory"])
def test_it_is_told_once_and_holds_up_nothing(entry: str, platform: str, answer: str) -> None:
    machine, told = run(entry, platform, answer)
    urls = [url for url, _ in machine.fetched]
    reports = [url for url in urls if "/do/reached?" in url]
    assert len(reports) == 1
    assert reports[0].startswith("http://10.0.2.2/netboot/do/reached?mac=52-54-00-00-00-01&")
    assert reports[0].endswith(told)
    assert machine.clock_s <= 15
    # BIOS starts its disk by itself; everything else is a program that is fetched behind the report
    if not (platform == "pcbios" and entry in ("localdisk", "10")):
        assert urls.index(reports[0]) < len(urls) - 1


@pytest.mark.parametrize("platform", ["efi", "pcbios"])
def test_oglive_tells_it_by_itself(platform: str) -> None:
    machine, told = run("oglive", platform, OK)
    assert not [url for url, _ in machine.fetched if "/do/" in url]
    entry, stamp = told.split("&")
    assert f"og{entry}" in machine.kernel
    assert f"og{stamp}" in machine.kernel


def test_what_is_given_is_a_line_of_the_first_screen_with_a_key_of_its_own() -> None:
    screen = screen_for(ROOMS, pc(ROOMS), Offered(ROOMS.entry("memory"), "for good"))
    lines = [item for group in screen.groups for item in group.items]
    assert "memory" in [item.entry for item in lines]
    assert len({item.key for item in lines}) == len(lines)


@pytest.mark.parametrize("words", ["windows", "1:3", "debian"])
def test_in_an_exam_a_menu_has_one_line_and_no_other_key(words: str) -> None:
    exam = given("room:aula1", words, exam=True)
    tree = render(ROOMS, PurePosixPath("/srv"), offers_at(ROOMS, Assigned([exam]), NOW))
    script = tree[PurePosixPath("ipxe/mac-52-54-00-00-00-01.ipxe")].splitlines()
    assert len([line for line in script if line.startswith("item --key ")]) == 1
    assert not [line for line in script if line.startswith(("kernel ", "login", "read "))]
    assert not [line for line in script if "unlock" in line or "register" in line]
    menu = tree[PurePosixPath("grub/01-52:54:00:00:00:01")].splitlines()
    assert not [line for line in menu if line.strip().startswith("linux ")]
