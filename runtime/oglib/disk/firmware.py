# SPDX-License-Identifier: GPL-3.0-or-later
"""What starts a PC, in the words of images and receipts, and what started this one.

Imports nothing heavy: old commands ask it hundreds of times. What can start a disk says ``starts``,
what is refused because of it ``boot.firmware``.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

_SYS = Path("/sys")


class Firmware(StrEnum):
    """What starts a PC."""

    BIOS = "bios"
    UEFI = "uefi"


# What an image may say of itself: one, or nothing for both and for neither.
WORDS = ("", *(str(one) for one in Firmware))


def running_firmware(*, sys: Path = _SYS) -> Firmware:
    """The firmware that started this ogLive."""
    return Firmware.UEFI if (sys / "firmware/efi").is_dir() else Firmware.BIOS
