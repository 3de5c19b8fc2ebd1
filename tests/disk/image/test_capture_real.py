# SPDX-License-Identifier: GPL-3.0-or-later
"""Captures of real filesystems: what is refused, held, shrunk and packed for old clients."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from oglib.deploy.partition.capture import CaptureWishes, create
from oglib.deploy.whole_disk.table_copy import create_table_image, restore_table_image
from oglib.disk.find import find_disk
from oglib.errors import OgErr, OgError, WriteError
from oglib.filesystem.sizes import size_of
from oglib.image.proving.verify import verify
from oglib.image.reading.local import local_image
from oglib.image.recording.sink import FileSink
from oglib.image.writing.restore import restore
from oglib.settings import Settings
from quiet import QUIET

MIB = 1 << 20

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: loop devices, mounts")


def run(*argv: str | Path) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


def ext4(path: Path, mib: int, *options: str) -> Path:
    path.touch()
    os.truncate(path, mib * MIB)
    run("mke2fs", "-q", "-t", "ext4", *options, path)
    return path


@pytest.fixture
def system(tmp_path: Path) -> Path:
    """An ext4 with a small Debian's identity on it, in a file."""
    tree = tmp_path / "tree"
    (tree / "etc").mkdir(parents=True)
    (tree / "etc/os-release").write_text('ID=debian\nPRETTY_NAME="Debian GNU/Linux 13 (trixie)"\n')
    (tree / "var/lib/dpkg").mkdir(parents=True)
    (tree / "var/lib/dpkg/status").write_text(
        "Package: bash\nStatus: install ok installed\nVersion: 5.2\n\n"
        "Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n"
    )
    (tree / "data").write_bytes(os.urandom(2 * MIB))
    return ext4(tmp_path / "system", 64, "-d", str(tree))


def made(source: Path, folder: Path, name: str = "x", **options: object) -> Path:
    create(
        str(source), None, name, destination=str(folder), settings=Settings(), progress=QUIET,
        wishes=CaptureWishes(**options),  # type: ignore[arg-type]
    )  # fmt: skip
    return folder / f"{name}.img"


def test_the_manifest_tells_what_was_captured(tmp_path: Path, system: Path) -> None:
    with local_image(made(system, tmp_path, title="a title", parent="base")) as image:
        manifest = image.manifest
        assert manifest.source.os == "Debian GNU/Linux 13 (trixie)"
        assert manifest.software == ("bash 5.2",)
        assert (manifest.title, manifest.parent) == ("a title", "base")
        verify(image, system, progress=QUIET)


@pytest.mark.parametrize("compressor", ["lzop", "gzip", "bzip2"])
def test_old_clients_restore_it_by_their_own_tools(
    tmp_path: Path, system: Path, compressor: str
) -> None:
    image = made(system, tmp_path, format=compressor)
    target = tmp_path / "target"
    target.touch()
    os.truncate(target, 64 * MIB)
    run(
        "bash", "-o", "pipefail", "-c",
        f"{compressor} -dc < {image} | partclone.restore -s - -O {target} -q -f 1 -L /dev/null",
    )  # fmt: skip
    run("e2fsck", "-fn", target)
    word = compressor.upper()
    assert (tmp_path / "x.img.info").read_text().startswith(f"PARTCLONE:{word}:EXTFS:65536:")
    assert run("md5sum", image).split()[0] == (tmp_path / "x.img.full.sum").read_text().strip()
    assert not (tmp_path / "x.img.json").exists()


def test_a_journal_that_is_not_empty_is_refused_or_taken(tmp_path: Path, system: Path) -> None:
    point = tmp_path / "mnt"
    point.mkdir()
    copy = tmp_path / "dirty"
    run("mount", "-o", "loop", system, point)
    (point / "more").write_bytes(b"x" * MIB)
    run("sync")
    shutil.copy(system, copy)
    run("umount", point)
    with pytest.raises(OgError, match="not unmounted cleanly") as caught:
        made(copy, tmp_path)
    assert caught.value.code == OgErr.FILESYS
    assert not list(tmp_path.glob("x.img*"))
    made(copy, tmp_path, dirty=True)


def test_encrypted_content_is_taken_raw_and_comes_back(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.write_bytes(b"LUKS\xba\xbe\x00\x02" + bytes(3 * MIB - 8) + os.urandom(MIB))
    with pytest.raises(OgError, match="LUKS"):
        made(disk, tmp_path)
    target = tmp_path / "target"
    target.write_bytes(b"\xa5" * 4 * MIB)
    with local_image(made(disk, tmp_path, raw=True)) as image:
        restore(image, target, progress=QUIET)
    run("cmp", disk, target)


@pytest.mark.parametrize("fails", [False, True])
def test_a_shrunk_filesystem_is_grown_back_whatever_happens(
    tmp_path: Path, system: Path, monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    before = size_of(system)
    if fails:
        monkeypatch.setattr(FileSink, "write", _full)
        with pytest.raises(WriteError, match="full"):
            made(system, tmp_path, shrink=True)
        assert not list(tmp_path.glob("x.img*"))
    else:
        with local_image(made(system, tmp_path, shrink=True)) as image:
            assert image.manifest.device_size_bytes < before / 2
    assert size_of(system) == before
    run("e2fsck", "-fn", system)


def _full(_sink: FileSink, _data: bytes) -> None:
    raise WriteError("full")


def test_nobody_mounts_the_source_while_it_is_captured(
    tmp_path: Path, system: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = run("losetup", "--find", "--show", system).strip()
    point = tmp_path / "mnt"
    point.mkdir()
    tried: list[int] = []
    write = FileSink.write

    def mount_meanwhile(sink: FileSink, data: bytes) -> None:
        tried.append(subprocess.run(["mount", device, point], check=False).returncode)
        write(sink, data)

    monkeypatch.setattr(FileSink, "write", mount_meanwhile)
    try:
        made(Path(device), tmp_path)
    finally:
        run("losetup", "--detach", device)
    assert tried
    assert all(tried)


def test_a_folder_without_room_is_refused_before_the_first_byte(
    tmp_path: Path, system: Path
) -> None:
    small = tmp_path / "small"
    small.mkdir()
    run("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", small)
    try:
        started = time.monotonic()
        with pytest.raises(OgError, match=r"free, the image will take about") as caught:
            made(system, small)
        assert caught.value.code == OgErr.NOTWRITE
        assert time.monotonic() - started < 10
        assert not list(small.iterdir())
    finally:
        run("umount", small)


@pytest.mark.parametrize(("kind", "size"), [("mbr", 512), ("boot", 446), ("gpt", 17920)])
def test_what_lies_outside_of_partitions_comes_back(tmp_path: Path, kind: str, size: int) -> None:
    path = tmp_path / "disk"
    path.touch()
    os.truncate(path, 64 * MIB)
    run("sgdisk", "-n1:0:+10M", "-n2", path)
    with path.open("r+b") as file:
        file.write(bytes(range(200)))
    before = path.read_bytes()
    kept = tmp_path / "kept"
    assert create_table_image(find_disk(str(path)), kind, kept) == size
    run("sgdisk", "--zap-all", path)
    restore_table_image(kept, kind, find_disk(str(path)))
    after = path.read_bytes()
    if kind == "gpt":
        assert after[512 : 34 * 512] == before[512 : 34 * 512]
        assert after[-33 * 512 :] == before[-33 * 512 :]
    else:
        assert after[:size] == before[:size]


@pytest.mark.parametrize("kind", ["mbr", "boot", "gpt"])
def test_a_file_that_is_no_table_is_refused_before_a_write(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "disk"
    path.touch()
    os.truncate(path, 16 * MIB)
    run("sgdisk", "-n1", path)
    before = path.read_bytes()
    (tmp_path / "kept").write_bytes(b"<html>" * 100)
    with pytest.raises(OgError) as caught:
        restore_table_image(tmp_path / "kept", kind, find_disk(str(path)))
    assert caught.value.code == OgErr.IMAGE
    assert path.read_bytes() == before
