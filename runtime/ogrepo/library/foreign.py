# SPDX-License-Identifier: GPL-3.0-or-later
"""Images of other programs, as they are: their bytes, and the record of them that we signed.

``images/NAME.img`` is a file of ours, or a link to where an adopted one lies. The record beside it
(``NAME.img.foreign.json``) makes it an image: it comes last and goes first.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from oglib import limits
from oglib.errors import ImageError, NotFoundError, OgError
from oglib.image.format.foreign_record import ForeignRecord
from oglib.image.format.manifest import (
    PublicKey,
    load_public_keys,
    verify_signature,
)
from oglib.image.reading.proven import ProvenSource
from oglib.progress import Progress
from ogrepo.library.adopted import adopted, is_unchanged, record_of_adopted
from ogrepo.library.folder import Folder, checked_name, walk
from ogrepo.library.proving.pacing import Pace, PacedSource
from ogrepo.library.store import IMAGE, RECORD, RECORD_SIGNATURE
from ogrepo.library.stored import stored
from ogrepo.shortage import is_shortage


@dataclass(frozen=True, slots=True)
class PublishedForeign:
    """One as it stands in the folder; ``key_id`` is empty when no key of ours signed it."""

    record: ForeignRecord
    raw: bytes
    signature: bytes
    key_id: str
    image: Path

    @property
    def name(self) -> str:
        return self.record.name

    def as_dict(self) -> dict[str, object]:
        """One entry of the JSON listing."""
        record = self.record
        return {
            "name": record.name,
            "version": record.version,
            "title": "",
            "comment": "",
            "os": "",
            "hostname": record.hostname,
            "filesystem": record.filesystem,
            "created": record.created,
            "size_bytes": record.image_size_bytes,
            "required_bytes": record.required_bytes,
            "used_bytes": 0,
            "key_id": self.key_id,
            "tool": record.tool,
            "compressor": record.compressor,
        }


def find_foreign(folder: Folder, name: str, keys: Sequence[PublicKey]) -> PublishedForeign:
    """The one of this name; raises when it is absent, or another file lies there by now."""
    path, image = folder.image_file(name, RECORD), folder.image_file(name, IMAGE)
    try:
        raw = stored(path, limits.MANIFEST_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        raise NotFoundError(f"There is no image of another program named {name}.") from None
    except OSError as error:
        raise ImageError(f"{path} cannot be read: {error.strerror}.") from error
    record = ForeignRecord.from_bytes(raw)
    if record.name != name:
        raise ImageError(f"{path} is the record of {record.name}, not of {name}.")
    _check_there(folder, record, image)
    signature, key_id = b"", ""
    with contextlib.suppress(FileNotFoundError):
        signature = stored(folder.image_file(name, RECORD_SIGNATURE))
    if signature:
        with contextlib.suppress(ImageError):
            key_id = verify_signature(raw, signature, list(keys))
    return PublishedForeign(record, raw, signature, key_id, image)


def _check_there(folder: Folder, record: ForeignRecord, image: Path) -> None:
    try:
        status = image.stat()
    except OSError as error:
        raise ImageError(f"{image} cannot be read: {error.strerror}.") from error
    known = adopted(folder, record.name) if image.is_symlink() else None
    changed = known is not None and (bool(known.problem) or not is_unchanged(known, status))
    if changed or status.st_size != record.image_size_bytes:
        raise ImageError(
            f"{image.resolve()} was changed since it was signed as {record.name}.",
            hint="Take it up again: `ogrepo adopt` where it was adopted, else `ogrepo import`.",
        )


def foreign_names(folder: Folder) -> list[str]:
    """The names under which there is a record, complete or not."""
    return sorted(
        str((path / name).relative_to(folder.images)).removesuffix(RECORD)
        for path, names in walk(folder.images)
        for name in names
        if name.endswith(RECORD)
    )


def foreign_files(folder: Folder, name: str) -> list[Path]:
    """The files that decide whether one is complete, and what is shown of it."""
    stem = folder.images.joinpath(*name.split("/"))
    beside = [stem.with_name(stem.name + end) for end in (RECORD, RECORD_SIGNATURE, IMAGE)]
    return [*beside, record_of_adopted(folder, name)]


def published_foreign(folder: Folder) -> list[PublishedForeign]:
    """Every complete one, by name."""
    keys = load_public_keys(folder.keys)
    complete = []
    for name in foreign_names(folder):
        try:
            complete.append(find_foreign(folder, checked_name(name), keys))
        except OgError as error:
            if is_shortage(error):
                raise
    return complete


def verify_foreign(
    image: PublishedForeign, keys: Sequence[PublicKey], progress: Progress, pace: Pace
) -> None:
    """Prove every byte of one that is signed, and who signed it; no faster than ``pace``."""
    verify_signature(image.raw, image.signature, list(keys))
    record = image.record
    source = ProvenSource(PacedSource(image.image, pace), record)
    with contextlib.closing(source), progress.phase("verify", source.size_bytes) as phase:
        for start in range(0, source.size_bytes, record.piece_bytes):
            count = min(record.piece_bytes, source.size_bytes - start)
            phase.advance(len(source.read(start, count)))
