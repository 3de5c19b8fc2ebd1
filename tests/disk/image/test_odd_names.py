# SPDX-License-Identifier: GPL-3.0-or-later
"""Files whose names are no good names: they open, and are shown as a terminal can have them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from disk.shim.images import MIB, tool
from oglib.deploy.opening import reference
from oglib.disk.lock import lock_path
from oglib.disk.model import Disk, TableKind
from oglib.disk.probing.instead import instead_of_disks
from oglib.errors import UsageError
from oglib.settings import Settings

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: loop devices")
NAMES = {
    "odd": b"-lat\xed:tab\t\x1b[31m\nline $(x) '\"",
    "as long as can be": b".." + b"n" * 253,
}


def og(*words: str | bytes, disks: bytes = b"", folder: bytes = b".") -> bytes:
    """What ``og`` said in a process of its own, which must succeed in text that is text."""
    done = subprocess.run(
        [sys.executable, "-m", "oglib", *words], capture_output=True, check=False, cwd=folder,
        env={**os.environb, b"OG_DISKS": disks} if disks else None,
    )  # fmt: skip
    for said in (done.stdout, done.stderr):
        assert not set(said.decode()) & {"\x1b", "\t"}
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("kind", NAMES)
def test_a_file_of_any_name_is_image_target_and_disk(tmp_path: Path, kind: str) -> None:
    name = NAMES[kind]
    folder = os.fsencode(tmp_path / "in") + b"/" + name
    Path(os.fsdecode(folder)).mkdir(parents=True)
    image, target = folder + b"/" + name, folder + b"/t" + name[:254]
    for path, size in ((image, 8 * MIB), (target, 24 * MIB)):
        Path(os.fsdecode(path)).touch()
        os.truncate(path, size)
    tool("mkfs.ext4", "-q", os.fsdecode(image))
    assert json.loads(og("image", "info", image, "--json"))["filesystem"] == "EXTFS"
    assert json.loads(og("image", "restore", image, target, "--yes", "--json"))["verified"]
    og("image", "create", image, "x", "--to", folder)
    og("image", "restore", folder + b"/x.img", target, "--yes")
    og("disk", "apply", "1", "LINUX:10000", "--yes", disks=target)
    (disk,) = json.loads(og("disk", "list", "--json", disks=target))
    assert disk["path"].encode("utf-8", "surrogateescape") == target
    og("fs", "format", "1", "1", "ext4", "--yes", disks=target)
    og("image", "create", target, "w", "--to", folder)
    og("image", "restore", folder + b"/w", target, "--yes")
    if not name.startswith(b"-"):
        return
    other = b"-" + name
    Path(os.fsdecode(target)).rename(os.fsdecode(folder + b"/" + other))
    og("disk", "list", disks=other, folder=folder)  # no program takes it for an option


def test_colons_are_between_disks_or_in_their_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a:b").mkdir()
    one, two, gone = tmp_path / "a:b" / "c:d", tmp_path / "e", tmp_path / "gone"
    for path in (one, two):
        path.touch()
    monkeypatch.setenv("OG_DISKS", f"{one}:{two}:{gone}:")
    assert instead_of_disks() == (one, two, gone)


def test_a_long_name_has_a_lock_and_a_file_has_one(tmp_path: Path) -> None:
    long, link = tmp_path / ("n" * 255), tmp_path / "link"
    long.touch()
    link.symlink_to(long)
    one, other = (Disk(0, path, 0, TableKind.NONE) for path in (long, link))
    assert lock_path(one) == lock_path(other)
    assert len(os.fsencode(lock_path(one).name)) < 250


def test_a_name_that_a_file_here_has_too_is_not_guessed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = Settings(repository="server:8080")
    (tmp_path / "home").mkdir()  # a folder that is no image is no rival
    assert reference.resolve("home", settings).url.endswith("/images/home.img")
    for there in ("debian", "debian.img", "debian/disk.json"):
        (tmp_path / there).parent.mkdir(exist_ok=True)
        (tmp_path / there).touch()
        with pytest.raises(UsageError, match="is a name in the repository, and") as caught:
            reference.resolve("debian", settings)
        assert (
            f"./debian{'.img' if there == 'debian.img' else ''} for the file" in caught.value.hint
        )
        assert "http://server:8080/images/debian.img" in caught.value.hint
        (tmp_path / there).unlink()
    assert reference.resolve("./debian.img", settings).path == Path("debian.img")
