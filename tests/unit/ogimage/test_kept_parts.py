# SPDX-License-Identifier: GPL-3.0-or-later
"""Finished parts of an image are found again by what they are made of, and only whole ones."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ogimage import oglive
from ogimage.shell import BuildError


class Builder:
    def __init__(self) -> None:
        self.runs = 0

    def __call__(self, folder: Path) -> None:
        self.runs += 1
        (folder / "file").write_text(str(self.runs))


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(oglive, "CACHE_DIR", tmp_path)
    return tmp_path / oglive.PARTS


def test_the_same_key_is_built_once_and_another_anew(cache: Path) -> None:
    builder = Builder()
    first = oglive.kept_part("root-test", "one", "it", builder)
    assert oglive.kept_part("root-test", "one", "it", builder) == first
    assert oglive.kept_part("root-default", "one", "it", builder) != first
    assert oglive.kept_part("root-test", "two", "it", builder) != first
    assert builder.runs == 3
    assert (first / "file").read_text() == "1"
    assert len(list(cache.iterdir())) == 3


def test_a_part_that_failed_half_way_is_not_taken(cache: Path) -> None:
    def fails(folder: Path) -> None:
        (folder / "half").touch()
        raise BuildError("no")

    with pytest.raises(BuildError):
        oglive.kept_part("root-test", "one", "it", fails)
    found = oglive.kept_part("root-test", "one", "it", Builder())
    assert [p.name for p in found.iterdir()] == ["file"]
    assert [p.name for p in cache.iterdir()] == [found.name]


def test_the_last_used_of_each_kind_stay(cache: Path) -> None:
    builder = Builder()
    other = oglive.kept_part("first-stage", "one", "it", builder)
    made = []
    for number in range(oglive.KEPT_PARTS):
        made.append(oglive.kept_part("root-test", str(number), "it", builder))
        os.utime(made[-1], (1000 + number, 1000 + number))
    assert oglive.kept_part("root-test", "0", "it", builder) == made[0]  # used again just now
    newest = oglive.kept_part("root-test", "new", "it", builder)
    kept = {made[0], *made[2:], newest, other}
    assert set(cache.iterdir()) == kept
