# SPDX-License-Identifier: GPL-3.0-or-later
"""A room that asks all at once, beside PCs that take without end or ask nothing.

The verdicts are the answers, not the times they took: `make bench` measures those.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ogrepo.folder import Folder
from unit.ogrepo.crowd import (
    ask_all,
    ask_until_served,
    may_open,
    range_request,
    served,
    silent,
    slow_readers,
)

RANGE = 64 << 10
BIG = 64 << 20
LIMITS = ["1024:", "1024:1024"]


@pytest.fixture(autouse=True)
def many_descriptors() -> None:
    if not may_open(4000):
        pytest.skip("this process may not open 4000 files")


@pytest.fixture
def big(folder: Folder) -> Folder:
    with (folder.images / "big.img").open("wb") as file:
        file.write(os.urandom(1 << 20))
        file.truncate(BIG)
    return folder


@pytest.mark.parametrize("limits", LIMITS)
def test_2000_ranges_beside_700_slow_readers(big: Folder, tmp_path: Path, limits: str) -> None:
    path = "/images/big.img"
    ranges = [range_request(path, at * RANGE % BIG, RANGE) for at in range(2000)]
    with (
        served(big.root, tmp_path / "log", limits) as server,
        slow_readers(server.port, 700, range_request(path, 0, BIG), "127.0.0.1") as told,
    ):
        assert set(told) == {b"HTTP/1.1 206"}
        times = ask_until_served(server.port, ranges, "127.0.0.1")
        assert set().union(*times) <= {"206", "503"}
        assert sum(one["206"] for one in times) == 2000
        assert server.memory_peak_bytes() < 150 << 20
        assert server.log.stat().st_size < 1_000_000
    assert "Traceback" not in (tmp_path / "log").read_text()


@pytest.mark.parametrize("limits", LIMITS)
def test_1100_silent_connections_keep_out_no_other_address(
    big: Folder, tmp_path: Path, limits: str
) -> None:
    ranges = [range_request("/images/big.img", 0, RANGE)] * 20
    with served(big.root, tmp_path / "log", limits) as server:
        with silent(server.port, 1100, "127.0.0.2"):
            assert ask_all(server.port, ranges, "127.0.0.3") == {"206": 20}
        assert server.log.stat().st_size < 10_000
