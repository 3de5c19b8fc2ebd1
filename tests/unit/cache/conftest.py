# SPDX-License-Identifier: GPL-3.0-or-later
"""The store under test."""

from __future__ import annotations

from pathlib import Path

import pytest

from oglib.cache.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    root = tmp_path / "cache"
    root.mkdir()
    return Store(root)
