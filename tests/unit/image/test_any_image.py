# SPDX-License-Identifier: GPL-3.0-or-later
"""Any image is asked the same questions, and only one file asks whether it is one of ours."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from oglib.image.any import ForeignImage, Image, either, own_of
from oglib.image.format.manifest import SourceInfo
from oglib.image.reading.local import local_image
from oglib.progress import Progress, Silent
from unit.image.streams import PartitionStream
from unit.image.synthetic import make_image, partition
from unit.sources import trees

KINDS = {"OpenImage", "ForeignImage", "Stream", "StreamImage"}
OWNER = "oglib/image/any.py"
CONTENT = partition(mib=4)
QUIET = Progress(Silent())


def answers(image: Image) -> dict[str, object]:
    """Every question of the protocol."""
    asked = [name for name in vars(Image) if not name.startswith("_") and name != "close"]
    return {name: getattr(image, name) for name in asked}


def test_ours_answers_from_its_manifest(tmp_path: Path) -> None:
    with local_image(make_image(CONTENT, tmp_path)) as image:
        told = answers(image)
        manifest = image.manifest
        assert told["name"] == told["title"] == manifest.name
        assert told["required_bytes"] == manifest.device_size_bytes
        assert told["filesystem"] == manifest.filesystem.upper()
        assert told["origin"] is manifest.source
        assert image.info.name == manifest.name
        assert told["own_warnings"] == ()
        assert own_of(image) is image
        assert either(image, ours=lambda _: "ours", foreign=lambda _: "foreign") == "ours"


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_foreign_one_answers_from_its_header(wrapped: bool) -> None:
    stream = PartitionStream(CONTENT, warnings=("no checksums",))
    image: Image = ForeignImage(stream, "/x/y", 99, ("unsigned",)) if wrapped else stream
    told = answers(image)
    assert told["version"] == 0
    assert told["signed_by"] == told["firmware"] == ""
    assert told["origin"] == SourceInfo()
    assert told["where"] == ("/x/y" if wrapped else "x")
    assert told["filesystem"] == CONTENT.filesystem.decode().upper()
    assert told["warnings"] == (("unsigned", "no checksums") if wrapped else ("no checksums",))
    assert told["own_warnings"] == ("no checksums",)
    assert own_of(image) is None
    assert either(image, ours=lambda _: "ours", foreign=lambda _: "foreign") == "foreign"


def test_only_what_does_not_say_its_size_is_measured() -> None:
    known = ForeignImage(PartitionStream(CONTENT), "x", 1)
    assert known.sized(QUIET) is known
    unknown = ForeignImage(PartitionStream(CONTENT, known_size=False), "x", 1)
    assert unknown.required_bytes == 0
    assert unknown.sized(QUIET).required_bytes == CONTENT.device_size


def test_nobody_else_asks_whose_format_it_is() -> None:
    asking = []
    for name, tree in trees(saying="isinstance"):
        for node in ast.walk(tree):
            match node:
                case ast.Call(func=ast.Name(id="isinstance"), args=[_, kind]):
                    names = {one.id for one in ast.walk(kind) if isinstance(one, ast.Name)}
                    if names & KINDS and name != OWNER:
                        asking.append(f"{name}:{node.lineno}")
    assert asking == []
