# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs for the network boot in .tools/: loaders of one Debian, and servers for the tests.

On an older host Debian's own iPXE is of 2019; this one retries DHCP, skips the wait for IPv6, and
speaks https. Owns .tools/loaders and .tools/servers.
"""

import shutil
from pathlib import Path

from ogimage import debs
from ogimage.paths import TOOLS_DIR
from ogimage.shell import BuildError, output, run, say

LOADERS_DIR = TOOLS_DIR / "loaders"
SERVERS_DIR = TOOLS_DIR / "servers"
LOADER_PACKAGES = (
    "ipxe",
    "grub-efi-amd64-bin",
    "grub-efi-amd64-unsigned",
    "grub-efi-amd64-signed",
    "shim-signed",
    "memtest86+",
)
# Read by the tests alone: they judge the configurations that are rendered for them. Installed, each
# would be started at once and take its port.
_SERVERS = {
    "isc-dhcp-server": "dhcpd",
    "kea-dhcp4-server": "kea-dhcp4",
    "nginx-light": "nginx",
}
# Where disk.0 looks for what it is to do; the same file as that of Debian's disk.efi.
_PREFIX = "/debian-installer/amd64/grub"
# What starts a system on a BIOS PC's disk, whatever filesystem its menu is on.
_MODULES = (
    *("pxe", "tftp", "biosdisk", "part_msdos", "part_gpt", "lvm", "gzio", "zstd"),
    *("ext2", "fat", "ntfs", "btrfs", "xfs", "search_fs_file", "search_fs_uuid", "search_label"),
    *("normal", "configfile", "search", "regexp", "test", "true", "echo", "sleep", "minicmd"),
    *("chain", "ntldr", "linux", "loadenv", "boot", "halt", "reboot"),
    *("all_video", "vga_text", "gfxterm", "gettext"),
)
# Without a configuration: the disk, and no prompt.
_EARLY = f"configfile ($root){_PREFIX}/grub.cfg\nset root=hd0\nchainloader +1\nboot\nexit\n"


def ready(mirror: str, release: str) -> None:
    """Fetches what is missing; quick when nothing is."""
    if not (LOADERS_DIR / "packages").exists():
        say(f"fetching the loaders of {release}")
        debs.unpack(mirror, release, LOADER_PACKAGES, LOADERS_DIR)
    if not (LOADERS_DIR / "disk.0").exists():
        make_disk_loader(LOADERS_DIR / "disk.0")
        made_of = output(["dpkg-query", "-W", "-f", "${Package} ${Version}\n", "grub-pc-bin"])
        with (LOADERS_DIR / "packages").open("a") as listing:
            listing.write(made_of)
    missing = [name for name, program in _SERVERS.items() if not _is_there(program)]
    if missing:
        say(f"fetching {' '.join(missing)} for the tests")
        debs.unpack_for_host(missing, SERVERS_DIR)


def _is_there(program: str) -> bool:
    path = f"/usr/sbin:{SERVERS_DIR}/usr/sbin"
    return shutil.which(program, path=path) is not None


def make_disk_loader(target: Path) -> None:
    """The GRUB that iPXE hands a BIOS PC to for a partition's system; modules are the host's."""
    if shutil.which("grub-mkimage") is None:
        raise BuildError("grub-mkimage is missing", "run `make setup`: it installs grub-common")
    early = target.with_suffix(".cfg")
    part = target.with_suffix(".part")
    early.write_text(_EARLY)
    options: list[str | Path] = ["-O", "i386-pc-pxe", "-p", _PREFIX, "-c", early, "-o", part]
    run(["grub-mkimage", *options, *_MODULES])
    early.unlink()
    part.chmod(0o644)
    part.rename(target)
