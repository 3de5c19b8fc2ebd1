# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames that are sent in any order, some lost or spoiled, and what is pulled behind them."""

from __future__ import annotations

import gzip
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from oglib.cancel import Cancel
from oglib.errors import CancelledError, ImageError, TransferError
from oglib.image.proving.verify import verify
from oglib.image.reading.formats.detect import open_stream
from oglib.image.reading.local import local_image
from oglib.image.reading.opened import OpenImage, open_vouched
from oglib.image.reading.pushed import ChunkSource, Ends
from oglib.image.reading.source import FileSource
from oglib.image.reading.vouching import vouch
from oglib.image.writing.feeder import Feeder, PushFeeder, Taker
from oglib.image.writing.restore import restore
from quiet import QUIET
from unit.image.synthetic import WatchedSource, blank, make_image, partition

MIB = 1 << 20
PARTITION = partition(41, mib=48)
Sent = tuple[int, bytes]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_image(PARTITION, tmp_path_factory.mktemp("image"))


def opened(path: Path, source: FileSource | Ends, *, ends: Ends | None = None) -> OpenImage:
    manifest = path.with_name(f"{path.name}.json").read_bytes()
    vouched = vouch(manifest, None, [], where="here", allowed=True)
    return open_vouched(vouched, path.with_name(f"{path.name}.frames"), source, ends=ends)


def frames_of(path: Path) -> list[Sent]:
    with local_image(path) as image:
        return [
            (index, image.source.read(frame.offset, frame.stored_len))
            for index, frame in enumerate(image.frames)
        ]


@dataclass
class Room:
    """A sender, and what the feeder made of it."""

    sent: list[Sent]
    breaks: bool = False
    feeder: PushFeeder | None = None
    taken: list[int] = field(default_factory=list)

    def __call__(self, taker: Taker) -> Feeder:
        self.feeder = PushFeeder(self._stream(), taker)
        return self.feeder

    def _stream(self) -> Iterator[Sent]:
        for index, stored in self.sent:
            self.taken.append(index)
            yield index, stored
        if self.breaks:
            raise TransferError("The sender is gone.")


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("breaks", [False, True])
def test_what_is_lost_on_its_way_is_pulled(
    path: Path, tmp_path: Path, seed: int, breaks: bool
) -> None:
    dice = random.Random(seed)
    every = frames_of(path)
    kept = [one for one in every if dice.random() < 0.6]
    spoiled = [(index, stored[:-1] + b"\xff") for index, stored in every if index % 7 == 3]
    strange = [(len(every) + 5, b"x"), (-1, b"y"), (0, every[0][1])]
    sent = [*kept, *spoiled, *strange, *kept[:3]]
    dice.shuffle(sent)
    room, reads = Room(sent, breaks), list[tuple[int, int]]()
    target = blank(tmp_path / "target", PARTITION.device_size)
    source = WatchedSource(path, lambda offset, size: reads.append((offset, size)))
    with opened(path, source) as image:
        reads.clear()
        receipt = restore(image, target, progress=QUIET, pushed=room)
        came = {index for index, _ in kept} - {0}
        pulled = {
            index
            for index, frame in enumerate(image.frames)
            for offset, size in reads
            if offset <= frame.offset and frame.offset + frame.stored_len <= offset + size
        }
        assert came | pulled >= set(range(1, len(image.frames)))
        guard = {1, len(image.frames) - 1}
        assert not pulled & came - guard, "what had come was fetched again"
        assert room.feeder is not None
        assert room.feeder.spoiled
        verify(image, target, progress=QUIET)
    assert PARTITION.same_as(target)
    assert receipt.verified == "read-back"
    gone = [text for text in receipt.warnings if "The sender is gone" in text]
    assert len(gone) == int(breaks)


def test_a_sender_that_brings_everything_leaves_nothing_to_pull(path: Path, tmp_path: Path) -> None:
    """And the feeder ends as soon as nothing is missing, whatever else is sent."""
    every = frames_of(path)
    room, target = Room([*every, *every]), blank(tmp_path / "target", PARTITION.device_size)
    with opened(path, FileSource(path)) as image:
        receipt = restore(image, target, progress=QUIET, pushed=room)
    assert PARTITION.same_as(target)
    assert len(room.taken) <= len(every)
    stored = sum(len(data) for _, data in every[1:])
    assert receipt.fetched_bytes == stored, "something came twice"


def test_a_cancelled_feeder_ends(path: Path, tmp_path: Path) -> None:
    cancel, every = Cancel(), frames_of(path)
    target = blank(tmp_path / "target", PARTITION.device_size)

    def sending() -> Iterator[Sent]:
        for index, stored in every:
            if index == 5:
                cancel.set("enough")
            yield index, stored

    with opened(path, FileSource(path)) as image, pytest.raises(CancelledError):
        restore(
            image, target, progress=QUIET,
            pushed=lambda taker: PushFeeder(sending(), taker, cancel),
        )  # fmt: skip
    assert target.read_bytes()[:MIB] == bytes(MIB)


def ends_of(path: Path) -> Ends:
    """What a sender gives before the body: frame 0 and what stands behind the last frame."""
    raw = path.read_bytes()
    with local_image(path) as image:
        first, last = image.frames[0], image.frames[len(image.frames) - 1]
    return Ends(raw[: first.stored_len], raw[last.offset + last.stored_len :], len(raw), "the room")


def test_an_image_is_opened_by_its_ends_alone(path: Path, tmp_path: Path) -> None:
    ends, target = ends_of(path), blank(tmp_path / "target", PARTITION.device_size)
    before = target.read_bytes()
    with opened(path, ends) as image:
        assert image.info.used_blocks == len(PARTITION.blocks)
        with pytest.raises(ImageError, match="in its body"):
            restore(image, target, progress=QUIET, pushed=Room(frames_of(path)))
        assert target.read_bytes() == before, "it was begun without anybody to ask"
    reads = list[int]()
    source = WatchedSource(path, lambda offset, _: reads.append(offset))
    with opened(path, source, ends=ends) as image:
        assert reads == [], "the body's source was asked for an end"
        restore(image, target, progress=QUIET, pushed=Room(frames_of(path)))
    assert PARTITION.same_as(target)


def chunks_of(raw: bytes, size: int = 300_000) -> Iterator[bytes]:
    return (raw[at : at + size] for at in range(0, len(raw), size))


@pytest.mark.parametrize("packed", [False, True])
def test_a_foreign_image_is_read_while_it_comes(tmp_path: Path, packed: bool) -> None:
    raw = PARTITION.stream()
    raw = gzip.compress(raw, 1) if packed else raw
    source = ChunkSource(chunks_of(raw), len(raw), "a sender")
    target = blank(tmp_path / "target", PARTITION.device_size)
    with open_stream(source, "x") as stream:
        restore(stream, target, progress=QUIET)
    assert PARTITION.same_as(target)


def test_what_was_sent_is_past() -> None:
    raw = random.Random(1).randbytes(64 * MIB)
    source = ChunkSource(chunks_of(raw), len(raw), "a sender")
    assert source.read(60 * MIB, MIB) == raw[60 * MIB : 61 * MIB]
    assert source.read(MIB, MIB) == raw[MIB : 2 * MIB], "its beginning is kept"
    with pytest.raises(ImageError, match="is past"):
        source.read(10 * MIB, MIB)
    short = ChunkSource(chunks_of(raw[: 4 * MIB]), len(raw), "a sender")
    with pytest.raises(ImageError, match="ended after 4194304 of"):
        short.read(0, 5 * MIB)
