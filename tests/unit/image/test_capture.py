# SPDX-License-Identifier: GPL-3.0-or-later
"""What a capture writes and asks before: room, companions, the version before, raw content."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from oglib import durable
from oglib.errors import FilesystemError, ImageError, OgErr, UsageError, WriteError
from oglib.image.format.companions import Checksums, checksums_of, info_line
from oglib.image.format.manifest import Manifest, SourceInfo
from oglib.image.format.partclone import HEADER_BYTES, parse_header
from oglib.image.reading.local import local_image
from oglib.image.reading.raw_stream import RawHead
from oglib.image.recording.device_capture import CaptureMeta, capture, check_source
from oglib.image.recording.device_capture import manifest_of as made_of
from oglib.image.recording.estimate import TYPICAL_RATIO, estimated_bytes
from oglib.image.recording.recorder import record
from oglib.image.recording.sink import FileSink
from oglib.image.writing.target import open_target
from quiet import QUIET
from unit.image.synthetic import make_image, partition

MIB = 1 << 20


def manifest_of(path: Path) -> Manifest:
    return Manifest.from_bytes(path.with_name(path.name + ".json").read_bytes())


def test_a_manifest_tells_software_and_firmware(tmp_path: Path) -> None:
    plain = manifest_of(make_image(partition(), tmp_path))
    assert b"software" not in plain.to_bytes()
    assert b"firmware" not in plain.to_bytes()
    told = replace(plain, software=("bash 5.2", "vim 9"), source=SourceInfo("pc", firmware="uefi"))
    assert Manifest.from_bytes(told.to_bytes()) == told


def test_a_manifest_tells_who_named_the_used_blocks(tmp_path: Path) -> None:
    plain = manifest_of(make_image(partition(), tmp_path))
    assert (plain.partclone, plain.added_blocks) == ("0.3.23", 0)
    assert b"added_blocks" not in plain.to_bytes()
    told = replace(plain, added_blocks=plain.used_blocks)
    assert Manifest.from_bytes(told.to_bytes()) == told
    for wrong in (
        replace(plain, added_blocks=plain.used_blocks + 1), replace(plain, partclone="0\x1b")
    ):  # fmt: skip
        with pytest.raises(ImageError):
            Manifest.from_bytes(wrong.to_bytes())
    before = replace(plain, partclone="")  # as they were written until now
    assert b"partclone" not in before.to_bytes()
    assert Manifest.from_bytes(before.to_bytes()) == before


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        (b'"uefi"', b'"efi"'),
        (b'"vim 9"', b'"vim\\u001b9"'),
        (b'"vim 9"', b"9"),
        (b'"software": [', b'"software": ""'),
        (b'    "bash 5.2",\n    "vim 9"\n  ]', b"]"),
    ],
    ids=["firmware", "control character", "number", "text", "an empty list is not written"],
)
def test_a_manifest_with_wrong_facts_is_refused(tmp_path: Path, right: bytes, wrong: bytes) -> None:
    plain = manifest_of(make_image(partition(), tmp_path))
    told = replace(plain, software=("bash 5.2", "vim 9"), source=SourceInfo(firmware="uefi"))
    raw = told.to_bytes()
    assert raw.count(right) == 1
    with pytest.raises(ImageError):
        Manifest.from_bytes(raw.replace(right, wrong))


def test_the_files_older_tools_expect(tmp_path: Path) -> None:
    image = make_image(partition(), tmp_path, full_sum=True)
    data = image.read_bytes()
    texts = [(tmp_path / f"x.img{suffix}").read_text() for suffix in (".sum", ".full.sum", ".info")]
    assert texts[0] == hashlib.md5(data[-MIB:], usedforsecurity=False).hexdigest() + "\n"
    assert texts[1] == hashlib.md5(data, usedforsecurity=False).hexdigest() + "\n"
    assert texts[2] == f"PARTCLONE:ZSTD:EXTFS:{24 * 1024}:\n"
    assert checksums_of(image) == tuple(texts[:2])


@pytest.mark.parametrize("size", [0, 1, MIB - 1, MIB, MIB + 1, 5 * MIB + 3])
def test_checksums_do_not_depend_on_the_pieces(size: int) -> None:
    data = os.urandom(size)
    whole, pieces = Checksums(full=True), Checksums(full=True)
    whole.update(data)
    for start in range(0, size, 70_001):
        pieces.update(data[start : start + 70_001])
    last = hashlib.md5(data[-MIB:], usedforsecurity=False).hexdigest()
    assert whole.texts() == pieces.texts()
    assert whole.texts()[0] == f"{last}\n"


def test_an_info_line_has_five_fields_whatever_the_host_is_called() -> None:
    assert info_line("hfs plus", 4096, "a:b c", "lzop") == "PARTCLONE:LZOP:HFSPLUS:4:abc\n"


def test_the_version_before_is_kept_with_all_its_files(tmp_path: Path) -> None:
    image = make_image(partition(1), tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    make_image(partition(2), tmp_path)
    kept = {path.name.removesuffix(".ant"): path.read_bytes() for path in tmp_path.glob("*.ant")}
    assert kept == before
    local_image(image).close()
    assert len(list(tmp_path.iterdir())) == 2 * len(before)


def test_what_a_script_put_aside_itself_stays(tmp_path: Path) -> None:
    """Old createImage scripts move NAME.img to NAME.img.ant before they capture."""
    image = make_image(partition(1), tmp_path)
    old = image.read_bytes()
    image.rename(tmp_path / "x.img.ant")
    make_image(partition(2), tmp_path)
    assert (tmp_path / "x.img.ant").read_bytes() == old
    assert (tmp_path / "x.img.json.ant").exists()


def test_companions_of_a_capture_that_was_cut_do_not_join_the_next(tmp_path: Path) -> None:
    (tmp_path / "x.img.json.part").write_text("of another image")
    new = FileSink(tmp_path / "x.img")
    new.write(b"old format")
    new.finish_plain("a:b:c:d:e\n", lambda _part: None)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "x.img", "x.img.info", "x.img.sum"
    ]  # fmt: skip


@pytest.mark.parametrize("suffix", ["", ".frames"])
def test_a_disk_that_keeps_something_else_is_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    image = make_image(partition(1), tmp_path)
    before = image.read_bytes()
    forget: Callable[[int], None] = durable._forget

    def damage(descriptor: int) -> None:
        forget(descriptor)
        part = tmp_path / f"x.img{suffix}.part"
        if part.stat().st_size:
            with part.open("r+b") as file:
                file.seek(100)
                file.write(b"\xa5")

    monkeypatch.setattr(durable, "_forget", damage)
    failing = FileSink(image)
    with pytest.raises(WriteError, match="does not hold what was written"):
        _fill(failing, partition(2).stream(), tmp_path)
    failing.abort()
    assert image.read_bytes() == before
    assert not list(tmp_path.glob("*.part"))
    assert not list(tmp_path.glob("*.ant"))


def _fill(into: FileSink, stream: bytes, folder: Path) -> None:
    scratch = folder / "scratch"
    scratch.mkdir()
    with QUIET.phase("capture") as phase:
        recorded = record(io.BytesIO(stream), into, scratch, phase=phase, workers=1)
    into.finish(recorded.frames_path, made_of(recorded, CaptureMeta("x"), 512).to_bytes())


class Full(FileSink):
    """A folder without room, which notes what was asked of it."""

    asked = 0
    written = 0

    def reserve(self, size_bytes: int) -> None:
        self.asked = size_bytes
        raise WriteError("no room")

    def write(self, data: bytes) -> None:
        self.written += len(data)


def test_room_is_asked_for_before_the_first_byte(tmp_path: Path) -> None:
    full = Full(tmp_path / "x.img")
    source = partition()
    with pytest.raises(WriteError, match="no room"):
        _fill(full, source.stream(), tmp_path)
    used = len(source.blocks) * source.block_size
    assert full.asked > used * TYPICAL_RATIO
    assert full.written == 0


def test_a_folder_without_room_says_how_much_is_needed(tmp_path: Path) -> None:
    there = os.statvfs(tmp_path)
    small = FileSink(tmp_path / "x.img")
    small.reserve(MIB)
    with pytest.raises(WriteError, match=r"free, the image will take about"):
        small.reserve(there.f_blocks * there.f_frsize + MIB)
    small.abort()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("compressible", [True, False])
def test_the_estimate_is_near(tmp_path: Path, compressible: bool) -> None:
    source = partition(mib=60, compressible=compressible)
    image = make_image(source, tmp_path)
    disk = b"".join(
        source.blocks.get(at, bytes(source.block_size)) for at in range(len(source.used))
    )
    with local_image(image) as opened:
        estimate = estimated_bytes(
            opened.header, opened.bitmap, lambda offset, length: disk[offset : offset + length]
        )
    size = image.stat().st_size
    assert size - 64 * 1024 < estimate < size + 2 * MIB


@pytest.mark.parametrize("size", [5 * MIB, 3 * MIB + 512])
def test_raw_content_is_a_partclone_image_with_every_block(tmp_path: Path, size: int) -> None:
    data = os.urandom(size)
    (tmp_path / "disk").write_bytes(data)
    image = tmp_path / "x.img"
    meta = CaptureMeta("x")
    capture(tmp_path / "disk", "", FileSink(image), meta=meta, progress=QUIET, raw=True)
    done = subprocess.run(["zstd", "-dcq", image], capture_output=True, check=True)
    stream = io.BytesIO(done.stdout)
    header = parse_header(stream.read(HEADER_BYTES))
    assert (header.filesystem, header.device_size_bytes) == ("raw", size)
    assert header.used_blocks * header.block_size == size
    stream.read(header.prefix_bytes - HEADER_BYTES)
    assert stream.read() == data


def test_raw_content_of_no_whole_sectors_is_refused(tmp_path: Path) -> None:
    (tmp_path / "disk").write_bytes(b"x" * 1000)
    with (
        open_target(tmp_path / "disk", write=False) as source,
        pytest.raises(ImageError, match="1000 bytes"),
    ):
        RawHead(source)


@pytest.mark.parametrize(
    ("head", "word"),
    [(b"LUKS\xba\xbe\x00\x02", "LUKS version 2"), (b"\xeb\x58\x90-FVE-FS-", "BitLocker")],
)
def test_what_is_encrypted_is_named_and_taken_only_raw(
    tmp_path: Path, head: bytes, word: str
) -> None:
    disk = tmp_path / "disk"
    disk.write_bytes(head.ljust(MIB, b"\0"))
    for dirty in (False, True):
        with pytest.raises(FilesystemError, match=word) as caught:
            check_source(disk, "", raw=False, dirty=dirty)
        assert "--raw" in caught.value.hint
    assert not check_source(disk, "", raw=True, dirty=False)


def test_a_sleeping_or_dirty_source_is_refused_by_its_own_words(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    superblock = bytearray(4 * MIB)
    superblock[1024 + 56 : 1024 + 58] = b"\x53\xef"
    superblock[1024 + 58] = 1
    superblock[1024 + 96] = 4
    disk.write_bytes(superblock)
    with pytest.raises(FilesystemError, match="not unmounted cleanly") as caught:
        check_source(disk, "ext4", raw=False, dirty=False)
    assert "--dirty" in caught.value.hint
    assert check_source(disk, "ext4", raw=False, dirty=True) == "partclone.extfs"


def test_what_partclone_does_not_know_is_refused(tmp_path: Path) -> None:
    (tmp_path / "disk").write_bytes(bytes(MIB))
    with pytest.raises(ImageError) as caught:
        check_source(tmp_path / "disk", "swap", raw=False, dirty=False)
    assert caught.value.code == OgErr.PARTITION
    with pytest.raises(UsageError):
        FileSink(tmp_path / "x.raw")
