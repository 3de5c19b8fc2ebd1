# SPDX-License-Identifier: GPL-3.0-or-later
"""The next version of an image: what changed is cut small, and that alone is fetched."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from oglib.image.proving.diff import compare_images
from oglib.image.proving.verify import verify
from oglib.image.reading.local import local_image
from oglib.image.reading.opened import OpenImage
from oglib.image.writing.restore import restore
from quiet import QUIET
from unit.image.synthetic import Partition, blank, make_image, partition
from unit.image.test_diff import changed

MIB = 1 << 20
PER_REGION = 256
PART = 32
OLD = partition(21, mib=18)  # regions: full, with holes, empty, full, ...
FULL, HOLEY, EMPTY = 3, 4, 5


def edited(source: Partition, *blocks: int) -> Partition:
    """``source`` with other content in these blocks, which may be new."""
    used, content = list(source.used), dict(source.blocks)
    for block in blocks:
        used[block] = True
        content[block] = bytes([block % 256]) * source.block_size
    return replace(source, used=used, blocks=content)


def next_version(old: Path, new: Partition, folder: Path) -> Path:
    """``new`` captured over a copy of ``old``."""
    folder.mkdir(exist_ok=True)
    for path in old.parent.glob(f"{old.name}*"):
        shutil.copy(path, folder)
    return make_image(new, folder)


def frames_in(image: OpenImage, region: int) -> list[int]:
    """The first blocks of the region's frames, counted from its start."""
    firsts = [frame.first_block for frame in image.frames][1:]
    return [first % PER_REGION for first in firsts if first // PER_REGION == region]


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_image(OLD, tmp_path_factory.mktemp("old"))


def test_regions_that_changed_are_cut_and_no_others(old: Path, tmp_path: Path) -> None:
    hole = next(at for at in range(HOLEY * PER_REGION, 9999) if OLD.used[at])
    new = edited(OLD, FULL * PER_REGION + 77, hole, EMPTY * PER_REGION + 9)
    with local_image(next_version(old, new, tmp_path / "new")) as image:
        assert frames_in(image, FULL) == list(range(0, PER_REGION, PART))
        assert len(frames_in(image, HOLEY)) == PER_REGION // PART
        assert frames_in(image, EMPTY) == [0], "new altogether"
        for region in {at // PER_REGION for at, bit in enumerate(new.used) if bit}:
            if region not in (FULL, HOLEY):
                assert frames_in(image, region) == [0]
        assert verify(image, progress=QUIET).frames == len(image.frames)
        stream = subprocess.run(
            ["zstd", "-dcq", str(tmp_path / "new/x.img")], capture_output=True, check=True
        )
        assert stream.stdout == new.stream()


@pytest.mark.parametrize("workers", [1, 4])
def test_an_update_fetches_the_parts_that_changed(old: Path, tmp_path: Path, workers: int) -> None:
    new = edited(OLD, FULL * PER_REGION + 77, FULL * PER_REGION + 200)
    path, target = next_version(old, new, tmp_path / "new"), blank(tmp_path / "t", OLD.device_size)
    with local_image(old) as before, local_image(path) as after:
        restore(before, target, progress=QUIET)
        said = compare_images(before, after, progress=QUIET)
        receipt = restore(after, target, progress=QUIET, delta=True, workers=workers)
        assert said.changed_frames == 2
        assert said.moved_bytes == receipt.fetched_bytes
        parts = [row for row in after.frames if row.first_block // PER_REGION == FULL]
        wanted = sum(parts[at].stored_len for at in (77 // PART, 200 // PART))
        assert receipt.fetched_bytes == after.frames[1].stored_len + wanted
        verify(after, target, progress=QUIET)
    assert new.same_as(target)


@pytest.mark.parametrize("filesystem", [b"EXTFS", b"NTFS", b"raw"])
def test_parts_in_the_guard_come_last_like_the_whole(tmp_path: Path, filesystem: bytes) -> None:
    """The first region is the guard, and of NTFS and raw content the end of the last one."""
    before = replace(partition(22, mib=16, density=0.9), filesystem=filesystem)
    new = edited(before, 1, 200, 15 * PER_REGION + 7)
    path = next_version(make_image(before, tmp_path), new, tmp_path / "new")
    target = blank(tmp_path / "target", new.device_size)
    with local_image(path) as image:
        assert len(frames_in(image, 0)) == PER_REGION // PART
        assert len(frames_in(image, 15)) == PER_REGION // PART
        receipt = restore(image, target, progress=QUIET)
        assert receipt.verified == "read-back"
        verify(image, target, progress=QUIET)
    assert new.same_as(target)


def test_what_did_not_change_again_is_whole_again(old: Path, tmp_path: Path) -> None:
    second = edited(OLD, FULL * PER_REGION, (FULL + 3) * PER_REGION)
    third = edited(second, (FULL + 3) * PER_REGION + 1)
    path = next_version(old, second, tmp_path / "two")
    fourth = next_version(path, third, tmp_path / "three")
    with local_image(fourth) as image:
        assert frames_in(image, FULL) == [0]
        assert len(frames_in(image, FULL + 3)) == PER_REGION // PART
    with local_image(path) as one, local_image(fourth) as two:
        assert compare_images(one, two, progress=QUIET).changed_frames == 1


def test_blocks_that_were_freed_are_no_update(old: Path, tmp_path: Path) -> None:
    new = changed(OLD, 5, free=300)
    path = next_version(old, new, tmp_path / "new")
    target = blank(tmp_path / "target", OLD.device_size)
    with local_image(old) as before, local_image(path) as after:
        assert compare_images(before, after, progress=QUIET).changed_frames == 0
        restore(before, target, progress=QUIET)
        receipt = restore(after, target, progress=QUIET, delta=True)
        assert receipt.skipped_frames == len(after.frames) - 1 - len(frames_in(after, 0))


@pytest.mark.parametrize("harm", [b"", b"nonsense", "regions"])
def test_a_table_before_that_says_nothing_cuts_nothing(
    old: Path, tmp_path: Path, harm: bytes | str
) -> None:
    table = tmp_path / "x.img.frames"
    if isinstance(harm, bytes):
        table.write_bytes(harm)
    else:
        raw = bytearray((old.parent / table.name).read_bytes())
        raw[20:24] = (2 * MIB).to_bytes(4, "little")
        table.write_bytes(raw)
    path = make_image(edited(OLD, FULL * PER_REGION), tmp_path)
    with local_image(path) as image:
        assert all(frame.first_block % PER_REGION == 0 for frame in image.frames)


def test_blocks_as_large_as_a_region_are_not_cut(tmp_path: Path) -> None:
    old = partition(23, mib=12, block_size=MIB)
    path = next_version(make_image(old, tmp_path), edited(old, 3), tmp_path / "new")
    with local_image(path) as image:
        assert len(image.frames) == sum(old.used) + 1
