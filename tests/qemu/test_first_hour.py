# SPDX-License-Identifier: GPL-3.0-or-later
"""README's server block, typed line by line on a machine that has nothing of ogLive yet."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness.accel import Accelerator
from harness.clock import Deadline, poll
from harness.firsthour import FreshMachine
from harness.inventory import Pc
from harness.lan import Lan
from harness.machine import Machine
from harness.menus import has_marked_line
from harness.paths import ROOT, TEST_ARTIFACTS, LiveArtifacts
from harness.qemu_argv import Firmware
from harness.readme import commands
from harness.steps import LOG, step

# Nobody wrote this one into an inventory. Its screen stays in text mode, and can be read as text.
STRANGER = Pc(21, Firmware.BIOS, display="isa-vga")
_CHOICE = re.compile(r"\b2 +ogLive\b")
_MENU = "/netboot/ipxe/default.ipxe"
_ROOT_FILE = "/oglive/current/ogclient.sqfs"


@pytest.fixture
def lan_alone() -> Iterator[Lan]:
    """A segment of its own: no server of the session answers there."""
    lan = Lan("first")
    yield lan
    lan.close()


@pytest.fixture
def log_dir(request: pytest.FixtureRequest) -> Iterator[Path]:
    """Logs of this run alone; they stay, for what a reader of README would have seen is in them."""
    path = TEST_ARTIFACTS / str(request.node.name)
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    LOG.into(path / "steps.log")
    yield path
    LOG.into(None)


@pytest.fixture
def machine(
    lan_alone: Lan, work_dir: Path, log_dir: Path, accel: Accelerator
) -> Iterator[FreshMachine]:
    fresh = FreshMachine(lan_alone, work_dir / "first-hour", log_dir / "server", accel.timeouts)
    yield fresh
    fresh.close()


def test_the_server_block_of_the_readme_boots_a_pc(
    machine: FreshMachine, lan_alone: Lan, log_dir: Path, accel: Accelerator
) -> None:
    LiveArtifacts.find("default")  # what `make image` makes
    block = commands(ROOT / "README.md", "Use it on your network")
    image, install, check = block
    assert image == "make image"
    machine.add_site_dhcp("10.77.0.100", "10.77.0.199")
    with step("install, twice"):
        assert "make the repository's signing key" in machine.type(install)
        assert machine.type(install).startswith("nothing to change\n")
    with step("its services run by the users and rights of their units"):
        machine.start("ogrepo.service", "ogrepo serves")
        machine.start("oglive-dnsmasq.service", "started")
        answers = machine.type(check).splitlines()
        assert answers
        assert all(line.startswith("good") for line in answers)
    with Machine(
        lan_alone, accel, STRANGER.shape(), log_dir / STRANGER.name, name=STRANGER.name
    ) as pc:
        with step("a PC that nobody registered boots from the network and shows the menu"):
            pc.netboot()
            deadline = Deadline(pc.timeouts.firmware, "the menu is asked for")
            poll(lambda: machine.asked(_MENU), deadline)
            screen = pc.running.screen
            # A newer iPXE draws it over a picture.
            poll(lambda: _CHOICE.search(screen.text()) or has_marked_line(screen) or None, deadline)
        with step("ogLive is chosen, and is ready"):
            pc.running.screen.press("2")
            deadline = Deadline(pc.timeouts.ready, "ogLive is ready")
            poll(lambda: "Ready" in pc.running.screen.text() or None, deadline)
            assert machine.asked(_ROOT_FILE)
