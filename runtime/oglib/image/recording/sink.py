# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a captured image goes: the protocol of every sink, and the one to local files.

Nothing is visible under an image's name before all of it is durable and was read back, and the
version that was there before is kept aside as ``.ant``. Uploads live in ``oglib.transfer``.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from oglib import durable
from oglib.errors import OgErr, OgError, UsageError, WriteError
from oglib.image.format.companions import COMPANIONS, Checksums, info_line
from oglib.image.format.frames import digest_of_file
from oglib.image.format.manifest import Manifest
from oglib.partfile import beside, locked, new_file, refuse_long
from oglib.run import undisturbed
from oglib.wording.amounts import human_bytes

SUFFIX = ".img"
ASIDE = ".ant"
_SIGNATURE, _MANIFEST, _FRAMES = ".json.sig", ".json", ".frames"
# The manifest is what makes an image visible, to older tools the image itself and ``.info``:
# in this order they come, and in the other one they go.
_ORDER = (_FRAMES, "", *COMPANIONS, _MANIFEST, _SIGNATURE)
_LONGEST = tuple(f"{suffix}{end}" for suffix in _ORDER for end in (".part", ASIDE))
_COPY_BYTES = 1 << 20


class ImageSink(Protocol):
    """Takes one image: ``reserve``, ``write`` until its end, then ``finish``; or ``abort``.

    ``reserve`` raises where there is no room for an image of about that size. ``frames_before``
    gives the frame table of the version that it replaces, which a sink that has to fetch it puts
    into ``folder``; None where there is none.
    """

    def frames_before(self, folder: Path) -> Path | None: ...

    def reserve(self, size_bytes: int) -> None: ...

    def write(self, data: bytes) -> None: ...

    def finish(self, frames_path: Path, manifest_bytes: bytes) -> None: ...

    def abort(self) -> None: ...


class FileSink:
    """``path`` (``FOLDER/NAME.img``) and the files beside it.

    ``full_sum``: ``.full.sum`` too, the MD5 of all of it; old images have no other digest.
    ``replaces``: where the version before is, if not at ``path`` itself.
    """

    def __init__(self, path: Path, *, full_sum: bool = False, replaces: Path | None = None) -> None:
        if path.suffix != SUFFIX:
            raise UsageError(f"{path} is not named NAME{SUFFIX}.")
        self._path = path
        refuse_long(path, _LONGEST)
        self._part = beside(path, ".part")
        self._frames_before = beside(replaces or path, _FRAMES)
        self._sums = Checksums(full=full_sum)
        self._over = False
        try:
            handle = locked(self._part, new_file(self._part))
        except OSError as error:
            raise WriteError(f"{self._part} cannot be made: {error.strerror}.") from error
        if handle is None:
            raise OgError(
                f"Another capture is writing {path} at this moment.",
                hint="Wait for its end, or choose another name.",
                code=OgErr.LOCKED,
            )
        self._file = os.fdopen(handle, "r+b", buffering=0)
        self._file.truncate(0)
        self._drop_companions()  # of a capture that was cut: they would join this image

    @property
    def path(self) -> Path:
        """The image as it is called once it has finished."""
        return self._path

    @property
    def part(self) -> Path:
        """The file that is written until then."""
        return self._part

    def frames_before(self, folder: Path) -> Path | None:  # noqa: ARG002 - others fetch it
        """The frame table of the image that is there now."""
        return self._frames_before if self._frames_before.is_file() else None

    def reserve(self, size_bytes: int) -> None:
        """Raise unless the folder has room for this much."""
        there = os.statvfs(self._path.parent)
        free = there.f_bavail * there.f_frsize
        if free < size_bytes:
            raise WriteError(
                f"{self._path.parent} has {human_bytes(free)} free, the image will take about "
                f"{human_bytes(size_bytes)}.",
                hint="Make room, or choose another place.",
            )

    def write(self, data: bytes) -> None:
        self._sums.update(data)
        try:
            view = memoryview(data)
            while view:
                view = view[self._file.write(view) :]
        except OSError as error:
            raise _not_written(self._part, error) from error

    def finish(self, frames_path: Path, manifest_bytes: bytes) -> None:
        """Make everything durable, prove it, put the old version aside, show the new one."""
        manifest = Manifest.from_bytes(manifest_bytes)
        info = info_line(manifest.filesystem, manifest.device_size_bytes, manifest.source.hostname)
        frames = beside(self._path, _FRAMES)

        def prove(part: Path) -> None:
            _check_digest(part, manifest.image_blake3)
            _check_digest(beside(frames, ".part"), manifest.frames_blake3)

        try:
            _copy(frames_path, beside(frames, ".part"))
            durable.store(beside(beside(self._path, _MANIFEST), ".part"), manifest_bytes)
        except OSError as error:
            raise _not_written(self._path, error) from error
        self.finish_plain(info, prove)

    def finish_plain(self, info: str, prove: Callable[[Path], None]) -> None:
        """As ``finish``, for an image that is one file; ``info`` is the line older tools read.

        ``prove`` is given the file before it gets its name and raises unless it is right.
        """
        texts = (*self._sums.texts(), info)
        try:
            durable.settle(self._file, forget=True)
            prove(self._part)
            for suffix, text in zip(COMPANIONS, texts, strict=True):
                if text:
                    durable.store(beside(beside(self._path, suffix), ".part"), text.encode())
            with undisturbed():
                self._show()
        except OSError as error:
            raise _not_written(self._path, error) from error
        self._over = True  # its parts have their names: what is called so later is another's
        self._file.close()

    def _show(self) -> None:
        folder, replaces = self._path.parent, self._path.exists()
        for suffix in reversed(_ORDER):
            _put_aside(beside(self._path, suffix), replaces=replaces)
            if suffix == _MANIFEST:
                durable.sync(folder)
        for suffix in _ORDER:
            path = beside(self._path, suffix)
            if suffix == _MANIFEST:
                durable.sync(folder)
            if beside(path, ".part").exists():
                beside(path, ".part").rename(path)
        durable.sync(folder)

    def abort(self) -> None:
        """Leave nothing behind; the version that was there before stays. Of no effect when over.

        The names go before the lock: what has them afterwards may be another capture's.
        """
        if self._over:
            return
        self._over = True
        try:
            self._drop_companions()
            self._part.unlink(missing_ok=True)
        finally:
            self._file.close()

    def _drop_companions(self) -> None:
        for suffix in _ORDER:
            if suffix:
                beside(beside(self._path, suffix), ".part").unlink(missing_ok=True)


def _put_aside(path: Path, *, replaces: bool) -> None:
    """What older scripts have put aside themselves (``replaces`` is False then) stays."""
    if path.exists():
        path.rename(beside(path, ASIDE))
    elif replaces:
        beside(path, ASIDE).unlink(missing_ok=True)


def _check_digest(path: Path, wanted: str) -> None:
    digest, _ = digest_of_file(path)
    if digest.hex() != wanted:
        raise WriteError(
            f"{path} does not hold what was written to it.",
            hint="The disk may be failing; look at its SMART data and the kernel's log.",
        )


def _copy(source: Path, path: Path) -> None:
    with source.open("rb") as reader, path.open("wb") as file:
        while piece := reader.read(_COPY_BYTES):
            file.write(piece)
        durable.settle(file, forget=True)


def _not_written(path: Path, error: OSError) -> WriteError:
    return WriteError(
        f"Writing {path} failed: {error.strerror}.", hint="Make room, or choose another place."
    )
