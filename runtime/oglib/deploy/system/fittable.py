# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the system in an image can be fitted to a PC, told by what the image says of itself."""

from __future__ import annotations

from oglib.image.any import Image
from oglib.osconfig.fitted import is_fitted, only_these

# What a manifest says of a root without its /boot.
BOOT_APART = "with /boot on a filesystem of its own"
# And of one whose kernels its image does not hold.
KERNELS_ON_ESP = "with its kernels on the ESP (systemd-boot or a UKI)"


def not_fitted(image: Image, *, alone: bool = False) -> str:
    """Why the system in ``image`` is restored and not fitted; empty where nothing speaks against.

    ``alone``: it will be the only one on its disk, so that no part of it is there already. What
    nobody noted when the image was made shows when it is on the disk.
    """
    kind = image.kind  # of another filesystem it is something else, or files alone
    if kind is None or not kind.linux_root:
        return f"it holds {image.filesystem or 'no filesystem that we know'}, and no Linux"
    source = image.origin
    if source.system and not is_fitted(source.system):
        return f"it holds {source.os or source.system}, and {only_these()} is fitted"
    if source.lies == KERNELS_ON_ESP:
        return f"its system lies {KERNELS_ON_ESP}, which is no part of its image"
    if alone and source.lies == BOOT_APART:
        return f"its system lies {BOOT_APART}, which the new table has not"
    return ""
