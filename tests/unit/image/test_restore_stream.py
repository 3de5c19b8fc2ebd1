# SPDX-License-Identifier: GPL-3.0-or-later
"""Foreign images through the same writer: order, guard, comparing, damage found late."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from oglib.errors import ImageError, OgErr, OgError, PartitionError, WriteError
from oglib.image.proving.verify import verify
from oglib.image.reading.formats.model import Region
from oglib.image.writing.guard import guard_spans
from oglib.image.writing.restore import restore
from oglib.image.writing.shape import shape_of_stream
from quiet import QUIET
from unit.image.streams import PartitionStream
from unit.image.synthetic import Partition, blank, partition

MIB = 1 << 20
PARTITION = partition(11)


def target_for(tmp_path: Path, source: Partition = PARTITION, more: int = 0) -> Path:
    return blank(tmp_path / "target", source.device_size + more)


def guard_is_zero(target: Path) -> bool:
    return target.read_bytes()[:MIB] == bytes(MIB)


def failing_at(number: int) -> Callable[[int], None]:
    def fail(now: int) -> None:
        if now == number:
            raise ImageError(f"Region {number} is damaged.")

    return fail


@pytest.mark.parametrize(
    "source",
    [
        PARTITION,
        partition(12, block_size=512, mib=5),
        partition(13, block_size=65536, mib=9, tail_bytes=512),
        Partition([False] * 700, 4096, {}),
        Partition([True] * 10, 4096, {i: bytes([i]) * 4096 for i in range(10)}),
    ],
    ids=["4K", "512", "64K", "empty", "tiny"],
)
@pytest.mark.parametrize("verified", [True, False])
def test_the_regions_are_on_the_target(tmp_path: Path, source: Partition, verified: bool) -> None:
    target = target_for(tmp_path, source, 4096)
    stream = PartitionStream(source)
    receipt = restore(stream, target, progress=QUIET, verify=verified)
    assert receipt.verified == ("read-back" if verified else "not proven")
    assert bool(receipt.content_blake3) is verified
    assert receipt.written_bytes == stream.content_bytes
    assert source.same_as(target)
    data = target.read_bytes()
    for index in range(MIB // source.block_size, len(source.used)):
        if not source.used[index]:
            place = index * source.block_size
            assert data[place : place + source.block_size] == b"\xa5" * source.block_size
    assert data[-4096:] == b"\xa5" * 4096
    assert verify(stream, target, progress=QUIET).content_bytes == stream.content_bytes
    assert verify(stream, progress=QUIET).against == "digests"


def test_damage_at_the_very_end_leaves_nothing_bootable(tmp_path: Path) -> None:
    """What is wrong with an image may be known only behind its last region."""

    class Longer(PartitionStream):
        def regions(self) -> Iterator[Region]:
            yield from super().regions()
            raise ImageError("There is more behind the end.")

    target = target_for(tmp_path)
    with pytest.raises(ImageError, match="behind the end"):
        restore(Longer(PARTITION), target, progress=QUIET)
    assert guard_is_zero(target)


def test_damage_at_the_start_destroys_nothing(tmp_path: Path) -> None:
    target = target_for(tmp_path)
    before = target.read_bytes()
    with pytest.raises(ImageError):
        restore(PartitionStream(PARTITION, on_region=failing_at(0)), target, progress=QUIET)
    assert target.read_bytes() == before


def test_a_rerun_compares_and_writes_only_the_rest(tmp_path: Path) -> None:
    target = target_for(tmp_path)
    with pytest.raises(ImageError):
        restore(PartitionStream(PARTITION, on_region=failing_at(21)), target, progress=QUIET)
    assert guard_is_zero(target)
    receipt = restore(PartitionStream(PARTITION), target, progress=QUIET)
    assert receipt.resumed
    assert receipt.skipped_bytes > 4 * MIB
    assert receipt.skipped_bytes + receipt.written_bytes == PartitionStream(PARTITION).content_bytes
    assert PARTITION.same_as(target)


def test_a_blank_disk_is_not_compared(tmp_path: Path) -> None:
    """Comparing reads everything; eight regions that differ say that it is of no use."""
    target = blank(tmp_path / "target", PARTITION.device_size, fill=0)
    receipt = restore(PartitionStream(PARTITION), target, progress=QUIET)
    assert not receipt.resumed
    assert PARTITION.same_as(target)


def test_zeros_on_a_blank_disk_are_no_earlier_run(tmp_path: Path) -> None:
    """Regions of zeros are there already, but nothing was resumed."""
    source = Partition([True] * 1024, 4096, {i: bytes(4096) for i in range(1024)})
    target = blank(tmp_path / "target", source.device_size, fill=0)
    receipt = restore(PartitionStream(source), target, progress=QUIET)
    assert receipt.skipped_bytes == 3 * MIB
    assert not receipt.resumed


def test_a_delta_writes_what_differs_and_the_guard(tmp_path: Path) -> None:
    target = target_for(tmp_path)
    restore(PartitionStream(PARTITION), target, progress=QUIET)
    with target.open("r+b") as file:
        file.seek(3 * MIB + 5 * 4096)
        file.write(b"changed")
    receipt = restore(PartitionStream(PARTITION), target, progress=QUIET, delta=True)
    regions = list(PartitionStream(PARTITION).regions())
    rewritten = sum(length for one in regions if one.number in (0, 3) for _, length in one.runs)
    assert receipt.written_bytes == rewritten
    assert receipt.skipped_frames == len(regions) - 2
    assert PARTITION.same_as(target)


def test_a_size_that_only_the_content_tells_is_measured_first(tmp_path: Path) -> None:
    source = partition(14, mib=4)
    end = (max(source.blocks) + 1) * source.block_size
    stream = PartitionStream(source, tool="raw", known_size=False)
    small = blank(tmp_path / "small", end - 512)
    before = small.read_bytes()
    with pytest.raises(OgError) as caught:
        restore(stream, small, progress=QUIET)
    assert caught.value.code == OgErr.IMGSIZEPARTITION
    assert small.read_bytes() == before
    target = blank(tmp_path / "target", end)
    restore(stream, target, progress=QUIET)
    assert stream.started == 3
    assert source.same_as(target)


def test_another_sector_size_is_refused(tmp_path: Path) -> None:
    """A regular file has no sectors of its own, so it takes any."""
    target = target_for(tmp_path)
    restore(PartitionStream(PARTITION, sector_size=4096), target, progress=QUIET)
    assert PARTITION.same_as(target)


@pytest.mark.parametrize("tool", ["raw", "disk"])
def test_the_second_way_into_a_raw_image_is_held_back_too(tmp_path: Path, tool: str) -> None:
    """UEFI takes the second GPT, Windows the spare boot sector, when the first is gone."""
    source = partition(15, mib=7)
    assert source.used[-1]
    stream = PartitionStream(source, tool=tool)
    spans = guard_spans(shape_of_stream(stream, source.device_size, 512))
    assert [(span.start, span.end) for span in spans] == [
        (0, MIB),
        (source.device_size - 4096, source.device_size),
    ]

    class Broken(PartitionStream):
        def regions(self) -> Iterator[Region]:
            yield from super().regions()
            raise ImageError("damaged")

    target = target_for(tmp_path, source)
    with pytest.raises(ImageError):
        restore(Broken(source, tool=tool), target, progress=QUIET)
    assert target.read_bytes()[-4096:] == bytes(4096)
    restore(stream, target, progress=QUIET)
    assert source.same_as(target)


def test_ntfs_gets_its_spare_boot_sector_back(tmp_path: Path) -> None:
    source = partition(7, mib=3, filesystem=b"NTFS", tail_bytes=4096)
    boot = bytearray(source.blocks[0])
    boot[3:13] = b"NTFS    " + (512).to_bytes(2, "little")
    boot[40:48] = (source.device_size // 512 - 1).to_bytes(8, "little")
    source.blocks[0] = bytes(boot)
    target = target_for(tmp_path, source)
    restore(PartitionStream(source), target, progress=QUIET)
    assert target.read_bytes()[-512:] == boot[:512]


@pytest.mark.parametrize(
    "runs",
    [[(0, 4096)], [(MIB + 4096, 4096), (MIB, 4096)], [(2 * MIB - 512, 4096)], [(MIB, 0)],
     [(MIB, 8192)]],
    ids=["another region", "descending", "over the edge", "empty", "longer than its content"],
)  # fmt: skip
def test_a_region_that_lies_elsewhere_is_refused(
    tmp_path: Path, runs: list[tuple[int, int]]
) -> None:
    class Lying(PartitionStream):
        def regions(self) -> Iterator[Region]:
            yield next(super().regions())
            yield Region(1, runs, [bytes(4096)])

    target = target_for(tmp_path)
    with pytest.raises(ImageError, match="Region 1"):
        restore(Lying(PARTITION), target, progress=QUIET)
    assert guard_is_zero(target)


def test_a_region_behind_the_end_of_the_disk_is_refused(tmp_path: Path) -> None:
    class Lying(PartitionStream):
        def regions(self) -> Iterator[Region]:
            yield next(super().regions())
            yield Region(1000, [(1000 * MIB, 512)], [bytes(512)])

    with pytest.raises(ImageError, match="Region 1000"):
        restore(Lying(PARTITION), target_for(tmp_path, more=4096), progress=QUIET)


def test_verify_names_what_differs(tmp_path: Path) -> None:
    target = target_for(tmp_path)
    stream = PartitionStream(PARTITION)
    restore(stream, target, progress=QUIET)
    with target.open("r+b") as file:
        file.seek(6 * MIB)
        file.write(b"x")
    with pytest.raises(WriteError, match=f"in 1 of 16 regions, first near byte {6 * MIB}"):
        verify(stream, target, progress=QUIET)


def test_too_small_is_refused_with_both_numbers(tmp_path: Path) -> None:
    target = blank(tmp_path / "target", PARTITION.device_size - 512)
    with pytest.raises(OgError, match=str(PARTITION.device_size)) as caught:
        restore(PartitionStream(PARTITION), target, progress=QUIET)
    assert not isinstance(caught.value, PartitionError)
    assert caught.value.code == OgErr.IMGSIZEPARTITION
