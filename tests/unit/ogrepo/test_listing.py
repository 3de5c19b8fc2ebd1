# SPDX-License-Identifier: GPL-3.0-or-later
"""The listing: true to what was published before it was asked for, and cheap."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from oglib.image.format.manifest import generate_keypair
from ogrepo.serving import listing
from ogrepo.serving.listing import Catalogue, Shared
from unit.ogrepo.conftest import Repository
from unit.ogrepo.sample import make_sample


def names(catalogue: Catalogue) -> list[str]:
    return [str(one["name"]) for one in json.loads(catalogue.listing().as_json)["images"]]


def test_an_image_is_read_again_only_when_a_file_of_it_changes(
    repository: Repository, tmp_path: Path
) -> None:
    for name in ("debian", "lab-1/fedora"):
        repository.upload(make_sample(name), tmp_path)
    catalogue = Catalogue(repository.folder)
    first = catalogue.listing()
    assert (names(catalogue), catalogue.reads, first.count) == (["debian", "lab-1/fedora"], 2, 2)
    assert catalogue.listing() is first
    assert catalogue.reads == 2
    repository.upload(make_sample("debian", seed=2), tmp_path)
    assert json.loads(catalogue.listing().as_json)["images"][0]["version"] == 2
    assert catalogue.reads == 3


@pytest.mark.parametrize(
    "spoil",
    [
        lambda images: (images / "debian.img").unlink(),
        lambda images: (images / "debian.img.frames").unlink(),
        lambda images: os.truncate(images / "debian.img", 5),
        lambda images: (images / "debian.img.json").write_bytes(b"{}"),
        lambda images: (images / "debian.img.json").unlink(),
    ],
)
def test_what_is_no_longer_complete_goes_and_comes_back(
    repository: Repository, tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    repository.upload(make_sample("debian"), tmp_path)
    catalogue = Catalogue(repository.folder)
    images = repository.folder.images
    assert names(catalogue) == ["debian"]
    kept = {path: path.read_bytes() for path in images.iterdir()}
    spoil(images)
    assert names(catalogue) == []
    for path, content in kept.items():
        path.write_bytes(content)
    assert names(catalogue) == ["debian"]


def test_a_new_key_changes_what_is_signed(repository: Repository, tmp_path: Path) -> None:
    repository.upload(make_sample("debian"), tmp_path)
    catalogue = Catalogue(repository.folder)
    key = repository.folder.keys / "image.pub"
    (before,) = json.loads(catalogue.listing().as_json)["images"]
    key.write_text(generate_keypair()[1].to_line())
    (after,) = json.loads(catalogue.listing().as_json)["images"]
    assert (bool(before["key_id"]), after["key_id"]) == (True, "")


def test_many_askers_share_what_is_made_after_they_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "_LEAST_PAUSE_S", 0.0)
    monkeypatch.setattr(listing, "_PAUSE_TIMES", 0.0)
    begun, go_on = threading.Event(), threading.Event()
    made: list[int] = []

    def make() -> int:
        made.append(len(made))
        begun.set()
        assert go_on.wait(30)
        return made[-1]

    async def ask() -> None:
        with ThreadPoolExecutor(1) as pool:
            shared = Shared(make, pool)
            first = asyncio.create_task(shared.get())
            await asyncio.to_thread(begun.wait, 30)
            late = [asyncio.create_task(shared.get()) for _ in range(32)]
            await asyncio.sleep(0)
            go_on.set()
            assert await first == 0
            assert await asyncio.gather(*late) == [1] * 32
            assert await shared.get() == 2

    asyncio.run(ask())
    assert made == [0, 1, 2]


def test_an_asker_who_goes_stops_nobody_and_an_error_is_for_its_askers_alone() -> None:
    results: list[int | OSError] = [OSError("short"), 5]

    def make() -> int:
        result = results.pop(0)
        if isinstance(result, OSError):
            raise result
        return result

    async def ask() -> None:
        with ThreadPoolExecutor(1) as pool:
            shared = Shared(make, pool)
            gone, stays = (asyncio.create_task(shared.get()) for _ in range(2))
            await asyncio.sleep(0)
            gone.cancel()
            with pytest.raises(OSError, match="short"):
                await stays
            assert await shared.get() == 5

    asyncio.run(ask())


def test_a_publication_is_listed_at_once(repository: Repository, tmp_path: Path) -> None:
    for version in range(1, 5):
        repository.upload(make_sample("debian", seed=version), tmp_path)
        told = repository.ask("GET", "/images/?format=json").json()["images"]
        assert isinstance(told, list)
        assert told[0]["version"] == version
