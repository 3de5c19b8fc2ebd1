# SPDX-License-Identifier: GPL-3.0-or-later
"""What a PC finds of versions that are not shown, and of one that is replaced while it reads."""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from oglib.__main__ import main as og
from oglib.deploy.opening.memory import Memory
from oglib.deploy.opening.opened import opened, opened_frames
from oglib.deploy.whole_disk.image import is_whole, opened_any, opened_whole, whole_info
from oglib.errors import ImageError, NotFoundError, TransferError
from oglib.image.proving.verify import verify
from oglib.image.reading.opened import OpenImage
from oglib.progress import Progress, Silent
from oglib.settings import Settings
from oglib.transfer.http import HttpSource
from oglib.transfer.repository import RepositoryClient
from ogrepo.versions.again import publish_again
from ogrepo.versions.kept import read_kept
from ogrepo.versions.prune import drop_records
from unit.ogrepo.conftest import Repository
from unit.ogrepo.disks import make_disk
from unit.ogrepo.sample import make_sample

QUIET = Progress(Silent())
SAMPLES = [make_sample("lab/debian", regions=5, seed=seed) for seed in range(4)]


def settings_of(repository: Repository) -> Settings:
    return Settings(repository=f"127.0.0.1:{repository.port}", keys_dir=repository.folder.keys)


@pytest.fixture
def settings(repository: Repository, tmp_path: Path) -> Settings:
    """A PC of a repository that has three versions of an image."""
    for sample in SAMPLES[:3]:
        repository.upload(sample, tmp_path)
    return settings_of(repository)


def test_every_version_that_is_kept_is_opened_and_proven(
    repository: Repository, settings: Settings
) -> None:
    # by name, and by the address that a menu may hold
    for text in ("lab/debian", f"{repository.base}/images/lab/debian.img"):
        for version in (1, 2, 3):
            with opened_frames(f"{text}@{version}", settings) as image:
                assert image.manifest.version == version
                wanted = SAMPLES[version - 1].manifest
                assert image.manifest.image_blake3 == wanted.image_blake3
                assert image.signed_by
                verify(image, progress=QUIET)
        with pytest.raises(NotFoundError, match="no version 4"), opened(f"{text}@4", settings):
            pass


def test_the_listing_tells_what_is_kept(repository: Repository, settings: Settings) -> None:
    with RepositoryClient(repository.base) as client:
        assert [one.versions for one in client.listing()] == [(1, 2, 3)]
        folder = repository.folder
        publish_again(folder, read_kept(folder, "lab/debian", 1), "lab/debian", QUIET)
        drop_records(folder, "lab/debian", 2)
        assert [one.versions for one in client.listing()] == [(1, 3, 4)]
    argv = ["image", "list", "--versions", "--repo", settings.repository]
    with redirect_stdout(io.StringIO()) as out:
        assert og(argv) == 0
    assert "v4  @1, @3, @4" in out.getvalue()


def test_the_signature_of_a_kept_version_counts(repository: Repository, settings: Settings) -> None:
    record = repository.folder.version_file("lab/debian", 1, ".json")
    other = repository.folder.version_file("lab/debian", 2, ".json")
    record.write_bytes(other.read_bytes().replace(b'"version": 2', b'"version": 1'))
    with pytest.raises(ImageError), opened("lab/debian@1", settings):
        pass


def test_bytes_of_a_kept_version_that_are_gone_are_told(
    repository: Repository, settings: Settings
) -> None:
    repository.folder.bytes_file(SAMPLES[0].manifest.frames_blake3).unlink()
    with pytest.raises(TransferError), opened("lab/debian@1", settings):
        pass


def test_a_version_that_is_asked_for_may_be_older_than_what_the_pc_had(
    settings: Settings,
) -> None:
    memory = Memory(lambda _: 3, lambda *_: None)
    with opened("lab/debian", settings, memory):
        pass
    with opened("lab/debian@1", settings, memory):
        pass


def test_going_back_is_a_step_forward_for_a_pc(repository: Repository, settings: Settings) -> None:
    memory = Memory(lambda _: 3, lambda *_: None)
    folder = repository.folder
    publish_again(folder, read_kept(folder, "lab/debian", 1), "lab/debian", QUIET)
    with opened("lab/debian", settings, memory) as image:
        assert isinstance(image, OpenImage)
        assert image.manifest.version == 4
        assert image.manifest.image_blake3 == SAMPLES[0].manifest.image_blake3


def test_every_kept_version_of_a_disk_is_opened(repository: Repository, tmp_path: Path) -> None:
    disks = [make_disk("lab/pc", seed=seed) for seed in (1, 4, 7)]
    for disk in disks:
        disk.upload(repository, tmp_path)
    settings = settings_of(repository)
    for version, disk in enumerate(disks, start=1):
        text = f"lab/pc@{version}"
        assert is_whole(text, settings)
        assert whole_info(text, settings).signed
        with opened_whole(text, settings) as whole:
            assert (whole.version, whole.warnings) == (version, ())
            assert [raw for _, raw in whole.gaps] == [b"boot code", b"a gap"]
            for number, sample in disk.samples.items():
                with whole.open_part(number) as image:
                    assert isinstance(image, OpenImage)
                    assert image.signed_by == whole.signed_by
                    assert image.manifest.image_blake3 == sample.manifest.image_blake3
                    verify(image, progress=QUIET)
    with pytest.raises(NotFoundError, match="no version 4"), opened_any("lab/pc@4", settings):
        pass


def test_an_image_that_is_replaced_meanwhile_is_read_to_its_end_as_the_old_version(
    repository: Repository, settings: Settings, tmp_path: Path
) -> None:
    """By its name the repository says that it was replaced; its digest is not another's."""
    wanted = SAMPLES[2]
    size = len(wanted.image)
    with (
        opened_frames("lab/debian", settings) as image,
        HttpSource(f"{repository.base}/images/lab/debian.img", expected_size=size) as named,
    ):
        half = bytearray(image.source.read(0, size // 2))
        assert named.read(0, size // 2) == bytes(half)
        for _ in range(2):  # so that it is not the one before, either
            repository.upload(SAMPLES[3], tmp_path)
        half += image.source.read(len(half), size - len(half))
        assert bytes(half) == wanted.image
        assert image.manifest.version == 3
        verify(image, progress=QUIET)
        with pytest.raises(TransferError, match="replaced"):
            named.read(size // 2, size - size // 2)
    with RepositoryClient(repository.base) as client:
        assert [one.version for one in client.listing()] == [5]
