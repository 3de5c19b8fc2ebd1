# SPDX-License-Identifier: GPL-3.0-or-later
"""A repository without its private key: images wait, are signed elsewhere, and only then shown."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from oglib import durable
from oglib.errors import OgErr, OgError, UsageError
from oglib.image.format.manifest import Manifest, PrivateKey, generate_keypair, sign
from oglib.transfer.upload import PublishedImage
from ogrepo.__main__ import main
from ogrepo.intake.upload import State
from ogrepo.intake.uploads import Uploads
from ogrepo.library.folder import Folder
from ogrepo.library.waiting import publish_signed
from ogrepo.serving import signing
from unit.ogrepo.conftest import Repository
from unit.ogrepo.disks import make_disk
from unit.ogrepo.sample import make_sample

SAMPLE = make_sample("lab/debian", seed=31)
NEXT = make_sample("lab/debian", seed=32)
DISK = make_disk("room/disk-a", seed=33)
RSYNC = shutil.which("rsync")


@pytest.fixture
def key(folder: Folder, tmp_path: Path) -> Path:
    """The private half, on a machine of its own."""
    path = tmp_path / "signer.key"
    folder.image_key.rename(path)
    return path


@pytest.fixture
def waits(
    key: Path, folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Repository]:
    """A repository with an image and a disk that wait; nothing publishes by itself."""
    assert key.exists()
    assert not folder.image_key.exists()
    monkeypatch.setattr(signing, "_EVERY_S", 1e6)
    served = Repository(folder)
    try:
        told = served.upload(SAMPLE, tmp_path)
        assert told == PublishedImage("lab/debian", 1, waits=True)
        assert "no PC gets it before" in told.warnings()[0]
        assert DISK.upload(served, tmp_path) == PublishedImage("room/disk-a", 1, waits=True)
        yield served
    finally:
        served.close()


def shown(root: Path, capsys: pytest.CaptureFixture[str]) -> tuple[list[str], list[str]]:
    """What is listed, and what is listed as waiting."""
    capsys.readouterr()
    assert main(["list", str(root), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    return [one["name"] for one in told["images"]], [one["name"] for one in told["waiting"]]


def signed(folder: Path, key: Path, *more: str) -> int:
    return main(["sign", str(folder), *more, "--key", str(key)])


def test_what_is_not_signed_waits_and_is_shown_to_nobody(
    waits: Repository, key: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    root = waits.folder.root
    assert shown(root, capsys) == ([], ["lab/debian", "room/disk-a"])
    assert main(["list", str(root)]) == 0
    assert "lab/debian version 1 waits for a signature" in capsys.readouterr().out
    assert waits.ask("GET", "/images/lab/debian.img.json").status == 404
    assert waits.ask("GET", f"/bytes/{SAMPLE.manifest.image_blake3}").status == 404
    assert json.loads(waits.ask("GET", "/images/?format=json").body)["images"] == []
    assert waits.ask("GET", "/private/waiting/").status == 404
    assert publish_signed(waits.folder) == []
    # The token was used, and the number is never given again.
    waits.stop()
    waits.start()
    assert shown(root, capsys) == ([], ["lab/debian", "room/disk-a"])
    assert waits.upload(NEXT, tmp_path).version == 2
    assert signed(root, key) == 0
    assert capsys.readouterr().out.count(": signed by ") == 3
    said = publish_signed(waits.folder)
    assert [line.partition(",")[0] for line in said] == [
        "Published lab/debian version 1", "Published lab/debian version 2",
        "Published room/disk-a version 1",
    ]  # fmt: skip
    assert shown(root, capsys) == (["lab/debian", "room/disk-a"], [])
    assert main(["verify", str(root)]) == 0
    assert waits.ask("GET", f"/bytes/{SAMPLE.manifest.image_blake3}").body == SAMPLE.image
    assert publish_signed(waits.folder) == []


def test_it_is_signed_on_another_machine_and_the_manifests_alone_come_back(
    waits: Repository, key: Path, tmp_path: Path
) -> None:
    if RSYNC is None:
        pytest.skip("rsync is not installed")
    here, there = waits.folder.waiting, tmp_path / "signer"
    subprocess.run([RSYNC, "-a", f"{here}/", f"{there}/"], check=True, timeout=60)
    before = {path: path.read_bytes() for path in here.rglob("*") if path.is_file()}
    assert signed(there, key) == 0
    assert signed(there, key) == 0
    back = ["--include=*/", "--include=*.json", "--include=*.json.sig", "--exclude=*"]
    subprocess.run([RSYNC, "-a", *back, f"{there}/", f"{here}/"], check=True, timeout=60)
    changed = {path.name for path in here.rglob("*")
               if path.is_file() and path.read_bytes() != before.get(path)}  # fmt: skip
    assert changed == {"img.json", "img.json.sig", "disk.json", "disk.json.sig", "p1.img.json",
                       "p1.img.json.sig", "p2.img.json", "p2.img.json.sig"}  # fmt: skip
    # The server that runs sees it.
    waits.stop()
    waits.start()
    waits.logged("Published lab/debian version 1, signed by")
    waits.logged("Published room/disk-a version 1, signed by")
    assert main(["verify", str(waits.folder.root)]) == 0


def test_damaged_bytes_are_not_signed(
    waits: Repository, key: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    copy = tmp_path / "signer"
    shutil.copytree(waits.folder.waiting, copy)
    for image in (copy / "lab%2Fdebian%401/img", copy / "room%2Fdisk-a%401/whole/p2.img"):
        data = bytearray(image.read_bytes())
        data[len(data) // 2] ^= 1
        image.write_bytes(data)
    capsys.readouterr()
    assert signed(copy, key) == OgErr.IMAGE
    assert capsys.readouterr().out.count("NOT signed") == 2
    assert not list(copy.rglob("*.sig"))


@pytest.mark.usefixtures("waits")
def test_what_comes_back_says_what_was_proven(
    key: Path, folder: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another's key, or another text under the right key, is not published."""
    entry = folder.waiting / "lab%2Fdebian%401"
    stranger = folder.root.parent / "stranger.key"
    generate_keypair()[0].save(stranger)
    assert signed(folder.waiting, stranger, "lab/debian") == 0
    (said,) = publish_signed(folder)
    assert "which is not accepted here" in said
    assert shown(folder.root, capsys)[0] == []
    private = PrivateKey.load(key)
    other = Manifest.from_bytes((entry / "img.json").read_bytes())
    other = replace(other, title="Another title", key_id=private.public.key_id)
    (entry / "img.json").write_bytes(other.to_bytes())
    (entry / "img.json.sig").write_bytes(sign(other.to_bytes(), private))
    (said,) = publish_signed(folder)
    assert "it is not what was proven here" in said
    assert shown(folder.root, capsys) == ([], ["lab/debian", "room/disk-a"])


def test_an_older_one_that_is_signed_later_is_kept_and_not_shown(
    waits: Repository, key: Path, folder: Folder, tmp_path: Path
) -> None:
    assert waits.upload(NEXT, tmp_path).version == 2
    aside = tmp_path / "aside"
    for name in ("lab%2Fdebian%401", "room%2Fdisk-a%401"):
        shutil.move(folder.waiting / name, aside / name)
    assert signed(folder.waiting, key) == 0
    assert "Published lab/debian version 2" in publish_signed(folder)[0]
    for name in ("lab%2Fdebian%401", "room%2Fdisk-a%401"):
        shutil.move(aside / name, folder.waiting / name)
    assert signed(folder.waiting, key) == 0
    assert "Kept lab/debian version 1" in publish_signed(folder)[0]
    manifest = Manifest.from_bytes((folder.images / "lab/debian.img.json").read_bytes())
    assert manifest.version == 2
    assert (folder.versions / "lab/debian/1.json.sig").exists()
    assert (folder.bytes / SAMPLE.manifest.image_blake3).read_bytes() == SAMPLE.image


@pytest.mark.usefixtures("waits")
def test_a_signing_that_was_cut_is_done_again(
    key: Path, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut between any two of the small files that it writes."""
    write = durable.write_whole
    for stop in range(6):
        left = [stop]

        def counted(*given: object, left: list[int] = left, **more: object) -> None:
            if not left[0]:
                raise InterruptedError
            left[0] -= 1
            write(*given, **more)  # type: ignore[arg-type]

        with monkeypatch.context() as patch:
            patch.setattr(durable, "write_whole", counted)
            assert signed(folder.waiting, key, "room/disk-a") != 0
        assert publish_signed(folder) == []
    assert signed(folder.waiting, key, "room/disk-a") == 0
    assert "Published room/disk-a version 1" in publish_signed(folder)[0]
    assert main(["verify", str(folder.root), "room/disk-a"]) == 0


def test_an_upload_that_is_cut_before_it_waits_is_finished(
    waits: Repository, folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits.stop()
    published: Callable[..., None] = Uploads._publish

    def cut(*_: object) -> None:
        raise UsageError("It was cut.")

    waits.start()
    monkeypatch.setattr(Uploads, "_publish", cut)
    with pytest.raises(OgError, match="It was cut"):
        waits.upload(NEXT, tmp_path)
    monkeypatch.setattr(Uploads, "_publish", published)
    waits.stop()
    waits.start()
    (upload,) = [one for one in waits.uploads.list() if one.version == 2]
    assert upload.state is State.WAITING
    assert (folder.waiting / "lab%2Fdebian%402/img").read_bytes() == NEXT.image


def test_the_public_half_alone_is_never_replaced(
    key: Path, folder: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (folder.keys / "image.pub").read_bytes()
    assert main(["keygen", str(folder.root)]) == OgErr.LOCKED
    assert "signed on another machine" in " ".join(capsys.readouterr().err.split())
    assert (folder.keys / "image.pub").read_bytes() == before
    key.chmod(0o644)
    assert signed(folder.waiting, key) != 0
    assert "can be read by other users" in capsys.readouterr().err


def test_an_append_only_copy_never_loses_a_version(repository: Repository, tmp_path: Path) -> None:
    """As the guide says it: what was copied once is not written again, whatever the source does."""
    if RSYNC is None:
        pytest.skip("rsync is not installed")
    root, copy = repository.folder.root, tmp_path / "copy"
    argv = [RSYNC, "--archive", "--hard-links", "--ignore-existing", "--exclude=.*",
            f"{root}/bytes", f"{root}/versions", f"{root}/keys", f"{copy}/"]  # fmt: skip
    repository.upload(SAMPLE, tmp_path)
    subprocess.run(argv, check=True, timeout=60)
    first = {path.relative_to(copy): path.read_bytes() for path in copy.rglob("*")
             if path.is_file()}  # fmt: skip
    # Somebody changes what is there, and throws the rest away.
    for path in (root / "versions").rglob("*.json"):
        path.write_bytes(b"{}")
    (root / "bytes" / SAMPLE.manifest.image_blake3).unlink()
    (root / "bytes" / SAMPLE.manifest.frames_blake3).write_bytes(b"spoiled")
    subprocess.run(argv, check=True, timeout=60)
    assert {path.relative_to(copy): path.read_bytes() for path in copy.rglob("*")
            if path.is_file()} == first  # fmt: skip
    assert Path(f"bytes/{SAMPLE.manifest.image_blake3}") in first
    assert Path("versions/lab/debian/1.json.sig") in first
    # And it is a place to take the bytes from.
    (root / "images/lab/debian.img").unlink()
    (root / "bytes" / SAMPLE.manifest.frames_blake3).unlink()
    (root / "images/lab/debian.img.frames").unlink()
    shutil.copy(copy / "versions/lab/debian/1.json", root / "images/lab/debian.img.json")
    assert main(["fill", str(root), str(copy)]) == 0
    assert main(["verify", str(root)]) == 0
