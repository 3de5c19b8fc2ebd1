# SPDX-License-Identifier: GPL-3.0-or-later
"""An inventory whose tree is rendered, and verbs typed at it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ognetboot.cli import main
from ognetboot.texts.loaders import LOADERS
from unit.ognetboot.assigning.rooms import TEXT, Say, render


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An inventory whose tree is rendered."""
    monkeypatch.setattr("ognetboot.verbs.render.places", lambda site: (site,))
    for loader in LOADERS:
        (tmp_path / "lib" / loader.source).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "lib" / loader.source).write_text(loader.name)
    path = tmp_path / "rooms.toml"
    path.write_text(TEXT.replace("/srv/oglive/netboot", str(tmp_path / "www/netboot")))
    assert render(path) == 0
    return path


@pytest.fixture
def say(file: Path, capsys: pytest.CaptureFixture[str]) -> Say:
    """Types a verb; its exit code, and what it said on both ways."""

    def run(verb: str, *words: str) -> tuple[int, str]:
        capsys.readouterr()
        code = main([verb, "--inventory", str(file), *words])
        told = capsys.readouterr()
        return code, told.out + told.err

    return run
