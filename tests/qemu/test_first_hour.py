# SPDX-License-Identifier: GPL-3.0-or-later
"""README's server block, typed on a machine that has nothing of ogLive; and the day it burns."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import restored
from harness.accel import Accelerator
from harness.captured import Captured
from harness.clock import Deadline, poll
from harness.disks import MIB, Disk
from harness.firsthour import FreshMachine
from harness.inventory import Pc
from harness.lan import Lan
from harness.machine import Machine
from harness.menus import has_marked_line
from harness.paths import ROOT, TEST_ARTIFACTS, LiveArtifacts
from harness.qemu_argv import Firmware
from harness.readme import commands
from harness.room import Room
from harness.steps import LOG, step

# Nobody wrote this one into an inventory. Its screen stays in text mode, and can be read as text.
STRANGER = Pc(21, Firmware.BIOS, display="isa-vga")
_CHOICE = re.compile(r"\b2 +ogLive\b")
_MENU = "/netboot/ipxe/default.ipxe"
_ROOT_FILE = "/oglive/current/ogclient.sqfs"
_REPOSITORY = "/srv/oglive"
_INVENTORY = "/etc/oglive/inventory.toml"
# Installs the image by its entry, and switches itself off.
_STUDENT = Pc(22, Firmware.BIOS, display="isa-vga")
_ENTRY = f"""
[entries.install]
title = "Install Debian"
job = {{ deploy = "debian", disk = 1, partition = 1, layout = "bios", after = "poweroff" }}

[rooms.lab]
title = "Laboratory"
timeout_s = 0

[[clients]]
mac = "{_STUDENT.mac}"
name = "{_STUDENT.name}"
room = "lab"
entry = "install"
"""


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


def test_a_server_that_burnt_down_is_rebuilt_and_its_pcs_trust_it(
    room: Room, debian_bios: Captured, lan_alone: Lan, log_dir: Path, accel: Accelerator
) -> None:
    LiveArtifacts.find("default")
    _, install, check = commands(ROOT / "README.md", "Use it on your network")
    scratch = log_dir / "machine"
    safe = log_dir / "elsewhere"
    safe.mkdir()
    backup, kept_bytes = safe / "oglive.backup", safe / "bytes"

    def machine(name: str) -> FreshMachine:
        return FreshMachine(lan_alone, scratch / name, log_dir / name, accel.timeouts)

    old = machine("old")
    try:
        with step("a server with an image and a PC whose entry installs it; its backup, elsewhere"):
            old.type(install)
            image = shlex.quote(str(room.server.image(debian_bios.name)))
            old.type(f".venv/bin/ogrepo import {_REPOSITORY} {image} --name debian")
            old.type(f"cat >>{_INVENTORY} <<'EOF'{_ENTRY}EOF")
            old.type(f".venv/bin/ogrepo backup {_REPOSITORY} {backup}")
            old.type(f"cp -r {_REPOSITORY}/bytes {kept_bytes}")
            key = old.type(f"cat {_REPOSITORY}/keys/*.pub")
    finally:
        old.close()
    new = machine("new")
    try:
        with step("another machine becomes that server"):
            new.type("useradd --system --user-group --no-create-home oglive")
            new.type(f".venv/bin/ogrepo restore {backup} {_REPOSITORY} --bytes {kept_bytes}")
            new.type(install)
            assert new.type(f"cat {_REPOSITORY}/keys/*.pub") == key
            new.type(f".venv/bin/ogrepo verify {_REPOSITORY}")
            new.add_site_dhcp("10.77.0.100", "10.77.0.199")
            new.start("ogrepo.service", "ogrepo serves")
            new.start("oglive-dnsmasq.service", "started")
            assert all(line.startswith("good") for line in new.type(check).splitlines())
            listed = json.loads(new.type(f".venv/bin/ogrepo list {_REPOSITORY} --json"))
            assert [(one["name"], one["version"]) for one in listed["images"]] == [("debian", 1)]
        disk = Disk.empty(scratch / "target.raw", 4096 * MIB, "target")
        with Machine(
            lan_alone, accel, _STUDENT.shape(), log_dir / _STUDENT.name, [disk], name=_STUDENT.name
        ) as pc:
            with step("the PC boots from it, and installs what the old server had signed"):
                pc.netboot()
                shown = pc.wait_for_last_screen(pc.timeouts.long_command)
                assert f"Ready: Debian 13 as {_STUDENT.name}" in shown, shown
            with step("its disk starts"):
                pc.boot_from_disk()
                report = pc.wait_for_report()
                restored.check(report, disk, debian_bios, hostname=_STUDENT.name)
    finally:
        new.close()
        shutil.rmtree(scratch, ignore_errors=True)
        shutil.rmtree(safe)
