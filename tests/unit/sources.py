# SPDX-License-Identifier: GPL-3.0-or-later
"""The runtime's own text, read by tests that look for a second owner of something."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

RUNTIME = Path(__file__).resolve().parents[2] / "runtime"


def trees(package: str = "", saying: str = "") -> Iterator[tuple[str, ast.Module]]:
    """Every file of the runtime by its name below it, parsed.

    ``saying``: the pattern of what a file must say to be parsed; that is what takes the time.
    """
    for path in sorted((RUNTIME / package).rglob("*.py")):
        text = path.read_text()
        if re.search(saying, text):
            yield str(path.relative_to(RUNTIME)), ast.parse(text)


def attributes(name: str, module: str = "os") -> set[str]:
    """The files that say ``os.NAME``."""
    return {
        path
        for path, tree in trees(saying=name)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and node.attr == name
        and isinstance(node.value, ast.Name)
        and node.value.id == module
    }
