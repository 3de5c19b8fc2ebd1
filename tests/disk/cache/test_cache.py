# SPDX-License-Identifier: GPL-3.0-or-later
"""``og cache`` on a real disk with a real ext4, judged by sfdisk, e2fsck and dumpe2fs."""

from __future__ import annotations

import hashlib
import io
import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest

from oglib.__main__ import main
from oglib.disk.loop import attached
from oglib.disk.model import MIB
from oglib.errors import OgErr

DISK_MIB = 256
FIRST = (1 * MIB, 40 * MIB)  # the partition of a user, which must stay as it is


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Pc:
    """A PC with one disk, and ``og`` on it."""

    disk: Path
    home: Path

    def run(self, *words: str | Path) -> Ran:
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            status = main(["cache", *map(str, words)])
        return Ran(status, out.getvalue(), err.getvalue())

    def og(self, *words: str | Path) -> dict[str, object]:
        done = self.run(*words, "--json")
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)
        assert isinstance(found, dict)
        return found

    def refused(self, *words: str | Path) -> tuple[int, str]:
        done = self.run(*words)
        assert done.returncode != 0
        return done.returncode, done.stderr

    def names(self) -> list[str]:
        entries = self.og("list")["entries"]
        assert isinstance(entries, list)
        return [entry["name"] for entry in entries]

    def user_digest(self) -> str:
        with self.disk.open("rb") as file:
            file.seek(FIRST[0])
            return hashlib.sha256(file.read(FIRST[1])).hexdigest()

    def table(self) -> list[dict[str, object]]:
        subprocess.run(["sfdisk", "--verify", self.disk], check=True, capture_output=True)
        said = subprocess.run(
            ["sfdisk", "--json", self.disk], check=True, capture_output=True, text=True
        )
        found = json.loads(said.stdout)["partitiontable"]
        rows = found["partitions"]
        assert isinstance(rows, list)
        return rows


NewPc = Callable[[Path, str], Pc]


@pytest.fixture
def new_pc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> NewPc:
    def partitioned(disk: Path, table: str) -> Pc:
        text = f"label: {table}\nstart=1MiB, size={FIRST[1] // MIB}MiB, type=L\n"
        subprocess.run(
            ["sfdisk", "--quiet", "--no-tell-kernel", disk], input=text, text=True, check=True
        )
        with disk.open("r+b") as file:
            file.seek(FIRST[0])
            file.write(os.urandom(MIB) * (FIRST[1] // MIB))
        monkeypatch.setenv("OG_DISKS", str(disk))
        monkeypatch.setenv("OGCAC", str(tmp_path / "cache"))
        return Pc(disk, tmp_path)

    return partitioned


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    """``main`` sets one of its own."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture(params=["gpt", "msdos", "4096"])
def pc(request: pytest.FixtureRequest, new_pc: NewPc, tmp_path: Path) -> Iterator[Pc]:
    image = tmp_path / "disk.img"
    with image.open("wb") as file:
        file.truncate(DISK_MIB * MIB)
    if request.param == "4096":
        with attached(image, sector_bytes=4096) as device:
            yield new_pc(device, "gpt")
    else:
        yield new_pc(image, "gpt" if request.param == "gpt" else "dos")


@pytest.fixture
def one_pc(new_pc: NewPc, tmp_path: Path) -> Pc:
    image = tmp_path / "disk.img"
    with image.open("wb") as file:
        file.truncate(DISK_MIB * MIB)
    return new_pc(image, "gpt")


def image_file(folder: Path, name: str, size: int = 4 * MIB) -> Path:
    """An image of no format, with the sum that older repositories write."""
    path = folder / f"{name}.img"
    data = os.urandom(size)
    path.write_bytes(data)
    md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
    path.with_name(f"{name}.img.full.sum").write_text(f"{md5}\n")
    return path


def test_a_life_of_a_cache(pc: Pc) -> None:
    before = pc.user_digest()
    assert pc.refused("list")[0] == OgErr.NOTCACHE
    made = pc.og("create", "100MiB", "--yes")
    assert (made["part"], made["size_bytes"]) == (4, 100 * MIB)
    first, cache = pc.table()
    sector = 4096 if pc.disk.is_block_device() else 512
    assert int(str(cache["start"])) * sector == (DISK_MIB - 1 - 100) * MIB
    assert int(str(cache["size"])) * sector == 100 * MIB
    assert cache.get("name") == "CACHE" or cache["type"] == "ca"
    assert pc.run("create", "100MiB").stdout == "nothing to change\n"

    with attached(
        pc.disk, offset_bytes=(DISK_MIB - 101) * MIB, size_bytes=100 * MIB, sector_bytes=sector
    ) as device:
        subprocess.run(["e2fsck", "-fn", device], check=True, capture_output=True)
        said = subprocess.run(
            ["dumpe2fs", "-h", device], check=True, capture_output=True, text=True
        ).stdout
    features = next(line for line in said.splitlines() if line.startswith("Filesystem features"))
    assert not {"metadata_csum", "64bit", "orphan_file", "metadata_csum_seed"} & {*features.split()}
    assert "Filesystem volume name:   CACHE" in said

    image = image_file(pc.home, "debian")
    added = pc.og("add", image)
    assert (added["name"], added["proof"]) == ("debian", "sum")
    assert pc.names() == ["debian"]
    pc.og("pin", "debian")
    for yes in ([], ["--yes"]):  # it is refused before anybody is asked
        code, told = pc.refused("evict", "debian", *yes)
        assert code == OgErr.LOCKED
        assert "pinned" in told
    pc.og("unpin", "debian")
    pc.og("evict", "debian", "--yes")
    assert pc.names() == []
    pc.og("delete", "--yes")
    assert pc.table() == [first]
    assert pc.user_digest() == before


def test_nothing_is_lost_without_a_yes(one_pc: Pc) -> None:
    one_pc.og("create", "64MiB", "--yes")
    one_pc.og("add", image_file(one_pc.home, "debian"))
    for words in (["format"], ["delete"], ["create", "32MiB"], ["evict", "debian"]):
        done = one_pc.run(*words)
        assert done.returncode == OgErr.FORMAT
        assert "debian" in done.stderr
        assert one_pc.run(*words, "--dry-run").returncode == 0
    assert one_pc.names() == ["debian"]


def test_another_size_makes_a_fresh_cache(one_pc: Pc) -> None:
    one_pc.og("create", "64MiB", "--yes")
    one_pc.og("add", image_file(one_pc.home, "debian"))
    before = one_pc.user_digest()
    assert one_pc.og("create", "96MiB", "--yes")["size_bytes"] == 96 * MIB
    assert one_pc.names() == []
    assert one_pc.user_digest() == before


def test_a_mounted_cache_is_where_scripts_look_and_shows_what_was_removed(one_pc: Pc) -> None:
    one_pc.og("create", "64MiB", "--yes")
    one_pc.og("add", image_file(one_pc.home, "debian"))
    point = one_pc.home / "cache"
    assert one_pc.og("mount")["mountpoint"] == str(point)
    link = Path("/mnt/disk.imgp4")
    try:
        assert point.is_mount()
        assert link.resolve() == point
        assert (point / "opt/opengnsys/images/debian.img").is_file()
        left = point / ".oglive/staging/windows-1234abcd"
        left.mkdir()
        (left / "windows.img").write_bytes(bytes(1000))
        done = one_pc.run("mount")
        assert "removed what was being stored as windows" in done.stderr
        assert not left.exists()
        assert one_pc.names() == ["debian"]
        assert point.is_mount(), "a listing leaves a mounted cache mounted"
    finally:
        one_pc.og("umount")
    assert not point.is_mount()
    assert not link.is_symlink()


def test_a_full_cache_refuses_or_evicts_as_the_site_says(one_pc: Pc) -> None:
    one_pc.og("create", "48MiB", "--yes")
    for name in ("a", "b"):
        one_pc.og("add", image_file(one_pc.home, name, 12 * MIB))
    one_pc.og("pin", "a")
    code, said = one_pc.refused("add", image_file(one_pc.home, "c", 20 * MIB))
    assert code == OgErr.CACHESIZE
    assert "bytes) are free" in said
    code, said = one_pc.refused("evict", "--need", "40MiB", "--yes")
    assert (code, "a must stay" in said) == (OgErr.CACHESIZE, True)
    assert one_pc.og("evict", "--need", "20MiB", "--yes")["evicted"] == ["b"]
    one_pc.og("add", one_pc.home / "c.img")
    assert one_pc.names() == ["a", "c"]


def test_format_is_the_last_resort_and_is_told(one_pc: Pc, monkeypatch: pytest.MonkeyPatch) -> None:
    one_pc.og("create", "48MiB", "--yes")
    one_pc.og("add", image_file(one_pc.home, "a", 6 * MIB))
    point = Path(str(one_pc.og("mount")["mountpoint"]))
    (point / "left by somebody").write_bytes(os.urandom(20 * MIB))
    one_pc.og("umount")
    large = image_file(one_pc.home, "b", 30 * MIB)
    monkeypatch.setenv("ACTIONCACHEFULL", "DELETE")
    assert one_pc.refused("add", large)[0] == OgErr.CACHESIZE
    monkeypatch.setenv("ACTIONCACHEFULL", "FORMAT")
    one_pc.og("pin", "a")
    code, said = one_pc.refused("add", large)
    assert (code, "a must stay" in said) == (OgErr.CACHESIZE, True)
    one_pc.og("unpin", "a")
    done = one_pc.run("add", large)
    assert done.returncode == 0, done.stderr
    assert "evicted a" in done.stderr
    assert "formatted the cache" in done.stderr
    assert one_pc.names() == ["b"]
    assert not point.is_mount()


def test_a_deep_check_removes_a_damaged_image(one_pc: Pc) -> None:
    one_pc.og("create", "64MiB", "--yes")
    one_pc.og("add", image_file(one_pc.home, "debian"))
    point = Path(str(one_pc.og("mount")["mountpoint"]))
    try:
        with (point / "opt/opengnsys/images/debian.img").open("r+b") as file:
            file.seek(5000)
            file.write(b"\0\1\2\3")
        assert one_pc.og("check")["done"] == []
        assert one_pc.og("check", "--deep")["done"] == [
            "removed debian: debian.img is not what was stored."
        ]
    finally:
        one_pc.og("umount")


def test_a_damaged_filesystem_is_repaired_and_told(one_pc: Pc) -> None:
    one_pc.og("create", "64MiB", "--yes")
    one_pc.og("add", image_file(one_pc.home, "debian"))
    with one_pc.disk.open("r+b") as file:
        file.seek((DISK_MIB - 65) * MIB + 2048)  # the first copy of the group descriptors
        file.write(os.urandom(1024))
    done = one_pc.run("list")
    assert done.returncode == 0, done.stderr
    assert "repaired the cache's filesystem" in done.stderr
    assert one_pc.names() == ["debian"]


def test_a_lost_superblock_is_repaired_and_never_formatted(one_pc: Pc) -> None:
    one_pc.og("create", "64MiB", "--yes")
    one_pc.og("add", image_file(one_pc.home, "debian"))
    with one_pc.disk.open("r+b") as file:
        file.seek((DISK_MIB - 65) * MIB + 1024)
        file.write(bytes(1024))
    one_pc.og("create", "64MiB", "--yes")
    assert one_pc.names() == ["debian"]


def test_a_cut_before_the_format_is_finished_by_the_same_command(one_pc: Pc) -> None:
    one_pc.og("create", "64MiB", "--yes")
    with one_pc.disk.open("r+b") as file:
        file.seek((DISK_MIB - 65) * MIB)
        file.write(bytes(MIB))
    assert one_pc.refused("list")[0] == OgErr.PARTITION
    one_pc.og("create", "64MiB", "--yes")
    assert one_pc.names() == []


def test_a_users_partition_labelled_cache_is_not_the_cache(one_pc: Pc) -> None:
    with attached(one_pc.disk, offset_bytes=FIRST[0], size_bytes=FIRST[1]) as device:
        subprocess.run(["mkfs.ext4", "-qF", "-L", "CACHE", device], check=True)
    before = one_pc.user_digest()
    for words in (["list"], ["format", "--yes"], ["delete", "--yes"]):
        code, said = one_pc.refused(*words)
        assert code == OgErr.NOTCACHE
        assert "is called CACHE" in said
    assert one_pc.user_digest() == before
    assert one_pc.og("create", "64MiB", "--yes")["part"] == 4
    assert one_pc.user_digest() == before


def test_a_cache_of_an_older_oglive_is_found_by_its_folders(one_pc: Pc, tmp_path: Path) -> None:
    with attached(one_pc.disk, offset_bytes=FIRST[0], size_bytes=FIRST[1]) as device:
        subprocess.run(["mkfs.ext4", "-qF", "-L", "CACHE", device], check=True)
        point = tmp_path / "old"
        point.mkdir()
        subprocess.run(["mount", device, point], check=True)
        (point / "opt/opengnsys/images").mkdir(parents=True)
        (point / "opt/opengnsys/images/xp.img").write_bytes(b"an image of then")
        subprocess.run(["umount", point], check=True)
    listed = json.dumps(one_pc.og("list")["entries"])
    assert '"name": "xp"' in listed
    assert '"proof": "unproven"' in listed


def test_a_listing_says_which_cache_it_is(
    one_pc: Pc, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one_pc.og("create", "64MiB", "--yes")
    assert main(["cache", "list"]) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.startswith(f"partition 4 of {one_pc.disk} (")
    assert head.endswith(" free")
    assert rows == ["  no images"]
    image = tmp_path / "debian.img"
    image.write_bytes(b"x" * 3000)
    one_pc.og("add", str(image))
    one_pc.og("pin", "debian")
    capsys.readouterr()
    assert main(["cache", "list"]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == ["  debian  2.9 KiB  unproven  pinned"]
