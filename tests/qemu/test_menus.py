# SPDX-License-Identifier: GPL-3.0-or-later
"""Menus on the screens of real loaders; pictures of them lie in build/menus afterwards.

A PC of firmware alone, a server that is `ognetboot serve`. A text screen is compared with what
`ognetboot preview` says; of one with a picture the marked line is looked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from harness.accel import TCG
from harness.clock import Deadline, poll
from harness.machine import Machine
from harness.menus import (
    NEWER,
    PASSWORD,
    PICTURES,
    MenuSite,
    has_marked_line,
    this_machine_has_the_older,
)
from harness.paths import needed, program
from harness.process import run
from harness.qemu_argv import Boot, Firmware, FromLoader, FromNetwork, Shape

MAC = "52:54:00:77:00:0e"
NOBODY = "52:54:00:77:00:0f"
_LIMIT_S = 240


@pytest.fixture
def place(work_dir: Path, request: pytest.FixtureRequest) -> Path:
    """A folder that dnsmasq may enter."""
    folder = work_dir / str(request.node.name).replace("[", "-").rstrip("]")
    folder.mkdir()
    return folder


@contextmanager
def site(
    folder: Path, language: str, *, older: bool, loader: str = "ipxe", title: str = ""
) -> Iterator[MenuSite]:
    with MenuSite(folder / "site", MAC, language, older=older, loader=loader, title=title) as one:
        one.wait_until_up()
        yield one


@contextmanager
def pc(
    folder: Path, server: MenuSite, firmware: Firmware, boot: Boot, mac: str = MAC
) -> Iterator[Machine]:
    with Machine(server.lan, TCG, Shape(firmware, mac, 512, 1), folder / "pc") as machine:
        machine.start(boot)
        yield machine


def previewed(server: MenuSite, who: str, *options: str) -> str:
    argv = [program("ognetboot"), "preview", str(server.inventory), who, "--text", *options]
    return run(argv)


def rows_of(text: str) -> list[str]:
    """What stands in the rows, blanks and what only the PC knows left out."""
    rows = [" ".join(row.split()) for row in text.splitlines()]
    return [row for row in rows if row and "52:54:" not in row]


def wait_for_text_menu(machine: Machine, expected: str) -> None:
    """Until the screen shows exactly these rows, the seconds that are left apart."""
    wanted = [row.rpartition(" (")[0] or row for row in rows_of(expected)]

    def look() -> bool | None:
        shown = [row.rpartition(" (")[0] or row for row in rows_of(machine.running.screen.text())]
        return shown[-len(wanted) :] == wanted or None

    poll(look, Deadline(_LIMIT_S, f"the screen shows\n{expected}"))


def wait_for_picture(machine: Machine, size: tuple[int, int], name: str) -> None:
    """Until a screen of this size has a marked line and stands still; its picture is kept."""

    def look() -> bool | None:
        screen = machine.running.screen
        return (screen.pixels()[0] == size and has_marked_line(screen)) or None

    poll(look, Deadline(_LIMIT_S, f"{name}: a menu of {size[0]} x {size[1]} dots"))
    keep(machine, name)


def keep(machine: Machine, name: str) -> None:
    machine.running.screen.wait_until_still(Deadline(_LIMIT_S, f"{name} stands still"))
    PICTURES.mkdir(parents=True, exist_ok=True)
    machine.running.screen.dump(PICTURES / f"{name}.png")


@pytest.mark.parametrize("language", ["en", "es", "ca"])
def test_the_menu_of_a_bios_pc_is_the_previewed_one(place: Path, language: str) -> None:
    with (
        # With an accent no iPXE puts a picture behind it.
        site(place, language, older=True, title="Facultat de Ciències") as server,
        pc(place, server, Firmware.BIOS, FromNetwork()) as machine,
    ):
        wait_for_text_menu(machine, previewed(server, "pc14"))
        keep(machine, f"{language}-bios-text")
        machine.running.screen.press("a")
        wait_for_text_menu(machine, previewed(server, "pc14", "--more"))
        keep(machine, f"{language}-bios-text-more")


@pytest.mark.parametrize("language", ["en", "es", "ca"])
def test_the_menu_of_a_uefi_pc_has_a_picture(place: Path, language: str) -> None:
    with (
        site(place, language, older=False) as server,
        pc(place, server, Firmware.UEFI, FromNetwork()) as machine,
    ):
        wait_for_picture(machine, (1024, 768), f"{language}-uefi-picture")
        machine.running.screen.press("a")
        keep(machine, f"{language}-uefi-picture-more")


@pytest.mark.parametrize("language", ["en", "ca"])
def test_a_newer_ipxe_on_a_bios_has_a_picture_where_no_accent_is_lost(
    place: Path, language: str
) -> None:
    boot = FromLoader(needed(NEWER / "ipxe.lkrn", "setup"))
    with (
        site(place, language, older=False) as server,
        pc(place, server, Firmware.BIOS, boot) as machine,
    ):
        if language == "en":
            wait_for_picture(machine, (1024, 768), "en-bios-picture")
        else:
            wait_for_text_menu(machine, previewed(server, "pc14"))
            keep(machine, "ca-bios-newer-text")


@pytest.mark.skipif(not this_machine_has_the_older(), reason="this machine has a newer iPXE")
def test_the_older_ipxe_on_uefi_has_the_letters_too(place: Path) -> None:
    with (
        site(place, "es", older=True) as server,
        pc(place, server, Firmware.UEFI, FromNetwork()) as machine,
    ):
        poll(
            lambda: machine.running.screen.pixels()[1].count(b"\0\0\x98") > 100_000 or None,
            Deadline(_LIMIT_S, "a blue menu"),
        )
        keep(machine, "es-uefi-2019")


@pytest.mark.parametrize("language", ["en", "es", "ca"])
def test_grub_has_the_picture_too(place: Path, language: str) -> None:
    with (
        site(place, language, older=False, loader="shim") as server,
        pc(place, server, Firmware.UEFI, FromNetwork()) as machine,
    ):
        wait_for_picture(machine, (1024, 768), f"{language}-grub")


@pytest.mark.skipif(not this_machine_has_the_older(), reason="this machine has a newer iPXE")
def test_a_password_is_judged_by_the_server(place: Path) -> None:
    with (
        site(place, "en", older=True) as server,
        pc(place, server, Firmware.BIOS, FromNetwork()) as machine,
    ):
        screen = machine.running.screen
        wait_for_text_menu(machine, previewed(server, "pc14"))
        screen.press("a")
        wait_for_text_menu(machine, previewed(server, "pc14", "--more"))
        for word, verdict in (("wrong", "refused"), (PASSWORD, "opened")):
            screen.press("1")
            machine.wait_for_screen("Password", _LIMIT_S)
            keep(machine, "en-bios-password")
            screen.press("ret")
            screen.type(word)
            screen.press("ret")
            said = server.wait_for_line(f"maintenance: {verdict}", _LIMIT_S)
            assert word not in said
            if verdict == "refused":
                wait_for_text_menu(machine, previewed(server, "pc14"))
                screen.press("a")
                wait_for_text_menu(machine, previewed(server, "pc14", "--more"))


def test_a_pc_that_nobody_knows_registers_itself(place: Path) -> None:
    with (
        site(place, "es", older=True) as server,
        pc(place, server, Firmware.BIOS, FromNetwork(), NOBODY) as machine,
    ):
        screen = machine.running.screen
        wait_for_text_menu(machine, previewed(server, "unknown"))
        keep(machine, "es-bios-unknown")
        screen.press("r")
        machine.wait_for_screen("Nombre de este equipo", _LIMIT_S)
        screen.type("pc15\n")
        machine.wait_for_screen("Aula (", _LIMIT_S)
        screen.type("room1\n")
        machine.wait_for_screen("espera su aprobación, número 1 (pc15)", _LIMIT_S)
        keep(machine, "es-bios-registered")
        waiting = run([program("ognetboot"), "approve", "--inventory", str(server.inventory)])
        assert "pc15" in waiting
        assert NOBODY in waiting
