# SPDX-License-Identifier: GPL-3.0-or-later
"""Foreign images with hostile bytes: refused, or read without leaving the target's bounds."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuzz.seeds import COMPRESSORS, IMAGES, PARTITION, sealed, spoiled
from oglib.errors import ImageError, OgError
from oglib.image.reading.formats.detect import describe, open_stream
from oglib.image.reading.formats.model import StreamImage
from oglib.image.reading.source import FileSource
from oglib.image.reading.unpack import unpacked

_MOST_BYTES = 8 << 20  # none of the seeds holds a hundredth; more is a bomb that went off
_HEAD_BYTES = 120


@contextmanager
def stored(raw: bytes) -> Iterator[FileSource]:
    with tempfile.NamedTemporaryFile() as file:
        file.write(raw)
        file.flush()
        yield FileSource(Path(file.name))


def read_all(image: StreamImage) -> int:
    """Consume ``image`` as a restore does, checking all that a writer relies upon."""
    end = total = 0
    for region in image.regions():
        bounds = range(region.number * image.region_bytes, (region.number + 1) * image.region_bytes)
        for offset, length in region.runs:
            assert length > 0
            assert offset >= end
            end = offset + length
            assert offset in bounds
            assert end <= bounds.stop
            assert not image.info.required_bytes or end <= image.info.required_bytes
        size = sum(length for _, length in region.runs)
        assert size == sum(len(view) for view in region.views)
        total += size
        assert total <= _MOST_BYTES
    return total


def attempt(raw: bytes) -> int | None:
    """How much content ``raw`` gives; None where it is refused, as only an ``OgError`` may."""
    with stored(raw) as source:
        try:
            image = open_stream(source, "x", workers=1)
        except OgError:
            source.close()
            return None
        with closing(image):
            try:
                return read_all(image)
            except OgError:
                return None


@pytest.mark.parametrize("compressor", COMPRESSORS)
@pytest.mark.parametrize("kind", IMAGES)
def test_the_seeds_are_sound(kind: str, compressor: str) -> None:
    expected = len(PARTITION.blocks) * PARTITION.block_size
    found = attempt(COMPRESSORS[compressor](IMAGES[kind]()))
    assert found == expected + (PARTITION.block_size if kind == "ntfsclone" else 0)


@pytest.mark.parametrize("kind", IMAGES)
@given(data=st.data())
def test_a_spoiled_image(kind: str, data: st.DataObject) -> None:
    raw = data.draw(spoiled(IMAGES[kind](), first=_HEAD_BYTES))
    # The header's own checksum would hide everything behind it.
    attempt(sealed(raw) if kind.startswith("partclone") and data.draw(st.booleans()) else raw)


@pytest.mark.parametrize("compressor", [name for name in COMPRESSORS if name != "none"])
@given(data=st.data())
def test_a_spoiled_compressed_stream(compressor: str, data: st.DataObject) -> None:
    content = IMAGES["partclone"]()
    raw = data.draw(spoiled(COMPRESSORS[compressor](content), first=_HEAD_BYTES))
    with (
        stored(raw) as source,
        closing(source),
        suppress(OgError),
        unpacked(source, workers=1) as stream,
    ):
        got = b"".join(stream.take_up_to(_MOST_BYTES))
        stream.finish()
        if stream.compressor == compressor:
            # Every one of these has a checksum of what it holds; a part that ends where another
            # may begin cannot be told from a shorter one.
            assert content.startswith(got)


@given(st.binary(max_size=600), st.sampled_from(sorted(COMPRESSORS)))
def test_any_bytes(raw: bytes, compressor: str) -> None:
    attempt(raw)
    attempt(COMPRESSORS[compressor](raw))


@pytest.mark.parametrize("kind", IMAGES)
@given(data=st.data())
def test_a_description_never_fails(kind: str, data: st.DataObject) -> None:
    with stored(data.draw(spoiled(IMAGES[kind](), first=_HEAD_BYTES))) as source:
        with closing(source):
            info = describe(source)
        assert info.damage or info.tool


def test_nothing_is_an_image() -> None:
    with stored(b"") as source, closing(source), pytest.raises(ImageError, match="empty"):
        open_stream(source, "x")
