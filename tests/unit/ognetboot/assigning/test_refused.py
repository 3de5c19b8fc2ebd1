# SPDX-License-Identifier: GPL-3.0-or-later
"""What cannot be written is refused while everything is as it was."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ognetboot.assigning.store import Store
from ognetboot.cli import main
from ognetboot.errors import NetbootError
from ognetboot.texts import publish
from ognetboot.texts.loaders import LOADERS
from ognetboot.verbs import giving
from unit.ognetboot.assigning.rooms import TEXT

ORDERS = [("pc1", "oglive"), ("pc1", "oglive", "--once")]


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An inventory whose tree is rendered."""
    monkeypatch.setattr("ognetboot.verbs.render.places", lambda site: (site,))
    for loader in LOADERS:
        (tmp_path / "lib" / loader.source).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "lib" / loader.source).write_text(loader.name)
    path = tmp_path / "rooms.toml"
    path.write_text(TEXT.replace("/srv/oglive/netboot", str(tmp_path / "www/netboot")))
    argv = ["render", str(path), str(tmp_path / "www/netboot"), "--loaders", str(tmp_path / "lib")]
    assert main(argv) == 0
    return path


def contents(file: Path) -> dict[Path, bytes]:
    found = (path for path in file.parent.rglob("*") if path.is_file())
    return {path: path.read_bytes() for path in found if path.suffix != ".lock"}


@pytest.mark.parametrize("order", ORDERS)
def test_a_tree_that_cannot_be_written(
    file: Path, order: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(file)

    # As the system tells root of a filesystem that is only read.
    def access(path: Path, mode: int) -> bool:
        return not (mode & os.W_OK and "netboot" in str(path))

    def rename(self: Path, target: Path) -> None:
        if "netboot" in str(target):
            raise PermissionError(13, "Read-only file system")
        os.rename(self, target)  # noqa: PTH104

    monkeypatch.setattr(os, "access", access)
    monkeypatch.setattr(Path, "rename", rename)
    assert main(["set", *order, "--inventory", str(file)]) == 1
    assert contents(file) == before


@pytest.mark.parametrize("order", ORDERS)
def test_a_full_tree(file: Path, order: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    before = contents(file)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(publish, "write_all", full)
    assert main(["set", *order, "--inventory", str(file)]) == 1
    assert contents(file) == before


@pytest.mark.parametrize("order", ORDERS)
def test_a_history_that_cannot_be_written(file: Path, order: tuple[str, ...]) -> None:
    before = contents(file)
    Store(file).history.mkdir()
    assert main(["set", *order, "--inventory", str(file)]) == 1
    assert contents(file) == before


def test_what_is_refused_leaves_no_line_in_the_history(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def changed(*_: object) -> bool:
        raise NetbootError("it was changed by somebody else", hint="look at it")

    monkeypatch.setattr(giving, "save", changed)
    assert main(["set", "pc1", "oglive", "--inventory", str(file)]) == 1
    assert Store(file).history.read_text() == ""


def test_the_history_is_readable_whatever_the_umask(file: Path) -> None:
    before = os.umask(0o077)
    try:
        assert main(["set", "pc1", "oglive", "--inventory", str(file)]) == 0
    finally:
        os.umask(before)
    assert Store(file).history.stat().st_mode & 0o777 == 0o644
