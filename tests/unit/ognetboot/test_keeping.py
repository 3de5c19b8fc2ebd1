# SPDX-License-Identifier: GPL-3.0-or-later
"""Locks and files beside an inventory, in a folder where somebody else may write too."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from ognetboot import keeping
from ognetboot.assigning.ears import Ear, heard_by, hearing
from ognetboot.errors import NetbootError
from ognetboot.hearing import documents
from ognetboot.hearing.following import Log
from ognetboot.inventory import reading
from ognetboot.inventory.custom import read_custom
from ognetboot.overlay import site
from ognetboot.texts import pictures
from ognetboot.texts.loaders import LOADERS, read_loaders
from ognetboot.texts.written import alone
from unit.ognetboot.serving.server import INVENTORY

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="gives files away: needs root")
SOMEBODY = 65534
SHOWN = INVENTORY.replace("[server]", '[server]\npicture = "pipe.png"')


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """Root's file; the folder `theirs` beside it is another user's."""
    (tmp_path / "theirs").mkdir()
    if os.geteuid() == 0:
        os.chown(tmp_path / "theirs", SOMEBODY, SOMEBODY)
    path = tmp_path / "victim"
    path.touch(0o640)
    return path


Enter = Callable[[Path], AbstractContextManager[None]]


@pytest.mark.parametrize("link", [os.symlink, os.link])
@pytest.mark.parametrize(
    ("name", "enter"),
    [
        (".c.passwords.json.lock", lambda place: documents.locked(place / "c.passwords.json")),
        (".c.lock", lambda place: keeping.locked(place / ".c.lock")),
        (".c.report.lock", lambda place: hearing(place / "c.toml", Ear.REPORT)),
        (".netboot.lock", lambda place: alone(place / "netboot")),
    ],
)
def test_no_lock_gives_a_file_of_others_away(
    victim: Path, name: str, enter: Enter, link: Callable[[Path, Path], None]
) -> None:
    before = victim.stat()
    link(victim, victim.parent / "theirs" / name)
    with pytest.raises(NetbootError), enter(victim.parent / "theirs"):
        pass
    assert (victim.stat().st_uid, victim.stat().st_mode) == (before.st_uid, before.st_mode)


@as_root
def test_a_name_of_two_is_not_given_away(victim: Path) -> None:
    other = victim.parent / "theirs/c.history"
    os.link(victim, other)
    with pytest.raises(OSError, match="one name"):
        keeping.give_away(other, other.parent)
    assert victim.stat().st_uid == 0


@pytest.mark.parametrize(
    "write",
    [
        lambda path: documents.write(path, {"a": 1}),
        lambda path: keeping.write(path, b"x"),
        lambda path: site.write(path.parent / "site", path),
    ],
)
def test_no_part_is_written_through_a_link(victim: Path, write: Callable[[Path], object]) -> None:
    place = victim.parent / "theirs"
    (place / "site/etc").mkdir(parents=True)
    (place / "site/etc/motd").write_text("hello")
    for part in (f".c.json.{os.getpid()}.part", ".c.json.part", "c.json.part"):
        (place / part).symlink_to(victim)
    write(place / "c.json")
    assert victim.read_bytes() == b""
    assert victim.stat().st_mode & 0o777 == 0o640
    assert (place / "c.json").stat().st_uid == place.stat().st_uid
    assert (place / "c.json").read_bytes()


def test_nobody_else_may_open_a_lock(tmp_path: Path) -> None:
    (tmp_path / ".old.lock").touch()
    (tmp_path / ".old.lock").chmod(0o644)
    with (
        keeping.locked(tmp_path / ".old.lock"),
        documents.locked(tmp_path / "c.json"),
        hearing(tmp_path / "c.toml", Ear.FETCH),
        alone(tmp_path / "netboot"),
    ):
        locks = list(tmp_path.iterdir())
    assert len(locks) == 4
    assert {path.stat().st_mode & 0o777 for path in locks} == {0o600}


def test_who_holds_the_folder_stops_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    handle = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        monkeypatch.setattr("ognetboot.texts.written._LOCK_LIMIT_S", 0.0)
        with alone(tmp_path / "netboot"):
            pass
    finally:
        os.close(handle)


def test_who_hears_waits_for_a_lock_and_not_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ognetboot.assigning.ears._WAIT_S", 0.0)
    file = tmp_path / "c.toml"
    with (
        keeping.locked(tmp_path / ".c.report.lock"),
        pytest.raises(NetbootError, match="another program"),
        hearing(file, Ear.REPORT),
    ):
        pass
    with hearing(file, Ear.REPORT), hearing(file, Ear.REPORT):
        assert heard_by(file) is Ear.REPORT
    assert heard_by(file) is Ear.NONE


def test_who_may_not_ask_whether_it_is_heard_is_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError

    monkeypatch.setattr("ognetboot.assigning.ears.os.open", refuse)
    assert heard_by(tmp_path / "c.toml") is Ear.UNKNOWN


def test_a_folder_is_named_and_leaves_nothing_open(tmp_path: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        with pytest.raises(NetbootError, match=f"{tmp_path} cannot be read: Is a directory"):
            keeping.read(tmp_path, 10)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "read",
    [
        lambda path: keeping.read(path, 10),
        lambda path: documents.read(path, str, str),
        reading.text_of,
        Log,
        lambda path: read_loaders((), (path.rename(path.with_name(LOADERS[0].name)).parent,)),
        lambda path: read_custom(path.parent.parent / "c.toml", path.name),
        lambda path: pictures.pictures(reading.parse(SHOWN, source="c"), path.parent),
        lambda path: site.write(
            path.parent / "etc", path.parent.parent / "x.cpio", site.Extra(ca=path)
        ),
    ],
)
def test_a_pipe_is_refused_not_waited_for(tmp_path: Path, read: Callable[[Path], object]) -> None:
    (tmp_path / "custom/etc").mkdir(parents=True)
    os.mkfifo(tmp_path / "custom/pipe.png")
    with pytest.raises(NetbootError, match="plain file"):
        read(tmp_path / "custom/pipe.png")
