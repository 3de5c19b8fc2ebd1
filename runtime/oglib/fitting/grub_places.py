# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a system keeps GRUB's files, as paths of its root; which of them it has is asked there."""

from __future__ import annotations

# Debian's name, and that of Fedora, RHEL and SUSE.
FOLDERS = ("boot/grub", "boot/grub2")
MENUS = tuple(f"{folder}/grub.cfg" for folder in FOLDERS)
ENVIRONMENTS = tuple(f"{folder}/grubenv" for folder in FOLDERS)
# Of GRUB legacy; on RHEL the second is a link to the first.
LEGACY_MENUS = ("boot/grub/grub.conf", "boot/grub/menu.lst")
