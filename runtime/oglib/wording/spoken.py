# SPDX-License-Identifier: GPL-3.0-or-later
"""Devices in a sentence: called as whoever named them did.

A partition of a file has no device until one is made for the length of some work. The name of that
one means nothing to a person, and is another one's a moment later: as long as such a device is
there, this knows what it stands for, and every ``OgError`` that is made meanwhile says that.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

TYPE_CHECKING = False  # to checkers it is true; typing itself is a good part of a short command
if TYPE_CHECKING:
    from pathlib import Path

_names: dict[str, str] = {}


@contextmanager
def standing_for(device: Path, name: str) -> Iterator[None]:
    """``device`` is called ``name`` until the block ends, also by what the system refuses."""
    _names[str(device)] = name
    try:
        yield
    except OSError as error:
        if isinstance(error.filename, str):
            error.filename = _names.get(error.filename, error.filename)
        raise
    finally:
        _names.pop(str(device), None)


def name_of(path: Path) -> str:
    """What a person calls ``path``: itself, unless it stands for something else."""
    return _named(str(path))


def _named(path: str) -> str:
    return _names.get(path, path)


def with_names(text: str) -> str:
    """A sentence with every device by its name."""
    if not _names:
        return text
    import re  # noqa: PLC0415  every command starts, few have such a device

    devices = "|".join(re.escape(device) for device in tuple(_names))
    said = re.sub(rf"(?:{devices})(?!\w)", lambda found: _named(found[0]), text)
    return said if said[:1] == text[:1] else f"{said[:1].upper()}{said[1:]}"
