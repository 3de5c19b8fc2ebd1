# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the harness importable, as tests/qemu/conftest.py does for the scenarios."""

from __future__ import annotations

import sys
from pathlib import Path

_QEMU = str(Path(__file__).resolve().parents[2] / "qemu")
if _QEMU not in sys.path:
    sys.path.insert(0, _QEMU)
