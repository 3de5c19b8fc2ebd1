# SPDX-License-Identifier: GPL-3.0-or-later
"""A partition of a disk file that somebody mounted by another way is refused as a real one is."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from disk.shim.images import MIB, partitioned, said, tool
from oglib.__main__ import main
from oglib.disk.probe import probe_target
from oglib.errors import OgErr

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: loop devices, mounts")

START, SIZE = 1 * MIB, 16 * MIB
SCRIPT = f"label: gpt\nstart={START // 512}, size={SIZE // 512}\nsize={SIZE // 512}\n"
Way = Callable[[Path, ExitStack], Path]


def loop(stack: ExitStack, *argv: str | Path) -> Path:
    device = said("losetup", "--find", "--show", *argv).strip()
    assert device
    stack.callback(said, "losetup", "--detach", device)
    return Path(device)


def by_offset(disk: Path, stack: ExitStack) -> Path:
    """As ``mount -o loop,offset=`` does: without an end."""
    return loop(stack, f"--offset={START}", disk)


def by_another_name(disk: Path, stack: ExitStack) -> Path:
    other = disk.with_name("another name")
    other.hardlink_to(disk)
    found = loop(stack, f"--offset={START}", f"--sizelimit={SIZE}", other)
    other.unlink()  # the kernel now calls it deleted
    return found


def by_partitions(disk: Path, stack: ExitStack) -> Path:
    whole = loop(stack, "--partscan", disk)
    part = Path(f"{whole}p1")
    if not part.exists():
        number = Path(f"/sys/class/block/{part.name}/dev")
        if not number.exists():
            pytest.skip("this kernel shows no partitions of loop devices")
        major, _, minor = number.read_text().strip().partition(":")
        os.mknod(part, 0o600 | 0o060000, os.makedev(int(major), int(minor)))
        stack.callback(part.unlink)
    return part


def by_two_layers(disk: Path, stack: ExitStack) -> Path:
    return loop(stack, f"--offset={START}", loop(stack, disk))


WAYS = [by_offset, by_another_name, by_partitions, by_two_layers]


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    made = partitioned(tmp_path / "disk", SCRIPT)
    with ExitStack() as stack:
        for number in (1, 2):
            where = START + (number - 1) * SIZE
            tool("mkfs.ext4", "-q", loop(stack, f"--offset={where}", f"--sizelimit={SIZE}", made))
    monkeypatch.setenv("OG_DISKS", str(made))
    before = signal.getsignal(signal.SIGTERM)
    yield made
    signal.signal(signal.SIGTERM, before)


@contextmanager
def mounted(device: Path, point: Path) -> Iterator[None]:
    point.mkdir(exist_ok=True)
    tool("mount", "-o", "ro,noload", device, point)
    try:
        yield
    finally:
        tool("umount", point)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("way", WAYS)
def test_what_is_mounted_another_way_is_in_use_and_refused(
    disk: Path, tmp_path: Path, way: Way, capsys: pytest.CaptureFixture[str]
) -> None:
    point = tmp_path / "point"
    image = tmp_path / "x.raw.img"
    image.write_bytes(bytes(1024))
    with image.open("r+b") as file:
        file.truncate(SIZE)
    subprocess.run(["mkfs.ext4", "-q", "-F", image], check=True)
    with ExitStack() as stack, mounted(way(disk, stack), point):
        before = digest(disk)
        first, second = probe_target(disk).partitions
        assert f"mounted on {point}" in first.use
        assert first.mountpoints == (str(point),)
        assert not any("mounted" in use for use in second.use)
        for words in (
            ["image", "restore", image, "1", "1", "--yes"],
            ["image", "create", "1", "1", "x", "--to", tmp_path],
            ["fs", "format", "1", "1", "ext4", "--yes"],
            ["disk", "apply", "1", "LINUX:10000", "--yes"],
            ["fs", "check", "1", "1"],
        ):
            assert main([str(word) for word in words]) != 0, words
            told = capsys.readouterr().err
            assert str(point) in told, (words, told)
            assert "defect" not in told
        assert digest(disk) == before
        assert not (tmp_path / "x.img").exists()
        # its neighbour is nobody's
        assert main(["image", "restore", str(image), "1", "2", "--yes"]) == 0


def test_a_mapped_stretch_counts_too(disk: Path, tmp_path: Path) -> None:
    name = f"ogtest-{os.getpid()}"
    with ExitStack() as stack:
        whole = loop(stack, disk)
        table = f"0 {SIZE // 512} linear {whole} {START // 512}"
        made = subprocess.run(
            ["dmsetup", "create", name, "--noudevsync", "--table", table],
            capture_output=True, check=False,
        )  # fmt: skip
        if made.returncode:
            pytest.skip("no device mapper here")
        stack.callback(said, "dmsetup", "remove", "--noudevsync", name)
        assert any(f"holds /dev/mapper/{name}" in use for use in probe_target(disk).in_use)
        image = tmp_path / "x.raw.img"
        image.write_bytes(disk.read_bytes()[START : START + SIZE])
        before = digest(disk)
        assert main(["image", "restore", str(image), "1", "1", "--yes"]) == OgErr.LOCKED
        assert digest(disk) == before


def test_swap_on_a_stretch_counts_too(disk: Path) -> None:
    with ExitStack() as stack:
        device = loop(stack, f"--offset={START}", f"--sizelimit={SIZE}", disk)
        tool("mkswap", device)
        if subprocess.run(["swapon", device], capture_output=True, check=False).returncode:
            pytest.skip("no swap here")
        stack.callback(said, "swapoff", device)
        assert "active swap" in probe_target(disk).partitions[0].use
        assert main(["fs", "format", "1", "1", "ext4", "--yes"]) != 0
