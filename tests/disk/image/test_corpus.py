# SPDX-License-Identifier: GPL-3.0-or-later
"""What real tools made is told rightly, and restores to what they restore themselves."""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from disk.image.corpus import (
    MAKERS,
    MIB,
    check,
    loop,
    make,
    old_partclone,
    put,
    run,
    run_all,
    web_server,
)
from oglib.errors import ImageError
from oglib.image.reading.formats.detect import describe, open_stream
from oglib.image.reading.formats.model import ImageInfo
from oglib.image.reading.source import FileSource, FrameSource
from oglib.image.reading.volumes import VolumeSource, open_volumes
from oglib.transfer.http import HttpSource

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: loop devices")

COMPRESSORS = {
    "none": ["cat"],
    "gzip": ["gzip", "-1"],
    "pigz": ["pigz", "-1"],
    "lzop": ["lzop", "-1"],
    "zstd": ["zstd", "-q", "-1"],
    "pzstd": ["pzstd", "-q", "-1", "-p", "2"],
    "lz4": ["lz4", "-q"],
    "lz4-legacy": ["lz4", "-q", "-l"],
    "xz": ["xz", "-0"],
    "bzip2": ["bzip2", "-1"],
}
WORDS = {"pigz": "gzip", "pzstd": "zstd", "lz4-legacy": "lz4"}
SOURCES = ("file", "volumes", "web")
PARTIMAGE = ("-b", "-f3", "-o", "-M")  # without a word, and no "press a key" at its end


@dataclass(frozen=True)
class Corpus:
    """``fs-KIND``, ``KIND.crc``, ``KIND.a0``, and ``KIND.theirs``: restored by partclone."""

    folder: Path

    def image(self, kind: str, checksum: str = "crc") -> Path:
        return self.folder / f"{kind}.{checksum}"

    def theirs(self, kind: str) -> Path:
        return self.folder / f"{kind}.theirs"

    def packed(self, kind: str, compressor: str) -> Path:
        path = self.folder / f"{kind}.{compressor}"
        if not path.exists():
            with self.image(kind).open("rb") as source, path.open("wb") as target:
                subprocess.run(COMPRESSORS[compressor], stdin=source, stdout=target, check=True)
        return path


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    folder = tmp_path_factory.mktemp("corpus")
    files, chance = folder / "files", random.Random(1)
    files.mkdir()
    for number in range(40):
        content = chance.randbytes(4000) + b"%d again\n" % number * chance.randrange(9000)
        (files / f"f{number}").write_bytes(content)
    captures: list[list[str | Path]] = []
    restores: list[list[str | Path]] = []
    quiet = ["-q", "-f", "1", "-L", "/dev/null"]
    for kind in MAKERS:
        fs = make(kind, folder / f"fs-{kind}", files)
        for checksum, option in (("crc", ()), ("a0", ("-a0",))):
            captures.append([
                f"partclone.{kind}", "-c", *option, "-s", fs, "-O", folder / f"{kind}.{checksum}",
                *quiet,
            ])  # fmt: skip
        theirs = folder / f"{kind}.theirs"
        with theirs.open("wb") as file:
            file.truncate(fs.stat().st_size)
        restores.append(["partclone.restore", "-s", folder / f"{kind}.crc", "-O", theirs, *quiet])
    run_all(captures)
    run_all(restores)
    return Corpus(folder)


def described(path: Path, *, thorough: bool = False) -> ImageInfo:
    with closing(FileSource(path)) as source:
        return describe(source, thorough=thorough)


def restored(source: FrameSource, target: Path, size: int) -> Path:
    with open_stream(source, "x") as stream:
        put(stream, target, size)
        ranges = stream.used_ranges()
        if stream.content_bytes and ranges is not None:
            assert sum(length for _, length in ranges) == stream.content_bytes
    return target


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("compressor", COMPRESSORS)
@pytest.mark.parametrize("kind", MAKERS)
def test_partclone_in_any_compressor_from_any_source(
    tmp_path: Path, corpus: Corpus, kind: str, compressor: str, source: str
) -> None:
    if not shutil.which(COMPRESSORS[compressor][0]):
        pytest.skip(f"{COMPRESSORS[compressor][0]} is not installed")
    path, theirs = corpus.packed(kind, compressor), corpus.theirs(kind)
    if source == "file":
        info = described(path)
        assert (info.compressor, info.damage) == (WORDS.get(compressor, compressor), "")
        with open_stream(FileSource(path), "x") as stream:
            check(stream, theirs)
    elif source == "volumes":
        piece = path.stat().st_size // 3 + 1
        run("split", "-b", str(piece), path, tmp_path / "x.img.")
        with open_stream(open_volumes(tmp_path / "x.img.aa"), "x") as stream:
            check(stream, theirs)
    else:
        with (
            web_server(corpus.folder) as base,
            open_stream(HttpSource(f"{base}/{path.name}"), "x") as stream,
        ):
            check(stream, theirs)


@pytest.mark.parametrize("kind", MAKERS)
def test_nothing_but_what_partclone_writes(tmp_path: Path, corpus: Corpus, kind: str) -> None:
    theirs = corpus.theirs(kind)
    restored(FileSource(corpus.image(kind)), tmp_path / "ours", theirs.stat().st_size)
    run("cmp", tmp_path / "ours", theirs)


@pytest.mark.parametrize("checksum", ["crc", "a0"])
@pytest.mark.parametrize("kind", MAKERS)
def test_what_we_say_is_what_partclone_says(corpus: Corpus, kind: str, checksum: str) -> None:
    said = run("partclone.info", "-s", corpus.image(kind, checksum), "-L", "/dev/null")
    info = described(corpus.image(kind, checksum), thorough=True)

    def theirs(label: str, pattern: str) -> str:
        found = re.search(rf"{label}:\s+{pattern}", said)
        assert found, said
        return found[1]

    assert info.filesystem == theirs("File system", r"(\S+)")
    assert info.total_blocks == int(theirs("Device size", r".* = (\d+) Blocks"))
    assert info.block_size == int(theirs("Block size", r"(\d+) Byte"))
    assert info.checksum == theirs("checksum algo", r"(\S+)").lower()
    # partclone rounds its megabytes; the exact size is the filesystem's file
    assert info.required_bytes <= (corpus.folder / f"fs-{kind}").stat().st_size
    assert (info.tool, info.damage) == ("partclone", "")


@pytest.mark.parametrize("crc_bytes", [4, 8])
@pytest.mark.parametrize("kind", ["extfs", "ntfs", "fat32"])
def test_partclone_0001(tmp_path: Path, corpus: Corpus, kind: str, crc_bytes: int) -> None:
    old = tmp_path / "old.img"
    old.write_bytes(old_partclone(corpus.image(kind, "a0").read_bytes(), crc_bytes))
    theirs = corpus.theirs(kind)
    if crc_bytes == 4 and kind == "extfs":  # partclone itself agrees that this is 0001
        theirs = tmp_path / "theirs"
        theirs.touch()
        os.truncate(theirs, corpus.theirs(kind).stat().st_size)
        run("partclone.restore", "-s", old, "-O", theirs, "-q", "-f", "1", "-L", "/dev/null")
    ours = restored(FileSource(old), tmp_path / "ours", theirs.stat().st_size)
    run("cmp", ours, theirs)
    info = described(old)
    assert (info.tool, info.checksum) == ("partclone", "v1")


@pytest.mark.parametrize("compressor", ["none", "gzip", "lzop"])
def test_ntfsclone(tmp_path: Path, corpus: Corpus, compressor: str) -> None:
    fs, image, packed = corpus.folder / "fs-ntfs", tmp_path / "x.img", tmp_path / "x"
    run("ntfsclone", "--quiet", "--save-image", "--force", "--output", image, fs)
    run("ntfsclone", "--quiet", "--restore-image", "--overwrite", tmp_path / "theirs", image)
    with image.open("rb") as source, packed.open("wb") as target:
        subprocess.run(COMPRESSORS[compressor], stdin=source, stdout=target, check=True)
    info = described(packed, thorough=True)
    assert (info.tool, info.filesystem, info.damage) == ("ntfsclone", "NTFS", "")
    assert info.required_bytes == fs.stat().st_size
    restored(FileSource(packed), tmp_path / "ours", info.required_bytes)
    run("cmp", tmp_path / "ours", tmp_path / "theirs")


def restored_by_partimage(image: Path, device: Path) -> None:
    """One run in some hundred ends with 1 at its very end, image and disk being the same."""
    for _ in range(2):
        try:
            run("partimage", *PARTIMAGE, "restore", device, image)
        except AssertionError:
            continue
        return
    run("partimage", *PARTIMAGE, "restore", device, image)


@pytest.mark.skipif(not shutil.which("partimage"), reason="partimage is not installed")
@pytest.mark.parametrize("volumes", [1, 3])
@pytest.mark.parametrize("level", ["0", "1", "2"])
def test_partimage(tmp_path: Path, level: str, volumes: int) -> None:
    files = tmp_path / "files"
    files.mkdir()
    (files / "noise").write_bytes(random.Random(2).randbytes(5 * MIB // 2))
    fs, theirs = tmp_path / "fs", tmp_path / "theirs"
    for path in (fs, theirs):
        path.touch()
        os.truncate(path, 16 * MIB)
    run("mke2fs", "-q", "-t", "ext3", "-b", "1024", "-d", files, fs)
    with loop(fs) as device:
        cut = f"-V{1 if volumes > 1 else 0}"
        run("partimage", *PARTIMAGE, "-d", f"-z{level}", cut, "save", device, "pi", cwd=tmp_path)
    first = tmp_path / ("pi.000" if volumes > 1 else "pi")
    with loop(theirs) as device:
        restored_by_partimage(first, device)
    with closing(open_volumes(first)) as whole:
        info = describe(whole, thorough=True)
    assert (info.tool, info.filesystem, info.damage) == ("partimage", "ext3fs", "")
    assert info.compressor == {"0": "none", "1": "gzip", "2": "bzip2"}[level]
    assert info.required_bytes == 16 * MIB
    assert (info.volumes > 1) == (volumes > 1)
    restored(open_volumes(first), tmp_path / "ours", 16 * MIB)
    run("cmp", tmp_path / "ours", theirs)
    if volumes > 1:
        parts = sorted(tmp_path.glob("pi.*"))
        source = VolumeSource([FileSource(part) for part in (parts[0], *parts)])
        with pytest.raises(ImageError, match="volume 0 stands where volume 1 belongs"):
            restored(source, tmp_path / "never", 16 * MIB)


@pytest.mark.parametrize("compressor", ["none", "gzip", "zstd"])
@pytest.mark.parametrize("kind", ["extfs", "ntfs", "fat32"])
def test_raw_copies(tmp_path: Path, corpus: Corpus, kind: str, compressor: str) -> None:
    fs, packed = corpus.folder / f"fs-{kind}", tmp_path / "x"
    with fs.open("rb") as source, packed.open("wb") as target:
        subprocess.run(COMPRESSORS[compressor], stdin=source, stdout=target, check=True)
    info = described(packed)
    assert (info.tool, info.filesystem, info.damage) == ("raw", kind.upper(), "")
    assert info.required_bytes == fs.stat().st_size
    restored(FileSource(packed), tmp_path / "ours", fs.stat().st_size)
    run("cmp", tmp_path / "ours", fs)


@pytest.mark.parametrize("table", ["gpt", "dos"])
def test_raw_disks(tmp_path: Path, table: str) -> None:
    disk = tmp_path / "disk"
    disk.touch()
    os.truncate(disk, 8 * MIB)
    subprocess.run(
        ["sfdisk", "-q", "--no-tell-kernel", disk],
        input=f"label: {table}\n,2M\n,\n",
        text=True,
        check=True,
    )
    info = described(disk)
    assert (info.tool, info.required_bytes, info.damage) == ("disk", 8 * MIB, "")
