# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a script's images are, where no share is mounted: asked by HTTP."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from oglib import settings
from oglib.errors import NotFoundError, UsageError
from oglib.settings import Settings
from oglib.shim.origin import origin_of


@pytest.fixture(autouse=True)
def _pc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A PC whose repository is asked by HTTP."""
    told = Settings(repository="10.0.0.2:8080", method="MULTICAST-CACHE")
    monkeypatch.setattr(settings, "load", lambda: told)
    monkeypatch.setenv("OGIMG", str(tmp_path))
    monkeypatch.setenv("IPV4ADDR", "10.0.0.7/24")
    for name in ("ogunit", "ogprotocol"):
        monkeypatch.delenv(name, raising=False)


def test_the_repository_that_the_boot_named() -> None:
    for word in ("REPO", "repo", "", "10.0.0.2"):
        found = origin_of(word)
        assert (found.where, found.http, found.in_cache) == ("REPO", True, False)
        assert found.settings.repository == "10.0.0.2:8080"
        assert found.settings.method == "", "a script says itself how its images come"
        assert found.image("/aula1/debian") == "aula1/debian"


def test_another_server_is_asked_in_the_same_manner() -> None:
    assert origin_of("10.0.0.9").settings.repository == "10.0.0.9:8080"


def test_the_folder_of_a_unit_is_part_of_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ogunit", "FIB")
    assert origin_of("REPO").image("debian") == "FIB/debian"


def test_this_pc_itself_is_its_cache() -> None:
    for word in ("CACHE", "cache", "10.0.0.7"):
        assert origin_of(word).in_cache


def test_a_word_that_is_no_place() -> None:
    for word in ("CDROM", "server", "10.0.0", "10.0.0.300"):
        with pytest.raises(UsageError):
            origin_of(word)


def test_a_share_that_cannot_be_changed_is_not_found(monkeypatch: pytest.MonkeyPatch) -> None:
    told = replace(settings.load(), repository="")
    monkeypatch.setattr(settings, "load", lambda: told)
    with pytest.raises(NotFoundError):
        origin_of("10.0.0.9")
