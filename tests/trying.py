# SPDX-License-Identifier: GPL-3.0-or-later
"""How hard the tests try: ``make check`` a part, ``make test`` all, ``make fuzz`` much more.

``TRYING`` says ``quick``, ``whole`` (without a word) or ``fuzz``. What a part leaves out is more of
the same: each kind of case is tried by all three. Imported by the conftest of each folder that has
such tests.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TypeVar

from hypothesis import HealthCheck, settings

Item = TypeVar("Item")
_WORD = os.environ.get("TRYING", "whole")
_QUICK_SHARE = 4
_EXAMPLES = {"quick": 100 // _QUICK_SHARE, "whole": 100, "fuzz": 5_000}


def load() -> None:
    """How many examples a test gets that does not say it; any other word is a mistake."""
    settings.register_profile(
        "oglive",
        # No test is judged by how fast a busy machine runs it.
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        max_examples=_EXAMPLES[_WORD],
        print_blob=_WORD == "fuzz",
    )
    settings.load_profile("oglive")


def share() -> int:
    """By how much a test that repeats itself is shortened."""
    return _QUICK_SHARE if _WORD == "quick" else 1


def examples(count: int, *, derandomize: bool = False) -> settings:
    """Another number of examples than the usual one, of the whole."""
    return settings(max_examples=max(1, count // share()), derandomize=derandomize)


def some(items: Sequence[Item]) -> Sequence[Item]:
    """All of them, or every fourth, the first and the last among them."""
    step = share()
    return items if step == 1 else [*items[:-1:step], *items[-1:]]
