# SPDX-License-Identifier: GPL-3.0-or-later
"""Systems whose parts lie on filesystems of their own, fitted: each file is changed where it is."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from disk.deploy.room import Said, og
from disk.inventory.room import MIB, tool
from disk.osconfig.systems import BOOT_UUID, ROOT_UUID, device_of, make_debian, make_disk, seen_at
from oglib.deploy.system import configure
from oglib.disk.find import find_disk
from oglib.disk.firmware import Firmware
from oglib.errors import OgErr
from oglib.osconfig.opened_system import opened_system

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: loop devices, mounts")

SIZES = (24, 32, 12)
ROOT, BOOT, VAR = 1, 2, 3
VAR_UUID = "33333333-3333-4333-8333-333333333333"
GONE = "99999999-9999-4999-8999-999999999999"
ALL_APART = (
    "/dev/sda5 / ext4 defaults 0 1\n"
    f"UUID={BOOT_UUID} /boot ext4 defaults 0 2\n"
    f"UUID={VAR_UUID} /var ext4 defaults 0 2\n"
)
FILES = {
    "boot/loader/entries/x.conf": f"initrd /i\noptions root=UUID={GONE} ro\n",
    "var/lib/dbus/machine-id": "0123456789abcdef0123456789abcdef\n",
}


@pytest.fixture(autouse=True)
def _bios(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(configure, "running_firmware", lambda: Firmware.BIOS)


def apart(folder: Path, fstab: str, grub: str = "boot/grub") -> tuple[Path, Path]:
    """A disk with a Debian's root and /boot, and another one with its /var."""
    folder.mkdir()
    disk, other = make_disk(folder / "a.img", SIZES), make_disk(folder / "b.img", (12,))
    tree = make_debian(folder / "tree", {"etc/fstab": fstab, **FILES})
    (tree / "boot/grub").rename(tree / grub)
    places = {
        "boot": (disk, SIZES, BOOT, BOOT_UUID),
        "var": (other, (12,), 1, VAR_UUID),
        "": (disk, SIZES, ROOT, ROOT_UUID),
    }
    for name, (file, sizes, number, uuid) in places.items():
        with device_of(file, sizes, number) as device:
            tool("mkfs.ext4", "-q", "-U", uuid, "-d", tree / name, device)
        for inner in (tree / name).iterdir() if name else ():
            tool("rm", "-r", inner)
    return disk, other


@pytest.fixture
def pc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    disks = apart(tmp_path / "pc", ALL_APART)
    monkeypatch.setenv("OG_DISKS", ":".join(str(disk) for disk in disks))
    return disks


def configured(*more: str) -> Said:
    return og("os", "configure", "1", "1", "--hostname", "pc17", *more)


def steps_of(said: Said) -> dict[str, tuple[str, str]]:
    found = json.loads(said.out)["steps"]
    return {one["name"]: (one["outcome"], one["detail"]) for one in found}


def test_each_file_is_changed_on_its_own_filesystem(pc: tuple[Path, Path], tmp_path: Path) -> None:
    disk, other = pc
    before = [file.read_bytes() for file in pc]
    dry = configured("--dry-run")
    assert dry.status == 0, dry.err
    assert [file.read_bytes() for file in pc] == before
    assert "+++ b/boot/loader/entries/x.conf" in dry.out
    real = configured("--json")
    assert real.status == 0, real.err
    assert {outcome for outcome, _ in steps_of(real).values()} == {"done", "not-needed"}
    at = tmp_path / "at"
    with device_of(disk, SIZES, BOOT) as device, seen_at(device, at):
        assert f"root=UUID={ROOT_UUID} ro" in (at / "loader/entries/x.conf").read_text()
        # relative to its own filesystem: GRUB sees no /boot there
        assert "prefix=($root)'/grub'" in (at / "grub/i386-pc/load.cfg").read_text()
        assert BOOT_UUID in (at / "grub/i386-pc/load.cfg").read_text()
    with device_of(other, (12,), 1) as device, seen_at(device, at):
        assert not (at / "lib/dbus/machine-id").exists()
    with device_of(disk, SIZES, ROOT) as device, seen_at(device, at):
        assert (at / "etc/hostname").read_text() == "pc17\n"
        assert f"UUID={ROOT_UUID} / ext4" in (at / "etc/fstab").read_text()
        assert "nofail" not in (at / "etc/fstab").read_text()
        assert list((at / "boot").iterdir()) == list((at / "var").iterdir()) == []
    again = steps_of(configured("--json"))
    assert [name for name, (outcome, _) in again.items() if outcome == "done"] == ["grub-bios"]


def test_a_part_on_a_disk_that_is_not_here_is_no_absence(
    pc: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OG_DISKS", str(pc[0]))
    said = configured("--json")
    assert said.status != 0
    failed = {name: told for name, (ended, told) in steps_of(said).items() if ended == "failed"}
    assert "dbus-machine-id" in failed
    why = f"/var of this system is a filesystem of its own, and its device UUID={VAR_UUID}"
    assert all(why in told for told in failed.values())
    # what lies elsewhere is done
    assert not {"hostname", "fstab", "grub.cfg", "grub-bios"} & set(failed)


def test_without_its_boot_nothing_is_written_but_what_is_asked_for(
    pc: tuple[Path, Path],
) -> None:
    with device_of(pc[0], SIZES, BOOT) as device:
        tool("mkswap", "-q", device)
    before = pc[0].read_bytes()
    said = configured()
    assert said.status == OgErr.NOTFOUND
    assert "/boot of this system is a filesystem of its own" in said.error
    assert pc[0].read_bytes() == before
    assert configured("--step", "hostname").status == 0
    told = configured("--step", "machine-id", "--json")
    assert steps_of(told)["machine-id"][0] == "failed"  # entries could be named by it


@pytest.mark.parametrize("target", ["/var/lib/dbus/machine-id", "../../../var/x", "other"])
def test_a_link_into_a_part_that_is_not_here(
    pc: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    with device_of(pc[0], SIZES, ROOT) as device, seen_at(device, tmp_path / "at") as at:
        (at / "etc/mailname").symlink_to(target)
        (at / "etc/other").symlink_to("/srv/deep")
        (at / "srv").mkdir(exist_ok=True)
        (at / "srv/deep").symlink_to("../var/x")
    monkeypatch.setenv("OG_DISKS", str(pc[0]))
    outcome, detail = steps_of(configured("--step", "hostname", "--json"))["hostname"]
    assert outcome == "failed"
    assert "/var of this system" in detail


def test_grub_in_the_folder_of_fedora(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk, other = apart(tmp_path / "pc", ALL_APART, "boot/grub2")
    monkeypatch.setenv("OG_DISKS", f"{disk}:{other}")
    said = configured("--json")
    assert said.status == 0, said.err
    with device_of(disk, SIZES, BOOT) as device, seen_at(device, tmp_path / "at") as at:
        assert "prefix=($root)'/grub2'" in (at / "grub2/i386-pc/load.cfg").read_text()
        assert not (at / "grub").exists()


def test_a_part_that_somebody_has_locked_or_mounted(pc: tuple[Path, Path], tmp_path: Path) -> None:
    """Two loop devices over one stretch, both written, would destroy what is there."""
    with device_of(pc[1], (12,), 1) as device, seen_at(device, tmp_path / "at"):
        disk = find_disk("1")
        with opened_system(disk, disk.partitions[0], write=True) as system:
            assert system.absent == ("/var",)
            assert "is in use" in system.notes[0]


@pytest.mark.parametrize("full", [False, True])
def test_a_new_esp_at_boot_hides_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, full: bool
) -> None:
    sizes = (24, 40)
    path = make_disk(tmp_path / "d.img", sizes)
    tool("sfdisk", "--quiet", "--no-tell-kernel", "--part-type", path, "2", "ef")
    fstab = f"UUID={ROOT_UUID} / ext4 x 0 1\nUUID=ABCD-1234 /boot vfat x 0 1\n"
    tree = make_debian(tmp_path / "tree", {"etc/fstab": fstab})
    (tmp_path / "file").write_text("x")
    with device_of(path, sizes, 1) as device:
        tool("mkfs.ext4", "-q", "-U", ROOT_UUID, "-d", tree, device)
    with device_of(path, sizes, 2) as device:
        tool("mkfs.vfat", "-F32", "-i", "ABCD1234", "-n", "ESP", device)
        tool("mcopy", "-i", device, tmp_path / "file", "::/gone")
        tool("mdel", "-i", device, "::/gone")
        if full:
            tool("mcopy", "-i", device, tmp_path / "file", "::/vmlinuz")
    assert path.stat().st_size >= 64 * MIB
    monkeypatch.setenv("OG_DISKS", str(path))
    disk = find_disk("1")
    with opened_system(disk, disk.partitions[0]) as system:
        mounted = system.boot is not None or system.absent == ("/boot",)
        assert mounted is full  # which this PC may not be able to mount
        assert full or system.files.exists("boot/grub/grub.cfg")
