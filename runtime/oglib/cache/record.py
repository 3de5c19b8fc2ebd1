# SPDX-License-Identifier: GPL-3.0-or-later
"""What is remembered of an entry: its record, written once, and its state, which changes.

The record holds the size and digest of every file, so that an entry can be checked whatever
its format is. The state outlives a new version of the same image.
"""

from __future__ import annotations

import errno
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

from oglib.cache.folder import write_whole
from oglib.cache.model import Proof, StoredFile
from oglib.errors import OgErr, OgError
from oglib.texts import NotPlainError, TooLargeError, read_whole

_FORMAT = 1
_MOST_BYTES = 64 << 20  # a line for each file of an entry; its folders hold many
_NO_CONTENT = frozenset(
    (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.EIO, errno.EUCLEAN)
)


@dataclass(frozen=True, slots=True)
class Record:
    """``head`` is relative to the images folder; ``files`` are relative to the head's folder."""

    name: str
    head: str
    proof: Proof
    files: Mapping[str, StoredFile]

    @property
    def leaf(self) -> str:
        return PurePosixPath(self.head).name

    @property
    def items(self) -> frozenset[str]:
        """The files, and the folder of a whole disk, that stand beside the head, and the head."""
        return frozenset(PurePosixPath(path).parts[0] for path in self.files)

    @property
    def size_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files.values())

    def to_bytes(self) -> bytes:
        plain = {"format": _FORMAT, **asdict(self)}
        return json.dumps(plain, indent=1, sort_keys=True).encode() + b"\n"


@dataclass(frozen=True, slots=True)
class State:
    """``used``: the number of its last use, counted over the whole cache.

    ``damaged``: somebody who read it found that it is not what it was.
    """

    used: int = 0
    pinned: bool = False
    damaged: bool = False


def read_record(path: Path) -> Record | None:
    """The record at ``path``; None when there is none that makes sense, or its place is damaged.

    Any other failure to read it is raised: an entry without a record is removed.
    """
    try:
        raw = json.loads(_bytes_of(path))
        if raw.pop("format") != _FORMAT:
            return None
        files = {str(name): StoredFile(**facts) for name, facts in raw.pop("files").items()}
        record = Record(proof=Proof(raw.pop("proof")), files=files, **raw)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    inside = all(
        not PurePosixPath(part).is_absolute() and ".." not in PurePosixPath(part).parts
        for part in (record.head, *files)
    )
    return record if inside and record.leaf in record.items else None


def read_state(path: Path) -> State:
    """The state of an entry; where none makes sense it was never used and is not pinned."""
    try:
        raw = json.loads(_bytes_of(path))
        damaged = bool(raw.get("damaged", False))  # older ogLives knew of none
        return State(used=int(raw["used"]), pinned=bool(raw["pinned"]), damaged=damaged)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        return State()


def _bytes_of(path: Path) -> bytes:
    """The content; none where no file is that could be one, or its place on the disk is damaged."""
    try:
        return read_whole(path, _MOST_BYTES, follow=False)
    except (TooLargeError, NotPlainError):
        return b""
    except OSError as error:
        if error.errno in _NO_CONTENT:
            return b""
        raise OgError(
            f"The cache cannot be read: {path.name}: {error.strerror}.", code=OgErr.CACHE
        ) from error


def write_state(path: Path, state: State) -> None:
    write_whole(path, json.dumps(asdict(state)).encode() + b"\n")
