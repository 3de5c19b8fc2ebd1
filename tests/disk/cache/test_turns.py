# SPDX-License-Identifier: GPL-3.0-or-later
"""Several ``og cache`` at the same time: none unmounts what another works in, and each waits."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from oglib.cache import turn
from oglib.cache.partition import Places
from oglib.cache.turn import gate
from oglib.deploy.library import cache as use
from oglib.disk.model import MIB
from oglib.errors import FilesystemError, OgErr, OgError
from oglib.settings import Settings

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: loop devices, mounts")
AT_ONCE = 6


class Room:
    """A PC with a cache on a disk file, and real processes on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.disk = folder / "disk"
        self.point = folder / "cache"
        with self.disk.open("wb") as file:
            file.truncate(160 * MIB)
        subprocess.run(
            ["sfdisk", "--quiet", "--no-tell-kernel", self.disk],
            input="label: gpt\n1M,16M\n",
            text=True,
            check=True,
        )

    def start(self, *words: str | Path) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "oglib", "cache", *map(str, words)],
            env={**os.environ, "OG_DISKS": str(self.disk), "OGCAC": str(self.point)},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def og(self, *words: str | Path) -> str:
        started = self.start(*words)
        out, err = started.communicate(timeout=120)
        assert started.returncode == 0, err
        return out

    def image(self, name: str, size: int = 3 * MIB) -> Path:
        path = self.folder / f"{name}.img"
        path.write_bytes(os.urandom(size))
        return path


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Room]:
    made = Room(tmp_path)
    monkeypatch.setenv("OG_DISKS", str(made.disk))
    monkeypatch.setenv("OGCAC", str(made.point))
    made.og("create", "96MiB", "--yes")
    yield made
    subprocess.run(["umount", made.point], capture_output=True, check=False)


def test_what_many_store_at_once_is_all_in_the_cache(room: Room) -> None:
    images = [room.image(f"i{number}") for number in range(AT_ONCE)]
    started = [room.start("add", image) for image in images]
    started += [room.start("list") for _ in range(2)]
    ended = [(one, *one.communicate(timeout=120)) for one in started]
    assert [(one.returncode, err) for one, _, err in ended if one.returncode] == []
    assert not room.point.is_mount()
    assert [path for path in room.point.rglob("*") if path.is_file()] == []
    listed = room.og("list")
    assert all(image.stem in listed for image in images)
    assert "images are sound" in room.og("check", "--deep")


def test_who_leaves_last_unmounts_and_a_person_s_mount_stays(room: Room) -> None:
    out = room.start("add", room.image("large", 40 * MIB))
    listed = [room.start("list") for _ in range(3)]
    mounted = room.start("mount")
    for one in (out, *listed, mounted):
        one.communicate(timeout=120)
        assert one.returncode == 0
    assert room.point.is_mount()
    room.og("list")
    assert room.point.is_mount()
    room.og("umount")
    assert not room.point.is_mount()


def test_what_is_worked_in_is_neither_unmounted_nor_formatted(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = Places(room.point, room.folder / "mnt")
    told: list[str] = []
    with use.opened_cache(Settings(), places) as cache:
        # by hand: the kernel itself says no
        assert subprocess.run(["umount", room.point], capture_output=True, check=False).returncode
        monkeypatch.setattr(turn, "USERS_PATIENCE_S", 1.2)
        for verb in (
            lambda: use.unmount(places, tell=told.extend),
            lambda: use.format_empty(places, tell=told.extend),
        ):
            with pytest.raises(OgError, match="works in the cache") as caught:
                verb()
            assert caught.value.code is OgErr.LOCKED
        assert any("waiting" in text for text in told)
        assert cache.store.root.is_mount()
    assert not room.point.is_mount()


def test_a_command_waits_for_the_one_that_has_the_gate_and_says_so(room: Room) -> None:
    with gate():
        waits = room.start("list")
        said: list[str] = []
        assert waits.stderr is not None
        reader = threading.Thread(target=lambda: said.append(waits.stderr.readline()))  # type: ignore[union-attr]
        reader.start()
        reader.join(30)
        assert waits.poll() is None
    assert f"process {os.getpid()}" in said[0]
    assert waits.wait(60) == 0
    waits.communicate()


def test_the_folder_under_the_mountpoint_is_not_the_cache(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = Places(room.point, room.folder / "mnt")

    def claimed(*_: object) -> tuple[Path, tuple[str, ...]]:
        room.point.mkdir(exist_ok=True)
        return room.point, ()

    monkeypatch.setattr(use, "mount_cache", claimed)
    with (
        pytest.raises(FilesystemError, match="Nothing is mounted"),
        use.opened_cache(Settings(), places),
    ):
        pass
    assert list(room.point.iterdir()) == []


def test_a_killed_command_leaves_no_lock_and_the_next_one_unmounts(room: Room) -> None:
    killed = room.start("add", room.image("large", 60 * MIB))
    deadline = time.monotonic() + 60
    while not room.point.is_mount() and killed.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    killed.kill()
    killed.communicate()
    assert "free" in room.og("list")
    assert not room.point.is_mount()
