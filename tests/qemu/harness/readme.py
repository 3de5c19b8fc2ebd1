# SPDX-License-Identifier: GPL-3.0-or-later
"""README's blocks of commands, as a reader would type them."""

from __future__ import annotations

from pathlib import Path

from harness.errors import HarnessError


def commands(readme: Path, heading: str) -> list[str]:
    """The first block below ``## heading``: its lines without their comments."""
    _, found, rest = readme.read_text("utf-8").partition(f"\n## {heading}\n")
    if not found:
        raise HarnessError(f"{readme} has no heading {heading!r}")
    block: list[str] = []
    for line in rest.splitlines():
        if line.startswith("## "):
            break
        if line.startswith("    "):
            block.append(line.strip().partition("  #")[0].strip())
        elif block:
            break
    if not block:
        raise HarnessError(f"{readme} has no commands below {heading!r}")
    return block
