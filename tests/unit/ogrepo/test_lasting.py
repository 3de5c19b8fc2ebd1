# SPDX-License-Identifier: GPL-3.0-or-later
"""Bytes that have an address for ever, and the manifests of every version that was published."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from blake3 import blake3

from oglib.errors import UsageError
from oglib.image.format.disk_manifest import DiskManifest
from oglib.image.format.manifest import Manifest, load_public_keys, verify_signature
from ogrepo.library.folder import Folder, checked_name, open_folder
from ogrepo.library.linking import link_all
from unit.ogrepo.conftest import Repository
from unit.ogrepo.disks import make_disk
from unit.ogrepo.sample import make_sample

FOR_EVER = "public, max-age=31536000, immutable"


def digests(folder: Folder) -> set[str]:
    """The names in bytes/, each of which is the digest of what it holds."""
    found = {path.name: path for path in folder.bytes.iterdir()}
    for name, path in found.items():
        assert blake3(path.read_bytes()).hexdigest() == name
    return set(found)


def test_bytes_are_served_by_their_digest_and_may_be_kept_for_ever(
    repository: Repository, tmp_path: Path
) -> None:
    sample = make_sample("lab/debian")
    repository.upload(sample, tmp_path)
    digest = sample.manifest.image_blake3
    assert digests(repository.folder) == {digest, sample.manifest.frames_blake3}
    for path, body in (
        (f"/bytes/{digest}", sample.image),
        (f"/bytes/{sample.manifest.frames_blake3}", sample.frames),
    ):
        answer = repository.ask("GET", path)
        assert (answer.status, answer.body) == (200, body)
        assert answer.headers["etag"] == f'"{path.rpartition("/")[2]}"'
        assert answer.headers["cache-control"] == FOR_EVER
        assert answer.headers["content-type"] == "application/octet-stream"
    # the long way, and then the short one
    for _ in range(2):
        answer = repository.ask("GET", f"/bytes/{digest}", range="bytes=100-299")
        assert (answer.status, answer.body) == (206, sample.image[100:300])
        assert answer.headers["cache-control"] == FOR_EVER
    same = repository.ask("GET", f"/bytes/{digest}", if_none_match=f'"{digest}"')
    assert (same.status, same.headers["cache-control"]) == (304, FOR_EVER)
    answer = repository.ask("GET", f"/bytes/{digest}", range="bytes=0-9", if_range=f'"{digest}"')
    assert answer.body == sample.image[:10]


def test_a_name_that_gets_other_content_is_asked_for_each_time(
    repository: Repository, tmp_path: Path
) -> None:
    repository.upload(make_sample("debian"), tmp_path)
    for suffix in (".img", ".img.json", ".img.json.sig"):
        answer = repository.ask("GET", f"/images/debian{suffix}")
        assert answer.headers["cache-control"] == "no-cache"
        assert (
            answer.headers["etag"]
            == repository.ask("HEAD", f"/images/debian{suffix}").headers["etag"]
        )


def test_what_is_no_digest_is_not_there_and_bytes_are_not_listed(
    repository: Repository, tmp_path: Path
) -> None:
    repository.upload(make_sample("debian"), tmp_path)
    (repository.folder.bytes / "notes").write_text("x")
    for path in ("notes", "0" * 64, "a/b", ".0.part"):
        answer = repository.ask("GET", f"/bytes/{path}")
        assert answer.status == 404
        assert "cache-control" not in answer.headers
    assert repository.ask("GET", "/bytes/").status == 403
    assert repository.ask("GET", "/").status == 200
    entries = repository.ask("GET", "/versions/debian/?format=json").json()["entries"]
    assert {"1.json", "1.json.sig"} < set(entries)  # type: ignore[call-overload]


def test_every_version_stays_under_its_number(repository: Repository, tmp_path: Path) -> None:
    samples = [make_sample("debian", seed=seed) for seed in (1, 2, 3, 4)]
    keys = load_public_keys(repository.folder.keys)
    for sample in samples:
        repository.upload(sample, tmp_path)
    for number, sample in enumerate(samples, start=1):
        answer = repository.ask("GET", f"/versions/debian/{number}.json")
        manifest = Manifest.from_bytes(answer.body)
        assert (manifest.version, manifest.image_blake3) == (number, sample.manifest.image_blake3)
        assert answer.headers["cache-control"] == FOR_EVER
        assert answer.headers["etag"] == f'"{blake3(answer.body).hexdigest()}"'
        signature = repository.ask("GET", f"/versions/debian/{number}.json.sig").body
        assert verify_signature(answer.body, signature, keys)
        assert repository.ask("GET", f"/bytes/{manifest.image_blake3}").body == sample.image
    assert repository.ask("GET", "/versions/debian/5.json").status == 404
    for suffix in ("", ".ant"):  # no copy is made of anything
        assert (repository.folder.images / f"debian.img{suffix}").stat().st_nlink == 2


def test_the_image_of_a_disk_stays_under_its_number(repository: Repository, tmp_path: Path) -> None:
    first, second = make_disk("lab/pc"), make_disk("lab/pc", seed=5)
    first.upload(repository, tmp_path)
    raw = repository.ask("GET", "/images/lab/pc/disk.json").body
    second.upload(repository, tmp_path)
    assert repository.ask("GET", "/versions/lab/pc/1.disk.json").body == raw
    assert repository.ask("GET", "/versions/lab/pc/1.disk.gaps").body == first.gaps
    disk = DiskManifest.from_bytes(raw)
    for part in disk.images:
        about = repository.ask("GET", f"/bytes/{part.manifest_blake3}").body
        assert about == repository.ask("GET", f"/versions/lab/pc/1.p{part.number}.json").body
        digest = Manifest.from_bytes(about).image_blake3
        assert repository.ask("GET", f"/bytes/{digest}").body == first.samples[part.number].image


def test_a_folder_of_before_gets_lasting_names_by_links(
    repository: Repository, tmp_path: Path
) -> None:
    folder = repository.folder
    for seed in (1, 2):
        repository.upload(make_sample("debian", seed=seed), tmp_path)
        make_disk("pc", seed=seed).upload(repository, tmp_path)
    wanted = digests(folder)
    records = {path.relative_to(folder.versions) for path in folder.versions.rglob("*.*")}
    shutil.rmtree(folder.bytes)
    shutil.rmtree(folder.versions)
    (folder.images / "unsigned.img.json").write_bytes(make_sample("unsigned").manifest.to_bytes())
    (folder.images / "broken.img.json").write_bytes(b"{")
    folder = open_folder(folder.root)
    said = link_all(folder)
    assert said[0] == "Gave 4 versions of images a lasting address."
    assert ["broken.img.json" in line for line in said[1:]] == [True]
    assert digests(folder) == wanted
    assert {path.relative_to(folder.versions) for path in folder.versions.rglob("*.*")} == records
    assert len(link_all(folder)) == 1  # it is all there: the broken one alone is told


def test_proven_bytes_take_the_place_of_others_called_so(
    repository: Repository, tmp_path: Path
) -> None:
    sample = make_sample("debian")
    kept = repository.folder.bytes_file(sample.manifest.image_blake3)
    kept.write_bytes(b"not these")
    repository.upload(sample, tmp_path)
    assert kept.read_bytes() == sample.image
    assert kept.samefile(repository.folder.images / "debian.img")


@pytest.mark.parametrize("name", ["debian/3.json", "3.disk.json.sig/x", "a/0.p2.info"])
def test_no_name_looks_like_the_record_of_a_version(name: str) -> None:
    with pytest.raises(UsageError, match="record of a version"):
        checked_name(name)


def test_numbers_go_on_above_those_that_are_kept(repository: Repository, tmp_path: Path) -> None:
    for seed in (1, 2):
        repository.upload(make_sample("debian", seed=seed), tmp_path)
    repository.folder.record("versions", "debian").unlink()
    for path in repository.folder.images.glob("debian.*"):
        path.unlink()
    assert repository.upload(make_sample("debian", seed=3), tmp_path).version == 3
