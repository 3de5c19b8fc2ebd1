# SPDX-License-Identifier: GPL-3.0-or-later
"""Closing twice does no harm: a number that was given back may be somebody else's file by then."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

import pytest

from oglib.errors import ImageError, WriteError
from oglib.image.reading.formats.detect import open_stream
from oglib.image.reading.source import FileSource
from oglib.image.reading.volumes import VolumeSource, open_volumes
from oglib.image.writing.readback import ReadBack
from oglib.image.writing.target import open_target
from unit.image.synthetic import partition

_MIB = 1 << 20


class Closable(Protocol):
    def close(self) -> None: ...


@contextmanager
def every_free_number(path: Path) -> Iterator[list[int]]:
    """Other files take the numbers that were given back."""
    taken = [os.open(path, os.O_RDONLY) for _ in range(16)]
    try:
        yield taken
    finally:
        for number in taken:
            with suppress(OSError):  # closed already: then the test has failed
                os.close(number)


def close_twice(one: Closable, other: Path) -> None:
    one.close()
    with every_free_number(other) as numbers:
        one.close()
        for number in numbers:
            os.fstat(number)  # EBADF: it was closed


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "x"
    path.write_bytes(partition(mib=2).stream())
    return path


def test_a_file(image: Path) -> None:
    source = FileSource(image)
    close_twice(source, image)
    with every_free_number(image), pytest.raises(ImageError):
        source.read(0, 1)  # never what another file holds


def test_volumes(image: Path, tmp_path: Path) -> None:
    for suffix in ("aa", "ab"):
        (tmp_path / f"v.{suffix}").write_bytes(image.read_bytes())
    source = open_volumes(tmp_path / "v.aa")
    assert isinstance(source, VolumeSource)
    close_twice(source, image)


def test_an_image(image: Path) -> None:
    close_twice(open_stream(FileSource(image), "x"), image)


def test_the_proof_of_a_target(image: Path) -> None:
    with open_target(image, write=False) as target:
        close_twice(ReadBack(target, _MIB), image)


def test_a_proof_that_cannot_go_on_gives_its_number_back_once(
    image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its storage wants reads of another alignment, and its file cannot be opened anew."""
    with open_target(image, write=False) as target:
        proof = ReadBack(target, _MIB)
        if not proof._direct:
            pytest.skip("this filesystem has no O_DIRECT")

        def refused(*_: object) -> int:
            raise OSError(errno.EINVAL, "Invalid argument")

        with monkeypatch.context() as patched:
            # Storage that refuses page-aligned reads is on no machine of ours.
            patched.setattr(os, "preadv", refused)
            proof._node = "/nowhere"
            with pytest.raises(WriteError):
                proof.read(0, 512)
        with every_free_number(image) as numbers:
            proof.close()
            for number in numbers:
                os.fstat(number)
