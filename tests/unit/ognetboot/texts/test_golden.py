# SPDX-License-Identifier: GPL-3.0-or-later
"""Every template against the file it is meant to write.

After a wanted change: `OG_UPDATE_GOLDEN=1 pytest tests/unit/ognetboot/test_golden.py`, then read
the difference in git before it is committed.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path, PurePosixPath

from ognetboot.texts import preview
from ognetboot.texts.words import CHARSETS

HERE = Path(__file__).parents[1]
Tree = dict[PurePosixPath, str]


def test_tree_is_the_golden_one(name: str, tree: Tree) -> None:
    golden = HERE / "golden" / name
    if os.environ.get("OG_UPDATE_GOLDEN"):
        _replace(golden, tree)
    files = [PurePosixPath(p.relative_to(golden)) for p in golden.rglob("*") if p.is_file()]
    assert sorted(tree) == sorted(files)
    for path in files:
        assert tree[path] == (golden / path).read_text("utf-8"), path


def _replace(golden: Path, tree: Tree) -> None:
    shutil.rmtree(golden, ignore_errors=True)
    for name, text in tree.items():
        path = golden / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")


def test_ipxe_scripts_never_end_in_a_prompt(tree: Tree) -> None:
    for path, text in tree.items():
        if path.suffix != ".ipxe":
            continue
        lines = text.splitlines()
        assert lines[0] == "#!ipxe"
        assert lines[-1] == "exit 1"
        labels = {line[1:] for line in lines if line.startswith(":")}
        for line in lines:
            word = line.split(" ")[0]
            if line and word[0] not in "#:" and word not in {"echo", "exit"}:
                assert "||" in line, f"{path}: no error branch: {line}"
            for target in line.split("goto ")[1:]:
                label = target.split(" ")[0]
                assert label in {"${chosen}", "${og_start}"} | labels, f"{path}: {line}"


def test_menu_lines_fit_80_columns(tree: Tree) -> None:
    """iPXE cuts a line at 74 bytes, and the marked one where the seconds stand at 69."""
    for path, text in tree.items():
        if path.parent.name != "ipxe":
            continue
        for screen in (name for name in ("lines", "more") if f":{name}\n" in text):
            for charset in CHARSETS:
                for line in preview.lines_of(text, charset, screen):
                    assert len(line.text) <= (74 if line.label is None else 69), line
