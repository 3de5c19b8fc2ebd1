# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files of other folders are served as images of ours, and how they were when they were read.

One small private file for each name. It alone lets a link in ``images/`` lead out of the
repository, and to that one file.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import unquote

from ogrepo.library.folder import Folder, write_whole
from ogrepo.shortage import says_absent

_KIND = "adopted"


@dataclass(frozen=True, slots=True)
class Adopted:
    """``path``, below ``folder``, as the image ``name``; the rest is of when it was read.

    ``problem``: why it is not served, in a sentence; empty where it is. ``version`` 0 = never was.
    """

    name: str
    folder: str
    path: str
    device: int
    inode: int
    size: int
    changed_ns: int
    written_ns: int
    version: int = 0
    problem: str = ""


def is_unchanged(known: Adopted, status: os.stat_result) -> bool:
    """Whether the file is still the one that was read."""
    return (known.device, known.inode, known.size, known.changed_ns, known.written_ns) == (
        status.st_dev,
        status.st_ino,
        status.st_size,
        status.st_ctime_ns,
        status.st_mtime_ns,
    )


def record_of_adopted(folder: Folder, name: str) -> Path:
    """Where it is noted what is served as ``name``."""
    return folder.record(_KIND, name)


def adopted(folder: Folder, name: str) -> Adopted | None:
    """What is known of this name; None where nothing was adopted as such."""
    try:
        raw = record_of_adopted(folder, name).read_bytes()
    except OSError as error:
        if not says_absent(error):
            raise
        return None
    return _parsed(raw)


def all_adopted(folder: Folder) -> Iterator[Adopted]:
    """Everything that was."""
    for path in sorted((folder.private / _KIND).iterdir()):
        if not path.name.startswith(".") and (known := adopted(folder, unquote(path.name))):
            yield known


def remember(folder: Folder, known: Adopted) -> None:
    """Keep it, in place of what was known of that name."""
    raw = json.dumps(asdict(known), indent=2).encode("ascii")
    write_whole(record_of_adopted(folder, known.name), raw, mode=0o600)


def leads_to_adopted(folder: Folder, name: str, real: Path) -> bool:
    """Whether the link of this name may lead to ``real``, a path without links."""
    known = adopted(folder, name)
    if known is None or known.problem:
        return False
    inside = Path(known.folder)
    return real == inside / known.path and real.is_relative_to(inside)


def _parsed(raw: bytes) -> Adopted | None:
    """None for what is no such file: then nothing is served, and `ogrepo adopt` reads it anew."""
    try:
        return Adopted(**json.loads(raw))
    except (ValueError, TypeError):
        return None
