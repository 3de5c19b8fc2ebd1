# SPDX-License-Identifier: GPL-3.0-or-later
"""Distributions from fixtures with the real files' shape: nothing here was started.

Each is a tree as its installer leaves it, fitted by all steps to a PC with other disks, card, name.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from oglib.boot import fittings as boot
from oglib.boot.facts import BootFacts
from oglib.disk.firmware import Firmware
from oglib.disk.model import Disk, TableKind
from oglib.fitting.devices import Known
from oglib.fitting.fittings import CheckedFitting, check_all
from oglib.fitting.policy import FittingPolicy
from oglib.fitting.steps import Outcome
from oglib.osconfig.facts import Nic, PcFacts
from oglib.osconfig.fitted import how_proven
from oglib.osconfig.kinds import find_system
from oglib.osconfig.linux.fittings import FITTINGS, LAST
from oglib.osconfig.root import TargetRoot
from unit.osconfig.trees import contents

ROOT = "11111111-1111-4111-8111-111111111111"
BOOT = "22222222-2222-4222-8222-222222222222"
SWAP = "33333333-3333-4333-8333-333333333333"
OLD = "99999999-9999-4999-8999-999999999999"
OLD_SWAP = "88888888-8888-4888-8888-888888888888"
OLD_BOOT = "77777777-7777-4777-8777-777777777777"
ID = "0123456789abcdef0123456789abcdef"
MAC, OLD_MAC = "52:54:00:00:00:01", "00:11:22:33:44:55"
FACTS = PcFacts(
    root=Known("ext4", ROOT, number=3),
    hostname="pc17",
    swaps=(Known("swap", SWAP, number=2),),
    others=(Known("ext4", BOOT, number=1),),
    nics=(Nic("enp1s0", frozenset(("eth0", "enp1s0")), MAC),),
)
MENU = ("grub.cfg", "grub-defaults", "loader-entries", "kernel-cmdline")

UBUNTU = {
    "etc/os-release": 'ID=ubuntu\nID_LIKE=debian\nPRETTY_NAME="Ubuntu 24.04.1 LTS"\n',
    "etc/hostname": "model\n",
    "etc/hosts": "127.0.0.1 localhost\n127.0.1.1 model\n",
    "etc/machine-id": f"{ID}\n",
    "etc/fstab": f"/dev/disk/by-uuid/{OLD} / ext4 defaults 0 1\n/swap.img\tnone\tswap\tsw\t0\t0\n",
    "etc/netplan/50-cloud-init.yaml": "network:\n  version: 2\n  ethernets:\n    ens33:\n"
    "      dhcp4: true\n",
    "boot/grub/grub.cfg": "### BEGIN /etc/grub.d/10_linux ###\n"
    f"linux /boot/vmlinuz root=UUID={OLD} ro quiet\ninitrd /boot/initrd.img\n"
    "### END /etc/grub.d/10_linux ###\n",
}
RHEL = {
    "etc/os-release": 'ID="rhel"\nPRETTY_NAME="Red Hat Enterprise Linux 9.4 (Plow)"\n',
    "etc/hostname": "model\n",
    "etc/hosts": "127.0.0.1 localhost localhost.localdomain\n",
    "etc/machine-id": f"{ID}\n",
    "etc/fstab": f"UUID={OLD} / xfs defaults 0 0\nUUID={OLD_SWAP} none swap defaults 0 0\n",
    "etc/selinux/config": "SELINUX=enforcing\nSELINUXTYPE=targeted\n",
    "etc/lvm/devices/system.devices": "IDTYPE=sys_serial IDNAME=OLD\n",
    "etc/NetworkManager/system-connections/enp0s3.nmconnection": "[connection]\nid=enp0s3\n"
    "type=ethernet\ninterface-name=enp0s3\n[ipv4]\nmethod=auto\n",
    f"boot/loader/entries/{ID}-5.14.0-1.el9.conf": "title RHEL\nversion 5.14.0-1.el9\n"
    f"linux /boot/vmlinuz-5.14.0-1.el9\ninitrd /boot/initramfs-5.14.0-1.el9.img\n"
    f"options root=UUID={OLD} ro resume=UUID={OLD_SWAP}\n",
    "boot/grub2/grub.cfg": "set prefix=($root)/boot/grub2\nblscfg\n",
    "boot/grub2/grubenv": f"# GRUB Environment Block\nsaved_entry={ID}-5.14.0-1.el9\n".ljust(
        1024, "#"
    ),
}
SUSE = {
    "usr/lib/os-release": 'ID="opensuse-leap"\nPRETTY_NAME="openSUSE Leap 15.6"\n',
    "etc/hostname": "model\n",
    "etc/hosts": "127.0.0.1 localhost\n",
    "etc/machine-id": f"{ID}\n",
    "etc/fstab": f"UUID={OLD} / ext4 defaults 0 0\nUUID={OLD_SWAP} swap swap defaults 0 0\n",
    "etc/sysconfig/network/ifcfg-eth0": "BOOTPROTO='dhcp'\nSTARTMODE='auto'\n",
    "var/lib/wicked/duid.xml": "<default/>\n",
    "boot/grub2/grub.cfg": "### BEGIN /etc/grub.d/10_linux ###\n"
    f"linux /boot/vmlinuz root=UUID={OLD} resume=UUID={OLD_SWAP}\ninitrd /boot/initrd\n"
    "### END /etc/grub.d/10_linux ###\n",
}
ARCH = {
    "usr/lib/os-release": 'ID=arch\nPRETTY_NAME="Arch Linux"\n',
    "etc/hostname": "model\n",
    "etc/hosts": "",
    "etc/machine-id": f"{ID}\n",
    "etc/fstab": f"# /dev/sda2\nUUID={OLD}\t/\text4\trw,relatime\t0 1\n",
    "etc/systemd/network/20-wired.network": "[Match]\nName=enp5s0\n[Network]\nDHCP=yes\n",
    "boot/grub/grub.cfg": "### BEGIN /etc/grub.d/10_linux ###\n"
    f"linux /boot/vmlinuz-linux root=UUID={OLD} rw\ninitrd /boot/initramfs-linux.img\n"
    "### END /etc/grub.d/10_linux ###\n",
}
CENTOS_6 = {
    "etc/centos-release": "CentOS release 6.10 (Final)\n",
    "etc/redhat-release": "CentOS release 6.10 (Final)\n",
    "etc/sysconfig/network": "NETWORKING=yes\nHOSTNAME=model\n",
    "etc/hosts": "127.0.0.1   localhost localhost.localdomain localhost4\n",
    "etc/fstab": f"UUID={OLD} / ext4 defaults 1 1\nUUID={OLD_SWAP} swap swap defaults 0 0\n"
    "tmpfs /dev/shm tmpfs defaults 0 0\n",
    "etc/udev/rules.d/70-persistent-net.rules": f'ATTR{{address}}=="{OLD_MAC}", NAME="eth0"\n',
    "etc/sysconfig/network-scripts/ifcfg-eth0": f"DEVICE=eth0\nHWADDR={OLD_MAC}\n"
    "TYPE=Ethernet\nONBOOT=yes\nBOOTPROTO=dhcp\n",
    "boot/grub/grub.conf": "default=0\ntimeout=5\nsplashimage=(hd0,0)/grub/splash.xpm.gz\n"
    "title CentOS (2.6.32-754.el6.x86_64)\n\troot (hd0,0)\n"
    f"\tkernel /vmlinuz-2.6.32 ro root=UUID={OLD} rd_NO_LUKS quiet\n\tinitrd /initramfs.img\n"
    "title Other\n\trootnoverify (hd0,0)\n\tchainloader +1\n",
}
SLES_11 = {
    "etc/SuSE-release": "SUSE Linux Enterprise Server 11 (x86_64)\nVERSION = 11\nPATCHLEVEL = 4\n",
    "etc/HOSTNAME": "model.uni.example\n",
    "etc/hosts": "127.0.0.1 localhost\n",
    "etc/fstab": f"UUID={OLD} / ext3 acl,user_xattr 1 1\n",
    "etc/sysconfig/network/ifcfg-eth0": "BOOTPROTO='dhcp'\nSTARTMODE='auto'\n",
    "boot/grub/menu.lst": "default 0\ntimeout 8\n    gfxmenu (hd0,1)/boot/message\n\n"
    "title SUSE Linux Enterprise Server 11\n    root (hd0,1)\n"
    f"    kernel /boot/vmlinuz root=UUID={OLD} resume=/dev/sda1 splash=silent\n"
    "    initrd /boot/initrd\n",
}
TREES = {
    "ubuntu": UBUNTU,
    "rhel": RHEL,
    "opensuse-leap": SUSE,
    "arch": ARCH,
    "centos": CENTOS_6,
    "sles": SLES_11,
}


def made(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def facts_for(name: str) -> tuple[PcFacts, BootFacts]:
    disk = Disk(1, Path("/dev/none"), 2**34, TableKind.MSDOS)
    start = FACTS.others[0] if name == "centos" else None  # with a /boot of its own
    kind = "xfs" if name == "rhel" else "ext4"
    pc = replace(FACTS, root=replace(FACTS.root, kind=kind))
    return pc, BootFacts(disk, Firmware.BIOS, name, pc.root, pc.swaps, pc.others, boot=start)


def planned(
    root: TargetRoot, name: str
) -> list[CheckedFitting[PcFacts] | CheckedFitting[BootFacts]]:
    """All that writes files, in its order."""
    pc, start = facts_for(name)
    menu = [one for one in boot.FITTINGS[Firmware.BIOS] if one.name in MENU]
    found: list[CheckedFitting[PcFacts] | CheckedFitting[BootFacts]] = [
        *check_all(root, pc, FITTINGS)
    ]
    found += check_all(root, start, menu)
    new = tuple(edit.path for one in found for edit in one.checked.edits if edit.is_new)
    return [*found, *check_all(root, replace(pc, new_files=new), LAST)]


@pytest.mark.parametrize("name", TREES)
def test_a_distribution_becomes_this_pcs_own_and_twice_is_once(tmp_path: Path, name: str) -> None:
    tree = made(tmp_path / "root", TREES[name])
    with TargetRoot(tree) as root:
        found = find_system(root)
        assert found is not None
        assert (found.kind, found.id) == ("Linux", name)
        (note,) = how_proven(found)
        assert "from fixtures, not boot-tested" in note
        steps = [one.done(root) for one in planned(root, name)]
        assert Outcome.FAILED not in {step.outcome for step in steps}, steps
        after = contents(tree)
        again = [one.done(root) for one in planned(root, name)]
        assert {step.outcome for step in again} == {Outcome.NOT_NEEDED}, again
    assert contents(tree) == after
    kept = {path: text for path, text in after.items() if not path.endswith(".backup")}
    said = b"\n".join(kept.values()).decode()
    for gone in (OLD, OLD_SWAP, OLD_MAC, "ens33", "enp0s3", "enp5s0"):
        assert gone not in said.replace("id=enp0s3", "")
    assert f"UUID={ROOT}" in said


def test_boot_entries_of_rhel_follow_and_nothing_is_relabelled(tmp_path: Path) -> None:
    tree = made(tmp_path / "root", RHEL)
    with TargetRoot(tree) as root:
        for one in planned(root, "rhel"):
            one.done(root)
    new = (tree / "etc/machine-id").read_text().strip()
    (entry,) = (tree / "boot/loader/entries").iterdir()
    assert entry.name == f"{new}-5.14.0-1.el9.conf"
    assert f"options root=UUID={ROOT} ro resume=UUID={SWAP}\n" in entry.read_text()
    assert f"saved_entry={new}-5.14" in (tree / "boot/grub2/grubenv").read_text()
    assert (tree / "etc/lvm/devices/system.devices.before-oglive").exists()
    assert not (tree / ".autorelabel").exists()  # only a backup is new, which nobody reads


def test_a_menu_of_grub_legacy(tmp_path: Path) -> None:
    for name, path in (("centos", "boot/grub/grub.conf"), ("sles", "boot/grub/menu.lst")):
        tree = made(tmp_path / name, TREES[name])
        with TargetRoot(tree) as root:
            for one in planned(root, name):
                one.done(root)
        old = TREES[name][path]
        number = {"centos": "(hd0,0)", "sles": "(hd0,2)"}[name]
        wanted = old.replace(OLD, ROOT).replace("(hd0,1)", number)
        # a picture, which ogLive's GRUB does not show
        wanted = wanted.replace(f"gfxmenu {number}", "gfxmenu (hd0,1)")
        wanted = wanted.replace("resume=/dev/sda1", f"resume=UUID={SWAP}")
        assert (tree / path).read_text() == wanted


LED_AWAY = (
    "etc/ssh",
    "etc/netplan",
    "etc/network",
    "etc/systemd/network",
    "etc/NetworkManager",
    "etc/sysconfig",
    "etc/udev/rules.d",
    "etc/lvm/devices",
    "var/lib",
    "var/ossec",
    "var/cache/debconf",
    "boot/loader/entries",
    "boot/grub2",
    "usr/share/zoneinfo",
)


@pytest.mark.parametrize("how", ["absolute", "climbing", "each file"])
def test_links_of_a_hostile_image_lead_nowhere(tmp_path: Path, how: str) -> None:
    """What bears the same names outside of the root is neither read nor written."""
    outside, tree = made(tmp_path / "outside", HOSTILE), made(tmp_path / "root", HOSTILE)
    before = {path: path.read_bytes() for path in outside.rglob("*") if path.is_file()}
    if how == "each file":
        for name in HOSTILE:
            if name != "etc/os-release":
                (tree / name).unlink()
                (tree / name).symlink_to(outside / name)
    else:
        for name in LED_AWAY:
            shutil.rmtree(tree / name, ignore_errors=True)
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            up = "../" * 40
            target = outside / name if how == "absolute" else Path(f"{up}{outside / name}")
            (tree / name).symlink_to(target)
    facts = replace(FACTS, policy=FittingPolicy(timezone="Etc/UTC", keyboard="es"), disk_id="/x")
    with TargetRoot(tree) as root:
        for one in check_all(root, facts, (*FITTINGS, *LAST)):
            one.done(root)
    assert {path: path.read_bytes() for path in outside.rglob("*") if path.is_file()} == before


HOSTILE = {
    **UBUNTU,
    **RHEL,
    **CENTOS_6,
    "etc/ssh/ssh_host_rsa_key": "of the host\n",
    "etc/systemd/network/1.network": ARCH["etc/systemd/network/20-wired.network"],
    "etc/network/interfaces": "auto ens33\niface ens33 inet dhcp\n",
    "var/lib/dhcp/dhclient.leases": "x\n",
    "var/lib/sss/db/cache_x.ldb": "x\n",
    "var/ossec/etc/client.keys": "x\n",
    "var/cache/debconf/config.dat": "Name: grub-pc/install_devices\nValue: /dev/sda\n",
    "usr/share/zoneinfo/Etc/UTC": "x\n",
    "etc/vconsole.conf": "KEYMAP=us\n",
    "etc/localtime": "x\n",
}
