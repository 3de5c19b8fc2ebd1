# SPDX-License-Identifier: GPL-3.0-or-later
"""What an update would move: the same number that the update then moves."""

from __future__ import annotations

import importlib
import random
from dataclasses import replace
from pathlib import Path

import pytest

from oglib.errors import ImageError
from oglib.image.proving.diff import Difference, compare_images
from oglib.image.reading.local import local_image
from oglib.image.writing.restore import restore
from quiet import QUIET
from unit.image.synthetic import Partition, blank, make_image, partition

MIB = 1 << 20
OLD = partition(11, mib=16)


def changed(
    source: Partition, seed: int, *, edit: int = 0, free: int = 0, add: int = 0
) -> Partition:
    """``source`` with some blocks rewritten, freed, and newly used."""
    chance = random.Random(seed)
    used, blocks = list(source.used), dict(source.blocks)
    for block in chance.sample(sorted(blocks), edit):
        blocks[block] = chance.randbytes(source.block_size)
    for block in chance.sample([each for each in sorted(blocks) if each], free):
        used[block] = False
        del blocks[block]
    for block in chance.sample([at for at, bit in enumerate(used) if not bit], add):
        used[block] = True
        blocks[block] = chance.randbytes(source.block_size)
    return replace(source, used=used, blocks=blocks)


def compared(old: Path, new: Path) -> Difference:
    with local_image(old) as one, local_image(new) as other:
        return compare_images(one, other, progress=QUIET, workers=2)


@pytest.fixture(scope="module")
def old_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_image(OLD, tmp_path_factory.mktemp("old"))


CHANGES = {
    "nothing": {},
    "edited": {"edit": 3},
    "freed": {"free": 40},
    "added": {"add": 5},
    "all-of-it": {"edit": 4, "free": 9, "add": 2},
}


@pytest.mark.parametrize("how", CHANGES)
def test_an_update_moves_what_was_said(tmp_path: Path, old_path: Path, how: str) -> None:
    new = changed(OLD, 1, **CHANGES[how])
    new_path = make_image(new, tmp_path)
    found = compared(old_path, new_path)
    target = blank(tmp_path / "target", OLD.device_size)
    with local_image(old_path) as image:
        restore(image, target, progress=QUIET)
    with local_image(new_path) as image:
        receipt = restore(image, target, progress=QUIET, delta=True)
    assert found.moved_bytes == receipt.fetched_bytes
    sizes = {key: count * OLD.block_size for key, count in CHANGES[how].items()}
    assert found.added_used_bytes == sizes.get("add", 0)
    assert found.removed_used_bytes == sizes.get("free", 0)
    if how in ("nothing", "freed"):
        assert found.changed_frames == 0
    assert bool(found.read_bytes) == ("free" in CHANGES[how])


def test_regions_of_two_sizes_are_compared_by_content(
    tmp_path: Path, old_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = changed(OLD, 2, edit=1, free=10)
    same_size = compared(old_path, make_image(new, tmp_path, "one"))
    for module in ("recorder", "device_capture"):
        owner = importlib.import_module(f"oglib.image.recording.{module}")
        monkeypatch.setattr(owner, "region_bytes_for", lambda _block: 2 * MIB)
    found = compared(old_path, make_image(new, tmp_path, "two"))
    assert found.frames < same_size.frames
    assert 1 <= found.changed_frames <= same_size.changed_frames
    assert found.removed_used_bytes == same_size.removed_used_bytes


def test_another_block_size_is_another_filesystem(tmp_path: Path, old_path: Path) -> None:
    new = partition(12, mib=4, block_size=1024)
    found = compared(old_path, make_image(new, tmp_path))
    assert found.changed_frames == found.frames - 1
    assert found.added_used_bytes == sum(new.used) * 1024


def test_a_damaged_old_frame_is_found_where_it_has_to_be_read(tmp_path: Path) -> None:
    old = make_image(OLD, tmp_path, "old")
    new_path = make_image(changed(OLD, 3, free=400), tmp_path, "new")
    with local_image(old) as one, local_image(new_path) as other:
        with old.open("r+b") as file:
            file.seek(one.frames[1].offset)
            file.write(bytes(one.source.size_bytes - one.frames[1].offset))
        with pytest.raises(ImageError, match="is damaged"):
            compare_images(one, other, progress=QUIET)
