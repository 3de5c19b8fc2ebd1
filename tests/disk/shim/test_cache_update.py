# SPDX-License-Identifier: GPL-3.0-or-later
"""``ogUpdateCacheIsNecesary``: needed, up to date, and everything else is an error of its own."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from disk.cache.test_cache import NewPc, Pc, new_pc, one_pc
from disk.cache.test_versions import publish, site
from oglib.errors import OgErr
from oglib.shim.__main__ import main
from unit.image.synthetic import partition
from unit.ogrepo.conftest import Repository, folder, repository

__all__ = ["NewPc", "folder", "new_pc", "one_pc", "repository", "site"]

NEEDED, UP_TO_DATE = 0, 1


def old_image(folder: Path, seed: int) -> Path:
    """An image of another program, with the sum that older repositories write."""
    path = folder / "old.img"
    path.write_bytes(partition(seed, mib=3).stream())
    md5 = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
    path.with_name("old.img.full.sum").write_text(f"{md5}\n")
    return path


def asked(*words: str) -> int:
    return main(["ogUpdateCacheIsNecesary", *words])


@pytest.mark.proves("ogUpdateCacheIsNecesary")
def test_a_repository_is_asked_for_its_manifest(one_pc: Pc, site: Repository) -> None:
    one_pc.og("create", "100MiB", "--yes")
    publish(site, 1)
    assert asked("REPO", "/debian.img", "UNICAST") == NEEDED
    one_pc.og("update", "debian")
    assert asked("REPO", "/debian.img") == UP_TO_DATE
    assert asked("REPO", "debian.img", "full") == UP_TO_DATE
    publish(site, 2)
    assert asked("REPO", "/debian.img", "TORRENT") == NEEDED
    assert one_pc.names() == ["debian"], "nothing is deleted by the way"


@pytest.mark.proves("ogUpdateCacheIsNecesary")
def test_a_share_is_asked_for_its_full_checksum(
    one_pc: Pc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    share = tmp_path / "images"
    share.mkdir()
    monkeypatch.setenv("OGIMG", str(share))
    one_pc.og("create", "100MiB", "--yes")
    old = old_image(share, 1)
    assert asked("REPO", "/old.img") == NEEDED
    one_pc.og("add", old)
    assert asked("REPO", "/old.img") == UP_TO_DATE
    old_image(share, 2)
    assert asked("REPO", "/old.img", "FULL") == NEEDED


@pytest.mark.refuses("ogUpdateCacheIsNecesary")
def test_what_cannot_be_told_is_neither(one_pc: Pc, site: Repository) -> None:
    publish(site, 1)
    assert asked("REPO", "/debian.img") == OgErr.NOTCACHE
    one_pc.og("create", "100MiB", "--yes")
    for words, code in (
        ((), OgErr.UPDATECACHE),
        (("REPO",), OgErr.UPDATECACHE),
        (("REPO", "/debian.img", "UNICAST", "more"), OgErr.UPDATECACHE),
        (("REPO", "/debian.img", "PIGEON"), OgErr.UPDATECACHE),
        (("CACHE", "/debian.img"), OgErr.NOTFOUND),
        (("REPO", "/debain.img"), OgErr.NOTFOUND),
        (("REPO", "/../etc.img"), OgErr.NOTFOUND),
    ):
        assert asked(*words) == code, words
    (site.folder.images / "debian.img.json.sig").unlink()
    assert asked("REPO", "/debian.img") == OgErr.IMAGE
