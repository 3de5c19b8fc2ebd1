# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether PCs are just bringing an image: what is under way is not changed behind their backs."""

from __future__ import annotations

from oglib.errors import OgErr, OgError
from ogrepo.intake.upload import State, load
from ogrepo.library.folder import Folder
from ogrepo.library.waiting import all_waiting

_UNDER_WAY = (State.RECEIVING, State.PUBLISHING)


def refuse_under_way(folder: Folder, *names: str) -> None:
    """Raise when an upload of one of these names has begun and has not ended."""
    for one in all_waiting(folder.waiting):
        if one.name in names:
            raise OgError(
                f"{one.name} version {one.version} waits for its signature.",
                hint="`ogrepo sign` says how that is given.",
                code=OgErr.LOCKED,
            )
    for path in folder.uploads.iterdir():
        upload = load(path)
        if upload is not None and upload.grant.name in names and upload.state in _UNDER_WAY:
            raise OgError(
                f"An upload of {upload.grant.name} is under way.",
                hint="Wait until it has ended; one that has stopped is dropped after an hour.",
                code=OgErr.LOCKED,
            )
