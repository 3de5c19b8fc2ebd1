# SPDX-License-Identifier: GPL-3.0-or-later
"""Old commands that start a system, and the scripts of that name; entries for what is on an ESP.

Going down and loading a kernel are programs that note what they were told, as in
``disk/deploy/test_start.py``, whose PC this is.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from disk.deploy.test_start import DEBIAN, OPTIONS, Pc, pc, pytestmark
from oglib.boot.nvram.table import read_table
from oglib.errors import OgErr
from unit.boot.efivars import ESP, option, words
from unit.shim.old import answer, code_of

__all__ = ["pc", "pytestmark"]

PLACE = ("1", "1")


@pytest.mark.proves("ogLinuxBootParameters")
def test_what_a_linux_starts_by_default(pc: Pc) -> None:
    pc.disk()
    assert answer("ogLinuxBootParameters", *PLACE) == f"/boot/vmlinuz /boot/initrd.img {OPTIONS}"
    # a partition that is mounted at /boot is asked for its own
    own = {name.removeprefix("boot/"): text for name, text in DEBIAN.items() if "boot/" in name}
    own["grub/grub.cfg"] = own["grub/grub.cfg"].replace("/boot/", "/")
    pc.disk(own, name="boot.img")
    assert answer("ogLinuxBootParameters", *PLACE) == f"/vmlinuz /initrd.img {OPTIONS}"


@pytest.mark.refuses("ogLinuxBootParameters")
def test_what_starts_no_linux(pc: Pc) -> None:
    pc.disk({"etc/os-release": "ID=debian\n"})
    assert code_of("ogLinuxBootParameters", *PLACE) == OgErr.NOTFOUND
    assert code_of("ogLinuxBootParameters", "1", "9") == OgErr.NOTFOUND
    assert code_of("ogLinuxBootParameters", "1") == OgErr.FORMAT
    pc.disk({**DEBIAN, "boot/grub/grub.cfg": "menuentry x {\n}\n"}, name="none.img")
    assert code_of("ogLinuxBootParameters", *PLACE) == OgErr.NOTOS


@pytest.mark.proves("ogBoot")
def test_a_system_is_started(pc: Pc, capfd: pytest.CaptureFixture[str]) -> None:
    pc.disk()
    assert answer("ogBoot", *PLACE) is None
    assert capfd.readouterr().out == ""
    (told,) = pc.lines("said")
    assert f"--command-line={OPTIONS}" in told
    assert pc.lines("systemctl") == ["--no-block kexec"]
    answer("ogBoot", *PLACE, "/boot/vmlinuz /boot/initrd.img root=/dev/sda1 ro single")
    assert "--command-line=root=/dev/sda1 ro single" in pc.lines("said")[-1]
    assert (pc.folder / "initrd").read_text() == "an initrd\n\0\0"


@pytest.mark.proves("bootOs", "bootLinux", "bootWindows")
@pytest.mark.parametrize("name", ["bootOs", "bootLinux", "bootWindows"])
def test_the_scripts_start_it_after_what_the_site_does(
    pc: Pc, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    pc.disk()
    store = pc.uefi()
    seen = pc.folder / "seen"
    pc.program("bootOsCustom", f'#!/bin/sh\necho "custom $@ $SITE"; ls /mnt/* > {seen}; exit 3\n')
    pc.patch.setenv("SITE", "lab")
    pc.patch.setenv("OGLOGFILE", str(pc.folder / "log"))
    answer(name, *PLACE)
    said = capfd.readouterr()
    assert said.out.splitlines() == [
        "[0] Starting the system.",
        f"[10] {pc.bin}/bootOsCustom runs before it.",
        "custom 1 1 lab",
        "[70] Unmounting all filesystems.",
        "[90] Starting.",
    ]
    assert "bootOsCustom ended with 3" in said.err
    assert "etc" in seen.read_text().split()  # it is mounted for it
    assert pc.lines("systemctl") == ["--no-block reboot"]
    next_one = read_table(store).next
    assert next_one == 7


@pytest.mark.proves("IniciarSesion")
def test_a_session_is_begun_by_the_bootos_of_the_site(pc: Pc) -> None:
    pc.disk()
    answer("IniciarSesion", "1")
    assert pc.lines("systemctl") == ["--no-block kexec"]
    calls: list[object] = []
    pc.patch.setattr("os.execve", lambda *words: calls.append(words[:2]))
    pc.program("bootOs", "#!/bin/sh\n")
    pc.patch.setenv("OGSCRIPTS", str(pc.bin))
    for given in (("1",), ("1", "1")):
        answer("IniciarSesion", *given)
    assert calls == [(f"{pc.bin}/bootOs", [f"{pc.bin}/bootOs", "1", "1"])] * 2


@pytest.mark.refuses("ogBoot", "bootOs", "bootLinux", "bootWindows", "IniciarSesion")
def test_what_cannot_be_started_is_refused_before_the_site_does_anything(pc: Pc) -> None:
    pc.disk({"Windows/System32/config/SYSTEM": "x"})
    pc.program("bootOsCustom", f"#!/bin/sh\ntouch {pc.folder}/ran\n")
    names = ("ogBoot", "bootOs", "bootLinux", "bootWindows")
    for name in names:
        assert code_of(name, *PLACE) == OgErr.NOTOS
        assert code_of(name, "1", "9") == OgErr.NOTFOUND
        assert code_of(name, "1", "x") == OgErr.FORMAT
        assert code_of(name, "1") == OgErr.FORMAT
    assert code_of("IniciarSesion", "1") == OgErr.NOTOS
    assert code_of("IniciarSesion") == OgErr.FORMAT
    pc.disk(name="linux.img")
    for name in names:
        assert code_of(name, *PLACE, "/boot/gone /x root=/dev/sda1") == OgErr.NOTOS
        assert code_of(name, *PLACE, " ") == OgErr.FORMAT
    assert pc.nothing_was_done()
    assert not (pc.folder / "ran").exists()


@pytest.mark.proves("ogNvramAddEntry")
def test_an_entry_for_what_is_on_the_esp(pc: Pc, capfd: pytest.CaptureFixture[str]) -> None:
    pc.disk()
    store = pc.uefi("EFI/Part-01-02/Boot/ogloader.efi")
    store.write("Boot0010", option("Part-01-02", "/EFI/old.efi"))
    store.write("BootOrder", words(0x10, 2))
    answer("ogNvramAddEntry", "1", "2")
    there = read_table(store)
    assert there.order == (2,)
    made = there.entry(7)
    assert made is not None
    assert made.label == "Part-01-02"
    assert made.option.target.partition == ESP
    assert made.option.target.file == "/EFI/Part-01-02/Boot/ogloader.efi"
    assert capfd.readouterr().err == ""
    answer("ogNvramAddEntry", "Part-01-02", "/EFI/Part-01-02/Boot/ogloader.efi", "TRUE")
    assert read_table(store).order == (2, 7)
    answer("ogNvramAddEntry", "grub", "\\EFI\\grub\\grubx64.efi", "true")
    assert read_table(store).order == (2, 7, 8)
    assert "is not on the ESP yet" in capfd.readouterr().err


@pytest.mark.refuses("ogNvramAddEntry")
def test_without_an_esp_there_is_no_entry(pc: Pc, tmp_path: Path) -> None:
    path = pc.disk()
    store = pc.uefi()
    before = read_table(store)
    blank = tmp_path / "blank.img"
    blank.write_bytes(bytes(1 << 20))
    pc.patch.setenv("OG_DISKS", str(blank))
    assert code_of("ogNvramAddEntry", "1", "2") == OgErr.NOTFOUND
    pc.patch.setenv("OG_DISKS", str(path))
    assert code_of("ogNvramAddEntry", "0", "2") == OgErr.FORMAT
    assert read_table(store) == before
