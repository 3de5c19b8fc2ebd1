# SPDX-License-Identifier: GPL-3.0-or-later
"""pytest's side of the power cuts: a folder in memory, and the case."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from power.explore import Case

_MEMORY = Path("/dev/shm")  # an fsync costs nothing there, and hundreds of disks are made


@pytest.fixture
def work(tmp_path: Path) -> Iterator[Path]:
    """A folder of this test for sparse disks, in memory where the host has that."""
    if not _MEMORY.is_dir():
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(prefix="oglive-power-", dir=_MEMORY) as folder:
        yield Path(folder)


@pytest.fixture
def states(request: pytest.FixtureRequest) -> int:
    """How many crash states are tried where all of them would cost more than a minute."""
    return 200 if request.config.getoption("--all-states") else 20


@pytest.fixture
def case(request: pytest.FixtureRequest, work: Path) -> Case:
    """The running test as a case."""
    return Case(request.node.nodeid, work)
