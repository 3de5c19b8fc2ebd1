# SPDX-License-Identifier: GPL-3.0-or-later
"""Tries every crash state of one recording, counts, and says how to see one again.

``OG_SEED`` changes which states are made. A case with a violation keeps its recording below
``build/test-artifacts/power``; ``OG_STATE=N`` then tries just state N of that recording.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from power.crash import CrashState, crash_states, make_disk
from power.recorder import Recording, load_recording
from tallies import Tally, seed

_ARTIFACTS = Path(__file__).resolve().parents[2] / "build" / "test-artifacts" / "power"
_SHOWN = 5  # violations in full; the others are counted


@dataclass(frozen=True, slots=True)
class Case:
    """One recorded operation, and the test it belongs to."""

    node_id: str
    work: Path

    @property
    def kept(self) -> Path:
        return _ARTIFACTS / self.node_id.rpartition("::")[2]

    @property
    def is_replay(self) -> bool:
        """Whether one state alone is looked at again."""
        return "OG_STATE" in os.environ

    def recording(self, record: Callable[[Path], Recording]) -> Recording:
        """A fresh recording; with ``OG_STATE`` the one that a violation left, if it is there."""
        if self.is_replay and (self.kept / "recording.json").exists():
            return load_recording(self.kept)
        return record(self.work / "recorded")

    def violations(
        self, recording: Recording, count: int, judge: Callable[[Path, CrashState], None]
    ) -> Iterator[tuple[CrashState, str]]:
        """Judge each state's disk; yields (state, "" or what is wrong).

        ``judge`` runs the real recovery; whatever it raises is wrong.
        """
        log = recording.log
        disk = self.work / "disk"
        only = os.environ.get("OG_STATE")
        for state in crash_states(log, seed=f"{seed()}/{self.kept.name}", count=count):
            if only is not None and state.number != int(only):
                continue
            make_disk(log, recording.base, state, disk)
            said = ""
            try:
                judge(disk, state)
            except Exception as error:  # noqa: BLE001 - a recovery that breaks is a violation
                said = f"{type(error).__name__}: {error}"
            yield state, said
        disk.unlink(missing_ok=True)

    def explore(
        self,
        recording: Recording,
        count: int,
        judge: Callable[[Path, CrashState], None],
        tally: Tally,
        kind: str,
    ) -> None:
        """Fail unless every state is judged well; ``kind`` counts them in the closing line."""
        bad = []
        for state, said in self.violations(recording, count, judge):
            tally.states[kind] += 1
            if said:
                tally.violations[kind] += 1
                bad.append(f"{state}\n{said}\nagain: {self._again(state)}")
        if bad:
            if recording.folder != self.kept:
                recording.save(self.kept)
            more = f"\n\nand {len(bad) - _SHOWN} more" if len(bad) > _SHOWN else ""
            raise AssertionError(f"{len(bad)} violations:\n\n" + "\n\n".join(bad[:_SHOWN]) + more)

        if not self.is_replay:
            shutil.rmtree(self.kept, ignore_errors=True)

    def _again(self, state: CrashState) -> str:
        return (
            f"OG_SEED={seed()} OG_STATE={state.number} .venv/bin/python -m pytest '{self.node_id}'"
        )
