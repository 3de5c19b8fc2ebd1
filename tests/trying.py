# SPDX-License-Identifier: GPL-3.0-or-later
"""How hard hypothesis tries: a little in every run, much more by ``make fuzz``.

Imported by the conftest of each folder that has such tests.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

_SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]
# No test is judged by how fast a busy machine runs it.
settings.register_profile("unit", deadline=None, suppress_health_check=_SLOW)
settings.register_profile(
    "fuzz", deadline=None, suppress_health_check=_SLOW, max_examples=5_000, print_blob=True
)


def load() -> None:
    """Choose the profile that the environment names."""
    settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "unit"))
