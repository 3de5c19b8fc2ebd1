# SPDX-License-Identifier: GPL-3.0-or-later
"""The writer and what stands around it, on regular files: order, damage, interruption, lies."""

from __future__ import annotations

import os
import random
import shutil
import signal
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import trying
from oglib.errors import ImageError, NotFoundError, OgErr, OgError, TransferError, WriteError
from oglib.image.format.manifest import Manifest
from oglib.image.format.signing import PrivateKey, generate_keypair, sign
from oglib.image.proving.verify import verify
from oglib.image.reading.local import local_image
from oglib.image.reading.opened import OpenImage, open_image
from oglib.image.reading.source import FileSource
from oglib.image.reading.vouching import Policy
from oglib.image.writing.done_map import DoneMap, map_key, map_path
from oglib.image.writing.frame_writer import Writer
from oglib.image.writing.restore import restore
from oglib.image.writing.target import Target, open_target
from quiet import QUIET
from unit.image.synthetic import (
    Partition,
    WatchedSource,
    blank,
    make_image,
    partition,
    sign_image,
)

MIB = 1 << 20
PARTITION = partition()
SMALL = partition(mib=6, compressible=True, density=0.1)


@pytest.fixture(scope="module")
def image_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_image(PARTITION, tmp_path_factory.mktemp("image"))


@pytest.fixture(scope="module")
def key() -> PrivateKey:
    return generate_keypair()[0]


def beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def watched(path: Path, on_read: Callable[[int, int], None]) -> OpenImage:
    """``on_read`` sees the reads of frames, not the small ones of opening the image."""
    source = WatchedSource(path, lambda at, size: on_read(at, size) if size > MIB // 2 else None)
    return open_image(
        beside(path, ".json").read_bytes(), None, beside(path, ".frames"), source, [], Policy()
    )


def guard_is_zero(target: Path) -> bool:
    with target.open("rb") as file:
        return file.read(MIB) == bytes(MIB)


@pytest.mark.parametrize(
    "source",
    [
        PARTITION,
        partition(2, block_size=512, mib=5),
        partition(3, block_size=65536, mib=9, tail_bytes=512),
        partition(4, density=0.02),
        Partition([False] * 700, 4096, {}),
        Partition([True] * 10, 4096, {i: bytes([i]) * 4096 for i in range(10)}),
        Partition([True, False, True], 4 * MIB, {0: b"a" * (4 * MIB), 2: b"c" * (4 * MIB)}),
    ],
    ids=["4K", "512", "64K", "sparse", "empty", "tiny", "large-blocks"],
)
@pytest.mark.parametrize("verified", [True, False])
def test_restored_blocks_are_the_captured_ones(
    tmp_path: Path, source: Partition, verified: bool
) -> None:
    target = blank(tmp_path / "target", source.device_size)
    with local_image(make_image(source, tmp_path)) as image:
        verify(image, progress=QUIET)
        receipt = restore(image, target, progress=QUIET, verify=verified)
        assert receipt.verified == ("read-back" if verified else "not proven")
        assert receipt.written_bytes == len(source.blocks) * source.block_size
        assert receipt.skipped_bytes == 0
        verify(image, target, progress=QUIET)
    assert source.same_as(target)
    assert not beside(target.with_name(f".{target.name}"), ".ogmap").exists()


def test_what_is_not_used_is_not_touched(tmp_path: Path, image_path: Path) -> None:
    target = blank(tmp_path / "target", PARTITION.device_size + 4096)
    with local_image(image_path) as image:
        restore(image, target, progress=QUIET)
    data = target.read_bytes()
    size = PARTITION.block_size
    for index in range(MIB // size, len(PARTITION.used)):
        if not PARTITION.used[index]:
            assert data[index * size : (index + 1) * size] == b"\xa5" * size
    assert data[-4096:] == b"\xa5" * 4096


@pytest.mark.parametrize("seed", range(3))
def test_frames_may_come_in_any_order_and_more_than_once(
    tmp_path: Path, image_path: Path, seed: int
) -> None:
    target = blank(tmp_path / "target", PARTITION.device_size)
    with local_image(image_path) as image, open_target(target, write=True) as opened:
        key = map_key(opened, image.manifest.image_blake3)
        with DoneMap(map_path(opened), key, len(image.frames)) as done:
            writer = Writer(image, opened, done, verify=True)
            writer.begin(lambda _count: None)
            chance = random.Random(seed)
            indexes = range(1, len(image.frames))
            orders = [chance.sample(indexes, k=len(indexes)) for _ in range(3)]

            def push(order: list[int]) -> None:
                for index in order:
                    frame = image.frames[index]
                    writer.accept(index, image.source.read(frame.offset, frame.stored_len))

            threads = [threading.Thread(target=push, args=(order,)) for order in orders]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert guard_is_zero(target)
            writer.finish()
    assert PARTITION.same_as(target)


def test_a_missing_frame_is_not_success(tmp_path: Path, image_path: Path) -> None:
    target = blank(tmp_path / "target", PARTITION.device_size)
    with (
        local_image(image_path) as image,
        open_target(target, write=True) as opened,
        DoneMap(tmp_path / "map", bytes(32), len(image.frames)) as done,
    ):
        writer = Writer(image, opened, done, verify=True)
        writer.begin(lambda _count: None)
        for index in range(1, len(image.frames) - 1):
            frame = image.frames[index]
            writer.accept(index, image.source.read(frame.offset, frame.stored_len))
        with pytest.raises(ImageError, match="1 frames"):
            writer.finish()
    assert guard_is_zero(target)


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory, key: PrivateKey) -> Path:
    path = make_image(SMALL, tmp_path_factory.mktemp("signed"))
    sign_image(path, key, version=3)
    return path


def attempt(path: Path, key: PrivateKey, target: Path) -> None:
    with local_image(path, keys=[key.public]) as image:
        restore(image, target, progress=QUIET)


@pytest.mark.parametrize("suffix", [".json", ".json.sig", ".frames", ""])
def test_every_flipped_byte_is_refused(
    tmp_path: Path, signed: Path, key: PrivateKey, suffix: str
) -> None:
    for each in signed.parent.glob("x.img*"):
        shutil.copy(each, tmp_path)
    path = tmp_path / signed.name
    broken = beside(path, suffix) if suffix else path
    good = broken.read_bytes()
    target = blank(tmp_path / "target", SMALL.device_size)
    untouched = target.read_bytes()
    chance = random.Random(5)
    places = range(len(good)) if len(good) < 1000 else sorted(chance.sample(range(len(good)), 250))
    undetected = []
    for place in trying.some(places):
        damaged = bytearray(good)
        damaged[place] ^= 1 << chance.randrange(8)
        broken.write_bytes(damaged)
        try:
            attempt(path, key, target)
        except OgError:
            if not guard_is_zero(target):
                assert target.read_bytes() == untouched, f"byte {place}: written, yet bootable"
        else:
            undetected.append(place)
    assert undetected == []
    broken.write_bytes(good)
    attempt(path, key, target)
    assert SMALL.same_as(target)


def test_a_cut_file_is_refused(tmp_path: Path, signed: Path, key: PrivateKey) -> None:
    for each in signed.parent.glob("x.img*"):
        shutil.copy(each, tmp_path)
    path = tmp_path / signed.name
    target = blank(tmp_path / "target", SMALL.device_size)
    untouched = target.read_bytes()
    for suffix in ("", ".frames", ".json", ".json.sig"):
        good = (tmp_path / f"x.img{suffix}").read_bytes()
        for length in {0, 1, len(good) // 2, len(good) - 1}:
            (tmp_path / f"x.img{suffix}").write_bytes(good[:length])
            with pytest.raises(OgError):
                attempt(path, key, target)
        (tmp_path / f"x.img{suffix}").unlink()
        if suffix != ".json.sig":
            with pytest.raises(NotFoundError):
                attempt(path, key, target)
        (tmp_path / f"x.img{suffix}").write_bytes(good)
    assert target.read_bytes() == untouched


def test_who_is_trusted(tmp_path: Path, signed: Path, key: PrivateKey) -> None:
    stranger = generate_keypair()[1]
    with local_image(signed, keys=[stranger, key.public]) as image:
        assert image.signed_by == key.public.key_id
        assert image.warnings == ()
    with pytest.raises(ImageError, match="not accepted here"):
        local_image(signed, keys=[stranger])
    with local_image(signed) as image:
        assert "no key is installed" in image.warnings[0]
    with pytest.raises(ImageError, match="no key is installed"):
        local_image(signed, policy=Policy(unsigned_local=False))
    with pytest.raises(ImageError, match="version 3, but at least version 4"):
        local_image(signed, keys=[key.public], at_least_version=4)
    renamed = tmp_path / "y.img"
    for suffix in ("", ".frames", ".json", ".json.sig"):
        shutil.copy(beside(signed, suffix) if suffix else signed, tmp_path / f"y.img{suffix}")
    with pytest.raises(ImageError, match="holds the image x"):
        local_image(renamed, keys=[key.public])
    raw = replace(Manifest.from_bytes(beside(signed, ".json").read_bytes()), key_id="").to_bytes()
    source = FileSource(signed)
    with pytest.raises(ImageError, match="names another key"):
        open_image(raw, sign(raw, key), beside(signed, ".frames"), source, [key.public], Policy())
    source.close()


class RemoteSource:
    """Not a local file: what a URL would be."""

    def __init__(self, path: Path) -> None:
        self._file = FileSource(path)

    @property
    def size_bytes(self) -> int:
        return self._file.size_bytes

    def read(self, offset: int, length: int) -> bytes:
        return self._file.read(offset, length)

    def describe(self) -> str:
        return "http://repository/x.img"

    def close(self) -> None:
        self._file.close()


def test_an_unsigned_url_needs_the_sites_policy(image_path: Path) -> None:
    manifest, frames = beside(image_path, ".json").read_bytes(), beside(image_path, ".frames")
    source = RemoteSource(image_path)
    with pytest.raises(ImageError, match=r"x\.img is not signed"):
        open_image(manifest, None, frames, source, [], Policy())
    with pytest.raises(ImageError, match="y was asked for"):
        open_image(manifest, None, frames, source, [], Policy(unsigned_remote=True), name="y")
    allowed = open_image(manifest, None, frames, source, [], Policy(unsigned_remote=True), name="x")
    with allowed as image:
        assert "is not signed" in image.warnings[0]


def test_a_target_that_is_too_small_is_not_touched(tmp_path: Path, image_path: Path) -> None:
    target = blank(tmp_path / "target", PARTITION.device_size - 512)
    before = target.read_bytes()
    with local_image(image_path) as image:
        with pytest.raises(OgError) as caught:
            restore(image, target, progress=QUIET)
        assert caught.value.code == OgErr.IMGSIZEPARTITION
        assert str(PARTITION.device_size) in caught.value.message
        assert str(PARTITION.device_size - 512) in caught.value.message
        with pytest.raises(NotFoundError):
            restore(image, tmp_path / "none", progress=QUIET)
        with pytest.raises(NotFoundError):
            restore(image, tmp_path, progress=QUIET)
    assert target.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["target"]


def test_two_restores_of_one_target_do_not_meet(tmp_path: Path, image_path: Path) -> None:
    target = blank(tmp_path / "target", PARTITION.device_size)
    with (
        local_image(image_path) as image,
        open_target(target, write=True),
        pytest.raises(OgError) as caught,
    ):
        restore(image, target, progress=QUIET)
    assert caught.value.code == OgErr.LOCKED


def stored_bytes(image: OpenImage) -> int:
    return sum(frame.stored_len for frame in image.frames) - image.frames[0].stored_len


@pytest.mark.parametrize("way", ["source dies", "ctrl-c"])
def test_an_interrupted_restore_fetches_only_the_rest(
    tmp_path: Path, image_path: Path, way: str
) -> None:
    target = blank(tmp_path / "target", PARTITION.device_size)

    def stop(offset: int, _length: int) -> None:
        if offset > 8 * MIB and way == "ctrl-c":
            os.kill(os.getpid(), signal.SIGINT)
            threading.Event().wait(0.2)  # the signal reaches the main thread meanwhile
        elif offset > 8 * MIB:
            raise TransferError("The cable is out.")

    expected = KeyboardInterrupt if way == "ctrl-c" else TransferError
    with watched(image_path, stop) as image, pytest.raises(expected):
        restore(image, target, progress=QUIET)
    assert guard_is_zero(target)
    with local_image(image_path) as image:
        receipt = restore(image, target, progress=QUIET)
        assert receipt.resumed
        assert 4 * MIB < receipt.skipped_bytes < 12 * MIB
        assert receipt.fetched_bytes < stored_bytes(image) - 4 * MIB
    assert PARTITION.same_as(target)


def half_restored(tmp_path: Path, image_path: Path) -> Path:
    target = blank(tmp_path / "target", PARTITION.device_size)

    def stop(offset: int, _length: int) -> None:
        if 8 * MIB < offset < 12 * MIB:
            raise TransferError("The cable is out.")

    with watched(image_path, stop) as image, pytest.raises(TransferError):
        restore(image, target, progress=QUIET)
    return target


def test_a_lost_map_is_made_good_by_comparing(tmp_path: Path, image_path: Path) -> None:
    target = half_restored(tmp_path, image_path)
    (tmp_path / ".target.ogmap").unlink()
    with local_image(image_path) as image:
        receipt = restore(image, target, progress=QUIET)
        assert not receipt.resumed
        assert receipt.skipped_bytes > 4 * MIB
    assert PARTITION.same_as(target)


def test_a_map_is_not_believed_when_the_target_was_emptied(
    tmp_path: Path, image_path: Path
) -> None:
    target = half_restored(tmp_path, image_path)
    size = target.stat().st_size
    with target.open("r+b") as file:  # the same file, the same size: only the content is gone
        file.truncate(0)
        file.truncate(size)
    with local_image(image_path) as image:
        receipt = restore(image, target, progress=QUIET)
        assert receipt.skipped_bytes == 0
    assert PARTITION.same_as(target)


def test_a_delta_moves_what_differs_and_the_guard(tmp_path: Path, image_path: Path) -> None:
    target = blank(tmp_path / "target", PARTITION.device_size)
    with local_image(image_path) as image:
        restore(image, target, progress=QUIET)
        with target.open("r+b") as file:
            file.seek(3 * MIB + 5 * 4096)
            file.write(b"changed")
        receipt = restore(image, target, progress=QUIET, delta=True)
        assert image.frames[3].first_block * 4096 == 3 * MIB
        wanted = image.frames[1].stored_len + image.frames[3].stored_len
        assert receipt.fetched_bytes == wanted
        assert receipt.skipped_frames == len(image.frames) - 3
    assert PARTITION.same_as(target)


def test_a_target_that_lies_is_found_out(
    tmp_path: Path, image_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = blank(tmp_path / "target", PARTITION.device_size)
    place = 3 * MIB + 4096
    content = PARTITION.blocks[place // 4096]
    lies: list[int] = []
    flush = Target.flush

    def flush_and_lose(to: Target) -> None:
        """What was written is flushed, and not yet read back: there the disk loses a block."""
        flush(to)
        if not lies and os.pread(to.fd, 4096, place) == content:
            lies.append(os.pwrite(to.fd, bytes(4096), place))

    with monkeypatch.context() as lying, local_image(image_path) as image:
        lying.setattr(Target, "flush", flush_and_lose)
        with pytest.raises(WriteError, match="does not hold what was written"):
            restore(image, target, progress=QUIET)
    assert lies == [4096]
    assert guard_is_zero(target)
    with local_image(image_path) as image:
        restore(image, target, progress=QUIET)
    assert PARTITION.same_as(target)


def test_a_damaged_guard_frame_destroys_nothing(tmp_path: Path, image_path: Path) -> None:
    for each in image_path.parent.glob("x.img*"):
        shutil.copy(each, tmp_path)
    path = tmp_path / "x.img"
    with local_image(path) as image:
        place = image.frames[1].offset + 1000
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)
    target = blank(tmp_path / "target", PARTITION.device_size)
    before = target.read_bytes()
    with local_image(path) as image, pytest.raises(ImageError, match=r"Frame 1 .* damaged"):
        restore(image, target, progress=QUIET)
    assert target.read_bytes() == before


def test_verify_names_what_differs(tmp_path: Path, image_path: Path) -> None:
    target = blank(tmp_path / "target", PARTITION.device_size)
    with local_image(image_path) as image:
        restore(image, target, progress=QUIET)
        with target.open("r+b") as file:
            file.seek(6 * MIB)
            file.write(b"x")
        with pytest.raises(WriteError, match=f"in 1 of 16 regions, first near byte {6 * MIB}"):
            verify(image, target, progress=QUIET)


def test_ntfs_gets_its_spare_boot_sector_back(tmp_path: Path) -> None:
    source = partition(7, mib=3, filesystem=b"NTFS", tail_bytes=4096)
    sectors = source.device_size // 512 - 1
    boot = bytearray(source.blocks[0])
    boot[3:13] = b"NTFS    " + (512).to_bytes(2, "little")
    boot[40:48] = sectors.to_bytes(8, "little")
    source.blocks[0] = bytes(boot)
    target = blank(tmp_path / "target", source.device_size)
    with local_image(make_image(source, tmp_path)) as image:
        restore(image, target, progress=QUIET)
    assert source.same_as(target)
    assert target.read_bytes()[-512:] == boot[:512]


def test_a_fifo_and_a_web_page_are_no_image(tmp_path: Path, image_path: Path) -> None:
    for suffix in (".frames", ".json"):
        shutil.copy(beside(image_path, suffix), tmp_path)
    os.mkfifo(tmp_path / "x.img")
    with pytest.raises(ImageError, match="not a regular file"):
        local_image(tmp_path / "x.img")
    (tmp_path / "x.img").unlink()
    shutil.copy(image_path, tmp_path)
    (tmp_path / "x.img.json").write_text("<html><body>Please log in</body></html>")
    with pytest.raises(ImageError, match="not JSON"):
        local_image(tmp_path / "x.img")
