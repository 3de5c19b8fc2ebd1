# SPDX-License-Identifier: GPL-3.0-or-later
"""Databases of package managers as files in a folder."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path

import pytest

from oglib.inventory.rpm import parse_header
from oglib.inventory.software import Package, Software, installed, listing, old_listing
from oglib.inventory.system import System, SystemKind
from oglib.osconfig import registry
from oglib.osconfig.root import TargetRoot
from unit.inventory.trees import (
    DEBIAN,
    make_rpm_database,
    make_tree,
    make_windows,
    rpm_header,
)

LINUX = System(SystemKind.LINUX, "Some Linux", is_64_bits=True)
WINDOWS = System(SystemKind.WINDOWS, "Windows")
BASH = rpm_header("bash", "5.2.26", "3.fc40", "x86_64")
KEY = rpm_header("gpg-pubkey", "a15b79cc", "63d04c2c")


def names(folder: Path, system: System = LINUX) -> list[str]:
    with TargetRoot(folder) as root:
        software = installed(root, system)
    assert software.notes == ()
    return [package.text for package in software.packages]


def test_dpkg_lists_what_is_installed(tmp_path: Path) -> None:
    make_tree(tmp_path, DEBIAN)
    assert names(tmp_path) == ["bash 5.2.37-2", "zlib1g 1:1.3.1-1"]


@pytest.mark.parametrize("folder", ["var/lib/rpm", "usr/lib/sysimage/rpm"])
def test_rpm(tmp_path: Path, folder: str) -> None:
    make_rpm_database(tmp_path / folder / "rpmdb.sqlite", BASH, KEY)
    assert names(tmp_path) == ["bash 5.2.26-3.fc40.x86_64"]


def test_rpm_of_a_system_that_was_not_shut_down(tmp_path: Path) -> None:
    """The last change is in the journal alone, and reading changes nothing of the system."""
    path = make_rpm_database(tmp_path / "live/rpmdb.sqlite", BASH, wal=True)
    connection = sqlite3.connect(path)
    late = rpm_header("zsh", "5.9", "1", "x86_64")
    connection.execute("INSERT INTO Packages (blob) VALUES (?)", (late,))
    connection.commit()
    shutil.copytree(tmp_path / "live", tmp_path / "root/var/lib/rpm")
    connection.close()
    before = {one.name: one.read_bytes() for one in (tmp_path / "root/var/lib/rpm").iterdir()}
    assert names(tmp_path / "root") == ["bash 5.2.26-3.fc40.x86_64", "zsh 5.9-1.x86_64"]
    after = {one.name: one.read_bytes() for one in (tmp_path / "root/var/lib/rpm").iterdir()}
    assert after == before


@pytest.mark.parametrize("header", [b"", b"\0" * 8, b"\xff" * 64, BASH[:40], BASH[:-30]])
def test_damaged_rpm_headers(header: bytes, tmp_path: Path) -> None:
    make_rpm_database(tmp_path / "var/lib/rpm/rpmdb.sqlite", BASH, header)
    make_tree(tmp_path, DEBIAN)
    with TargetRoot(tmp_path) as root:
        software = installed(root, LINUX)
    assert [package.name for package in software.packages] == ["bash", "zlib1g"]
    assert "damaged" in software.notes[0]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("var/lib/rpm/Packages", "Berkeley DB"),
        ("usr/lib/sysimage/rpm/Packages.db", "NDB"),
        ("var/lib/rpm/rpmdb.sqlite", "damaged"),
    ],
)
def test_rpm_databases_that_cannot_be_read_are_named(tmp_path: Path, name: str, said: str) -> None:
    make_tree(tmp_path, {name: "no database"})
    with TargetRoot(tmp_path) as root:
        assert said in installed(root, LINUX).notes[0]


def test_a_view_in_place_of_the_table_is_not_asked(tmp_path: Path) -> None:
    path = tmp_path / "var/lib/rpm/rpmdb.sqlite"
    path.parent.mkdir(parents=True)
    connection = sqlite3.connect(path)
    connection.execute("CREATE VIEW Packages AS SELECT randomblob(100) AS blob")
    connection.commit()
    connection.close()
    with TargetRoot(tmp_path) as root:
        assert "no table of packages" in installed(root, LINUX).notes[0]


@pytest.mark.parametrize(
    "column",
    [
        "blob INTEGER DEFAULT 1099511627776",  # as a number of bytes it would fill the memory
        "blob TEXT DEFAULT 'text'",
        "blob BLOB AS (zeroblob(900000000))",
    ],
)
def test_a_table_of_something_else_than_headers(tmp_path: Path, column: str) -> None:
    path = tmp_path / "var/lib/rpm/rpmdb.sqlite"
    path.parent.mkdir(parents=True)
    connection = sqlite3.connect(path)
    connection.execute(f"CREATE TABLE Packages (hnum INTEGER PRIMARY KEY, {column})")
    connection.execute("INSERT INTO Packages (hnum) VALUES (1)")
    connection.commit()
    connection.close()
    with TargetRoot(tmp_path) as root:
        assert "damaged" in installed(root, LINUX).notes[0]


def test_a_database_whose_pages_are_met_again_and_again_has_an_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("oglib.inventory.rpm._MAX_PACKAGES", 2)
    make_rpm_database(tmp_path / "var/lib/rpm/rpmdb.sqlite", BASH, BASH, BASH)
    with TargetRoot(tmp_path) as root:
        assert "more packages than" in installed(root, LINUX).notes[0]


def test_programs_of_windows_are_not_looked_for_among_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key by its name is a search among all: of each it would be their square."""
    key = r"Microsoft\Windows\CurrentVersion\Uninstall"
    keys = {rf"{key}\{number}": {"DisplayName": f"p{number}"} for number in range(40)}
    make_windows(tmp_path, keys)
    asked = []
    real = registry._Handle.node_get_child

    def counted(handle: registry._Handle, node: int, name: str) -> int | None:
        asked.append(name)
        found: int | None = real(handle, node, name)
        return found

    monkeypatch.setattr(registry._Handle, "node_get_child", counted)
    assert len(names(tmp_path, WINDOWS)) == 40
    assert len(asked) < 20


def test_rpm_header_without_arch() -> None:
    assert parse_header(rpm_header("a", "1", "2")).version == "1-2"


def test_pacman(tmp_path: Path) -> None:
    desc = "%NAME%\nlinux\n\n%VERSION%\n6.9.1-1\n\n%DESC%\nThe kernel\n"
    make_tree(
        tmp_path,
        {
            "var/lib/pacman/local/linux-6.9.1-1/desc": desc,
            "var/lib/pacman/local/ALPM_DB_VERSION": "9\n",
        },
    )
    assert names(tmp_path) == ["linux 6.9.1-1"]


def test_snap_and_flatpak(tmp_path: Path) -> None:
    app = "var/lib/flatpak/app/org.gimp.GIMP"
    info = "files/share/metainfo/org.gimp.GIMP.metainfo.xml"
    state = {"data": {"snaps": {"firefox": {"type": "app", "current": "3836"}}}}
    make_tree(
        tmp_path,
        {
            "var/lib/snapd/state.json": json.dumps(state),
            f"{app}/x86_64/stable/abc/{info}": '<release date="1" version="2.10.38"/>',
        },
    )
    (tmp_path / app / "x86_64/stable/active").symlink_to("abc")
    (tmp_path / app / "current").symlink_to("x86_64/stable")
    assert names(tmp_path) == ["firefox revision 3836", "org.gimp.GIMP 2.10.38"]


@pytest.mark.parametrize("state", ["", "[]", '{"data": 1}', '{"data": {"snaps": {"a": {}}}}'])
def test_a_strange_snap_state_is_named(tmp_path: Path, state: str) -> None:
    make_tree(tmp_path, {"var/lib/snapd/state.json": state})
    with TargetRoot(tmp_path) as root:
        assert installed(root, LINUX).notes[0].startswith("snap: ")


def test_windows_lists_both_views_without_updates_and_parts(tmp_path: Path) -> None:
    make_windows(tmp_path)
    assert names(tmp_path, System(SystemKind.WINDOWS, "Windows")) == [
        "7-Zip 23.01 (x64) 23.01",
        "GIMP ñ 2.10.36",
    ]


def test_nothing_foreign_commands_the_terminal(tmp_path: Path) -> None:
    text = "Package: a\x1b[2Jb\nStatus: install ok installed\nVersion: 1\x07\n"
    make_tree(tmp_path, {"var/lib/dpkg/status": text})
    with TargetRoot(tmp_path) as root:
        assert installed(root, LINUX).packages == (Package("a [2Jb", "1", "dpkg"),)


def test_old_listing_begins_with_the_system(tmp_path: Path) -> None:
    make_tree(tmp_path, DEBIAN)
    with TargetRoot(tmp_path) as root:
        found = installed(root, LINUX)
    assert listing(LINUX, found) == "Some Linux 64 bits\nbash 5.2.37-2\nzlib1g 1:1.3.1-1"
    assert old_listing(LINUX, found) == "Some Linux 64 bits\nbash 5.2.37\nzlib1g 1.3.1"


def test_old_listing_names_what_runs_and_in_which_version() -> None:
    software = Software(
        (
            Package("libc6", "2:2.41-12+deb13u1", "dpkg"),
            Package("libc6-dev", "2:2.41-12+deb13u1", "dpkg"),
            Package("bash", "5.2.37-1.fc42.x86_64", "rpm"),
            Package("bash-devel", "5.2.37-1.fc42.x86_64", "rpm"),
            Package("linux", "6.12.1.arch1-1", "pacman"),
            Package("firefox", "revision 5134", "snap"),
            Package("org.gimp.GIMP", "3.0.4", "flatpak"),
        )
    )
    assert old_listing(LINUX, software).splitlines()[1:] == [
        "libc6 2.41",
        "bash 5.2.37",
        "linux 6.12.1.arch1-1",
        "firefox (snap) revision 5134",
        "org.gimp.GIMP (flatpak) 3.0.4",
    ]
