# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole file brought from whichever place has it, shown only when it is proven to be the one."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from blake3 import blake3

from oglib import durable
from oglib.connection import USUAL, Connection
from oglib.errors import ImageError
from oglib.transfer.places.place import Place, Wanted
from oglib.transfer.places.source import PlacesSource

_STEP_BYTES = 4 << 20


def bring(
    wanted: Wanted,
    places: Sequence[Place],
    path: Path,
    *,
    where: str,
    connection: Connection = USUAL,
    on_bytes: Callable[[int], None] = lambda _count: None,
) -> tuple[str, ...]:
    """Bring ``wanted`` to ``path``; what is to be told of its places comes back.

    It is written beside as ``.part``, proven, flushed, then renamed. Bytes that turn out to be
    wrong are fetched once more from another place, and counted once more.
    """
    part = path.with_name(path.name + ".part")
    with closing(PlacesSource(wanted, places, where=where, connection=connection)) as source:
        try:
            while not _written(source, part, wanted, on_bytes):
                if not source.wrong(0, wanted.size_bytes):
                    raise ImageError(
                        f"{wanted.called} from {where} is not what its manifest names.",
                        hint="Run it again; if it persists, verify the image on the repository.",
                    )
            durable.show(part, path)
        except BaseException:
            with contextlib.suppress(OSError):
                part.unlink()
            raise
        return source.said


def _written(
    source: PlacesSource, part: Path, wanted: Wanted, on_bytes: Callable[[int], None]
) -> bool:
    """Whether it is the one."""
    hasher = blake3()
    with part.open("wb") as file:
        for offset in range(0, wanted.size_bytes, _STEP_BYTES):
            step = source.read(offset, min(_STEP_BYTES, wanted.size_bytes - offset))
            hasher.update(step)
            file.write(step)
            on_bytes(len(step))
        if hasher.hexdigest() != wanted.digest:
            return False
        durable.settle(file)
    return True
