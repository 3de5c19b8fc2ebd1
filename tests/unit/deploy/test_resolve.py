# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person may call an image, and what is meant by it."""

from __future__ import annotations

from pathlib import Path

import pytest

from oglib.deploy.opening.reference import is_path, reference_of, resolve
from oglib.errors import UsageError
from oglib.settings import Settings


@pytest.mark.parametrize("text", ["/a/b", "./b", "..", "old.img", "old.img.gz", "old.img.aa"])
def test_a_file(text: str) -> None:
    assert is_path(text)


@pytest.mark.parametrize("text", ["debian", "lab/debian-13", "debian.old", "http://h/a.img"])
def test_a_name_or_an_address(text: str) -> None:
    assert not is_path(text)


def test_a_name_is_looked_for_in_the_repository() -> None:
    found = resolve("lab/debian", Settings(repository="10.0.0.1"))
    assert found.path is None
    assert found.url.endswith("/images/lab/debian.img")


def test_where_a_file_lies_is_known_of_that_file_alone(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "a.img.ant").symlink_to(tmp_path / "elsewhere" / "a.img.ant")
    shown = resolve(f"{tmp_path}/a.img", Settings())
    assert shown.place is not None
    assert shown.place.real == tmp_path / "a.img"
    before = shown.aside().placed()
    assert before.place is not None
    assert before.place.real == tmp_path / "elsewhere" / "a.img.ant"


@pytest.mark.parametrize("text", ["debian@3", "http://h/images/a.img", "./b.img@2", "CACHE:lab/a"])
def test_what_is_named_is_written_as_it_was(text: str) -> None:
    assert reference_of(text, Settings(repository="10.0.0.1")).text == text


def test_what_the_cache_holds_is_no_file_before_it_is_held() -> None:
    found = reference_of("CACHE:debian@3", Settings())
    assert (found.name, found.version, found.in_cache) == ("debian", 3, True)
    assert (found.path, found.is_own_file) == (None, False)
    with pytest.raises(UsageError, match="is in the cache"):
        resolve("CACHE:debian", Settings())
