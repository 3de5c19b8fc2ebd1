# SPDX-License-Identifier: GPL-3.0-or-later
"""Bitmap, frame table, manifest, signature, done map: the parsers that read strangers' files."""

from __future__ import annotations

import json
import struct
import tempfile
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import trying
from oglib.errors import ImageError, OgError, UsageError
from oglib.image.format.bitmap import Bitmap
from oglib.image.format.frames import FrameTable
from oglib.image.format.manifest import Manifest, check_name
from oglib.image.format.partclone import crc32
from oglib.image.format.signing import (
    PrivateKey,
    PublicKey,
    generate_keypair,
    load_public_keys,
    sign,
    verify_signature,
)
from oglib.image.reading.local import local_image
from oglib.image.writing.done_map import DoneMap
from oglib.image.writing.guard import Span, split_by_seal
from unit.image.synthetic import bitmap_bytes, make_image, partition
from unit.image.test_diff import changed


def bitmap_of(used: list[bool]) -> Bitmap:
    bits = bitmap_bytes(used)
    with tempfile.TemporaryFile() as file:
        file.write(b"xyz" + bits + struct.pack("<I", crc32(bits)))
        file.flush()
        return Bitmap(file, 3, len(used))


@given(st.lists(st.booleans(), min_size=1, max_size=300), st.data())
def test_runs_are_the_used_blocks(used: list[bool], data: st.DataObject) -> None:
    first = data.draw(st.integers(0, len(used) - 1))
    count = data.draw(st.integers(1, 320))
    with bitmap_of(used) as bitmap:
        bitmap.check(sum(used))
        runs = bitmap.runs(first, count)
        assert bitmap.used(first, count) == sum(used[first : first + count])
    blocks = [block for start, length in runs for block in range(start, start + length)]
    assert blocks == [i for i in range(first, min(first + count, len(used))) if used[i]]
    assert all(a + b < c for (a, b), (c, _) in pairwise(runs))


def test_a_wrong_bitmap_is_refused() -> None:
    with bitmap_of([True] * 9) as bitmap, pytest.raises(ImageError, match="9 used blocks"):
        bitmap.check(8)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second version, so that some of its frames are parts of regions."""
    folder, first = tmp_path_factory.mktemp("image"), partition(mib=6, compressible=True)
    make_image(first, folder)
    return make_image(changed(first, 1, edit=4, free=3), folder)


def beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


@given(st.binary(max_size=400))
def test_no_bytes_crash_the_frame_table(raw: bytes) -> None:
    with tempfile.NamedTemporaryFile() as file:
        file.write(raw)
        file.flush()
        with pytest.raises(OgError):
            FrameTable(Path(file.name))


@trying.examples(200)
@given(data=st.data())
def test_a_changed_frame_table_never_crashes_the_validation(
    image: Path, data: st.DataObject
) -> None:
    raw = bytearray(beside(image, ".frames").read_bytes())
    place = data.draw(st.integers(0, len(raw) - 9))
    raw[place : place + 8] = data.draw(st.binary(min_size=8, max_size=8))
    with tempfile.NamedTemporaryFile() as file, local_image(image) as opened:
        file.write(raw)
        file.flush()
        try:
            FrameTable(Path(file.name)).validate(opened.header, opened.bitmap)
        except OgError:
            return
        # Only what the digests protect may differ: the digests themselves.
        for old, new in zip(opened.frames, FrameTable(Path(file.name)), strict=True):
            assert old[:4] == new[:4] or new[1] <= 2 << 20


@given(st.binary(max_size=300))
def test_no_bytes_crash_the_manifest(raw: bytes) -> None:
    with pytest.raises(ImageError):
        Manifest.from_bytes(raw)


json_values = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=30), st.just({})
)


@trying.examples(300)
@given(data=st.data())
def test_no_field_crashes_the_manifest(image: Path, data: st.DataObject) -> None:
    fields = json.loads(beside(image, ".json").read_bytes())
    place = data.draw(st.sampled_from(sorted(fields)))
    fields[place] = data.draw(json_values)
    raw = json.dumps(fields, indent=2, sort_keys=True).encode() + b"\n"
    try:
        manifest = Manifest.from_bytes(raw)
    except ImageError:
        return
    assert manifest.to_bytes() == raw


def test_a_manifest_has_one_spelling(image: Path) -> None:
    raw = beside(image, ".json").read_bytes()
    assert Manifest.from_bytes(raw).to_bytes() == raw
    for other in (raw + b" ", raw.replace(b": ", b":", 1), b'{"format": "x"}', b"<html>"):
        with pytest.raises(ImageError):
            Manifest.from_bytes(other)


def test_names() -> None:
    assert check_name("room-1/debian.v2") == "room-1/debian.v2"
    for bad in (
        "",
        "/etc/passwd",
        "../x",
        "a/../b",
        "a//b",
        "-x",
        "a b",
        "a\n",
        "ä",
        "a/",
        "x" * 201,
    ):
        with pytest.raises(UsageError):
            check_name(bad)


def test_signatures(tmp_path: Path, image: Path) -> None:
    private, public = generate_keypair()
    other, _ = generate_keypair()
    raw = beside(image, ".json").read_bytes()
    signature = sign(raw, private)
    assert verify_signature(raw, signature, [other.public, public]) == public.key_id
    with pytest.raises(ImageError, match="not accepted here"):
        verify_signature(raw, signature, [other.public])
    for place in range(len(signature)):
        broken = bytearray(signature)
        broken[place] ^= 1
        with pytest.raises(ImageError):
            verify_signature(raw, bytes(broken), [public])
    (tmp_path / "a.pub").write_text(PublicKey(public.raw, "a comment").to_line())
    (tmp_path / "b.pub").write_text(other.public.to_line())
    keys = load_public_keys(tmp_path)
    assert [key.key_id for key in keys] == [public.key_id, other.public.key_id]
    assert keys[0].comment == "a comment"
    assert load_public_keys(tmp_path / "none") == []


def test_a_private_key_is_kept_secret_and_never_overwritten(tmp_path: Path) -> None:
    private, public = generate_keypair()
    path = tmp_path / "image.key"
    private.save(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert PrivateKey.load(path).public == public
    with pytest.raises(OgError, match="cannot be made"):
        private.save(path)
    path.chmod(0o600)
    path.write_text("nothing")
    with pytest.raises(ImageError):
        PrivateKey.load(path)


@given(st.text(max_size=120))
def test_no_text_crashes_the_public_key(line: str) -> None:
    try:
        PublicKey.from_line(line)
    except ImageError:
        return
    assert line.startswith("ed25519 ")


KEY = bytes(range(32))


@pytest.fixture
def map_file(tmp_path: Path) -> Path:
    path = tmp_path / "some.map"
    with DoneMap(path, KEY, 500) as done:
        done.mark([3, 4, 5, 9])
        done.mark([400])
    return path


def test_marks_persist(map_file: Path) -> None:
    with DoneMap(map_file, KEY, 500) as done:
        assert list(done) == [3, 4, 5, 9, 400]
        done.mark([6])
    with DoneMap(map_file, KEY, 500) as done:
        assert list(done) == [3, 4, 5, 6, 9, 400]
        assert 6 in done
        assert 7 not in done


def test_a_foreign_map_is_discarded(map_file: Path) -> None:
    raw = map_file.read_bytes()
    for key, count in ((bytes(32), 500), (KEY, 501)):
        map_file.write_bytes(raw)
        with DoneMap(map_file, key, count) as done:
            assert list(done) == []


def test_a_damaged_map_never_says_more_than_was_marked(map_file: Path) -> None:
    raw = map_file.read_bytes()
    for place in range(len(raw)):
        broken = bytearray(raw)
        broken[place] ^= 0x10
        map_file.write_bytes(broken)
        with DoneMap(map_file, KEY, 500) as done:
            assert list(done) == []
    for length in range(len(raw)):
        map_file.write_bytes(raw[:length])
        with DoneMap(map_file, KEY, 500) as done:
            assert set(done) <= {3, 4, 5, 9, 400}
            done.mark([7])
        with DoneMap(map_file, KEY, 500) as done:
            assert 7 in done


@given(st.integers(0, 20000), st.integers(0, 20000))
def test_splitting_by_the_seal_loses_nothing(offset: int, length: int) -> None:
    data = bytes(i % 253 for i in range(length))
    seals = [Span(0, 4096), Span(8192, 12288)]
    outside, inside = split_by_seal(offset, data, seals)
    joined = b"".join(piece for _, piece in sorted(outside + inside))
    assert joined == data
    for place, piece in inside:
        assert any(seal.start <= place and place + len(piece) <= seal.end for seal in seals)
    for place, piece in outside:
        assert all(place + len(piece) <= seal.start or place >= seal.end for seal in seals)


def test_parent_and_version_are_part_of_the_manifest(image: Path) -> None:
    manifest = Manifest.from_bytes(beside(image, ".json").read_bytes())
    newer = replace(manifest, version=7, parent="older", comment="line 1\nline 2")
    assert Manifest.from_bytes(newer.to_bytes()) == newer
    with pytest.raises(ImageError, match="printed"):
        Manifest.from_bytes(replace(manifest, title="\x1b[2J").to_bytes())
