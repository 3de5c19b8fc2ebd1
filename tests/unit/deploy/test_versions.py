# SPDX-License-Identifier: GPL-3.0-or-later
"""Which version of an image is meant, and that an older one is not slipped to a PC."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest

from oglib import limits
from oglib.deploy.opening import finding, reference
from oglib.deploy.opening import opened as source
from oglib.deploy.opening.memory import Memory
from oglib.deploy.opening.policy import Share
from oglib.deploy.opening.reference import resolve, versioned
from oglib.errors import ImageError, NotFoundError, OgErr, OgError, UsageError
from oglib.image.format.frames import table_bytes
from oglib.image.format.manifest import Manifest
from oglib.image.format.signing import PrivateKey, generate_keypair
from oglib.image.reading.opened import OpenImage
from oglib.settings import Settings
from unit.image.synthetic import make_image, partition, sign_image
from unit.ogrepo.conftest import Repository, folder, repository

__all__ = ["folder", "repository"]

SOURCES = {version: partition(seed=version, mib=5) for version in (1, 2)}


def publish(repository: Repository, version: int, name: str = "debian") -> bytes:
    """The next version as a repository shows it; the one before steps aside as ``.ant``."""
    path = make_image(SOURCES[version], repository.folder.images, name)
    sign_image(path, PrivateKey.load(repository.folder.image_key), version)
    return path.read_bytes()


def settings_of(repository: Repository, **more: tuple[str, ...]) -> Settings:
    return Settings(
        repository=f"127.0.0.1:{repository.port}",
        keys_dir=repository.folder.keys,
        allow_unsigned=more.get("allow_unsigned", ()),
    )


@pytest.fixture
def both(repository: Repository) -> dict[int, bytes]:
    """Version 2 is shown, version 1 is aside."""
    return {version: publish(repository, version) for version in (1, 2)}


def opened_version(text: str, settings: Settings, memory: Memory | None = None) -> int:
    with source.opened(text, settings, memory) as image:
        assert isinstance(image, OpenImage)
        assert image.signed_by
        image.source.read(0, image.source.size_bytes)
        return image.manifest.version


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("debian", ("debian", 0)),
        ("debian@3", ("debian", 3)),
        ("lab/debian@12", ("lab/debian", 12)),
        ("./debian.img@3", ("./debian.img", 3)),
        ("http://h/images/debian@3", ("http://h/images/debian", 3)),
        ("http://h:80/images/debian.img@3", ("http://h:80/images/debian.img", 3)),
        ("http://user@3", ("http://user@3", 0)),
        ("debian@", ("debian@", 0)),
        ("debian@0", ("debian@0", 0)),
        ("debian@03", ("debian@03", 0)),
        ("debian@-1", ("debian@-1", 0)),
        ("debian@x", ("debian@x", 0)),
        ("@3", ("@3", 0)),
        ("debian@1234567890123456789", ("debian@1234567890123456789", 0)),
    ],
)
def test_how_a_version_is_written(text: str, told: tuple[str, int]) -> None:
    assert versioned(text) == told


def test_a_file_may_be_called_so_itself(tmp_path: Path) -> None:
    path = tmp_path / "a.img@3"
    path.touch()
    assert versioned(str(path)) == (str(path), 0)


@pytest.mark.parametrize("text", ["debian@", "debian@x", "debian@1@2", "a@b"])
def test_what_is_no_version_is_no_name_either(text: str) -> None:
    with pytest.raises(UsageError):
        resolve(text, Settings(repository="h"))


@pytest.mark.parametrize(
    "form", ["debian@{}", "{base}/images/debian.img@{}", "{folder}/debian.img@{}"]
)
def test_a_version_is_restored_by_its_number(
    repository: Repository, both: dict[int, bytes], form: str
) -> None:
    settings = settings_of(repository)
    for version, content in both.items():
        text = form.format(version, base=repository.base, folder=repository.folder.images)
        assert opened_version(text, settings) == version
        with source.opened(text, settings) as image:
            assert isinstance(image, OpenImage)
            assert image.source.read(0, image.source.size_bytes) == content
            assert image.warnings == ()
    with pytest.raises(NotFoundError, match="no version 3 of the image debian") as caught:
        opened_version(
            form.format(3, base=repository.base, folder=repository.folder.images), settings
        )
    assert caught.value.code is OgErr.NOTFOUND
    assert "version 2 and 1" in caught.value.hint


@pytest.mark.parametrize("form", ["{base}/images/debian.img.ant", "{folder}/debian.img.ant"])
def test_the_version_aside_is_signed_as_it_was(
    repository: Repository, both: dict[int, bytes], form: str
) -> None:
    assert both
    text = form.format(base=repository.base, folder=repository.folder.images)
    assert opened_version(text, settings_of(repository)) == 1
    assert source.described(text, settings_of(repository)).signed


def test_a_version_that_nobody_has_heard_of(repository: Repository) -> None:
    with pytest.raises(NotFoundError, match="no version 3") as caught:
        opened_version("debian@3", settings_of(repository))
    assert "Check the name" in caught.value.hint


def test_a_version_that_is_replaced_meanwhile_is_not_taken_for_the_new_one(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(repository, 1)
    settings = settings_of(repository)
    reference = resolve("debian@1", settings)
    looked = finding.located(reference, settings_of(repository))
    publish(repository, 2)
    monkeypatch.setattr(source, "located", lambda *_: looked)
    with pytest.raises(NotFoundError, match="no version 1"):
        opened_version("debian@1", settings)


# ---- the memory of a PC ----------------------------------------------------------------------


class Kept(dict[str, int]):
    """What a cache would keep."""

    def memory(self) -> Memory:
        return Memory(lambda name: self.get(name, 0), self.__setitem__)


def restored(text: str, settings: Settings, kept: Kept) -> int:
    """As a restore: the image is judged, used, and remembered when it is on the disk."""
    memory = kept.memory()
    version = opened_version(text, settings, memory)
    assert memory.keep() == ()
    return version


def test_an_older_one_is_refused_although_it_is_signed(repository: Repository) -> None:
    kept, settings = Kept(), settings_of(repository)
    first = {path: path.read_bytes() for path in _files(repository, lambda: publish(repository, 1))}
    assert restored("debian", settings, kept) == 1
    publish(repository, 2)
    assert restored("debian", settings, kept) == 2
    assert kept == {"debian": 2}
    for path, content in first.items():  # a server gives what it once had
        path.write_bytes(content)
    with pytest.raises(ImageError, match="is version 1, and this PC had version 2") as caught:
        restored("debian", settings, kept)
    assert "debian@1" in caught.value.hint
    assert kept == {"debian": 2}
    assert restored("debian@1", settings, kept) == 1  # the word for going back
    assert restored("debian", settings, kept) == 1
    assert kept == {"debian": 1}


def _files(repository: Repository, make: Callable[[], object]) -> list[Path]:
    make()
    return [path for path in repository.folder.images.iterdir() if path.is_file()]


def test_what_was_only_looked_at_is_not_remembered(repository: Repository) -> None:
    publish(repository, 1)
    kept = Kept()
    opened_version("debian", settings_of(repository), kept.memory())
    assert kept == {}


def test_what_nobody_signed_teaches_nothing(repository: Repository) -> None:
    path = make_image(SOURCES[1], repository.folder.images, "debian")
    settings = settings_of(repository, allow_unsigned=(f"{repository.base}/",))
    kept = Kept(debian=7)
    memory = kept.memory()
    with source.opened("debian", settings, memory) as image:
        assert image.warnings
    assert memory.keep() == ()
    assert kept == {"debian": 7}
    assert path.is_file()


def test_a_file_of_this_pc_is_its_administrators_choice(
    repository: Repository, both: dict[int, bytes]
) -> None:
    assert both
    kept = Kept(debian=7)
    assert restored(f"{repository.folder.images}/debian.img", settings_of(repository), kept) == 2
    assert kept == {"debian": 7}


def test_a_share_is_the_network_too(
    repository: Repository, both: dict[int, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert both
    share = Share("old:/images", PurePosixPath("debian.img"), is_repository=False)
    monkeypatch.setattr(reference, "share_at", lambda *_: share)
    with pytest.raises(ImageError, match="had version 7"):
        restored(f"{repository.folder.images}/debian.img", settings_of(repository), Kept(debian=7))


def test_a_cache_that_cannot_be_read_is_told_and_stops_nobody(
    repository: Repository, both: dict[int, bytes]
) -> None:
    assert both

    def broken(_: str) -> int:
        raise OgError("The cache is broken.", code=OgErr.CACHE)

    memory = Memory(broken, Kept().__setitem__)
    with source.opened("debian", settings_of(repository), memory) as image:
        assert [warning for warning in image.warnings if "The cache is broken" in warning]


def test_what_cannot_be_kept_is_told_once_and_no_cache_is_nothing_to_tell() -> None:
    def full(_name: str, _version: int) -> None:
        raise OgError("It is full.", code=OgErr.CACHE)

    def none(_name: str, _version: int) -> None:
        raise OgError("This PC has no cache.", code=OgErr.NOTCACHE)

    memory = Memory(lambda _: 0, full)
    assert memory.judge("debian", 3, wanted=False) == ()
    (said,) = memory.keep()
    assert "debian@3" in said
    assert "It is full" in said
    assert memory.keep() == ()
    memory = Memory(lambda _: 0, none)
    memory.judge("debian", 3, wanted=False)
    assert memory.keep() == ()


# ---- the signature first ---------------------------------------------------------------------


def asked_for(repository: Repository) -> set[str]:
    return {line.split()[2].rpartition("/")[2] for line in repository.log if " GET " in line}


def test_without_a_good_signature_nothing_else_is_fetched(repository: Repository) -> None:
    publish(repository, 1)
    stranger = generate_keypair()[0]
    sign_image(repository.folder.images / "debian.img", stranger, 1)
    with pytest.raises(ImageError, match="not accepted here"):
        opened_version("debian", settings_of(repository))
    repository.logged("debian.img.json.sig")
    assert asked_for(repository) == {"debian.img.json", "debian.img.json.sig"}


def test_a_frame_table_of_another_size_is_not_fetched(repository: Repository) -> None:
    publish(repository, 1)
    table = repository.folder.images / "debian.img.frames"
    manifest = Manifest.from_bytes((repository.folder.images / "debian.img.json").read_bytes())
    announced = table_bytes(manifest.frame_count)
    assert table.stat().st_size == announced
    with table.open("r+b") as file:
        file.truncate(1 << 30)
    with pytest.raises(OgError, match=f"has {1 << 30} bytes instead of {announced}"):
        opened_version("debian", settings_of(repository))
    repository.logged("frames")
    assert sum(int(line.split()[5]) for line in repository.log if "frames" in line) <= 1
    with pytest.raises(ImageError, match="is not the one its manifest names"):
        opened_version(f"{repository.folder.images}/debian.img", settings_of(repository))


def test_a_manifest_as_large_as_may_be_published_can_be_fetched(repository: Repository) -> None:
    publish(repository, 1)
    path = repository.folder.images / "debian.img"
    beside = path.with_name("debian.img.json")
    manifest = Manifest.from_bytes(beside.read_bytes())
    room = limits.MANIFEST_BYTES - len(beside.read_bytes()) - 100
    large = replace(manifest, software=("x" * 200,) * (room // 210))
    beside.write_bytes(large.to_bytes())
    assert 3 << 20 < beside.stat().st_size <= limits.MANIFEST_BYTES
    sign_image(path, PrivateKey.load(repository.folder.image_key), 1)
    assert opened_version("debian", settings_of(repository)) == 1
