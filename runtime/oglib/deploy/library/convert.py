# SPDX-License-Identifier: GPL-3.0-or-later
"""Turn any image into one of ours, in a folder or in the repository; smaller, where asked."""

from __future__ import annotations

import time
from pathlib import Path

from oglib.deploy.library.shrink import refuse_unshrinkable, shrunk_copy
from oglib.deploy.opening.opened import opened
from oglib.deploy.partition.capture import Created, created, sink_for
from oglib.errors import UsageError
from oglib.filesystem.probe import probe_filesystem
from oglib.image.any import Image, own_of
from oglib.image.format.manifest import check_name
from oglib.image.recording.device_capture import CaptureMeta, capture
from oglib.image.recording.transcode import transcode
from oglib.progress import Progress
from oglib.settings import Settings


def converted(
    text: str,
    *,
    destination: str,
    name: str = "",
    title: str = "",
    comment: str = "",
    most_bytes: int = 0,
    scratch: Path | None = None,
    settings: Settings,
    progress: Progress,
) -> Created:
    """Convert the image that ``text`` names; ``destination`` is as for a capture.

    ``name``, ``title`` and ``comment`` stay as they are where they are empty. ``most_bytes``: the
    result must fit a partition of that size. Where the image does not yet, a copy is shrunk in
    ``scratch`` (default: the destination, when it is a folder).
    """
    started = time.monotonic()
    with opened(text, settings) as image:
        meta = _meta(image, check_name(name or image.name), title, comment)
        room = scratch or _folder(destination)
        shrinks = _is_larger(image, most_bytes)
        if shrinks and room is None:
            raise UsageError(
                f"A smaller copy of {image.name} needs room to be made in.",
                hint="Name a folder for it by --scratch.",
            )
        if shrinks:
            refuse_unshrinkable(image, most_bytes)
        with sink_for(destination, meta.name, settings) as sink:
            if room is None or not shrinks:
                manifest = transcode(image, sink, meta=meta, progress=progress)
            else:
                with shrunk_copy(image, most_bytes, room, progress=progress) as device:
                    kind = probe_filesystem(device).kind
                    manifest = capture(device, kind, sink, meta=meta, progress=progress)
        return created(sink, manifest, started, warnings=image.warnings)


def _is_larger(image: Image, most_bytes: int) -> bool:
    """Whether ``most_bytes`` asks for less than the image needs, as far as it says."""
    return bool(most_bytes) and not 0 < image.required_bytes <= most_bytes


def _meta(image: Image, name: str, title: str, comment: str) -> CaptureMeta:
    """What is known of the image stays with it; a copy of another name says what it is of."""
    own = own_of(image)
    if own is None:
        return CaptureMeta(name=name, title=title, comment=comment)
    old = own.manifest
    return CaptureMeta(
        name=name,
        title=title or old.title,
        comment=comment or old.comment,
        parent=old.parent if old.name == name else old.name,
        source=old.source,
        software=old.software,
    )


def _folder(destination: str) -> Path | None:
    return Path(destination) if destination and "://" not in destination else None
