# SPDX-License-Identifier: GPL-3.0-or-later
"""Old commands about files, on plain paths and in a repository."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from oglib.errors import NotFoundError, OgErr, OgError, UsageError
from oglib.shim.copy import copy_file
from oglib.shim.file import COMMANDS
from oglib.shim.place import Place
from unit.shim.old import Old, Ran

MIB = 1024**2
ALL = sorted(COMMANDS)
TWO_PATHS = ("ogCompareChecksumFiles", "ogCopyFile", "ogIsNewerFile")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with one image of two MiB and a bit, whose last MiB differs from the rest."""
    folder = tmp_path / "images"
    folder.mkdir()
    (folder / "Debian 12.img").write_bytes(b"a" * (MIB + 7) + b"b" * MIB)
    return folder


@pytest.fixture
def env(repository: Path) -> dict[str, str]:
    return {"OGIMG": str(repository)}


@pytest.mark.proves("ogGetPath")
def test_the_real_path_whatever_the_case(old: Old, repository: Path, env: dict[str, str]) -> None:
    ran = old("ogGetPath", "repo", "//DEBIAN 12.img", env=env)
    assert ran == Ran(f"{repository}/Debian 12.img\n", "", 0)


@pytest.mark.proves("ogGetPath")
def test_nothing_is_silence(old: Old, env: dict[str, str]) -> None:
    assert old("ogGetPath", "REPO", "none", env=env) == Ran("", "", 0)


@pytest.mark.refuses("ogGetPath")
@pytest.mark.parametrize("words", [[], ["NOWHERE", "/x"], ["REPO", "x", "y"], ["REPO"], [""]])
def test_places_that_are_not_known(old: Old, words: list[str]) -> None:
    if words == ["REPO"]:  # alone it is a path like any other
        assert COMMANDS["ogGetPath"].run(words) == ""
        return
    ran = old("ogGetPath", *words)
    assert (ran.stdout, ran.status) == ("", OgErr.FORMAT)


@pytest.mark.parametrize("name", ["away/new", "away"])
def test_no_folder_is_made_where_a_link_of_a_disk_leads(tmp_path: Path, name: str) -> None:
    disk, outside = tmp_path / "disk", tmp_path / "outside"
    for folder in (disk, outside):
        folder.mkdir()
    (disk / "away").symlink_to(outside)
    with pytest.raises(NotFoundError, match=f"{name} cannot be made"):
        Place(disk, name).make()
    assert list(outside.iterdir()) == []
    Place(disk, "a/b").make()
    Place(disk, "a/b").make()
    assert (disk / "a/b").is_dir()


def test_an_exact_name_wins_and_of_two_likenesses_none(tmp_path: Path) -> None:
    for name in ("Data", "DATA"):
        (tmp_path / name).touch()
    assert Place(tmp_path, "DATA").find() == tmp_path / "DATA"
    with pytest.raises(NotFoundError, match="DATA, Data"):
        Place(tmp_path, "data").find()


def test_links_of_a_disk_stay_inside_it(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    (disk / "etc").mkdir(parents=True)
    (disk / "etc/passwd").touch()
    (tmp_path / "secret").touch()
    links = {"abs": "/etc/passwd", "up": "../../../secret", "dir": "/ETC", "loop": "loop"}
    for name, target in links.items():
        (disk / name).symlink_to(target)
    found = {name: Place(disk, name).find() for name in (*links, "dir/passwd", "../../secret")}
    assert found == {
        "abs": disk / "etc/passwd",
        "up": None,
        "dir": disk / "etc",
        "loop": None,
        "dir/passwd": disk / "etc/passwd",
        "../../secret": None,
    }
    assert Place(disk, "dir").entry() == disk / "dir"
    assert Place(disk, "/").find() == disk


@pytest.mark.proves("ogGetPath", "ogMakeChecksumFile", "ogCompareChecksumFiles", "ogCopyFile")
def test_a_link_is_known_by_its_own_name(
    old: Old, repository: Path, env: dict[str, str], tmp_path: Path
) -> None:
    (repository / "newest.img").symlink_to("Debian 12.img")
    link, target = repository / "newest.img", tmp_path / "cache"
    target.mkdir()
    assert old("ogGetPath", "REPO", "newest.img", env=env) == Ran(f"{link}\n", "", 0)
    assert old("ogMakeChecksumFile", "REPO", "newest.img", env=env) == Ran("", "", 0)
    assert (repository / "newest.img.sum").is_file()
    compared = old("ogCompareChecksumFiles", "REPO", "newest.img", link, env=env)
    assert compared == Ran("", "", 0)
    assert old("ogCopyFile", "REPO", "newest.img", target, env=env).status == 0
    assert (target / "newest.img").read_bytes() == link.read_bytes()
    assert not (target / "newest.img").is_symlink()


def test_a_link_out_of_a_disk_has_no_name_of_its_own(tmp_path: Path) -> None:
    disk, outside = tmp_path / "disk", tmp_path / "outside"
    for folder in (disk, outside):
        folder.mkdir()
    (disk / "file").touch()
    (disk / "away").symlink_to(outside)
    (outside / "back").symlink_to(disk / "file")
    (disk / "abs").symlink_to("/file")
    assert Place(disk, "away/back").named() is None
    assert Place(disk, "abs").named() == disk / "file"


@pytest.mark.proves("ogGetParentPath")
def test_the_folder_of_a_path(
    old: Old, repository: Path, env: dict[str, str], tmp_path: Path
) -> None:
    (repository / "a b").mkdir()
    assert old("ogGetParentPath", "REPO", "A B/none.img", env=env).stdout == f"{repository}/a b\n"
    assert old("ogGetParentPath", "x", cwd=tmp_path) == Ran(f"{tmp_path}\n", "", 0)
    assert old("ogGetParentPath", "REPO", "none/x", env=env) == Ran("", "", 0)


@pytest.mark.proves("ogCalculateChecksum", "ogCalculateFullChecksum")
def test_checksums_as_md5sum_tells_them(old: Old, repository: Path, env: dict[str, str]) -> None:
    image = repository / "Debian 12.img"
    tail = subprocess.run(["tail", "-c", str(MIB), image], capture_output=True, check=True).stdout
    whole = subprocess.run(["md5sum", image], capture_output=True, text=True, check=True).stdout
    last = hashlib.md5(tail, usedforsecurity=False).hexdigest()
    assert old("ogCalculateChecksum", "REPO", image.name, env=env) == Ran(f"{last}\n", "", 0)
    ran = old("ogCalculateFullChecksum", image)
    assert ran == Ran(f"{whole.split()[0]}\n", "", 0)
    assert last not in whole


@pytest.mark.proves("ogMakeChecksumFile", "ogCompareChecksumFiles")
def test_checksums_beside_files(old: Old, repository: Path, env: dict[str, str]) -> None:
    names = ("one", "two", "three")
    for name, data in zip(names, (b"x" * MIB, b"y" + b"x" * MIB, b"z"), strict=True):
        (repository / name).write_bytes(data)
        assert old("ogMakeChecksumFile", "REPO", name, env=env) == Ran("", "", 0)
    md5_of_z = "fbade9e36a3f36d3d676c1b808451dd7"
    assert (repository / "three.sum").read_text() == f"{md5_of_z}\n"
    assert {path.name for path in repository.glob("*.part")} == set()
    compare = "ogCompareChecksumFiles"
    assert old(compare, "REPO", "one", "REPO", "two", env=env) == Ran("", "", 0)
    assert old(compare, "REPO", "one", repository / "three", env=env) == Ran("", "", 1)


@pytest.mark.refuses("ogCompareChecksumFiles")
def test_two_missing_checksums_are_not_equal(old: Old, repository: Path) -> None:
    for name in ("one", "two"):
        (repository / name).touch()
    ran = old("ogCompareChecksumFiles", repository / "one", repository / "two")
    assert (ran.stdout, ran.status) == ("", OgErr.NOTFOUND)
    for name in ("one.sum", "two.sum"):
        (repository / name).write_text("\n")
    assert old("ogCompareChecksumFiles", repository / "one", repository / "two").status != 0


@pytest.mark.proves("ogCopyFile")
def test_a_copy_has_content_time_and_name(
    old: Old, repository: Path, env: dict[str, str], tmp_path: Path
) -> None:
    image = repository / "Debian 12.img"
    os.utime(image, (1e9, 1e9))
    target = tmp_path / "target"
    target.mkdir()
    (target / image.name).write_text("older")
    (target / f"{image.name}.part").write_bytes(b"interrupted" * MIB)
    ran = old("ogCopyFile", "REPO", image.name, target, env=env)
    assert (ran.stdout, ran.status) == ("", 0)
    assert "[100] copy" in ran.stderr
    assert [path.name for path in target.iterdir()] == [image.name]
    copy = target / image.name
    assert copy.read_bytes() == image.read_bytes()
    assert copy.stat().st_mtime == 1e9


@pytest.mark.refuses("ogCopyFile")
def test_source_and_folder_must_exist(old: Old, repository: Path, tmp_path: Path) -> None:
    image = repository / "Debian 12.img"
    assert old("ogCopyFile", repository / "none", tmp_path).status == OgErr.NOTFOUND
    assert old("ogCopyFile", image, tmp_path / "none").status == OgErr.NOTFOUND
    assert old("ogCopyFile", image, image).status == OgErr.NOTFOUND
    assert old("ogCopyFile", repository, tmp_path).status == OgErr.NOTFOUND


def test_a_folder_without_room_is_refused_before_anything(tmp_path: Path) -> None:
    source = tmp_path / "large"
    with source.open("wb") as file:
        file.truncate(2**43)
    (tmp_path / "folder").mkdir()
    with pytest.raises(OgError, match=str(2**43)) as caught:
        copy_file(source, tmp_path / "folder")
    assert caught.value.code == OgErr.NOTWRITE
    assert list((tmp_path / "folder").iterdir()) == []


def test_a_copy_that_differs_on_the_disk_never_gets_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk itself is played by damaging the file between writing and reading back."""
    source, folder = tmp_path / "image", tmp_path / "folder"
    source.write_bytes(b"right")
    folder.mkdir()

    def damage(number: int, *_: int) -> None:
        os.pwrite(number, b"w", 0)

    monkeypatch.setattr(os, "posix_fadvise", damage)
    with pytest.raises(OgError, match="differs"):
        copy_file(source, folder)
    assert list(folder.iterdir()) == []


def test_a_second_copy_at_the_same_time_is_refused(tmp_path: Path) -> None:
    source, folder = tmp_path / "image", tmp_path / "folder"
    source.write_bytes(b"right")
    folder.mkdir()
    code = (
        "import fcntl, sys; file = open(sys.argv[1], 'wb'); fcntl.flock(file, fcntl.LOCK_EX);"
        "print('locked', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, folder / "image.part"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"locked\n"
        with pytest.raises(OgError, match="another copy") as caught:
            copy_file(source, folder)
        assert (folder / "image.part").exists()
        other.communicate(b"")
    assert caught.value.code == OgErr.LOCKED


@pytest.mark.proves("ogDeleteFile")
def test_a_file_is_deleted_and_of_a_link_the_link(
    old: Old, repository: Path, env: dict[str, str]
) -> None:
    (repository / "link").symlink_to("Debian 12.img")
    assert old("ogDeleteFile", "REPO", "LINK", env=env) == Ran("", "", 0)
    assert [path.name for path in repository.iterdir()] == ["Debian 12.img"]
    assert old("ogDeleteFile", "REPO", "debian 12.IMG", env=env) == Ran("", "", 0)
    assert list(repository.iterdir()) == []


@pytest.mark.refuses("ogDeleteFile")
def test_a_folder_is_no_file_to_delete(old: Old, repository: Path) -> None:
    assert old("ogDeleteFile", repository).status == OgErr.NOTFOUND
    assert repository.is_dir()


@pytest.mark.proves("ogDeleteTree")
def test_a_tree_is_deleted_but_not_what_its_links_lead_to(
    old: Old, repository: Path, tmp_path: Path
) -> None:
    tree = tmp_path / "tree"
    (tree / "deep").mkdir(parents=True)
    (tree / "deep/link").symlink_to(repository)
    assert old("ogDeleteTree", tree) == Ran("", "", 0)
    assert not tree.exists()
    assert len(list(repository.iterdir())) == 1


@pytest.mark.refuses("ogDeleteTree")
def test_a_whole_repository_is_not_deleted(old: Old, repository: Path, env: dict[str, str]) -> None:
    assert old("ogDeleteTree", "REPO", "/", env=env).status == OgErr.FORMAT
    assert old("ogDeleteTree", "REPO", "none", env=env).status == OgErr.NOTFOUND
    assert len(list(repository.iterdir())) == 1


def test_a_tree_with_a_mount_in_it_is_not_deleted() -> None:
    with pytest.raises(OgError, match="is mounted in it") as caught:
        COMMANDS["ogDeleteTree"].run(["/proc"])
    assert caught.value.code == OgErr.LOCKED


@pytest.mark.proves("ogMakeDir")
def test_folders_are_made_inside_those_that_are_there(
    old: Old, repository: Path, env: dict[str, str]
) -> None:
    (repository / "Groups").mkdir()
    assert old("ogMakeDir", "REPO", "/groups/lab 1/x/", env=env) == Ran("", "", 0)
    assert old("ogMakeDir", "REPO", "/groups/lab 1/x/", env=env) == Ran("", "", 0)
    assert (repository / "Groups/lab 1/x").is_dir()
    assert not (repository / "groups").exists()


@pytest.mark.refuses("ogMakeDir")
def test_a_folder_where_a_file_is(old: Old, repository: Path) -> None:
    for name in ("Debian 12.img/x", "Debian 12.img"):
        ran = old("ogMakeDir", repository / name)
        assert (ran.stdout, ran.status) == ("", OgErr.NOTFOUND)
        assert "Debian 12.img is a file" in ran.stderr


def test_a_path_that_ends_nowhere_makes_nothing(repository: Path) -> None:
    with pytest.raises(UsageError):
        Place(repository, "none/..").make()
    assert not (repository / "none").exists()


@pytest.mark.proves("ogIsNewerFile")
def test_which_file_is_newer(old: Old, tmp_path: Path) -> None:
    for name, changed in (("early", time.time() - 100), ("late", time.time())):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (changed, changed))
    assert old("ogIsNewerFile", tmp_path / "late", tmp_path / "early") == Ran("", "", 0)
    assert old("ogIsNewerFile", tmp_path / "early", tmp_path / "late") == Ran("", "", 1)
    assert COMMANDS["ogIsNewerFile"].run([str(tmp_path / "late")] * 2) is False


@pytest.mark.refuses(
    "ogCalculateChecksum",
    "ogCalculateFullChecksum",
    "ogDeleteFile",
    "ogDeleteTree",
    "ogMakeChecksumFile",
    "ogCompareChecksumFiles",
    "ogCopyFile",
    "ogIsNewerFile",
)
@pytest.mark.parametrize("name", sorted(set(ALL) - {"ogGetPath", "ogGetParentPath", "ogMakeDir"}))
def test_what_is_not_there_is_not_found(old: Old, name: str, tmp_path: Path) -> None:
    words = [tmp_path / "none"] * (2 if name in TWO_PATHS else 1)
    ran = old(name, *words)
    assert (ran.stdout, ran.status) == ("", OgErr.NOTFOUND)
    assert ran.stderr.startswith(f"{name}: ")


@pytest.mark.refuses("ogGetParentPath")
@pytest.mark.parametrize("name", ALL)
def test_no_words_are_refused(name: str) -> None:
    with pytest.raises(UsageError):
        COMMANDS[name].run([])
