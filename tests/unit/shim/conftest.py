# SPDX-License-Identifier: GPL-3.0-or-later
"""The old commands, run as scripts run them."""

from __future__ import annotations

from unit.shim.old import old, pytest_configure

__all__ = ["old", "pytest_configure"]
