# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps of a piece of work, foreseen or done, as a person reads them."""

from __future__ import annotations

from collections.abc import Sequence

from oglib.errors import printable
from oglib.fitting.edits import shown
from oglib.fitting.steps import Step
from oglib.views.output import table


def told(steps: Sequence[Step], diff: bytes = b"") -> str:
    """A row a step, and below what changes in files; nothing of theirs speaks to the terminal."""
    rows = table([(step.outcome, step.name, step.detail) for step in steps])
    lines = shown(diff).split("\n")[:-1]
    return "\n".join([rows, *("\t".join(map(printable, line.split("\t"))) for line in lines)])
