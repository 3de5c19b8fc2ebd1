# SPDX-License-Identifier: GPL-3.0-or-later
"""What is no image, or lies: each is refused before the first write, in words of its own.

That every flipped byte and every cut is noticed: ``tests/disk/image/test_damage.py``.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import re
import struct
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import zstandard

from oglib.errors import OgError
from oglib.image.format.partclone import HEADER_BYTES, crc32
from oglib.image.reading.formats.detect import open_stream
from oglib.image.reading.local import local_image
from oglib.image.reading.source import FileSource
from oglib.image.writing.restore import restore
from quiet import QUIET
from unit.image.synthetic import blank, make_image, partition

SOURCE = partition(21, mib=3, compressible=True)
BOMB = bytes(12 << 20)


def _put(raw: bytes, at: int, layout: str, *values: int) -> bytes:
    """partclone's header with other numbers and a CRC that agrees."""
    data = bytearray(raw)
    struct.pack_into(layout, data, at, *values)
    struct.pack_into("<I", data, HEADER_BYTES - 4, crc32(data[: HEADER_BYTES - 4]))
    return bytes(data)


def _lying_window() -> bytes:
    """A zstd frame that asks for 2 GiB before its first byte."""
    return b"\x28\xb5\x2f\xfd" + bytes((0x00, 21 << 3)) + b"\x01\x00\x00"


_LZOP = b"\x89LZO\0\r\n\x1a\n"
FOREIGN: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _raw: b"",
    "web page": lambda _raw: b"<!DOCTYPE html><html><body>Please log in</body></html>" * 20,
    "noise": lambda _raw: bytes(range(1, 256)) * 400,
    "cut header": lambda raw: raw[:60],
    "other version": lambda raw: raw[:30] + b"0007" + raw[34:],
    "big-endian": lambda raw: raw[:34] + b"\xc0\xde" + raw[36:],
    "damaged header": lambda raw: raw[:52] + b"\xff" + raw[53:],
    "damaged bitmap": lambda raw: raw[:120] + bytes((raw[120] ^ 1,)) + raw[121:],
    "absurd blocks": lambda raw: _put(raw, 60, "<Q", 1 << 60),
    "absurd block size": lambda raw: _put(raw, 84, "<I", 3),
    "more used than there are": lambda raw: _put(raw, 76, "<Q", len(SOURCE.used) + 1),
    "larger than its device": lambda raw: _put(raw, 52, "<Q", 4096),
    "unknown checksums": lambda raw: _put(raw, 96, "<H", 0x77),
    "unknown bitmap": lambda raw: _put(raw, 105, "<B", 3),
    "absurd window": lambda _raw: _lying_window(),
    "cut gzip header": lambda _raw: b"\x1f\x8b\x08",
    "cut lzop header": lambda _raw: _LZOP + b"\x10\x40",
    "ntfsclone of the future": lambda _raw: b"\0ntfsclone-image" + bytes((99, 1)) + bytes(80),
    "partimage of the future": lambda _raw: b"PaRtImAgE-VoLuMe".ljust(32, b"\0") + bytes(600),
}


def _refused(path: Path, target: Path) -> OgError:
    with pytest.raises(OgError) as caught:
        source = FileSource(path)
        try:
            image = open_stream(source, path.name, workers=1)
        except BaseException:
            source.close()
            raise
        with closing(image):
            restore(image, target, progress=QUIET)
    return caught.value


def test_every_refusal_is_told_apart_and_nothing_is_written(tmp_path: Path) -> None:
    raw, path = SOURCE.stream(), tmp_path / "x.img"
    target = blank(tmp_path / "target", SOURCE.device_size)
    before = target.read_bytes()
    said: dict[str, str] = {}
    for kind, spoil in FOREIGN.items():
        path.write_bytes(spoil(raw))
        error = _refused(path, target)
        assert error.code, kind
        assert target.read_bytes() == before, f"{kind}: refused, but only after a write"
        assert error.message not in said, f"{kind} says the same as {said.get(error.message)}"
        said[error.message] = kind


@pytest.mark.parametrize(
    "pack",
    [gzip.compress, bz2.compress, lzma.compress, zstandard.ZstdCompressor().compress],
    ids=["gzip", "bzip2", "xz", "zstd"],
)
def test_a_bomb_behind_the_end_does_not_go_off(
    tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    """An image in whose compressed stream gigabytes could follow is refused at the first byte."""
    path = tmp_path / "x.img"
    path.write_bytes(pack(SOURCE.stream() + BOMB))
    target = blank(tmp_path / "target", SOURCE.device_size)
    assert re.search(r"behind|more", str(_refused(path, target)))
    assert target.read_bytes()[: 1 << 20] == bytes(1 << 20)


def test_a_first_frame_that_grows_is_stopped(tmp_path: Path) -> None:
    """A frame holds what its table says; its digest is right, its content is not."""
    path = make_image(SOURCE, tmp_path)
    bomb = zstandard.ZstdCompressor().compress(BOMB)
    path.write_bytes(bomb + path.read_bytes()[len(bomb) :])
    target = blank(tmp_path / "target", SOURCE.device_size)
    before = target.read_bytes()
    with pytest.raises(OgError), local_image(path) as image:
        restore(image, target, progress=QUIET)
    assert target.read_bytes() == before


def test_a_fifo_a_folder_and_a_device_are_no_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "fifo", tmp_path / "folder", Path("/dev/zero")):
        with pytest.raises(OgError, match="not a regular file"):
            FileSource(path)


def test_the_frame_table_of_another_image_is_refused(tmp_path: Path) -> None:
    folders = [tmp_path / "a", tmp_path / "b"]
    for seed, folder in enumerate(folders):
        folder.mkdir()
        make_image(partition(30 + seed, mib=3, compressible=True, density=0.2), folder)
    ours, theirs = (folder / "x.img.frames" for folder in folders)
    ours.write_bytes(theirs.read_bytes())
    with pytest.raises(OgError, match="frame table of x is not the one"):
        local_image(folders[0] / "x.img")
