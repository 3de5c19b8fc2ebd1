# SPDX-License-Identifier: GPL-3.0-or-later
"""Images of our own format in the store: what their manifest says is what decides."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from oglib.cache.model import Proof
from oglib.cache.store import Fill, Store
from oglib.deploy.library.cache import open_store
from oglib.errors import ImageError
from oglib.image.format.signing import generate_keypair
from unit.image.synthetic import make_image, partition, sign_image


@pytest.fixture
def image(tmp_path: Path) -> Path:
    folder = tmp_path / "made"
    folder.mkdir()
    return make_image(partition(mib=6), folder, "debian", full_sum=True)


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    folder = tmp_path / "keys"
    folder.mkdir()
    return folder


@pytest.fixture
def signed(image: Path, keys: Path) -> Path:
    private, public = generate_keypair()
    sign_image(image, private)
    (keys / "site.pub").write_text(public.to_line())
    return image


def copy(image: Path) -> Fill:
    def fill(folder: Path) -> None:
        for path in image.parent.glob(f"{image.name}*"):
            shutil.copyfile(path, folder / path.name)

    return fill


def store_in(tmp_path: Path, keys: Path) -> Store:
    root = tmp_path / "cache"
    root.mkdir()
    store, told = open_store(root, keys)
    assert told == ()
    return store


def test_a_signed_image_is_stored_as_signed(tmp_path: Path, keys: Path, signed: Path) -> None:
    entry = store_in(tmp_path, keys).publish("debian", copy(signed))
    assert entry.proof is Proof.SIGNED
    assert entry.files is not None
    assert set(entry.files) == {
        "debian.img",
        "debian.img.json",
        "debian.img.json.sig",
        "debian.img.frames",
        "debian.img.sum",
        "debian.img.full.sum",
        "debian.img.info",
    }


def test_without_a_signature_the_digests_still_count(
    tmp_path: Path, keys: Path, image: Path
) -> None:
    store = store_in(tmp_path, keys)
    assert store.publish("debian", copy(image)).proof is Proof.DIGESTS


@pytest.mark.parametrize("suffix", ["", ".json", ".frames", ".json.sig"])
def test_one_changed_byte_in_any_file_is_refused(
    tmp_path: Path, keys: Path, signed: Path, suffix: str
) -> None:
    damaged = signed.with_name(signed.name + suffix)
    data = bytearray(damaged.read_bytes())
    data[len(data) // 2] ^= 1
    damaged.write_bytes(data)
    store = store_in(tmp_path, keys)
    with pytest.raises(ImageError):
        store.publish("debian", copy(signed))
    assert store.entries() == ()


def test_an_image_under_another_name_is_refused(tmp_path: Path, keys: Path, signed: Path) -> None:
    store = store_in(tmp_path, keys)

    def fill(folder: Path) -> None:
        for path in signed.parent.glob("debian.img*"):
            shutil.copyfile(path, folder / path.name.replace("debian", "windows"))

    with pytest.raises(ImageError, match="renamed"):
        store.publish("windows", fill)


def test_a_deep_check_adopts_what_an_older_oglive_stored(
    tmp_path: Path, keys: Path, signed: Path
) -> None:
    store = store_in(tmp_path, keys)
    copy(signed)(store.root / "opt/opengnsys/images")
    assert store.entries()[0].proof is Proof.UNPROVEN
    assert store.check(deep=True) == ()
    assert store.entries()[0].proof is Proof.SIGNED
