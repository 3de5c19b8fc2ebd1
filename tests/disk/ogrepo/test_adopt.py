# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder of OpenGnsys' images, made by its tools, is served from where it lies to PCs of ours.

A PC asks by name, takes what the repository signed, and restores it; of what was changed since,
nothing that starts is left on its disk.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from disk.image.corpus import run
from oglib.deploy.opening.opened import described
from oglib.deploy.partition import restore
from oglib.errors import ImageError, OgError
from oglib.image.writing.receipt import Receipt
from oglib.settings import Settings
from ogrepo.__main__ import main
from ogrepo.library.folder import Folder, open_folder
from quiet import QUIET
from unit.ogrepo.conftest import Repository

MIB = 1 << 20
SIZE = 16 * MIB


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ext4, its plain partclone image, and a target as partclone itself restores it."""
    work = tmp_path_factory.mktemp("made")
    (work / "files").mkdir()
    for number in range(10):
        (work / "files" / f"f{number}").write_bytes(os.urandom(400_000))
    run("mke2fs", "-q", "-t", "ext4", "-d", work / "files", work / "fs", "16M")
    partclone = ["partclone.extfs", "-c", "-q", "-f", "1", "-L", "/dev/null"]
    run(*partclone, "-s", work / "fs", "-O", work / "plain")
    (work / "theirs").write_bytes(bytes(SIZE))
    restored = ["partclone.restore", "-q", "-L", "/dev/null"]
    run(*restored, "-s", work / "plain", "-O", work / "theirs")
    return work


@pytest.fixture
def images(made: Path, tmp_path: Path) -> Path:
    """What lies in /opt/opengnsys/images of a server that is some years old."""
    folder = tmp_path / "opengnsys" / "images"
    (folder / "Física").mkdir(parents=True)
    plain = made / "plain"
    run("lzop", "-1", "-o", folder / "debian.img", plain)
    for name, packer in {
        "Aula 3 años.img": "gzip",
        ".oculta.img": "zstd",
        "Física/pc.img": "lzop",
    }.items():
        with (folder / name).open("wb") as file:
            subprocess.run([packer, "-1c", plain], stdout=file, check=True)
    raw = (folder / "debian.img").read_bytes()
    (folder / "debian.img.info").write_text("PARTCLONE:LZOP:EXTFS:16384:pc17\n")
    (folder / "debian.img.full.sum").write_text(hashlib.md5(raw, usedforsecurity=False).hexdigest())
    (folder / "debian.img.torrent").write_bytes(b"d8:announce")
    (folder / "copied-half.img").write_bytes(raw[: len(raw) // 2 + 7])
    (folder / "damaged.img").write_bytes(raw)
    (folder / "damaged.img.full.sum").write_text("0" * 32 + "\n")
    (folder / "busy.img").write_bytes(raw)
    (folder / "busy.img.lock").touch()
    (folder / "sync.img").write_bytes((made / "fs").read_bytes())
    (folder / "coming.img.part").write_bytes(raw[:1000])
    (folder / "out.img").symlink_to("/etc/hostname")
    etc = folder.parent / "etc"
    etc.mkdir()
    unit = {"subdir": "Física", "images": [{"name": "pc", "clientname": "pc-fisica"}]}
    (etc / "repoinfo.json").write_text(json.dumps({"images": [], "ous": [unit]}))
    return folder


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Repository]:
    assert main(["keygen", str(tmp_path / "repo")]) == 0
    served = Repository(open_folder(tmp_path / "repo"))
    yield served
    served.close()


def seen(folder: Path) -> list[tuple[object, ...]]:
    """All that a change in the folder would change, but for when it was read."""
    return [
        (path, *path.lstat()[:7], path.lstat().st_mtime_ns, path.lstat().st_ctime_ns)
        for path in sorted((folder, *folder.rglob("*")))
    ]


def adopted(
    folder: Folder, images: Path, capsys: pytest.CaptureFixture[str], *more: str
) -> dict[str, tuple[str, str]]:
    """State and name of each path."""
    capsys.readouterr()
    code = main(["adopt", str(folder.root), str(images), "--json", "--rate", "0", *more])
    told = json.loads(capsys.readouterr().out)["images"]
    assert code == (5 if any(one["state"] == "damaged" for one in told) else 0)
    return {one["path"]: (one["state"], one["name"]) for one in told}


def put_back(name: str, repository: Repository, target: Path) -> Receipt:
    settings = Settings(repository=repository.base, keys_dir=repository.folder.keys)
    request = restore.Request(str(target), None)
    return restore.put_back(name, request, settings=settings, progress=QUIET)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    path = tmp_path / "target"
    path.write_bytes(bytes(SIZE))
    return path


def test_what_is_there_is_told_named_and_served_and_nothing_touched(
    repository: Repository, images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = seen(images)
    wanted = {
        ".oculta.img": ("adopted", "oculta"),
        "Aula 3 años.img": ("adopted", "Aula-3-anos"),
        "Física/pc.img": ("adopted", "Fisica/pc"),
        "busy.img": ("in use", "busy"),
        "copied-half.img": ("damaged", "copied-half"),
        "damaged.img": ("damaged", "damaged"),
        "debian.img": ("adopted", "debian"),
        "out.img": ("left alone", ""),
        "sync.img": ("left alone", ""),
    }
    looked = adopted(repository.folder, images, capsys, "--dry-run")
    assert looked.keys() == wanted.keys()
    assert list(repository.folder.images.iterdir()) == []
    assert adopted(repository.folder, images, capsys) == wanted
    again = adopted(repository.folder, images, capsys)
    served = {path: name for path, (state, name) in wanted.items() if state == "adopted"}
    assert again == wanted | {path: ("as before", name) for path, name in served.items()}
    assert seen(images) == before
    listed = repository.ask("GET", "/images/?format=json").json()["images"]
    hosts = {entry["name"]: entry["hostname"] for entry in listed}  # type: ignore[attr-defined]
    assert hosts == {
        "Aula-3-anos": "", "Fisica/pc": "pc-fisica", "debian": "pc17", "oculta": "",
    }  # fmt: skip
    assert main(["verify", str(repository.folder.root)]) == 0


@pytest.mark.parametrize("name", ["debian", "Aula-3-anos", "oculta", "Fisica/pc"])
def test_a_pc_restores_it_by_its_name_and_needs_no_word_of_the_site(
    repository: Repository, images: Path, made: Path, target: Path, name: str
) -> None:
    assert main(["adopt", str(repository.folder.root), str(images)]) == 5, "some are damaged"
    receipt = put_back(name, repository, target)
    assert target.read_bytes() == (made / "theirs").read_bytes()
    assert (receipt.version, receipt.warnings) == (1, ())
    assert (repository.folder.keys / "image.pub").exists()
    assert receipt.signed_by
    settings = Settings(repository=repository.base, keys_dir=repository.folder.keys)
    assert described(name, settings).signed


def test_without_the_record_nobody_vouches(
    repository: Repository, images: Path, target: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    adopted(repository.folder, images, capsys)
    (repository.folder.images / "debian.img.foreign.json").unlink()
    with pytest.raises(ImageError, match="is not signed"):
        put_back("debian", repository, target)
    assert target.read_bytes() == bytes(SIZE)


def test_another_image_of_that_name_is_refused_before_anything_is_written(
    repository: Repository, images: Path, target: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    adopted(repository.folder, images, capsys)
    with (images / "debian.img").open("ab") as file:
        file.write(b"x")
    with pytest.raises(OgError, match=r"incomplete or another version|the repository signed"):
        put_back("debian", repository, target)
    assert target.read_bytes() == bytes(SIZE)
    listed = repository.ask("GET", "/images/?format=json").json()["images"]
    assert "debian" not in [entry["name"] for entry in listed]  # type: ignore[attr-defined]


def test_bytes_that_changed_behind_the_first_leave_nothing_that_mounts(
    repository: Repository, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """More than what is read ahead: the restore has begun when the wrong byte comes."""
    folder, size = tmp_path / "images", 40 * MIB
    (tmp_path / "files").mkdir()
    folder.mkdir()
    (tmp_path / "files" / "f").write_bytes(os.urandom(30 * MIB))
    run("mke2fs", "-q", "-t", "ext4", "-d", tmp_path / "files", tmp_path / "fs", "40M")
    partclone = ["partclone.extfs", "-c", "-q", "-f", "1", "-L", "/dev/null"]
    run(*partclone, "-s", tmp_path / "fs", "-O", tmp_path / "plain")
    path = folder / "debian.img"
    run("lzop", "-1", "-o", path, tmp_path / "plain")
    adopted(repository.folder, folder, capsys)
    with path.open("r+b") as file:
        file.seek(-1000, os.SEEK_END)
        file.write(b"wrong")
    target = tmp_path / "target"
    target.write_bytes(b"\x55" * size)
    with pytest.raises(ImageError, match="not the ones that the repository signed"):
        put_back("debian", repository, target)
    content = target.read_bytes()
    assert content[:MIB] == bytes(MIB), "the guard stays away"
    assert content != bytes(MIB) + b"\x55" * (size - MIB), "it had begun"
    assert adopted(repository.folder, folder, capsys)["debian.img"] == ("damaged", "debian")


def test_a_new_version_is_taken_up_and_an_older_one_refused(
    repository: Repository, images: Path, made: Path, target: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    adopted(repository.folder, images, capsys)
    run("lzop", "-9", "-f", "-o", images / "debian.img", made / "plain")
    (images / "debian.img.full.sum").unlink()
    assert adopted(repository.folder, images, capsys)["debian.img"] == ("adopted", "debian")
    receipt = put_back("debian", repository, target)
    assert receipt.version == 2
    assert target.read_bytes() == (made / "theirs").read_bytes()
    assert not list(repository.folder.images.glob("*.ant"))


def test_a_link_leads_to_the_adopted_file_and_nowhere_else(
    repository: Repository, images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    adopted(repository.folder, images, capsys)
    folder = repository.folder
    assert repository.ask("GET", "/images/debian.img", range="bytes=0-8").status == 206
    (images / "secret").write_text("secret")
    link = folder.images / "debian.img"
    for end in (images / "secret", images / "Física" / "pc.img", Path("/etc/passwd")):
        link.unlink()
        link.symlink_to(end)
        assert repository.ask("GET", "/images/debian.img").status == 404
    (folder.images / "other.img").symlink_to(images / "debian.img")
    assert repository.ask("GET", "/images/other.img").status == 404
    (folder.root / "boot").mkdir()
    (folder.root / "boot/debian.img").symlink_to(images / "debian.img")
    assert repository.ask("GET", "/boot/debian.img").status == 404


def test_names_that_are_taken_already_get_a_number(
    repository: Repository, images: Path, made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = repository.folder
    assert main(["import", str(folder.root), str(made / "plain"), "--name", "debian"]) == 0
    (images / "Aula-3-anos.img").write_bytes((images / "debian.img").read_bytes())
    found = adopted(folder, images, capsys)
    assert found["debian.img"] == ("adopted", "debian-2")
    names = {found["Aula 3 años.img"][1], found["Aula-3-anos.img"][1]}
    assert names == {"Aula-3-anos", "Aula-3-anos-2"}
    assert adopted(folder, images, capsys)["debian.img"] == ("as before", "debian-2")


def test_what_is_gone_is_told_and_not_offered(
    repository: Repository, images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    adopted(repository.folder, images, capsys)
    (images / "debian.img").unlink()
    assert adopted(repository.folder, images, capsys)["debian.img"] == ("gone", "debian")
    listed = repository.ask("GET", "/images/?format=json").json()["images"]
    assert "debian" not in [entry["name"] for entry in listed]  # type: ignore[attr-defined]


def test_the_repository_adopts_nothing_of_its_own(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    root = repository.folder.root
    for path in (root, root / "images", root.parent, root.parent / "nothing"):
        assert main(["adopt", str(root), str(path)]) in (1, 2)
    assert "lie in each other" in capsys.readouterr().err
