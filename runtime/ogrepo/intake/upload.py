# SPDX-License-Identifier: GPL-3.0-or-later
"""One upload: its state, in memory and in its folder."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path

from ogrepo.intake.tokens import Grant
from ogrepo.library.folder import write_whole

STATE = "upload.json"


class State(StrEnum):
    """Where an upload is. ``VERIFYING`` is never on disk; from ``PUBLISHED`` on it is final.

    ``WAITING``: it is proven, and somebody signs it on another machine.
    """

    RECEIVING = "receiving"
    VERIFYING = "verifying"
    PUBLISHING = "publishing"
    PUBLISHED = "published"
    WAITING = "waiting"
    FAILED = "failed"


@dataclass(slots=True)
class Upload:
    """One upload; mutable, and changed only by ``Uploads`` and its commit."""

    id: str
    grant: Grant
    state: State = State.RECEIVING
    version: int = 0
    error: dict[str, object] = field(default_factory=dict)
    promised_bytes: int = 0
    waits: bool = False


def save(path: Path, upload: Upload) -> None:
    """Write its state into its folder, whole or not at all."""
    write_whole(path / STATE, json.dumps(asdict(upload)).encode(), mode=0o600)


def load(path: Path) -> Upload | None:
    """The upload whose folder this is, or None: it is none. ``OSError`` when it cannot be read."""
    try:
        data = json.loads((path / STATE).read_bytes())
        upload = Upload(
            id=path.name,
            grant=Grant(**data["grant"]),
            state=State(data["state"]),
            version=data["version"],
            error=data["error"],
            promised_bytes=int(data.get("promised_bytes", 0)),
            waits=data.get("waits") is True,
        )
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError):
        return None
    if upload.state is State.VERIFYING:
        upload.state = State.RECEIVING  # the server that verified is gone
    return upload


def gather(path: Path, staged: Path) -> None:
    """Older servers kept what an upload brought beside its state."""
    loose = [one for one in path.iterdir() if one.name not in (STATE, staged.name)]
    if loose:
        staged.mkdir(mode=0o700, exist_ok=True)
    for one in loose:
        one.replace(staged / one.name)
