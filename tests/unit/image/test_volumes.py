# SPDX-License-Identifier: GPL-3.0-or-later
"""Split images: every volume found, in order, and read as one file."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oglib.errors import ImageError, NotFoundError
from oglib.image.reading.volumes import VolumeSource, open_volumes, volumes_of
from unit.image.unpack.compressed import BytesSource


def make(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).write_bytes(name.encode())


def names(found: list[Path]) -> list[str]:
    return [one.name for one in found]


@pytest.mark.parametrize(
    "volumes",
    [
        ["x.img.aa", "x.img.ab", "x.img.ac"],
        ["x.img.aaa", "x.img.aab"],
        ["x.img.aaaa", "x.img.aaab"],
        ["x.img.000", "x.img.001", "x.img.002"],
        ["x.img.00", "x.img.01"],
        [f"x.img.{one}{two}" for one in "ab" for two in "abcdefghijklmnopqrstuvwxyz"],
    ],
)
def test_all_volumes_are_found_from_the_first_or_the_stem(
    tmp_path: Path, volumes: list[str]
) -> None:
    make(tmp_path, *volumes, "x.img.sum", "x.img.ant", "x.img.info", "other.aa")
    assert names(volumes_of(tmp_path / volumes[0])) == volumes
    assert names(volumes_of(tmp_path / "x.img")) == volumes
    with pytest.raises(ImageError, match="not the first volume"):
        volumes_of(tmp_path / volumes[1])


@pytest.mark.parametrize("name", ["x.img", "x.img.aa", "debian.12", "x", "x.000", "x.img.gz"])
def test_a_file_alone_is_one_volume(tmp_path: Path, name: str) -> None:
    make(tmp_path, name, "debian.11")
    assert names(volumes_of(tmp_path / name)) == [name]


def test_a_gap_is_refused(tmp_path: Path) -> None:
    make(tmp_path, "x.aa", "x.ab", "x.ad", "y.000", "y.002")
    for name in ("x.aa", "x", "y.000"):
        with pytest.raises(ImageError, match=r"(x\.ac|y\.001) is missing"):
            volumes_of(tmp_path / name)


def test_fog_gives_the_first_volume_the_name_of_the_image(tmp_path: Path) -> None:
    volumes = ["d1p3.img", "d1p3.img.001", "d1p3.img.002"]
    make(tmp_path, *volumes, "d1p30.img", "d1p4.img", "d1p4.img.002", "x.img", "x.img.001")
    assert names(volumes_of(tmp_path / "d1p3.img")) == volumes
    assert names(volumes_of(tmp_path / "d1p30.img")) == ["d1p30.img"]
    assert names(volumes_of(tmp_path / "x.img")) == ["x.img"]  # nobody but FOG does so
    with pytest.raises(ImageError, match=r"not the first volume") as raised:
        volumes_of(tmp_path / "d1p3.img.001")
    assert "d1p3.img." in raised.value.hint
    with pytest.raises(ImageError, match=r"d1p4\.img\.001 is missing"):
        volumes_of(tmp_path / "d1p4.img")


def test_nothing_is_not_an_image(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        volumes_of(tmp_path / "x.img")


def test_volumes_are_read_as_one_file(tmp_path: Path) -> None:
    make(tmp_path, "x.aa", "x.ab", "x.ac")
    source = open_volumes(tmp_path / "x.aa")
    assert source.read(0, source.size_bytes) == b"x.aax.abx.ac"
    assert source.describe() == f"{tmp_path / 'x.aa'} and 2 more volumes"
    source.close()


@given(
    st.lists(st.binary(max_size=5), max_size=6),
    st.integers(min_value=0, max_value=30),
    st.integers(min_value=0, max_value=30),
)
def test_any_range_of_any_volumes(parts: list[bytes], offset: int, length: int) -> None:
    whole = b"".join(parts)
    opened = [BytesSource(part) for part in parts]
    source = VolumeSource(opened)
    assert source.size_bytes == len(whole)
    if offset + length <= len(whole):
        assert source.read(offset, length) == whole[offset : offset + length]
    else:
        with pytest.raises(ImageError, match="volume"):
            source.read(offset, length)
    source.close()
    assert all(one.closed for one in opened)
