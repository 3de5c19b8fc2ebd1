# SPDX-License-Identifier: GPL-3.0-or-later
"""createImage as consoles and the scripts of sites call it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from disk.shim.images import as_pc, device, mounted, partitioned, refusal, release, said, tool
from oglib.disk.lock import lock_path
from oglib.disk.probing.virtual import probe_virtual
from oglib.errors import OgErr, OgError
from oglib.shim import create_script
from oglib.shim.command import command_of
from unit.shim.old import Old

MIB = 1024 * 1024
LAYOUT = "label: gpt\n1: size=32M, type=linux\n2: size=32M, type=linux\n"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Linux with litter in /tmp on partition 1."""
    folder = tmp_path_factory.mktemp("captures")
    image = partitioned(folder / "made.img", LAYOUT, 72)
    with device(image, 1) as loop:
        tool("mkfs.ext4", "-q", "-F", loop)
    with mounted(image, 1, folder / "made") as top:
        for name in ("etc", "tmp"):
            (top / name).mkdir()
        (top / "etc/os-release").write_text("ID=debian\nPRETTY_NAME=Debian\n")
        (top / "tmp/litter").write_text("gone in the image\n")
        (top / "data").write_bytes(os.urandom(2 * MIB))
    return image


@pytest.fixture
def pc(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    image = as_pc(made, tmp_path, monkeypatch)
    yield image
    release(image)


def run(*words: object) -> object:
    return command_of("createImage").run([str(word) for word in words])


def blocks(pc: Path) -> int:
    """The size of the filesystem on partition 1."""
    with device(pc, 1) as loop:
        tool("e2fsck", "-fn", loop)
        lines = said("dumpe2fs", "-h", loop).splitlines()
    fields = dict(line.split(":", 1) for line in lines if line.count(":") == 1)
    return int(fields["Block count"]) * int(fields["Block size"])


@pytest.mark.proves("createImage")
def test_a_system_is_cleaned_captured_and_as_large_as_before(pc: Path, tmp_path: Path) -> None:
    assert run(1, 1, "REPO", "/room1/debian") is None
    image = tmp_path / "images/room1/debian.img"
    text = (tmp_path / "session.log").read_text()
    steps = [line.partition(" ")[0] for line in text.splitlines() if line.startswith("[")]
    assert steps == ["[1]", "[5]", "[16]", "[20]", "[30]", "[40]", "[90]", "[100]"]
    assert "room1/debian: PARTCLONE:ZSTD:EXTFS:" in text
    assert blocks(pc) == 32 * MIB
    info = (image.with_name("debian.img.info")).read_text()
    assert int(info.split(":")[3]) < 30 * 1024, "it was not made small"
    command_of("ogRestoreImage").run(["REPO", "room1/debian", "1", "2"])
    with mounted(pc, 2, tmp_path / "m", "ro") as top:
        assert (top / "data").stat().st_size == 2 * MIB
        assert not list((top / "tmp").iterdir())

    before = image.read_bytes()
    image.with_name("debian.img.torrent").write_text("of the old one")
    run(1, 1, "REPO", "room1/debian")
    assert "[35]" in (tmp_path / "session.log").read_text()
    assert image.with_name("debian.img.ant").read_bytes() == before
    assert image.with_name("debian.img.torrent.ant").read_text() == "of the old one"
    for kind in ("sum", "full.sum"):
        assert image.with_name(f"debian.img.{kind}").exists()


@pytest.mark.proves("createImage")
def test_a_failed_capture_leaves_the_filesystem_as_large_as_it_was(
    pc: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        assert blocks(pc) < 32 * MIB
        raise OgError("The server is gone.", code=OgErr.REPO)

    monkeypatch.setattr(create_script, "create", fails)
    assert refusal("createImage", 1, 1, "REPO", "debian") == OgErr.REPO
    assert blocks(pc) == 32 * MIB
    monkeypatch.setenv("IMGREDUCE", "FALSE")
    monkeypatch.setattr(create_script, "create", lambda *_: None)
    with pytest.raises(OgError):  # nothing was made
        run(1, 1, "REPO", "debian")
    assert blocks(pc) == 32 * MIB


@pytest.mark.proves("createImage")
@pytest.mark.usefixtures("pc")
def test_a_script_of_the_site_wins(old: Old, tmp_path: Path) -> None:
    script = tmp_path / "scripts/createImageCustom"
    script.parent.mkdir()
    script.write_text("#!/bin/bash\necho before\ncreateImage $1 $2 $3 $4 x || echo $?\n")
    script.chmod(0o755)
    links = tmp_path / "bin"
    links.mkdir()
    (links / "createImage").write_text(
        '#!/bin/sh\nexec "$OG_PYTHON" -I -m oglib.shim createImage "$@"\n'
    )
    (links / "createImage").chmod(0o755)
    env = {**os.environ, "PATH": f"{links}:{os.environ['PATH']}", "OG_PYTHON": sys.executable}
    ran = old("createImage", 1, 1, "REPO", "debian", env=env)
    assert ran.stdout.splitlines() == ["before", "1"], (ran.stdout, ran.stderr)
    assert "was given 5 arguments" in ran.stderr


@pytest.mark.refuses("createImage")
def test_what_cannot_be_captured(pc: Path, tmp_path: Path) -> None:
    (tmp_path / "images/file").write_text("no folder")
    for words, code in (
        ((1, 1, "REPO"), OgErr.FORMAT),
        ((1, 1, "REPO", "debian", "more"), OgErr.FORMAT),
        ((1, 1, "PLACE", "debian"), OgErr.FORMAT),
        (("x", 1, "REPO", "debian"), OgErr.FORMAT),
        ((1, 9, "REPO", "debian"), OgErr.PARTITION),
        ((1, 1, "CACHE", "debian"), OgErr.NOTCACHE),
        ((1, 1, "10.0.0.7", "debian"), OgErr.NOTCACHE),
        ((1, 1, "10.9.9.9", "debian"), OgErr.NOTFOUND),
        ((1, 1, "REPO", "file/debian"), OgErr.NOTWRITE),
        ((1, 2, "REPO", "debian"), OgErr.PARTITION),
    ):
        assert refusal("createImage", *words) == code, words
    small = tmp_path / "images/small"
    small.mkdir()
    tool("mount", "-t", "tmpfs", "-o", "size=100k", "small", small)
    try:
        assert refusal("createImage", 1, 1, "REPO", "small/debian") == OgErr.CACHESIZE
    finally:
        tool("umount", small)
    disk = probe_virtual(pc)
    lock_path(disk, disk.partitions[0]).write_text("somebody")
    assert refusal("createImage", 1, 1, "REPO", "debian") == OgErr.LOCKED
    lock_path(disk, disk.partitions[0]).unlink()
    assert not list((tmp_path / "images").glob("*.img"))
    assert blocks(pc) == 32 * MIB
