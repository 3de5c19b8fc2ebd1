# SPDX-License-Identifier: GPL-3.0-or-later
"""A Linux in a folder whose files are no UTF-8, and what is seen of a tree without opening it."""

from __future__ import annotations

import hashlib
import stat
from pathlib import Path

from oglib.fitting.devices import Known
from oglib.osconfig.facts import PcFacts

SWAP = "22222222-2222-4222-8222-222222222222"
FACTS = PcFacts(
    root=Known("ext4", "11111111-1111-4111-8111-111111111111", number=1),
    hostname="pc17",
    swaps=(Known("swap", SWAP, number=2),),
)
# é in Latin-1, a next line and a line separator in UTF-8, a line end of Windows
LATIN = b"# caf\xe9\n# \xc2\x85 and \xe2\x80\xa8 end no line\r\n"
FILES = {
    "etc/os-release": b'ID=debian\nPRETTY_NAME="Debian \xe9"\n',
    "etc/hostname": b"golden\n",
    "etc/hosts": LATIN
    + b"127.0.0.1\tlocalhost\n127.0.1.1\tgolden  caf\xe9 # \xe9\n10.0.0.1 \xe9\n",
    "etc/fstab": LATIN
    + b"UUID=old  /  ext4 errors=remount-ro 0 1  # \xe9\n"
    + b"UUID=gone /mnt/caf\xe9 ext4 defaults 0 2\n"
    + b"/dev/sda9\tnone swap sw 0 0\n"
    + b"LABEL=caf\xe9 /srv ext4 noauto 0 0\n",
    "etc/machine-id": b"0123456789abcdef0123456789abcdef\n",
    "etc/initramfs-tools/conf.d/resume": LATIN + b"RESUME=UUID=old\n",
    "var/lib/dbus/machine-id": b"0123456789abcdef0123456789abcdef\n",
    "etc/caf\udce9": b"a name in Latin-1\n",
    "boot/grub/grub.cfg": LATIN
    + b"menuentry 'caf\xe9' {\n\tlinux /vmlinuz root=/dev/sda1 title=\xe9 resume=UUID=old\n"
    + b"\tinitrd /initrd\n}\n",
    "boot/grub/caf\udce9.lst": b"\xe9\n",
    "boot/loader/entries/linux.conf": LATIN
    + b"initrd /initrd\noptions root=/dev/sda1 title=\xe9\n",
    "etc/kernel/cmdline": b"# root=/dev/sda1\nroot=UUID=old title=\xe9\n",
    "etc/default/grub": LATIN + b'GRUB_CMDLINE_LINUX="resume=UUID=old title=\xe9"\n',
}


def make(folder: Path) -> Path:
    for name, data in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def seen(folder: Path) -> dict[str, tuple[object, ...]]:
    """Of everything in a tree what it is, its content and all that is known beside it."""
    found: dict[str, tuple[object, ...]] = {}
    for path in sorted(folder.rglob("*")):
        info = path.lstat()
        plain = stat.S_ISREG(info.st_mode)
        found[str(path.relative_to(folder))] = (
            info.st_ino,
            info.st_mode,
            info.st_uid,
            info.st_gid,
            info.st_mtime_ns,
            info.st_ctime_ns,
            hashlib.blake2b(path.read_bytes()).hexdigest() if plain else "",
            str(path.readlink()) if path.is_symlink() else "",
        )
    return found


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }
