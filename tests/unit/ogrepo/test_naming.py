# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever a file is called, its image gets a name that this repository takes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ogrepo.arriving.naming import alias, bare, free_name, is_beside, is_under_way
from ogrepo.library.folder import checked_name

ODD = st.text(st.characters(codec=None) | st.sampled_from("./-_ áñÜ\udcff\0\n.img"), max_size=300)


@given(ODD)
def test_every_name_has_an_alias_that_is_taken_and_stays(name: str) -> None:
    found = alias(name)
    assert checked_name(found) == found
    assert alias(found) == found


@given(st.lists(ODD, max_size=12))
def test_no_two_images_share_a_name(names: list[str]) -> None:
    taken: set[str] = set()
    for name in names:
        free = free_name(alias(name), taken)
        assert free not in taken
        checked_name(free)
        taken.add(free)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("debian-13", "debian-13"),
        ("Windows 7 años", "Windows-7-anos"),
        (".oculta", "oculta"),
        ("Aula Única/Diseño Gráfico (2024)", "Aula-Unica/Diseno-Grafico-2024"),
        ("a..b", "a..b"),
        ("a..b ", "a.b"),
        ("x.img.old", "x-img.old"),
        ("--", "image"),
        ("日本", "image"),
        ("a/../b", "a/b"),
        ("3.json", "image-17dca90547fb"),
    ],
)
def test_the_alias_is_what_a_person_would_choose(name: str, wanted: str) -> None:
    assert alias(name) == wanted


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("debian.img", "debian"),
        ("debian.IMG", "debian"),
        ("debian.img.gz", "debian"),
        ("debian.img.aa", "debian"),
        ("debian.img.000", "debian"),
        ("debian.img.zst.aaa", "debian"),
        ("disk.dsk", "disk"),
        ("plain", "plain"),
        ("v1.2", "v1.2"),
        ("a.b.img", "a.b"),
        (".img", ""),
    ],
)
def test_what_says_image_is_no_part_of_the_name(name: str, wanted: str) -> None:
    assert bare(name) == wanted


@pytest.mark.parametrize(
    "name",
    [
        "a.img.part", "a.img.filepart", "a.img.tmp", "a.img.bf", "a.img.bfog", "a.img.lock",
        "a.img.PART", ".a.img.Xy12Ab", "a.img~", "a.img.crdownload", ".nfs000123",
    ],
)  # fmt: skip
def test_files_under_way_are_known(name: str) -> None:
    assert is_under_way(name)


@pytest.mark.parametrize("name", ["a.img", "a.img.gz", "a.img.aa", "part", "lock.img", ".a.img"])
def test_others_are_not_taken_for_such(name: str) -> None:
    assert not is_under_way(name)
    assert not is_beside(name)


@pytest.mark.parametrize("name", ["a.img.sum", "a.img.torrent", "a.img.ant", "a.img.json"])
def test_what_lies_beside_an_image_is_none(name: str) -> None:
    assert is_beside(name)
