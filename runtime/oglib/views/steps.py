# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps of a piece of work, foreseen or done, as a person reads them."""

from __future__ import annotations

from collections.abc import Sequence

from oglib.fitting.steps import Step
from oglib.views.output import table


def steps_text(steps: Sequence[Step]) -> str:
    """A row a step; nothing of a system's files speaks to the terminal."""
    return table([(step.outcome, step.name, step.detail) for step in steps])
