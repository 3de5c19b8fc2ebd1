# SPDX-License-Identifier: GPL-3.0-or-later
"""Images that other tools made: recognised, described, and handed over as regions of content.

The readers and their libraries are loaded when the first image is opened: most commands only
need the words of ``model``.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from oglib.image.reading.formats.model import Buffer, ImageInfo, Region, StreamImage

if TYPE_CHECKING:
    from oglib.image.reading.formats.detect import describe, open_stream
    from oglib.image.reading.formats.folders.folder import (
        FolderImage,
        FolderInfo,
        PartImage,
        SwapInfo,
        describe_folder,
        folder_at,
        folder_image,
        is_folder_image,
        named_in,
    )

__all__ = [
    "Buffer",
    "FolderImage",
    "FolderInfo",
    "ImageInfo",
    "PartImage",
    "Region",
    "StreamImage",
    "SwapInfo",
    "describe",
    "describe_folder",
    "folder_at",
    "folder_image",
    "is_folder_image",
    "named_in",
    "open_stream",
]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(name)
    module = "detect" if name in {"describe", "open_stream"} else "folders.folder"
    return getattr(import_module(f"{__name__}.{module}"), name)
