# SPDX-License-Identifier: GPL-3.0-or-later
"""Capture a partition into the repository or a folder: the use case behind every command.

Says what is captured and from where, looks at the system on it, shrinks and grows back where
that was asked for. What an image is and how it gets its name is ``image``'s.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from oglib.cancel import NEVER, Cancel
from oglib.deploy.itself import refuse_into_itself
from oglib.deploy.partition.subject import CaptureSource, capture_source, source_facts
from oglib.errors import (
    FilesystemError,
    NotFoundError,
    OgErr,
    TransferError,
    UsageError,
)
from oglib.filesystem.kind import Shrink
from oglib.filesystem.kinds import kind_of
from oglib.filesystem.mounts import refuse_in_use
from oglib.filesystem.probe import probe_filesystem
from oglib.filesystem.resize import grow_filesystem, shrink_filesystem
from oglib.image.format.manifest import Manifest, check_name
from oglib.image.recording.device_capture import CaptureMeta, capture, check_source
from oglib.image.recording.legacy_capture import COMPRESSORS, capture_legacy
from oglib.image.recording.sink import SUFFIX, FileSink, ImageSink
from oglib.progress import Progress
from oglib.run import undisturbed
from oglib.settings import Settings
from oglib.transfer.upload import HttpUploadSink, read_token
from oglib.wording.amounts import human_bytes


@dataclass(frozen=True, slots=True)
class Created:
    """A finished capture: what it is and where it can be found now. ``version`` 0: a folder."""

    name: str
    where: str
    version: int
    seconds: float
    filesystem: str
    used_bytes: int
    image_size_bytes: int
    warnings: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, object]:
        """JSON-able."""
        return asdict(self)

    @property
    def text(self) -> str:
        version = f" version {self.version}" if self.version else ""
        return (
            f"{self.name}{version}: {human_bytes(self.used_bytes)} of {self.filesystem} in "
            f"{human_bytes(self.image_size_bytes)}, {self.where}"
        )


@dataclass(frozen=True, slots=True)
class CaptureWishes:
    """What may be asked of a capture besides a name and a place.

    ``format``: empty for our own, or a compressor of ``COMPRESSORS`` for an image that old
    clients read. ``raw``, ``dirty``: as ``image.capture``. ``shrink``: the filesystem is as
    small as it can be while it is captured. ``full_sum``: in a folder with ``.full.sum``, which a
    repository of ours makes itself, and old servers make within a minute.
    """

    title: str = ""
    comment: str = ""
    parent: str = ""
    format: str = ""
    raw: bool = False
    dirty: bool = False
    shrink: bool = False
    full_sum: bool = False


def create(
    disk_spec: str,
    part_spec: str | None,
    name: str,
    *,
    destination: str,
    settings: Settings,
    progress: Progress,
    wishes: CaptureWishes | None = None,
    cancel: Cancel = NEVER,
) -> Created:
    """Capture a partition. ``destination`` is a folder, a repository's address, or empty.

    Empty means the repository that this PC was told of. Without ``part_spec`` the disk is a
    volume or a file that holds a filesystem itself. The image is visible there once all of it
    has arrived and was verified; the version before it is kept aside.
    """
    wanted = wishes or CaptureWishes()
    check_name(name)
    with capture_source(disk_spec, part_spec, settings) as source:
        # before its state is looked at: what is mounted looks as if it was not shut down
        refuse_in_use(source.device, "captured")
        if destination and "://" not in destination:
            refuse_into_itself(source.disk.path, [Path(destination, f"{name}{SUFFIX}")])
        kind = probe_filesystem(source.device).kind
        if not kind and not wanted.raw:
            raise FilesystemError(
                f"There is no filesystem on {source.describe()}.",
                hint="`og disk list` shows what is where; --raw takes all blocks, whatever it is.",
                code=OgErr.PARTITION,
            )
        check_source(source.device, kind, raw=wanted.raw, dirty=wanted.dirty)
        work = _Work(source, kind, wanted, name, destination, progress, cancel)
        return work.for_old_clients() if wanted.format else work.into_own_format(settings)


@dataclass(frozen=True, slots=True)
class _Work:
    """A capture that was asked for and looked at: ``kind`` is what blkid calls the filesystem."""

    source: CaptureSource
    kind: str
    wanted: CaptureWishes
    name: str
    destination: str
    progress: Progress
    cancel: Cancel
    started: float = field(default_factory=time.monotonic)

    def for_old_clients(self) -> Created:
        """A file that partclone and the packer of ``wanted.format`` make."""
        wanted = self.wanted
        path = _legacy_path(wanted.format, self.destination, self.name)
        with _shrunk(self.source, self.kind, wanted, self.progress):
            info = capture_legacy(
                self.source.device, self.kind, FileSink(path, full_sum=True),
                compressor=wanted.format, hostname=socket.gethostname(), progress=self.progress,
                raw=wanted.raw, dirty=wanted.dirty, cancel=self.cancel,
            )  # fmt: skip
        return Created(
            name=self.name,
            where=str(path),
            version=0,
            seconds=_since(self.started),
            filesystem=info.filesystem,
            used_bytes=info.used_blocks * info.block_size,
            image_size_bytes=path.stat().st_size,
        )

    def into_own_format(self, settings: Settings) -> Created:
        """An image of ours, in a folder or in the repository."""
        wanted = self.wanted
        facts = source_facts(self.source, dirty=wanted.dirty)
        meta = CaptureMeta(
            name=self.name,
            title=wanted.title,
            comment=wanted.comment,
            parent=wanted.parent,
            source=facts.info,
            software=facts.software,
        )
        with (
            sink_for(self.destination, self.name, settings, full_sum=wanted.full_sum) as sink,
            _shrunk(self.source, self.kind, wanted, self.progress),
        ):
            manifest = capture(
                self.source.device, self.kind, sink, meta=meta, progress=self.progress,
                raw=wanted.raw, dirty=wanted.dirty, cancel=self.cancel,
            )  # fmt: skip
        return created(sink, manifest, self.started, warnings=facts.notes)


@contextmanager
def sink_for(
    destination: str, name: str, settings: Settings, *, full_sum: bool = False
) -> Iterator[ImageSink]:
    """Where an image of this name goes; given up when the block fails before it has finished.

    Opening it proves that the folder can be written, or that the repository takes the token.
    """
    sink: ImageSink
    if destination and "://" not in destination:
        sink = FileSink(image_path(destination, name), full_sum=full_sum)
    else:
        base = destination or settings.repository_url()
        sink = HttpUploadSink(
            base, name, read_token(settings.upload_token), connection=settings.connection
        )
    try:
        yield sink
    except BaseException:
        sink.abort()
        raise


def image_path(folder: str, name: str) -> Path:
    """``FOLDER/NAME.img``; folders in the name are made, the first one must be there."""
    top = Path(folder)
    if not top.is_dir():
        raise NotFoundError(f"There is no folder {top}.", hint="Make it, or mount what is there.")
    path = top / f"{name}{SUFFIX}"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def created(
    sink: ImageSink, manifest: Manifest, started: float, *, warnings: tuple[str, ...] = ()
) -> Created:
    """What became of an image whose sink has finished; ``started``: ``time.monotonic()`` then."""
    where, version = "", 0
    if isinstance(sink, FileSink):
        where = str(sink.path)
    elif isinstance(sink, HttpUploadSink):
        if sink.published is None:
            raise TransferError(f"The repository did not say what became of {manifest.name}.")
        where, version = sink.address_of(f"{manifest.name}{SUFFIX}"), sink.published.version
        warnings = (*warnings, *sink.published.warnings())
    return Created(
        name=manifest.name,
        where=where,
        version=version,
        seconds=_since(started),
        filesystem=manifest.filesystem,
        used_bytes=manifest.used_blocks * manifest.block_size,
        image_size_bytes=manifest.image_size_bytes,
        warnings=(*warnings, *added_blocks(manifest)),
    )


def added_blocks(manifest: Manifest) -> tuple[str, ...]:
    """What to say of used blocks that partclone did not name; nothing where there are none."""
    if not manifest.added_blocks:
        return ()
    return (
        f"partclone {manifest.partclone} did not know of {manifest.added_blocks} used blocks; they "
        f"are in the image {manifest.name}, as the {manifest.filesystem}'s own tables name them.",
    )


def _legacy_path(compressor: str, destination: str, name: str) -> Path:
    if compressor not in COMPRESSORS:
        raise UsageError(
            f"There is no image format {compressor!r}.",
            hint=f"Old clients read {', '.join(COMPRESSORS)}; without --format it is our own.",
        )
    if not destination or "://" in destination:
        raise UsageError(
            "Images for old clients are written into a folder, not sent to a repository.",
            hint="Name one with --to.",
        )
    return image_path(destination, name)


@contextmanager
def _shrunk(
    source: CaptureSource, kind: str, wanted: CaptureWishes, progress: Progress
) -> Iterator[None]:
    """The filesystem at its smallest for the length of the block, where that was asked for.

    Whatever happens it is grown back. After a power cut it is sound and only small: the next
    capture with this, or `og fs grow`, lets it fill its partition again.
    """
    if not wanted.shrink:
        yield
        return
    if kind_of(kind).shrink is Shrink.NEVER or wanted.raw:
        raise FilesystemError(
            f"{source.describe()} holds {kind}, which cannot be made smaller"
            f"{' when all its blocks are taken' if wanted.raw else ''}.",
            hint="Capture it without --shrink.",
            code=OgErr.REDUCEFS,
        )
    try:
        with progress.phase("shrink"):
            shrink_filesystem(source.device)
        yield
    finally:
        with progress.phase("grow back"), undisturbed():
            grow_filesystem(source.device)


def _since(started: float) -> float:
    return round(time.monotonic() - started, 3)
