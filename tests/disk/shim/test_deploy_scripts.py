# SPDX-License-Identifier: GPL-3.0-or-later
"""restoreImage, updateCache and deployImage as consoles and the scripts of sites call them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from disk.shim.images import as_pc, device, mounted, partitioned, refusal, release, tool
from oglib.disk.lock import lock_path
from oglib.disk.probing.virtual import probe_virtual
from oglib.errors import OgErr
from oglib.shim.command import command_of
from unit.shim.old import Old

MIB = 1024 * 1024
LAYOUT = """label: gpt
1: size=24M, type=linux
2: size=24M, type=linux
3: size=8M, type=linux
"""
DISK_MIB = 160
CACHE_KB = 64 * 1024


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data on partition 1, old content on 2 and 3."""
    folder = tmp_path_factory.mktemp("scripts")
    image = partitioned(folder / "made.img", LAYOUT, DISK_MIB)
    for number in (1, 2, 3):
        with device(image, number) as loop:
            tool("mkfs.ext4", "-q", "-F", "-L", f"part{number}", loop)
    with mounted(image, 1, folder / "made") as top:
        (top / "data").write_bytes(os.urandom(3 * MIB))
        (top / "words").write_text("same words\n" * 100_000)
    return image


@pytest.fixture
def pc(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """That disk, and a repository with the image of its first partition; no cache yet."""
    image = as_pc(made, tmp_path, monkeypatch)
    run("ogCreateImage", 1, 1, "REPO", "debian")
    yield image
    tool("bash", "-c", f"while umount {tmp_path}/cache 2>/dev/null; do :; done")
    release(image)


@pytest.fixture
def with_cache(pc: Path) -> Path:
    run("ogCreateCache", CACHE_KB)
    run("ogFormatCache")
    run("ogUnmountCache")
    return pc


def run(name: str, *words: object) -> object:
    return command_of(name).run([str(word) for word in words])


def same(disk: Path, target: int, tmp_path: Path) -> bool:
    with (
        mounted(disk, 1, tmp_path / "a", "ro") as one,
        mounted(disk, target, tmp_path / "b", "ro") as two,
    ):
        tool("diff", "-r", one, two)
    return True


def session(tmp_path: Path) -> list[str]:
    return (tmp_path / "session.log").read_text().splitlines()


def steps(tmp_path: Path) -> list[str]:
    return [line.partition(" ")[0] for line in session(tmp_path) if line.startswith("[")]


@pytest.mark.proves("restoreImage")
@pytest.mark.parametrize("how", [(), ("UNICAST",), ("unicast-direct",), ("MULTICAST", "9000:x")])
def test_an_image_is_restored_as_it_is(pc: Path, tmp_path: Path, how: tuple[str, ...]) -> None:
    assert run("restoreImage", "REPO", "debian", 1, 2, *how) is None
    assert steps(tmp_path) == ["[1]", "[40]", "[100]"]
    assert same(pc, 2, tmp_path)
    fell = "UNICAST is tried instead of MULTICAST-DIRECT" in (tmp_path / "session.log").read_text()
    assert fell == ("MULTICAST" in how)


@pytest.mark.proves("updateCache", "restoreImage")
def test_the_cache_at_night_and_the_partition_in_the_morning(
    old: Old, with_cache: Path, tmp_path: Path
) -> None:
    ran = old("updateCache", "REPO", "/debian.img", "UNICAST", env=dict(os.environ))
    assert ran.status == 0, ran.stderr
    assert "UNICAST-CACHE: the image is brought into the cache" in ran.stdout
    ran = old("updateCache", "REPO", "/debian.img", "UNICAST", env=dict(os.environ))
    assert (ran.status, "the cache has these very bytes" in ran.stdout) == (0, True), ran.stderr
    (tmp_path / "images/debian.img").unlink()
    ran = old("restoreImage", "10.0.0.7", "debian", 1, 2, env=dict(os.environ))
    assert ran.status == 0, ran.stderr
    assert "[40] ogRestoreImage CACHE debian 1 2" in ran.stdout
    assert same(with_cache, 2, tmp_path)


@pytest.mark.proves("deployImage")
@pytest.mark.parametrize("how", ["UNICAST", "UNICAST-CACHE", "TORRENT", "MULTICAST-CACHE"])
def test_through_the_cache(with_cache: Path, tmp_path: Path, how: str) -> None:
    assert run("deployImage", "REPO", "debian", 1, 2, how, "peer:60") is None
    text = (tmp_path / "session.log").read_text()
    method = how.partition("-")[0]
    assert f"[2] updateCache REPO /debian.img {method} peer:60" in text
    assert "[55] restoreImage CACHE debian 1 2\n" in text
    assert [one for one in steps(tmp_path) if one in ("[90]", "[100]")][-1] == "[100]"
    assert ("UNICAST is tried instead" in text) == (method != "UNICAST")
    assert same(with_cache, 2, tmp_path)


@pytest.mark.proves("deployImage")
@pytest.mark.parametrize(
    "case",
    [
        ("UNICAST", "UNICAST", None),
        ("MULTICAST", "UNICAST", None),
        ("", "TORRENT", None),
        ("NONE", "UNICAST", OgErr.NOTCACHE),
        ("NONE", "UNICAST-DIRECT", None),
    ],
)
def test_without_a_cache_as_engine_cfg_says(
    pc: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    case: tuple[str, str, OgErr | None],
) -> None:
    policy, how, code = case
    monkeypatch.setenv("RESTOREPROTOCOLNOTCACHE", policy)
    assert refusal("deployImage", "REPO", "debian", 1, 2, how) == code
    text = (tmp_path / "session.log").read_text()
    if code is None:
        assert "[55] restoreImage REPO debian 1 2" in text
        assert same(pc, 2, tmp_path)
    else:
        assert "this PC has no cache" in text
        assert "[55]" not in text


@pytest.mark.proves("deployImage", "updateCache")
def test_a_cache_that_is_full(
    with_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "images/other.img"
    tool("truncate", "-s", "50M", other)
    tool("mkfs.ext4", "-q", "-F", other)
    run("updateCache", "REPO", "/other.img", "UNICAST")
    monkeypatch.setenv("RESTOREPROTOCOLNOTCACHE", "NONE")
    assert refusal("updateCache", "REPO", "/debian.img", "UNICAST") == OgErr.CACHESIZE
    assert refusal("deployImage", "REPO", "debian", 1, 2) == OgErr.CACHESIZE
    monkeypatch.setenv("ACTIONCACHEFULL", "DELETE")
    run("deployImage", "REPO", "debian", 1, 2)
    assert "other images leave the cache" in (tmp_path / "session.log").read_text()
    assert same(with_cache, 2, tmp_path)


@pytest.mark.proves("deployImage")
@pytest.mark.usefixtures("pc")
def test_scripts_of_the_site_run_in_the_place_of_ours(tmp_path: Path) -> None:
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    for name, text in (
        ("updateCache", "exit 16"),
        ("restoreImageCustom", f"echo custom $* >> {tmp_path}/ran"),
        ("configureOsCustom", f"echo fits $* >> {tmp_path}/ran"),
    ):
        (scripts / name).write_text(f"#!/bin/bash\n{text}\n")
        (scripts / name).chmod(0o755)
    assert run("deployImage", "REPO", "debian", 1, 2) is None
    assert (tmp_path / "ran").read_text() == "custom REPO debian 1 2\nfits 1 2 REPO debian\n"
    (scripts / "restoreImageCustom").write_text("#!/bin/bash\nexit 57\n")
    assert run("deployImage", "REPO", "debian", 1, 2) == 57
    (scripts / "updateCache").write_text("#!/bin/bash\nexit 60\n")
    assert run("deployImage", "REPO", "debian", 1, 2) == 60


@pytest.mark.refuses("restoreImage", "deployImage")
@pytest.mark.parametrize("name", ["restoreImage", "deployImage"])
def test_each_cause_has_its_number(pc: Path, tmp_path: Path, name: str) -> None:
    for words, code in (
        ((), OgErr.FORMAT),
        (("REPO", "debian", 1), OgErr.FORMAT),
        (("REPO", "debian", 1, 2, "PIGEON"), OgErr.FORMAT),
        (("PLACE", "debian", 1, 2), OgErr.FORMAT),
        (("REPO", "debian", "x", 2), OgErr.FORMAT),
        (("REPO", "debian", 1, 9), OgErr.NOTFOUND),
        (("REPO", "windows", 1, 2), OgErr.NOTFOUND),
        (("10.9.9.9", "debian", 1, 2), OgErr.NOTFOUND),
        (("CACHE", "debian", 1, 2), OgErr.NOTFOUND),
        (("REPO", "debian", 1, 3), OgErr.IMGSIZEPARTITION),
    ):
        assert refusal(name, *words) == code, words
    (tmp_path / "images/bad.img").write_bytes(b"no image at all")
    wanted = OgErr.IMAGEFILE if name == "deployImage" else OgErr.IMAGE
    assert refusal(name, "REPO", "bad", 1, 2) == wanted
    run("ogLockImage", "REPO", "debian.img")
    assert refusal(name, "REPO", "debian", 1, 2) == OgErr.LOCKED
    run("ogUnlockImage", "REPO", "debian.img")
    disk = probe_virtual(pc)
    lock_path(disk, disk.partitions[1]).write_text("somebody")
    assert refusal(name, "REPO", "debian", 1, 2) == OgErr.LOCKED
    lock_path(disk, disk.partitions[1]).unlink()


@pytest.mark.refuses("updateCache")
@pytest.mark.usefixtures("pc")
def test_what_the_cache_is_not_given() -> None:
    assert refusal("updateCache", "REPO", "/debian.img", "UNICAST") == OgErr.NOTCACHE
    run("ogCreateCache", CACHE_KB)
    run("ogFormatCache")
    for words, code in (
        (("REPO", "/debian.img"), OgErr.FORMAT),
        (("REPO", "/debian.img", "PIGEON"), OgErr.FORMAT),
        (("REPO", "/debian.iso", "UNICAST"), OgErr.FORMAT),
        (("CACHE", "/debian.img", "UNICAST"), OgErr.FORMAT),
        (("REPO", "/windows.img", "UNICAST"), OgErr.NOTFOUND),
        (("10.9.9.9", "/debian.img", "UNICAST"), OgErr.NOTFOUND),
        (("REPO", "/debian.img", "RSYNC"), OgErr.DONTSYNC_IMAGE),
    ):
        assert refusal("updateCache", *words) == code, words
