# SPDX-License-Identifier: GPL-3.0-or-later
"""What GRUB's files name of the model PC, on another one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from oglib.boot.bls import adapt_entry
from oglib.boot.grub_config import adapt_config, adapt_defaults, adapt_environment
from oglib.disk.model import TableKind
from oglib.fitting.devices import Known
from unit.boot.facts import (
    BOOT,
    BOOT_UUID,
    GONE,
    OTHER,
    OTHER_UUID,
    ROOT,
    ROOT_UUID,
    SWAP_UUID,
    facts,
)

DEBIAN = """\
### BEGIN /etc/grub.d/00_header ###
if [ x$feature_default_font_path = xy ] ; then
   font=unicode
else
insmod part_msdos
set root='hd0,msdos1'
if [ x$feature_platform_search_hint = xy ]; then
  search --no-floppy --fs-uuid --set=root --hint-bios=hd0,msdos1 --hint='hd0,msdos1'  {search}
else
  search --no-floppy --fs-uuid --set=root {search}
fi
fi
### END /etc/grub.d/00_header ###
### BEGIN /etc/grub.d/10_linux ###
menuentry 'Debian GNU/Linux' --class debian {
\tset root='hd0,msdos1'
\tif [ x$feature_platform_search_hint = xy ]; then
\t  search --no-floppy --fs-uuid --set=root --hint-bios=hd0,msdos1 --hint-efi=hd0,msdos1 {search}
\telse
\t  search --no-floppy --fs-uuid --set=root {search}
\tfi
\tlinux\t/boot/vmlinuz-6.12 root={device} ro quiet{resume}
\tinitrd\t/boot/initrd.img-6.12
}
### END /etc/grub.d/10_linux ###
### BEGIN /etc/grub.d/30_os-prober ###
menuentry 'Another (on /dev/sdb1)' {
\tset root='hd1,msdos1'
\tsearch --no-floppy --fs-uuid --set=root --hint-bios=hd1,msdos1 {gone}
\tlinux /boot/vmlinuz root=/dev/sdb1
}
### END /etc/grub.d/30_os-prober ###
"""
FIND = "search --fs-uuid --set=root "


def config(device: str, resume: str = "", search: str = ROOT_UUID, place: str = "gpt2") -> str:
    own, others = DEBIAN.split("### BEGIN /etc/grub.d/30")
    text = own.replace("msdos1", place) + "### BEGIN /etc/grub.d/30" + others
    words = {"device": device, "resume": resume, "search": search, "gone": GONE}
    for name, value in words.items():
        text = text.replace("{" + name + "}", value)
    return text


@pytest.mark.parametrize(
    "device",
    [
        "/dev/sda1",
        "/dev/nvme0n1p2",
        "/dev/mmcblk0p1",
        "/dev/disk/by-id/ata-OLD-part1",
        f"UUID={GONE}",
        f"UUID={OTHER_UUID}",  # the other copy of this image, on the same disk
        "PARTUUID=abcd-02",
        "LABEL=model",
        "/dev/mapper/vg-root",  # it was a volume, and is a partition here
    ],
)
def test_a_device_of_the_model_pc_becomes_the_roots_uuid(device: str) -> None:
    new, changes = adapt_config(config(device), facts())
    assert new == config(f"UUID={ROOT_UUID}")
    assert changes == (f"root={device} is now root=UUID={ROOT_UUID}",)


@pytest.mark.parametrize(
    "device",
    [
        f"UUID={ROOT_UUID}",
        f"UUID={ROOT_UUID.upper()}",
        "LABEL=root",
        "PARTUUID=CAFE0001-02",
        "/dev/nfs",
        "zfs:AUTO",
        "ZFS=rpool/ROOT",
    ],
)
def test_what_is_right_or_no_filesystem_of_a_disk_stays(device: str) -> None:
    assert adapt_config(config(device), facts()) == (config(device), ())


def test_a_label_that_two_copies_have_is_made_sure() -> None:
    copy = replace(OTHER, label="root")
    new, _ = adapt_config(config("LABEL=root"), facts(others=(copy,)))
    assert new == config(f"UUID={ROOT_UUID}")


def test_a_volume_keeps_its_path_and_gets_its_new_one() -> None:
    root = Known("xfs", ROOT_UUID, nodes=("/dev/vg/root", "/dev/mapper/vg-root"))
    for same in root.nodes:
        text = f"linux /vmlinuz root={same}\ninitrd /x\n"
        assert adapt_config(text, facts(root=root)) == (text, ())
    new, _ = adapt_config("linux /v root=/dev/sda2\ninitrd /x\n", facts(root=root))
    assert new == "linux /v root=/dev/mapper/vg-root\ninitrd /x\n"


def test_another_system_in_a_menu_that_a_person_wrote_stays() -> None:
    text = (
        f"search --fs-uuid --set=root {OTHER_UUID}\nlinux /vmlinuz root=UUID={OTHER_UUID} ro\n"
        "initrd /initrd\n"
    )
    assert adapt_config(text, facts()) == (text, ())


def test_without_an_initrd_no_uuid_would_be_understood() -> None:
    text = "linux /vmlinuz root=/dev/sda1 ro\n"
    new, _ = adapt_config(text, facts())
    assert new == "linux /vmlinuz root=PARTUUID=cafe0001-02 ro\n"
    assert adapt_config(text, facts(root=replace(ROOT, partuuid=""))) == (text, ())


def test_resume_follows_the_swap_or_goes() -> None:
    text = config(f"UUID={ROOT_UUID}", f" resume=UUID={GONE} splash")
    new, _ = adapt_config(text, facts())
    assert new == config(f"UUID={ROOT_UUID}", f" resume=UUID={SWAP_UUID} splash")
    new, changes = adapt_config(text, facts(swaps=()))
    assert new == config(f"UUID={ROOT_UUID}", " splash")
    assert changes == (f"resume=UUID={GONE} is now left out",)


@pytest.mark.parametrize("device", [f"UUID={ROOT_UUID}", f"UUID={OTHER_UUID}", "LABEL=data"])
def test_a_swap_file_on_a_filesystem_that_is_here_stays(device: str) -> None:
    text = config(f"UUID={ROOT_UUID}", f" resume={device} resume_offset=34816")
    assert adapt_config(text, facts()) == (text, ())


def test_a_swap_file_on_the_root_follows_it_with_its_offset() -> None:
    text = config(f"UUID={ROOT_UUID}", f" resume=UUID={GONE} resume_offset=34816")
    new, _ = adapt_config(text, facts())
    assert f"resume=UUID={ROOT_UUID} resume_offset=34816" in new


@pytest.mark.parametrize("table", [TableKind.GPT, TableKind.MSDOS])
def test_search_and_its_hints_follow_the_root(table: TableKind) -> None:
    text = config(f"UUID={ROOT_UUID}", search=GONE, place="msdos1")
    new, changes = adapt_config(text, facts(table=table))
    place = "gpt2" if table is TableKind.GPT else "msdos2"
    assert new == config(f"UUID={ROOT_UUID}", place=place)
    assert any(GONE in one for one in changes)
    assert adapt_config(new, facts(table=table)) == (new, ())


def test_search_follows_a_boot_of_its_own_and_paths_stay() -> None:
    text = config(f"UUID={GONE}", search=GONE, place="msdos1")
    new, _ = adapt_config(text, facts(boot=BOOT))
    assert new == config(f"UUID={ROOT_UUID}", search=BOOT_UUID, place="gpt6")


def test_fonts_that_lie_on_the_root_are_looked_for_there() -> None:
    """With a /boot of its own the header looks for /usr/share/grub on the root."""
    text = config(f"UUID={ROOT_UUID}", search=BOOT_UUID, place="gpt6")
    header, rest = text.split("### END /etc/grub.d/00_header")
    header = header.replace(BOOT_UUID, ROOT_UUID).replace("gpt6", "msdos1")
    new, _ = adapt_config(f"{header}### END /etc/grub.d/00_header{rest}", facts(boot=BOOT))
    after = header.replace("msdos1", "gpt2")
    assert new == f"{after}### END /etc/grub.d/00_header{rest}"


def test_a_filesystem_on_another_disk_has_no_place_on_this_one() -> None:
    away = replace(BOOT, number=0)
    text = config(f"UUID={ROOT_UUID}", search=BOOT_UUID, place="msdos1")
    assert adapt_config(text, facts(boot=away)) == (text, ())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (f"search.fs_uuid {GONE} root hd0,1 \n", f"search.fs_uuid {ROOT_UUID} root hd0,gpt2 \n"),
        (f"search -u {GONE} --set\n", f"search -u {ROOT_UUID} --set\n"),
        ("search --label model --set=root\n", f"search --fs-uuid {ROOT_UUID} --set=root\n"),
        ("search -nl model -s root\n", f"search -nu {ROOT_UUID} -s root\n"),
        ("search --set=root --label model\n", f"search --set=root --fs-uuid {ROOT_UUID}\n"),
        ("search --set=root --label root\n", None),
        ("search --set=root --file /vmlinuz\n", None),
        ("search --fs-uuid --set=root $uuid\n", None),
        ("search\n", None),
        ("set root=(hd0,1)\n", None),
        (f"set root=(hd0,1)\n{FIND}{GONE}\n", f"set root=(hd0,gpt2)\n{FIND}{ROOT_UUID}\n"),
    ],
)  # fmt: skip
def test_other_forms_of_search(old: str, new: str | None) -> None:
    assert adapt_config(old, facts())[0] == (old if new is None else new)


@pytest.mark.parametrize(
    "line",
    [
        "search --no-floppy --fs-uuid --set=root {} # { not a block",
        "search --fs-uuid --set=root {} # once hd0,msdos1",
        "search --fs-uuid --set=root {} --hint hd0,gpt2",
        "search --set=root --fs-uuid {} --hint-bios=hd0,gpt2 --hint-efi='hd0,gpt2'",
        "search -n -u -s root {} hd0,gpt2",
        "search -us root {}",
        "search -s -u {}",
        "search --set --fs-uuid -- {}",
        "search --fs-uuid {} root",
        "search --fs-uuid --set=root {};",
        "search --fs-uuid \\\n  --set=root {} \\\n --hint=hd0,gpt2",
        "if search --fs-uuid --set=root {}; then true; fi # {{",
        "if ! search --fs-uuid --set=root {} ; then search -u x$y -s root; fi",
        "menuentry x {{ set root='hd0,gpt2'; search -u -s root {}; linux /v root=UUID={} # \n}}",
        "set root='hd0,gpt2' # once 'hd0,msdos1'\nsearch --fs-uuid --set=root {} # it is\\",
        "search.fs_uuid {} root hd0,gpt2 # root",
        "\tlinux /v root=UUID={} ro # root=/dev/sda1 resume=/dev/sda2\ninitrd /x",
        "linux /v \\\n root=UUID={} ro\ninitrd /x",
        "set kernelopts='root=UUID={} ro' # root=/dev/sda1\ninitrd /x",
        "# search --fs-uuid --set=root 1 \\\nsearch --fs-uuid --set=root {}",
    ],
)  # fmt: skip
def test_of_a_command_the_words_that_mean_it_change_and_no_comment(line: str) -> None:
    """Wherever its name stands; and where it is right nothing changes."""
    after = line.replace("{{", "{").replace("}}", "}").replace("{}", ROOT_UUID)
    before = after.replace(ROOT_UUID, GONE).replace("hd0,gpt2", "hd0,msdos1")
    text = f"insmod ext2\n{before}\ninitrd /x\n"
    assert adapt_config(text, facts())[0] == f"insmod ext2\n{after}\ninitrd /x\n"
    assert adapt_config(after, facts()) == (after, ())


@pytest.mark.parametrize(
    ("old", "with_swap", "without"),
    [
        (
            f'GRUB_CMDLINE_LINUX="quiet resume=UUID={GONE} x"\n',
            f'GRUB_CMDLINE_LINUX="quiet resume=UUID={SWAP_UUID} x"\n',
            'GRUB_CMDLINE_LINUX="quiet x"\n',
        ),
        (
            f'GRUB_CMDLINE_LINUX_DEFAULT="resume=UUID={GONE}"\n',
            f'GRUB_CMDLINE_LINUX_DEFAULT="resume=UUID={SWAP_UUID}"\n',
            'GRUB_CMDLINE_LINUX_DEFAULT=""\n',
        ),
        (
            "GRUB_CMDLINE_LINUX='root=/dev/sda1 noresume=x'\n",
            f"GRUB_CMDLINE_LINUX='root=UUID={ROOT_UUID} noresume=x'\n",
            f"GRUB_CMDLINE_LINUX='root=UUID={ROOT_UUID} noresume=x'\n",
        ),
        # SUSE
        (
            'GRUB_CMDLINE_LINUX_DEFAULT="resume=/dev/disk/by-id/ata-X_1-part1 splash=silent"\n',
            f'GRUB_CMDLINE_LINUX_DEFAULT="resume=UUID={SWAP_UUID} splash=silent"\n',
            'GRUB_CMDLINE_LINUX_DEFAULT=" splash=silent"\n',
        ),
        ("# resume=UUID=x\n", "# resume=UUID=x\n", "# resume=UUID=x\n"),
    ],
)
def test_the_defaults_of_update_grub(old: str, with_swap: str, without: str) -> None:
    assert adapt_defaults(old, facts())[0] == with_swap
    assert adapt_defaults(old, facts(swaps=()))[0] == without


def test_the_command_line_of_rhel_8_in_its_environment() -> None:
    head = f"# GRUB Environment Block\nsaved_entry=x\nkernelopts=root=UUID={GONE} ro quiet\n"
    text = head.ljust(1024, "#")
    new, changes = adapt_environment(text, facts())
    assert new == head.replace(GONE, ROOT_UUID).ljust(1024, "#")
    assert (len(new), len(changes)) == (1024, 1)
    assert adapt_environment(new, facts()) == (new, ())
    full = head.replace("ro ", "r" * (1024 - len(head)) + " ro ")[:1024]
    assert adapt_environment(full, facts(root=replace(ROOT, uuid=ROOT_UUID * 9))) == (full, ())
    config_line = f'  set kernelopts="root=UUID={GONE} ro "\nblscfg\n'
    assert adapt_config(config_line, facts())[0] == config_line.replace(GONE, ROOT_UUID)


ENTRY = """\
title Fedora Linux (6.8.5-301.fc40.x86_64) 40 (Workstation Edition)
version 6.8.5-301.fc40.x86_64
linux /vmlinuz-6.8.5-301.fc40.x86_64
initrd /initramfs-6.8.5-301.fc40.x86_64.img $tuned_initrd
options root=UUID={root} ro rootflags=subvol=root rhgb quiet $tuned_params
grub_users $grub_users
"""


@pytest.mark.parametrize("boot", [None, BOOT])
def test_an_entry_of_fedora(boot: Known | None) -> None:
    new, changes = adapt_entry(ENTRY.format(root=GONE), facts(boot=boot))
    assert new == ENTRY.format(root=ROOT_UUID)
    assert changes == (f"root=UUID={GONE} is now root=UUID={ROOT_UUID}",)
    assert adapt_entry(new, facts()) == (new, ())


def test_an_entry_of_another_system_in_a_shared_boot_stays() -> None:
    text = ENTRY.format(root=OTHER_UUID)
    assert adapt_entry(text, facts(boot=BOOT)) == (text, ())
    assert adapt_entry(text, facts())[0] == ENTRY.format(root=ROOT_UUID)


def test_a_comment_of_the_defaults_stays() -> None:
    line = "GRUB_CMDLINE_LINUX='root=UUID={}' # root=/dev/sda1\n# root=/dev/sda1\n"
    assert adapt_defaults(line.format(GONE), facts())[0] == line.format(ROOT_UUID)
