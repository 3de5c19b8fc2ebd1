# SPDX-License-Identifier: GPL-3.0-or-later
"""Old commands that put GRUB into an MBR and onto an ESP: GRUB's real programs on disk files."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from disk.boot.room import MIB, SYSTEM, add_system, inside, make_system, read
from disk.boot.test_esp import OGLIVE, disk, files_of
from disk.deploy.room import said
from disk.shim.images import refusal
from oglib.boot.nvram import variables
from oglib.boot.nvram.table import read_table
from oglib.boot.nvram.variables import Variables
from oglib.boot.secure.firmware import Accepts, Signers
from oglib.deploy.system import loader
from oglib.disk.find import find_disk
from oglib.disk.firmware import Firmware
from oglib.errors import OgErr
from oglib.shim import efi_copies, grub_install
from unit.boot.efivars import ovmf
from unit.boot.loaders import authority
from unit.boot.menus import MENU, OTHER, ROOT
from unit.shim.old import Old, answer

__all__ = ["disk"]

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: loop devices, mounts")

OF_MBR = "boot/grubMBR/boot/grub/grub.cfg"
TRAP = "#!/bin/sh\ntouch /tmp/og-trap-grub\n"
LINES = f"""
set default=0
menuentry 'Other' {{
\tlinux /boot/vmlinuz root=UUID={OTHER} ro $extra
\tinitrd /boot/initrd.img
}}
"""


@pytest.fixture
def bios(tmp_path: Path) -> Path:
    """A disk with two systems, of which one brings programs of its own."""
    path = make_system(tmp_path, {f"usr/{way}/grub-install": TRAP for way in ("bin", "sbin")})
    other = {
        "etc/os-release": "ID=arch\nPRETTY_NAME=\"Arch 'Linux'\"\n",
        "boot/grub/grub.cfg": LINES,
    }
    add_system(path, other, uuid=OTHER, number=2)
    return path


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Variables:
    """The variables of a PC with UEFI."""
    monkeypatch.setattr(variables, "SYS", tmp_path / "sys")
    return ovmf(tmp_path / "sys/firmware/efi/efivars")


@pytest.fixture
def uefi(disk: Path, store: Variables, monkeypatch: pytest.MonkeyPatch) -> Path:  # noqa: ARG001
    """The disk with an ESP, on a PC with UEFI and Secure Boot."""
    monkeypatch.setenv("OG_DISKS", str(disk))
    for module in (grub_install, efi_copies):
        monkeypatch.setattr(module, "running_firmware", lambda: Firmware.UEFI)
    monkeypatch.setattr(loader, "pair_of_oglive", lambda: OGLIVE)
    accepts = Accepts(True, Signers((authority("MS 2011").der,)))
    monkeypatch.setattr(loader, "accepted_here", lambda: accepts)
    return disk


def head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MIB)


@pytest.mark.proves("ogGrubInstallMbr", "ogGetBootMbr")
def test_grub_in_the_mbr_with_the_systems_own_menu(old: Old, bios: Path) -> None:
    assert "no boot code" in old("ogGetBootMbr", 1, disks=[bios]).stdout
    table = head(bios)[440:512]
    told = old("ogGrubInstallMbr", 1, 1, "FALSE", disks=[bios])
    assert (told.status, told.stdout, told.stderr) == (0, "", "")
    assert "GRUB" in old("ogGetBootMbr", 1, disks=[bios]).stdout
    code = head(bios)
    assert code[440:512] == table
    assert any(code[512 : 64 * 512])  # its core, behind the MBR
    assert read(bios, "boot/grub/grub.cfg") == MENU
    with inside(bios) as at:
        assert (at / "boot/grub/i386-pc/normal.mod").is_file()
        assert not (at / "boot/grubMBR").exists()
    assert not Path("/tmp/og-trap-grub").exists()


def test_a_menu_of_all_systems(old: Old, bios: Path) -> None:
    told = old("ogGrubInstallMbr", 1, 1, "TRUE", "nomodeset it's", disks=[bios])
    assert told.status == 0, told.stderr
    text = read(bios, OF_MBR)
    file = bios.parent / "judged.cfg"
    file.write_text(text)
    said("grub-script-check", file)
    assert f"search --no-floppy --fs-uuid --set=root '{ROOT}'" in text
    assert (
        f"linux '/boot/vmlinuz-6.12' 'root=UUID={ROOT}' 'ro' 'quiet' 'nomodeset' 'it'\\''s'" in text
    )
    assert f"linux '/boot/vmlinuz' 'root=UUID={OTHER}' 'ro' 'nomodeset'" in text
    assert "--id Part-01-02 {" in text
    assert read(bios, "boot/grub/grub.cfg") == MENU
    with inside(bios) as at:
        assert (at / "boot/grubMBR/boot/grub/i386-pc/normal.mod").is_file()
    assert old("ogGrubDefaultEntry", 1, 1, 1, 2, disks=[bios]).status == 0
    assert 'set default="Part-01-02"' in read(bios, OF_MBR)


@pytest.mark.parametrize("name", ["boot/grubMBR", "boot/grubMBR/boot", "boot/grub/i386-pc"])
def test_links_that_lead_out_are_not_followed(old: Old, bios: Path, name: str) -> None:
    outside = bios.parent / "outside"
    outside.mkdir()
    with inside(bios, options="rw") as at:
        (at / name).parent.mkdir(parents=True, exist_ok=True)
        (at / name).symlink_to(outside)
    before = head(bios)
    told = old("ogGrubInstallMbr", 1, 1, "TRUE", disks=[bios])
    assert told.status == OgErr.NOTWRITE
    assert list(outside.iterdir()) == []
    assert head(bios) == before


@pytest.mark.proves("ogGrubInstallPartition", "ogGrubUefiConf")
def test_loaders_on_the_esp(uefi: Path, store: Variables) -> None:
    assert answer("ogGrubInstallPartition", "1", "1", "FALSE") is None
    folder = "EFI/Part-01-01/Boot"
    found = files_of(uefi)
    assert found[f"{folder}/ogloader.efi"] == found[f"{folder}/shimx64.efi"] == OGLIVE.shim
    assert (
        f"--set=root {ROOT}\nset prefix=($root)/boot/grub\n" in found[f"{folder}/grub.cfg"].decode()
    )
    answer("ogGrubInstallMbr", "1", "1", "TRUE")
    there = read_table(store)
    made = there.entry(there.order[1])
    assert made is not None
    assert (made.label, made.option.target.file) == ("grub", "/EFI/grub/Boot/ogloader.efi")
    found = files_of(uefi)
    assert "prefix=($root)/boot/grubMBR/boot/grub\n" in found["EFI/grub/Boot/grub.cfg"].decode()
    assert f"root=UUID={ROOT}" in read(uefi, OF_MBR)
    answer("ogGrubUefiConf", "1", "1", "/boot/grubPARTITION")
    found = files_of(uefi)
    for name in (f"{folder}/grub/grub.cfg", "EFI/Part-01-01/grub.cfg", f"{folder}/grub.cfg"):
        assert "prefix=($root)/boot/grubPARTITION/boot/grub\n" in found[name].decode()
    answer("ogGrubUefiConf", "1", "1")
    assert "prefix=($root)/boot/grub\n" in files_of(uefi)[f"{folder}/grub.cfg"].decode()


@pytest.mark.proves("ogCopyEfiBootLoader", "ogRestoreEfiBootLoader")
def test_a_linux_has_no_loader_to_be_kept(uefi: Path) -> None:
    for name in ("ogCopyEfiBootLoader", "ogRestoreEfiBootLoader"):
        assert answer(name, "1", "1") is None
    assert files_of(uefi) == {}


@pytest.mark.proves("ogUuidChange")
def test_a_copy_gets_a_uuid_of_its_own(old: Old, bios: Path) -> None:
    add_system(bios, SYSTEM, uuid=ROOT, number=2)
    told = old("ogUuidChange", 1, 2, disks=[bios])
    assert (told.status, told.stdout) == (0, "")
    with inside(bios, 2) as at:
        device = said("findmnt", "-n", "-o", "SOURCE", at).strip()
        new = said("blkid", "-p", "-o", "value", "-s", "UUID", device).strip()
    assert new != ROOT
    assert read(bios, "etc/fstab", 2) == SYSTEM["etc/fstab"].replace(ROOT, new)
    assert read(bios, "boot/grub/grub.cfg", 2) == MENU.replace(ROOT, new)
    assert read(bios, "boot/grub/grub.cfg", 1) == MENU


@pytest.mark.proves("ogRestoreUuidPartitions")
def test_the_guid_of_the_disk_an_image_was_made_on(
    uefi: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    guid = "AAAAAAAA-1111-4222-8333-BBBBBBBBBBBB"
    monkeypatch.setenv("OGIMG", str(tmp_path))
    (tmp_path / ".lab.img.json").write_text(json.dumps({"guid": guid.lower(), "espguid": guid}))
    before = said("sfdisk", "--dump", uefi).split("unit", 1)[1]
    for _ in range(2):
        answer("ogRestoreUuidPartitions", "REPO", "lab", "1", "1")
        assert said("sfdisk", "--disk-id", uefi).strip() == guid
    assert said("sfdisk", "--dump", uefi).split("unit", 1)[1] == before
    monkeypatch.setattr(efi_copies, "running_firmware", lambda: Firmware.BIOS)
    answer("ogRestoreUuidPartitions", "REPO", "none", "1", "1")
    monkeypatch.setattr(efi_copies, "running_firmware", lambda: Firmware.UEFI)
    assert refusal("ogRestoreUuidPartitions", "REPO", "none", "1", "1") == OgErr.NOTFOUND
    (tmp_path / ".lab.img.json").write_text('{"guid": "x"}')
    assert refusal("ogRestoreUuidPartitions", "REPO", "lab", "1", "1") == OgErr.NOTFOUND
    assert find_disk("1").table == "gpt"


@pytest.mark.proves("ogBootMbrGeneric", "ogBootMbrXP")
@pytest.mark.refuses("ogBootMbrGeneric", "ogBootMbrXP", "ogGetBootMbr")
def test_boot_code_for_an_old_windows_is_retired(
    bios: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OG_DISKS", str(bios))
    before = head(bios)
    for name in ("ogBootMbrGeneric", "ogBootMbrXP"):
        assert refusal(name, 1) == OgErr.NOTEXEC
        assert refusal(name) == OgErr.FORMAT
    assert refusal("ogGetBootMbr", 7) == OgErr.NOTFOUND
    assert head(bios) == before


@pytest.mark.refuses(
    "ogGrubInstallMbr", "ogGrubInstallPartition", "ogGrubUefiConf", "ogCopyEfiBootLoader",
    "ogRestoreEfiBootLoader", "ogUuidChange", "ogRestoreUuidPartitions",
)  # fmt: skip
def test_what_is_not_done(bios: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OG_DISKS", str(bios))
    before = head(bios)
    assert refusal("ogGrubInstallMbr", 1, 1, "maybe") == OgErr.FORMAT
    assert refusal("ogGrubInstallMbr", 1, 9) == OgErr.NOTFOUND
    assert refusal("ogGrubInstallPartition", 1, 1) == OgErr.PARTITION  # of a file
    assert refusal("ogGrubUefiConf", 1, 1) == OgErr.PARTITION  # no ESP
    assert refusal("ogGrubUefiConf", 1, 1, "/a/../b") == OgErr.FORMAT
    assert refusal("ogCopyEfiBootLoader", 1, 1) == OgErr.PARTITION
    assert refusal("ogRestoreEfiBootLoader", 1, 1) == OgErr.PARTITION
    assert refusal("ogUuidChange", 1, 9) == OgErr.NOTFOUND
    assert refusal("ogRestoreUuidPartitions", "REPO", "x", 1) == OgErr.FORMAT
    with inside(bios, 2, options="rw") as at:
        (at / "etc/os-release").unlink()
        (at / "boot/grub/grub.cfg").unlink()
    assert refusal("ogGrubInstallPartition", 1, 2) == OgErr.NOTOS
    assert refusal("ogGrubInstallMbr", 1, 2) == OgErr.NOTFOUND
    assert head(bios) == before
