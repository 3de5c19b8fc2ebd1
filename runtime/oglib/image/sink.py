# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a captured image goes: the protocol of every sink, and the one to local files.

Nothing is visible under an image's name before all of it is durable, and the version that was
there before is kept aside as ``.ant``. Uploads live in ``oglib.transfer``.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Protocol

from oglib.errors import OgErr, OgError, UsageError, WriteError

SUFFIX = ".img"
# The manifest is what makes an image visible: it goes first and comes last.
_SIGNATURE, _MANIFEST, _FRAMES = ".json.sig", ".json", ".frames"
_COPY_BYTES = 1 << 20


class ImageSink(Protocol):
    """Takes one image: ``write`` until its end, then ``finish``, or ``abort`` at any point."""

    def write(self, data: bytes) -> None: ...

    def finish(self, frames_path: Path, manifest_bytes: bytes) -> None: ...

    def abort(self) -> None: ...


class FileSink:
    """``path`` (``FOLDER/NAME.img``) and the files beside it."""

    def __init__(self, path: Path) -> None:
        if path.suffix != SUFFIX:
            raise UsageError(f"{path} is not named NAME{SUFFIX}.")
        self._path = path
        self._part = _beside(path, ".part")
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            self._file = os.fdopen(os.open(self._part, flags, 0o644), "wb", buffering=0)
        except OSError as error:
            raise WriteError(f"{self._part} cannot be made: {error.strerror}.") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise OgError(
                f"Another capture is writing {path} at this moment.",
                hint="Wait for its end, or choose another name.",
                code=OgErr.LOCKED,
            ) from None
        self._file.truncate(0)

    def write(self, data: bytes) -> None:
        try:
            view = memoryview(data)
            while view:
                view = view[self._file.write(view) :]
        except OSError as error:
            raise _not_written(self._part, error) from error

    def finish(self, frames_path: Path, manifest_bytes: bytes) -> None:
        """Make everything durable, put the old version aside, then show the new one."""
        frames, manifest = _beside(self._path, _FRAMES), _beside(self._path, _MANIFEST)
        try:
            os.fsync(self._file.fileno())
            self._file.close()
            _copy(frames_path, _beside(frames, ".part"))
            _store(manifest_bytes, _beside(manifest, ".part"))
            _sync_folder(self._path.parent)
            for suffix in (_SIGNATURE, _MANIFEST, _FRAMES, ""):
                _put_aside(_beside(self._path, suffix))
            _sync_folder(self._path.parent)
            for path in (self._path, frames, manifest):
                _beside(path, ".part").rename(path)
                _sync_folder(self._path.parent)
        except OSError as error:
            raise _not_written(self._path, error) from error

    def abort(self) -> None:
        """Leave nothing behind; the version that was there before stays."""
        self._file.close()
        for suffix in ("", _FRAMES, _MANIFEST):
            _beside(_beside(self._path, suffix), ".part").unlink(missing_ok=True)


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _put_aside(path: Path) -> None:
    if path.exists():
        path.rename(_beside(path, ".ant"))
    else:
        _beside(path, ".ant").unlink(missing_ok=True)


def _store(data: bytes, path: Path) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _copy(source: Path, path: Path) -> None:
    with source.open("rb") as reader, path.open("wb") as file:
        while piece := reader.read(_COPY_BYTES):
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _not_written(path: Path, error: OSError) -> WriteError:
    return WriteError(
        f"Writing {path} failed: {error.strerror}.", hint="Make room, or choose another place."
    )
