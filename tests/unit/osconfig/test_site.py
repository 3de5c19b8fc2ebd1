# SPDX-License-Identifier: GPL-3.0-or-later
"""Clock, language and keyboard by the site's policy; what was noted of the model's disks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from oglib.fitting.devices import Known
from oglib.fitting.steps import Outcome
from unit.osconfig.test_identity import FACTS, put, step, with_policy

MADRID = with_policy(timezone="Europe/Madrid", locale="es_ES.UTF-8", keyboard="es")
ZONES = ("usr/share/zoneinfo/Europe/Madrid", "usr/share/zoneinfo/Etc/UTC")


def test_nothing_is_asked_for(tmp_path: Path) -> None:
    put(tmp_path, *ZONES, "etc/locale.conf", "etc/vconsole.conf")
    for name in ("timezone", "locale", "keyboard"):
        assert step(tmp_path, name).outcome is Outcome.NOT_NEEDED


def test_a_debian(tmp_path: Path) -> None:
    put(tmp_path, *ZONES)
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/localtime").symlink_to("/usr/share/zoneinfo/Etc/UTC")
    put(tmp_path, "etc/timezone", text="Etc/UTC\n")
    put(tmp_path, "etc/default/keyboard", text='XKBMODEL="pc105"\nXKBLAYOUT="us"\n')
    put(tmp_path, "etc/locale.conf", text="LANG=C.UTF-8\nLC_TIME=C\n")
    (tmp_path / "etc/default/locale").symlink_to("../locale.conf")
    for name in ("timezone", "locale", "keyboard"):
        assert step(tmp_path, name, MADRID).outcome is Outcome.DONE
    assert str((tmp_path / "etc/localtime").readlink()) == "../usr/share/zoneinfo/Europe/Madrid"
    assert (tmp_path / "etc/timezone").read_text() == "Europe/Madrid\n"
    assert (tmp_path / "etc/default/locale").read_text() == "LANG=es_ES.UTF-8\nLC_TIME=C\n"
    assert 'XKBMODEL="pc105"\nXKBLAYOUT="es"\n' in (tmp_path / "etc/default/keyboard").read_text()
    for name in ("timezone", "locale", "keyboard"):
        assert step(tmp_path, name, MADRID).outcome is Outcome.NOT_NEEDED


def test_systems_from_before_systemd_from_fixtures(tmp_path: Path) -> None:
    put(tmp_path, *ZONES, "etc/localtime")
    put(tmp_path, "etc/sysconfig/clock", text='ZONE="UTC"\n')
    put(tmp_path, "etc/sysconfig/i18n", text='LANG="en_US.UTF-8"\nSYSFONT="x"\n')
    put(tmp_path, "etc/sysconfig/keyboard", text='KEYTABLE="us"\nMODEL="pc105+inet"\n')
    for name in ("timezone", "locale", "keyboard"):
        assert step(tmp_path, name, MADRID).outcome is Outcome.DONE
        assert step(tmp_path, name, MADRID).outcome is Outcome.NOT_NEEDED
    assert (tmp_path / "etc/localtime").is_symlink()
    assert (tmp_path / "etc/sysconfig/clock").read_text() == 'ZONE="Europe/Madrid"\n'
    assert (tmp_path / "etc/sysconfig/i18n").read_text() == 'LANG="es_ES.UTF-8"\nSYSFONT="x"\n'


def test_x11_has_its_own_word_for_it(tmp_path: Path) -> None:
    path = "etc/X11/xorg.conf.d/00-keyboard.conf"
    put(tmp_path, path, text='Section "InputClass"\n  Option "XkbLayout" "us"\nEndSection\n')
    put(tmp_path, "etc/vconsole.conf", text="KEYMAP=us\nFONT=x\n")
    assert step(tmp_path, "keyboard", MADRID).outcome is Outcome.DONE
    assert '  Option "XkbLayout" "es"\n' in (tmp_path / path).read_text()
    assert (tmp_path / "etc/vconsole.conf").read_text() == "KEYMAP=es\nFONT=x\n"


def test_a_zone_that_the_system_does_not_know(tmp_path: Path) -> None:
    told = step(tmp_path, "timezone", MADRID)
    assert (told.outcome, "knows no Europe/Madrid" in told.detail) == (Outcome.FAILED, True)


def test_a_list_of_disks_for_lvm_is_put_aside(tmp_path: Path) -> None:
    put(tmp_path, "etc/lvm/devices/system.devices")
    assert step(tmp_path, "lvm-devices").outcome is Outcome.DONE
    names = [path.name for path in (tmp_path / "etc/lvm/devices").iterdir()]
    assert names == ["system.devices.before-oglive"]
    assert step(tmp_path, "lvm-devices").outcome is Outcome.NOT_NEEDED


DEBCONF = """Name: grub-pc/install_devices
Template: grub-pc/install_devices
Value: /dev/disk/by-id/ata-OLD_1
Owners: grub-pc
Flags: seen

Name: grub-efi/install_devices
Template: grub-efi/install_devices
Value: /dev/disk/by-id/ata-OLD_1-part1
Owners: grub-efi-amd64

Name: other/install_devices
Template: other
Value: /dev/disk/by-id/ata-OLD_1
"""


def test_the_next_update_of_grub_finds_its_disk(tmp_path: Path) -> None:
    path = "var/cache/debconf/config.dat"
    put(tmp_path, path, text=DEBCONF)
    assert step(tmp_path, "debconf").outcome is Outcome.NOT_NEEDED  # a disk without such a name
    facts = replace(FACTS, disk_id="/dev/disk/by-id/nvme-NEW", esp=Known("vfat", "A-B", number=3))
    assert step(tmp_path, "debconf", facts).outcome is Outcome.DONE
    new = DEBCONF.replace("ata-OLD_1\nOwners: grub-pc", "nvme-NEW\nOwners: grub-pc")
    new = new.replace("ata-OLD_1-part1", "nvme-NEW-part3")
    assert (tmp_path / path).read_text() == new
    assert step(tmp_path, "debconf", facts).outcome is Outcome.NOT_NEEDED


def test_selinux_labels_what_is_new(tmp_path: Path) -> None:
    new = replace(FACTS, new_files=("boot/x", "etc/kernel/entry-token"))
    assert step(tmp_path, "selinux", new).detail == "no SELinux here"
    put(tmp_path, "etc/selinux/config", text="# SELINUX=disabled\nSELINUX=enforcing\n")
    assert step(tmp_path, "selinux").detail == "no file is new"
    assert step(tmp_path, "selinux", replace(FACTS, new_files=("boot/x",))).detail == (
        "no file is new"
    )
    assert step(tmp_path, "selinux", new).outcome is Outcome.DONE
    assert (tmp_path / ".autorelabel").read_bytes() == b""
    assert step(tmp_path, "selinux", new).outcome is Outcome.NOT_NEEDED
