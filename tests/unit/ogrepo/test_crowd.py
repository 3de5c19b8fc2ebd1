# SPDX-License-Identifier: GPL-3.0-or-later
"""A room that asks all at once, beside PCs that take without end or ask nothing.

The verdicts are the answers, not the times they took: `make bench` measures those.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

import trying
from ogrepo.__main__ import main
from ogrepo.library.folder import open_folder
from unit.ogrepo.crowd import (
    Server,
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


PATH = "/images/big.img"


@pytest.fixture(scope="module", params=LIMITS)
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """One server for both crowds, for a room meets both on one day."""
    if not may_open(4000):
        pytest.skip("this process may not open 4000 files")
    work = tmp_path_factory.mktemp("crowd")
    assert main(["keygen", "--dir", str(work / "repo")]) == 0
    folder = open_folder(work / "repo")
    with (folder.images / "big.img").open("wb") as file:
        file.write(os.urandom(1 << 20))
        file.truncate(BIG)
    with served(folder.root, work / "log", request.param) as server:
        yield server
    assert "Traceback" not in (work / "log").read_text()


def test_2000_ranges_beside_700_slow_readers(server: Server) -> None:
    count = 2000 // trying.share()
    ranges = [range_request(PATH, at * RANGE % BIG, RANGE) for at in range(count)]
    before = server.log.stat().st_size
    with slow_readers(server.port, 700, range_request(PATH, 0, BIG), "127.0.0.1") as told:
        assert set(told) == {b"HTTP/1.1 206"}
        times = ask_until_served(server.port, ranges, "127.0.0.1")
    assert set().union(*times) <= {"206", "503"}
    assert sum(one["206"] for one in times) == count
    assert server.memory_peak_bytes() < 150 << 20
    assert server.log.stat().st_size - before < 1_000_000


def test_1100_silent_connections_keep_out_no_other_address(server: Server) -> None:
    ranges = [range_request(PATH, 0, RANGE)] * 20
    before = server.log.stat().st_size
    with silent(server.port, 1100, "127.0.0.2"):
        assert ask_all(server.port, ranges, "127.0.0.3") == {"206": 20}
    assert server.log.stat().st_size - before < 10_000
