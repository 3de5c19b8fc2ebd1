# SPDX-License-Identifier: GPL-3.0-or-later
"""A publication that is cut anywhere shows the old version, nothing, or the new one."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

import pytest

from oglib.errors import ImageError, OgErr, OgError
from oglib.image.format.manifest import Manifest, PrivateKey, load_public_keys
from oglib.progress import Progress, Silent
from ogrepo.intake.tokens import Grant
from ogrepo.intake.upload import State, Upload
from ogrepo.intake.uploads import Uploads
from ogrepo.library.disks import find_disk
from ogrepo.library.folder import Folder, held, locked, open_folder
from ogrepo.library.foreign import find_foreign
from ogrepo.library.proving.proofs import known_proof, record_of
from ogrepo.library.proving.rounds import last_proofs
from ogrepo.library.store import find, find_at, last_version, names, next_version, published
from ogrepo.library.verify import verify_published
from unit.ogrepo.conftest import Repository
from unit.ogrepo.sample import Sample, make_sample

QUIET = Progress(Silent())


class PowerCut(BaseException):
    """The process ends here."""


def receive(folder: Folder, sample: Sample, nonce: str) -> tuple[Uploads, Upload]:
    """An upload that is complete but not committed."""
    uploads = Uploads(folder)
    uploads.start()
    upload = uploads.open(Grant(sample.manifest.name, 1 << 40, nonce * 32))
    uploads.file(upload, "image").write_bytes(sample.image)
    uploads.file(upload, "frames").write_bytes(sample.frames)
    uploads.file(upload, "manifest").write_bytes(sample.manifest.to_bytes())
    return uploads, upload


def publish(folder: Folder, sample: Sample, nonce: str) -> None:
    uploads, upload = receive(folder, sample, nonce)
    uploads.commit(upload, QUIET)


def shown(folder: Folder) -> list[int]:
    """The versions listed, each of which must be provable."""
    keys = load_public_keys(folder.keys)
    images = published(folder)
    for image in images:
        verify_published(image, keys, QUIET)
    return [image.manifest.version for image in images]


def test_a_cut_at_every_step_of_a_publication(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = make_sample("debian"), make_sample("debian", seed=2)
    publish(folder, old, "0")
    real = Path.replace
    seen = []
    for cut in range(100):
        steps = 0

        def replace(path: Path, target: Path, cut: int = cut) -> Path:
            nonlocal steps
            if folder.images in (path.parent, target.parent):
                if steps == cut:
                    raise PowerCut
                steps += 1
            return real(path, target)

        uploads, upload = receive(folder, new, f"{cut + 1:x}"[-1])
        (folder.private / "burnt" / upload.grant.nonce).unlink(missing_ok=True)
        monkeypatch.setattr(Path, "replace", replace)
        try:
            uploads.commit(upload, QUIET)
        except PowerCut:
            seen.append(shown(folder))
        else:
            break
        finally:
            monkeypatch.undo()
        before = upload.version
        (line,) = [line for line in Uploads(folder).start() if "Finished" in line]
        assert f"version {before}" in line
        assert shown(folder) == [before]
        assert (folder.images / "debian.img").read_bytes() == new.image
        kept = find_aside(folder)
        assert kept == before - 1
        assert Uploads(folder).start() == []
    assert len(seen) == 14  # seven files put aside, seven placed
    assert [1] in seen
    assert [] in seen


def find_aside(folder: Folder) -> int:
    """The version that was put aside, whole."""
    raw = (folder.images / "debian.img.json.ant").read_bytes()
    for name in ("img", "img.frames", "img.json.sig", "img.sum", "img.full.sum", "img.info"):
        assert (folder.images / f"debian.{name}.ant").exists()
    manifest = Manifest.from_bytes(raw)
    assert (folder.images / "debian.img.ant").stat().st_size == manifest.image_size_bytes
    return manifest.version


def test_a_commit_that_was_cut_before_publishing_starts_again(folder: Folder) -> None:
    uploads, upload = receive(folder, make_sample("debian"), "0")
    key = folder.image_key.read_bytes()
    folder.image_key.write_text("damaged")
    with pytest.raises(OgError, match="signing key is damaged"):
        uploads.commit(upload, QUIET)
    assert upload.state is State.RECEIVING
    folder.image_key.write_bytes(key)
    again = Uploads(folder)
    again.start()
    (upload,) = again.list()
    again.commit(upload, QUIET)
    assert shown(folder) == [1]


@pytest.mark.parametrize(
    "breakage", ["img", "img.frames", "img.json", "short", "renamed", "not json"]
)
def test_what_is_not_whole_is_not_listed(folder: Folder, breakage: str) -> None:
    publish(folder, make_sample("debian"), "0")
    if breakage == "short":
        with (folder.images / "debian.img").open("r+b") as file:
            file.truncate(1000)
    elif breakage == "renamed":
        for path in list(folder.images.iterdir()):
            path.rename(path.with_name(path.name.replace("debian", "fedora")))
    elif breakage == "not json":
        (folder.images / "debian.img.json").write_text("{}")
    else:
        (folder.images / f"debian.{breakage}").unlink()
    assert published(folder) == []


@pytest.mark.parametrize("suffix", [".img.json", ".img.json.sig", ".img.foreign.json"])
@pytest.mark.parametrize("kind", ["pipe", "folder", "device"])
def test_what_is_no_file_is_not_waited_for_and_hides_nothing_else(
    folder: Folder, kind: str, suffix: str
) -> None:
    good = make_sample("good")
    publish(folder, good, "0")
    publish(folder, make_sample("other", seed=2), "1")
    path = folder.image_file("other", suffix)
    path.unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to("/dev/zero")
    opened = len(list(Path("/proc/self/fd").iterdir()))
    shown = {one.name for one in published(folder)}
    assert "good" in shown
    assert ("other" in shown) is (suffix == ".img.foreign.json")
    with pytest.raises(ImageError, match="no plain file"):
        find_foreign(folder, "other", []) if "foreign" in suffix else find(folder, "other", [])
    assert last_version(folder, "other") == 1
    assert set(dict(last_proofs(folder)).values()) == {None}
    os.mkfifo(record_of(folder, "other"))
    told = known_proof(folder, "other", b"")
    assert told is not None
    assert "no plain file" in told.why
    assert len(list(Path("/proc/self/fd").iterdir())) == opened


def test_a_foreign_or_missing_signature_is_seen(folder: Folder) -> None:
    publish(folder, make_sample("debian"), "0")
    keys = load_public_keys(folder.keys)
    assert find(folder, "debian", keys).key_id == keys[0].key_id
    assert find(folder, "debian", []).key_id == ""
    signature = folder.images / "debian.img.json.sig"
    signature.write_bytes(b"nonsense")
    assert find(folder, "debian", keys).key_id == ""
    signature.unlink()
    image = find(folder, "debian", keys)
    assert image.key_id == ""
    with pytest.raises(OgError, match="not signed"):
        verify_published(image, keys, QUIET)


def test_versions_only_grow(folder: Folder) -> None:
    assert [next_version(folder, "a") for _ in range(3)] == [1, 2, 3]
    assert next_version(folder, "a/b") == 1


def test_names_come_from_folders_too(folder: Folder) -> None:
    (folder.images / "lab").mkdir()
    for name in ("b", "lab/a"):
        (folder.images / f"{name}.img.json").write_text("")
    assert names(folder) == ["b", "lab/a"]


def test_a_held_lock_is_named_and_not_waited_for(folder: Folder) -> None:
    with (folder.private / "locks" / "debian").open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with (
            pytest.raises(OgError, match="in use") as caught,
            locked(folder, "debian", what="The image debian"),
        ):
            pass
        assert caught.value.code is OgErr.LOCKED
        uploads, upload = receive(folder, make_sample("debian"), "0")
        with pytest.raises(OgError, match="in use"):
            uploads.commit(upload, QUIET)
        assert shown(folder) == []
    uploads.commit(upload, QUIET)
    assert shown(folder) == [1]


def test_a_folder_that_lies_open_is_refused(folder: Folder) -> None:
    folder.private.chmod(0o750)
    with pytest.raises(OgError, match="read by other users") as caught:
        open_folder(folder.root)
    assert "chmod 0700" in caught.value.hint


def test_the_key_of_the_folder_signs(folder: Folder) -> None:
    (key,) = load_public_keys(folder.keys)
    assert PrivateKey.load(folder.image_key).public.key_id == key.key_id
    assert key.comment == "a test"


def test_an_upload_that_cannot_be_read_now_is_left_and_no_image_is_absent(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, upload = receive(folder, make_sample("debian"), "0")

    def refused(*_: object, **__: object) -> bytes:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    with monkeypatch.context() as patched:
        patched.setattr(Path, "read_bytes", refused)
        (line,) = Uploads(folder).start()
        assert line == f"Left {upload.id} as it is, it cannot be read: Too many open files."
        patched.setattr(os, "open", refused)
        with pytest.raises(ImageError, match="Too many open files"):
            find_at(folder.images / "debian", "debian", [])
        with pytest.raises(ImageError, match="Too many open files"):
            find_disk(folder, "debian", [])
    again = Uploads(folder)
    assert again.start() == []
    assert [one.id for one in again.list()] == [upload.id]


@pytest.mark.parametrize(
    "name", ["serve", "bytes", "staged", "pins", "verify", "image.key", "token.secret"]
)
def test_an_image_may_be_called_as_what_is_locked_here(
    repository: Repository, tmp_path: Path, name: str
) -> None:
    with held(repository.folder, "serve", what="The server"):
        assert repository.upload(make_sample(name), tmp_path).version == 1
