# SPDX-License-Identifier: GPL-3.0-or-later
"""Images of partitions by the old names, made from and judged by the real tools."""

from __future__ import annotations

import gzip
import hashlib
import os
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import pytest

from disk.shim.images import device, mounted, partitioned, refusal, release, said, stretch, tool
from oglib import settings
from oglib.deploy.partition.clone_code import keep_code
from oglib.disk.lock import lock_path
from oglib.disk.probing.virtual import probe_virtual
from oglib.errors import ImageError, OgErr
from oglib.settings import Settings
from oglib.shim import image_file
from oglib.shim.image_file import COMMANDS
from oglib.transfer.pipe.secret import new_code
from unit.ogrepo.conftest import Repository, folder, repository
from unit.shim.old import Old, Ran

__all__ = ["folder", "repository"]

MIB = 1024 * 1024
LAYOUT = """label: gpt
1: size=40M, type=linux
2: size=40M, type=linux
3: size=16M, type=linux
4: size=8M, type=linux
"""
SOURCE_KB = 40 * 1024


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Linux on partition 1, old content on 2 and 3, nothing on 4."""
    folder = tmp_path_factory.mktemp("old-images")
    image = partitioned(folder / "made.img", LAYOUT, 112)
    for number in (1, 2, 3):
        with device(image, number) as loop:
            tool("mkfs.ext4", "-q", "-F", "-L", f"part{number}", loop)
    with mounted(image, 1, folder / "made") as top:
        (top / "data").write_bytes(os.urandom(5 * MIB))
        (top / "words").write_text("same words\n" * 100_000)
    return image


@pytest.fixture
def disk(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    image = tmp_path / f"{uuid4()}.img"
    tool("cp", "--sparse=always", made, image)
    monkeypatch.setenv("OG_DISKS", str(image))
    monkeypatch.setattr(image_file, "_LAST_INFO", tmp_path / "image.info")
    yield image
    release(image)


@pytest.fixture
def images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository on a disk of this PC."""
    folder = tmp_path / "images"
    (folder / "aula1").mkdir(parents=True)
    monkeypatch.setenv("OGIMG", str(folder))
    return folder


@pytest.fixture
def share(images: Path) -> Iterator[Path]:
    """The same, mounted as a share is."""
    tool("mount", "-t", "tmpfs", "images", images)
    yield images
    tool("umount", images)


def run(name: str, *words: object) -> None:
    assert COMMANDS[name].run([str(word) for word in words]) is None


def same(disk: Path, target: int, tmp_path: Path) -> bool:
    """Whether the files of partition 1 are those of another one, and that is sound."""
    with device(disk, target) as loop:
        tool("e2fsck", "-fn", loop)
    with (
        mounted(disk, 1, tmp_path / "a", "ro") as one,
        mounted(disk, target, tmp_path / "b", "ro") as two,
    ):
        tool("diff", "-r", one, two)
    return True


@pytest.mark.proves("ogCreateImage", "ogRestoreImage")
def test_an_image_is_made_and_put_back(old: Old, disk: Path, images: Path, tmp_path: Path) -> None:
    tool("mount", "--mkdir", "-o", f"loop,offset={stretch(disk, 2)[0]}", disk, tmp_path / "in-use")
    env = {"OGIMG": str(images)}
    ran = old("ogCreateImage", 1, 1, "REPO", "/aula1/debian", disks=[disk], env=env)
    assert (ran.stdout, ran.status) == ("", 0), ran.stderr
    line = f"PARTCLONE:ZSTD:EXTFS:{SOURCE_KB}"
    where = images / "aula1"
    last = Path("/tmp/image.info")
    assert last.read_text() == f"{line}:{socket.gethostname()}\n"
    last.unlink()
    assert (where / "debian.img.info").read_text().strip() == f"{line}:{socket.gethostname()}"
    content = (where / "debian.img").read_bytes()
    assert (where / "debian.img.sum").read_text().strip() == md5(content[-MIB:])
    assert (where / "debian.img.full.sum").read_text().strip() == md5(content)
    assert not list(images.rglob("*.lock"))
    tool("bash", "-c", f"set -o pipefail; zstd -dcq {where}/debian.img | partclone.chkimg -s -")
    ran = old("ogRestoreImage", "repo", "aula1/DEBIAN", 1, 2, disks=[disk], env=env)
    assert (ran.stdout, ran.status) == ("", 0), ran.stderr
    assert ran.stderr.count("warning: ") == 1, "nobody signed it"
    assert same(disk, 2, tmp_path)


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


@pytest.mark.proves("ogCreateImage", "ogRestoreImage")
def test_an_image_for_old_clients(disk: Path, images: Path, tmp_path: Path) -> None:
    run("ogCreateImage", 1, 1, "REPO", "debian", "partclone", "1")
    info = (images / "debian.img.info").read_text()
    assert info.startswith(f"PARTCLONE:LZOP:EXTFS:{SOURCE_KB}:")
    tool("bash", "-c", f"set -o pipefail; lzop -dc {images}/debian.img | partclone.chkimg -s -")
    run("ogRestoreImage", "REPO", "debian", 1, 2)
    assert same(disk, 2, tmp_path)


@pytest.mark.proves("ogCreateImage")
def test_engine_cfg_says_how_and_the_version_before_is_kept(
    disk: Path, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("ogCreateImage", 1, 1, "REPO", "debian")
    before = (images / "debian.img").read_bytes()
    monkeypatch.setenv("IMGCOMP", "gzip")
    run("ogCreateImage", 1, 1, "REPO", "debian")
    assert (images / "debian.img").read_bytes()[:2] == b"\x1f\x8b"
    assert (images / "debian.img.ant").read_bytes() == before
    assert (images / "debian.img.json.ant").exists()
    run("ogRestoreImage", "REPO", "debian", 1, 2)
    assert same(disk, 2, tmp_path), "nothing of our own format is left beside the new one"


@pytest.mark.proves("ogCreateImage", "ogRestoreImage")
@pytest.mark.parametrize("level", ["zstd", "lzop"])
def test_every_byte_of_what_no_program_knows(disk: Path, images: Path, level: str) -> None:
    with device(disk, 3) as loop:
        tool("mkswap", "-q", "-L", "pages", loop)
    with device(disk, 4) as loop:
        Path(loop).write_bytes(os.urandom(8 * MIB))
    for number, name in ((3, "swap"), (4, "unknown")):
        with device(disk, number) as loop:
            before = Path(loop).read_bytes()
        run("ogCreateImage", 1, number, "REPO", name, "partclone", level)
        made = (images / f"{name}.img.info").read_text()
        assert made.startswith(f"PARTCLONE:{level.upper()}:RAW:{len(before) // 1024}:"), made
        with device(disk, number) as loop:
            tool("dd", "if=/dev/zero", f"of={loop}", "bs=1M", f"count={len(before) // MIB}")
        run("ogRestoreImage", "REPO", name, 1, number)
        with device(disk, number) as loop:
            assert Path(loop).read_bytes() == before


@pytest.mark.refuses("ogCreateImage")
def test_an_encrypted_partition_is_taken_only_where_that_is_said(disk: Path, images: Path) -> None:
    with device(disk, 4) as loop, Path(loop).open("r+b") as file:
        # the head of LUKS 1, as far as blkid looks
        uuid = b"12345678-1234-1234-1234-123456789abc"
        head = b"LUKS\xba\xbe\0\1" + b"aes".ljust(32, b"\0") + b"cbc-plain".ljust(32, b"\0")
        file.write(head.ljust(168, b"\0") + uuid.ljust(40, b"\0"))
    assert refusal("ogCreateImage", 1, 4, "REPO", "luks") is not None
    assert not list(images.glob("luks*"))
    run("ogCreateImage", 1, 4, "REPO", "luks", "partclone.dd", "zstd")
    assert (images / "luks.img.info").read_text().startswith("PARTCLONE:ZSTD:RAW:")


@pytest.mark.refuses("ogCreateImage")
def test_images_that_are_not_made(old: Old, disk: Path, images: Path) -> None:
    env = {"OGIMG": str(images)}
    (images / "taken.img.lock").touch()
    for words, code in (
        ((1, 1, "REPO"), OgErr.FORMAT),
        ((1, 1, "NOWHERE", "debian"), OgErr.FORMAT),
        ((1, 1, "REPO", "debian", "tar"), OgErr.FORMAT),
        ((1, 1, "REPO", "debian", "partclone", "zip"), OgErr.FORMAT),
        ((1, 9, "REPO", "debian"), OgErr.NOTFOUND),
        ((1, 1, "REPO", "aula2/debian"), OgErr.NOTFOUND),
        ((1, 1, "REPO", "taken"), OgErr.LOCKED),
    ):
        assert refusal("ogCreateImage", *words) == code, words
    ran = old("ogCreateImage", 1, 1, "REPO", "taken", disks=[disk], env=env)
    assert (ran.stdout, ran.status) == ("", OgErr.LOCKED), ran.stderr
    assert sorted(path.name for path in images.iterdir()) == ["aula1", "taken.img.lock"]


@pytest.mark.refuses("ogCreateImage", "ogRestoreImage")
def test_what_is_locked_is_refused_to_its_own_script_too(
    old: Old, disk: Path, images: Path
) -> None:
    before = gzipped(disk, images / "debian.img")
    assert old("ogLockPartition", 1, 1, disks=[disk]).status == 0
    try:
        env = {"OGIMG": str(images)}
        made = old("ogCreateImage", 1, 1, "REPO", "debian", disks=[disk], env=env)
        restored = old("ogRestoreImage", "REPO", "debian", 1, 1, disks=[disk], env=env)
    finally:
        lock_path(probe_virtual(disk), probe_virtual(disk).partitions[0]).unlink()
    for ran in (made, restored):
        assert (ran.stdout, ran.status) == ("", OgErr.LOCKED)
    assert (images / "debian.img").read_bytes() == before


@pytest.mark.refuses("ogCreateImage")
def test_without_room_the_image_before_stays(disk: Path, share: Path) -> None:
    tool("mount", "-o", "remount,size=3m", share)
    (share / "debian.img").write_bytes(b"old")
    with pytest.raises(Exception, match="room") as caught:
        run("ogCreateImage", 1, 1, "REPO", "debian")
    assert getattr(caught.value, "code", None) == OgErr.NOTWRITE
    assert [path.name for path in share.iterdir()] == ["debian.img"]
    assert disk.exists()


@pytest.mark.refuses("ogRestoreImage")
def test_what_is_not_put_back_leaves_the_target(old: Old, disk: Path, images: Path) -> None:
    good = gzipped(disk, images / "debian.img")
    (images / "cut.img").write_bytes(good[: len(good) // 2])
    (images / "page.img").write_text("<html>404</html>")
    (images / "taken.img").write_bytes(good)
    (images / "taken.img.lock").touch()
    before = md5(disk.read_bytes())
    env = {"OGIMG": str(images)}
    for words, code in (
        (("REPO", "debian", 1), OgErr.FORMAT),
        (("NOWHERE", "debian", 1, 2), OgErr.FORMAT),
        (("REPO", "debian", 1, 9), OgErr.NOTFOUND),
        (("REPO", "none", 1, 2), OgErr.NOTFOUND),
        (("REPO", "page", 1, 2), OgErr.IMAGE),
        (("REPO", "debian", 1, 3), OgErr.IMGSIZEPARTITION),
        (("REPO", "taken", 1, 2), OgErr.LOCKED),
    ):
        assert refusal("ogRestoreImage", *words) == code, words
    assert md5(disk.read_bytes()) == before
    ran = old("ogRestoreImage", "REPO", "cut", 1, 2, disks=[disk], env=env)
    assert (ran.stdout, ran.status) == ("", OgErr.IMAGE), ran.stderr
    with device(disk, 2) as loop:
        assert said("blkid", "-p", loop) == "", "half an image cannot be mounted"


def gzipped(disk: Path, path: Path) -> bytes:
    """An image of partition 1 as old clients made them."""
    with device(disk, 1) as loop:
        argv = ["partclone.extfs", "-c", "-s", loop, "-q", "-L", "/dev/null", "-f", "1"]
        done = subprocess.run(argv, capture_output=True, check=True)
    path.write_bytes(gzip.compress(done.stdout, 1))
    return path.read_bytes()


@pytest.mark.proves("ogRestoreImage")
@pytest.mark.refuses("ogRestoreImage")
def test_an_unsigned_image_of_a_share_needs_the_sites_word(
    disk: Path,
    share: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    gzipped(disk, share / "debian.img")
    monkeypatch.setattr(settings, "load", Settings)
    with pytest.raises(ImageError, match="is not signed"):
        run("ogRestoreImage", "REPO", "debian", 1, 2)
    monkeypatch.setattr(settings, "load", lambda: Settings(allow_unsigned=("REPO",)))
    run("ogRestoreImage", "REPO", "debian", 1, 2)
    assert capsys.readouterr().err.count("warning: ") == 1
    assert same(disk, 2, tmp_path)


@pytest.mark.proves("ogCreateImage", "ogRestoreImage")
def test_what_the_repositorys_share_received_restores_from_it(
    disk: Path, share: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the one line that the guide shows for it; never into the wrong place without."""
    guide = (Path(__file__).parents[3] / "docs/guide.md").read_text()
    line = 'allow_unsigned = ["REPO"]'
    assert f"\n    {line}\n" in guide
    policy = tmp_path / "policy.toml"
    policy.write_text(f"{line}\n")
    none = tmp_path / "none"
    told = settings.load(cmdline=none, boot_env=none, policy=policy, engine_cfg=none)
    monkeypatch.setattr(settings, "load", lambda: told)
    run("ogCreateImage", 1, 1, "REPO", "debian", "partclone", "lzop")
    assert (share / "debian.img.full.sum").is_file()
    run("ogRestoreImage", "REPO", "debian", 1, 2)
    assert same(disk, 2, tmp_path)
    monkeypatch.setattr(settings, "load", Settings)
    with pytest.raises(ImageError, match="is not signed"):
        run("ogRestoreImage", "REPO", "debian", 1, 2)


@pytest.mark.proves("ogCreateImage", "ogRestoreImage")
def test_without_a_share_both_go_by_http(
    disk: Path,
    images: Path,
    repository: Repository,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    token = tmp_path / "token"
    token.write_text(repository.token("debian"))
    token.chmod(0o600)
    keys = tmp_path / "keys"
    told = Settings(
        repository=repository.base.removeprefix("http://"),
        upload_token=token,
        keys_dir=keys,
        allow_unsigned=(repository.base,),
    )
    monkeypatch.setattr(settings, "load", lambda: told)
    run("ogCreateImage", 1, 1, "REPO", "debian")
    assert (tmp_path / "image.info").read_text().startswith(f"PARTCLONE:ZSTD:EXTFS:{SOURCE_KB}:")
    assert not list(images.glob("*.img*"))
    run("ogRestoreImage", "REPO", "debian", 1, 2)
    assert same(disk, 2, tmp_path)


@pytest.mark.proves("ogCreateImage", "ogRestoreImage")
def test_an_image_of_the_cache(disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = partitioned(tmp_path / f"{uuid4()}.img", "label: gpt\nsize=32M, name=CACHE\n", 40)
    with device(cache, 1) as loop:
        tool("mkfs.ext4", "-q", "-F", "-L", "CACHE", loop)
    monkeypatch.setenv("OG_DISKS", f"{disk}:{cache}")
    monkeypatch.setenv("OGCAC", str(tmp_path / "cache"))
    try:
        run("ogCreateImage", 1, 1, "CACHE", "debian", "partclone", "none")
        info = tmp_path / "cache/opt/opengnsys/images/debian.img.info"
        assert info.read_text().startswith(f"PARTCLONE:NONE:EXTFS:{SOURCE_KB}:")
        run("ogRestoreImage", "CACHE", "debian", 1, 2)
        assert same(disk, 2, tmp_path)
    finally:
        tool("umount", tmp_path / "cache")
        Path(f"/mnt/{cache.name}p1").unlink(missing_ok=True)


def test_help_names_both_places(old: Old) -> None:
    ran = old("ogRestoreImage", "help")
    assert ran == Ran(ran.stdout, "", 0)
    assert "REPO|CACHE NAME DISK PARTITION" in ran.stdout


@pytest.mark.proves("ogUcastSendPartition", "ogUcastReceiverPartition")
def test_a_partition_from_pc_to_pc(old: Old, disk: Path, made: Path, tmp_path: Path) -> None:
    code = tmp_path / "code"
    keep_code(new_code(), code)
    port = next(one for one in range(8000, 8006) if is_free(one))
    env = {"OGCODE": str(code)}
    words = (f"{port}:127.0.0.1", "partclone", "lzop")
    with ThreadPoolExecutor(1) as other:
        theirs = other.submit(old, "ogUcastReceiverPartition", 1, 2, *words, disks=[disk], env=env)
        ours = old("ogUcastSendPartition", 1, 1, *words, disks=[made], env=env)
        assert ours.status == 0, ours.stderr
        assert theirs.result(60).status == 0
    with mounted(disk, 2, tmp_path / "got") as got, mounted(made, 1, tmp_path / "sent") as sent:
        assert (got / "data").read_bytes() == (sent / "data").read_bytes()


def is_free(port: int) -> bool:
    with suppress(OSError), socket.create_server(("", port)):
        return True
    return False
