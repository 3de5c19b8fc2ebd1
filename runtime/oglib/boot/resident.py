# SPDX-License-Identifier: GPL-3.0-or-later
"""Systems whose kernels lie on the ESP (systemd-boot, UKI): the image of their root has none.

Their ESP is made anew with a layout, so they are called by name, and not by what GRUB lacks.
"""

from __future__ import annotations

import re

from oglib.boot.place import menu_path
from oglib.fitting.edits import Files, content, words_of

_UKI_FILES = ("etc/kernel/uki.conf",)
_INSTALL = ("etc/kernel/install.conf", "usr/lib/kernel/install.conf")
_PRESETS = "etc/mkinitcpio.d"
_MOST_PRESETS = 20
_LAYOUT = re.compile(r"[ \t]*layout[ \t]*=[ \t]*(\w+)")
_UKI_PRESET = re.compile(r"[ \t]*\w+_uki=")
_ESP_LINE = re.compile(r"[ \t]*[^#\s]\S*[ \t]+/boot/?[ \t]+(?:vfat|msdos|auto)[ \t]")
_BOOTCTL = "usr/lib/systemd/boot/efi/systemd-bootx64.efi"


def why_resident(root: Files) -> str:
    """What starts the system from the ESP, as a person calls it; empty where nothing says so.

    A system with a menu of GRUB is none, whatever else is installed.
    """
    if root.exists(menu_path(root)):
        return ""
    layouts = [found[1] for name in _INSTALL for line in _lines(root, name)
               if (found := _LAYOUT.match(line))]  # fmt: skip
    presets = [name for name in root.names(_PRESETS)[:_MOST_PRESETS] if name.endswith(".preset")]
    by_preset = any(_UKI_PRESET.match(line) for name in presets
                    for line in _lines(root, f"{_PRESETS}/{name}"))  # fmt: skip
    if "uki" in layouts or by_preset or any(root.exists(name) for name in _UKI_FILES):
        return "a unified kernel image (UKI)"
    on_esp = any(_ESP_LINE.match(line) for line in _lines(root, "etc/fstab"))
    if root.exists(_BOOTCTL) and (on_esp or "bls" in layouts or not _has_kernels(root)):
        return "systemd-boot"
    return ""


def _has_kernels(root: Files) -> bool:
    return any(name.startswith(("vmlinu", "bzImage", "kernel-")) for name in root.names("boot"))


def _lines(root: Files, name: str) -> list[str]:
    return words_of(content(root, name) or b"").split("\n")
