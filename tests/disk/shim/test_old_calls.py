# SPDX-License-Identifier: GPL-3.0-or-later
"""What the scripts of OpenGnsys 1.1.1d call for UNICAST is there, and answers as they expect.

Each row: the function, the words that the script gives it, and the exit code and line that it
builds upon. In the order of the scripts, on one PC: what one call made the next one finds.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from disk.shim.images import device, mounted, partitioned, release, tool
from oglib.errors import OgError
from oglib.shim import image_file
from oglib.shim.command import command_of
from oglib.shim.names import MODULE_OF

MIB = 1024 * 1024
LAYOUT = "label: gpt\n1: size=24M, type=linux\n2: size=24M, type=linux\n"
CACHE_KB = 64 * 1024
NUMBER, PATH, NOTHING = r"\d+", r"/\S+", ""
INFO = r"PARTCLONE:LZOP:EXTFS:\d+"
Row = tuple[str, int, str]

CREATE: list[Row] = [
    ("ogGetCaller", 0, r".*"),
    ("ogEcho log session [1]", 0, NOTHING),
    ("ogGetIpAddress", 0, r"10\.0\.0\.7"),
    ("ogCheckIpAddress REPO", 1, NOTHING),
    ("ogCheckIpAddress 10.0.0.2", 0, NOTHING),
    ("ogChangeRepo REPO", 0, NOTHING),
    ("ogFindCache", 0, r"1 4"),
    ("ogDiskToDev 1", 0, PATH),
    ("ogDiskToDev 1 1", -1, r".*"),  # a disk in a file has no devices of partitions
    ("ogDiskToDev 1 9", 2, NOTHING),
    ("ogMakeDir REPO /debian20261127-120000", 0, NOTHING),
    ("ogDeleteTree REPO /debian20261127-120000", 0, NOTHING),
    ("ogGetParentPath REPO /new/debian", 0, NOTHING),
    ("ogMakeDir REPO /new", 0, NOTHING),
    ("ogGetParentPath REPO /new/debian", 0, PATH),
    ("ogCleanOs 1 1", 0, NOTHING),
    ("ogGetSizeParameters 1 1 REPO debian", 0, r"\d+ \d+ \d+ TRUE"),
    ("ogGetFsSize 1 1", 0, NUMBER),
    ("ogUnmount 1 1", 0, NOTHING),
    ("ogCheckFs 1 1", 0, NOTHING),
    ("ogGetOsType 1 1", 0, r"Linux"),
    ("ogIsEfiActive", -1, NOTHING),
    ("ogCopyEfiBootLoader 1 1", -1, NOTHING),  # with UEFI, of a Windows
    ("ogReduceFs 1 1", 0, NUMBER),
    ("ogCreateImage 1 1 REPO /debian partclone lzop", 0, NOTHING),
    ("ogExtendFs 1 1", 0, NOTHING),
    ("ogGetPath REPO /debian.img", 0, PATH),
    ("ogGetImageInfo {images}/debian.img", 0, INFO),
    ("ogRaiseError session 5 debian", 5, NOTHING),
]
UPDATE: list[Row] = [
    ("ogGetRepoIp", 0, r".*"),
    ("ogGetPath REPO //debian.img", 0, PATH),
    ("ogGetPath CACHE //debian.img", 0, NOTHING),
    ("ogUpdateCacheIsNecesary REPO /debian.img UNICAST", 0, NOTHING),
    ("ogGetCacheSize", 0, str(CACHE_KB)),
    ("ogGetFreeSize 1 4", 0, NUMBER),
    ("ogGetPath REPO /debian.img", 0, PATH),
    ("ogMountCache", 0, PATH),
    ("ogGetParentPath CACHE //new/debian.img", 0, NOTHING),
    ("ogMakeDir CACHE //new", 0, NOTHING),
    ("ogGetParentPath CACHE //debian.img", 0, PATH),
    ("ogExecAndLog command ogCopyFile REPO /debian.img {cache}", 0, NOTHING),
    ("ogUpdateCacheIsNecesary REPO /debian.img UNICAST", 1, NOTHING),
    ("ogUpdateCacheIsNecesary REPO /none.img UNICAST", 2, NOTHING),
]
DEPLOY: list[Row] = [
    ("ogIsLocked 1 2", 1, NOTHING),
    ("ogUnmount 1 2", 0, NOTHING),
    ("ogGetPath REPO debian.img", 0, PATH),
    ("ogGetImageInfo {images}/debian.img", 0, INFO),
    ("ogGetImageInfo {images}/none.img", 2, NOTHING),
]
RESTORE: list[Row] = [
    ("ogCheckStringInGroup deployImage|deployImage restoreImageCustom", 0, NOTHING),
    ("ogCheckStringInGroup bash|deployImage restoreImageCustom", 1, NOTHING),
    ("ogGetPath CACHE debian.img", 0, PATH),
    ("ogGetParentPath CACHE debian", 0, PATH),
    ("ogExecAndLog command ogRestoreImage CACHE debian 1 2", 0, NOTHING),
    ("ogExecAndLog command ogRestoreImage REPO debian 1 2", 0, NOTHING),
]
# What they start besides: scripts of their own.
SCRIPTS = ("updateCache", "restoreImage", "configureOs", "createImage", "deployImage")


@pytest.fixture(scope="module")
def pc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    home = tmp_path_factory.mktemp("calls")
    image = partitioned(home / "disk.img", LAYOUT, 128)
    with device(image, 1) as loop:
        tool("mkfs.ext4", "-q", "-F", loop)
    with mounted(image, 1, home / "made") as top:
        (top / "etc").mkdir()
        (top / "etc/os-release").write_text("ID=debian\nPRETTY_NAME=Debian\n")
        (top / "data").write_bytes(os.urandom(2 * MIB))
    (home / "images").mkdir()
    links = home / "bin"
    links.mkdir()
    for name in ("ogCopyFile", "ogRestoreImage"):
        line = f'exec {sys.executable} -I -m oglib.shim {name} "$@"'
        (links / name).write_text(f"#!/bin/sh\n{line}\n")
        (links / name).chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (
            ("PATH", f"{links}:{os.environ['PATH']}"),
            ("OG_DISKS", image),
            ("OGIMG", home / "images"),
            ("OGCAC", home / "cache"),
            ("OGLOGFILE", home / "pc.log"),
            ("OGLOGSESSION", home / "session.log"),
            ("OGLOGCOMMAND", home / "command.log"),
            ("IPV4ADDR", "10.0.0.7/24"),
        ):
            patch.setenv(name, str(value))
        patch.setattr(image_file, "_LAST_INFO", home / "image.info")
        for line in (f"ogCreateCache {CACHE_KB}", "ogFormatCache", "ogUnmountCache"):
            assert answered(line) == (0, "")
        yield home
    tool("bash", "-c", f"while umount {home}/cache 2>/dev/null; do :; done")
    release(image)


def answered(line: str) -> tuple[int, str]:
    """Exit code and line of a call."""
    name, *words = line.split(" ")
    if "|" in line:  # a word with blanks behind it
        name, *words = [*line.partition("|")[0].split(" "), line.partition("|")[2]]
    try:
        answer = command_of(name).run(words)
    except OgError as error:
        return int(error.code), ""
    if isinstance(answer, bool):
        return int(not answer), ""
    return (answer, "") if isinstance(answer, int) else (0, answer or "")


def test_every_call_finds_its_function_and_is_answered(pc: Path) -> None:
    places = {
        "images": str(pc / "images"),
        "cache": str(pc / "cache/opt/opengnsys/images"),
    }
    wrong = []
    for script in (CREATE, UPDATE, DEPLOY, RESTORE):
        for line, code, shape in script:
            found = answered(line.format(**places))
            as_told = code in (-1, found[0]) and re.fullmatch(shape, found[1])
            if not as_told:
                wrong.append((line, found))
    assert wrong == []
    assert set(SCRIPTS) <= set(MODULE_OF)
    with mounted(pc / "disk.img", 2, pc / "restored", "ro") as top:
        assert (top / "data").stat().st_size == 2 * MIB
