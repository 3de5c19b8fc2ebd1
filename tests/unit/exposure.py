# SPDX-License-Identifier: GPL-3.0-or-later
"""How much systemd says that a service may, from 0 to 10; what it calls medium begins at 5.0."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

ANALYZE = shutil.which("systemd-analyze")
MOST = 3.0


def exposure(unit: Path, env: Mapping[str, str] | None = None) -> float:
    """Judged from the text alone; nothing of this machine counts."""
    assert ANALYZE is not None
    done = subprocess.run(
        [ANALYZE, "security", "--offline=yes", "--no-pager", unit],
        capture_output=True, text=True, check=False, timeout=60,
        env={**os.environ, "SYSTEMD_LOG_LEVEL": "warning", **(env or {})},
    )  # fmt: skip
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)
    assert found is not None, done.stderr
    return float(found[1])
