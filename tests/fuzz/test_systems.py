# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read of an installed system before it is adapted: hostile bytes end in an OgError."""

from __future__ import annotations

import gzip
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuzz.seeds import spoiled
from oglib.deploy.hardware.initramfs import Carried, read_initramfs
from oglib.errors import OgError
from oglib.osconfig.linux.kernels import kernels
from oglib.osconfig.linux.modules import modules_of
from oglib.osconfig.root import TargetRoot
from unit.deploy.cpios import KERNEL, cpio, modules

MAIN = cpio({"conf/initramfs.conf": b"", **modules("nvme", "ahci")})
SEEDS = {"plain": MAIN, "early and gzip": cpio({"early": b"x" * 99}) + gzip.compress(MAIN)}
MENU = f"linux /boot/vmlinuz-{KERNEL} ro\ninitrd /boot/initrd.img-{KERNEL}\n".encode()
FOLDER = f"lib/modules/{KERNEL}"
FILES = {
    "boot/grub/grub.cfg": MENU,
    f"boot/vmlinuz-{KERNEL}": b"a kernel",
    f"boot/initrd.img-{KERNEL}": b"",
    f"{FOLDER}/modules.dep": b"kernel/nvme.ko: kernel/nvme-core.ko\n",
    f"{FOLDER}/modules.builtin": b"kernel/ext4.ko\n",
    f"{FOLDER}/modules.alias": b"alias pci:v*d[0-9]* nvme\n",
    f"{FOLDER}/modules.builtin.modinfo": b"ext4.alias=fs-ext4\0",
}


def attempt(raw: bytes) -> Carried | None:
    with tempfile.NamedTemporaryFile() as file:
        file.write(raw)
        file.flush()
        try:
            return read_initramfs(file, "initrd")  # type: ignore[arg-type]
        except OgError:
            return None


@pytest.mark.parametrize("kind", SEEDS)
def test_the_seeds_are_sound(kind: str) -> None:
    found = attempt(SEEDS[kind])
    assert found is not None
    assert found.of(KERNEL) == {"nvme", "ahci"}


@pytest.mark.parametrize("kind", SEEDS)
@given(data=st.data())
def test_a_spoiled_initramfs(kind: str, data: st.DataObject) -> None:
    attempt(data.draw(spoiled(SEEDS[kind], first=130)))


@given(data=st.data())
def test_spoiled_lists_and_menus(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(FILES)))
    with tempfile.TemporaryDirectory() as place:
        for each, raw in FILES.items():
            path = Path(place, each)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data.draw(spoiled(raw)) if each == name else raw)
        with TargetRoot(Path(place)) as root:
            try:
                kernels(root)
                modules_of(root, KERNEL).for_device("pci:v1d2")
            except OgError:
                pass
