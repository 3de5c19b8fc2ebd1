# SPDX-License-Identifier: GPL-3.0-or-later
"""From files to a published image: as they are, converted, or of our own format already.

All of it is prepared aside and proven first; the name's turn is taken only to number, sign and
publish it. A run that is cut leaves nothing but what the next one removes.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from oglib import limits
from oglib.durable import settle
from oglib.errors import ImageError, OgError, WriteError
from oglib.image.format.companions import info_line
from oglib.image.format.frames import digest_of_file
from oglib.image.format.manifest import Manifest, PrivateKey
from oglib.image.reading.formats.detect import open_stream
from oglib.image.reading.formats.model import is_synchronised
from oglib.image.reading.formats.partimage_volumes import are_partimage, parts_of
from oglib.image.recording.device_capture import CaptureMeta
from oglib.image.recording.sink import FileSink
from oglib.image.recording.transcode import transcode
from oglib.progress import Progress
from oglib.texts import read_whole
from ogrepo.arriving.examine import Examined, examine, is_full, no_room
from ogrepo.arriving.sources import Arrival, require_unchanged
from ogrepo.arriving.work import work_folder
from ogrepo.library.adopted import adopted
from ogrepo.library.disks import refuse_inside
from ogrepo.library.folder import Folder, hand_over, write_whole
from ogrepo.library.keep import PathOf
from ogrepo.library.publishing import publish, turn
from ogrepo.library.signed import prove, sign_record, write_signed
from ogrepo.library.store import (
    FRAMES,
    IMAGE,
    OLDER,
    next_version,
    staged_file,
)

_OWN, _CONVERTED, _AS_IT_IS = "of our own format", "converted", "as it is"
_STAGED = "staged"


@dataclass(frozen=True, slots=True)
class Imported:
    """What came of one: ``how`` it was taken, the bytes that it has here, and what to know."""

    name: str
    version: int
    how: str
    size_bytes: int
    said: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, object]:
        """JSON-able."""
        return {
            "image": self.name,
            "version": self.version,
            "how": self.how,
            "size_bytes": self.size_bytes,
            "said": list(self.said),
        }


def bring_in(folder: Folder, arrival: Arrival, *, convert: bool, progress: Progress) -> Imported:
    """Publish what arrived under its name, as the next version of it."""
    _refuse_taken(folder, arrival.name)
    key = PrivateKey.load(folder.image_key)
    with _telling_shortage(folder), work_folder(folder, arrival.size_bytes) as work:
        staged = work / _STAGED
        staged.mkdir(mode=0o700)
        if arrival.own:
            return _bring_own(folder, arrival, staged, key, progress)
        if convert or _needs_conversion(arrival):
            return _bring_converted(folder, arrival, staged, key, progress)
        return _bring_as_it_is(folder, arrival, staged, key, progress)


def _refuse_taken(folder: Folder, name: str) -> None:
    refuse_inside(folder, name)
    known = adopted(folder, name)
    if known is not None and not known.problem:
        raise OgError(
            f"{name} is the image that was adopted from {known.folder}/{known.path}.",
            hint="Import it under another name (--name).",
        )


@contextmanager
def _telling_shortage(folder: Folder) -> Iterator[None]:
    """A disk that is full is told as such, whoever of the writers found it so."""
    try:
        yield
    except (OSError, WriteError) as error:
        full = error if isinstance(error, OSError) else error.__cause__
        if not isinstance(full, OSError) or not is_full(full):
            raise
        raise no_room(folder.private, full) from error


def _needs_conversion(arrival: Arrival) -> bool:
    """Whether no single file serves: partimage's volumes, and what only its owner can tell."""
    if arrival.raw:
        return True
    with closing(arrival.open()) as source:
        return are_partimage(parts_of(source))


def _bring_as_it_is(
    folder: Folder, arrival: Arrival, staged: Path, key: PrivateKey, progress: Progress
) -> Imported:
    image = staged_file(staged, IMAGE)
    with image.open("xb", buffering=0) as file:
        found = examine(
            arrival.open(), arrival.name, scratch=staged.parent, progress=progress, copy=file
        )
        settle(file, forget=True)
    refuse_synchronised(found, str(arrival.files[0]))
    require_unchanged(arrival)
    digest, _ = digest_of_file(image)
    if digest.hex() != found.image_blake3:
        raise ImageError(
            f"{image} does not hold what was written to it.",
            hint="The disk of the repository may be failing.",
        )
    image.chmod(0o644)
    write_older(found, "", partial(staged_file, staged))
    with turn(folder, arrival.name):
        version = next_version(folder, arrival.name)
        record = found.record(arrival.name, "", version, key.public.key_id)
        sign_record(record, key, partial(staged_file, staged))
        publish_as(folder, arrival.name, staged)
    return Imported(
        arrival.name, version, _AS_IT_IS, found.size_bytes, (*arrival.said, *found.warnings)
    )


def refuse_synchronised(found: Examined, what: str) -> None:
    """Raise for OpenGnsys' synchronised images, which are no copies of a partition."""
    if is_synchronised(found.info):
        raise ImageError(
            f"{what} is a filesystem with files in it, as OpenGnsys' synchronised images are, and "
            "no copy of a partition.",
            hint="Restore it with OpenGnsys once, and capture that PC.",
        )


def write_older(found: Examined, hostname: str, path_of: PathOf) -> None:
    """What older tools want beside it: ``.sum``, ``.full.sum``, ``.info``."""
    info = found.info
    line = info_line(
        info.filesystem, info.required_bytes, hostname, info.compressor, tool=info.tool
    )
    for suffix, text in zip(OLDER, (*found.sums, line), strict=True):
        write_whole(path_of(suffix), text.encode())


def _bring_converted(
    folder: Folder, arrival: Arrival, staged: Path, key: PrivateKey, progress: Progress
) -> Imported:
    sink = FileSink(staged.parent / f"converted{IMAGE}")
    image = open_stream(arrival.open(), arrival.name, scratch=staged.parent, raw=arrival.raw)
    with closing(image):
        manifest = transcode(
            image, sink, meta=CaptureMeta(name=arrival.name), progress=progress,
            scratch=staged.parent,
        )  # fmt: skip
        warnings = image.warnings
    require_unchanged(arrival)
    for suffix in (IMAGE, FRAMES):
        (staged.parent / f"converted{suffix}").replace(staged_file(staged, suffix))
    version = _prove_and_publish(folder, manifest, staged, key, progress)
    size = manifest.image_size_bytes
    return Imported(arrival.name, version, _CONVERTED, size, (*arrival.said, *warnings))


def _bring_own(
    folder: Folder, arrival: Arrival, staged: Path, key: PrivateKey, progress: Progress
) -> Imported:
    image, frames, manifest_path = arrival.files
    manifest = Manifest.from_bytes(read_whole(manifest_path, limits.MANIFEST_BYTES))
    for source, suffix in ((image, IMAGE), (frames, FRAMES)):
        with progress.phase("copy", source.stat().st_size):
            shutil.copyfile(source, staged_file(staged, suffix))
    require_unchanged(arrival)
    named = replace(manifest, name=arrival.name)
    version = _prove_and_publish(folder, named, staged, key, progress)
    return Imported(arrival.name, version, _OWN, manifest.image_size_bytes, arrival.said)


def _prove_and_publish(
    folder: Folder, manifest: Manifest, staged: Path, key: PrivateKey, progress: Progress
) -> int:
    path_of = partial(staged_file, staged)
    prove(manifest, path_of, progress)
    with turn(folder, manifest.name):
        version = next_version(folder, manifest.name)
        write_signed(manifest, version, key, path_of)
        publish_as(folder, manifest.name, staged)
    return version


def publish_as(folder: Folder, name: str, staged: Path) -> None:
    """Under the name's turn; ``staged`` becomes the repository's, a link in it and not its end."""
    for path in (staged, *staged.iterdir()):
        hand_over(path, folder.private)
    publish(folder, name, staged)
