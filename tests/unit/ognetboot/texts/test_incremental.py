# SPDX-License-Identifier: GPL-3.0-or-later
"""Only what changed is written, each file whole, and a cut run is ended by the next."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

import pytest

from ognetboot.errors import NetbootError
from ognetboot.texts import written
from ognetboot.texts.publish import MARKER, publish

Files = dict[PurePosixPath, bytes]
LINKS = {PurePosixPath("oglive"): "../oglive"}


def files(**texts: str) -> Files:
    named = {"boot.ipxe": "first", "ipxe/a.ipxe": "a", "ipxe/b.ipxe": "b", "grub/a": "ga", **texts}
    return {PurePosixPath(name): text.encode() for name, text in named.items()}


def state(out: Path) -> dict[str, str]:
    """All that is there, as it would be read."""
    found = {}
    for path in out.rglob("*"):
        if path.is_symlink():
            found[str(path.relative_to(out))] = f"-> {path.readlink()}"
        elif path.is_file():
            found[str(path.relative_to(out))] = path.read_text()
    found.pop(str(MARKER))
    return found


def inodes(out: Path) -> dict[str, int]:
    return {str(p.relative_to(out)): p.lstat().st_ino for p in out.rglob("*") if p.is_file()}


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "www" / "netboot"


def test_unchanged_files_keep_their_inode(out: Path) -> None:
    publish(out, files(), LINKS)
    before = inodes(out)
    changes = publish(out, files(**{"ipxe/a.ipxe": "A"}), LINKS)
    assert changes.written == (PurePosixPath("ipxe/a.ipxe"),)
    after = inodes(out)
    assert {name for name in after if after[name] != before[name]} == {"ipxe/a.ipxe"}
    assert state(out)["ipxe/a.ipxe"] == "A"


def test_what_left_is_removed_and_its_folder_too(out: Path) -> None:
    publish(out, files(**{"custom/x/y": "z"}), LINKS)
    changes = publish(out, {PurePosixPath("boot.ipxe"): b"first"}, {})
    assert PurePosixPath("custom/x/y") in changes.removed
    assert state(out) == {"boot.ipxe": "first"}
    assert sorted(p.name for p in out.iterdir()) == [".ognetboot", "boot.ipxe"]


@pytest.mark.parametrize("more", [100, 3])
def test_a_cut_run_leaves_whole_files_and_the_next_one_ends_the_work(
    out: Path, monkeypatch: pytest.MonkeyPatch, more: int
) -> None:
    old = files(**{f"ipxe/{n}": "old" for n in range(more)}, **{"ipxe/gone": "old"})
    new = files(**{f"ipxe/{n}": "new" for n in range(more)}, **{"ipxe/come": "new"})
    publish(out, old, LINKS)
    texts = {str(name): {old.get(name, b"-").decode(), new.get(name, b"-").decode()}
             for name in {*old, *new}}  # fmt: skip
    rename, unlink, done = Path.rename, Path.unlink, 0

    def cut_after(most: int) -> None:
        nonlocal done
        done = 0

        def step() -> None:
            nonlocal done
            if done >= most:
                raise KeyboardInterrupt
            done += 1

        def counted_rename(self: Path, target: Path) -> Path:
            step()
            return rename(self, target)

        def counted_unlink(self: Path, missing_ok: bool = False) -> None:
            step()
            unlink(self, missing_ok)

        monkeypatch.setattr(Path, "rename", counted_rename)
        monkeypatch.setattr(Path, "unlink", counted_unlink)

    for most in (0, 1, 2, more // 2, more + 1):
        cut_after(most)
        with pytest.raises(KeyboardInterrupt):
            publish(out, new, LINKS)
        monkeypatch.undo()
        found = state(out)
        for name, text in found.items():
            assert name == "oglive" or text in texts[name], name
        publish(out, old, LINKS)
    cut_after(more // 2)
    with pytest.raises(KeyboardInterrupt):
        publish(out, new, LINKS)
    monkeypatch.undo()
    publish(out, new, LINKS)
    assert state(out) == {**{str(k): v.decode() for k, v in new.items()}, "oglive": "-> ../oglive"}
    assert sorted(p.name for p in out.parent.iterdir()) == [".netboot.lock", "netboot"]


def test_what_names_others_is_written_after_them(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(out, files(), LINKS)
    rename, order = Path.rename, []

    def watched(self: Path, target: Path) -> Path:
        order.append(target.name)
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", watched)
    changed = {PurePosixPath(name): b"new" for name in ("ipxe/b.ipxe", "grub/a", "boot.ipxe")}
    publish(out, changed, LINKS)
    assert order == ["b.ipxe", "a", "boot.ipxe"]


def test_whatever_stands_in_the_way_goes(out: Path, tmp_path: Path) -> None:
    publish(out, files(), LINKS)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "a.ipxe").write_text("not ours")
    for name in ("a.ipxe", "b.ipxe"):
        (out / "ipxe" / name).unlink()
    (out / "ipxe").rmdir()
    (out / "ipxe").symlink_to(elsewhere)
    (out / "boot.ipxe").unlink()
    (out / "boot.ipxe" / "deep").mkdir(parents=True)
    (out / "boot.ipxe" / "deep" / "x").write_text("x")
    (out / "oglive").unlink()
    (out / "oglive").write_text("x")
    os.mkfifo(out / "pipe")
    publish(out, files(), LINKS)
    assert state(out) == {
        **{str(k): v.decode() for k, v in files().items()}, "oglive": "-> ../oglive"
    }  # fmt: skip
    assert (elsewhere / "a.ipxe").read_text() == "not ours"
    assert not publish(out, files(), LINKS)


def test_a_file_that_nobody_may_read_is_put_right(out: Path) -> None:
    publish(out, files(), LINKS)
    (out / "grub").chmod(0o700)
    (out / "grub/a").chmod(0o600)
    assert publish(out, files(), LINKS).written == (PurePosixPath("grub/a"),)
    assert (out / "grub/a").stat().st_mode & 0o777 == 0o644
    assert (out / "grub").stat().st_mode & 0o777 == 0o755


def test_one_at_a_time_and_not_for_ever(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(out, files(), LINKS)
    monkeypatch.setattr(written, "_LOCK_LIMIT_S", 0.0)
    with written.alone(out), pytest.raises(NetbootError, match="another program"):
        publish(out, files(**{"grub/a": "x"}), LINKS)
    assert publish(out, files(**{"grub/a": "x"}), LINKS)
