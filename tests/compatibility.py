# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes docs/compatibility.md: what became of each function of OpenGnsys' engine.

Made from the list of functions, the tables of the old commands and the marks of the tests, so
that nothing in it is claimed by hand: ``python tests/compatibility.py``.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from oglib.shim.command import Command, command_of
from oglib.shim.names import MODULE_OF

TESTS = Path(__file__).parent
DOCUMENT = TESTS.parent / "docs/compatibility.md"
FUNCTIONS = TESTS / "unit/shim/data/engine-functions.tsv"
# Modules of the engine whose functions are all commands here; the others come with later work.
DONE = ("Disk", "FileSystem", "Cache", "File", "String", "Net", "System", "Inventory", "Image")

INTRODUCTION = """\
# Which old commands work

OpenGnsys' engine is a set of shell functions. In ogLive each of them is a command of the same
name, with the same arguments, output and exit codes; `NAME help` says how it is called. A script
begins with `source /opt/opengnsys/etc/preinit/loadenviron.sh` and finds them in its `PATH`.

This page is made by `python tests/compatibility.py` from the commands and their tests, which are
named by their path below `tests/`.

- **works**: as in OpenGnsys 1.1.1d. A test calls it and checks output, exit code and effect, and
  another test checks that it fails as it should.
- **works better**: the same, and a defect of the old one is gone or something was added. The row
  says what differs.
- **retired**: it answers with the name of what replaces it. None of the modules below has one.

Exit code 1 of a question (`ogIsMounted`, `ogCheckIpAddress`, …) means no; an error has the number
of its cause (`OG_ERR_…`), one sentence on standard error, and nothing on standard output.
"""


@dataclass
class Tests:
    """Tests that are about one function, as ``path::name``."""

    proves: list[str] = field(default_factory=list)
    refuses: list[str] = field(default_factory=list)


def engine_functions() -> dict[str, list[str]]:
    """The functions of each module of the old engine."""
    found: dict[str, list[str]] = {}
    for line in FUNCTIONS.read_text().splitlines():
        if not line.startswith("#"):
            module, name = line.split("\t")
            found.setdefault(module, []).append(name)
    return found


def marked_tests() -> dict[str, Tests]:
    """The tests that bear ``@pytest.mark.proves(NAME…)`` or ``refuses``, by function."""
    found: dict[str, Tests] = {}
    for path in sorted(TESTS.glob("*/shim/test_*.py")):
        for test in ast.parse(path.read_text()).body:
            if isinstance(test, ast.FunctionDef):
                for mark, name in _marks(test):
                    tests = found.setdefault(name, Tests())
                    getattr(tests, mark).append(f"{path.relative_to(TESTS)}::{test.name}")
    return found


def _marks(test: ast.FunctionDef) -> Iterator[tuple[str, str]]:
    for decorator in test.decorator_list:
        if isinstance(decorator, ast.Call) and isinstance(decorator.func, ast.Attribute):
            mark = decorator.func.attr
            if mark in ("proves", "refuses"):
                for word in decorator.args:
                    name = ast.literal_eval(word)
                    assert name in MODULE_OF, f"{test.name}: {name} is no command"
                    yield mark, name


def _row(command: Command, tests: Tests) -> str:
    shape = f"{command.name} {command.usage}".strip().replace("|", "\\|")
    status = "works better" if command.better else "works"
    differs = command.better.replace("|", "\\|")
    proofs = "<br>".join(f"`{test}`" for test in tests.proves)
    refusals = "<br>".join(f"`{test}`" for test in tests.refuses)
    return f"| `{shape}` | {status} | {differs} | {proofs} | {refusals} |"


def render() -> str:
    """The whole document."""
    tests = marked_tests()
    functions = engine_functions()
    parts = [INTRODUCTION]
    for module in DONE:
        rows = [_row(command_of(name), tests.get(name, Tests())) for name in functions[module]]
        head = ["| Function | Status | What differs | Proved by | Refused by |", "|---" * 5 + "|"]
        parts.append("\n".join([f"## {module}", "", *head, *rows]) + "\n")
    later = ", ".join(f"{name} ({len(functions[name])})" for name in functions if name not in DONE)
    parts.append(f"## Not yet\n\nThe functions of these modules follow: {later}.\n")
    return "\n".join(parts)


if __name__ == "__main__":
    DOCUMENT.write_text(render())
