# SPDX-License-Identifier: GPL-3.0-or-later
"""How hard hypothesis tries here."""

from __future__ import annotations

import trying

trying.load()
