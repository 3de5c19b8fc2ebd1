# SPDX-License-Identifier: GPL-3.0-or-later
"""Cancelled work ends between two pieces, leaves what an interruption leaves, and goes on later."""

from __future__ import annotations

import io
import threading
from pathlib import Path

import pytest

from oglib.cancel import NEVER, Cancel
from oglib.errors import CancelledError
from oglib.image.reading.formats.model import measured
from oglib.image.reading.local import local_image
from oglib.image.reading.opened import open_image
from oglib.image.reading.vouching import Policy
from oglib.image.recording.recorder import record
from oglib.image.recording.sink import FileSink
from oglib.image.writing.restore import restore
from quiet import QUIET
from unit.image.streams import PartitionStream
from unit.image.synthetic import WatchedSource, blank, make_image, partition

MIB = 1 << 20
PARTITION = partition(31)


def test_a_cancelled_restore_is_ended_by_the_next(tmp_path: Path) -> None:
    path = make_image(PARTITION, tmp_path)
    target = blank(tmp_path / "target", PARTITION.device_size)
    cancel, reads = Cancel(), list[int]()

    def on_read(_offset: int, size: int) -> None:
        reads.append(size)
        if sum(reads) > 4 * MIB:
            cancel.set("the server said so")

    beside = {suffix: path.with_name(path.name + suffix) for suffix in (".json", ".frames")}
    source = WatchedSource(path, on_read)
    with open_image(
        beside[".json"].read_bytes(), None, beside[".frames"], source, [], Policy()
    ) as image:
        with pytest.raises(CancelledError, match="cancelled: the server said so"):
            restore(image, target, progress=QUIET, workers=1, cancel=cancel)
        assert sum(reads) < path.stat().st_size
    assert target.read_bytes()[:MIB] == bytes(MIB), "it could be started"
    with local_image(path) as image:
        receipt = restore(image, target, progress=QUIET)
    assert receipt.resumed
    assert receipt.skipped_bytes > 0
    assert PARTITION.same_as(target)


def test_a_foreign_restore_ends_too(tmp_path: Path) -> None:
    target = blank(tmp_path / "target", PARTITION.device_size)
    cancel = Cancel()
    stream = PartitionStream(
        PARTITION, on_region=lambda number: cancel.set("enough") if number == 3 else None
    )
    with pytest.raises(CancelledError):
        restore(stream, target, progress=QUIET, cancel=cancel)
    assert target.read_bytes()[:MIB] == bytes(MIB)
    with pytest.raises(CancelledError):
        measured(PartitionStream(PARTITION), QUIET, cancel)


@pytest.mark.parametrize("delta", [False, True])
def test_what_is_cancelled_before_the_first_write_is_as_it_was(tmp_path: Path, delta: bool) -> None:
    path = make_image(PARTITION, tmp_path)
    target = blank(tmp_path / "target", PARTITION.device_size)
    before = target.read_bytes()
    cancel = Cancel()
    cancel.set("the server said so")
    with local_image(path) as image, pytest.raises(CancelledError):
        restore(image, target, progress=QUIET, delta=delta, cancel=cancel)
    with pytest.raises(CancelledError):
        restore(PartitionStream(PARTITION), target, progress=QUIET, delta=delta, cancel=cancel)
    assert target.read_bytes() == before


def test_a_cancelled_capture_leaves_nothing(tmp_path: Path) -> None:
    sink, cancel = FileSink(tmp_path / "x.img"), Cancel()
    cancel.set("enough")
    with QUIET.phase("capture") as phase, pytest.raises(CancelledError):
        record(io.BytesIO(PARTITION.stream()), sink, tmp_path, phase=phase, cancel=cancel)
    sink.abort()
    assert not list(tmp_path.glob("x.img*"))


def test_the_first_word_counts_from_any_thread() -> None:
    cancel = Cancel()
    cancel.check()
    threads = [threading.Thread(target=cancel.set, args=("one",)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    cancel.set("two")
    assert cancel.is_set
    with pytest.raises(CancelledError, match="cancelled: one"):
        cancel.check()


def test_what_nobody_cancels_cannot_be() -> None:
    with pytest.raises(ValueError, match="cannot be cancelled"):
        NEVER.set("x")
    NEVER.check()
