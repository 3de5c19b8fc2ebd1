# SPDX-License-Identifier: GPL-3.0-or-later
"""The image of a small disk as a PC would send it; the partitions are ``sample``'s images."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from blake3 import blake3

from oglib.image.format.disk_gaps import packed_gaps
from oglib.image.format.disk_manifest import Content, DiskManifest, DiskPart, part_name
from oglib.transfer.disk_upload import DiskUpload
from oglib.transfer.upload import PublishedImage
from unit.ogrepo.conftest import Repository
from unit.ogrepo.sample import Sample, make_sample

MIB = 1 << 20


@dataclass(frozen=True)
class SampleDisk:
    """Two partitions with images, and swap behind them."""

    manifest: DiskManifest
    gaps: bytes
    samples: dict[int, Sample]

    def upload(self, repository: Repository, folder: Path) -> PublishedImage:
        name = self.manifest.name
        upload = DiskUpload(repository.base, name, repository.token(name), piece_bytes=100_000)
        try:
            self.send(upload, folder)
            return upload.finish_disk(self.manifest.to_bytes(), self.gaps)
        finally:
            upload.abort()

    def send(self, upload: DiskUpload, folder: Path) -> None:
        for number, sample in self.samples.items():
            sink = upload.part(number)
            sink.write(sample.image)
            sink.finish(sample.write_frames(folder), sample.manifest.to_bytes())


def make_disk(name: str, *, seed: int = 1, regions: int = 3) -> SampleDisk:
    samples = {n: make_sample(part_name(name, n), seed=seed + n, regions=regions) for n in (1, 2)}
    gaps, raw = packed_gaps([(0, 0, b"boot code"), (0, 512, b"a gap\0\0"), (0, 4096, bytes(9))])
    parts = [image_part(number, sample) for number, sample in samples.items()]
    swap = DiskPart(5, 20 * MIB, 4 * MIB, "82", Content.SWAP, uuid="1234-abcd", filesystem="swap")
    return SampleDisk(
        DiskManifest(
            name=name,
            created="2026-11-20T12:00:00+00:00",
            size_bytes=64 * MIB,
            sector_size=512,
            table="msdos",
            disk_id="00c0ffee",
            partitions=(*parts, swap),
            gaps=gaps,
            title="A title",
            firmware="bios",
        ),
        raw,
        samples,
    )


def image_part(number: int, sample: Sample) -> DiskPart:
    manifest = sample.manifest
    return DiskPart(
        number=number,
        start_bytes=number * 4 * MIB,
        size_bytes=manifest.device_size_bytes,
        type_id="83",
        content=Content.IMAGE,
        filesystem="ext4",
        active=number == 1,
        required_bytes=manifest.device_size_bytes,
        used_bytes=manifest.used_blocks * manifest.block_size,
        image_size_bytes=manifest.image_size_bytes,
        manifest_blake3=blake3(manifest.to_bytes()).hexdigest(),
    )


def with_part(disk: DiskManifest, number: int, **changes: object) -> DiskManifest:
    """The disk with one partition changed."""
    parts = (
        replace(part, **changes) if part.number == number else part  # type: ignore[arg-type]
        for part in disk.partitions
    )
    return replace(disk, partitions=tuple(parts))
