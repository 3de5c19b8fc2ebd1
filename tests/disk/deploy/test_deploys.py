# SPDX-License-Identifier: GPL-3.0-or-later
"""``og deploy`` from image to a fitted system on a disk file, and what a cut leaves."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from disk.deploy.room import IMAGE_MIB, MIB, Images, digest, disk_file, og, said
from oglib.cli import job as cli
from oglib.deploy.jobs import Deploy
from oglib.deploy.system import deploy as system_deploy
from oglib.disk.find import find_partition
from oglib.disk.loop import attached, partition_device
from oglib.disk.probe import probe_target
from oglib.errors import OgErr, OgError
from oglib.filesystem.mount import mounted
from oglib.filesystem.probe import probe_filesystem

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: loop devices, mounts")


@contextmanager
def opened(disk: Path, number: int = 1) -> Iterator[Path]:
    found = probe_target(disk)
    with partition_device(found, find_partition(found, number)) as device:
        yield device


def uuid_on(disk: Path, number: int) -> str:
    with opened(disk, number) as device:
        return probe_filesystem(device).uuid


def boot_code(disk: Path) -> bytes:
    with disk.open("rb") as file:
        return file.read(440)


def deploy(image: Path, disk: Path, layout: Path | None, *more: str) -> tuple[int, str]:
    words = ("deploy", image, disk, "1", "--yes", *(("--layout", layout) if layout else ()), *more)
    told = og(*words)
    return told.status, f"{told.out}\n{told.err}"


def test_a_blank_disk_becomes_a_fitted_debian(
    tmp_path: Path, images: Images, layouts: Path
) -> None:
    disk = disk_file(tmp_path / "disk.img", "blank")
    for _ in range(2):  # and again, over itself
        status, told = deploy(
            images.get("debian"), disk, layouts / "bios.json", "--hostname", "pc7"
        )
        assert status == 0, told
        lines = told.splitlines()
        assert [line for line in lines if line.startswith("step ")] == [
            "step 1 of 5: partition the disk",
            "step 2 of 5: restore debian",
            "step 3 of 5: fill the partition",
            "step 4 of 5: format partition 2 (LINUX-SWAP)",
            "step 5 of 5: fit the system to this PC",
        ]
        assert f"Debian 13 (debian) onto {disk} partition 1" in lines
        assert "Ready: Debian 13 as pc7" in lines
        with opened(disk) as device, mounted(device) as root:
            assert (root / "etc/hostname").read_text() == "pc7\n"
            # the swap was made with the UUID that fstab knows
            assert f"UUID={uuid_on(disk, 2)} none swap" in (root / "etc/fstab").read_text()
            assert os.statvfs(root).f_blocks * 1024 > IMAGE_MIB * MIB, "it did not grow"
        assert b"GRUB" in boot_code(disk)
        assert said("sfdisk", "--verify", disk)


def test_only_the_named_partition_is_written_without_a_layout(
    tmp_path: Path, images: Images
) -> None:
    disk = disk_file(tmp_path / "disk.img")
    with disk.open("r+b") as file:
        file.seek(49 * MIB)
        file.write(b"another system" * 100)
    status, told = deploy(images.get("debian"), disk, None)
    assert status == 0, told
    with disk.open("rb") as file:
        file.seek(49 * MIB)
        assert file.read(14) == b"another system"


@pytest.mark.parametrize("image", ["ntfs", "of a Windows", "boot apart"])
def test_what_cannot_be_fitted_is_restored_and_said(
    tmp_path: Path, images: Images, layouts: Path, image: str
) -> None:
    disk = disk_file(tmp_path / "disk.img", "blank", size_mib=400)
    words = ("deploy", images.get(image), disk, "1", "--layout", layouts / "bios.json")
    dry = og(*words, "--dry-run")
    real = og(*words, "--yes")
    assert dry.status == real.status == OgErr.NOTFITTED, real.err
    assert "restored, not fitted" in dry.out
    last = real.out.strip().splitlines()[-1]
    assert last.startswith("restored, not fitted: ")
    assert last in dry.out
    checked = og("image", "verify", images.get(image), disk, "1")
    assert checked.status == 0 or "grow" in real.out, checked.err


@pytest.mark.parametrize("image", ["btrfs @", "xfs"])
def test_a_system_is_fitted_wherever_it_lies(
    tmp_path: Path, images: Images, layouts: Path, image: str
) -> None:
    kind, _, subvolume = image.partition(" ")
    disk = disk_file(tmp_path / "disk.img", "blank", size_mib=400)
    words = ("deploy", images.get(image), disk, "1", "--layout", layouts / "roomy.json")
    real = og(*words, "--hostname", "pc7", "--yes")
    assert real.status == 0, real.err
    with (
        attached(disk, offset_bytes=MIB) as device,
        mounted(device, kind=kind, options=f"subvol=/{subvolume}" if subvolume else "") as root,
    ):
        assert (root / "etc/hostname").read_text() == "pc7\n"
        # GRUB looks from the top of the filesystem
        prefix = f"'/{subvolume}/boot/grub'" if subvolume else "'/boot/grub'"
        assert prefix in (root / "boot/grub/i386-pc/load.cfg").read_text()
    assert b"GRUB" in boot_code(disk)


def test_a_root_without_its_boot_is_tried_where_partitions_are_kept(
    tmp_path: Path, images: Images
) -> None:
    """An image that was made before says where its /boot lay; whether it is here shows there."""
    disk = disk_file(tmp_path / "disk.img")
    status, told = deploy(images.get("boot apart"), disk, None)
    assert status == 0, told


@pytest.mark.parametrize(("image", "after"), [("ntfs", 1), ("debian", 1), ("damaged", 0)])
def test_a_job_does_what_comes_after_when_all_was_done_that_can_be(
    tmp_path: Path, images: Images, monkeypatch: pytest.MonkeyPatch, image: str, after: int
) -> None:
    """Restored, not fitted, is no failure of the job; an image that is refused is one."""
    disk = disk_file(tmp_path / "disk.img", "blank")
    layout = "LINUX:49152 LINUX-SWAP:8192"
    job = Deploy(str(images.get(image)), str(disk), "1", layout)
    done: list[str] = []
    monkeypatch.setattr(cli, "parse_job", lambda _: job)
    monkeypatch.setattr(cli, "end_of_job", done.append)
    og("job")
    assert len(done) == after


@pytest.mark.parametrize("image", ["data", "without grub"])
def test_what_shows_only_on_the_disk_ends_the_same_way(
    tmp_path: Path, images: Images, layouts: Path, image: str
) -> None:
    """The image does not say that there is no system, or no GRUB: nothing of it is changed."""
    disk = disk_file(tmp_path / "disk.img", "blank")
    status, told = deploy(images.get(image), disk, layouts / "bios.json", "--hostname", "pc7")
    assert status == OgErr.NOTFITTED, told
    assert "restored, not fitted: " in told
    assert b"GRUB" not in boot_code(disk), "it claims to start something"
    if image == "without grub":
        with opened(disk) as device, mounted(device) as root:
            assert (root / "etc/hostname").read_text() == "model-pc\n"


def test_what_is_refused_between_plan_and_fitting_ends_the_same_way(
    tmp_path: Path, images: Images, layouts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The image is on the disk and proven by then."""

    def changed(_: object) -> None:
        raise OgError("The system is not as it was when this was planned.")

    monkeypatch.setattr(system_deploy, "apply_configuration", changed)
    disk = disk_file(tmp_path / "disk.img", "blank")
    status, told = deploy(images.get("debian"), disk, layouts / "bios.json", "--hostname", "pc7")
    assert status == OgErr.NOTFITTED, told
    assert "restored, not fitted: The system is not as it was" in told


def test_a_kept_esp_stays_byte_for_byte(tmp_path: Path, images: Images) -> None:
    disk = tmp_path / "disk.img"
    with disk.open("wb") as file:
        file.truncate(160 * MIB)
    esp_mib = 40
    said(
        "sfdisk", "--quiet", "--no-tell-kernel", disk,
        stdin=f"label: gpt\nstart=2048,size={esp_mib * 2048},type=uefi\n",
    )  # fmt: skip
    with opened(disk) as device:
        said("mkfs.vfat", device)
        kept = digest(device)
    layout = tmp_path / "layout.toml"
    layout.write_text(
        'table = "gpt"\n[[partitions]]\ntype = "EFI"\nnumber = 1\nkeep = true\n'
        '[[partitions]]\ntype = "LINUX"\nsize = "48MiB"\n'
        '[[partitions]]\ntype = "BIOS-BOOT"\nsize = "1MiB"\n'
    )
    told = og("deploy", images.get("debian"), disk, "2", "--layout", layout, "--yes")
    assert told.status == 0, told.err
    with opened(disk) as device:
        assert digest(device) == kept


@pytest.mark.parametrize("layout", [True, False], ids=["layout", "no layout"])
def test_a_deployment_that_was_cut_claims_nothing_and_is_ended_by_the_next(
    tmp_path: Path, images: Images, layouts: Path, layout: bool
) -> None:
    disk = disk_file(tmp_path / "disk.img")
    image = images.get("debian")
    broken = tmp_path / "images"
    said("cp", "-a", image.parent, broken)
    cut = broken / image.name
    with cut.open("r+b") as file:
        file.seek(cut.stat().st_size * 2 // 3)
        file.write(b"\xff" * 64)
    where = layouts / "bios.json" if layout else None
    status, told = deploy(cut, disk, where)
    assert status not in (0, OgErr.NOTFITTED), told
    with opened(disk) as device:
        assert probe_filesystem(device).kind == "", "it looks like a filesystem"
    if layout:
        assert not boot_code(disk).strip(b"\0")
    listed = og("disk", "show", disk)
    assert "Debian" not in listed.out
    status, told = deploy(image, disk, where)
    assert status == 0, told
    with opened(disk) as device, mounted(device) as root:
        assert (root / "boot/vmlinuz").read_text() == "a kernel\n"


def test_sectors_of_4096_bytes(tmp_path: Path, images: Images, layouts: Path) -> None:
    file = disk_file(tmp_path / "disk.img", "blank")
    with attached(file, sector_bytes=4096) as disk:
        words = ("deploy", images.get("sectors of 4096"), disk, "1")
        told = og(*words, "--layout", layouts / "bios.json", "--yes")
        dry = og(*words, "--layout", layouts / "bios.json", "--dry-run")
        assert told.status == dry.status, told.out + told.err
        with opened(disk) as device, mounted(device) as root:
            assert (root / "boot/vmlinuz").read_text() == "a kernel\n"
