# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the system in an image can be fitted to a PC, told by what the image says of itself."""

from __future__ import annotations

from oglib.image.any import Image
from oglib.osconfig.fitted import is_fitted, only_these


def not_fitted(image: Image) -> str:
    """Why the system in ``image`` is restored and not fitted; empty where nothing speaks against.

    What nobody noted when the image was made shows when it is on the disk.
    """
    kind = image.kind  # of another filesystem it is something else, or files alone
    if kind is None or not kind.linux_root:
        return f"it holds {image.filesystem or 'no filesystem that we know'}, and no Linux"
    source = image.origin
    if source.system and not is_fitted(source.system):
        return f"it holds {source.os or source.system}, and {only_these()} is fitted"
    if source.lies:
        return f"its system lies {source.lies}, which is not fitted yet"
    return ""
