# SPDX-License-Identifier: GPL-3.0-or-later
"""Old commands that change GRUB's menu, on a system in a disk file, judged by GRUB's own check."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from disk.boot.room import MIB, SIZES, add_system, inside, make_system, read
from disk.deploy.room import said, tree
from disk.shim.images import refusal, release
from oglib.boot.menu.reader import Menu, read_menu
from oglib.errors import OgErr
from unit.boot.menus import MENU, OTHER
from unit.shim.old import Old

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: loop devices, mounts")

OF_MBR = "boot/grubMBR/boot/grub/grub.cfg"
OWN = "boot/grub/grub.cfg"
NAMES = ("DefaultEntry", "DeleteEntry", "HidePartitions", "OgliveDefaultEntry", "SetAdminKeys",
         "SetResolution", "SetTheme", "SetTimeOut")  # fmt: skip
WINDOWS = f"""
menuentry 'Windows 10' {{
\tsearch --fs-uuid --set=root {OTHER}
\tchainloader +1
}}
"""


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = make_system(tmp_path, {OWN: MENU + WINDOWS})
    add_system(path, {"thesis.txt": "precious\n"}, uuid=OTHER, number=2)
    monkeypatch.setenv("OG_DISKS", str(path))
    return path


def menu(disk: Path, name: str = OWN) -> Menu:
    text = read(disk, name)
    file = disk.parent / "judged.cfg"
    file.write_text(text)
    said("grub-script-check", file)
    return read_menu(text)


@pytest.mark.parametrize("prefix", ["ogGrub", "ogBootLoader"])
@pytest.mark.proves(
    "ogGrubDefaultEntry", "ogGrubDeleteEntry", "ogGrubSetTimeOut", "ogGrubSetResolution",
    "ogGrubSetAdminKeys", "ogBootLoaderDefaultEntry", "ogBootLoaderDeleteEntry",
    "ogBootLoaderSetTimeOut", "ogBootLoaderSetResolution", "ogBootLoaderSetAdminKeys",
)  # fmt: skip
def test_what_is_set_stands_in_the_menu(old: Old, disk: Path, prefix: str) -> None:
    told = old(f"{prefix}DefaultEntry", 1, 1, 1, 2, disks=[disk])
    assert (told.status, told.stderr) == (0, "")
    assert told.stdout.endswith(": 1 1 1 2\n")
    assert menu(disk).setting("default") == "5"
    assert old(f"{prefix}SetTimeOut", 1, 1, 7, disks=[disk]).status == 0
    assert menu(disk).setting("timeout") == "7"
    assert old(f"{prefix}SetResolution", 1, 1, "800x600", disks=[disk]).status == 0
    assert menu(disk).setting("gfxmode") == "800x600"
    assert old(f"{prefix}SetResolution", 1, 1, disks=[disk], env={"vga": "794"}).status == 0
    assert menu(disk).setting("gfxmode") == "1280x1024"
    assert old(f"{prefix}SetResolution", 1, 1, disks=[disk]).status == 0
    assert menu(disk).setting("gfxmode") == "1024x768"
    assert old(f"{prefix}SetAdminKeys", 1, 1, "FALSE", disks=[disk]).status == 0
    assert menu(disk).setting("superusers") == "root"
    assert old(f"{prefix}SetAdminKeys", 1, 1, "true", disks=[disk]).status == 0
    assert menu(disk).setting("superusers") == ""
    before = [one.title for one in menu(disk).all_entries]
    assert old(f"{prefix}DeleteEntry", 1, 1, 1, 2, disks=[disk]).status == 0
    after = [one.title for one in menu(disk).all_entries]
    assert [title for title in before if title not in after] == ["Windows 10"]
    release(disk)


@pytest.mark.parametrize("prefix", ["ogGrub", "ogBootLoader"])
@pytest.mark.proves("ogGrubSetTheme", "ogBootLoaderSetTheme")
def test_a_theme_of_the_system(old: Old, disk: Path, prefix: str) -> None:
    with inside(disk, options="rw") as at:
        tree(at, {"boot/grub/themes/Basic/theme.txt": ""})
    assert old(f"{prefix}SetTheme", 1, 1, "Basic", disks=[disk]).status == 0
    assert "set theme=$prefix/themes/Basic/theme.txt" in menu(disk).text


@pytest.mark.proves("ogGrubSecurity")
def test_a_password_is_hashed_at_once_and_said_to_be_seen(old: Old, disk: Path) -> None:
    told = old("ogGrubSecurity", 1, 1, "admin", "geheim", disks=[disk])
    assert told.status == 0
    assert "og boot lock" in told.stderr
    text = menu(disk).text
    assert "password_pbkdf2 admin grub.pbkdf2.sha512.10000." in text
    assert "geheim" not in text
    assert old("ogGrubSecurity", 1, 1, disks=[disk]).status == 0
    assert "password" not in menu(disk).text
    assert menu(disk).setting("superusers") == "root"


@pytest.mark.parametrize("prefix", ["ogGrub", "ogBootLoader"])
@pytest.mark.proves("ogGrubHidePartitions", "ogBootLoaderHidePartitions")
def test_the_other_windows_is_hidden(old: Old, disk: Path, prefix: str) -> None:
    assert old(f"{prefix}HidePartitions", 1, 1, disks=[disk]).status == 0
    assert "parttool" not in menu(disk).text  # there is no Windows at all
    said("sfdisk", "--part-type", disk, "1", "7")
    said("sfdisk", "--part-type", disk, "2", "7")
    for _ in range(2):
        assert old(f"{prefix}HidePartitions", 1, 1, disks=[disk]).status == 0
        entry = next(one for one in menu(disk).entries if one.title == "Windows 10")
        assert [" ".join(words) for words in entry.values("parttool")] == [
            "(hd0,msdos1) hidden+", "(hd0,msdos2) hidden-", "(hd0,msdos2) boot+",
        ]  # fmt: skip
    assert old(f"{prefix}HidePartitions", 1, 1, 1, 1, disks=[disk]).status == 0
    assert "(hd0,msdos1) hidden-" in menu(disk).text


@pytest.fixture
def with_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A second partition that is the cache, with an ogLive in it."""
    path = make_system(tmp_path, {OWN: MENU})
    files = {"boot/ogLive/ogvmlinuz": "kernel", "boot/ogLive/oginitrd.img": "initrd",
             "opt/opengnsys/images/x": ""}  # fmt: skip
    add_system(path, files, uuid=OTHER, number=2)
    said("tune2fs", "-L", "CACHE", f"{path}?offset={(1 + SIZES[0]) * MIB}")
    monkeypatch.setenv("OG_DISKS", str(path))
    return path


@pytest.mark.parametrize("prefix", ["ogGrub", "ogBootLoader"])
@pytest.mark.proves("ogGrubAddOgLive", "ogGrubOgliveDefaultEntry", "ogBootLoaderOgliveDefaultEntry")
def test_oglive_of_the_cache(old: Old, with_cache: Path, prefix: str) -> None:
    told = old("ogGrubAddOgLive", 1, 1, 15, "offline", disks=[with_cache])
    assert (told.status, told.stderr) == (0, "")
    found = menu(with_cache)
    first = found.entries[0]
    assert (first.title, first.searched) == ("OpenGnsys Live", OTHER)
    (words,) = first.values("linux")
    assert words[0] == "/boot/ogLive/ogvmlinuz"
    assert words[-1] == "ogstatus=offline"
    assert (found.setting("default"), found.setting("timeout")) == ("oglive", "15")
    old("ogGrubDefaultEntry", 1, 1, 1, 1, disks=[with_cache])
    assert menu(with_cache).setting("default") != "oglive"
    told = old(f"{prefix}OgliveDefaultEntry", 1, 1, disks=[with_cache])
    assert (told.status, told.stdout.endswith(": 1 1\n")) == (0, True)
    assert menu(with_cache).setting("default") == "oglive"


def test_the_menu_of_the_mbr_is_the_one_that_starts(old: Old, tmp_path: Path) -> None:
    disk = make_system(tmp_path, {OF_MBR: MENU})
    assert old("ogGrubSetTimeOut", 1, 1, 7, disks=[disk]).status == 0
    assert menu(disk, OF_MBR).setting("timeout") == "7"
    assert menu(disk).setting("timeout") == "5"


@pytest.mark.refuses(
    "ogGrubDefaultEntry", "ogGrubDeleteEntry", "ogGrubHidePartitions", "ogGrubOgliveDefaultEntry",
    "ogGrubSetAdminKeys", "ogGrubSetResolution", "ogGrubSetTheme", "ogGrubSetTimeOut",
    "ogBootLoaderDefaultEntry", "ogBootLoaderDeleteEntry", "ogBootLoaderHidePartitions",
    "ogBootLoaderOgliveDefaultEntry", "ogBootLoaderSetAdminKeys", "ogBootLoaderSetResolution",
    "ogBootLoaderSetTheme", "ogBootLoaderSetTimeOut", "ogGrubSecurity", "ogGrubAddOgLive",
)  # fmt: skip
def test_menus_that_are_not_changed(disk: Path) -> None:
    with inside(disk, options="ro,noload") as at:
        before = (at / OWN).read_bytes()
    more: dict[str, tuple[object, ...]] = {
        "DefaultEntry": (1, 2), "DeleteEntry": (1, 2), "SetAdminKeys": ("TRUE",),
        "SetTheme": ("x",), "SetTimeOut": (5,),
    }  # fmt: skip
    every = [f"{prefix}{name}" for prefix in ("ogGrub", "ogBootLoader") for name in NAMES]
    for name in (*every, "ogGrubSecurity", "ogGrubAddOgLive"):
        words = more.get(name.removeprefix("ogGrub").removeprefix("ogBootLoader"), ())
        assert refusal(name, 1) == OgErr.FORMAT, name
        assert refusal(name, 1, "x", *words) == OgErr.FORMAT, name
        assert refusal(name, 1, 9, *words) == OgErr.NOTFOUND, name
        found = OgErr.NOTCACHE if name == "ogGrubAddOgLive" else OgErr.NOTFOUND
        assert refusal(name, 1, 2, *words) == found, name
    assert refusal("ogGrubSetTimeOut", 1, 1, "x") == OgErr.FORMAT
    assert refusal("ogGrubSetTimeOut", 1, 1, 9999) == OgErr.OUTOFLIMIT
    assert refusal("ogGrubSetResolution", 1, 1, "big") == OgErr.FORMAT
    assert refusal("ogGrubSetTheme", 1, 1, "../x") == OgErr.FORMAT
    assert refusal("ogGrubSetAdminKeys", 1, 1, "maybe") == OgErr.FORMAT
    assert refusal("ogGrubSecurity", 1, 1, "a b", "c") == OgErr.FORMAT
    assert refusal("ogGrubAddOgLive", 1, 1, "sometimes") == OgErr.FORMAT
    assert refusal("ogGrubOgliveDefaultEntry", 1, 1) == OgErr.NOTFOUND
    with inside(disk, options="ro,noload") as at:
        assert (at / OWN).read_bytes() == before
