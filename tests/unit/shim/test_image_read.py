# SPDX-License-Identifier: GPL-3.0-or-later
"""What old commands say of an image: by its content, as scripts and consoles know the line."""

from __future__ import annotations

import gzip
import lzma
from pathlib import Path

import pytest

from oglib import settings
from oglib.errors import ImageError, NotFoundError, OgErr, TransferError, UsageError
from oglib.image.reading.formats.model import ImageInfo
from oglib.settings import Settings
from oglib.shim.image_read import (
    COMMANDS,
    info_line,
    named_image,
    over_http,
    refuse_over_http,
)
from unit.image.synthetic import make_image, partition
from unit.shim.old import Old, Ran

FACTS = {
    "ogGetImageProgram": "PARTCLONE",
    "ogGetImageCompressor": "GZIP",
    "ogGetImageType": "EXTFS",
    "ogGetImageSize": "3073",
}


@pytest.fixture
def images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with an image in a folder of it; its partition has three MiB and a bit."""
    folder = tmp_path / "images"
    (folder / "aula1").mkdir(parents=True)
    stream = partition(mib=3, compressible=True, tail_bytes=512).stream()
    (folder / "aula1/Win 10.img").write_bytes(gzip.compress(stream, 1))
    (folder / "cut.img").write_bytes(gzip.compress(stream, 1)[:60])
    (folder / "page.img").write_text("<!DOCTYPE html><html>404</html>\n")
    monkeypatch.setenv("OGIMG", str(folder))
    return folder


@pytest.mark.proves("ogGetImageInfo")
def test_the_line_of_an_image(old: Old, images: Path) -> None:
    ran = old("ogGetImageInfo", images / "aula1/Win 10.img")
    assert ran == Ran("PARTCLONE:GZIP:EXTFS:3073\n", "", 0)
    assert old("ogGetImageInfo", "REPO", "x").status == OgErr.FORMAT


@pytest.mark.proves("ogGetImageProgram", "ogGetImageCompressor", "ogGetImageType", "ogGetImageSize")
@pytest.mark.parametrize("name", FACTS)
def test_each_fact_by_name(old: Old, images: Path, name: str) -> None:
    env = {"OGIMG": str(images)}
    assert old(name, "repo", "/AULA1/win 10", env=env) == Ran(f"{FACTS[name]}\n", "", 0)


@pytest.mark.proves("ogGetImageInfo")
def test_an_image_of_ours_and_compressions_the_old_engine_did_not_know(images: Path) -> None:
    ask = COMMANDS["ogGetImageInfo"].run
    source = partition(mib=3)
    assert ask([str(make_image(source, images, "ours"))]) == "PARTCLONE:ZSTD:EXTFS:3072"
    for ending, data in (("NONE", source.stream()), ("XZ", lzma.compress(source.stream()))):
        (images / "other.img").write_bytes(data)
        assert ask([str(images / "other.img")]) == f"PARTCLONE:{ending}:EXTFS:3072"


def test_words_of_the_line_have_no_blanks_and_kilobytes_are_rounded_up() -> None:
    info = ImageInfo("raw", "lzop", filesystem="hfs plus", required_bytes=1025)
    assert info_line(info) == "RAW:LZOP:HFSPLUS:2"


@pytest.mark.refuses("ogGetImageInfo")
@pytest.mark.parametrize("name", ["cut.img", "page.img"])
def test_what_is_no_image(old: Old, images: Path, name: str) -> None:
    ran = old("ogGetImageInfo", images / name)
    assert (ran.stdout, ran.status) == ("", OgErr.IMAGE)
    assert ran.stderr.startswith("ogGetImageInfo: ")


@pytest.mark.refuses(
    "ogGetImageInfo",
    "ogGetImageProgram",
    "ogGetImageCompressor",
    "ogGetImageType",
    "ogGetImageSize",
)
@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_images_that_are_not_there(images: Path, name: str) -> None:
    run = COMMANDS[name].run
    with pytest.raises(NotFoundError):
        run([str(images / "none.img")] if name == "ogGetImageInfo" else ["REPO", "none"])
    with pytest.raises(UsageError):
        run([])
    if name != "ogGetImageInfo":
        with pytest.raises(ImageError):
            run(["REPO", "cut"])
        with pytest.raises(UsageError, match="no place of images"):
            run(["1", "1"])


@pytest.mark.usefixtures("images")
def test_without_a_share_the_repository_is_asked_by_http(monkeypatch: pytest.MonkeyPatch) -> None:
    told = Settings(repository="127.0.0.1:1")
    assert over_http("repo", told)
    assert not over_http("CACHE", told)
    assert not over_http("REPO", Settings())
    with pytest.raises(TransferError, match="No share of the repository is mounted"):
        refuse_over_http("REPO", told)
    monkeypatch.setattr(settings, "load", lambda: told)
    # what lies there all the same is taken
    assert COMMANDS["ogGetImageType"].run(["REPO", "aula1/Win 10"]) == "EXTFS"
    assert named_image(["REPO", "/aula2/none"], told) == "aula2/none"
