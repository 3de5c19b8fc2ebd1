# SPDX-License-Identifier: GPL-3.0-or-later
"""Disks that several tests look at and none changes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from blake3 import blake3

from disk.image.whole_disks import GPT, MSDOS, made_disk


@pytest.fixture(scope="session")
def gpt(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    yield from _unchanged(made_disk(tmp_path_factory.mktemp("gpt") / "disk", "gpt", GPT))


@pytest.fixture(scope="session")
def msdos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    yield from _unchanged(made_disk(tmp_path_factory.mktemp("msdos") / "disk", "msdos", MSDOS))


def _unchanged(disk: Path) -> Iterator[Path]:
    """The disk, which is as it was when all tests are done."""
    before = _digest(disk)
    yield disk
    assert _digest(disk) == before, f"a test has written on {disk}, which others look at"


def _digest(disk: Path) -> str:
    return blake3().update_mmap(disk).hexdigest()
