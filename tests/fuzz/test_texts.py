# SPDX-License-Identifier: GPL-3.0-or-later
"""The texts and names of folder images, and disk.json: whatever they say, only an OgError."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuzz.seeds import plain, spoiled
from oglib.errors import ImageError, OgError
from oglib.image.format.disk_manifest import DiskManifest
from oglib.image.reading.formats.folders.folder import describe_folder, folder_image

_DUMP = b"""label: gpt
label-id: 8B1F5B6E-5D0B-4E3B-9C5F-0F1E2D3C4B5A
device: /dev/sda
unit: sectors
first-lba: 34
last-lba: 2097118
sector-size: 512

/dev/sda1 : start=2048, size=1024000, type=0FC63DAF-8483-4772-8E79-3D69D8477DE4
/dev/sda2 : start=1026048, size=1024000, type=0657FD6D-A4AB-43C4-84E5-0933C84B4F4F
"""
FOLDERS = {
    "clonezilla": {
        "parts": b"sda1 sda2\n",
        "disk": b"sda\n",
        "clonezilla-img": b"log\n",
        "sda-pt.sf": _DUMP,
        "swappt-sda2.info": b'UUID="0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"\nLABEL="swap"\n',
        "sda-pt.parted": b"Disk /dev/sda: 2097152s\nSector size (logical/physical): 512B/512B\n",
        "fdisk.list": b"Disk /dev/sda: 1 GiB, 1073741824 bytes, 2097152 sectors\n",
        "blkdev.list": b"KNAME NAME SIZE TYPE\nsda   sda    1G disk\n",
        "sda-hidden-data-after-mbr": bytes(2000),
        "sda1.ext4-ptcl-img.uncomp": plain(),
    },
    "fog": {
        "d1.mbr": bytes(512),
        "d1.partitions": _DUMP,
        "d1.minimum.partitions": _DUMP,
        "d1.original.swapuuids": b"2 0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0\n",
        "d1.original.fstypes": b"/dev/sda1 extfs\n",
        "d1p1.img": plain(),
    },
}


def written(folder: Path, files: dict[str, bytes]) -> Path:
    for name, raw in files.items():
        (folder / name).write_bytes(raw)
    return folder


@pytest.mark.parametrize("kind", FOLDERS)
def test_the_folders_are_sound(kind: str, tmp_path: Path) -> None:
    folder = folder_image(written(tmp_path, FOLDERS[kind]))
    assert folder.tool == kind
    assert list(folder.parts) == [1]
    assert not describe_folder(tmp_path).damage


@pytest.mark.parametrize("kind", FOLDERS)
@given(data=st.data())
def test_a_spoiled_folder(kind: str, data: st.DataObject) -> None:
    files = dict(FOLDERS[kind])
    texts = sorted(name for name, raw in files.items() if len(raw) < 1000)
    name = data.draw(st.sampled_from(texts))
    files[name] = data.draw(spoiled(files[name]) | st.text(max_size=80).map(str.encode))
    with tempfile.TemporaryDirectory() as text:
        folder = written(Path(text), files)
        with suppress(OgError):
            describe_folder(folder)
        with suppress(OgError):
            found = folder_image(folder)
            # Nothing in a folder may lead out of it.
            assert all(
                volume.parent == folder for part in found.parts.values() for volume in part.volumes
            )


@pytest.mark.parametrize(
    "words",
    [b"../../etc/passwd", b"/etc/passwd", b"sda1/../..", b"sda\0x", b"\xff\xfe", b"sda" * 999],
)
def test_a_hostile_name_leads_nowhere(words: bytes, tmp_path: Path) -> None:
    folder = written(tmp_path, {**FOLDERS["clonezilla"], "parts": words, "disk": words})
    with suppress(OgError):
        describe_folder(folder)
    with suppress(OgError):
        for part in folder_image(folder).parts.values():
            assert all(volume.parent == folder for volume in part.volumes)


@given(st.binary(max_size=300))
def test_no_bytes_crash_the_disk_manifest(raw: bytes) -> None:
    with pytest.raises(ImageError):
        DiskManifest.from_bytes(raw)
