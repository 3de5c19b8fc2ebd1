# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server has answered since it was started, as numbers."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Counts:
    """``answers``: by status; ``sent_bytes``: bodies of files, what was cut off as far as it went.

    Changed by the loop alone.
    """

    answers: Counter[int] = field(default_factory=Counter)
    sent_bytes: int = 0
