# SPDX-License-Identifier: GPL-3.0-or-later
"""How much at most: bounds that several rooms hold to, each fact once.

What one side writes the other must be able to read, so a bound of what is exchanged has one
number: PC, cache and repository refuse at the same byte. A bound that one file alone knows stays
in that file; those of a partition table are in ``disk.tables``.
"""

from __future__ import annotations

# The files of an image: NAME.img and what lies beside it, and of a folder of them.
IMAGE_BYTES = 1 << 50
MANIFEST_BYTES = 4 << 20
SIGNATURE_BYTES = 4096
FRAMES_BYTES = 4 << 30
DISK_MANIFEST_BYTES = 1 << 20
DISK_GAPS_BYTES = 64 << 20
LAYOUT_BYTES = 1 << 20

NAME_CHARACTERS = 200  # of an image, folders and all

# Of a disk: so many sectors of 512 bytes still make a number of bytes that 64 bits hold.
SECTORS = 1 << 55
