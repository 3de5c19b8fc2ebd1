# SPDX-License-Identifier: GPL-3.0-or-later
"""Publishes what came back signed while the repository is served."""

from __future__ import annotations

import asyncio
from functools import partial

from oglib.errors import OgError
from ogrepo.intake.receive import in_thread
from ogrepo.library.folder import Folder
from ogrepo.library.waiting import publish_signed
from ogrepo.serving.accesslog import LOG

_EVERY_S = 5.0


async def follow_signed(folder: Folder) -> None:
    """Look now and then; what cannot be published is told once, until that changes."""
    if not folder.image_key.exists():
        LOG.info("The signing key is on another machine: what PCs capture waits for `ogrepo sign`.")
    told: set[str] = set()
    while True:
        try:
            said = await in_thread(partial(publish_signed, folder))
        except (OgError, OSError) as error:
            said = [f"What waits for a signature cannot be looked at: {error}"]
        for line in said:
            if line not in told:
                LOG.info("%s", line)
        told = set(said)
        await asyncio.sleep(_EVERY_S)
