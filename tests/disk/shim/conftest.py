# SPDX-License-Identifier: GPL-3.0-or-later
"""The old commands, run as scripts run them, and the disk that they are about."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from disk.shim.images import release, tool
from unit.shim.old import old, pytest_configure

__all__ = ["old", "pytest_configure"]


@pytest.fixture
def image(formatted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the module's ``formatted`` as the only disk of the PC."""
    copy = tmp_path / f"{uuid4()}.img"  # mountpoints are named after it
    tool("cp", "--sparse=always", formatted, copy)
    monkeypatch.setenv("OG_DISKS", str(copy))
    yield copy
    release(copy)
