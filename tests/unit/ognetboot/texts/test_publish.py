# SPDX-License-Identifier: GPL-3.0-or-later
"""The tree on the disk: whole, repeatable, never over somebody else's files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ognetboot.cli import main
from ognetboot.texts.loaders import LOADERS

HERE = Path(__file__).parents[1]
EXAMPLE = HERE.parents[2] / "pxe" / "examples" / "classroom.toml"
MINIMAL = (HERE / "data" / "minimal.toml").read_text("utf-8")
BENCH = (HERE / "data" / "bench.toml").read_text("utf-8")
SHIM = (HERE / "data" / "shim.toml").read_text("utf-8")


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with every loader in it, each with its own name as content, and no other."""
    root = tmp_path / "lib"
    monkeypatch.setattr("ognetboot.verbs.render.places", lambda site: (site,))
    for loader in LOADERS:
        (root / loader.source).parent.mkdir(parents=True, exist_ok=True)
        (root / loader.source).write_text(loader.name)
    return root


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "www" / "netboot"


def render(text: str | Path, out: Path, library: Path, *options: str) -> int:
    path = out.parent.parent / "site.toml"
    path.write_text(text if isinstance(text, str) else text.read_text("utf-8"), "utf-8")
    return main(["render", str(path), str(out), "--loaders", str(library), *options])


def names(out: Path) -> set[str]:
    return {str(p.relative_to(out)) for p in out.rglob("*") if not p.is_dir() or p.is_symlink()}


def test_second_render_changes_nothing(
    out: Path, library: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert render(EXAMPLE, out, library) == 0
    assert "4 PCs" in capsys.readouterr().out
    before = out.stat().st_ino
    assert render(EXAMPLE, out, library) == 0
    assert capsys.readouterr().out == f"{out}: nothing to change\n"
    assert out.stat().st_ino == before


def test_files_of_a_removed_pc_are_gone(out: Path, library: Path) -> None:
    assert render(EXAMPLE, out, library) == 0
    assert {"ipxe/mac-52-54-00-20-00-11.ipxe", "grub/01-52:54:00:20:00:11"} <= names(out)
    assert render(MINIMAL, out, library) == 0
    assert not [n for n in names(out) if "52" in n]
    assert sorted(p.name for p in out.parent.iterdir()) == [".netboot.lock", "netboot"]


def test_everybody_can_read_the_tree(out: Path, library: Path) -> None:
    old = os.umask(0o077)
    try:
        assert render(MINIMAL, out, library) == 0
    finally:
        os.umask(old)
    for path in [out, *out.rglob("*")]:
        if not path.is_symlink():
            assert path.stat().st_mode & 0o777 == (0o755 if path.is_dir() else 0o644), path


def test_an_edited_file_is_put_right(out: Path, library: Path) -> None:
    assert render(MINIMAL, out, library) == 0
    (out / "boot.ipxe").write_text("broken")
    (out / "stray").write_text("")
    assert render(MINIMAL, out, library) == 0
    assert (out / "boot.ipxe").read_text().startswith("#!ipxe")
    assert not (out / "stray").exists()


def test_a_foreign_folder_is_not_touched(
    out: Path, library: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out.mkdir(parents=True)
    (out / "thesis.txt").write_text("mine")
    assert render(MINIMAL, out, library) == 1
    assert "did not write" in capsys.readouterr().err
    assert names(out) == {"thesis.txt"}


def test_a_refused_inventory_leaves_the_old_tree(
    out: Path, library: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert render(MINIMAL, out, library) == 0
    before = names(out)
    assert render(BENCH, out, library) == 1
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith("ognetboot: site.toml:18: [entries.test] profile:")
    assert "--test" in said
    assert names(out) == before
    assert render(BENCH, out, library, "--test") == 0
    assert (out / "oglive-test").readlink() == Path("../oglive-test")


def test_a_needed_loader_names_its_package(
    out: Path, library: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (library / "usr/lib/shim/shimx64.efi.signed").unlink()
    assert render(MINIMAL, out, library) == 0
    assert render(SHIM, out, library) == 1
    assert "shim-signed (usr/lib/shim/shimx64.efi.signed)" in capsys.readouterr().err


def test_loaders_lie_under_the_names_dhcp_gives(out: Path, library: Path) -> None:
    assert render(SHIM, out, library) == 0
    for loader in LOADERS:
        assert (out / loader.name).read_text() == loader.name
    assert "dhcp-boot=tag:uefi,tag:!ipxe,shimx64.efi\n" in (out / "dnsmasq.conf").read_text()
    assert f"tftp-root={out}\n" in (out / "dnsmasq.conf").read_text()


def test_a_path_dnsmasq_misreads_needs_tftp_root(
    tmp_path: Path, library: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "a, b" / "netboot"
    assert render(MINIMAL, out, library) == 1
    assert "tftp_root" in capsys.readouterr().err


def test_wrong_arguments_are_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["render", "only-one"], ["nonsense"], [], ["site", "a", "b", "--nonsense"]):
        with pytest.raises(SystemExit) as caught:
            main(words)
        assert caught.value.code == 2
        said = capsys.readouterr().err
        assert said.startswith("ognetboot: ")
        assert said.count("\n") == 1
        assert "--help`." in said


def test_a_dry_run_refuses_the_same_and_writes_nothing(
    out: Path, library: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert render(MINIMAL, out, library, "--dry-run") == 0
    assert "would be written" in capsys.readouterr().out
    assert not out.exists()
    assert render(BENCH, out, library, "--dry-run") == 1
    assert render(MINIMAL, out, library) == 0
    capsys.readouterr()
    assert render(MINIMAL, out, library, "--dry-run") == 0
    assert "nothing to change" in capsys.readouterr().out
