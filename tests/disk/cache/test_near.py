# SPDX-License-Identifier: GPL-3.0-or-later
"""A name is judged by the repository, and its bytes come from the cache where that has them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from disk.cache.test_cache import NewPc, Pc, new_pc, one_pc
from disk.cache.test_references import damaged, holds, restored, used
from disk.cache.test_versions import publish, site
from disk.deploy.room import og
from oglib.errors import OgErr
from unit.ogrepo.conftest import Repository, folder, repository

__all__ = ["NewPc", "folder", "new_pc", "one_pc", "repository", "site"]

MIB = 1 << 20


@pytest.fixture
def stocked(one_pc: Pc, site: Repository) -> Pc:
    """A PC whose cache has the version that the repository shows."""
    one_pc.og("create", "100MiB", "--yes")
    publish(site, 1)
    one_pc.og("update", "debian")
    site.log.clear()
    return one_pc


def bodies(site: Repository) -> list[str]:
    """The requests for the bytes of images."""
    return [line for line in site.log if "/bytes/" in line or ".img " in line]


def is_damaged(pc: Pc) -> bool:
    entries = pc.og("list")["entries"]
    assert isinstance(entries, list)
    return bool(entries[0]["damaged"])


def test_the_same_bytes_come_from_the_cache_and_count_as_its_use(
    stocked: Pc, site: Repository
) -> None:
    other = stocked.home / "other.img"
    other.write_bytes(bytes(range(256)) * 4096)
    stocked.og("add", other)
    assert used(stocked) == ["debian", "other"]
    done = restored("debian", "--json")
    assert done.status == 0, done.err
    assert bodies(site) == []
    (place,) = json.loads(done.out)["came_from"]
    assert place == "CACHE:debian"
    assert holds(stocked, 1)
    assert used(stocked) == ["other", "debian"]
    assert not Path(os.environ["OGCAC"]).is_mount()
    publish(site, 2)
    assert restored("debian").status == 0
    assert bodies(site) != []
    assert holds(stocked, 2), "the signed manifest says which bytes are right"


def test_what_is_damaged_in_the_cache_is_fetched_told_and_marked(
    stocked: Pc, site: Repository
) -> None:
    damaged(stocked, "debian", at=2 * MIB)
    done = restored("debian")
    assert done.status == 0, done.err
    assert "CACHE:debian is asked no more for now: it gave wrong bytes" in done.err
    assert holds(stocked, 1)
    assert bodies(site) != []
    assert is_damaged(stocked)
    assert "damaged" in stocked.run("list").stdout
    mended = stocked.og("update", "debian")
    assert mended["changed"]
    assert 0 < int(str(mended["fetched_bytes"])) < 2 * MIB, "only what is damaged is fetched"
    assert not is_damaged(stocked)


def test_a_disk_that_fails_in_the_middle_gives_way_to_the_network(
    stocked: Pc, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, cache = os.pread, os.environ["OGCAC"]

    def failing(fd: int, length: int, offset: int) -> bytes:
        if offset > MIB and str(Path(f"/proc/self/fd/{fd}").readlink()).startswith(cache):
            raise OSError(5, "Input/output error")
        return real(fd, length, offset)

    monkeypatch.setattr(os, "pread", failing)
    done = restored("debian")
    assert done.status == 0, done.err
    assert "CACHE:debian is asked no more for now" in done.err
    assert holds(stocked, 1)


def test_a_damaged_entry_by_its_own_name_says_how_it_is_mended(stocked: Pc) -> None:
    damaged(stocked, "debian", at=2 * MIB)
    done = restored("CACHE:debian")
    assert done.status == OgErr.IMAGE
    assert "`og cache update debian` fetches anew what is damaged of it" in done.err
    assert is_damaged(stocked)


@pytest.mark.parametrize("image", ["debian", "CACHE:debian"])
def test_the_disk_of_the_cache_gets_its_type_while_the_image_is_open(
    stocked: Pc, site: Repository, image: str
) -> None:
    """The table is written while nothing of the disk is in use."""
    before = stocked.table()
    done = restored(image, "--set-type")
    assert done.status == 0, done.err
    assert bodies(site) == []
    assert holds(stocked, 1)
    assert len(stocked.table()) == len(before)
    assert stocked.names() == ["debian"]


def layout_of(pc: Pc, *, keep: bool) -> Path:
    rows: list[dict[str, object]] = [
        {"type": "LINUX", "number": 1, "size": "48MiB"},
        {"type": "BIOS-BOOT", "number": 2, "size": "1MiB"},
    ]
    if not keep:  # a cache stays where nothing is said of it
        rows.append({"type": "CACHE", "keep": False})
    path = pc.home / "layout.json"
    path.write_text(json.dumps({"table": "gpt", "partitions": rows}))
    return path


@pytest.mark.parametrize("image", ["debian", "CACHE:debian"])
def test_a_layout_that_keeps_the_cache_is_written_around_it(
    stocked: Pc, site: Repository, image: str
) -> None:
    done = og("deploy", image, "1", "1", "--layout", layout_of(stocked, keep=True), "--yes")
    assert "debian version 1 is on disk 1 partition 1" in done.out, done.err
    assert bodies(site) == []
    assert holds(stocked, 1)
    assert stocked.names() == ["debian"]


def test_a_layout_that_takes_the_cache_away_takes_its_image_from_elsewhere(
    stocked: Pc, site: Repository
) -> None:
    layout = layout_of(stocked, keep=False)
    refused = og("deploy", "CACHE:debian", "1", "1", "--layout", layout, "--yes")
    assert (refused.status, "takes that away" in refused.err) == (OgErr.LOCKED, True), refused.err
    assert stocked.names() == ["debian"]
    done = og("deploy", "debian", "1", "1", "--layout", layout, "--yes")
    assert "debian version 1 is on disk 1 partition 1" in done.out, done.err
    assert bodies(site) != []
    assert holds(stocked, 1)
