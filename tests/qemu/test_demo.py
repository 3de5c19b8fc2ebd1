# SPDX-License-Identifier: GPL-3.0-or-later
"""README's first command: what a stranger sees first must not break unseen."""

from __future__ import annotations

import sys

from harness.inventory import DEMO_PC
from harness.paths import BUILD, ROOT
from harness.process import run

_LIMIT_S = 900
_PICTURES = {"menu.png", "ready.png", "restore.png", "login.png"}


def test_the_demo_ends_with_a_system_that_answers() -> None:
    """On a segment and with a server of its own, beside the session's."""
    told = run([sys.executable, str(ROOT / "tests/qemu/demo.py")], limit_s=_LIMIT_S)
    summary = (BUILD / "demo/summary.txt").read_text("utf-8")
    assert summary.strip() in told
    answers = summary[summary.index("the restored system says") :]
    assert DEMO_PC.name in answers
    assert "running, 0 failed units" in answers
    assert {path.name for path in (BUILD / "demo").glob("*.png")} == _PICTURES
