# SPDX-License-Identifier: GPL-3.0-or-later
"""From a repository into the cache: a new version replaces the old one, whole and proven."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from oglib.cache.find import CachePartition
from oglib.cache.model import Proof
from oglib.cache.partition import Places
from oglib.deploy.library.cache import OpenCache, open_store
from oglib.deploy.library.update import Updated, planned_update, update_cache
from oglib.disk.model import Disk, Partition, TableKind
from oglib.errors import ImageError, NotFoundError, OgErr, OgError, UsageError
from oglib.image.format.signing import PrivateKey
from oglib.progress import Progress, Silent
from oglib.settings import Settings
from ogrepo.__main__ import main
from ogrepo.library.folder import Folder, open_folder
from unit.image.synthetic import make_image, partition, sign_image
from unit.ogrepo.conftest import Repository

MIB = 1 << 20


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    assert main(["keygen", "--dir", str(tmp_path / "repo")]) == 0
    return open_folder(tmp_path / "repo")


@pytest.fixture
def repository(folder: Folder) -> Iterator[Repository]:
    made = Repository(folder)
    yield made
    made.close()


@pytest.fixture
def cache(tmp_path: Path, folder: Folder) -> OpenCache:
    root = tmp_path / "cache"
    root.mkdir()
    part = Partition(number=4, start_bytes=0, size_bytes=0, type="CACHE", type_id="ca")
    disk = Disk(1, tmp_path / "disk", 0, TableKind.GPT, (part,))
    return OpenCache(CachePartition(disk, part), open_store(root, folder.keys)[0], ())


def publish(folder: Folder, version: int, seed: int) -> bytes:
    path = make_image(partition(seed, mib=6), folder.images, "debian")
    sign_image(path, PrivateKey.load(folder.image_key), version)
    return path.read_bytes()


def update(cache: OpenCache, repository: Repository, text: str = "debian") -> Updated:
    address = repository.base.removeprefix("http://")
    settings = Settings(repository=address, keys_dir=repository.folder.keys)
    with planned_update(text, cache, settings) as plan:
        return update_cache(
            plan, cache, settings=settings, places=Places(), progress=Progress(Silent())
        )


def test_an_image_comes_once_and_its_new_version_replaces_it(
    cache: OpenCache, repository: Repository
) -> None:
    first = publish(repository.folder, 1, 1)
    done = update(cache, repository)
    assert (done.changed, done.version, done.entry.proof) == (True, 1, Proof.SIGNED)
    assert done.entry.path.read_bytes() == first
    assert not update(cache, repository).changed
    second = publish(repository.folder, 2, 2)
    assert update(cache, repository).version == 2
    (entry,) = cache.store.entries()
    assert entry.path.read_bytes() == second != first


def test_a_damaged_image_is_refused_and_the_old_version_stays(
    cache: OpenCache, repository: Repository
) -> None:
    first = publish(repository.folder, 1, 1)
    update(cache, repository)
    data = bytearray(publish(repository.folder, 2, 2))
    data[len(data) // 2] ^= 1
    (repository.folder.images / "debian.img").write_bytes(data)
    with pytest.raises(ImageError, match="its digest does not match"):
        update(cache, repository)
    (entry,) = cache.store.entries()
    assert entry.path.read_bytes() == first


def test_an_unsigned_image_is_refused_before_it_is_fetched(
    cache: OpenCache, repository: Repository
) -> None:
    publish(repository.folder, 1, 1)
    (repository.folder.images / "debian.img.json.sig").unlink()
    with pytest.raises(ImageError, match="is not signed"):
        update(cache, repository)
    assert cache.store.entries() == ()


def test_a_full_cache_refuses_before_the_transfer(
    cache: OpenCache, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(repository.folder, 1, 1)
    monkeypatch.setattr("oglib.cache.folder.Folder.free_bytes", lambda _: 2 * MIB)
    with pytest.raises(OgError, match="are free") as caught:
        update(cache, repository)
    assert caught.value.code == OgErr.CACHESIZE


def test_what_is_not_there_is_said(cache: OpenCache, repository: Repository) -> None:
    with pytest.raises(NotFoundError, match="has no image debian") as caught:
        update(cache, repository)
    assert caught.value.code == OgErr.NOTFOUND
    assert "og image list" in caught.value.hint
    with pytest.raises(UsageError, match="local file"):
        update(cache, repository, "./debian.img")
