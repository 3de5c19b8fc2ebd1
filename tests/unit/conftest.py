# SPDX-License-Identifier: GPL-3.0-or-later
"""No unit test is judged by how fast a busy machine runs it."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("unit", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unit")
