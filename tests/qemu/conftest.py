# SPDX-License-Identifier: GPL-3.0-or-later
"""pytest's side of the harness: options, the covering set, shards, fixtures, kept artefacts."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from harness.accel import Accelerator, choose
from harness.bound import BoundModels
from harness.captured import Captured, capture
from harness.golden import GoldenDisks
from harness.inventory import BENCH, UEFI_BENCH
from harness.lan import Lan
from harness.models import Models
from harness.owner import make_work_dir
from harness.paths import TEST_ARTIFACTS, LiveArtifacts
from harness.qemu_argv import Firmware
from harness.ready_state import ReadyState
from harness.room import Bench, Room
from harness.selection import Shard, covering_names, pick_shard
from harness.server import Server
from harness.steps import LOG

_HERE = Path(__file__).resolve().parent
# The first scenario of a session also pays for its fixtures: ready state, golden disks, capture.
_SCENARIO_LIMIT_S = 2400
_FAILED = pytest.StashKey[bool]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("oglive", "virtual PCs")
    group.addoption(
        "--covering", action="store_true", help="of the scenarios only those of covering.toml"
    )
    group.addoption("--keep", action="store_true", help="keep the artefacts of good tests too")


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter,
) -> None:
    for text in LOG.shown:
        terminalreporter.write_line(text)


def _is_scenario(item: pytest.Item) -> bool:
    return _HERE in item.path.parents


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if _is_scenario(item) and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(_SCENARIO_LIMIT_S))
    chosen = list(items)
    if config.getoption("--covering"):
        names = covering_names(_HERE / "covering.toml")
        chosen = [item for item in chosen if not _is_scenario(item) or item.name in names]
        unknown = names - {item.name for item in chosen}
        if unknown and any(_is_scenario(item) for item in items):
            raise pytest.UsageError(
                f"covering.toml names no scenario: {', '.join(sorted(unknown))}"
            )
    shard = Shard.parse(str(config.getoption("--shard")))
    scenarios = [item for item in chosen if _is_scenario(item)]
    names_here = pick_shard([item.name for item in scenarios], shard, _HERE / "covering.toml")
    kept = {id(item) for item in scenarios if item.name in names_here}
    dropped = [item for item in items if _is_scenario(item) and id(item) not in kept]
    if dropped:
        config.hook.pytest_deselected(items=dropped)
        items[:] = [item for item in items if item not in dropped]


# ---- once per session --------------------------------------------------------------------------


@pytest.fixture(scope="session")
def live() -> LiveArtifacts:
    """The built ogLive of the test profile."""
    return LiveArtifacts.find("test")


@pytest.fixture(scope="session")
def accel(live: LiveArtifacts) -> Accelerator:
    return choose(live.folder / "ogvmlinuz")


@pytest.fixture(scope="session")
def lan() -> Iterator[Lan]:
    lan = Lan()
    yield lan
    lan.close()


@pytest.fixture(scope="session")
def work_dir() -> Iterator[Path]:
    path = make_work_dir()
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="session")
def session_logs() -> Path:
    """Where servers and shared machines write; the last session's is replaced."""
    path = TEST_ARTIFACTS / "session"
    if path.exists():
        shutil.rmtree(path)
    path.mkdir(parents=True)
    return path


@pytest.fixture(scope="session")
def server(
    lan: Lan, work_dir: Path, session_logs: Path, accel: Accelerator, live: LiveArtifacts
) -> Iterator[Server]:
    server = Server(lan, work_dir / "repository", session_logs / "server", accel.timeouts)
    server.prepare(live)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def default_profile(server: Server) -> LiveArtifacts:
    """The built ogLive that sites use; the server offers it too."""
    live = LiveArtifacts.find("default")
    server.add_live(live)
    return live


@pytest.fixture(scope="session")
def ready(
    lan: Lan, server: Server, accel: Accelerator, live: LiveArtifacts, session_logs: Path
) -> dict[Firmware, ReadyState]:
    return {
        pc.firmware: ReadyState(lan, server, accel, live, session_logs, pc=pc)
        for pc in (BENCH, UEFI_BENCH)
    }


@pytest.fixture(scope="session")
def golden(lan: Lan, accel: Accelerator, session_logs: Path) -> GoldenDisks:
    return GoldenDisks(lan, accel, session_logs)


@pytest.fixture(scope="session")
def models() -> Models:
    return Models()


@pytest.fixture(scope="session")
def bound(lan: Lan, accel: Accelerator, models: Models, session_logs: Path) -> BoundModels:
    return BoundModels(lan, accel, models, session_logs)


@pytest.fixture(scope="session")
def bench(lan: Lan, accel: Accelerator, server: Server, ready: dict[Firmware, ReadyState]) -> Bench:
    """What all rooms of the session share."""
    return Bench(lan, accel, server, ready)


@pytest.fixture(scope="session")
def session_room(bench: Bench, work_dir: Path, session_logs: Path) -> Iterator[Room]:
    room = Room(bench, disk_dir=work_dir / "session", log_dir=session_logs / "capture")
    yield room
    room.close()


@pytest.fixture(scope="session")
def debian_bios(session_room: Room, golden: GoldenDisks) -> Captured:
    """The BIOS golden Debian, captured into the repository as ``debian-bios``."""
    return capture(session_room, golden.get(Firmware.BIOS), "debian-bios")


# ---- once per scenario -------------------------------------------------------------------------


@pytest.fixture
def room(
    request: pytest.FixtureRequest, bench: Bench, work_dir: Path, session_logs: Path
) -> Iterator[Room]:
    """The scenario's room; after a failure its logs and pictures stay, and it says where."""
    log_dir = TEST_ARTIFACTS / request.node.name
    if log_dir.exists():
        shutil.rmtree(log_dir)
    log_dir.mkdir(parents=True)
    LOG.into(log_dir / "steps.log")
    room = Room(bench, disk_dir=work_dir / request.node.name, log_dir=log_dir)
    try:
        yield room
    finally:
        failed = request.node.stash.get(_FAILED, False)
        if failed:
            room.take_pictures()
        room.close()
        LOG.into(None)
        if failed:
            shutil.copytree(session_logs, log_dir / "session")
            print(f"\nlogs and pictures: {log_dir}", file=sys.stderr)
        elif not request.config.getoption("--keep"):
            shutil.rmtree(log_dir)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed and call.when in ("setup", "call"):
        item.stash[_FAILED] = True
    return report
