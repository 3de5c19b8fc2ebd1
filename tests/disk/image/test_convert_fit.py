# SPDX-License-Identifier: GPL-3.0-or-later
"""Images made to fit a smaller partition: real filesystems, shrunk by their own tools."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from oglib.deploy.library.shrink import shrunk_copy
from oglib.disk.loop import attached
from oglib.errors import NotFoundError, OgErr, OgError, WriteError
from oglib.filesystem.kinds import KINDS
from oglib.filesystem.mount import mounted
from oglib.filesystem.probe import probe_filesystem
from oglib.filesystem.resize import grow_filesystem
from oglib.image.proving.verify import verify
from oglib.image.reading.local import create_local, local_image
from oglib.image.recording.device_capture import CaptureMeta, capture
from oglib.image.recording.sink import FileSink
from oglib.image.writing.restore import restore
from quiet import QUIET

MIB = 1 << 20

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: loop devices, mounts")

# size before, size wanted, the judge
KINDS_THAT_SHRINK = {
    "ext4": (192, 64, ("e2fsck", "-f", "-n")),
    "ntfs": (96, 40, ("ntfsfix", "--no-action")),
    "btrfs": (512, 300, ("btrfs", "check", "--readonly")),
}


def run(*argv: str | Path) -> str:
    done = subprocess.run([str(word) for word in argv], capture_output=True, text=True, check=False)
    assert done.returncode == 0, (argv, done.returncode, done.stdout, done.stderr)
    return done.stdout


def sparse(path: Path, size: int) -> Path:
    path.touch()
    os.truncate(path, size)
    return path


def fill(root: Path, mib: int) -> dict[str, bytes]:
    """Files, some of them put behind others that go again: so content lies far from the start."""
    chance = random.Random(5)
    (root / "gone").write_bytes(bytes(mib * 3 * MIB))
    files = {f"f{number}": chance.randbytes(MIB) for number in range(mib)}
    for name, content in files.items():
        (root / name).write_bytes(content)
    os.sync()
    (root / "gone").unlink()
    return files


@pytest.mark.parametrize("kind", KINDS_THAT_SHRINK)
def test_an_image_of_a_large_partition_fits_a_small_one(tmp_path: Path, kind: str) -> None:
    large, small, judge = KINDS_THAT_SHRINK[kind]
    for tool in (KINDS[kind].make[0], judge[0]):
        if not shutil.which(tool):
            pytest.skip(f"{tool} is not installed")
    source = sparse(tmp_path / "source", large * MIB)
    with attached(source) as device:
        run(*KINDS[kind].make, device)
        with mounted(device, write=True, kind=KINDS[kind].mount_type) as root:
            files = fill(root, 12)
    create_local(source, tmp_path / "large.img", progress=QUIET)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with (
        local_image(tmp_path / "large.img") as image,
        shrunk_copy(image, small * MIB, scratch, progress=QUIET) as device,
    ):
        made = capture(
            device,
            probe_filesystem(device).kind,
            FileSink(tmp_path / "small.img"),
            meta=CaptureMeta("small"),
            progress=QUIET,
        )
    assert list(scratch.iterdir()) == []
    assert made.device_size_bytes <= small * MIB
    exact = sparse(tmp_path / "exact", made.device_size_bytes)
    larger = sparse(tmp_path / "larger", (small + 8) * MIB)
    with local_image(tmp_path / "small.img") as image:
        verify(image, progress=QUIET)
        for target in (exact, larger):
            restore(image, target, progress=QUIET)
    with attached(larger) as device:
        assert grow_filesystem(device)
    for target in (exact, larger):
        run(*judge, target)
    with attached(larger) as device, mounted(device, kind=KINDS[kind].mount_type) as root:
        assert {path.name: path.read_bytes() for path in root.glob("f*")} == files


@pytest.fixture(scope="module")
def ext4_image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ext4")
    content = folder / "content"
    content.mkdir()
    (content / "file").write_bytes(random.Random(1).randbytes(20 * MIB))
    disk = sparse(folder / "disk", 128 * MIB)
    run("mke2fs", "-q", "-t", "ext4", "-d", content, disk)
    create_local(disk, folder / "x.img", progress=QUIET)
    return folder / "x.img"


def shrink(path: Path, size_bytes: int, folder: Path) -> None:
    """What is to be refused."""
    with local_image(path) as image, shrunk_copy(image, size_bytes, folder, progress=QUIET):
        raise AssertionError("it was shrunk")


@pytest.mark.parametrize("small", [16 * MIB, 28 * MIB])
def test_too_small_a_size_is_refused(tmp_path: Path, ext4_image: Path, small: int) -> None:
    """One is below what the blocks take, the other only below what resize2fs can do."""
    with pytest.raises(OgError, match="what it holds needs") as caught:
        shrink(ext4_image, small, tmp_path)
    assert caught.value.code is OgErr.REDUCEFS
    assert list(tmp_path.iterdir()) == []


def test_no_room_for_the_copy_is_known_before(tmp_path: Path, ext4_image: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    run("mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", small)
    try:
        with pytest.raises(WriteError, match=r"has 32\.0 MiB free, but shrinking"):
            shrink(ext4_image, 64 * MIB, small)
    finally:
        run("umount", small)
    with pytest.raises(NotFoundError, match="no folder"):
        shrink(ext4_image, 64 * MIB, tmp_path / "missing")


def test_what_an_interrupted_run_left_is_replaced(tmp_path: Path, ext4_image: Path) -> None:
    left = tmp_path / ".x.fit"
    left.mkdir()
    (left / "partition").write_bytes(b"half of it")
    with local_image(ext4_image) as image, shrunk_copy(image, 64 * MIB, tmp_path, progress=QUIET):
        assert (left / "partition").stat().st_size <= 64 * MIB
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["xfs", "exfat", "fat32"])
def test_what_cannot_shrink_is_refused_before_any_work(tmp_path: Path, kind: str) -> None:
    if not shutil.which(KINDS[kind].make[0]):
        pytest.skip(f"{KINDS[kind].make[0]} is not installed")
    disk = sparse(tmp_path / "disk", max(64 * MIB, KINDS[kind].least_bytes))
    run(*KINDS[kind].make, disk)
    create_local(disk, tmp_path / "x.img", progress=QUIET)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(OgError, match=f"holds {kind}, which cannot be made smaller") as caught:
        shrink(tmp_path / "x.img", 32 * MIB, tmp_path)
    assert caught.value.code is OgErr.REDUCEFS
    assert sorted(tmp_path.iterdir()) == before
