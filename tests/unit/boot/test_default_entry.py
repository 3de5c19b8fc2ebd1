# SPDX-License-Identifier: GPL-3.0-or-later
"""What a system starts by default, from its loader's texts as the distributions write them."""

from __future__ import annotations

import pytest

from oglib.boot.default_entry import (
    Start,
    environment_of,
    of_bls,
    of_grub,
    of_loader_conf,
    of_menu_lst,
)

UUID = "4d0b2fd0-5fc0-4f3c-8e7e-b1e9d3c7ab01"
# Debian 12's, without what is not asked here.
DEBIAN = f"""\
### BEGIN /etc/grub.d/00_header ###
if [ -s $prefix/grubenv ]; then
  set have_grubenv=true
  load_env
fi
if [ "${{next_entry}}" ] ; then
   set default="${{next_entry}}"
   set next_entry=
   save_env next_entry
   set boot_once=true
else
   set default="DEFAULT"
fi
if [ x"${{feature_menuentry_id}}" = xy ]; then
  menuentry_id_option="--id"
else
  menuentry_id_option=""
fi
export menuentry_id_option
function savedefault {{
  if [ -z "${{boot_once}}" ]; then
    saved_entry="${{chosen}}"
    save_env saved_entry
  fi
}}
### BEGIN /etc/grub.d/10_linux ###
menuentry 'Debian GNU/Linux' --class debian --class os $menuentry_id_option 'gnulinux-simple-{UUID}' {{
	load_video
	insmod gzio
	if [ x$grub_platform = xxen ]; then insmod xzio; insmod lzopio; fi
	set root='hd0,gpt2'
	if [ x$feature_platform_search_hint = xy ]; then
	  search --no-floppy --fs-uuid --set=root --hint-bios=hd0,gpt2  {UUID}
	else
	  search --no-floppy --fs-uuid --set=root {UUID}
	fi
	echo	'Loading Linux 6.1.0-9-amd64 ...'
	linux	/boot/vmlinuz-6.1.0-9-amd64 root=UUID={UUID} ro  quiet
	echo	'Loading initial ramdisk ...'
	initrd	/boot/initrd.img-6.1.0-9-amd64
}}
submenu 'Advanced options for Debian GNU/Linux' $menuentry_id_option 'gnulinux-advanced-{UUID}' {{
	menuentry 'Debian GNU/Linux, with Linux 6.1.0-9-amd64' --class debian $menuentry_id_option 'gnulinux-6.1.0-9-amd64-advanced-{UUID}' {{
		linux	/boot/vmlinuz-6.1.0-9-amd64 root=UUID={UUID} ro  quiet
		initrd	/boot/initrd.img-6.1.0-9-amd64
	}}
	menuentry 'Debian GNU/Linux, with Linux 6.1.0-7-amd64 (recovery mode)' --class debian $menuentry_id_option 'gnulinux-6.1.0-7-amd64-recovery-{UUID}' {{
		linux	/boot/vmlinuz-6.1.0-7-amd64 root=UUID={UUID} ro single
		initrd	/boot/initrd.img-6.1.0-7-amd64
	}}
}}
### BEGIN /etc/grub.d/30_uefi-firmware ###
menuentry 'UEFI Firmware Settings' $menuentry_id_option 'uefi-firmware' {{
	fwsetup
}}
"""  # noqa: E501, E101
NORMAL = Start(
    "Debian GNU/Linux",
    "/boot/vmlinuz-6.1.0-9-amd64",
    ("/boot/initrd.img-6.1.0-9-amd64",),
    f"root=UUID={UUID} ro quiet",
)


def debian(default: str, **environment: str) -> Start | None:
    return of_grub(DEBIAN.replace("DEFAULT", default), environment)


def kernel(start: Start | None) -> str:
    return start.kernel if start else ""


@pytest.mark.parametrize(
    "default", ["0", "Debian GNU/Linux", f"gnulinux-simple-{UUID}", "77", "no"]
)
def test_the_default_of_a_menu(default: str) -> None:
    assert debian(default) == NORMAL


@pytest.mark.parametrize(
    "default",
    [
        "1>1",
        f"gnulinux-advanced-{UUID}>gnulinux-6.1.0-7-amd64-recovery-{UUID}",
        "Advanced options for Debian GNU/Linux>1",
    ],
)
def test_an_entry_of_a_submenu(default: str) -> None:
    found = debian(default)
    assert kernel(found) == "/boot/vmlinuz-6.1.0-7-amd64"
    assert found
    assert found.options.endswith("ro single")


def test_a_saved_entry() -> None:
    assert kernel(debian("${saved_entry}", saved_entry="1>1")) == "/boot/vmlinuz-6.1.0-7-amd64"
    assert debian("${saved_entry}") == NORMAL
    # the next start's is no default
    assert debian("0", next_entry="1>1") == NORMAL


def test_an_entry_that_starts_no_linux() -> None:
    assert debian("uefi-firmware") is None
    assert of_grub("", {}) is None
    assert of_grub("set default=0\nlinux /vmlinuz\n}\n}\n", {}) is None


def test_quotes_devices_and_variables() -> None:
    text = """\
set kernelopts="root=/dev/mapper/rhel-root ro"
set x='a b'
menuentry "He said \\"go\\" \\$1" { # a comment
  linuxefi ($root)/vmlinuz-4.18 $kernelopts ${nothing} rhgb#1 "one two"; initrdefi (hd0,gpt2)/i.img /j.img
}
"""  # noqa: E501
    assert of_grub(text, {}) == Start(
        'He said "go" $1',
        "/vmlinuz-4.18",
        ("/i.img", "/j.img"),
        "root=/dev/mapper/rhel-root ro rhgb#1 one two",
    )


def test_menus_that_never_end_are_read_to_a_depth() -> None:
    text = "submenu 'a' {\n" * 5000 + "menuentry 'b' {\nlinux /v\n"
    of_grub(text, {})


def test_variables_made_of_variables_do_not_grow_without_end() -> None:
    lines = ["set a0=xxxxxxxx", *(f"set a{n + 1}=$a{n}$a{n}" for n in range(2000))]
    found = of_grub("\n".join([*lines, "menuentry x {", "linux /v $a100 $a1999", "}"]), {})
    assert found
    assert len(found.options) < 10_000


# ---- BLS ---------------------------------------------------------------------------------------


def entry(version: str, title: str = "") -> str:
    return (
        f"title {title or f'Fedora Linux ({version}) 40'}\nversion {version}\n"
        f"linux /vmlinuz-{version}\ninitrd /initramfs-{version}.img $tuned_initrd\n"
        "options $kernelopts rhgb quiet\ngrub_users $grub_users\n"
    )


FEDORA = {
    "0aa-0-rescue.conf": entry("0-rescue-0aa", "Fedora Linux (0-rescue-0aa) 40"),
    "0aa-6.8.5-301.fc40.x86_64.conf": entry("6.8.5-301.fc40.x86_64"),
    "0aa-6.10.10-200.fc40.x86_64.conf": entry("6.10.10-200.fc40.x86_64"),
}


def test_entries_of_files_are_the_newest_first_and_the_rescue_one_last() -> None:
    found = of_bls(FEDORA, {"kernelopts": "root=UUID=x ro"})
    assert [one.kernel for one in found] == [
        "/vmlinuz-6.10.10-200.fc40.x86_64",
        "/vmlinuz-6.8.5-301.fc40.x86_64",
        "/vmlinuz-0-rescue-0aa",
    ]
    assert found[0].initrds == ("/initramfs-6.10.10-200.fc40.x86_64.img",)
    assert found[0].options == "root=UUID=x ro rhgb quiet"


def test_the_saved_one_goes_first() -> None:
    saved = {"saved_entry": "0aa-6.8.5-301.fc40.x86_64"}
    assert kernel(of_bls(FEDORA, saved)[0]) == "/vmlinuz-6.8.5-301.fc40.x86_64"
    grub = 'set default="${saved_entry}"\ninsmod blscfg\nblscfg\n'
    assert kernel(of_grub(grub, saved, of_bls(FEDORA, saved))) == "/vmlinuz-6.8.5-301.fc40.x86_64"


def test_what_loader_conf_names() -> None:
    assert of_loader_conf("timeout 3\ndefault 0aa-6.8*\n") == "0aa-6.8*"
    assert of_loader_conf("default @saved\n#default x\n") == ""
    assert kernel(of_bls(FEDORA, {}, "0aa-6.8*")[0]) == "/vmlinuz-6.8.5-301.fc40.x86_64"
    assert kernel(of_bls(FEDORA, {}, "0aa-0-rescue.conf")[0]) == "/vmlinuz-0-rescue-0aa"


def test_files_that_start_no_linux() -> None:
    assert of_bls({"a.conf": "title Windows\nefi /EFI/x.efi\n", "b.conf": ""}, {}) == ()


# ---- GRUB legacy -------------------------------------------------------------------------------

CENTOS6 = """\
# grub.conf generated by anaconda
default=1
timeout=5
splashimage=(hd0,0)/grub/splash.xpm.gz
hiddenmenu
title CentOS (2.6.32-754.el6.x86_64)
	root (hd0,0)
	kernel /vmlinuz-2.6.32-754.el6.x86_64 ro root=/dev/mapper/vg-root rhgb quiet
	initrd /initramfs-2.6.32-754.el6.x86_64.img
title CentOS old
	root (hd0,0)
	kernel (hd0,0)/vmlinuz-2.6.32-1 --no-mem-option ro root=/dev/sda2
	initrd (hd0,0)/initramfs-2.6.32-1.img
title Windows
	rootnoverify (hd0,1)
	chainloader +1
"""


def test_a_menu_of_grub_legacy() -> None:
    assert of_menu_lst(CENTOS6) == Start(
        "CentOS old", "/vmlinuz-2.6.32-1", ("/initramfs-2.6.32-1.img",), "ro root=/dev/sda2"
    )
    first = CENTOS6.replace("default=1", "default 0")
    assert kernel(of_menu_lst(first)) == "/vmlinuz-2.6.32-754.el6.x86_64"
    assert kernel(of_menu_lst(CENTOS6.replace("default=1", "default saved"), "1\n")) == (
        "/vmlinuz-2.6.32-1"
    )
    assert of_menu_lst(CENTOS6.replace("default=1", "default=2")) is None
    assert of_menu_lst(CENTOS6.replace("default=1", "default=9")) is None
    assert of_menu_lst("") is None


def test_a_grubenv() -> None:
    text = "# GRUB Environment Block\nsaved_entry=0aa-6.8\nkernelopts=root=UUID=x ro\n######"
    assert environment_of(text) == {"saved_entry": "0aa-6.8", "kernelopts": "root=UUID=x ro"}
