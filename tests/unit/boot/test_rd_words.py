# SPDX-License-Identifier: GPL-3.0-or-later
"""What dracut is told to open: what is here stays, what was renamed follows, the rest is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from oglib.boot import bls, grub
from oglib.boot.command_line import adapt_words
from oglib.boot.grub_config import away_config
from oglib.boot.rd_words import not_here
from oglib.fitting.devices import Known, volume_of
from oglib.fitting.fittings import Need
from oglib.osconfig.root import TargetRoot
from unit.boot.facts import GONE, ROOT_UUID, facts
from unit.osconfig.test_identity import put


def volume(group: str, name: str, kind: str = "xfs") -> Known:
    mapped = "-".join(one.replace("-", "--") for one in (group, name))
    nodes = (f"/dev/{group}/{name}", f"/dev/mapper/{mapped}")
    return Known(kind, f"of-{group}-{name}", nodes=nodes)


LUKS = Known("crypto_LUKS", "aaaaaaaa-1111-4222-8333-444444444444", number=4)
RAID = Known("linux_raid_member", "bbbbbbbb-1111-2222-3333-cccccccccccc", number=5)
HERE = facts(
    root=volume("lab-1", "root"),
    swaps=(volume("lab-1", "swap", "swap"),),
    others=(LUKS, RAID, volume("data", "home")),
)
PLAIN = facts(others=(LUKS, RAID))

STAY = [
    "rd.lvm.lv=lab-1/root rd.lvm.lv=lab-1/swap",
    "rd.lvm.vg=data resume=/dev/mapper/lab--1-swap",
    "rd.luks.uuid=luks-aaaaaaaa-1111-4222-8333-444444444444 rd.luks.uuid=aaaaaaaa",
    "rd.luks.name=aaaaaaaa-1111-4222-8333-444444444444=cryptroot",
    "rd.md.uuid=bbbbbbbb:11112222:3333cccc:cccccccc",
    "rd_LVM_LV=lab-1/root rd_NO_MD rd_LUKS_UUID=luks-aaaaaaaa rd_MD_UUID=bbbbbbbb:11112222",
    "resume=/dev/mapper/cryptswap",  # which its own system opens by that name
]
FOLLOW = [
    ("rd.lvm.lv=cl/root rd.lvm.lv=cl/swap x", "rd.lvm.lv=lab-1/root rd.lvm.lv=lab-1/swap x"),
    ("rd_LVM_LV=cl/root rd.lvm.vg=cl", "rd_LVM_LV=lab-1/root rd.lvm.vg=lab-1"),
    ("resume=/dev/mapper/cl-swap x", "resume=/dev/mapper/lab--1-swap x"),
    ("resume=/dev/cl/swap", "resume=/dev/lab-1/swap"),
    (
        "root=/dev/mapper/cl-root rd.lvm.lv=cl/root",
        "root=/dev/mapper/lab--1-root rd.lvm.lv=lab-1/root",
    ),
]
AWAY = [
    ("rd.lvm.lv=cl/var q", "rd.lvm.lv=cl/var"),  # the root's group has none of that name
    ("rd.lvm.lv=data/swap", "rd.lvm.lv=data/swap"),  # whose group is here
    ("rd.luks.uuid=luks-99999999", "rd.luks.uuid=luks-99999999"),
    (f"rd.luks.name={GONE}=root", f"rd.luks.name={GONE}=root"),
    ("rd.md.uuid=99999999:11112222 x", "rd.md.uuid=99999999:11112222"),
    ("resume=/dev/cl/hibernate", "resume=/dev/cl/hibernate"),
]


@pytest.mark.parametrize("line", STAY)
def test_what_is_here_stays(line: str) -> None:
    assert adapt_words(line, HERE, own=True) == line
    assert not_here(line, HERE) == ()


@pytest.mark.parametrize(("line", "new"), FOLLOW)
def test_what_has_another_group_follows_the_root(line: str, new: str) -> None:
    assert adapt_words(line, HERE, own=True) == new
    assert not_here(new, HERE) == ()


@pytest.mark.parametrize(("line", "word"), AWAY)
def test_what_is_not_here_stays_and_is_named(line: str, word: str) -> None:
    assert adapt_words(line, HERE, own=True) == line
    assert not_here(line, HERE) == (word,)


def test_a_root_that_left_lvm_leaves_words_that_are_told() -> None:
    line = "rd.lvm.lv=cl/root rd.lvm.lv=cl/root rd.lvm.vg=cl"
    assert adapt_words(line, PLAIN, own=True) == line
    assert not_here(line, PLAIN) == ("rd.lvm.lv=cl/root", "rd.lvm.vg=cl")


def test_paths_of_volumes() -> None:
    assert volume_of("/dev/mapper/a--b-c") == volume_of("/dev/a-b/c") == ("a-b", "c")
    for other in ("/dev/sda1", "/dev/mapper/luks-1-2", "/dev/mapper/crypt", "/dev/md/x", "UUID=x"):
        assert volume_of(other) is None


@pytest.mark.timeout(60)
@pytest.mark.parametrize("value", ["-" * 1_000_000, "a-" * 500_000, "a--" * 300_000])
def test_the_name_of_no_volume_is_read_in_time(value: str) -> None:
    """One that can be parted in many ways, none of them right, would take hours."""
    line = f"resume=/dev/mapper/{value}"
    assert adapt_words(line, HERE, own=True) == line
    assert not_here(line, HERE) == ()


def test_every_text_tells_them(tmp_path: Path) -> None:
    words = f"root=UUID={ROOT_UUID} ro rd.lvm.lv=cl/root"
    menu = f"menuentry x {{\n linux /v {words}\n initrd /i\n}}\n"
    put(tmp_path, "boot/loader/entries/a.conf", text=f"linux /v\ninitrd /i\noptions {words}\n")
    put(tmp_path, "etc/default/grub", text='GRUB_CMDLINE_LINUX="rd.lvm.lv=cl/root"\n')
    put(tmp_path, "etc/kernel/cmdline", text=f"{words}\n")
    put(tmp_path, "boot/grub/grub.cfg", text=menu)
    told = "rd.lvm.lv=cl/root names what is not on this PC, and its start may wait for it"
    with TargetRoot(tmp_path) as root:
        for check in (grub.config, grub.defaults, bls.entries, bls.command_line):
            found = check(root, PLAIN)
            assert (found.need, found.detail) == (Need.NOT_NEEDED, told), check


def test_of_other_systems_in_the_menu_nothing_is_told() -> None:
    text = (
        "### BEGIN /etc/grub.d/10_linux ###\n linux /v rd.lvm.vg=cl\n"
        "### END /etc/grub.d/10_linux ###\n### BEGIN /etc/grub.d/30_os-prober ###\n"
        " linux /v rd.lvm.vg=other\n### END /etc/grub.d/30_os-prober ###\n# rd.lvm.vg=no\n"
    )
    assert away_config(text, PLAIN) == ("rd.lvm.vg=cl",)
