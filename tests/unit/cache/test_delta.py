# SPDX-License-Identifier: GPL-3.0-or-later
"""An update of the cache fetches what changed, and goes on where it was cut."""

from __future__ import annotations

import errno
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from oglib.cache.find import CachePartition
from oglib.cache.model import Entry, Proof
from oglib.cache.partition import Places
from oglib.cancel import NEVER, Cancel
from oglib.deploy.library.cache import OpenCache, open_store
from oglib.deploy.library.update import Updated, necessity, planned_update, update_cache
from oglib.disk import model as disks
from oglib.errors import CancelledError, ImageError, OgErr, OgError
from oglib.image.assembling.growing import GrowingFile
from oglib.image.format.signing import PrivateKey
from oglib.settings import Settings
from ogrepo.library.folder import Folder
from quiet import QUIET
from unit.cache.test_update import cache, folder, repository
from unit.image.synthetic import Partition, make_image, partition, sign_image
from unit.ogrepo.conftest import Repository

__all__ = ["cache", "folder", "repository"]

MIB, BLOCK = 1 << 20, 4096
ROOT = Path(__file__).resolve().parents[3]
_ANSWERED = re.compile(r"GET (\S+) \S+ 20[06] (\d+) ")


def later(before: Partition, seed: int = 7) -> tuple[Partition, int]:
    """The same partition after an update, and the bytes of the blocks that it wrote.

    Some files are written anew, some go and leave their blocks free, some come.
    """
    chance = random.Random(seed)
    used, blocks, written = list(before.used), dict(before.blocks), 0
    for _ in range(3):
        start = chance.randrange(1, len(used) - 300)
        for index in range(start, start + 160):  # a file of 640 KiB
            used[index] = True
            blocks[index] = chance.randbytes(BLOCK)
            written += BLOCK
    for _ in range(4):
        start = chance.randrange(1, len(used) - 300)
        for index in range(start, start + 40):
            if used[index] and blocks[index] == before.blocks.get(index):
                used[index] = False
                del blocks[index]
    return replace(before, used=used, blocks=blocks), written


def publish(site: Folder, source: Partition, version: int, name: str = "debian") -> Path:
    path = make_image(source, site.images, name)
    sign_image(path, PrivateKey.load(site.image_key), version)
    return path


def update(
    cache: OpenCache, repository: Repository, name: str = "debian", cancel: Cancel = NEVER
) -> Updated:
    settings = settings_of(repository)
    with planned_update(name, cache, settings) as plan:
        return update_cache(
            plan, cache, settings=settings, places=Places(), progress=QUIET, cancel=cancel
        )


def settings_of(repository: Repository, **more: object) -> Settings:
    address = repository.base.removeprefix("http://")
    return Settings(repository=address, keys_dir=repository.folder.keys, **more)  # type: ignore[arg-type]


def sent(repository: Repository) -> int:
    """Bytes of images that were sent since the last call."""
    time.sleep(0.05)  # a line is written after its answer
    total = sum(int(match[2]) for line in repository.log if (match := _ANSWERED.search(line)))
    repository.log.clear()
    return total


def test_an_update_fetches_little_more_than_what_changed(
    cache: OpenCache, repository: Repository
) -> None:
    first = partition(1, mib=30)
    publish(repository.folder, first, 1)
    whole = update(cache, repository)
    assert (whole.copied_bytes, whole.kept_bytes) == (0, 0)
    sent(repository)
    second, written = later(first)
    path = publish(repository.folder, second, 2)
    done = update(cache, repository)
    came = sent(repository)
    print(f"{came} bytes came, {written} changed: {came / written:.3f}")
    assert came <= 1.5 * written
    assert done.fetched_bytes <= came
    assert done.entry.path.read_bytes() == path.read_bytes()
    assert (done.entry.proof, done.said) == (Proof.SIGNED, ())


def test_an_image_made_of_another_one_is_taken_from_that(
    cache: OpenCache, repository: Repository
) -> None:
    """Its frames may lie elsewhere, and it has another name."""
    first = partition(1, mib=30)
    publish(repository.folder, first, 1)
    update(cache, repository)
    publish(repository.folder, later(first)[0], 1, "windows")
    done = update(cache, repository, "windows")
    assert done.copied_bytes > 2 * done.fetched_bytes > 0


def cut_after(monkeypatch: pytest.MonkeyPatch, share: float, do: Callable[[], None]) -> None:
    """Call ``do`` once, when so much of an image has been written."""
    real, lock, seen = GrowingFile.accept, threading.Lock(), [0]

    def accept(self: GrowingFile, index: int, stored: bytes | memoryview) -> None:
        real(self, index, stored)
        with lock:
            before, seen[0] = seen[0], seen[0] + len(stored)
            size = self._image.manifest.image_size_bytes
            now = before < share * size <= seen[0]
        if now:
            do()

    monkeypatch.setattr(GrowingFile, "accept", accept)


def test_what_was_fetched_is_not_fetched_again(
    cache: OpenCache, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = publish(repository.folder, partition(1, mib=40), 1)

    cancel = Cancel()
    with monkeypatch.context() as patched:
        cut_after(patched, 0.6, lambda: cancel.set("the test says so"))
        with pytest.raises(CancelledError):
            update(cache, repository, cancel=cancel)
    assert cache.store.entries() == ()
    assert [one.name for one in cache.store.leftovers()] == ["debian"]
    assert cache.store.recover() == (), "what can be gone on with is no rubbish"
    done = update(cache, repository)
    total = sent(repository)
    print(f"{total} bytes came for {path.stat().st_size}: {total / path.stat().st_size:.3f}")
    assert total <= 1.05 * path.stat().st_size
    assert done.kept_bytes > 0.5 * path.stat().st_size
    assert done.entry.path.read_bytes() == path.read_bytes()
    assert cache.store.leftovers() == ()


_KILLED = """
import os, signal, sys
from pathlib import Path
from oglib.image.assembling import assemble, growing
from oglib.transfer.places import source as places
from unit.cache.test_delta import bring
# what is on its way when the process dies is lost: of a small image it must be little as well
places._FAR_RANGE_BYTES, assemble._WAITING, assemble.worker_count = 1 << 18, 0, lambda *_: 1
seen, real = 0, growing.GrowingFile.accept
def accept(self, index, stored):
    global seen
    real(self, index, stored)
    seen += len(stored)
    if seen > 0.6 * self._image.manifest.image_size_bytes:
        os.kill(os.getpid(), signal.SIGKILL)
growing.GrowingFile.accept = accept
bring(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
"""


def bring(root: Path, address: str, keys: Path) -> Updated:
    """``og cache update debian`` in a process of its own."""
    settings = Settings(repository=address, keys_dir=keys)
    part = disks.Partition(number=4, start_bytes=0, size_bytes=0, type="CACHE", type_id="ca")
    disk = disks.Disk(1, root, 0, disks.TableKind.GPT, (part,))
    there = OpenCache(CachePartition(disk, part), open_store(root, keys)[0], ())
    with planned_update("debian", there, settings) as plan:
        return update_cache(plan, there, settings=settings, places=Places(), progress=QUIET)


def test_a_process_that_is_killed_is_gone_on_with(cache: OpenCache, repository: Repository) -> None:
    path = publish(repository.folder, partition(1, mib=80), 1)
    root, keys = cache.store.root, repository.folder.keys
    address = repository.base.removeprefix("http://")
    folders = f"{ROOT / 'runtime'}:{ROOT / 'tests'}"
    killed = subprocess.run(
        [sys.executable, "-c", _KILLED, root, address, keys],
        env={**os.environ, "PYTHONPATH": folders}, check=False, timeout=120,
    )  # fmt: skip
    assert killed.returncode == -signal.SIGKILL
    done = bring(root, address, keys)
    total = sent(repository)
    print(f"{total} bytes came for {path.stat().st_size}: {total / path.stat().st_size:.3f}")
    assert total <= 1.05 * path.stat().st_size
    assert done.entry.path.read_bytes() == path.read_bytes()


def test_only_one_brings_an_image_at_a_time(
    cache: OpenCache, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(repository.folder, partition(1, mib=12), 1)
    told: list[OgError] = []

    def other() -> None:
        publish(repository.folder, partition(2, mib=12), 2)
        with pytest.raises(OgError) as caught:
            update(cache, repository)
        told.append(caught.value)

    with monkeypatch.context() as patched:
        cut_after(patched, 0.5, other)
        assert update(cache, repository).version == 1
    assert told[0].code == OgErr.LOCKED
    assert "is bringing debian into the cache" in told[0].message
    assert update(cache, repository).version == 2


def test_a_disk_that_is_full_says_so_and_the_old_version_stays(
    cache: OpenCache, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = publish(repository.folder, partition(1, mib=12), 1).read_bytes()
    update(cache, repository)
    publish(repository.folder, partition(2, mib=12), 2)
    sent(repository)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "posix_fallocate", full)
        with pytest.raises(OgError, match="No space left") as caught:
            update(cache, repository)
    assert caught.value.code == OgErr.CACHESIZE
    assert sent(repository) < MIB, "it is said before anything is fetched"
    (entry,) = cache.store.entries()
    assert entry.path.read_bytes() == first


def test_a_repository_that_is_started_anew_costs_nothing(
    cache: OpenCache, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = publish(repository.folder, partition(1, mib=24), 1)
    year = time.time() + 366 * 86400
    monkeypatch.setattr(time, "time", lambda: year)  # nor does a clock that is wrong

    def again() -> None:
        repository.stop()
        repository.start()

    cut_after(monkeypatch, 0.5, again)
    assert update(cache, repository).entry.path.read_bytes() == path.read_bytes()


def test_a_source_that_lies_is_found_out_and_costs_what_it_gave(
    cache: OpenCache, repository: Repository
) -> None:
    path = publish(repository.folder, partition(1, mib=12), 1)
    right = path.read_bytes()
    path.write_bytes(right[: len(right) // 2] + bytes(4096) + right[len(right) // 2 + 4096 :])
    with pytest.raises(ImageError, match="its digest does not match"):
        update(cache, repository)
    assert cache.store.entries() == ()
    path.write_bytes(right)
    done = update(cache, repository)
    assert done.kept_bytes > 0
    assert done.entry.path.read_bytes() == right


def damage(entry: Entry) -> None:
    with entry.path.open("r+b") as file:
        file.seek(entry.path.stat().st_size // 2)
        file.write(bytes(4096))


def test_a_damaged_entry_is_mended_by_what_is_fetched(
    cache: OpenCache, repository: Repository
) -> None:
    path = publish(repository.folder, partition(1, mib=12), 1)
    damage(update(cache, repository).entry)
    settings = settings_of(repository)
    assert not necessity("debian", cache, settings).needed, "nobody has looked"
    cache.store.mark_damaged("debian")
    assert cache.store.entry("debian").damaged
    found = necessity("debian", cache, settings)
    assert (found.needed, found.why) == (True, "what the cache holds is damaged")
    sent(repository)
    done = update(cache, repository)
    assert sent(repository) < path.stat().st_size // 4
    assert done.said == ("debian in the cache is damaged: more was fetched",)
    assert done.entry.path.read_bytes() == path.read_bytes()
    assert not cache.store.entry("debian").damaged


def test_the_plan_says_what_goes_and_what_comes(
    cache: OpenCache, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = partition(1, mib=30)
    publish(repository.folder, first, 1)
    settings = settings_of(repository, action_cache_full="DELETE")
    update(cache, repository)
    publish(repository.folder, later(first)[0], 2)
    with planned_update("debian", cache, settings) as plan:
        (said,) = plan.changes
        assert re.fullmatch(
            r"bring debian version 2 into the cache \(.*\): at most .* to fetch, the rest is taken "
            "from debian in the cache",
            said,
        )
        assert plan.most_bytes < plan.incoming.size_bytes // 2
    monkeypatch.setattr("oglib.cache.folder.Folder.free_bytes", lambda _: 3 * MIB)
    with planned_update("debian", cache, settings) as plan:
        evicting, _ = plan.changes
        assert (evicting, plan.older) == ("evict debian", ())
        assert plan.most_bytes > plan.incoming.size_bytes * 9 // 10
    with (
        pytest.raises(OgError, match="lets nothing be evicted") as caught,
        planned_update("debian", cache, settings_of(repository, action_cache_full="NONE")),
    ):
        pass
    assert caught.value.code == OgErr.CACHESIZE
    assert necessity("debian", cache, settings).needed, "that it does not fit is another answer"


def test_what_was_begun_gives_way_to_what_is_wanted_now(
    cache: OpenCache, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(repository.folder, partition(1, mib=40), 1)
    cancel = Cancel()
    with monkeypatch.context() as patched:
        cut_after(patched, 0.3, lambda: cancel.set("the test says so"))
        with pytest.raises(CancelledError):
            update(cache, repository, cancel=cancel)
    publish(repository.folder, partition(2, mib=12), 2)
    update(cache, repository)
    assert cache.store.leftovers() == (), "an older version's is not gone on with any more"
