# SPDX-License-Identifier: GPL-3.0-or-later
"""Files beside an inventory: whole, bounded, and never taken for empty when they are not."""

from __future__ import annotations

import json
import multiprocessing
from pathlib import Path

import pytest

from ognetboot.errors import NetbootError
from ognetboot.hearing import documents


def shape(value: object) -> list[int]:
    if not isinstance(value, list):
        raise TypeError
    return [int(one) for one in value]


def test_what_was_written_is_read_and_an_absence_is_nothing(tmp_path: Path) -> None:
    path = documents.beside(tmp_path / "room.toml", "waiting")
    assert path.name == "room.waiting.json"
    assert documents.read(path, shape, lambda: [7]) == [7]
    documents.write(path, [1, 2])
    assert documents.read(path, shape, list) == [1, 2]
    assert [one.name for one in tmp_path.iterdir()] == ["room.waiting.json"]


@pytest.mark.parametrize("bad", [b"", b"{", b'{"a": 1}', b'["x"]', b"[" * 100_000, b"\xff"])
def test_a_damaged_file_is_an_error_and_stays(tmp_path: Path, bad: bytes) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(bad)
    with pytest.raises(NetbootError, match="damaged"):
        documents.read(path, shape, list)
    assert path.read_bytes() == bad


def test_one_that_is_too_long_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    with path.open("wb") as file:
        file.truncate(documents.MOST_BYTES + 1)
    with pytest.raises(NetbootError, match="damaged"):
        documents.read(path, shape, list)


def test_a_folder_is_no_absence(tmp_path: Path) -> None:
    with pytest.raises(NetbootError, match="cannot be read"):
        documents.read(tmp_path, shape, list)


def test_a_secret_is_its_owners_whatever_stood_there(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text("[]")
    path.chmod(0o666)
    documents.write(path, [1], mode=0o600)
    assert path.stat().st_mode & 0o777 == 0o600


def add(path: Path, count: int) -> None:
    for _ in range(count):
        with documents.locked(path):
            documents.write(path, [documents.read(path, shape, lambda: [0])[0] + 1], durable=False)


def test_writers_wait_for_each_other(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=add, args=(path, 25)) for _ in range(3)]
    for one in writers:
        one.start()
    for one in writers:
        one.join(60)
    assert json.loads(path.read_text()) == [75]
