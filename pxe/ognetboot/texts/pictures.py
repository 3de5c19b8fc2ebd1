# SPDX-License-Identifier: GPL-3.0-or-later
"""The pictures behind the menus: ours, and those of the site that its scopes name.

Both iPXE and GRUB read PNG, each not all of it; a file that one of them could not draw is refused
when the menus are written, not noticed in the classroom.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path, PurePosixPath

from ognetboot import keeping
from ognetboot.errors import NetbootError
from ognetboot.inventory.model import Inventory

# The picture of ours behind the menus of whoever has none, and the bar over GRUB's marked line.
DEFAULT_PICTURE = "oglive.png"
_MARKED = ("marked_w.png", "marked_c.png", "marked_e.png")
# Where iPXE fetches them, and where GRUB does.
_IPXE, _GRUB = PurePosixPath("menus"), PurePosixPath("grub/look")

MOST_BYTES = 2 << 20
SIZE = (1024, 768)
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Signature, then the chunk IHDR: its length, name and 13 bytes.
_HEADER = struct.Struct(">8sI4sIIBBBBB")
_TRUE_COLOUR = (2, 6)
_HINT = (
    f"save it as PNG of {SIZE[0]} x {SIZE[1]}, 8 bits a colour, not interlaced, without a palette"
)


def pictures(inventory: Inventory, folder: Path) -> dict[PurePosixPath, bytes]:
    """Every picture that the menus name, by its path in the tree; the site's lie in `folder`."""
    ours = files("ognetboot").joinpath("menus")
    default = ours.joinpath(DEFAULT_PICTURE).read_bytes()
    found = {
        _IPXE / DEFAULT_PICTURE: default,
        _GRUB / DEFAULT_PICTURE: default,
        **{_GRUB / name: ours.joinpath(name).read_bytes() for name in _MARKED},
    }
    for name in sorted(set(_named(inventory))):
        found[_IPXE / name] = found[_GRUB / name] = picture_of(folder, name)
    return found


def _named(inventory: Inventory) -> Iterator[str]:
    for choices in (
        inventory.server.choices,
        *(centre.choices for centre in inventory.centres),
        *(room.choices for room in inventory.rooms),
        *(group.choices for group in inventory.groups),
        *(client.choices for client in inventory.clients),
    ):
        if choices.picture is not None:
            yield choices.picture


def picture_of(folder: Path, name: str) -> bytes:
    """A picture of the site's; refused where a loader would not draw it."""
    path = folder / name
    try:
        content = keeping.content(path, MOST_BYTES)
    except OSError as error:
        raise NetbootError(
            f"{path}: the picture cannot be read: {error.strerror}",
            hint="put it beside the inventory, or correct `picture`",
        ) from None
    fault = fault_of(content)
    if fault is not None:
        raise NetbootError(f"{path}: the picture {fault}", hint=_HINT)
    return content


def fault_of(content: bytes) -> str | None:
    """Why a loader would not draw this file; None: both would."""
    if len(content) > MOST_BYTES:
        return f"has more than {MOST_BYTES >> 20} MiB"
    if len(content) < _HEADER.size or not content.startswith(_SIGNATURE):
        return "is no PNG file"
    _, _, chunk, width, height, depth, colour, _, _, interlace = _HEADER.unpack_from(content)
    if chunk != b"IHDR":
        return "is no PNG file"
    if (width, height) != SIZE:
        return f"has {width} x {height} dots, not {SIZE[0]} x {SIZE[1]}"
    if depth != 8 or colour not in _TRUE_COLOUR:
        return "has a palette, grey tones alone, or not 8 bits a colour"
    if interlace:
        return "is interlaced"
    return None
