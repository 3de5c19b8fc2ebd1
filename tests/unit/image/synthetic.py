# SPDX-License-Identifier: GPL-3.0-or-later
"""Small images made without a filesystem: a partclone stream from a bitmap and random blocks."""

from __future__ import annotations

import io
import random
import struct
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from oglib.image.format.manifest import Manifest
from oglib.image.format.partclone import crc32
from oglib.image.format.signing import PrivateKey, sign
from oglib.image.reading.source import FileSource
from oglib.image.recording.device_capture import CaptureMeta, manifest_of
from oglib.image.recording.recorder import record
from oglib.image.recording.sink import FileSink
from quiet import QUIET


def header(
    *, device_size: int, total: int, used: int, block_size: int, filesystem: bytes = b"EXTFS",
    mode: int = 0, bitmap_mode: int = 1,
) -> bytes:  # fmt: skip
    raw = struct.pack(
        "<16s14s4sH16sQQQQIIHHHHIBB", b"partclone-image\0", b"0.3.23", b"0002", 0xC0DE, filesystem,
        device_size, total, used, used, block_size, 18, 2, 64, mode, 0, 0, 1, bitmap_mode,
    )  # fmt: skip
    return raw + struct.pack("<I", crc32(raw))


def bitmap_bytes(used: list[bool]) -> bytes:
    value = sum(1 << index for index, bit in enumerate(used) if bit)
    return value.to_bytes((len(used) + 7) // 8, "little")


@dataclass(frozen=True)
class Partition:
    """What the partition would look like: its used blocks and their content."""

    used: list[bool]
    block_size: int
    blocks: dict[int, bytes]
    filesystem: bytes = b"EXTFS"
    tail_bytes: int = 0

    @property
    def device_size(self) -> int:
        return len(self.used) * self.block_size + self.tail_bytes

    def stream(self) -> bytes:
        bits = bitmap_bytes(self.used)
        return b"".join([
            header(
                device_size=self.device_size, total=len(self.used), used=sum(self.used),
                block_size=self.block_size, filesystem=self.filesystem,
            ),
            bits, struct.pack("<I", crc32(bits)),
            *(self.blocks[index] for index, bit in enumerate(self.used) if bit),
        ])  # fmt: skip

    def same_as(self, target: Path) -> bool:
        """Whether every used block is in ``target``."""
        data = target.read_bytes()
        size = self.block_size
        return all(data[i * size : (i + 1) * size] == block for i, block in self.blocks.items())


def partition(
    seed: int = 1, *, mib: int = 24, block_size: int = 4096, density: float = 0.5,
    compressible: bool = False, **more: object,
) -> Partition:  # fmt: skip
    """Regions that are full, empty, and full of holes, in one small partition."""
    chance = random.Random(seed)
    per_region = (1 << 20) // block_size
    used: list[bool] = []
    for region in range(mib):
        kind = (1.0, density, 0.0)[region % 3]
        used += [chance.random() < kind for _ in range(per_region)]
    used[0] = True
    blocks = {
        index: bytes([index % 251]) * block_size if compressible else chance.randbytes(block_size)
        for index, bit in enumerate(used)
        if bit
    }
    return Partition(used, block_size, blocks, **more)  # type: ignore[arg-type]


def make_image(source: Partition, folder: Path, name: str = "x", *, full_sum: bool = False) -> Path:
    """Record ``source`` as FOLDER/NAME.img, unsigned."""
    path = folder / f"{name}.img"
    sink = FileSink(path, full_sum=full_sum)
    with tempfile.TemporaryDirectory(dir=folder) as scratch, QUIET.phase("capture") as phase:
        recorded = record(io.BytesIO(source.stream()), sink, Path(scratch), phase=phase, workers=2)
        manifest = manifest_of(recorded, CaptureMeta(name=name), 512)
        sink.finish(recorded.frames_path, manifest.to_bytes())
    return path


def sign_image(path: Path, key: PrivateKey, version: int = 1) -> None:
    manifest_path = path.with_name(path.name + ".json")
    manifest = Manifest.from_bytes(manifest_path.read_bytes())
    raw = replace(manifest, version=version, key_id=key.public.key_id).to_bytes()
    manifest_path.write_bytes(raw)
    path.with_name(path.name + ".json.sig").write_bytes(sign(raw, key))


def blank(path: Path, size: int, fill: int = 0xA5) -> Path:
    """A target of ``size`` bytes that held something else before."""
    path.write_bytes(bytes([fill]) * size)
    return path


class WatchedSource(FileSource):
    """A real file whose reads are counted, and seen by ``on_read`` before they happen."""

    def __init__(self, path: Path, on_read: Callable[[int, int], None]) -> None:
        super().__init__(path)
        self._on_read = on_read

    def read(self, offset: int, length: int) -> bytes:
        self._on_read(offset, length)
        return super().read(offset, length)
