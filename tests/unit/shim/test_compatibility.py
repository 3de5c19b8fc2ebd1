# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/compatibility.md is whole, true and of today."""

from __future__ import annotations

import re

import pytest

from compatibility import DOCUMENT, DONE, engine_functions, marked_tests, render
from oglib.shim.command import command_of
from oglib.shim.names import MODULE_OF

FUNCTIONS = engine_functions()
NAMES = [name for names in FUNCTIONS.values() for name in names if name in MODULE_OF]


def test_the_document_is_of_today() -> None:
    assert DOCUMENT.read_text() == render(), "run `python tests/compatibility.py`"


def test_readme_counts_the_commands_of_today() -> None:
    at_work = sum(command_of(name).status == "" for name in NAMES)
    readme = (DOCUMENT.parent.parent / "README.md").read_text()
    said = re.search(r"commands of the same names: of (\d+) today (\d+) do", readme)
    assert said is not None
    assert said.groups() == (str(len(NAMES)), str(at_work))


def test_every_function_has_exactly_one_row() -> None:
    functions = DOCUMENT.read_text().partition("## The boot line")[0]
    rows = re.findall(r"^\| `(\w+)[ `]", functions, re.MULTILINE)
    assert sorted(rows) == sorted(NAMES)


def test_the_commands_are_the_engines_functions_and_no_more() -> None:
    assert sorted(MODULE_OF) == sorted(NAMES)
    assert {name for module in DONE for name in FUNCTIONS[module]} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_function_is_a_command_with_help(name: str) -> None:
    command = command_of(name)
    assert command.name == name
    assert command.does
    assert command.example.split()[0] == name
    assert command.at_least <= command.at_most


@pytest.mark.parametrize("module", FUNCTIONS)
def test_each_function_is_proved_and_refused_by_a_test(module: str) -> None:
    tests = marked_tests()
    lacking = {
        name: [mark for mark in ("proves", "refuses") if not getattr(tests.get(name), mark, [])]
        for name in FUNCTIONS[module]
        if name in MODULE_OF
    }
    assert {name: marks for name, marks in lacking.items() if marks} == {}
