# SPDX-License-Identifier: GPL-3.0-or-later
"""Locks on images: a file beside the image, which belongs to a process of one PC."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from oglib.errors import OgErr, OgError
from oglib.shim.image_lock import held_image, refuse_locked_image
from unit.shim.old import Old, Ran

BOOT = Path("/proc/sys/kernel/random/boot_id").read_text().strip()


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """An image in a repository; its lock is ``lock``'s."""
    folder = tmp_path / "images/aula1"
    folder.mkdir(parents=True)
    (folder / "Debian.img").touch()
    return folder / "Debian.img"


@pytest.fixture
def lock(image: Path) -> Path:
    return image.with_name("Debian.img.lock")


@pytest.fixture
def env(image: Path) -> dict[str, str]:
    return {"OGIMG": str(image.parents[1])}


@pytest.fixture
def stranger() -> Iterator[int]:
    """The PID of a script that is not ours."""
    with subprocess.Popen(["sleep", "600"]) as sleeping:
        yield sleeping.pid
        sleeping.kill()


def locked(image: Path) -> str:
    """Why it is refused, empty when it is not."""
    try:
        refuse_locked_image(image)
    except OgError as error:
        return error.message if error.code is OgErr.LOCKED else repr(error.code)
    return ""


def start_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]


@pytest.mark.proves("ogLockImage", "ogIsImageLocked", "ogUnlockImage")
def test_an_image_is_locked_for_the_script(old: Old, lock: Path, env: dict[str, str]) -> None:
    words = ("REPO", "/AULA1/debian.img")
    assert old("ogIsImageLocked", *words, env=env) == Ran("", "", 1)
    assert old("ogLockImage", *words, env=env) == Ran("", "", 0)
    assert lock.read_text().split()[:3] == [str(os.getpid()), start_of(os.getpid()), BOOT]
    assert old("ogIsImageLocked", lock.with_suffix(""), env=env) == Ran("", "", 0)
    assert old("ogLockImage", *words, env=env) == Ran("", "", 0), "its own lock is no hindrance"
    assert old("ogUnlockImage", *words, env=env) == Ran("", "", 0)
    assert not lock.exists()
    assert old("ogIsImageLocked", *words, env=env) == Ran("", "", 1)
    assert old("ogUnlockImage", *words, env=env) == Ran("", "", 0)


@pytest.mark.proves("ogLockImage")
def test_an_image_that_is_still_to_be_made_is_locked(
    old: Old, tmp_path: Path, env: dict[str, str]
) -> None:
    assert old("ogLockImage", "REPO", "new.img", env=env) == Ran("", "", 0)
    assert (tmp_path / "images/new.img.lock").exists()


@pytest.mark.refuses("ogLockImage")
def test_what_another_script_or_pc_has_locked_is_refused(
    old: Old, image: Path, lock: Path, stranger: int, env: dict[str, str]
) -> None:
    here = f"{stranger} {start_of(stranger)} {BOOT} - pc1"
    for text, who in (
        (here, f"process {stranger} on pc1"),
        ("77 88 another-boot 52:54:00:AA:BB:CC pc2", "process 77 on pc2"),
        ("mounted", r"a server (mounted)"),
        ("", "somebody"),
    ):
        lock.write_text(f"{text}\n")
        ran = old("ogLockImage", "REPO", "aula1/Debian.img", env=env)
        assert (ran.stdout, ran.status) == ("", OgErr.LOCKED)
        assert f"Debian.img is locked by {who}." in ran.stderr
        assert lock.read_text() == f"{text}\n"
        assert locked(image)


@pytest.mark.refuses("ogLockImage", "ogUnlockImage")
@pytest.mark.parametrize(("name", "code"), [("ogLockImage", OgErr.NOTFOUND), ("ogUnlockImage", 0)])
def test_a_lock_where_no_folder_is(old: Old, name: str, code: int, env: dict[str, str]) -> None:
    ran = old(name, "REPO", "aula2/Debian.img", env=env)
    assert (ran.stdout, ran.status) == ("", code)
    assert old(name, env=env).status == OgErr.FORMAT
    assert old(name, "REPO", "aula1/..", env=env).status == OgErr.FORMAT


@pytest.mark.refuses("ogIsImageLocked")
def test_what_cannot_be_asked_is_not_locked(old: Old, env: dict[str, str]) -> None:
    ran = old("ogIsImageLocked", "REPO", "aula2/Debian.img", env=env)
    assert (ran.stdout, ran.status) == ("", 1)
    assert "There is no aula2" in ran.stderr


@pytest.mark.refuses("ogLockImage")
def test_a_repository_that_cannot_be_written(
    old: Old, tmp_path: Path, image: Path, lock: Path, env: dict[str, str]
) -> None:
    share = tmp_path / "images"
    lock.write_text(f"1 1 {BOOT} - pc1\n")
    subprocess.run(["mount", "--bind", share, share], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", share], check=True)
        ran = old("ogLockImage", "REPO", "new.img", env=env)
        gone = locked(image)
        kept = old("ogUnlockImage", "REPO", "aula1/Debian.img", env=env)
    finally:
        subprocess.run(["umount", share], check=True)
    assert (ran.stdout, ran.status) == ("", OgErr.NOTWRITE)
    assert not gone, "a lock that nobody has does not count, though it stays"
    assert kept.status == OgErr.NOTWRITE


def test_the_lock_of_a_script_that_ended_does_not_count(
    old: Old, image: Path, lock: Path, stranger: int
) -> None:
    own = old("ogGetMacAddress").stdout.strip() or "-"
    texts = [f"{stranger} 1 {BOOT} - pc1"]  # its number was given to another process
    texts += [f"{stranger} {start_of(stranger)} an-earlier-boot {own} pc1"] if own != "-" else []
    for text in texts:
        lock.write_text(f"{text}\n")
        assert not locked(image)
        assert not lock.exists()


def test_work_holds_its_lock_until_it_ends(image: Path, lock: Path) -> None:
    with pytest.raises(ZeroDivisionError), held_image(image):
        assert "is locked by process" in locked(image)
        with pytest.raises(OgError, match="is locked by process"), held_image(image):
            pass
        raise ZeroDivisionError
    assert not lock.exists()
