# SPDX-License-Identifier: GPL-3.0-or-later
"""Changing the repository with real mounts: local ones that carry a share's name as source."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from oglib.errors import OgErr
from unit.shim.old import Old, Ran

# This machine has neither cifs nor nfs. In their place comes a tmpfs with the same source; the
# server 10.9.9.9 is down, and .down makes all servers so.
MOUNT = """#!/bin/sh
echo "$*" >> {log}
case " $* " in *10.9.9.9*) echo "mount error(113): could not connect" >&2; exit 32 ;; esac
if [ -e {down} ]; then echo "mount error(112): host is down" >&2; exit 32; fi
exec /bin/mount -t tmpfs -o "${{4%%,*}},size=64k" "$5" "$6"
"""


@dataclass(frozen=True, slots=True)
class Room:
    images: Path
    log: Path
    down: Path
    env: dict[str, str]

    def source(self) -> str:
        words = ["findmnt", "--noheadings", "--output", "SOURCE,OPTIONS", str(self.images)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        source, _, options = done.stdout.strip().partition(" ")
        return f"{source} {options.strip()[:2]}" if source else ""


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    tools = tmp_path / "tools"
    tools.mkdir()
    images, log, down = tmp_path / "images", tmp_path / "log", tmp_path / "down"
    images.mkdir()
    mount = tools / "mount"
    mount.write_text(MOUNT.format(log=log, down=down))
    mount.chmod(0o755)
    env = {"PATH": f"{tools}:{os.environ['PATH']}", "OGIMG": str(images), "ogprotocol": "smb"}
    yield Room(images, log, down, env)
    while images.is_mount():
        subprocess.run(["umount", images], check=True)


@contextmanager
def _inside(folder: Path) -> Iterator[None]:
    """This process has something below a folder open."""
    (folder / "held").mkdir(exist_ok=True)
    held = os.open(folder / "held", os.O_RDONLY)
    try:
        yield
    finally:
        os.close(held)


@pytest.mark.proves("ogChangeRepo", "ogGetRepoIp")
def test_another_repository_and_a_unit_of_it(old: Old, room: Room) -> None:
    assert old("ogChangeRepo", "10.0.0.2", env=room.env) == Ran("", "", 0)
    assert room.source() == "//10.0.0.2/ogimages ro"
    assert old("ogGetRepoIp", env=room.env) == Ran("10.0.0.2\n", "", 0)
    assert old("ogChangeRepo", "10.0.0.3", env=room.env) == Ran("", "", 0)
    assert old("ogChangeRepo", "REPO", "faculty", env=room.env) == Ran("", "", 0)
    assert room.source() == "//10.0.0.3/ogimages/faculty ro"
    assert len(room.log.read_text().splitlines()) == 3
    assert "nosuid,nodev,noexec,guest" in room.log.read_text()


@pytest.mark.proves("ogChangeRepo")
def test_writing_and_protocol_are_kept(old: Old, room: Room) -> None:
    env = {**room.env, "ogprotocol": "nfs", "ogactiveadmin": "true"}
    assert old("ogChangeRepo", "10.0.0.2", env=env) == Ran("", "", 0)
    assert old("ogChangeRepo", "10.0.0.3", env=room.env) == Ran("", "", 0)
    assert room.source() == "10.0.0.3:/opt/opengnsys/images rw"


@pytest.mark.proves("ogChangeRepo")
def test_the_same_repository_is_left_alone(old: Old, room: Room) -> None:
    for _ in range(2):
        assert old("ogChangeRepo", "10.0.0.2", "faculty", env=room.env) == Ran("", "", 0)
    assert len(room.log.read_text().splitlines()) == 1


@pytest.mark.refuses("ogChangeRepo")
def test_the_previous_repository_comes_back(old: Old, room: Room) -> None:
    assert old("ogChangeRepo", "10.0.0.2", "faculty", env=room.env).status == 0
    ran = old("ogChangeRepo", "10.9.9.9", env=room.env)
    assert (ran.stdout, ran.status) == ("", OgErr.REPO)
    assert "could not connect" in ran.stderr
    assert "//10.0.0.2/ogimages/faculty is mounted again" in ran.stderr
    assert room.source() == "//10.0.0.2/ogimages/faculty ro"


@pytest.mark.refuses("ogChangeRepo")
def test_when_nothing_can_be_mounted_any_more_that_is_said(old: Old, room: Room) -> None:
    assert old("ogChangeRepo", "10.0.0.2", env=room.env).status == 0
    room.down.touch()
    ran = old("ogChangeRepo", "10.0.0.3", env=room.env)
    assert ran.status == OgErr.REPO
    assert "Nor can //10.0.0.2/ogimages again" in ran.stderr
    assert room.source() == ""


@pytest.mark.refuses("ogChangeRepo")
def test_what_is_no_share_is_not_unmounted(old: Old, room: Room) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", room.images], check=True)
    assert old("ogChangeRepo", "10.0.0.2", env=room.env).status == OgErr.REPO
    assert room.source() == "tmpfs rw"


@pytest.mark.proves("CambiarAcceso")
def test_a_share_is_mounted_for_writing_and_for_reading(old: Old, room: Room) -> None:
    assert old("ogChangeRepo", "10.0.0.2", "faculty", env=room.env) == Ran("", "", 0)
    for word, mode in (("admin", "rw"), ("user", "ro")):
        assert old("CambiarAcceso", word, env=room.env) == Ran("", "", 0)
        assert room.source() == f"//10.0.0.2/ogimages/faculty {mode}"


@pytest.mark.refuses("CambiarAcceso")
def test_a_share_that_is_not_there_or_in_use(old: Old, room: Room) -> None:
    assert old("CambiarAcceso", "admin", env=room.env).status == OgErr.NOTFOUND
    env = {**room.env, "ogactiveadmin": "true"}
    assert old("ogChangeRepo", "10.0.0.2", env=env).status == 0
    assert old("CambiarAcceso", "root", env=room.env).status == OgErr.FORMAT
    with _inside(room.images):
        assert old("CambiarAcceso", "user", env=room.env).status == OgErr.LOCKED
    assert room.source() == "//10.0.0.2/ogimages rw"


@pytest.mark.refuses("ogDeleteTree")
def test_a_tree_with_a_mount_in_it_is_kept(old: Old, room: Room) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", room.images], check=True)
    ran = old("ogDeleteTree", room.images.parent)
    assert (ran.stdout, ran.status) == ("", OgErr.LOCKED)
    assert str(room.images) in ran.stderr
    assert room.images.is_mount()


@pytest.mark.proves("ogGetServerIp")
@pytest.mark.parametrize("source", ["//10.0.0.7/ogclient", "10.0.0.7:/opt/opengnsys/client"])
def test_the_server_is_the_one_whose_share_is_mounted(old: Old, room: Room, source: str) -> None:
    subprocess.run(["mount", "-t", "tmpfs", source, room.images], check=True)
    env = {"OPENGNSYS": str(room.images), "oglive": "10.0.0.1"}
    assert old("ogGetServerIp", env=env) == Ran("10.0.0.7\n", "", 0)
