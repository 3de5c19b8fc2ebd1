# SPDX-License-Identifier: GPL-3.0-or-later
"""Root works in a repository that a service's user owns: nothing of it becomes root's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ognetboot.cli import main as ognetboot
from ogrepo.__main__ import main
from ogrepo.install.probe import changeable
from unit.image.synthetic import partition

SERVICE = 61234


@pytest.fixture
def served(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """A repository of another user, without a token secret yet."""
    root = tmp_path / "repo"
    assert main(["keygen", str(root)]) == 0
    for path in (root, *root.rglob("*")):
        os.chown(path, SERVICE, SERVICE)
    capsys.readouterr()
    return root


def roots_own(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.lstat().st_uid != SERVICE]


def test_what_root_makes_in_a_repository_is_its_users(served: Path, tmp_path: Path) -> None:
    (served / "keys/image.pub").unlink()
    assert main(["keygen", str(served)]) == 0
    assert main(["token", str(served), "debian"]) == 0
    assert main(["verify", str(served)]) == 0
    assert roots_own(served) == []
    inventory = tmp_path / "inventory.toml"
    inventory.write_text(
        '[server]\naddress = "10.0.0.1"\nsubnet = "10.0.0.0/24"\ninterface = "eth0"\n'
    )
    (tmp_path / "site").mkdir()
    assert ognetboot(["render", str(inventory), str(served / "netboot")]) == 0
    overlay = ["site", str(tmp_path / "site"), str(served / "site.cpio")]
    assert ognetboot([*overlay, "--keys", str(served / "keys")]) == 0
    assert roots_own(served) == []


def test_an_image_has_several_names_and_all_of_them_become_its_users(tmp_path: Path) -> None:
    """Whose name lies elsewhere may be somebody else's, and stays as it is."""
    root = tmp_path / "repo"
    for part in ("images", "bytes"):
        (root / part).mkdir(parents=True)
    (root / "images/a.img").write_bytes(b"ours")
    (root / "bytes/0a").hardlink_to(root / "images/a.img")
    stranger = tmp_path / "stranger"
    stranger.write_bytes(b"not ours")
    (root / "images/b.img").hardlink_to(stranger)
    names = {path.name for path, _ in changeable(root)}
    assert names == {"repo", "images", "bytes", "a.img", "0a"}


def test_what_root_imports_or_adopts_is_its_users_too(served: Path, tmp_path: Path) -> None:
    plain = tmp_path / "plain.img"
    plain.write_bytes(partition(5, mib=2).stream())
    (tmp_path / "old" / "OU").mkdir(parents=True)
    theirs = tmp_path / "old" / "OU" / "pc 1.img"
    theirs.write_bytes(plain.read_bytes())
    for name, more in {"a/as-it-is": (), "b/converted": ("--convert",)}.items():
        assert main(["import", str(served), str(plain), "--name", name, *more]) == 0
    assert main(["adopt", str(served), str(tmp_path / "old")]) == 0
    assert (served / "images/OU/pc-1.img").resolve() == theirs
    assert theirs.stat().st_uid == os.getuid()
    assert roots_own(served) == []


def test_root_does_not_serve_it(served: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", str(served), "--bind", "127.0.0.1", "--port", "0"]) == 7
    assert "belongs to another user" in capsys.readouterr().err
    assert roots_own(served) == []
