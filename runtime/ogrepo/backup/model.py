# SPDX-License-Identifier: GPL-3.0-or-later
"""What a backup says of itself: its last two members, which cover all before them."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from typing import Any

from oglib.errors import ImageError

FORMAT = "ogrepo-backup-1"
LIST, SEAL = "manifest.json", "manifest.blake3"
LIST_BYTES = 256 << 20
REPOSITORY, CONFIG, UNITS = "repository", "config", "units"
SECTIONS = (REPOSITORY, CONFIG, UNITS)
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
_MODES = 0o777
_HINT = "Take another copy of the backup."


@dataclass(frozen=True, slots=True)
class Kept:
    """A file in the archive. ``ours``: it belongs to the user who owns the repository."""

    path: str
    size: int
    mode: int
    ours: bool
    blake3: str


@dataclass(frozen=True, slots=True)
class KeptFolder:
    """A folder, empty or not."""

    path: str
    mode: int
    ours: bool


@dataclass(frozen=True, slots=True)
class KeptLink:
    """A link among the site's own files, which lie as they do on a PC; no member of the archive."""

    path: str
    target: str


@dataclass(frozen=True, slots=True)
class Contents:
    """The list of an archive, and how the server was installed."""

    repository: str
    config: str
    inventory: str
    user: str
    folders: tuple[KeptFolder, ...]
    files: tuple[Kept, ...]
    links: tuple[KeptLink, ...] = ()
    left_out: tuple[str, ...] = ()
    format: str = FORMAT

    def to_bytes(self) -> bytes:
        return json.dumps(asdict(self), indent=1, sort_keys=True, ensure_ascii=True).encode()

    @classmethod
    def from_bytes(cls, raw: bytes) -> Contents:
        """``ImageError`` for what ``to_bytes`` did not write, and for a path that leads away."""
        try:
            data: dict[str, Any] = json.loads(raw)
            if data.get("format") != FORMAT:
                raise ImageError(
                    f"This backup is of another kind: {str(data.get('format'))[:40]}.",
                    hint="Restore it with the ogrepo that wrote it.",
                )
            contents = cls(
                **{
                    **data,
                    "folders": tuple(KeptFolder(**row) for row in data["folders"]),
                    "files": tuple(Kept(**row) for row in data["files"]),
                    "links": tuple(KeptLink(**row) for row in data["links"]),
                    "left_out": tuple(data["left_out"]),
                }
            )
            same = contents.to_bytes() == raw
        except (ValueError, KeyError, TypeError, AttributeError):
            same = False
        if not same or not contents._is_sound():
            raise ImageError("The backup's list of files is damaged.", hint=_HINT)
        return contents

    def _is_sound(self) -> bool:
        rows: tuple[Kept | KeptFolder | KeptLink, ...]
        rows = (*self.files, *self.folders, *self.links)
        dressed: tuple[Kept | KeptFolder, ...] = (*self.files, *self.folders)
        texts = (self.repository, self.config, self.inventory, self.user, *self.left_out)
        names = [*(file.path for file in self.files), *(link.path for link in self.links)]
        return (
            all(isinstance(text, str) for text in texts)
            and all(is_inside(row.path) for row in rows)
            and all(isinstance(link.target, str) and link.target for link in self.links)
            and all(_is_mode(row.mode) for row in dressed)
            and all(type(file.size) is int and file.size >= 0 for file in self.files)
            and all(_DIGEST.fullmatch(file.blake3) is not None for file in self.files)
            and len(set(names)) == len(names)
            and not any(is_below(row.path, link.path) for link in self.links for row in rows)
            and all(link.path.startswith(f"{CONFIG}/site/") for link in self.links)
        )


def is_below(path: str, above: str) -> bool:
    """Whether ``path`` leads through ``above``."""
    return path.startswith(f"{above}/")


def _is_mode(mode: object) -> bool:
    return type(mode) is int and 0 <= mode <= _MODES


def is_inside(path: object) -> bool:
    """Whether a member's path leads into one of the sections, and nowhere else."""
    if not isinstance(path, str) or not path or "\0" in path:
        return False
    parts = path.split("/")
    return (
        parts[0] in SECTIONS
        and not any(part in ("", ".", "..") for part in parts)
        and str(PurePosixPath(path)) == path
    )
