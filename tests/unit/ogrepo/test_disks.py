# SPDX-License-Identifier: GPL-3.0-or-later
"""The image of a whole disk on its way into the repository and out of it again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from blake3 import blake3

from oglib.deploy.opening.memory import Memory
from oglib.deploy.whole_disk.image import is_whole, opened_whole, whole_info
from oglib.errors import ImageError, NotFoundError, OgError, TransferError
from oglib.image.format.disk_manifest import DiskManifest
from oglib.image.format.manifest import load_public_keys
from oglib.image.reading.opened import OpenImage
from oglib.progress import Progress, Silent
from oglib.settings import Settings
from oglib.transfer.answers import StatusError
from oglib.transfer.disk_upload import DiskUpload
from oglib.transfer.repository import RepositoryClient
from oglib.transfer.upload import PublishedImage
from ogrepo.__main__ import main
from ogrepo.intake.upload import State
from ogrepo.intake.uploads import Uploads
from ogrepo.library.disks import find_disk, verify_disk
from ogrepo.library.store import published
from unit.ogrepo.conftest import Repository
from unit.ogrepo.disks import SampleDisk, make_disk, with_part
from unit.ogrepo.sample import make_sample

DISK = make_disk("room/disk-a")
QUIET = Progress(Silent())


def settings_of(repository: Repository) -> Settings:
    return Settings(repository=f"127.0.0.1:{repository.port}", keys_dir=repository.folder.keys)


def test_a_disk_is_proven_signed_and_shown_as_one(repository: Repository, tmp_path: Path) -> None:
    assert DISK.upload(repository, tmp_path) == PublishedImage("room/disk-a", 1)
    keys = load_public_keys(repository.folder.keys)
    disk = find_disk(repository.folder, "room/disk-a", keys)
    assert disk.key_id == disk.manifest.key_id == keys[0].key_id
    assert verify_disk(disk, keys, QUIET) > 0
    assert published(repository.folder) == []
    with RepositoryClient(repository.base) as client:
        (listed,) = client.listing()
        assert (listed.name, listed.version, listed.filesystem) == ("room/disk-a", 1, "disk")
    page = repository.ask("GET", "/images/").body.decode()
    assert 'href="/images/room/disk-a/"' in page
    there = {path.name for path in disk.path.iterdir()}
    assert there == {"disk.json", "disk.json.sig", "disk.gaps"} | {
        f"p{number}.img{suffix}"
        for number in (1, 2)
        for suffix in ("", ".frames", ".json", ".json.sig", ".sum", ".full.sum", ".info")
    }


def test_the_tables_of_the_version_shown_are_found(repository: Repository, tmp_path: Path) -> None:
    for there in (False, True):
        upload = DiskUpload(repository.base, "room/disk-a", repository.token("room/disk-a"))
        found = upload.part(2).frames_before(tmp_path)
        upload.abort()
        if not there:
            assert found is None
            DISK.upload(repository, tmp_path)
            continue
        assert found is not None
        assert found.read_bytes() == DISK.samples[2].frames


def test_a_pc_opens_it_by_name_with_every_signature(repository: Repository, tmp_path: Path) -> None:
    DISK.upload(repository, tmp_path)
    settings = settings_of(repository)
    assert is_whole("room/disk-a", settings)
    assert not is_whole("room/other", settings)
    assert whole_info("room/disk-a", settings).signed
    with opened_whole("room/disk-a", settings) as whole:
        assert (whole.version, whole.warnings) == (1, ())
        assert [raw for _, raw in whole.gaps] == [b"boot code", b"a gap"]
        with whole.open_part(2) as image:
            assert isinstance(image, OpenImage)
            assert image.signed_by == whole.signed_by
            assert image.manifest.name == "room/disk-a/p2"


def test_the_next_version_replaces_the_whole_folder(repository: Repository, tmp_path: Path) -> None:
    DISK.upload(repository, tmp_path)
    images = repository.folder.images
    first = {path.name: path.read_bytes() for path in (images / "room/disk-a").iterdir()}
    assert make_disk("room/disk-a", seed=5).upload(repository, tmp_path).version == 2
    aside = {path.name: path.read_bytes() for path in (images / "room/disk-a.ant").iterdir()}
    assert aside == first
    with RepositoryClient(repository.base) as client:
        assert [image.version for image in client.listing()] == [2]
    with opened_whole("room/disk-a", settings_of(repository)) as whole:
        assert whole.version == 2
    assert main(["verify", str(repository.folder.root)]) == 0
    assert main(["list", str(repository.folder.root)]) == 0
    settings = settings_of(repository)
    for begin in ("", f"{repository.base}/images/", f"{images}/"):
        for version in (1, 2):
            text = f"{begin}room/disk-a@{version}"
            assert is_whole(text, settings)
            with opened_whole(text, settings) as whole, whole.open_part(2) as image:
                assert (whole.version, whole.name, whole.warnings) == (version, "room/disk-a", ())
                assert isinstance(image, OpenImage)
                assert image.signed_by == whole.signed_by != ""
        with (
            pytest.raises(NotFoundError, match="no version 3") as caught,
            opened_whole(f"{begin}room/disk-a@3", settings),
        ):
            pass
        assert "version 2 and 1" in caught.value.hint


def test_an_older_disk_is_refused_where_a_later_one_was_had(
    repository: Repository, tmp_path: Path
) -> None:
    DISK.upload(repository, tmp_path)
    kept = {"room/disk-a": 4}
    settings = settings_of(repository)

    def memory() -> Memory:
        return Memory(lambda name: kept.get(name, 0), kept.__setitem__)

    with (
        pytest.raises(ImageError, match="is version 1, and this PC had version 4"),
        opened_whole("room/disk-a", settings, memory()),
    ):
        pass
    had = memory()
    with opened_whole("room/disk-a@1", settings, had):
        assert had.keep() == ()
    assert kept == {"room/disk-a": 1}


def refused(disk: SampleDisk, repository: Repository, folder: Path, words: str) -> None:
    with pytest.raises(TransferError, match=words):
        disk.upload(repository, folder)
    assert list(repository.folder.images.rglob("disk.json")) == []


def test_what_does_not_belong_together_is_refused(repository: Repository, tmp_path: Path) -> None:
    other = make_sample("room/disk-a/p2", seed=99)
    swapped = replace(DISK, samples={1: DISK.samples[1], 2: other})
    refused(swapped, repository, tmp_path, "belongs to another disk")
    without = replace(DISK, samples={1: DISK.samples[1]})
    refused(without, repository, tmp_path, "holds no manifest")
    gaps = replace(DISK, gaps=b"x" + DISK.gaps[1:])
    refused(gaps, repository, tmp_path, "disk.gaps of room/disk-a is damaged")
    sample = DISK.samples[2]
    image = bytearray(sample.image)
    image[len(image) // 2] ^= 1
    damaged = replace(DISK, samples={**DISK.samples, 2: replace(sample, image=bytes(image))})
    refused(damaged, repository, tmp_path, "frame|match|damaged")
    named = replace(DISK, manifest=with_part(DISK.manifest, 2, manifest_blake3="0" * 64))
    refused(named, repository, tmp_path, "belongs to another disk")


def test_the_token_of_another_image_is_no_token(repository: Repository, tmp_path: Path) -> None:
    upload = DiskUpload(repository.base, "other", repository.token("other"))
    DISK.send(upload, tmp_path)
    with pytest.raises(TransferError, match="its token for other"):
        upload.finish_disk(DISK.manifest.to_bytes(), DISK.gaps)
    upload.abort()


def test_nothing_is_put_into_the_folder_of_a_disk(repository: Repository, tmp_path: Path) -> None:
    DISK.upload(repository, tmp_path)
    with pytest.raises(StatusError, match="is the image of a disk"):
        repository.upload(make_sample("room/disk-a/p1"), tmp_path)
    repository.upload(make_sample("folder/debian"), tmp_path)
    refused_name = make_disk("folder")
    with pytest.raises(TransferError, match="a folder of other images"):
        refused_name.upload(repository, tmp_path)


def test_a_publication_that_was_cut_is_finished(repository: Repository, tmp_path: Path) -> None:
    upload = DiskUpload(repository.base, "room/disk-a", repository.token("room/disk-a"))
    DISK.send(upload, tmp_path)
    upload.send("gaps", 0, DISK.gaps)
    upload.send("disk", 0, DISK.manifest.to_bytes())
    (waiting,) = repository.uploads.list()
    repository.uploads._prepare(waiting, QUIET)  # up to where the machine stops
    assert waiting.state is State.PUBLISHING
    told = Uploads(repository.folder).start()
    assert told == ["Finished publishing room/disk-a version 1."]
    keys = load_public_keys(repository.folder.keys)
    assert find_disk(repository.folder, "room/disk-a", keys).key_id


def test_a_disk_with_a_part_of_an_older_version_is_not_opened(
    repository: Repository, tmp_path: Path
) -> None:
    """Each part is signed alone too; what binds them is the digest in ``disk.json``."""
    DISK.upload(repository, tmp_path)
    make_disk("room/disk-a", seed=5).upload(repository, tmp_path)
    images = repository.folder.images
    for path in (images / "room/disk-a.ant").glob("p1.img*"):
        path.replace(images / "room/disk-a" / path.name)
    with (
        opened_whole("room/disk-a", settings_of(repository)) as whole,
        pytest.raises(ImageError, match="is not the one that"),
        whole.open_part(1),
    ):
        pass


def test_an_unsigned_disk_needs_the_policy(repository: Repository, tmp_path: Path) -> None:
    DISK.upload(repository, tmp_path)
    (repository.folder.images / "room/disk-a/disk.json.sig").unlink()
    with (
        pytest.raises(ImageError, match="is not signed"),
        opened_whole("room/disk-a", settings_of(repository)),
    ):
        pass
    with (
        pytest.raises(OgError, match="was asked for"),
        opened_whole(_renamed(repository), settings_of(repository)),
    ):
        pass


def _renamed(repository: Repository) -> str:
    images = repository.folder.images
    (images / "room/disk-a").rename(images / "room/disk-b")
    return "room/disk-b"


def test_every_flipped_bit_of_disk_json_is_noticed() -> None:
    raw = DISK.manifest.to_bytes()
    digest = blake3(raw).digest()
    unnoticed = 0
    for at in range(len(raw)):
        flipped = bytearray(raw)
        flipped[at] ^= 1 << at % 8
        try:
            found = DiskManifest.from_bytes(bytes(flipped))
        except ImageError:
            continue
        # a text that reads well is caught by the signature, which covers these exact bytes
        assert blake3(found.to_bytes()).digest() != digest
        unnoticed += found == DISK.manifest
    assert unnoticed == 0
