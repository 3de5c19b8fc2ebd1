# SPDX-License-Identifier: GPL-3.0-or-later
"""fstab of the model PC on another one: exact texts in, exact texts out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from oglib.fitting.devices import Known
from oglib.osconfig.facts import PcFacts
from oglib.osconfig.fstab import NewFstab, adapt_fstab, swap_uuids

ROOT = Known("ext4", "11111111-1111-4111-8111-111111111111", label="root", partuuid="r", number=2)
SWAP = Known("swap", "22222222-2222-4222-8222-222222222222", number=3)
ESP = Known("vfat", "ABCD-1234", number=1)
HOME = Known("ext4", "44444444-4444-4444-8444-444444444444", number=5)

DEBIAN = """\
# /etc/fstab: static file system information.
#
# <file system> <mount point>   <type>  <options>       <dump>  <pass>
UUID=old-root /               ext4    errors=remount-ro 0       1
# /boot/efi was on /dev/sda1 during installation
UUID=0000-0000  /boot/efi       vfat    umask=0077      0       1
UUID=old-swap none            swap    sw              0       0
/dev/sr0        /media/cdrom0   udf,iso9660 user,noauto     0       0
tmpfs /tmp tmpfs defaults 0 0
"""


def adapted(
    text: str,
    *,
    root: Known,
    swaps: Sequence[Known] = (),
    esp: Known | None = None,
    others: Sequence[Known] = (),
    subvolumes: Sequence[str] = (),
) -> NewFstab:
    facts = PcFacts(root, "", tuple(swaps), esp, tuple(others), subvolumes=tuple(subvolumes))
    return adapt_fstab(text, facts)


def test_root_esp_and_swap_get_their_new_uuids_and_all_else_stays() -> None:
    new = adapted(DEBIAN, root=ROOT, swaps=[SWAP], esp=ESP)
    assert new.text == (
        DEBIAN.replace("UUID=old-root", f"UUID={ROOT.uuid}")
        .replace("UUID=0000-0000", f"UUID={ESP.uuid}")
        .replace("UUID=old-swap", f"UUID={SWAP.uuid}")
    )
    assert new.changes == (
        f"/: UUID=old-root is now UUID={ROOT.uuid}",
        f"/boot/efi: UUID=0000-0000 is now UUID={ESP.uuid}",
        f"swap: UUID=old-swap is now UUID={SWAP.uuid}",
    )


def test_a_second_time_changes_nothing() -> None:
    once = adapted(DEBIAN, root=ROOT, swaps=[SWAP], esp=ESP).text
    twice = adapted(once, root=ROOT, swaps=[SWAP], esp=ESP)
    assert twice.changes == ()
    assert twice.text == once


def test_what_this_pc_has_not_is_commented_out() -> None:
    new = adapted(DEBIAN, root=ROOT, swaps=[], esp=None)
    assert "# ogLive: not on this PC: UUID=old-swap none            swap" in new.text
    assert "# ogLive: not on this PC: UUID=0000-0000  /boot/efi" in new.text
    assert f"UUID={ROOT.uuid} / " in new.text


def test_missing_lines_are_added() -> None:
    new = adapted("/dev/sda1 / ext4 defaults 0 1\n", root=ROOT, swaps=[SWAP], esp=ESP)
    assert new.text.splitlines() == [
        f"UUID={ROOT.uuid} / ext4 defaults 0 1",
        f"UUID={SWAP.uuid}\tnone\tswap\tsw\t0\t0",
        f"UUID={ESP.uuid}\t/boot/efi\tvfat\tumask=0077\t0\t1",
    ]


@pytest.mark.parametrize(
    "line",
    [
        f'UUID="{ROOT.uuid}" / ext4 defaults',
        f"UUID={ROOT.uuid.upper()} / ext4 defaults 0 1",
        "LABEL=root / ext4 defaults 0 1",
        "PARTUUID=R / ext4 defaults 0 1",
        "/swapfile none swap sw 0 0",
        "/dev/zram0 none swap sw 0 0",
        "tmpfs / tmpfs defaults 0 0",
        "proc /proc proc defaults 0 0",
        "server:/export /mnt nfs defaults 0 0",
        "//server/share /mnt cifs credentials=/root/x 0 0",
        "/dev/mapper/vg-home /home ext4 defaults 0 2",
        "/dev/mapper/vg-swap none swap sw 0 0",
        f"/dev/disk/by-uuid/{ROOT.uuid} /mnt ext4 defaults 0 2",
        "/dev/disk/by-label/root / ext4 defaults 0 1",
        "UUID=somewhere /backup ext4 noauto 0 0",
        "this is no line",
        "",
    ],
)
def test_lines_that_are_right_or_not_ours_stay(line: str) -> None:
    assert adapted(f"{line}\n", root=ROOT, swaps=[], esp=None).text == f"{line}\n"


def test_kernel_names_become_the_uuid_of_the_same_partition_number() -> None:
    text = "/dev/sda5 /home ext4 defaults 0 2\n/dev/sda3 none swap sw 0 0\n"
    new = adapted(text, root=ROOT, swaps=[SWAP], esp=None, others=[HOME])
    assert new.text.splitlines() == [
        f"UUID={HOME.uuid} /home ext4 defaults 0 2",
        f"UUID={SWAP.uuid} none swap sw 0 0",
    ]


def test_a_filesystem_that_is_not_here_must_not_stop_the_boot() -> None:
    text = "UUID=gone /data ext4 defaults,noatime 0 2 # of the model PC\nLABEL=X /x xfs\n"
    new = adapted(text, root=ROOT, swaps=[], esp=None)
    assert new.text.splitlines() == [
        "UUID=gone /data ext4 defaults,noatime,nofail 0 2 # of the model PC",
        "LABEL=X /x xfs\tdefaults,nofail",
    ]
    assert adapted(new.text, root=ROOT, swaps=[], esp=None).changes == ()


def test_an_option_is_not_put_into_a_comment() -> None:
    text = "UUID=gone /y ext4 # c\nUUID=gone /z # ext4 x\nUUID=gone # /z ext4 x\n"
    new = adapted(text, root=ROOT, swaps=[], esp=None)
    assert new.text == text.replace("/y ext4 ", "/y ext4\tdefaults,nofail ")


def test_two_swaps_keep_their_order() -> None:
    second = Known("swap", "33333333-3333-4333-8333-333333333333")
    text = f"UUID=gone none swap sw 0 0\nUUID={SWAP.uuid} none swap sw 0 0\n"
    new = adapted(text, root=ROOT, swaps=[SWAP, second], esp=None)
    assert new.text == text.replace("gone", second.uuid)


def test_the_swap_a_system_knows() -> None:
    assert swap_uuids(DEBIAN) == ["old-swap"]
    assert swap_uuids("/dev/sda2 none swap sw 0 0\n") == []


@pytest.mark.parametrize("device", [r"LABEL=my\040\303\251", r"/dev/disk/by-label/my\x20\xc3\xa9"])
def test_a_label_as_fstab_and_udev_write_it(device: str) -> None:
    data = Known("ext4", "55555555-5555-4555-8555-555555555555", label="my é")
    text = f"{device}\t/data ext4 defaults 0 2\n"
    new = adapted(text, root=ROOT, swaps=[], esp=None, others=[data])
    assert (new.text, new.changes) == (text, ())


def test_other_subvolumes_of_the_root_follow_it() -> None:
    text = "UUID=old / btrfs subvol=@ 0 0\nUUID=old /home btrfs subvol=@home 0 0\n"
    new = adapted(text, root=ROOT, swaps=[], esp=None)
    assert new.text == text.replace("UUID=old", f"UUID={ROOT.uuid}")


def test_lines_end_as_they_did() -> None:
    """A carriage return, a form feed: none of them is made or lost; the last newline is made."""
    text = "UUID=old  /  ext4 defaults\r\n# \x0c \x85\u2028\nLABEL=X /x xfs rw\r\n# end"
    new = adapted(text, root=ROOT, swaps=[], esp=None)
    after = text.replace("UUID=old", f"UUID={ROOT.uuid}").replace(" rw", " rw,nofail")
    assert new.text == f"{after}\n"
    same = "tmpfs /tmp tmpfs defaults 0 0"
    assert adapted(same, root=ROOT).text == same
    more = adapted("# end", root=ROOT, swaps=[SWAP], esp=None)
    assert more.text == f"# end\nUUID={SWAP.uuid}\tnone\tswap\tsw\t0\t0\n"


@pytest.mark.parametrize(
    "device",
    [
        "/dev/sda5",
        "/dev/vda5",
        "/dev/nvme0n1p5",
        "/dev/mmcblk0p5",
        "/dev/cciss/c0d0p5",
        "/dev/disk/by-id/ata-OLD_1234-part5",
        "/dev/disk/by-path/pci-0000:00:1f.2-ata-1-part5",
        "/dev/disk/by-id/wwn-0x5000c500a1b2c3d4-part5",
    ],
)
def test_a_name_by_its_place_is_the_partition_of_that_number(device: str) -> None:
    new = adapted(f"{device}\t/home ext4 defaults 0 2\n", root=ROOT, others=[HOME])
    assert new.text == f"UUID={HOME.uuid}\t/home ext4 defaults 0 2\n"
    assert adapted(new.text, root=ROOT, others=[HOME]).changes == ()


@pytest.mark.parametrize(
    "device",
    ["/dev/vg/home", "/dev/mapper/vg-part5", "/dev/disk/by-id/dm-name-x-part5", "/dev/md5"],
)
def test_what_is_mapped_has_no_place(device: str) -> None:
    text = f"{device} /home ext4 defaults 0 2\n"
    assert adapted(text, root=ROOT, others=[HOME]).text == text


def test_the_root_is_not_mounted_a_second_time_by_its_number() -> None:
    text = "/dev/sda1 / ext4 x 0 1\n/dev/sda2 /data ext4 x 0 2\n"
    new = adapted(text, root=ROOT)
    assert new.text.splitlines()[1] == "/dev/sda2 /data ext4 x,nofail 0 2"


def test_a_filesystem_of_another_disk_is_not_missing() -> None:
    away = Known("xfs", "66666666-7777-8888-9999-aaaaaaaaaaaa", label="data")
    swap = Known("swap", "77777777-7777-8888-9999-aaaaaaaaaaaa")
    text = f"LABEL=data /data xfs x 0 2\nUUID={swap.uuid} none swap sw 0 0\n"
    new = adapted(text, root=ROOT, swaps=[SWAP], others=[away, swap])
    assert (new.text, new.changes) == (text, ())


@pytest.mark.parametrize("device", ["LABEL=root", "PARTLABEL=system"])
def test_a_name_that_two_have_is_made_sure(device: str) -> None:
    root, copy = replace(ROOT, partlabel="system"), replace(HOME, label="root", partlabel="system")
    new = adapted(f"{device} / ext4 x 0 1\n", root=root, others=[copy])
    assert new.text == f"UUID={ROOT.uuid} / ext4 x 0 1\n"


BTRFS = Known("btrfs", "88888888-7777-8888-9999-aaaaaaaaaaaa", number=3)
COPY = Known("btrfs", "99999999-7777-8888-9999-aaaaaaaaaaaa", number=1)


@pytest.mark.parametrize(
    "device", ["UUID=old", "/dev/sda1", "LABEL=old", "/dev/disk/by-id/x-part1"]
)
def test_a_subvolume_is_the_roots_however_it_is_written(device: str) -> None:
    """The partition of that number is the other copy of the image on this disk."""
    line = f"{device} /home btrfs subvol=/@home,compress=zstd 0 0\n"
    text = f"UUID=model / btrfs subvol=@ 0 0\n{line}"
    new = adapted(text, root=BTRFS, others=[COPY], subvolumes=["@home"])
    assert new.text.splitlines() == [
        f"UUID={BTRFS.uuid} / btrfs subvol=@ 0 0",
        f"UUID={BTRFS.uuid} /home btrfs subvol=/@home,compress=zstd 0 0",
    ]
    assert adapted(new.text, root=BTRFS, others=[COPY], subvolumes=["@home"]).changes == ()


def test_subvolumes_of_the_other_copy_become_the_roots_own() -> None:
    """Its UUID was made different, and the image's own is that of the first copy."""
    text = f"UUID={COPY.uuid} / btrfs subvol=@ 0 0\nUUID={COPY.uuid} /home btrfs subvol=@home 0 0\n"
    new = adapted(text, root=BTRFS, others=[COPY])
    assert new.text == text.replace(COPY.uuid, BTRFS.uuid)


def test_a_subvolume_that_the_root_has_not_is_not_the_roots() -> None:
    text = "UUID=gone /data btrfs subvol=@data 0 0\n"
    new = adapted(text, root=BTRFS, subvolumes=["@home"])
    assert new.text == text.replace("@data", "@data,nofail")


@pytest.mark.parametrize("point", ["/boot/efi", "/boot/efi/", "/efi", "/esp", "/boot/EFI", "/boot"])
@pytest.mark.parametrize("device", [f"UUID={ESP.uuid}", "UUID=0000-0000", "/dev/sdb1"])
def test_an_esp_is_mounted_once(point: str, device: str) -> None:
    text = f"{device} {point} vfat umask=0077 0 1\n"
    new = adapted(text, root=ROOT, esp=ESP)
    assert new.text == f"UUID={ESP.uuid} {point} vfat umask=0077 0 1\n"
    assert adapted(new.text, root=ROOT, esp=ESP).changes == ()


def test_a_boot_that_is_a_fat_beside_the_esp_is_not_the_esp() -> None:
    text = f"UUID={ESP.uuid} /efi vfat x 0 1\nUUID=1111-2222 /boot vfat x 0 1\n"
    new = adapted(text, root=ROOT, esp=ESP)
    assert new.text == text.replace("/boot vfat x", "/boot vfat x,nofail")


def test_the_esp_of_another_disk_stays_and_gets_no_second_beside_it() -> None:
    away = Known("vfat", "DEAD-BEEF")
    text = "UUID=DEAD-BEEF /boot/efi vfat x 0 1\n"
    assert adapted(text, root=ROOT, esp=ESP, others=[away]).text == text


def test_a_swap_by_its_number_is_that_one() -> None:
    second = Known("swap", "33333333-3333-4333-8333-333333333333", number=4)
    new = adapted("/dev/sda4 none swap sw 0 0\n", root=ROOT, swaps=[SWAP, second])
    assert new.text == f"UUID={second.uuid} none swap sw 0 0\n"


def test_a_volume_is_named_by_its_path() -> None:
    root = Known("xfs", ROOT.uuid, nodes=("/dev/vg/root", "/dev/mapper/vg-root"))
    for same in ("/dev/vg/root", "/dev/mapper/vg-root", f"UUID={ROOT.uuid}"):
        text = f"{same} / xfs x 0 1\n"
        assert adapted(text, root=root).text == text
    assert adapted("/dev/mapper/cl-root / xfs x 0 1\n", root=root).text.startswith(
        "/dev/mapper/vg-root / xfs"
    )
