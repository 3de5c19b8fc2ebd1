# SPDX-License-Identifier: GPL-3.0-or-later
"""Old commands that do not do their work: what they answer, and that they touch nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from oglib.errors import OgErr, OgError
from oglib.shim import postconf
from oglib.shim.command import command_of
from oglib.shim.retired import COMMANDS as RETIRED
from oglib.shim.windows import COMMANDS as WINDOWS
from unit.plain_disks import plain_disk
from unit.shim.old import Old, answer, code_of


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = plain_disk(tmp_path / "disk.img")
    monkeypatch.setenv("OG_DISKS", str(path))
    return path


@pytest.mark.proves(
    "NTAutoLogon",
    "NTChangeName",
    "NTPolUserOFF",
    "NTPolUserOn",
    "NTRunMachine",
    "NTRunOnceMachine",
    "NTRunUser",
    "NTSetGroupName",
    "NTSetOwner",
    "NTStartRecovery",
    "NTStatusRatonTeclado",
    "ogAddToLaunchDaemon",
    "ogBurgDefaultEntry",
    "ogBurgDeleteEntry",
    "ogBurgHidePartitions",
    "ogBurgInstallMbr",
    "ogBurgOgliveDefaultEntry",
    "ogBurgSetAdminKeys",
    "ogBurgSetResolution",
    "ogBurgSetTheme",
    "ogBurgSetTimeOut",
    "ogGrub4dosInstallMbr",
    "ogHiveNTRunMachine",
    "ogInstallLaunchDaemon",
    "ogLoadHiveWindows",
    "ogNTPolUserOn",
    "ogSchrootLinux",
    "ogSetWindowsChkdisk",
    "ogUpdateHiveWindows",
)
@pytest.mark.refuses(
    "NTAutoLogon",
    "NTChangeName",
    "NTPolUserOFF",
    "NTPolUserOn",
    "NTRunMachine",
    "NTRunOnceMachine",
    "NTRunUser",
    "NTSetGroupName",
    "NTSetOwner",
    "NTStartRecovery",
    "NTStatusRatonTeclado",
    "ogAddToLaunchDaemon",
    "ogBurgDefaultEntry",
    "ogBurgDeleteEntry",
    "ogBurgHidePartitions",
    "ogBurgInstallMbr",
    "ogBurgOgliveDefaultEntry",
    "ogBurgSetAdminKeys",
    "ogBurgSetResolution",
    "ogBurgSetTheme",
    "ogBurgSetTimeOut",
    "ogGrub4dosInstallMbr",
    "ogHiveNTRunMachine",
    "ogInstallLaunchDaemon",
    "ogLoadHiveWindows",
    "ogNTPolUserOn",
    "ogSchrootLinux",
    "ogSetWindowsChkdisk",
    "ogUpdateHiveWindows",
)
@pytest.mark.parametrize("name", RETIRED)
def test_a_retired_name_says_what_replaces_it(name: str, disk: Path) -> None:
    before = disk.read_bytes()
    for words in ((), ("1", "1"), ("1", "1", "x", "y", "z")):
        with pytest.raises(OgError) as told:
            command_of(name).run(words)
        assert told.value.code is OgErr.NOTEXEC
        assert name in told.value.message
        assert told.value.hint.startswith("Instead of it: ")
    assert disk.read_bytes() == before


WORDS = {
    "ogSetWindowsName": ("pc14",),
    "ogSetWinlogonUser": ("student",),
    "ogWindowsRegisterPartition": ("C", "1", "1"),
    "ogInstallFirstBoot": ("postconf.cmd",),
    "ogInstallRunonce": ("postconf.cmd", "admin", "SECRET", "0"),
    "ogInstallMiniSetup": ("postconf.cmd",),
    "ogAddCmd": ("postconf.cmd", "echo"),
    "ogDomainScript": ("postconf.cmd", "uni.example", "admin", "SECRET"),
    "ogUninstallWindowsClient": ("postconf.cmd",),
}


@pytest.mark.proves(
    "ogAddCmd",
    "ogDomainScript",
    "ogFixBootSector",
    "ogGetWindowsName",
    "ogInstallFirstBoot",
    "ogInstallMiniSetup",
    "ogInstallRunonce",
    "ogSetWindowsName",
    "ogSetWinlogonUser",
    "ogUninstallWindowsClient",
    "ogWindowsBootParameters",
    "ogWindowsRegisterPartition",
)
@pytest.mark.refuses(
    "ogAddCmd",
    "ogDomainScript",
    "ogFixBootSector",
    "ogGetWindowsName",
    "ogInstallFirstBoot",
    "ogInstallMiniSetup",
    "ogInstallRunonce",
    "ogSetWindowsName",
    "ogSetWinlogonUser",
    "ogUninstallWindowsClient",
    "ogWindowsBootParameters",
    "ogWindowsRegisterPartition",
)
@pytest.mark.parametrize("name", WINDOWS)
def test_a_windows_is_not_fitted_yet(name: str, disk: Path) -> None:
    before = disk.read_bytes()
    with pytest.raises(OgError) as told:
        command_of(name).run(("1", "1", *WORDS.get(name, ())))
    assert told.value.code is OgErr.NOTOS
    assert "fits no Windows" in told.value.message
    assert "SECRET" not in str(told.value)
    assert code_of(name, "1") is OgErr.FORMAT
    assert code_of(name, "1", "9", *WORDS.get(name, ())) is OgErr.NOTFOUND
    assert disk.read_bytes() == before


def test_a_script_sees_a_number_and_a_sentence(old: Old) -> None:
    ran = old("NTChangeName", "pc14")
    assert (ran.stdout, ran.status) == ("", 7)
    assert ran.stderr == (
        "NTChangeName: NTChangeName is retired: it made scripts for chntpw, for Windows XP. "
        "Nothing was changed. Instead of it: ogSetWindowsName.\n"
    )


@pytest.mark.proves("ogDiskToRelativeDev")
def test_a_device_without_its_folder(disk: Path) -> None:
    assert answer("ogDiskToRelativeDev", "1") == disk.name
    assert answer("ogDiskToRelativeDev", "1", "2") == f"{disk.name}p2"


@pytest.mark.refuses("ogDiskToRelativeDev", "ogDeletePartitionsLabels")
def test_what_has_no_device(disk: Path) -> None:
    assert disk.exists()
    assert code_of("ogDiskToRelativeDev", "1", "9") is OgErr.NOTFOUND
    assert code_of("ogDiskToRelativeDev", "2") is OgErr.NOTFOUND
    assert code_of("ogDiskToRelativeDev") is OgErr.FORMAT
    assert code_of("ogDeletePartitionsLabels", "1") is OgErr.FORMAT


@pytest.mark.proves("ogDeletePartitionsLabels")
def test_links_by_label_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postconf, "_BY_LABEL", tmp_path / "by-label")
    assert answer("ogDeletePartitionsLabels") is None
    (tmp_path / "by-label").mkdir()
    (tmp_path / "by-label/DATA").symlink_to("../../sda1")
    (tmp_path / "by-label/file").touch()
    assert answer("ogDeletePartitionsLabels") is None
    assert [path.name for path in (tmp_path / "by-label").iterdir()] == ["file"]
