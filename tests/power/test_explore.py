# SPDX-License-Identifier: GPL-3.0-or-later
"""What a violation leaves: its recording, and a way to see that one state again."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from power.crash import CrashState
from power.explore import Case
from power.recorder import Recording
from power.synthetic import synthetic
from tallies import Tally


@pytest.fixture
def recording(work: Path) -> Recording:
    return synthetic(work / "recorded", (0, 2, 0), (0, 0, 1), (8, 8, 0), (30, 1, 0), (0, 0, 1))


def test_a_violation_is_counted_kept_and_tried_again(
    case: Case, recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OG_SEED", "5")
    seen: dict[int, bytes] = {}

    def judge(disk: Path, state: CrashState) -> None:
        seen[state.number] = disk.read_bytes()
        assert state.number not in (3, 4), "not whole"

    tally = Tally()
    with pytest.raises(AssertionError, match=r"2 violations[\s\S]*not whole[\s\S]*OG_STATE=3 "):
        case.explore(recording, 20, judge, tally, "kind")
    assert next(tally.lines()) == "crash states tried 20, violations 2 (kind 20; seed 5)"

    monkeypatch.setenv("OG_STATE", "3")
    again = case.recording(lambda _folder: pytest.fail("recorded anew"))
    first, seen = seen, {}
    with pytest.raises(AssertionError, match="1 violations"):
        case.explore(again, 20, judge, tally, "kind")
    assert seen == {3: first[3]}

    monkeypatch.delenv("OG_STATE")
    case.explore(recording, 20, lambda _disk, _state: None, tally, "kind")
    assert not case.kept.exists(), "what an earlier run left is gone when all is well"


def test_a_recovery_that_breaks_is_a_violation(case: Case, recording: Recording) -> None:
    def judge(_disk: Path, _state: CrashState) -> None:
        raise KeyError("name")

    with pytest.raises(AssertionError, match="KeyError"):
        case.explore(recording, 5, judge, Tally(), "kind")
    shutil.rmtree(case.kept)
