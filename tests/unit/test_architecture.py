# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/architecture.md tells of the tree as it is, and rooms stay small enough to be read."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs/architecture.md").read_text()
RUNTIME = ROOT / "runtime"
HOMES = {"oglib": RUNTIME, "ogrepo": RUNTIME, "ognetboot": ROOT / "pxe"}
MOST_FILES = 20
# One file for each group of old names.
MANY = {"oglib/shim"}
# What is there already and alike: outside of the named files, and one beside them, no file says it.
ALIKE = {
    "another filesystem": '"NILFS2"',
    "another compressor": '"lzip"',
    "old name": "ogGetDiskType",
    "a noun": '"oglib.cli.report"',
    "of the boot line": '"ogdisk',
    "has a BIOS": "UEFI firmware cannot start it",
    "partition type": '"WIN-DYNAMIC"',
    "larger manifests": "MANIFEST_BYTES =",
}


def rows() -> list[tuple[str, list[str], str]]:
    """Change, files, test of each row of the table of changes."""
    cells = re.findall(r"^\| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", TEXT, re.MULTILINE)[1:]
    return [
        (change, re.findall(r"`([^`]+)`", files), test.strip("` ")) for change, files, test in cells
    ]


def test_there_are_ten_changes_and_more() -> None:
    assert len(rows()) >= 10


@pytest.mark.parametrize(("change", "files", "test"), rows(), ids=[row[0] for row in rows()])
def test_a_change_names_few_files_and_a_test(change: str, files: list[str], test: str) -> None:
    beside = "beside it" in TEXT.partition(change)[2].partition("\n")[0]
    assert 1 <= len(files) + beside <= 2
    for name in files:
        assert (HOMES[name.partition("/")[0]] / name).is_file(), name
    assert (ROOT / "tests" / test).is_file(), test


@pytest.mark.parametrize(("change", "word"), ALIKE.items(), ids=ALIKE)
def test_what_is_alike_stands_in_the_named_files_alone(change: str, word: str) -> None:
    files = next(files for told, files, _ in rows() if change in told)
    named = {HOMES[name.partition("/")[0]] / name for name in files}
    said = {each for each in RUNTIME.rglob("*.py") if word in each.read_text()}
    assert said & named
    others = said - named
    assert len(others) + len(named) <= 2
    assert all(other.parent in {each.parent for each in named} for other in others)


def packages() -> list[Path]:
    return sorted(each.parent for each in RUNTIME.rglob("__init__.py"))


@pytest.mark.parametrize("package", packages(), ids=lambda each: str(each.relative_to(RUNTIME)))
def test_a_room_is_small_and_says_what_belongs_there(package: Path) -> None:
    name = str(package.relative_to(RUNTIME))
    if name not in MANY:
        assert len(list(package.glob("*.py"))) <= MOST_FILES
    head = (package / "__init__.py").read_text().splitlines()
    assert head[1].startswith('"""')
    assert len(head[1]) > len('"""x"""')


def test_every_room_is_drawn() -> None:
    """The two drawings of rooms name each folder of ``oglib``, and none that is not there."""
    drawn = TEXT.partition("## Rooms")[2].partition("## Two ways")[0]
    rooms = {each.name for each in packages() if each.parent.name == "oglib"}
    inner = {each.name for each in packages() if each.parent.parent.name == "oglib"}
    words = Counter(re.findall(r"[a-z_]+", drawn))
    assert not [room for room in sorted(rooms | inner) if not words[room]]
