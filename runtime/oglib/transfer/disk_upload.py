# SPDX-License-Identifier: GPL-3.0-or-later
"""Sending the image of a whole disk to the repository: several images in one upload.

What belongs together is verified, signed and shown together there, so all of it goes through one
upload, whose token names the disk's image.
"""

from __future__ import annotations

from pathlib import Path

from oglib.transfer.upload import HttpUploadSink, PublishedImage


class DiskUpload(HttpUploadSink):
    """One disk on its way to the repository; ``part`` gives the sink of a partition's image."""

    def part(self, number: int) -> PartSink:
        return PartSink(self, f"p{number}")

    def finish_disk(self, disk_json: bytes, gaps: bytes) -> PublishedImage:
        """Send what describes the disk, and have everything verified and published there."""
        self.send("gaps", 0, gaps)
        self.send("disk", 0, disk_json)
        self.published = self._commit()
        self._over = True
        self._client.close()
        return self.published

    def send(self, kind: str, start: int, data: bytes | bytearray) -> int:
        """Put ``data`` behind ``start`` of the file ``kind``; returns where it then ends."""
        for at in range(0, len(data), self._piece_bytes):
            piece = data[at : at + self._piece_bytes]
            self._put(kind, start + at, piece)
        return start + len(data)

    @property
    def name(self) -> str:
        return self._name

    @property
    def piece_bytes(self) -> int:
        return self._piece_bytes


class PartSink:
    """The image of one partition of a disk: an ``ImageSink`` that publishes nothing by itself."""

    def __init__(self, upload: DiskUpload, part: str) -> None:
        self._upload = upload
        self._part = part
        self._pending = bytearray()
        self._sent_bytes = 0

    def frames_before(self, folder: Path) -> Path | None:
        """Those of the same partition in the disk's image that the repository shows now."""
        return self._upload.fetched_frames(f"{self._upload.name}/{self._part}", folder)

    def reserve(self, size_bytes: int) -> None:
        """Raise when the repository has no room for this much more."""
        self._upload.reserve(size_bytes)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Take the next bytes of the image; returns when at most one piece is unsent."""
        view = memoryview(data)
        while view:
            room = self._upload.piece_bytes - len(self._pending)
            self._pending += view[:room]
            view = view[room:]
            if len(self._pending) == self._upload.piece_bytes:
                self._flush()

    def finish(self, frames_path: Path, manifest_bytes: bytes) -> None:
        """Send the rest; it is judged with the whole disk."""
        self._flush()
        with frames_path.open("rb") as file:
            start = 0
            while piece := file.read(self._upload.piece_bytes):
                start = self._upload.send(f"{self._part}-frames", start, piece)
        self._upload.send(f"{self._part}-manifest", 0, manifest_bytes)

    def abort(self) -> None:
        """The upload as a whole is given up by whoever opened it."""

    def _flush(self) -> None:
        sent = self._upload.send(f"{self._part}-image", self._sent_bytes, self._pending)
        self._sent_bytes, self._pending = sent, bytearray()
