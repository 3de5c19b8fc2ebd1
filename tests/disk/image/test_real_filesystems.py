# SPDX-License-Identifier: GPL-3.0-or-later
"""Real filesystems, real tools: what we capture and restore is what partclone and fsck see."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from oglib.errors import OgErr, OgError, ProcessError, WriteError
from oglib.image.proving.verify import verify
from oglib.image.reading.local import create_local, local_image
from oglib.image.recording.device_capture import program_for
from oglib.image.writing import direct
from oglib.image.writing.receipt import Receipt
from oglib.image.writing.restore import restore
from quiet import QUIET

MIB = 1 << 20

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: loop devices, mounts")


def run(*argv: str | Path, accept: int = 0) -> str:
    done = subprocess.run([str(word) for word in argv], capture_output=True, text=True, check=False)
    assert done.returncode == accept, (argv, done.returncode, done.stdout, done.stderr)
    return done.stdout


def sparse(path: Path, size: int) -> Path:
    path.touch()
    os.truncate(path, size)
    return path


@contextmanager
def loop(path: Path, sector_size: int = 512) -> Iterator[Path]:
    device = run("losetup", "--find", "--show", "--sector-size", str(sector_size), path).strip()
    try:
        yield Path(device)
    finally:
        run("losetup", "--detach", device)


def some_files(folder: Path, mib: int, seed: int = 1) -> Path:
    """Files of many sizes, some of them incompressible."""
    chance = random.Random(seed)
    written = 0
    while written < mib * MIB:
        size = chance.choice((100, 5000, 70_000, 900_000))
        place = folder / f"d{chance.randrange(20)}" / f"f{written}"
        place.parent.mkdir(parents=True, exist_ok=True)
        text = b"line %d\n" % written * (size // 8)
        place.write_bytes(chance.randbytes(size) if chance.random() < 0.5 else text)
        written += size
    return folder


def ext4(path: Path, size: int, files: Path, *options: str) -> Path:
    run("mke2fs", "-q", "-t", "ext4", *options, "-d", files, sparse(path, size))
    return path


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return some_files(tmp_path_factory.mktemp("files"), 40)


@pytest.fixture(scope="module")
def partition(tmp_path_factory: pytest.TempPathFactory, files: Path) -> Path:
    return ext4(tmp_path_factory.mktemp("fs") / "fs", 160 * MIB, files)


@pytest.fixture(scope="module")
def image_path(tmp_path_factory: pytest.TempPathFactory, partition: Path) -> Path:
    path = tmp_path_factory.mktemp("image") / "ext4.img"
    create_local(partition, path, progress=QUIET)
    return path


def restored(image_path: Path, target: Path) -> Receipt:
    with local_image(image_path) as image:
        return restore(image, target, progress=QUIET)


def partclone_restored(image_path: Path, target: Path, size: int) -> Path:
    """The pipeline that works anywhere, without us."""
    sparse(target, size)
    unpack = subprocess.Popen(["zstd", "-dcq", str(image_path)], stdout=subprocess.PIPE)
    write = subprocess.run(
        ["partclone.restore", "-s", "-", "-O", str(target), "-q", "-f", "1", "-L", "/dev/null"],
        stdin=unpack.stdout, capture_output=True, check=False,
    )  # fmt: skip
    assert (unpack.wait(), write.returncode) == (0, 0), write.stderr
    return target


def test_partclone_restores_the_same_used_blocks(
    tmp_path: Path, partition: Path, image_path: Path
) -> None:
    size = partition.stat().st_size
    run("zstd", "-tq", image_path)
    theirs = partclone_restored(image_path, tmp_path / "theirs", size)
    ours = sparse(tmp_path / "ours", size)
    receipt = restored(image_path, ours)
    assert receipt.verified == "read-back"
    json.dumps(receipt.as_dict())
    with local_image(image_path) as image:
        for each in (partition, theirs, ours):
            verify(image, each, progress=QUIET)
    run("e2fsck", "-fn", ours)
    run("cmp", ours, theirs)  # both were empty: unused blocks are zero in both


def test_the_seek_table_is_the_formats(image_path: Path) -> None:
    said = run("zstd", "-lv", image_path)
    with local_image(image_path) as image:
        assert f"# Zstandard Frames: {len(image.frames)}" in said
        assert "# Skippable Frames: 1" in said
    assert image_path.read_bytes()[-4:] == bytes.fromhex("b1ea928f")


MAKERS = {
    "ext3": (32, ("mke2fs", "-q", "-t", "ext3", "-b", "1024"), ("e2fsck", "-fn")),
    "xfs": (320, ("mkfs.xfs", "-q"), ("xfs_repair", "-n", "-f")),
    "btrfs": (128, ("mkfs.btrfs", "-q"), ("btrfs", "check")),
    "vfat": (48, ("mkfs.fat", "-F", "32"), ("fsck.fat", "-n")),
    "ntfs": (33, ("mkfs.ntfs", "-F", "-Q", "-q"), ("ntfsfix", "-n")),
    "exfat": (33, ("mkfs.exfat",), ("fsck.exfat", "-n")),
    "f2fs": (128, ("mkfs.f2fs", "-q"), ("fsck.f2fs",)),
}


@pytest.mark.parametrize("kind", MAKERS)
def test_every_filesystem_comes_back(tmp_path: Path, kind: str) -> None:
    mib, maker, checker = MAKERS[kind]
    if not shutil.which(maker[0]) or not shutil.which(checker[0]):
        pytest.skip(f"{maker[0]} or {checker[0]} is not installed")
    size = mib * MIB + (512 if kind == "ntfs" else 0)
    source = sparse(tmp_path / "source", size)
    run(*maker, source)
    manifest = create_local(source, tmp_path / "x.img", progress=QUIET)
    assert manifest.device_size_bytes <= size
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    program = program_for(kind)
    run(program, "-c", "-a0", "-q", "-f", "1", "-L", "/dev/null", "-s", source, "-O", theirs)
    run("zstd", "-dq", tmp_path / "x.img", "-o", ours)
    # of btrfs it leaves out second copies of metadata
    assert (manifest.added_blocks == 0) == (kind != "btrfs")
    if not manifest.added_blocks:
        run("cmp", ours, theirs)
    target = sparse(tmp_path / "target", size)
    restored(tmp_path / "x.img", target)
    with local_image(tmp_path / "x.img") as image:
        verify(image, source, progress=QUIET)
        verify(image, target, progress=QUIET)
    run(*checker, target)
    if kind == "ntfs":
        last = [path.read_bytes()[-512:] for path in (source, target)]
        assert last[0] == last[1]
        assert last[0][3:7] == b"NTFS"


def test_a_block_device_is_a_target(tmp_path: Path, partition: Path, image_path: Path) -> None:
    size = partition.stat().st_size
    with loop(sparse(tmp_path / "disk", size + MIB)) as device:
        before = set(Path("/run/oglive/restore").glob("*.map"))
        receipt = restored(image_path, device)
        assert receipt.target_size_bytes == size + MIB
        assert set(Path("/run/oglive/restore").glob("*.map")) == before
        run("e2fsck", "-fn", device)
        with local_image(image_path) as image:
            verify(image, device, progress=QUIET)


def test_one_sector_too_small_is_refused_before_any_write(
    tmp_path: Path, partition: Path, image_path: Path
) -> None:
    size = partition.stat().st_size
    disk = sparse(tmp_path / "disk", size - 512)
    with disk.open("r+b") as file:
        file.write(b"\xa5" * MIB)
    before = run("sha256sum", disk)
    with loop(disk) as device:
        with pytest.raises(OgError) as caught:
            restored(image_path, device)
        assert caught.value.code == OgErr.IMGSIZEPARTITION
        assert str(size) in caught.value.message
        assert str(size - 512) in caught.value.message
    assert run("sha256sum", disk) == before


def test_another_sector_size_is_refused(tmp_path: Path) -> None:
    disk = sparse(tmp_path / "disk", 160 * MIB)
    with loop(disk, 4096) as device:
        run("mke2fs", "-q", "-t", "ext4", device)
        assert create_local(device, tmp_path / "x.img", progress=QUIET).sector_size == 4096
        restored(tmp_path / "x.img", device)
        run("e2fsck", "-fn", device)
    with loop(disk, 512) as device:
        with pytest.raises(
            OgError, match=r"sectors of 512 bytes, the image x .* of 4096"
        ) as caught:
            restored(tmp_path / "x.img", device)
        assert caught.value.code == OgErr.PARTITION


def test_what_is_in_use_is_left_alone(tmp_path: Path, partition: Path, image_path: Path) -> None:
    disk = tmp_path / "disk"
    shutil.copy(partition, disk)
    mount = tmp_path / "mounted"
    mount.mkdir()
    with loop(disk) as device:
        run("mount", "-o", "ro", device, mount)
        try:
            with pytest.raises(OgError, match=f"mounted on {mount}") as caught:
                restored(image_path, device)
            assert caught.value.code == OgErr.LOCKED
            with pytest.raises(OgError, match="in use"):
                create_local(device, tmp_path / "x.img", progress=QUIET)
        finally:
            run("umount", mount)
        with pytest.raises(OgError, match=f"in use by {device}"):
            restored(image_path, disk)
    run("cmp", disk, partition)
    assert not list(tmp_path.glob("x.img*"))


@pytest.mark.parametrize("cached", [True, False])
def test_a_disk_that_loses_what_is_written_is_an_error(
    tmp_path: Path, partition: Path, image_path: Path, monkeypatch: pytest.MonkeyPatch,
    cached: bool,
) -> None:  # fmt: skip
    """A loop device over a full filesystem: its cache takes every write, and then loses it."""
    said = r"Writing .* failed: No space left on device"
    if cached:
        monkeypatch.setattr(direct, "_LEAST_RUN_BYTES", 1 << 40)
        said = r"(Flushing|Reading back) .* failed: Input/output error"  # whoever comes first
    small = tmp_path / "small"
    small.mkdir()
    run("mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", small)
    try:
        with loop(sparse(small / "disk", partition.stat().st_size)) as device:
            with pytest.raises(WriteError, match=said):
                restored(image_path, device)
            with device.open("rb") as file:
                assert file.read(MIB) == bytes(MIB)
    finally:
        run("umount", small)
        for left in Path("/run/oglive/restore").glob("*.map"):
            left.unlink()


def test_a_target_that_fills_up_is_an_error(
    tmp_path: Path, partition: Path, image_path: Path
) -> None:
    small = tmp_path / "small"
    small.mkdir()
    run("mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", small)
    try:
        target = sparse(small / "target", partition.stat().st_size)
        with pytest.raises(WriteError, match=r"Writing .* failed: No space left on device"):
            restored(image_path, target)
        with target.open("rb") as file:
            assert file.read(MIB) == bytes(MIB)
    finally:
        run("umount", small)


def test_capture_says_what_partclone_says_and_leaves_nothing(tmp_path: Path) -> None:
    source = sparse(tmp_path / "source", 8 * MIB)
    with pytest.raises(OgError, match="No filesystem is recognised"):
        create_local(source, tmp_path / "x.img", progress=QUIET)
    with pytest.raises(ProcessError, match=r"partclone\.extfs ended with status"):
        create_local(source, tmp_path / "x.img", filesystem="ext4", progress=QUIET)
    with pytest.raises(OgError, match="crypto_LUKS"):
        create_local(source, tmp_path / "x.img", filesystem="crypto_LUKS", progress=QUIET)
    assert [each.name for each in tmp_path.iterdir()] == ["source"]


def test_the_version_before_is_kept(tmp_path: Path, partition: Path, image_path: Path) -> None:
    for suffix in ("", ".frames", ".json"):
        shutil.copy(f"{image_path}{suffix}", tmp_path)
    old = (tmp_path / "ext4.img").read_bytes()
    create_local(partition, tmp_path / "ext4.img", title="new", progress=QUIET)
    assert (tmp_path / "ext4.img.ant").read_bytes() == old
    assert (tmp_path / "ext4.img.json.ant").exists()
    with local_image(tmp_path / "ext4.img") as image:
        assert image.manifest.title == "new"
    assert not list(tmp_path.glob("*.part"))
