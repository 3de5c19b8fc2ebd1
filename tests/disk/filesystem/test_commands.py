# SPDX-License-Identifier: GPL-3.0-or-later
"""``og fs`` on a disk that is a file (``OG_DISKS``), as a person and as a program calls it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pytest

from disk.filesystem.devices import MIB
from oglib.cli import main
from oglib.disk.probe import probe_target
from oglib.errors import OgErr, OgError


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command left."""

    stdout: str
    stderr: str
    returncode: int


Og = Callable[..., Ran]


@pytest.fixture
def og(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Og]:
    """``og fs VERB 1 PART …`` where disk 1 has a partition of 120 MiB and one of 64 MiB."""
    disk = tmp_path / "disk.img"
    disk.touch()
    os.truncate(disk, 200 * MIB)
    table = "label: gpt\nsize=120MiB\nsize=64MiB\n"
    subprocess.run(["sfdisk", "-q", "--no-tell-kernel", disk], input=table, text=True, check=True)
    monkeypatch.setenv("OG_DISKS", str(disk))

    def call(*words: str) -> Ran:
        try:
            status, told = main(["fs", *words]), ""
        except OgError as error:  # what __main__ prints and ends with
            status, told = int(error.code), str(error)
        said = capsys.readouterr()
        return Ran(said.out, said.err + told, status)

    yield call
    # a test that failed must not leave the next run a mount
    subprocess.run(["umount", "--quiet", "/mnt/disk.imgp1"], capture_output=True, check=False)


def done(ran: Ran) -> str:
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


def test_the_life_of_a_filesystem(og: Og) -> None:
    assert og("format", "1", "1", "ext4").returncode == OgErr.FORMAT  # nobody can be asked
    assert done(og("format", "1", "1", "ext4", "--dry-run")).startswith("Format partition 1")
    assert json.loads(done(og("info", "1", "1", "--json")))["kind"] == ""
    assert done(og("format", "1", "1", "ext4", "--label", "data", "--yes")).startswith("ext4 ")
    assert done(og("check", "1", "1")) == "the filesystem is sound"
    point = done(og("mount", "1", "1", "--write"))
    assert point == "/mnt/disk.imgp1"
    (Path(point) / "file").write_text("kept")
    assert done(og("mount", "1", "1")) == point  # says where it is
    assert og("format", "1", "1", "xfs", "--yes").returncode == OgErr.DONTFORMAT
    assert og("shrink", "1", "1").returncode == OgErr.LOCKED
    assert json.loads(done(og("info", "1", "1", "--json")))["mountpoints"] == [point]
    assert done(og("umount", "1", "1")) == point
    assert "not mounted" in og("umount", "1", "1").stderr
    small = json.loads(done(og("shrink", "1", "1", "--json")))["size_bytes"]
    info = json.loads(done(og("info", "1", "1", "--json")))
    assert info["filesystem_bytes"] == small < info["device_bytes"] == 120 * MIB
    assert 0 < info["minimum_bytes"] <= small
    assert info["used_bytes"] > 0
    assert info["free_bytes"] >= 0
    assert info["states"] == []
    assert done(og("grow", "1", "1")) == "the filesystem fills its partition"
    shown = done(og("info", "1", "1"))
    assert "state       clean" in shown
    assert shown.count("120.0 MiB") == 2
    assert done(og("mount", "1", "1")) == point
    assert (Path(point) / "file").read_text() == "kept"
    done(og("umount", "1", "1"))


def test_a_hibernated_windows_is_shown_and_kept(og: Og) -> None:
    done(og("format", "1", "2", "ntfs", "--yes"))
    point = Path(done(og("mount", "1", "2", "--write")))
    (point / "hiberfil.sys").write_bytes(b"HIBR" + bytes(MIB))
    done(og("umount", "1", "2"))
    (state,) = json.loads(done(og("info", "1", "2", "--json")))["states"]
    assert state["trouble"] == "hibernated"
    assert "powercfg /h off" in done(og("info", "1", "2"))
    refused = og("mount", "1", "2", "--write")
    assert refused.returncode == OgErr.FILESYS
    assert "powercfg /h off" in refused.stderr
    assert og("mount", "1", "2", "--discard-hibernation").returncode == OgErr.FORMAT
    reading = og("mount", "1", "2")
    assert "hibernated" in reading.stderr
    assert (Path(done(reading)) / "hiberfil.sys").exists()
    done(og("umount", "1", "2"))
    discarding = og("mount", "1", "2", "--write", "--discard-hibernation")
    assert "thrown away" in discarding.stderr
    assert not (Path(done(discarding)) / "hiberfil.sys").exists()
    done(og("umount", "1", "2"))


def test_what_cannot_be_done_is_said_with_its_number(og: Og) -> None:
    assert og("format", "1", "1", "zfs", "--yes").returncode == OgErr.PARTITION
    assert og("format", "1", "1", "ext4", "--label", "CACHE", "--yes").returncode == OgErr.FORMAT
    assert og("format", "1", "2", "xfs", "--yes").returncode == OgErr.OUTOFLIMIT
    assert og("check", "1", "2").returncode == OgErr.FILESYS  # nothing there
    assert og("shrink", "1", "7").returncode == OgErr.NOTFOUND
    assert og("shrink", "1", "1", "--size-bytes", "-5").returncode == OgErr.FORMAT
    done(og("format", "1", "2", "fat32", "--yes"))
    assert og("shrink", "1", "2").returncode == OgErr.REDUCEFS
    assert done(og("grow", "1", "2")) == "this filesystem cannot grow"


@pytest.mark.parametrize("kind", ["ext2", "ext4", "btrfs", "ntfs", "fat32", "swap"])
def test_asking_writes_nothing(og: Og, tmp_path: Path, kind: str) -> None:
    done(og("format", "1", "1", kind, "--yes"))
    before = sha256((tmp_path / "disk.img").read_bytes()).digest()
    info = json.loads(done(og("info", "1", "1", "--json")))
    assert info["kind"] == kind
    assert sha256((tmp_path / "disk.img").read_bytes()).digest() == before


def test_an_extended_partition_is_never_formatted(og: Og, tmp_path: Path) -> None:
    disk = tmp_path / "disk.img"
    table = "label: dos\n1: size=120MiB,type=5\n5: size=64MiB,type=83\n"
    subprocess.run(
        ["sfdisk", "-q", "--no-tell-kernel", "-w", "always", disk],
        input=table,
        text=True,
        check=True,
    )
    before = [part.number for part in probe_target(disk).partitions]
    assert 5 in before
    for kind in ("ext4", "fat12", "swap"):
        assert og("format", "1", "1", kind, "--yes").returncode == OgErr.OUTOFLIMIT
    assert [part.number for part in probe_target(disk).partitions] == before
    assert done(og("format", "1", "5", "ext4", "--yes"))


def test_swap_is_not_mounted_and_says_so(og: Og) -> None:
    done(og("format", "1", "1", "swap", "--yes"))
    refused = og("mount", "1", "1")
    assert refused.returncode == OgErr.FILESYS
    assert "is swap space" in refused.stderr
    assert "dmesg" not in refused.stderr
