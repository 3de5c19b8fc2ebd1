# SPDX-License-Identifier: GPL-3.0-or-later
"""What was tried and what went wrong, counted by kind for the closing lines of a run.

Several processes may run the tests: each counts for itself, and the counts are added up.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields

import pytest


def seed() -> str:
    """Which states, places and bits are chosen: ``OG_SEED``."""
    return os.environ.get("OG_SEED", "1")


@dataclass(slots=True)
class Tally:
    """Damaged images (flips, cuts), crash states and situations, with what got through, by kind.

    ``answers``: calls of old commands whose output and code were compared, by command.
    """

    flips: Counter[str] = field(default_factory=Counter)
    cuts: Counter[str] = field(default_factory=Counter)
    undetected: Counter[str] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    violations: Counter[str] = field(default_factory=Counter)
    situations: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)

    def as_dict(self) -> dict[str, dict[str, int]]:
        return {each.name: dict(getattr(self, each.name)) for each in fields(self)}

    def add(self, counted: Mapping[str, Mapping[str, int]]) -> None:
        """What another process's ``as_dict`` says."""
        for name, counts in counted.items():
            getattr(self, name).update(counts)

    def lines(self) -> Iterator[str]:
        for name in ("flips", "cuts"):
            tried: Counter[str] = getattr(self, name)
            if tried:
                yield f"{name} tried {_told(tried, f'undetected {self.undetected[name]}')}"
        if self.states:
            yield (
                f"crash states tried {_told(self.states, f'violations {self.violations.total()}')}"
            )
        if self.situations:
            said = "a dry run and the real run agreed in all"
            yield f"situations tried {_told(self.situations, said)}"
        if self.answers:
            names = len(self.answers)
            yield f"answers of old names compared {self.answers.total()}, of {names} names"


def _told(tried: Counter[str], bad: str) -> str:
    kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(tried.items()))
    return f"{tried.total()}, {bad} ({kinds}; seed {seed()})"


TALLY = pytest.StashKey[Tally]()
