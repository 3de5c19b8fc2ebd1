# SPDX-License-Identifier: GPL-3.0-or-later
"""Old commands about rEFInd, on an ESP in a disk file (ext4: the host may have no vfat)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from disk.deploy.test_start import Pc, pc, pytestmark
from disk.inventory.room import MIB, tool
from oglib.boot.nvram.table import read_table
from oglib.boot.nvram.variables import Variables
from oglib.deploy.system import refind
from oglib.disk.loop import attached
from oglib.errors import OgErr
from oglib.filesystem.mount import mounted
from unit.boot.efivars import GUID, ovmf
from unit.shim.old import answer, code_of

__all__ = ["pc", "pytestmark"]

CONFIG = "EFI/refind/refind.conf"


@contextmanager
def on_esp(path: Path, *, write: bool = False) -> Iterator[Path]:
    with (
        attached(path, offset_bytes=17 * MIB, size_bytes=4 * MIB) as device,
        mounted(device, write=write) as top,
    ):
        yield top


@pytest.fixture
def image(pc: Pc, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A disk whose ESP has the loaders of two partitions; rEFInd's files are in this ogLive."""
    path = pc.disk()
    with attached(path, offset_bytes=17 * MIB, size_bytes=4 * MIB) as device:
        tool("mkfs.ext4", "-q", device)
    with on_esp(path, write=True) as top:
        for name in ("Part-01-01/Boot/ogloader.efi", "Part-01-03/Boot/grubx64.efi", "x/Boot/a.efi"):
            (top / "EFI" / name).parent.mkdir(parents=True)
            (top / "EFI" / name).touch()
    source = pc.folder / "refind"
    (source / "icons").mkdir(parents=True)
    (source / "icons/os_linux.png").write_text("icon")
    (source / "refind_x64.efi").write_text("program")
    monkeypatch.setattr(refind, "SOURCE", source)
    return path


@pytest.fixture
def store(pc: Pc) -> Variables:
    return ovmf(pc.sys / "firmware/efi/efivars")


def menu(image: Path) -> list[str]:
    with on_esp(image) as top:
        return (top / CONFIG).read_text().splitlines()


@pytest.mark.proves(
    "ogRefindInstall", "ogRefindDefaultEntry", "ogRefindDeleteEntry", "ogRefindSetTimeOut"
)
def test_refind_is_installed_and_its_menu_changed(image: Path, store: Variables) -> None:
    for _ in range(2):  # twice is as once
        answer("ogRefindInstall")
        with on_esp(image) as top:
            assert (top / "EFI/refind/refind_x64.efi").read_text() == "program"
            assert (top / "EFI/refind/icons/os_linux.png").read_text() == "icon"
        entries = [line for line in menu(image) if "menuentry" in line]
        assert entries == ['menuentry "Part-01-01" {', 'menuentry "Part-01-03" {']
        assert "scanfor manual" in menu(image)
        there = read_table(store)
        assert there.order == (0, 7, 1, 2, 3, 4, 5, 6)
        made = there.entry(7)
        assert made is not None
        assert (made.label, made.option.target.file) == (
            "rEFInd Boot Manager", "/EFI/refind/refind_x64.efi",
        )  # fmt: skip
    answer("ogRefindDefaultEntry", "1", "3")
    answer("ogRefindSetTimeOut", "9")
    assert menu(image)[:2] == ["timeout 9", 'default_selection "Part-01-03"']
    answer("ogRefindDeleteEntry", "1", "3")
    assert [line for line in menu(image) if "Part-01-03" in line] == []
    answer("ogRefindInstall", "TRUE")
    assert "scanfor internal,manual" in menu(image)


@pytest.mark.proves("ogRefindOgliveDefaultEntry")
@pytest.mark.usefixtures("store")
def test_the_oglive_of_the_cache_is_the_default(
    image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from oglib.deploy.system.oglive_entry import OgliveInCache

    found = OgliveInCache("uuid", "part-uuid", "boot/ogLive", ("ro", "ogrepo=10.0.0.2"))
    monkeypatch.setattr(refind, "oglive_in_cache", lambda: found)
    answer("ogRefindInstall")
    answer("ogRefindOgliveDefaultEntry")
    lines = menu(image)
    assert lines[0] == 'default_selection "OpenGnsys Live"'
    assert '    options "ro ogrepo=10.0.0.2"' in lines
    assert "    volume part-uuid" in lines


@pytest.mark.refuses(
    "ogRefindInstall", "ogRefindDefaultEntry", "ogRefindDeleteEntry", "ogRefindSetTimeOut",
    "ogRefindOgliveDefaultEntry",
)  # fmt: skip
def test_what_is_refused_leaves_the_esp(
    pc: Pc, image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert code_of("ogRefindInstall") == OgErr.NOTUEFI
    store = ovmf(pc.sys / "firmware/efi/efivars")
    before = read_table(store)
    (store.folder / f"SecureBoot-{GUID}").write_bytes(b"\x06\0\0\0\x01")
    assert code_of("ogRefindInstall") == OgErr.NOTEXEC
    (store.folder / f"SecureBoot-{GUID}").write_bytes(b"\x06\0\0\0\x00")
    with (refind.SOURCE / "icons/large.png").open("wb") as large:
        large.truncate(64 * MIB)
    assert code_of("ogRefindInstall") == OgErr.NOTWRITE
    monkeypatch.setattr(refind, "SOURCE", pc.folder / "none")
    assert code_of("ogRefindInstall") == OgErr.NOTEXEC
    for name, words in (
        ("DefaultEntry", ("1", "3")), ("DeleteEntry", ("1", "3")), ("SetTimeOut", ("3",)),
        ("OgliveDefaultEntry", ()),
    ):  # fmt: skip
        assert code_of(f"ogRefind{name}", *words) == OgErr.NOTFOUND
    assert code_of("ogRefindDefaultEntry", "1", "x") == OgErr.FORMAT
    assert code_of("ogRefindSetTimeOut", "x") == OgErr.FORMAT
    assert read_table(store) == before
    with on_esp(image) as top:
        assert not (top / "EFI/refind").exists()


@pytest.mark.refuses("ogRefindDefaultEntry", "ogRefindDeleteEntry", "ogRefindOgliveDefaultEntry")
@pytest.mark.usefixtures("store")
def test_an_entry_that_is_not_in_the_menu(image: Path) -> None:
    answer("ogRefindInstall")
    before = menu(image)
    assert code_of("ogRefindDefaultEntry", "1", "2") == OgErr.NOTFOUND
    assert code_of("ogRefindDeleteEntry", "1", "2") == OgErr.NOTFOUND
    assert code_of("ogRefindOgliveDefaultEntry") == OgErr.NOTFOUND
    assert code_of("ogRefindSetTimeOut", "4000") == OgErr.OUTOFLIMIT
    assert menu(image) == before


@pytest.mark.proves("ogRefindSetTheme", "ogRefindSetResolution")
@pytest.mark.refuses("ogRefindSetTheme", "ogRefindSetResolution")
def test_what_is_retired_names_what_is_there_now() -> None:
    for name, words in (("ogRefindSetTheme", ("blue",)), ("ogRefindSetResolution", ("800", "600"))):
        assert code_of(name, *words) == OgErr.NOTEXEC
