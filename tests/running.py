# SPDX-License-Identifier: GPL-3.0-or-later
"""pytest's side of all tests: shards, several processes at once, the closing lines.

A process that runs some of the tests beside others (pytest-xdist's worker) has mounts of its
own: ``/mnt`` and what ogLive keeps below ``/run`` are its own too, so that tests that use the
paths of a PC do not meet. What runs on virtual PCs is not for several processes.
"""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from harness.selection import Shard

import smallness
from mounts import own_mounts
from tallies import TALLY, Tally

_SCENARIOS = Path(__file__).resolve().parent / "qemu"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("oglive")
    group.addoption("--shard", default="1/1", metavar="I/N", help="run the I-th of N parts")
    group.addoption("--all-states", action="store_true", help="of power cuts 200 states, not 20")


def pytest_configure(config: pytest.Config) -> None:
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # A shell starts its background jobs with SIGINT ignored, and every child inherits that.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    config.stash[TALLY] = Tally()
    smallness.allocate_little()
    if hasattr(config, "workerinput") and os.geteuid() == 0:
        own_mounts()


def pytest_report_header(config: pytest.Config) -> str:
    return f"oglive: commit {_commit()}, shard {config.getoption('--shard')}"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Every N-th test; the scenarios are dealt out by their seconds, see tests/qemu."""
    shard = Shard.parse(str(config.getoption("--shard")))
    others = [item for item in items if _SCENARIOS not in item.path.parents]
    dropped = set(others) - set(others[shard.index - 1 :: shard.count])
    if dropped:
        config.hook.pytest_deselected(items=list(dropped))
        items[:] = [item for item in items if item not in dropped]


def pytest_collection_finish() -> None:
    smallness.keep()


def pytest_runtest_logfinish() -> None:
    smallness.give_back()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker hands over what it counted."""
    output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["tally"] = session.config.stash[TALLY].as_dict()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    node.config.stash[TALLY].add(getattr(node, "workeroutput", {}).get("tally", {}))


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    for line in config.stash[TALLY].lines():
        terminalreporter.write_line(line)
    terminalreporter.write_line(f"commit {_commit()}, shard {config.getoption('--shard')}")


def _commit() -> str:
    try:
        done = subprocess.run(
            ["git", "-C", _SCENARIOS, "describe", "--always", "--dirty", "--abbrev=12"],
            capture_output=True, text=True, check=False, timeout=30,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return done.stdout.strip() or "no commit yet"


@pytest.fixture
def tally(request: pytest.FixtureRequest) -> Tally:
    return request.config.stash[TALLY]
