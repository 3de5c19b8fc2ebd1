# SPDX-License-Identifier: GPL-3.0-or-later
"""Conversion without real tools: what becomes of blocks, bitmaps, damage and images of our own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from oglib.errors import ImageError, OgError
from oglib.image.format.partclone import parse_header
from oglib.image.proving.verify import verify
from oglib.image.reading.formats.model import Buffer, FromHeader, ImageInfo, Region
from oglib.image.reading.local import local_image
from oglib.image.reading.partclone_stream import partclone_stream
from oglib.image.recording.device_capture import CaptureMeta
from oglib.image.recording.sink import FileSink
from oglib.image.recording.transcode import transcode
from oglib.image.writing.restore import restore
from quiet import QUIET
from unit.image.synthetic import Partition, blank, make_image, partition

MIB = 1 << 20


@dataclass
class Foreign(FromHeader):
    """A foreign image held in memory: ``runs`` of one partition, told region by region."""

    content: dict[int, bytes]
    info: ImageInfo
    known: bool = True
    region_bytes: int = MIB
    sector_size: int = 512
    name: str = "old"
    content_bytes: int = 0
    warnings: tuple[str, ...] = ()
    reads: int = field(default=0)

    def regions(self) -> Iterator[Region]:
        self.reads += 1
        found: dict[int, tuple[list[tuple[int, int]], list[Buffer]]] = {}
        for offset, data in sorted(self.content.items()):
            runs, views = found.setdefault(offset // self.region_bytes, ([], []))
            runs.append((offset, len(data)))
            middle = len(data) // 3  # cut anywhere
            views.extend((data[:middle], memoryview(data)[middle:]))
        yield from (Region(number, *both) for number, both in found.items())

    def used_ranges(self) -> Iterator[tuple[int, int]] | None:
        runs = ((offset, len(data)) for offset, data in sorted(self.content.items()))
        return runs if self.known else None

    def close(self) -> None:
        """Nothing is open."""


def foreign(source: Partition, **more: object) -> Foreign:
    content: dict[int, bytes] = {}
    start, size = -1, source.block_size
    for index, data in sorted(source.blocks.items()):
        at = index * size
        if start >= 0 and start + len(content[start]) == at and at % MIB:
            content[start] += data
        else:
            start = at
            content[at] = data
    info = ImageInfo(
        tool="ntfsclone", compressor="none", filesystem="ext4", block_size=size,
        total_blocks=len(source.used), required_bytes=source.device_size,
    )  # fmt: skip
    return Foreign(content, info, **more)  # type: ignore[arg-type]


def raw(content: dict[int, bytes], **more: object) -> Foreign:
    return Foreign(content, ImageInfo(tool="raw", compressor="gzip", **more))  # type: ignore[arg-type]


def told(image: Foreign, folder: Path) -> bytes:
    with partclone_stream(image, folder, QUIET) as stream:
        return stream.read()


@pytest.mark.parametrize("known", [True, False], ids=["one-pass", "two-passes"])
@pytest.mark.parametrize("block_size", [512, 4096])
def test_told_as_partclone_would_have(tmp_path: Path, known: bool, block_size: int) -> None:
    source = partition(3, mib=5, block_size=block_size, tail_bytes=512)
    image = foreign(source, known=known)
    stream = told(image, tmp_path)
    header = parse_header(stream)
    theirs = source.stream()
    assert stream[110:] == theirs[110:]
    assert header == replace(parse_header(theirs), writer="oglive")
    assert image.reads == (1 if known else 2)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("known", [True, False])
def test_converted_and_restored(tmp_path: Path, known: bool) -> None:
    source = partition(4, mib=7)
    path = tmp_path / "new.img"
    made = transcode(
        foreign(source, known=known),
        FileSink(path),
        meta=CaptureMeta("new", title="a title"),
        progress=QUIET,
    )
    assert (made.name, made.title, made.filesystem) == ("new", "a title", "EXTFS")
    target = blank(tmp_path / "target", source.device_size)
    with local_image(path) as image:
        assert image.manifest == made
        verify(image, progress=QUIET)
        restore(image, target, progress=QUIET)
    assert source.same_as(target)


@pytest.mark.parametrize("said", [True, False], ids=["size-said", "size-measured"])
@pytest.mark.parametrize("size", [3 * MIB, 3 * MIB + 512])
def test_raw_content_is_kept_to_the_last_byte(tmp_path: Path, said: bool, size: int) -> None:
    content = {0: b"\x07" * MIB, MIB: bytes(MIB), 2 * MIB: b"\x09" * (size - 2 * MIB)}
    image = raw(content, required_bytes=size if said else 0, filesystem="ext4")
    made = transcode(image, FileSink(tmp_path / "x.img"), meta=CaptureMeta("x"), progress=QUIET)
    assert (made.filesystem, made.device_size_bytes, made.used_blocks) == (
        "raw", size, made.total_blocks,
    )  # fmt: skip
    target = blank(tmp_path / "target", size)
    with local_image(tmp_path / "x.img") as opened:
        restore(opened, target, progress=QUIET)
    assert target.read_bytes() == b"".join(content.values())


def test_half_a_sector_is_no_partition(tmp_path: Path) -> None:
    image = raw({0: bytes(MIB + 100)}, required_bytes=MIB + 100)
    with pytest.raises(ImageError, match="not whole sectors"):
        transcode(image, FileSink(tmp_path / "x.img"), meta=CaptureMeta("x"), progress=QUIET)
    assert list(tmp_path.iterdir()) == []


def test_runs_may_touch_each_other(tmp_path: Path) -> None:
    content = {0: b"\x01" * 4096, 4096: b"\x02" * 8192, 12288: b"\x03" * 4096}
    info = ImageInfo("partimage", "none", "ext3", 4096, total_blocks=8, required_bytes=32768)
    assert told(Foreign(content, info), tmp_path)[-16384:] == b"".join(content.values())


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("alone", [True, False], ids=["run-of-its-own", "end-of-a-run"])
def test_the_spare_boot_sector_is_left_to_the_restore(
    tmp_path: Path, known: bool, alone: bool
) -> None:
    last, spare = b"\x02" * 4096, b"\x03" * 512
    content = {0: b"\x01" * 4096}
    content |= {8192: last, 12288: spare} if alone else {8192: last + spare}
    info = ImageInfo(
        tool="ntfsclone", compressor="none", filesystem="ntfs", block_size=4096,
        total_blocks=3, required_bytes=12800,
    )  # fmt: skip
    image = Foreign(content, info, known=known)
    stream = told(image, tmp_path)
    assert parse_header(stream).used_blocks == 2
    assert stream[-8192:] == content[0] + last


@pytest.mark.parametrize("at", [100, 16384, 12288 + 512])
def test_content_outside_the_blocks_is_refused(tmp_path: Path, at: int) -> None:
    info = ImageInfo(
        tool="ntfsclone", compressor="none", filesystem="ntfs", block_size=4096,
        total_blocks=3, required_bytes=65536,
    )  # fmt: skip
    image = Foreign({0: bytes(4096), at if at > 100 else 4096 + at: bytes(4096)}, info)
    with pytest.raises(ImageError, match="is not in its blocks"):
        told(image, tmp_path)


@dataclass
class Changing(Foreign):
    """Loses or moves something between the first look and the second."""

    how: str = ""

    def regions(self) -> Iterator[Region]:
        first = self.reads == 0
        for region in super().regions():
            if first or region.number != 1:
                yield region
            elif self.how == "moved":
                offset, length = region.runs[-1]
                yield replace(region, runs=[*region.runs[:-1], (offset + 4096, length)])


@pytest.mark.parametrize("how", ["moved", "lost"])
def test_an_image_that_changes_meanwhile_is_refused(tmp_path: Path, how: str) -> None:
    source = partition(5, mib=5, density=0.3)
    like = foreign(source)
    image = Changing(like.content, like.info, known=False, how=how)
    with pytest.raises(ImageError, match="something else about its blocks"):
        transcode(image, FileSink(tmp_path / "x.img"), meta=CaptureMeta("x"), progress=QUIET)
    assert list(tmp_path.iterdir()) == []


def test_an_image_that_ends_early_is_refused(tmp_path: Path) -> None:
    source = partition(6, mib=4)
    image = foreign(source)
    *most, _last = sorted(image.content)
    short = Foreign({offset: image.content[offset] for offset in most}, image.info)
    short.used_ranges = image.used_ranges  # type: ignore[method-assign]
    with pytest.raises(ImageError, match="holds fewer blocks than it says"):
        transcode(short, FileSink(tmp_path / "x.img"), meta=CaptureMeta("x"), progress=QUIET)
    assert list(tmp_path.iterdir()) == []


def test_one_of_ours_is_copied_as_it_is(tmp_path: Path) -> None:
    path = make_image(partition(7, mib=4), tmp_path)
    with local_image(path) as image:
        old = image.manifest
        made = transcode(
            image, FileSink(tmp_path / "y.img"), meta=CaptureMeta("y", comment="c"), progress=QUIET
        )
    assert made == replace(old, name="y", comment="c")
    for suffix in ("", ".frames"):
        assert (tmp_path / f"y.img{suffix}").read_bytes() == Path(f"{path}{suffix}").read_bytes()
    with local_image(tmp_path / "y.img") as image:
        verify(image, progress=QUIET)


def test_a_damaged_one_of_ours_is_not_passed_on(tmp_path: Path) -> None:
    path = make_image(partition(8, mib=4), tmp_path)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with local_image(path) as image, pytest.raises(OgError, match="its digest does not match"):
        transcode(image, FileSink(tmp_path / "y.img"), meta=CaptureMeta("y"), progress=QUIET)
    assert not list(tmp_path.glob("y.img*"))
