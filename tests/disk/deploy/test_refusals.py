# SPDX-License-Identifier: GPL-3.0-or-later
"""``og deploy``, ``og image restore`` and ``og os configure`` on disk files: what is refused.

Each refusal leaves every byte of the disk, with ``--dry-run`` and without.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from disk.deploy.conftest import started_by
from disk.deploy.room import MIB, Images, Said, digest, disk_file, og, said
from oglib.boot import grub
from oglib.deploy.opening.memory import of_this_pc
from oglib.deploy.opening.opened import opened
from oglib.deploy.partition import restore as partition_restore
from oglib.deploy.system.deploy import deploy
from oglib.deploy.system.plan import Request, plan
from oglib.disk.find import find_partition
from oglib.disk.firmware import Firmware
from oglib.disk.lock import drop_lock, take_lock
from oglib.disk.loop import attached, partition_device
from oglib.disk.probe import probe_target
from oglib.disk.writing import table
from oglib.errors import OgErr, OgError, PartitionError
from oglib.filesystem import mount
from oglib.filesystem.mount import mounted
from oglib.settings import Settings
from quiet import QUIET

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: loop devices, mounts")


def refused(disk: Path, *words: str | Path) -> Said:
    """The answer of a command that must refuse, the same in a dry run, and must write nothing."""
    before = digest(disk)
    dry = og(*words, "--dry-run")
    assert digest(disk) == before, "the dry run wrote"
    real = og(*words, *(() if words[0] == "os" else ("--yes",)))
    assert digest(disk) == before, f"{real.error}: refused after something was written"
    assert (dry.status, dry.error) == (real.status, real.error)
    assert real.status not in (0, OgErr.NOTFITTED)
    assert len(real.error.splitlines()) == 1
    return real


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    return disk_file(tmp_path / "disk.img")


@dataclass(frozen=True)
class Refusal:
    image: str
    layout: str
    code: OgErr
    words: str


@pytest.mark.parametrize(
    "case",
    [
        Refusal("sectors of 4096", "bios", OgErr.PARTITION, "captured from sectors of 4096"),
        Refusal("debian", "too small", OgErr.IMGSIZEPARTITION, "needs 33554432"),
        Refusal("debian", "ESP too small", OgErr.OUTOFLIMIT, "less than fat32 can be"),
        Refusal("debian", "uefi", OgErr.NOTUEFI, "without a BIOS boot partition"),
        Refusal("debian", "kept", OgErr.PARTITION, "keeps partition 1"),
        Refusal("damaged", "bios", OgErr.IMAGEFILE, "contradict each other"),
    ],
    ids=lambda case: f"{case.image}, {case.layout}",
)
def test_a_deployment_that_cannot_end_well_is_not_begun(
    disk: Path, images: Images, layouts: Path, case: Refusal
) -> None:
    layout = layouts / f"{case.layout}.json"
    told = refused(disk, "deploy", images.get(case.image), disk, "1", "--layout", layout)
    assert told.status == case.code, told.error
    assert case.words in told.error


@pytest.mark.parametrize("verb", ["deploy", "restore"])
def test_a_compressed_raw_copy_that_is_too_large(
    disk: Path, layouts: Path, tmp_path: Path, verb: str
) -> None:
    """How much room it needs shows only when all of it is read: before the table is written."""
    raw = tmp_path / "big.img"
    with raw.open("wb") as file:
        file.truncate(60 * MIB)
    said("mke2fs", "-q", "-t", "ext4", raw)
    said("gzip", "-1", raw)
    image = raw.with_name("big.img.gz")
    words: tuple[str | Path, ...] = ("image", "restore", image, disk, "1")
    if verb == "deploy":
        words = ("deploy", image, disk, "1", "--layout", layouts / "bios.json")
    assert refused(disk, *words).status == OgErr.IMGSIZEPARTITION


@pytest.mark.parametrize("verb", ["deploy", "restore"])
def test_a_partclone_image_that_was_cut(
    disk: Path, layouts: Path, tmp_path: Path, verb: str
) -> None:
    """A plain file is as long as its header says, or it is refused before the table is written."""
    filesystem, image = tmp_path / "fs", tmp_path / "cut.img"
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/thesis").write_bytes(os.urandom(4 * MIB))
    said("mke2fs", "-q", "-t", "ext4", "-d", tmp_path / "tree", filesystem, "32M")
    said("partclone.extfs", "-c", "-q", "-s", filesystem, "-O", image, "-L", tmp_path / "log")
    with image.open("r+b") as file:
        file.truncate(image.stat().st_size - 1)
    words: tuple[str | Path, ...] = ("image", "restore", image, disk, "1")
    if verb == "deploy":
        words = ("deploy", image, disk, "1", "--layout", layouts / "bios.json")
    assert "is cut off" in refused(disk, *words).error
    assert "is cut off" in og("image", "info", image).out


@pytest.mark.parametrize("packer", [("gzip", "-1"), ("zstd", "-q", "--rm"), ("xz", "-0")])
def test_a_packed_partclone_image_that_was_cut(
    disk: Path, layouts: Path, tmp_path: Path, packer: tuple[str, ...]
) -> None:
    """That it is whole shows only when it is read: it is, before the table is written."""
    filesystem, image = tmp_path / "fs", tmp_path / "cut.img"
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/thesis").write_bytes(os.urandom(4 * MIB))
    said("mke2fs", "-q", "-t", "ext4", "-d", tmp_path / "tree", filesystem, "32M")
    said("partclone.extfs", "-c", "-q", "-s", filesystem, "-O", image, "-L", tmp_path / "log")
    said(*packer, image)
    (packed,) = tmp_path.glob("cut.img.*")
    with packed.open("r+b") as file:
        file.truncate(packed.stat().st_size - MIB)
    told = refused(disk, "deploy", packed, disk, "1", "--layout", layouts / "bios.json")
    assert told.status == OgErr.IMAGE, told.error
    assert "ends too early" in told.error


def test_an_empty_list_of_partitions_is_not_the_whole_disk(disk: Path, tmp_path: Path) -> None:
    """A script's empty variable asks for less, and must not get everything."""
    assert og("image", "create", disk, "whole", "--to", tmp_path).status == 0
    told = refused(disk, "image", "restore", tmp_path / "whole", disk, "--parts", "")
    assert "no list of partitions" in told.error


@pytest.mark.parametrize(
    "words",
    [
        ("fs", "format", "1", "1", "ext4"),
        ("disk", "apply", "1", "LINUX:20000"),
        ("cache", "create", "20MiB", "--disk", "1"),
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_a_dry_run_on_a_disk_in_use(
    disk: Path, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OG_DISKS", str(disk))
    with mounted_part(disk):
        before = digest(disk)
        dry, real = og(*words, "--dry-run"), og(*words, "--yes")
        assert dry.status == real.status != 0, (dry, real)
        assert digest(disk) == before


def test_a_layout_without_the_partition(disk: Path, images: Images, layouts: Path) -> None:
    told = refused(
        disk, "deploy", images.get("debian"), disk, "4", "--layout", layouts / "bios.json"
    )
    assert told.status == OgErr.NOTFOUND


def test_a_table_that_the_tools_refuse(
    tmp_path: Path, images: Images, layouts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is made on a draft before the old system's start is taken away."""
    disk = disk_file(tmp_path / "disk.img", "blank")
    with disk.open("r+b") as file:
        file.write(b"\xeb\x63" + bytes([0x90]) * 400)  # boot code of something

    def refuse(*_: object) -> None:
        raise PartitionError("Number 2 cannot stay free in this table.")

    monkeypatch.setattr(table, "_finished", refuse)
    told = refused(
        disk, "deploy", images.get("debian"), disk, "1", "--layout", layouts / "bios.json"
    )
    assert "cannot stay free" in told.error


def test_a_name_that_no_pc_can_have(disk: Path, images: Images, layouts: Path) -> None:
    told = refused(
        disk, "deploy", images.get("debian"), disk, "1",
        "--layout", layouts / "bios.json", "--hostname", "pc_7!",
    )  # fmt: skip
    assert "not a valid host name" in told.error


def test_a_bios_disk_on_a_uefi_pc(
    disk: Path, images: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    started_by(Firmware.UEFI, monkeypatch)
    assert refused(disk, "deploy", images.get("debian"), disk, "1").status == OgErr.NOTBIOS


def test_an_image_for_uefi_on_a_bios_pc(disk: Path, images: Images) -> None:
    told = refused(disk, "image", "restore", images.get("of UEFI"), disk, "1")
    assert told.status == OgErr.NOTUEFI


@contextmanager
def mounted_part(disk: Path) -> Iterator[None]:
    found = probe_target(disk)
    with partition_device(found, find_partition(found, 1)) as device, mounted(device):
        yield


@contextmanager
def locked(disk: Path) -> Iterator[None]:
    found = probe_target(disk)
    take_lock(found, find_partition(found, 1), pid=1)
    try:
        yield
    finally:
        drop_lock(found, find_partition(found, 1))


@pytest.mark.parametrize("use", [mounted_part, locked], ids=["mounted", "locked"])
@pytest.mark.parametrize("verb", ["deploy", "deploy --layout", "restore", "configure"])
def test_what_somebody_uses(
    disk: Path, images: Images, layouts: Path, verb: str, use: object
) -> None:
    image = images.get("debian")
    words: dict[str, tuple[str | Path, ...]] = {
        "deploy": ("deploy", image, disk, "1"),
        "deploy --layout": ("deploy", image, disk, "1", "--layout", layouts / "bios.json"),
        "restore": ("image", "restore", image, disk, "1"),
        "configure": ("os", "configure", disk, "1"),
    }
    assert callable(use)
    with use(disk):
        assert refused(disk, *words[verb]).status == OgErr.LOCKED


def test_a_disk_with_sectors_of_4096_bytes(tmp_path: Path, images: Images, layouts: Path) -> None:
    file = disk_file(tmp_path / "disk.img", "blank")
    with attached(file, sector_bytes=4096) as disk:
        words = ("deploy", images.get("debian"), disk, "1", "--layout", layouts / "bios.json")
        assert "captured from sectors of 512" in refused(file, *words).error


@pytest.mark.parametrize("given", ["number", "path"])
def test_a_filesystem_does_not_go_over_a_disk_with_partitions(
    disk: Path, images: Images, given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OG_DISKS", str(disk))
    target = "1" if given == "number" else disk
    told = refused(disk, "image", "restore", images.get("debian"), target)
    assert told.status == OgErr.FORMAT
    assert "has partitions" in told.error


def test_a_blank_disk_named_by_its_number_lacks_the_partition(
    tmp_path: Path, images: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = disk_file(tmp_path / "disk.img", "blank")
    monkeypatch.setenv("OG_DISKS", str(disk))
    told = refused(disk, "image", "restore", images.get("debian"), "1")
    assert "has no partitions" in told.error


@pytest.mark.parametrize("what", ["no system", "no GRUB"])
def test_a_system_that_cannot_be_configured_keeps_every_file(
    tmp_path: Path, images: Images, what: str
) -> None:
    disk = disk_file(tmp_path / "disk.img")
    image = images.get("data" if what == "no system" else "without grub")
    assert og("image", "restore", image, disk, "1", "--yes").status == 0
    told = refused(disk, "os", "configure", disk, "1", "--hostname", "pc7")
    assert told.status == (OgErr.NOTOS if what == "no system" else OgErr.NOTFOUND), told.error


def test_a_filesystem_that_this_oglive_cannot_mount(
    disk: Path, images: Images, layouts: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """An image of what this kernel does not know is restored by `og image restore` alone."""
    (tmp_path / "filesystems").write_text("nodev\ttmpfs\n\tvfat\n")
    monkeypatch.setattr(mount, "_FILESYSTEMS", tmp_path / "filesystems")
    monkeypatch.setattr(mount, "_module_there", lambda _: False)
    words = ("deploy", images.get("debian"), disk, "1", "--layout", layouts / "bios.json")
    assert "cannot mount ext4" in refused(disk, *words).error


def test_grub_is_missed_before(
    disk: Path, images: Images, layouts: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(grub, "_MODULES", tmp_path)
    words = ("deploy", images.get("debian"), disk, "1", "--layout", layouts / "bios.json")
    assert refused(disk, *words).status == OgErr.NOTEXEC


def test_the_disk_that_changed_after_the_question_is_left_alone(
    disk: Path, images: Images, layouts: Path
) -> None:
    """Between question and yes somebody mounted it."""
    request, settings = Request(str(disk), "1", str(layouts / "bios.json")), Settings()
    with opened(str(images.get("debian")), settings) as image:
        planned = plan(request, image, settings, progress=QUIET, memory=of_this_pc(settings))
        with mounted_part(disk):
            before = digest(disk)
            with pytest.raises(OgError) as caught:
                deploy(planned, progress=QUIET)
            assert digest(disk) == before
    assert caught.value.code is OgErr.LOCKED


@pytest.mark.parametrize("deployed", [True, False], ids=["deploy", "restore"])
def test_a_partition_that_moved_after_the_question_is_not_written(
    tmp_path: Path, disk: Path, images: Images, deployed: bool
) -> None:
    """Between question and yes somebody partitioned the disk anew."""
    settings, image_file = Settings(), str(images.get("debian"))
    with opened(image_file, settings) as image:
        memory = of_this_pc(settings)
        begin: Callable[[], object]
        if deployed:
            planned = plan(Request(str(disk), "1"), image, settings, progress=QUIET, memory=memory)
            begin = partial(deploy, planned, progress=QUIET)
        else:
            asked = partition_restore.Request(str(disk), "1")
            found = partition_restore.plan(asked, image, settings, memory)
            begin = partial(partition_restore.apply, found, progress=QUIET)
        shutil.copy(disk_file(tmp_path / "other.img", part_mib=40), disk)
        before = digest(disk)
        with pytest.raises(OgError, match="is not as it was when this was planned"):
            begin()
    assert digest(disk) == before
