# SPDX-License-Identifier: GPL-3.0-or-later
"""Loaders on the ESP: whose each folder is, what is compared before, full and read-only ones.

The kernel of a build machine may know no FAT: an ext4 stands in for the ESP here, whose files are
written by the same calls. Those on a FAT are proven by the virtual PCs that start from them.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from disk.boot.room import MIB, SYSTEM, add_system, inside
from disk.deploy.room import og, said
from oglib.boot import esp
from oglib.boot.loaders import Pair
from oglib.boot.secure.firmware import Accepts, Signers
from oglib.deploy.system import configure
from oglib.disk.firmware import Firmware
from oglib.disk.loop import attached
from oglib.errors import OgErr
from unit.boot.loaders import authority, grub, shim
from unit.boot.menus import OTHER, ROOT

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: loop devices, mounts")

MICROSOFT, DEBIAN = authority("MS 2011"), authority("Debian CA")
OGLIVE = Pair("ogLive's", shim([MICROSOFT], DEBIAN), grub([DEBIAN]), b"keys")
ESP_AT = 81
LOADERS = ("grub-part", "grub-esp", "grub-removable")
WORDS = [word for name in LOADERS for word in ("--step", name)]
FILES = {"grub.cfg", "grubx64.efi", "mmx64.efi"}


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two places for systems and an ESP; one system that is there, on a PC with UEFI."""
    path = tmp_path / "disk.img"
    with path.open("wb") as file:
        file.truncate(100 * MIB)
    rows = "start=2048,size=81920,type=linux\nstart=83968,size=81920,type=linux\n"
    rows += f"start={ESP_AT * 2048},size=32768,type=uefi\n"
    said("sfdisk", "--quiet", "--no-tell-kernel", path, stdin=f"label: gpt\n{rows}")
    add_system(path, SYSTEM, uuid=ROOT, number=1)
    said("mke2fs", "-q", "-F", "-t", "ext4", "-E", f"offset={ESP_AT * MIB}", path, "16384k")
    monkeypatch.setattr(esp, "_KIND", "ext4")
    monkeypatch.setattr(configure, "running_firmware", lambda: Firmware.UEFI)
    monkeypatch.setattr(esp, "pair_of_oglive", lambda: OGLIVE)
    monkeypatch.setattr(esp, "accepted_here", lambda: Accepts(True, Signers((MICROSOFT.der,))))
    return path


def files_of(disk: Path) -> dict[str, bytes]:
    """What is on the ESP."""
    point = disk.parent / "esp"
    point.mkdir(exist_ok=True)
    with attached(disk, offset_bytes=ESP_AT * MIB, size_bytes=16 * MIB) as device:
        said("mount", "-o", "ro,noload", device, point)
        try:
            return {
                str(one.relative_to(point)): one.read_bytes()
                for one in point.rglob("*")
                if one.is_file()
            }
        finally:
            said("umount", point)


def configured(disk: Path, number: int = 1, *more: str) -> tuple[int, dict[str, tuple[str, str]]]:
    done = og("os", "configure", disk, str(number), *(more or WORDS), "--json")
    steps = json.loads(done.out)["steps"]
    return done.status, {one["name"]: (one["outcome"], one["detail"]) for one in steps}


def test_every_folder_has_the_signed_pair_and_a_stub(disk: Path) -> None:
    status, steps = configured(disk)
    assert status == 0, steps
    found = files_of(disk)
    part, own, removable = ("EFI/Part-01-01/Boot", "EFI/debian", "EFI/BOOT")
    names = {
        *(f"{part}/{name}" for name in (*FILES, "shimx64.efi", "ogloader.efi")),
        *(f"{own}/{name}" for name in (*FILES, "shimx64.efi")),
        *(f"{removable}/{name}" for name in (*FILES, "BOOTX64.EFI")),
    }
    assert set(found) == names
    assert found[f"{part}/ogloader.efi"] == found[f"{removable}/BOOTX64.EFI"] == OGLIVE.shim
    for folder in (part, own, removable):
        assert found[f"{folder}/grub.cfg"].decode() == (
            f"search --no-floppy --fs-uuid --set=root {ROOT}\n"
            "set prefix=($root)/boot/grub\nconfigfile $prefix/grub.cfg\n"
        )
        assert found[f"{folder}/grubx64.efi"] == OGLIVE.grub
    status, steps = configured(disk)
    assert {outcome for outcome, _ in steps.values()} == {"not-needed"}
    assert files_of(disk) == found


def test_the_distributions_own_pair_is_kept_in_its_folder(
    disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = {"usr/lib/shim/shimx64.efi.signed": OGLIVE.shim,
              "usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed":
                  grub([DEBIAN], filler=b"theirs")}  # fmt: skip
    with inside(disk, options="rw") as at:
        for name, data in theirs.items():
            (at / name).parent.mkdir(parents=True)
            (at / name).write_bytes(data)
    configured(disk)
    found = files_of(disk)
    assert b"theirs" in found["EFI/debian/grubx64.efi"]
    assert found["EFI/BOOT/grubx64.efi"] == OGLIVE.grub
    # what the firmware would not start is not taken
    monkeypatch.setattr(
        esp, "accepted_here",
        lambda: Accepts(True, Signers((MICROSOFT.der,)),
                        Signers(digests=frozenset([_digest(found["EFI/debian/grubx64.efi"])]))),
    )  # fmt: skip
    configured(disk)
    assert files_of(disk)["EFI/debian/grubx64.efi"] == OGLIVE.grub


def _digest(data: bytes) -> bytes:
    from oglib.boot.secure.loader import Loader

    return Loader("x", data).digest


def test_what_secure_boot_would_not_start_is_not_written(
    disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(esp, "accepted_here", lambda: Accepts(True, Signers((DEBIAN.der,))))
    status, steps = configured(disk)
    assert status != 0
    for outcome, detail in steps.values():
        assert outcome == "failed"
        assert "Secure Boot is on: ogLive's shim is signed by MS 2011" in detail
    assert files_of(disk) == {}
    monkeypatch.setattr(esp, "pair_of_oglive", lambda: None)
    _, steps = configured(disk)
    assert "neither ogLive nor the system has a signed" in steps["grub-part"][1]


def test_a_second_system_leaves_all_that_starts_the_first(disk: Path) -> None:
    assert configured(disk)[0] == 0
    first = files_of(disk)
    before = content_of(disk, 1)
    second = {name: text.replace(ROOT, OTHER) for name, text in SYSTEM.items()}
    add_system(disk, second, uuid=OTHER, number=2)
    status, steps = configured(disk, 2)
    assert status == 0, steps
    assert steps["grub-part"][0] == "done"
    for name in ("grub-esp", "grub-removable"):
        assert steps[name][0] == "not-needed"
        assert f"it starts the system on the filesystem {ROOT}" in steps[name][1]
    found = files_of(disk)
    assert {name: found[name] for name in first} == first
    assert OTHER in found["EFI/Part-01-02/Boot/grub.cfg"].decode()
    assert content_of(disk, 1) == before
    # the first once more, and neither takes the other's
    configured(disk, 1)
    assert files_of(disk) == found


def test_two_copies_of_one_image_are_told_apart_first(disk: Path) -> None:
    add_system(disk, SYSTEM, uuid=ROOT, number=2)
    status, steps = configured(disk, 2)
    assert status != 0
    assert all("have the UUID" in detail for _, detail in steps.values())
    assert files_of(disk) == {}


def content_of(disk: Path, number: int) -> dict[str, bytes]:
    with inside(disk, number) as at:
        return {str(p.relative_to(at)): p.read_bytes() for p in at.rglob("*") if p.is_file()}


def test_a_loader_of_an_image_that_is_gone_is_replaced(disk: Path) -> None:
    configured(disk)
    newer = {name: text.replace(ROOT, OTHER) for name, text in SYSTEM.items()}
    add_system(disk, newer, uuid=OTHER, number=1)
    status, steps = configured(disk)
    assert (status, {outcome for outcome, _ in steps.values()}) == (0, {"done"})
    assert OTHER in files_of(disk)["EFI/BOOT/grub.cfg"].decode()


def test_what_another_had_at_the_removable_path_stays_beside(disk: Path) -> None:
    point = disk.parent / "esp"
    point.mkdir()
    with attached(disk, offset_bytes=ESP_AT * MIB, size_bytes=16 * MIB) as device:
        said("mount", device, point)
        (point / "EFI/BOOT").mkdir(parents=True)
        (point / "EFI/BOOT/BOOTX64.EFI").write_bytes(b"of a Windows")
        (point / "EFI/BOOT/fbx64.efi").write_bytes(b"a shim would start this one")
        said("umount", point)
    for _ in range(2):
        assert configured(disk)[0] == 0
        found = files_of(disk)
        assert found["EFI/BOOT/BOOTX64.EFI"] == OGLIVE.shim
        assert found["EFI/BOOT/BOOTX64.EFI.og-old"] == b"of a Windows"
        assert "EFI/BOOT/fbx64.efi" not in found


def test_a_read_only_esp_is_a_failed_step_and_nothing_is_half_written(disk: Path) -> None:
    with attached(disk, offset_bytes=ESP_AT * MIB, size_bytes=16 * MIB) as device:
        said("tune2fs", "-O", "read-only", device)
    status, steps = configured(disk)
    assert status == OgErr.GENERIC
    for outcome, detail in steps.values():
        assert outcome == "failed"
        assert "reading only" in detail
    assert files_of(disk) == {}


def test_an_esp_that_cannot_be_mounted_is_a_failed_step_beside_the_others(
    disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(esp, "_KIND", "xfs")
    done = og(
        "os", "configure", disk, "1", "--hostname", "pc17", "--json", "--step", "hostname", *WORDS
    )
    steps = {one["name"]: one for one in json.loads(done.out)["steps"]}
    assert done.status == OgErr.GENERIC
    assert steps["hostname"]["outcome"] == "done"
    assert {steps[name]["outcome"] for name in LOADERS} == {"failed"}
    assert "cannot be mounted" in steps["grub-part"]["detail"]


def test_a_full_esp_is_told_before(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    large = Pair("ogLive's", OGLIVE.shim, grub([DEBIAN], filler=bytes(15 * MIB)))
    monkeypatch.setattr(esp, "pair_of_oglive", lambda: large)
    _, steps = configured(disk)
    assert steps["grub-part"][0] == "failed"
    assert "no room" in steps["grub-part"][1]
    assert files_of(disk) == {}


def test_without_a_signed_pair_its_own_folder_gets_a_grub_made_here(
    disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(esp, "pair_of_oglive", lambda: None)
    monkeypatch.setattr(esp, "accepted_here", Accepts)
    status, steps = configured(disk, 1, "--step", "grub-part")
    assert status == 0, steps
    assert "without a signature" in steps["grub-part"][1]
    (core,) = files_of(disk).values()
    assert ROOT.encode() in core
    assert core[:2] == b"MZ"
