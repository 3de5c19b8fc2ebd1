# SPDX-License-Identifier: GPL-3.0-or-later
"""Images as local files: open the four files beside each other, or capture into them."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from oglib import limits
from oglib.errors import FilesystemError, ImageError, NotFoundError, OgErr
from oglib.filesystem.probe import probe_filesystem
from oglib.image.format.manifest import Manifest, SourceInfo
from oglib.image.format.signing import PublicKey
from oglib.image.reading.opened import OpenImage, open_image
from oglib.image.reading.source import FileSource
from oglib.image.reading.vouching import Policy
from oglib.image.recording.device_capture import CaptureMeta, capture
from oglib.image.recording.sink import ASIDE, SUFFIX, FileSink
from oglib.partfile import is_there
from oglib.progress import Progress
from oglib.texts import TooLargeError, read_whole


@dataclass(frozen=True, slots=True)
class OwnFiles:
    """The four files of an image of ours, whether they are there or not."""

    image: Path
    manifest: Path
    signature: Path
    frames: Path

    @property
    def are_there(self) -> bool:
        """Whether any companion is; what has none is no image of ours."""
        return is_there(self.manifest) or is_there(self.frames)

    def read_manifest(self) -> bytes | None:
        """The manifest, unjudged; None where there is none."""
        return _read(self.manifest, limits.MANIFEST_BYTES, optional=True)

    def manifest_bytes(self) -> bytes:
        """The manifest, unjudged; ``NotFoundError`` where there is none."""
        raw = _read(self.manifest, limits.MANIFEST_BYTES)
        assert raw is not None  # noqa: S101 - only what is optional gives None
        return raw

    def read_signature(self) -> bytes | None:
        """The signature; None where there is none."""
        return _read(self.signature, limits.SIGNATURE_BYTES, optional=True)


def own_files(path: Path) -> OwnFiles:
    """Those beside ``NAME.img``, or beside ``NAME.img.ant``."""
    plain = plain_name(path.name)
    aside = path.name.removeprefix(plain)
    beside = (
        path.with_name(plain + suffix + aside) for suffix in (".json", ".json.sig", ".frames")
    )
    return OwnFiles(path, *beside)


def local_image(
    path: Path,
    *,
    keys: Iterable[PublicKey] = (),
    policy: Policy | None = None,
    at_least_version: int = 0,
    scratch: Path | None = None,
) -> OpenImage:
    """Open ``FOLDER/NAME.img`` with the manifest, signature and frame table beside it."""
    return open_files(
        own_files(path), keys=keys, policy=policy, at_least_version=at_least_version,
        scratch=scratch,
    )  # fmt: skip


def open_files(
    files: OwnFiles,
    *,
    keys: Iterable[PublicKey] = (),
    policy: Policy | None = None,
    at_least_version: int = 0,
    scratch: Path | None = None,
    reading: Callable[[Path], FileSource] = FileSource,
) -> OpenImage:
    """The same, for who knows its files; ``reading`` is what opens the image's own."""
    manifest_bytes, signature = files.manifest_bytes(), files.read_signature()
    source = reading(files.image)
    try:
        image = open_image(
            manifest_bytes, signature, files.frames, source, keys, policy or Policy(),
            at_least_version=at_least_version, scratch=scratch,
        )  # fmt: skip
    except BaseException:
        source.close()
        raise
    if plain_name(files.image.name) != image.manifest.name.rpartition("/")[2] + SUFFIX:
        image.close()
        raise ImageError(
            f"{files.image} holds the image {image.manifest.name}.",
            hint="It was renamed or swapped; give its four files their own name back.",
        )
    return image


def create_local(
    device: Path,
    path: Path,
    *,
    filesystem: str | None = None,
    title: str = "",
    comment: str = "",
    source: SourceInfo | None = None,
    progress: Progress,
    workers: int | None = None,
) -> Manifest:
    """Capture ``device`` into ``path`` (``FOLDER/NAME.img``) and its companions, unsigned.

    ``filesystem`` is blkid's word; None asks blkid.
    """
    kind = filesystem or _probe(device)
    meta = CaptureMeta(
        name=path.name.removesuffix(SUFFIX), title=title, comment=comment,
        source=source or SourceInfo(),
    )  # fmt: skip
    return capture(device, kind, FileSink(path), meta=meta, progress=progress, workers=workers)


def _probe(device: Path) -> str:
    kind = probe_filesystem(device).kind
    if not kind:
        raise FilesystemError(f"No filesystem is recognised on {device}.", code=OgErr.PARTITION)
    return kind


def plain_name(name: str) -> str:
    """``NAME.img`` of itself and of ``NAME.img.ant``, the version before that is kept aside."""
    return name.removesuffix(ASIDE) if name.endswith(f"{SUFFIX}{ASIDE}") else name


def _read(path: Path, limit_bytes: int, *, optional: bool = False) -> bytes | None:
    try:
        return read_whole(path, limit_bytes)
    except FileNotFoundError as error:
        if optional:
            return None
        raise NotFoundError(f"There is no {path}.", code=OgErr.IMAGEFILE) from error
    except OSError as error:
        if optional and error.errno == errno.ENAMETOOLONG:
            return None  # nobody can have put one there
        raise NotFoundError(f"{path} cannot be read: {error.strerror}.") from error
    except TooLargeError as error:
        raise ImageError(error.message) from error
