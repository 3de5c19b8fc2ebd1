# SPDX-License-Identifier: GPL-3.0-or-later
"""The sentences of a deployment or restore: what comes onto what, and that it is ready."""

from __future__ import annotations

import re

from oglib.disk.model import Disk, Partition
from oglib.image.any import Image

_CODE_NAME = re.compile(r"\s*\([^()]*\)")
_WIDTH = re.compile(r"\s+(?:32|64) bits$")


def short_system(text: str) -> str:
    """``Debian GNU/Linux 13 (trixie)`` as people say it: ``Debian 13``."""
    return _WIDTH.sub("", _CODE_NAME.sub("", text)).replace(" GNU/Linux", "").strip()


def system_in(image: Image) -> str:
    """The system that is in an image, as people say it; empty where nobody noted it."""
    return short_system(image.origin.os)


def onto(system: str, title: str, disk: Disk, part: Partition | None = None) -> str:
    """``Debian 13 (debian version 3) onto disk 1 partition 2, /dev/sda (Samsung, 238 GiB)``."""
    return f"{f'{system} ({title})' if system else title} onto {place(disk, part)}"


def ready(system: str, title: str, hostname: str = "") -> str:
    """``Ready: Debian 13 as pc14``; ``title`` is said where the system is not known."""
    name = f" as {hostname}" if hostname else ""
    return f"Ready: {short_system(system) or title}{name}"


def place(disk: Disk, part: Partition | None = None) -> str:
    """``disk 1 partition 2, /dev/sda (Samsung, 238 GiB)``; a file is called by its path already."""
    return f"{disk.called(part)}{f', {disk.describe()}' if disk.number else ''}"
