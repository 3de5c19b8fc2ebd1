# SPDX-License-Identifier: GPL-3.0-or-later
"""A large file is replaced: wherever that is cut, one of both is whole, and the old one is kept."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from oglib.errors import OgError, WriteError
from oglib.osconfig.root import TargetRoot

OLD, NEW = b"old" * 1000, b"new" * 2000
CALLS = ("open", "link", "rename", "fsync", "unlink")


class Cut(BaseException):
    """The power went off."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "boot").mkdir()
    (tmp_path / "boot/initrd").write_bytes(OLD)
    (tmp_path / "boot/initrd").chmod(0o600)
    return tmp_path


def put(folder: Path, data: bytes = NEW, prove: Callable[[BinaryIO], None] | None = None) -> None:
    with TargetRoot(folder) as root:
        root.put_proven(
            "boot/initrd", io.BytesIO(data), prove or (lambda _: None), kept_as="kept.initrd"
        )


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "boot").iterdir()}


def test_the_new_file_is_read_before_it_has_its_name(folder: Path) -> None:
    seen = []

    def prove(file: BinaryIO) -> None:
        assert (folder / "boot/initrd").read_bytes() == OLD
        seen.append(file.read())

    put(folder, prove=prove)
    assert seen == [NEW]
    assert contents(folder) == {"initrd": NEW, "kept.initrd": OLD}
    assert (folder / "boot/initrd").stat().st_mode & 0o777 == 0o600


def test_what_is_not_good_leaves_all_as_it_was(folder: Path) -> None:
    def prove(_file: BinaryIO) -> None:
        raise OgError("it lacks a driver")

    with pytest.raises(OgError, match="lacks a driver"):
        put(folder, prove=prove)
    assert contents(folder) == {"initrd": OLD}


def test_an_older_one_that_was_kept_gives_way(folder: Path) -> None:
    put(folder)
    put(folder, b"newest")
    assert contents(folder) == {"initrd": b"newest", "kept.initrd": NEW}


def test_where_a_file_has_one_name_alone_it_is_copied(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _without_links(monkeypatch)
    put(folder)
    assert contents(folder) == {"initrd": NEW, "kept.initrd": OLD}


def test_no_room_is_told_and_leaves_all_as_it_was(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "link", full)
    with pytest.raises(WriteError, match=r"boot/initrd in .* cannot be replaced: No space left"):
        put(folder)
    assert contents(folder) == {"initrd": OLD}


@pytest.mark.parametrize("links", [True, False], ids=["links", "no links"])
def test_an_old_one_that_cannot_be_kept_is_not_left_by_a_third_name(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *, links: bool
) -> None:
    (folder / "boot/kept.initrd").mkdir()
    if not links:
        _without_links(monkeypatch)
    with pytest.raises(WriteError, match="cannot be replaced: Is a directory"):
        put(folder)
    assert {one.name for one in (folder / "boot").iterdir()} == {"initrd", "kept.initrd"}
    assert (folder / "boot/initrd").read_bytes() == OLD


@pytest.mark.parametrize("links", [True, False], ids=["links", "no links"])
def test_wherever_it_is_cut_one_of_both_is_whole_and_a_rerun_ends_well(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *, links: bool
) -> None:
    done = False
    for cut_at in range(100):
        for path in (folder / "boot").iterdir():
            path.unlink()
        (folder / "boot/initrd").write_bytes(OLD)
        with monkeypatch.context() as patch:
            _cut(patch, cut_at, links=links)
            try:
                put(folder)
                done = True
            except Cut:
                pass
        after = contents(folder)
        assert after["initrd"] in (OLD, NEW)
        assert after["initrd"] == OLD or after["kept.initrd"] == OLD
        put(folder, b"again")
        assert contents(folder) == {"initrd": b"again", "kept.initrd": after["initrd"]}
        if done:
            break
    assert done
    assert cut_at > 5


def _cut(patch: pytest.MonkeyPatch, at: int, *, links: bool) -> None:
    """After so many calls of the system nothing comes to pass any more: not even tidying up."""
    count = 0

    def counted(real: Any) -> Any:
        def call(*words: Any, **more: Any) -> Any:
            nonlocal count
            if count >= at:
                raise Cut
            count += 1
            return real(*words, **more)

        return call

    for name in CALLS:
        patch.setattr(os, name, counted(getattr(os, name)))
    if not links:
        _without_links(patch)


def _without_links(patch: pytest.MonkeyPatch) -> None:
    def no_link(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    patch.setattr(os, "link", no_link)
