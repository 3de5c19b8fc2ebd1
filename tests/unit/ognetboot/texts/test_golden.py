# SPDX-License-Identifier: GPL-3.0-or-later
"""Every template against the file it is meant to write.

After a wanted change: `OG_UPDATE_GOLDEN=1 pytest tests/unit/ognetboot/test_golden.py`, then read
the difference in git before it is committed.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path, PurePosixPath

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
                assert label == "${chosen}" or label in labels, f"{path}: {line}"


def test_menu_lines_fit_80_columns(tree: Tree) -> None:
    """iPXE draws 78 columns between its borders, and needs six for the countdown."""
    for path, text in tree.items():
        for line in text.splitlines() if path.parent.name == "ipxe" else ():
            if not line.startswith("item "):
                continue
            shown = line.split(" ||")[0].replace("${space}", "  ")
            shown = shown.replace("${netX/mac}", "m" * 17).replace("${netX/ip}", "i" * 15)
            gap = "--gap" in shown
            text_part = shown.split(" -- ")[-1] if gap else shown[shown.index("  ") :]
            assert len(text_part) <= (78 if gap else 72), line
