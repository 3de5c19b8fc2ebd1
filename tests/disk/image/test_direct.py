# SPDX-License-Identifier: GPL-3.0-or-later
"""Writing a disk past the page cache: what goes there, what does not, and what goes wrong."""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from oglib.disk.loop import attached
from oglib.errors import WriteError
from oglib.image.reading.formats.model import Buffer
from oglib.image.reading.local import local_image
from oglib.image.writing.direct import DirectWriter, aligned_memory
from oglib.image.writing.restore import restore
from oglib.image.writing.target import open_target
from quiet import QUIET
from unit.image.synthetic import Partition, make_image

MIB = 1 << 20

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: loop devices")


@contextmanager
def disk(folder: Path, size: int = 8 * MIB, sector_bytes: int = 512) -> Iterator[tuple[Path, Path]]:
    """A loop device and the file behind it, which has what was written past the cache only."""
    behind = folder / "behind"
    behind.touch()
    os.truncate(behind, size)
    with attached(behind, sector_bytes=sector_bytes) as device:
        yield device, behind


@contextmanager
def writer(device: Path) -> Iterator[DirectWriter]:
    with open_target(device, write=True) as target:
        made = DirectWriter(target, MIB)
        made.open()
        try:
            yield made
            target.flush()
        finally:
            made.close()
            made.close()


def filled(length: int) -> memoryview:
    room = aligned_memory(length)
    room[:] = random.Random(length).randbytes(length)
    return room


def held(behind: Path, offset: int, length: int) -> bytes:
    with behind.open("rb") as file:
        file.seek(offset)
        return file.read(length)


@pytest.mark.parametrize("kind", ["in place", "from bytes", "in two views"])
def test_whole_pages_are_on_the_disk_at_once(tmp_path: Path, kind: str) -> None:
    content = filled(MIB)
    several: dict[str, list[Buffer]] = {
        "in place": [content], "from bytes": [bytes(content)],
        "in two views": [content[:1000], content[1000:]],
    }  # fmt: skip
    views = several[kind]
    # Two neighbours, and a third apart from them.
    runs = [(MIB, 256 << 10), (MIB + (256 << 10), 256 << 10), (3 * MIB + 4096, 512 << 10)]
    with disk(tmp_path) as (device, behind), writer(device) as made:
        made.write_runs(runs, views)
        assert held(behind, MIB, 512 << 10) == content[: 512 << 10]
        assert held(behind, 3 * MIB + 4096, 512 << 10) == content[512 << 10 :]
        assert held(behind, MIB + (512 << 10), MIB) == bytes(MIB)


@pytest.mark.parametrize(
    "runs",
    [[(MIB + 512, 128 << 10)], [(MIB, 1000)], [(MIB + at * 8192, 4096) for at in range(32)]],
    ids=["not a page's start", "not a page's end", "many short ones"],
)
def test_everything_else_goes_through_the_cache(
    tmp_path: Path, runs: list[tuple[int, int]]
) -> None:
    content = filled(sum(length for _, length in runs))
    with disk(tmp_path) as (device, behind):
        with writer(device) as made:
            made.write_runs(runs, [content])
            assert held(behind, MIB, MIB) == bytes(MIB)
        assert b"".join(held(behind, *run) for run in runs) == content


def test_storage_that_wants_larger_pieces_gets_them_from_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = filled(256 << 10)
    with disk(tmp_path, sector_bytes=4096) as (device, behind):
        with writer(device) as made:
            monkeypatch.setattr(made, "_grain", 512)  # as if the sectors said so
            made.write_runs([(MIB, 128 << 10), (2 * MIB + 512, 128 << 10)], [content])
            made.write_runs([(4 * MIB, 128 << 10)], [content[: 128 << 10]])
            assert held(behind, 4 * MIB, 128 << 10) == bytes(128 << 10)  # and from now on
        assert held(behind, MIB, 128 << 10) == content[: 128 << 10]
        assert held(behind, 2 * MIB + 512, 128 << 10) == content[128 << 10 :]
        assert held(behind, 4 * MIB, 128 << 10) == content[: 128 << 10]


def test_a_disk_that_changes_what_it_is_given_is_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(3)
    blocks = {index: chance.randbytes(4096) for index in range(24 * MIB // 4096)}
    source = Partition([True] * len(blocks), 4096, blocks, b"EXTFS", 0)
    image_path = make_image(source, tmp_path)
    write = DirectWriter._write
    spoilt: list[int] = []

    def lie(self: DirectWriter, view: memoryview, offset: int) -> bool:
        if offset <= 11 * MIB < offset + len(view):
            spoilt.append(offset)
            view[11 * MIB - offset] ^= 1
        return write(self, view, offset)

    with disk(tmp_path, 24 * MIB) as (device, behind):
        with local_image(image_path) as image, monkeypatch.context() as patched:
            patched.setattr(DirectWriter, "_write", lie)
            with pytest.raises(WriteError, match="does not hold what was written to it near byte"):
                restore(image, device, progress=QUIET, maps=tmp_path)
        assert len(spoilt) == 1, "it was not written past the cache"
        assert held(behind, 0, MIB) == bytes(MIB)
        with local_image(image_path) as image:
            receipt = restore(image, device, progress=QUIET, maps=tmp_path)
        assert receipt.verified == "read-back"
        subprocess.run(["blockdev", "--flushbufs", device], check=True)
        assert held(behind, 0, 24 * MIB) == b"".join(blocks.values())
