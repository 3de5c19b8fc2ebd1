# SPDX-License-Identifier: GPL-3.0-or-later
"""``og boot install`` with GRUB's real programs, and filesystems that get a UUID of their own."""

from __future__ import annotations

import json
import os
from contextlib import nullcontext
from pathlib import Path
from uuid import UUID

import pytest

from disk.boot.room import SYSTEM, add_system, inside, make_system, names, read
from disk.deploy.room import MIB, og, said, tree
from oglib.deploy.system import named_elsewhere
from oglib.disk.loop import attached
from oglib.errors import OgErr
from unit.boot.menus import MENU, OTHER, ROOT

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: loop devices, mounts")


def test_grub_in_the_mbr_of_a_disk_file_knows_both_tables(tmp_path: Path) -> None:
    disk = make_system(tmp_path)
    done = og("boot", "install", disk, "1")
    assert done.status == 0, done.err
    assert "GRUB is in the MBR" in done.out
    with disk.open("rb") as file:
        code = file.read(MIB)
    assert b"GRUB" in code[:440]
    with inside(disk) as at:
        core = (at / "boot/grub/i386-pc/core.img").read_bytes()
        # the core that was made is the one behind the MBR
        assert core[8192:12288] in code

    assert read(disk, "boot/grub/grub.cfg") == MENU


def test_a_menu_of_all_systems_and_what_it_leaves_out(tmp_path: Path) -> None:
    disk = make_system(tmp_path)
    done = og("boot", "install", disk, "1", "--menu", "all")
    assert done.status == 0, done.err
    shown = json.loads(og("boot", "menu", disk, "1", "--json").out)
    assert shown["file"] == "boot/grubMBR/boot/grub/grub.cfg"
    assert [one["id"] for one in shown["entries"]] == ["Part-01-01"]


def test_a_system_that_nothing_can_be_installed_for_is_as_it_was(tmp_path: Path) -> None:
    disk = make_system(tmp_path, {"boot/grub/grub.cfg": "menuentry 'x' {\n\ttrue\n}\n"})
    before = names(disk)
    assert og("boot", "install", disk, "2").status != 0
    done = og("boot", "install", disk, "1", "--menu", "all")
    assert done.status == OgErr.NOTFOUND
    assert "starts no kernel" in done.error
    assert names(disk) == before


@pytest.mark.parametrize(
    ("make", "size_mib"),
    [(("mkfs.ext4", "-q"), 16), (("mkfs.xfs", "-q"), 320), (("mkfs.btrfs", "-q"), 128)],
)
def test_another_uuid(tmp_path: Path, make: tuple[str, ...], size_mib: int) -> None:
    path = tmp_path / "disk.img"
    with path.open("wb") as file:
        file.truncate((size_mib + 2) * MIB)
    said("sfdisk", "--quiet", "--no-tell-kernel", path,
         stdin=f"label: dos\nstart=2048,size={size_mib * 2048},type=83\n")  # fmt: skip
    with attached(path, offset_bytes=MIB, size_bytes=size_mib * MIB) as device:
        said(*make, device)
        said("mount", device, tmp_path)
        (tmp_path / "etc").mkdir()
        old = said("blkid", "-p", "-o", "value", "-s", "UUID", device).strip()
        (tmp_path / "etc/fstab").write_text(f"UUID={old.upper()} / auto defaults 0 1\n# {old}0\n")
        said("umount", tmp_path)
    done = og("fs", "uuid", path, "1", "--json")
    assert done.status == 0, done.err
    new = json.loads(done.out)["uuid"]
    assert UUID(new) != UUID(old)
    with attached(path, offset_bytes=MIB, size_bytes=size_mib * MIB) as device:
        assert said("blkid", "-p", "-o", "value", "-s", "UUID", device).strip() == new
        said("mount", device, tmp_path)
        assert (tmp_path / "etc/fstab").read_text() == f"UUID={new} / auto defaults 0 1\n# {old}0\n"
        said("umount", tmp_path)


def test_a_filesystem_whose_uuid_stays(tmp_path: Path) -> None:
    disk = make_system(tmp_path, uuid=ROOT)
    with attached(disk, offset_bytes=41 * MIB, size_bytes=40 * MIB) as device:
        said("mkfs.vfat", device)
    done = og("fs", "uuid", disk, "2")
    assert done.status == OgErr.FILESYS
    assert "cannot be given another UUID" in done.error


BOOT = f"UUID={ROOT} / ext4 defaults 0 1\nUUID={OTHER} /boot ext4 defaults 0 2\n"


def test_a_boot_partition_that_a_system_mounts_by_its_uuid_keeps_it(tmp_path: Path) -> None:
    disk = make_system(tmp_path, {"etc/fstab": BOOT})
    add_system(disk, {"grub/grub.cfg": MENU}, uuid=OTHER, number=2)
    before = disk.read_bytes()
    done = og("fs", "uuid", disk, "2")
    assert done.status == OgErr.FILESYS
    assert "etc/fstab" in done.error
    assert "Nothing was changed" in done.error
    assert disk.read_bytes() == before


def test_a_uuid_that_only_a_comment_or_nobody_else_names(tmp_path: Path) -> None:
    disk = make_system(tmp_path, {"etc/fstab": BOOT.replace(f"UUID={OTHER}", f"#UUID={OTHER}")})
    add_system(disk, {"a": "a file\n"}, uuid=OTHER, number=2)
    done = og("fs", "uuid", disk, "2")
    assert done.status == 0, done.err
    assert "ESP" not in done.err + done.out


def test_a_filesystem_that_holds_no_linux_need_not_be_read(tmp_path: Path) -> None:
    disk = make_system(tmp_path)
    with attached(disk, offset_bytes=41 * MIB, size_bytes=40 * MIB) as device:
        said("mkfs.ntfs", "-Q", "-F", device)
        with device.open("r+b") as file:
            file.seek(20 << 10)  # behind the four first records, by which it is known
            file.write(bytes(20 * MIB))  # its folders are gone: nobody mounts it
    done = og("fs", "uuid", disk, "1")
    assert done.status == 0, done.err


def test_a_copy_of_a_system_gets_a_uuid_while_the_other_keeps_its_own(tmp_path: Path) -> None:
    disk = make_system(tmp_path)
    add_system(disk, SYSTEM, uuid=ROOT, number=2)
    done = og("fs", "uuid", disk, "2")
    assert done.status == 0, done.err
    assert ROOT in read(disk, "etc/fstab", 1)
    assert ROOT not in read(disk, "etc/fstab", 2)


@pytest.mark.parametrize(
    ("name", "named", "told"),
    [
        ("EFI/debian/grub.cfg", ROOT, True),
        ("EFI/debian/grubx64.efi", ROOT.upper(), True),
        ("EFI/debian/grub.cfg", OTHER, False),
        ("notes.txt", ROOT, False),
    ],
)
def test_loaders_that_name_the_old_uuid_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, named: str, told: bool
) -> None:
    disk = make_system(tmp_path)
    said("sfdisk", "--quiet", "--no-tell-kernel", "--part-type", disk, "2", "ef")
    esp = tree(tmp_path / "esp", {name: f"search.fs_uuid {named} root\n"})
    monkeypatch.setattr(named_elsewhere, "opened_esp", lambda *_: nullcontext(esp))
    done = og("fs", "uuid", disk, "1")
    assert done.status == 0, done.err
    assert ("name the old one" in done.err) is told


@pytest.mark.parametrize("words", [("fs", "uuid"), ("boot", "install")])
def test_a_disk_that_is_read_only_is_called_so(tmp_path: Path, words: tuple[str, str]) -> None:
    disk = make_system(tmp_path)
    said("mount", "--bind", disk, disk)
    try:
        said("mount", "-o", "remount,bind,ro", disk)
        done = og(*words, disk, "1")
    finally:
        said("umount", disk)
    assert done.status == OgErr.NOTWRITE
    assert "is read-only" in done.error
