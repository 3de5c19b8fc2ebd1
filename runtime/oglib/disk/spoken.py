# SPDX-License-Identifier: GPL-3.0-or-later
"""What disks and partitions are called in a sentence: as whoever named them did.

A partition of a file has no device until one is made for the length of some work. Its name means
nothing to a person, and is another one's a moment later: as long as such a device is there, this
knows what it stands for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from oglib.disk.model import Disk, Partition
from oglib.errors import OgError

_names: dict[str, str] = {}


def called(disk: Disk, part: Partition | None = None) -> str:
    """``disk 1``, ``disk 1 partition 2``, ``pc.img partition 2``."""
    name = f"disk {disk.number}" if disk.number else str(disk.path)
    return f"{name} partition {part.number}" if part is not None else name


@contextmanager
def standing_for(device: Path, name: str) -> Iterator[None]:
    """``device`` is called ``name`` until the block ends, also by the errors that leave it."""
    _names[str(device)] = name
    try:
        yield
    except OgError as error:
        error.message, error.hint = told(error.message), told(error.hint)
        raise
    finally:
        _names.pop(str(device), None)


def name_of(path: Path) -> str:
    """What a person calls ``path``: itself, unless it stands for something else."""
    return _names.get(str(path), str(path))


def told(text: str) -> str:
    """A sentence with every device by its name."""
    if not _names:
        return text
    devices = "|".join(re.escape(device) for device in _names)
    return re.sub(rf"(?:{devices})(?!\w)", lambda found: name_of(Path(found[0])), text)
