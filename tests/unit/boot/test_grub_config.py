# SPDX-License-Identifier: GPL-3.0-or-later
"""Kernel command lines of the model PC on another one."""

from __future__ import annotations

import pytest

from oglib.boot.grub_config import adapt_config, adapt_defaults

ROOT = "11111111-1111-4111-8111-111111111111"
SWAP = "22222222-2222-4222-8222-222222222222"
OTHER = "33333333-3333-4333-8333-333333333333"

DEBIAN = """\
### BEGIN /etc/grub.d/10_linux ###
menuentry 'Debian GNU/Linux' --class debian {
\tsearch --no-floppy --fs-uuid --set=root {root}
\tlinux\t/boot/vmlinuz-6.12 root={device} ro quiet{resume}
\tinitrd\t/boot/initrd.img-6.12
}
### END /etc/grub.d/10_linux ###
### BEGIN /etc/grub.d/30_os-prober ###
menuentry 'Another (on /dev/sdb1)' {
\tlinux /boot/vmlinuz root=/dev/sdb1
}
### END /etc/grub.d/30_os-prober ###
"""


def config(device: str, resume: str = "") -> str:
    return DEBIAN.replace("{root}", ROOT).replace("{device}", device).replace("{resume}", resume)


@pytest.mark.parametrize(
    "device", ["/dev/sda1", "/dev/nvme0n1p2", f"UUID={OTHER}", "PARTUUID=abcd-02"]
)
def test_a_device_of_the_model_pc_becomes_the_roots_uuid(device: str) -> None:
    new, changes = adapt_config(config(device), root_uuid=ROOT, swap_uuid=SWAP, present=())
    assert new == config(f"UUID={ROOT}")
    assert changes == (f"root={device} is now root=UUID={ROOT}",)


@pytest.mark.parametrize(
    "device", [f"UUID={ROOT}", f"UUID={ROOT.upper()}", "/dev/mapper/vg-root", "LABEL=root"]
)
def test_what_travels_with_the_image_stays(device: str) -> None:
    text = config(device)
    assert adapt_config(text, root_uuid=ROOT, swap_uuid=SWAP, present=()) == (text, ())


def test_another_system_on_this_pc_stays() -> None:
    text = config(f"UUID={OTHER}")
    assert adapt_config(text, root_uuid=ROOT, swap_uuid="", present=[OTHER]) == (text, ())


def test_without_an_initrd_no_uuid_would_be_understood() -> None:
    text = "linux /vmlinuz root=/dev/sda1 ro\n"
    assert adapt_config(text, root_uuid=ROOT, swap_uuid="", present=()) == (text, ())


def test_resume_follows_the_swap_or_goes() -> None:
    text = config(f"UUID={ROOT}", f" resume=UUID={OTHER} splash")
    new, _ = adapt_config(text, root_uuid=ROOT, swap_uuid=SWAP, present=())
    assert new == config(f"UUID={ROOT}", f" resume=UUID={SWAP} splash")
    new, changes = adapt_config(text, root_uuid=ROOT, swap_uuid="", present=())
    assert new == config(f"UUID={ROOT}", " splash")
    assert changes == (f"resume=UUID={OTHER} is now left out",)


@pytest.mark.parametrize(
    ("old", "with_swap", "without"),
    [
        (
            f'GRUB_CMDLINE_LINUX="quiet resume=UUID={OTHER} x"\n',
            f'GRUB_CMDLINE_LINUX="quiet resume=UUID={SWAP} x"\n',
            'GRUB_CMDLINE_LINUX="quiet x"\n',
        ),
        (
            f'GRUB_CMDLINE_LINUX_DEFAULT="resume=UUID={OTHER}"\n',
            f'GRUB_CMDLINE_LINUX_DEFAULT="resume=UUID={SWAP}"\n',
            'GRUB_CMDLINE_LINUX_DEFAULT=""\n',
        ),
        ("# resume=UUID=x\n", "# resume=UUID=x\n", "# resume=UUID=x\n"),
    ],
)
def test_the_defaults_of_update_grub(old: str, with_swap: str, without: str) -> None:
    assert adapt_defaults(old, swap_uuid=SWAP)[0] == with_swap
    assert adapt_defaults(old, swap_uuid="")[0] == without
