# SPDX-License-Identifier: GPL-3.0-or-later
"""``og image info``: what an image of our own says of itself, and a foreign one as before."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from oglib.cli import parser
from oglib.cli.context import Context, Handler, Result
from oglib.image.format.manifest import Manifest, SourceInfo
from oglib.image.format.signing import generate_keypair
from oglib.settings import Settings
from oglib.views.output import as_json
from quiet import QUIET
from unit.image.synthetic import make_image, partition, sign_image

_COMMON = [
    "tool", "compressor", "filesystem", "block_size", "total_blocks", "used_blocks",
    "required_bytes", "checksum", "volumes", "frames", "signed", "damage",
]  # fmt: skip
_OWN = ["name", "version", "title", "comment", "os", "hostname", "created", "signed_by"]
_TOLD = {
    "title": "Lab PCs, autumn",
    "comment": "GIMP was added.\n\nAsk Eva before changing it.",
    "source": SourceInfo("lab-07", "Debian GNU/Linux 13"),
}


def info_of(path: Path, keys: Path) -> Result:
    args = parser("image").parse_args(["image", "info", str(path)])
    handler: Handler = args.handler
    return handler(Context(args, Settings(keys_dir=keys), QUIET))


def as_object(result: Result) -> dict[str, object]:
    told = json.loads(as_json(result.data))
    assert isinstance(told, dict)
    return told


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """An image of our own whose manifest says all it can, unsigned."""
    path = make_image(partition(mib=2), tmp_path, "lab")
    beside = path.with_name("lab.img.json")
    manifest = Manifest.from_bytes(beside.read_bytes())
    beside.write_bytes(replace(manifest, **_TOLD).to_bytes())  # type: ignore[arg-type]
    return path


def test_a_signed_image_of_our_own(image: Path, tmp_path: Path) -> None:
    (key, public), keys = generate_keypair(), tmp_path / "keys"
    keys.mkdir()
    (keys / "image.pub").write_text(public.to_line())
    sign_image(image, key, version=3)
    created = Manifest.from_bytes(image.with_name("lab.img.json").read_bytes()).created

    result = info_of(image, keys)
    told = as_object(result)
    assert list(told) == [*_COMMON, *_OWN]
    assert [told[each] for each in _OWN] == [
        "lab", 3, _TOLD["title"], _TOLD["comment"], "Debian GNU/Linux 13", "lab-07", created,
        public.key_id,
    ]  # fmt: skip
    assert (told["tool"], told["compressor"], told["signed"]) == ("partclone", "zstd", True)
    rows = dict(line.split(maxsplit=1) for line in result.text.splitlines())
    assert rows["image"] == "lab version 3"
    assert rows["title"] == _TOLD["title"]
    assert rows["system"] == "Debian GNU/Linux 13"
    assert rows["comment"] == "GIMP was added."
    assert "\n            Ask Eva before changing it.\n" in result.text
    assert rows["captured"] == f"{created} on lab-07"
    assert rows["signed"] == f"by   key {public.key_id}"
    assert result.status == 0


def test_one_that_nobody_signed(image: Path, tmp_path: Path) -> None:
    result = info_of(image, tmp_path / "none")
    told = as_object(result)
    assert (told["signed"], told["signed_by"], told["version"]) == (False, "", 0)
    assert "signed by   nobody" in result.text
    assert "image       lab\n" in result.text


def test_a_signature_that_nobody_here_can_check_names_no_signer(
    image: Path, tmp_path: Path
) -> None:
    key, _ = generate_keypair()
    sign_image(image, key)
    result = info_of(image, tmp_path / "none")
    assert as_object(result)["signed_by"] == ""
    assert key.public.key_id not in result.text


def test_a_foreign_image_has_the_common_answer_alone(tmp_path: Path) -> None:
    path = tmp_path / "old.img"
    path.write_bytes(partition(mib=2).stream())
    result = info_of(path, tmp_path / "none")
    assert list(as_object(result)) == _COMMON
    words = [line.split()[0] for line in result.text.splitlines()]
    assert words == [
        "kind", "filesystem", "blocks", "needs", "checksum", "volumes", "signed", "damage"
    ]  # fmt: skip


def test_a_damaged_one_of_our_own_has_the_common_answer_alone(image: Path, tmp_path: Path) -> None:
    image.with_name("lab.img.frames").write_bytes(b"no")
    result = info_of(image, tmp_path / "none")
    told = as_object(result)
    assert list(told) == _COMMON
    assert told["damage"]
    assert result.status != 0
