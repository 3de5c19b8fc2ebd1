# SPDX-License-Identifier: GPL-3.0-or-later
"""Files under a temporary name: whose they are, and in which order name and lock go."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from oglib import partfile
from oglib.deploy.whole_disk.folder import filled
from oglib.errors import OgErr, OgError, WriteError
from oglib.image.recording.sink import FileSink
from oglib.image.writing.target import open_target
from oglib.kernel import claim
from oglib.shim.copy import copy_file, write_small


def at_lock(monkeypatch: pytest.MonkeyPatch, *does: Callable[[], object]) -> None:
    """Each of ``does`` happens between an opening and its lock, as by another process."""
    left, real = list(does), fcntl.flock

    def flock(handle: int, kind: int) -> None:
        if left:
            left.pop(0)()
        real(handle, kind)

    monkeypatch.setattr(fcntl, "flock", flock)


def small(sink: FileSink, data: bytes) -> None:
    sink.write(data)
    sink.finish_plain("a:b:c:d:e\n", lambda _part: None)


def test_an_image_that_is_finished_before_our_lock_is_not_written_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.img"
    other = FileSink(path)
    other.write(b"of another process")

    def finishes() -> None:
        monkeypatch.undo()
        other.finish_plain("a:b:c:d:e\n", lambda _part: None)

    at_lock(monkeypatch, finishes)
    mine = FileSink(path)
    assert path.read_bytes() == b"of another process"
    small(mine, b"mine")
    assert path.read_bytes() == b"mine"
    assert (tmp_path / "x.img.ant").read_bytes() == b"of another process"


def test_a_part_that_was_given_up_before_our_lock_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.img"
    other = FileSink(path)

    def gives_up() -> None:
        monkeypatch.undo()
        other.abort()

    at_lock(monkeypatch, gives_up)
    small(FileSink(path), b"mine")
    assert path.read_bytes() == b"mine"


def test_a_second_abort_leaves_another_capture_alone(tmp_path: Path) -> None:
    path = tmp_path / "x.img"
    failed = FileSink(path)
    failed.abort()
    other = FileSink(path)
    (tmp_path / "x.img.json.part").write_text("of the other")
    failed.abort()
    assert (tmp_path / "x.img.part").exists()
    assert (tmp_path / "x.img.json.part").exists()
    small(other, b"whole")
    third = FileSink(path)
    other.abort()  # it has finished
    assert (tmp_path / "x.img.part").exists()
    assert path.read_bytes() == b"whole"
    third.abort()
    assert not list(tmp_path.glob("*.part"))


def test_the_name_goes_before_the_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    part = tmp_path / "x.img.part"
    sink = FileSink(tmp_path / "x.img")
    unlink, seen = Path.unlink, []

    def watched(path: Path, *, missing_ok: bool = False) -> None:
        if path == part:
            other = os.open(part, os.O_RDWR)
            with pytest.raises(BlockingIOError):
                fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.close(other)
            seen.append(path)
        unlink(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", watched)
    sink.abort()
    assert seen == [part]


def test_what_goes_again_each_time_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = tmp_path / "x.img.part"
    at_lock(monkeypatch, *[lambda: part.unlink(missing_ok=True)] * 100)
    with pytest.raises(OgError, match="Another capture") as caught:
        FileSink(tmp_path / "x.img")
    assert caught.value.code is OgErr.LOCKED


def test_a_folder_that_got_its_name_before_our_lock_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, part = tmp_path / "disk", tmp_path / "disk.part"
    part.mkdir()
    (part / "p1.img").write_bytes(b"of another")
    at_lock(monkeypatch, lambda: part.rename(folder))
    with filled(folder) as new:
        assert (folder / "p1.img").read_bytes() == b"of another"
        (new / "p1.img").write_bytes(b"mine")
    assert (folder / "p1.img").read_bytes() == b"mine"


@pytest.mark.parametrize("kind", ["copy", "text"])
def test_a_copy_that_was_finished_before_our_lock_is_not_written_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    (tmp_path / "from").mkdir()
    source, there = tmp_path / "from" / "a", tmp_path / "a"
    source.write_bytes(b"ours")
    part = tmp_path / "a.part"
    part.write_bytes(b"theirs")
    kept = tmp_path / "kept"

    def finishes() -> None:
        part.rename(there)
        kept.hardlink_to(there)

    at_lock(monkeypatch, finishes)
    if kind == "copy":
        copy_file(source, tmp_path)
    else:
        write_small(there, "ours")
    assert there.read_bytes() == b"ours"
    assert kept.read_bytes() == b"theirs"


def test_a_target_that_was_replaced_before_our_lock_is_not_the_target(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, newer = tmp_path / "disk", tmp_path / "newer"
    file.write_bytes(bytes(512))
    newer.write_bytes(bytes(1024))
    at_lock(monkeypatch, lambda: newer.rename(file))
    with open_target(file, write=True) as opened:
        assert opened.size_bytes == 1024
    monkeypatch.setattr(claim, "is_at", lambda *_: False)
    with pytest.raises(OgError, match="again and again"), open_target(file, write=True):
        pass


def test_names_beside_it_are_looked_at_before_the_first_byte(tmp_path: Path) -> None:
    FileSink(tmp_path / f"{'n' * (255 - 18)}.img").abort()
    with pytest.raises(WriteError, match="too long") as caught:
        FileSink(tmp_path / f"{'n' * (256 - 18)}.img")
    assert "Choose a shorter name" in caught.value.hint
    with pytest.raises(WriteError, match="too long"), filled(tmp_path / ("n" * 251)):
        pass
    assert list(tmp_path.iterdir()) == []
    assert partfile.beside(tmp_path / "x", ".y").name == "x.y"
