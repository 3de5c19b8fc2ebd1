# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person may call an image, and what is meant by it."""

from __future__ import annotations

import pytest

from oglib.deploy.opening.reference import is_path, resolve
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
