# SPDX-License-Identifier: GPL-3.0-or-later
"""Files and functions that can be read in one go; a longer one says why in its head.

``# long: REASON`` stands on a line of its own before the first statement of a file, or right below
the ``def`` of a function.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from unit.sources import RUNTIME

MOST_LINES, MOST_OF_A_FUNCTION = 300, 60
REASON = re.compile(r"\s*# long: \w.*")


def too_long(name: str, text: str) -> Iterator[str]:
    """What of a file is too long without a reason."""
    lines = text.splitlines()
    if len(lines) <= MOST_OF_A_FUNCTION:
        return
    tree = ast.parse(text)
    first = next((node.lineno for node in tree.body if not isinstance(node, ast.Expr)), 1)
    if len(lines) > MOST_LINES and not any(map(REASON.fullmatch, lines[:first])):
        yield name
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            head = lines[node.lineno - 1 : node.body[0].lineno - 1]
            if length > MOST_OF_A_FUNCTION and not any(map(REASON.fullmatch, head)):
                yield f"{name}: {node.name}"


def test_nothing_is_longer_than_a_reader_has_patience_for() -> None:
    texts = {path.relative_to(RUNTIME): path.read_text() for path in RUNTIME.rglob("*.py")}
    found = {one for name, text in texts.items() for one in too_long(str(name), text)}
    assert found == set()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1\n" * 301, ["f.py"]),
        ("x = 1\n" * 300, []),
        ("# long: it is a table\n" + "x = 1\n" * 301, []),
        ("x = 1\n" * 301 + "# long: too late\n", ["f.py"]),
        ("# long:\n" + "x = 1\n" * 301, ["f.py"]),
        ("def f():\n" + "    x = 1\n" * 60, ["f.py: f"]),
        ("def f():\n    # long: one list of steps\n" + "    x = 1\n" * 60, []),
    ],
)
def test_a_reason_is_looked_for_where_a_reader_sees_it(text: str, said: list[str]) -> None:
    assert list(too_long("f.py", text)) == said
