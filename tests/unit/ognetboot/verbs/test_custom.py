# SPDX-License-Identifier: GPL-3.0-or-later
"""The site's own scripts lie beside the inventory, and in the tree that PCs read."""

from __future__ import annotations

from pathlib import Path

import pytest

from ognetboot.cli import main
from ognetboot.texts.loaders import LOADERS

DATA = Path(__file__).parents[1] / "data"
ENTRY = '[entries.local]\nkind = "custom"\ntitle = "Local"\ntemplate = "local"\n'


def test_scripts_of_custom_entries_are_served_as_they_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    loaders, tree = tmp_path / "loaders", tmp_path / "www/netboot"
    loaders.mkdir()
    for loader in LOADERS:
        (loaders / loader.name).write_text(loader.name)
    path = tmp_path / "site.toml"
    path.write_text((DATA / "minimal.toml").read_text("utf-8") + ENTRY, "utf-8")
    words = ["render", str(path), str(tree), "--loaders", str(loaders)]
    assert main(words) == 1
    assert "custom/local.ipxe is not there" in capsys.readouterr().err
    assert not tree.exists()
    (tmp_path / "custom").mkdir()
    for ending, content in ((".ipxe", b"#!ipxe\nexit\n"), (".cfg", b"exit # \xf1\n")):
        (tmp_path / f"custom/local{ending}").write_bytes(content)
    assert main(words) == 0
    assert (tree / "custom/local.ipxe").read_bytes() == b"#!ipxe\nexit\n"
    assert (tree / "custom/local.cfg").read_bytes() == b"exit # \xf1\n"
    (tmp_path / "custom/local.cfg").unlink()
    assert main(words) == 0
    assert not (tree / "custom/local.cfg").exists()
