# SPDX-License-Identifier: GPL-3.0-or-later
"""``CACHE:NAME``: an image of the cache, wherever an image is named, with no network at all."""

from __future__ import annotations

import gzip
import os
from dataclasses import replace
from pathlib import Path

import pytest

from disk.cache.test_cache import NewPc, Pc, image_file, new_pc, one_pc
from disk.cache.test_versions import SOURCES, publish, site
from disk.deploy.room import Said, og
from disk.image.whole_disks import MSDOS, blank, made_disk
from oglib import settings
from oglib.cache.store import Store
from oglib.errors import OgErr
from unit.ogrepo.conftest import Repository, folder, repository

__all__ = ["NewPc", "folder", "new_pc", "one_pc", "repository", "site"]

MIB = 1 << 20


@pytest.fixture
def stocked(one_pc: Pc, site: Repository, monkeypatch: pytest.MonkeyPatch) -> Pc:
    """A PC whose cache has two images; there is no repository any more."""
    one_pc.og("create", "100MiB", "--yes")
    publish(site, 1)
    one_pc.og("update", "debian")
    raw = one_pc.home / "old.img"
    raw.write_bytes(gzip.compress(SOURCES[2].stream(), mtime=0))
    one_pc.og("add", raw)
    told = replace(settings.load(), repository="127.0.0.1:1")  # where nobody listens
    monkeypatch.setattr(settings, "load", lambda: told)
    return one_pc


def restored(image: str, *more: str) -> Said:
    return og("image", "restore", image, "1", "1", "--yes", *more)


def holds(pc: Pc, version: int) -> bool:
    first = pc.home / "first"
    with pc.disk.open("rb") as disk:
        disk.seek(MIB)
        first.write_bytes(disk.read(SOURCES[version].device_size))
    return SOURCES[version].same_as(first)


def used(pc: Pc) -> list[str]:
    """The entries, the one that was used last behind all others."""
    entries = pc.og("list")["entries"]
    assert isinstance(entries, list)
    return [one["name"] for one in sorted(entries, key=lambda one: one["used"])]


def damaged(pc: Pc, name: str, at: int) -> None:
    """One byte of what the entry holds becomes another one; nobody is told."""
    assert pc.run("mount").returncode == 0
    path = Path(os.environ["OGCAC"], "opt/opengnsys/images", f"{name}.img")
    with path.open("r+b") as file:
        file.seek(at)
        was = file.read(1)
        file.seek(at)
        file.write(bytes([was[0] ^ 1]))
    assert pc.run("umount").returncode == 0


def test_it_restores_without_a_repository_and_counts_as_used(stocked: Pc) -> None:
    assert used(stocked) == ["debian", "old"]
    done = restored("CACHE:debian")
    assert (done.status, done.error) == (0, "")
    assert "debian version 1 is on" in done.out
    assert holds(stocked, 1)
    assert used(stocked) == ["old", "debian"]
    assert restored("CACHE:debian@1").status == 0
    assert restored("CACHE:old").status == 0
    assert holds(stocked, 2)
    assert used(stocked) == ["debian", "old"]
    assert not Path(os.environ["OGCAC"]).is_mount(), "what was mounted for it alone stays"


def test_every_verb_takes_it(stocked: Pc, tmp_path: Path) -> None:
    for words in (
        ("info", "CACHE:debian"),
        ("info", "CACHE:old"),
        ("verify", "CACHE:debian"),
        ("verify", "CACHE:old"),
        ("diff", "CACHE:debian", "CACHE:debian"),
        ("convert", "CACHE:old", "--to", str(tmp_path)),
    ):
        done = og("image", *words)
        assert (done.status, done.error) == (0, ""), (words, done.err)
    assert (tmp_path / "old.img").is_file()
    assert used(stocked) == ["debian", "old"], "who only looks uses nothing"


@pytest.mark.usefixtures("stocked")
def test_what_the_cache_does_not_hold_is_said() -> None:
    done = restored("CACHE:debain")
    assert done.status == OgErr.NOTFOUND
    assert "The cache holds no image debain" in done.err
    assert "debian" in done.err
    done = restored("CACHE:debian@2")
    assert (done.status, "There is no version 2" in done.err) == (OgErr.NOTFOUND, True)
    done = og("cache", "update", "CACHE:debian")
    assert (done.status, "Name it without CACHE:" in done.err) == (OgErr.FORMAT, True)


def test_what_is_open_is_neither_evicted_nor_replaced(
    stocked: Pc, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    real = Store.count_use

    def meanwhile(store: Store, name: str) -> None:
        told.append(stocked.run("evict", "debian", "--yes").stderr)
        told.append(stocked.run("add", image_file(stocked.home, "debian"), "debian").stderr)
        real(store, name)

    monkeypatch.setattr(Store, "count_use", meanwhile)
    assert restored("CACHE:debian").status == 0
    assert [" is being restored" in said for said in told] == [True, True], told
    assert stocked.names() == ["debian", "old"]


@pytest.mark.parametrize("name", ["debian", "old"])
def test_a_damaged_entry_is_never_restored(stocked: Pc, name: str) -> None:
    """Ours has digests of every part; of the other one the cache's own record tells."""
    damaged(stocked, name, at=2 * MIB)
    done = restored(f"CACHE:{name}")
    assert done.status == OgErr.IMAGE, done.err
    assert used(stocked) == ["debian", "old"], "what failed is no use"


def test_a_damage_that_no_checksum_sees_is_seen_by_the_record(stocked: Pc) -> None:
    raw = blank(stocked.home / "plain.img", 8 * MIB)
    raw.write_bytes(SOURCES[2].stream())
    stocked.og("add", raw)
    damaged(stocked, "plain", at=2 * MIB)
    done = restored("CACHE:plain")
    assert (done.status, "is not what was stored" in done.err) == (OgErr.IMAGE, True), done.err


@pytest.mark.usefixtures("stocked")
def test_a_name_without_a_repository_says_what_the_cache_holds() -> None:
    for words in (("1", "1"), ("1",)):
        done = og("image", "restore", "debian", *words, "--yes")
        assert done.status == OgErr.REPO
        assert "The cache holds debian version 1: `CACHE:debian` is that." in done.err


@pytest.mark.usefixtures("one_pc")
def test_without_a_cache_it_is_said() -> None:
    assert restored("CACHE:debian").status == OgErr.NOTCACHE


def test_a_whole_disk_comes_into_the_cache_and_out_of_it(
    one_pc: Pc, site: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An update of it takes what the older one has; the partitions' images are held with it."""
    one_pc.og("create", "150MiB", "--yes")
    base = f"http://127.0.0.1:{site.port}/images"
    told = replace(settings.load(), allow_unsigned=(base,))
    monkeypatch.setattr(settings, "load", lambda: told)
    source = made_disk(tmp_path / "source", "msdos", MSDOS)
    made = og("image", "create", source, "lab", "--to", site.folder.images)
    assert made.status == 0, made.err
    done = one_pc.og("update", "lab")
    assert (done["name"], done["proof"], done["changed"]) == ("lab", "digests", True)
    assert not one_pc.og("update", "lab")["changed"]
    target = blank(tmp_path / "target")
    site.log.clear()
    restored_disk = og("image", "restore", "CACHE:lab", target, "--yes")
    assert restored_disk.status == 0, restored_disk.err
    assert og("image", "verify", "CACHE:lab", target).status == 0
    assert site.log == []
    assert og("image", "info", "CACHE:lab").status == 0
    assert og("image", "restore", "lab", blank(tmp_path / "again"), "--yes").status == 0
    assert not [line for line in site.log if ".img " in line or "/bytes/" in line]
