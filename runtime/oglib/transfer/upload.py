# SPDX-License-Identifier: GPL-3.0-or-later
"""Sending a captured image to the repository, with bounded memory and without losing a piece.

``HttpUploadSink`` has the shape of the image writer's sink. The stream goes out in pieces that
say where they belong, each held until the repository has it, so a cut or a restart of the
server in between costs one piece and not the capture. The token is read from a file that is
this user's alone, travels in one header, and stands in no message.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import stat
import time
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from oglib.connection import USUAL, Connection
from oglib.errors import OgError, TransferError
from oglib.settings import UPLOAD_TOKEN
from oglib.transfer.address import HttpAddress, parse_address
from oglib.transfer.answers import StatusError, TooLongError
from oglib.transfer.client import HttpClient
from oglib.transfer.http import download
from oglib.transfer.repository import addresses_of

_PIECE_BYTES = 8 << 20
_MOST_BEFORE_BYTES = 64 << 20  # 760 000 frames: 760 GB, or 95 of which every piece had changed
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]{16,1024}=*", re.ASCII)
_TOKEN_FILE_BYTES = 4096
_ASK_EVERY_S = 0.5
_VERIFY_QUIET_S = 900.0
_VERIFY_TURN_S = 4 * 3600.0


@dataclass(frozen=True, slots=True)
class PublishedImage:
    """What the repository made of an upload. ``waits``: nobody gets it before it is signed."""

    name: str
    version: int
    waits: bool = False

    def warnings(self) -> tuple[str, ...]:
        if not self.waits:
            return ()
        return (
            f"{self.name} version {self.version} waits on the repository until somebody signs it; "
            "no PC gets it before.",
        )


def read_token(path: Path = UPLOAD_TOKEN) -> str:
    """The upload token from its file, which only its owner, this user, may read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise TransferError(
            f"The upload token {path} cannot be read: {error.strerror}.",
            hint="Get one with `ogrepo token NAME --dir DIR` on the repository and put it there "
            "with mode 0600.",
        ) from None
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or stat.S_IMODE(status.st_mode) & 0o077:
            raise TransferError(
                f"The upload token {path} may be read by others.",
                hint=f"Run `chmod 0600 {path}`, better with a new token.",
            )
        if status.st_uid != os.geteuid():
            raise TransferError(
                f"The upload token {path} belongs to another user.",
                hint="Put it there as the user who captures.",
            )
        token = file.read(_TOKEN_FILE_BYTES).decode("ascii", "replace").strip()
    if not is_token(token):
        raise TransferError(
            f"{path} does not hold an upload token.",
            hint="It must hold the one line that `ogrepo token` printed.",
        )
    return token


def is_token(text: str) -> bool:
    """Whether a text can be an upload token; whether it is a good one the repository knows."""
    return _TOKEN.fullmatch(text) is not None


def keep_token(token: str, path: Path) -> None:
    """Put a token where ``read_token`` finds it, for this user alone; what lay there goes."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, 0o600), "w", encoding="ascii") as file:
        file.write(f"{token}\n")


class HttpUploadSink:
    """One image on its way to the repository at ``base_url``.

    Opening asks the repository, so a bad token or a full disk is known before a capture
    begins. After ``finish`` the result is in ``published``.
    """

    def __init__(
        self,
        base_url: str,
        name: str,
        token: str,
        *,
        connection: Connection = USUAL,
        piece_bytes: int = _PIECE_BYTES,
    ) -> None:
        base = self._base = parse_address(base_url)
        self._name = name
        self.published: PublishedImage | None = None
        self._connection = connection
        self._client = HttpClient(base, connection=connection)
        self._authorization = {"authorization": f"Bearer {token}"}
        self._piece_bytes = piece_bytes
        self._pending = bytearray()
        self._sent_bytes = 0
        self._over = False
        try:
            answer = self._call("POST", base.below("api", "uploads"), {"name": name})
            upload_id = answer.get("upload")
            if not isinstance(upload_id, str) or not upload_id.isalnum():
                raise TransferError(
                    f"{base} did not open an upload.",
                    hint="Check that the address leads to an ogLive repository.",
                )
        except BaseException:
            self._client.close()
            raise
        self._upload = base.below("api", "uploads", upload_id)

    def describe(self) -> str:
        return str(self._upload)

    def address_of(self, file_name: str) -> str:
        """Where the repository shows a file of an image."""
        return str(self._base.below("images", *file_name.split("/")))

    def frames_before(self, folder: Path) -> Path | None:
        """The frame table of the version that the repository shows now, as a file there."""
        return self.fetched_frames(self._name, folder)

    def fetched_frames(self, name: str, folder: Path) -> Path | None:
        """The frame table of the image ``name``, brought to ``folder``.

        None where there is no such image, or none whose table this PC has room for: it only says
        where to cut.
        """
        path = folder / "frames.before"
        try:
            table = addresses_of(self.address_of(f"{name}.img")).frames
            download(table, path, limit_bytes=_MOST_BEFORE_BYTES, connection=self._connection)
        except TooLongError:
            return None
        except StatusError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            return None
        return path

    def reserve(self, size_bytes: int) -> None:
        """Raise unless the repository has room for an image of this size."""
        room = json.dumps({"size_bytes": size_bytes}).encode()
        headers = {**self._authorization, "content-type": "application/json"}
        self._client.call("POST", self._upload.below("room"), headers=headers, body=room)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Take the next bytes of the image; returns when at most one piece is unsent."""
        view = memoryview(data)
        while view:
            room = self._piece_bytes - len(self._pending)
            self._pending += view[:room]
            view = view[room:]
            if len(self._pending) == self._piece_bytes:
                self._flush()

    def finish(self, frames_path: Path, manifest_bytes: bytes) -> None:
        """Send the rest and have it verified, signed and published there."""
        self._flush()
        with frames_path.open("rb") as file:
            start = 0
            while piece := file.read(self._piece_bytes):
                self._put("frames", start, piece)
                start += len(piece)
        self._put("manifest", 0, manifest_bytes)
        self.published = self._commit()
        self._over = True
        self._client.close()

    def abort(self) -> None:
        """Give the upload up; what the repository got of it is dropped. Never raises."""
        if self._over:
            return
        self._over = True
        # Otherwise the repository drops it by itself after an hour.
        with contextlib.suppress(OgError):
            self._client.deadline_s = min(self._client.deadline_s, 5.0)
            self._client.call("DELETE", self._upload, headers=self._authorization)
        self._client.close()

    def _flush(self) -> None:
        if self._pending:
            self._put("image", self._sent_bytes, self._pending)
            self._sent_bytes += len(self._pending)
            self._pending = bytearray()

    def _put(self, kind: str, start: int, piece: bytes | bytearray) -> None:
        end = start + len(piece)
        answer = self._client.call(
            "PUT",
            self._upload.below(kind),
            headers={**self._authorization, "content-range": f"bytes {start}-{end - 1}/*"},
            body=memoryview(piece),
        )
        have = _object(answer.body, self._upload).get("size_bytes")
        if have != end:
            raise TransferError(
                f"{self._upload} holds {have} bytes of the {kind} where {end} were sent.",
                hint="Another capture may use the same token; get a new one and capture again.",
            )

    def _commit(self) -> PublishedImage:
        """Ask until the verification there has ended; it may take minutes, but must go on."""
        address = self._upload.below("commit")
        seen, moved = -1, time.monotonic()
        while True:
            answer = self._call("POST", address, {}, prefer="respond-async")
            name, version = answer.get("name"), answer.get("version")
            if answer.get("state") in ("published", "waiting") and isinstance(version, int):
                return PublishedImage(str(name), version, answer["state"] == "waiting")
            done = answer.get("done_bytes")
            if isinstance(done, int) and done != seen:
                seen, moved = done, time.monotonic()
            # Nothing done yet may mean that other uploads are verified before this one.
            patience_s = _VERIFY_QUIET_S if seen > 0 else _VERIFY_TURN_S
            if time.monotonic() - moved > patience_s:
                raise TransferError(
                    f"The repository does not get on with verifying {self._upload}.",
                    hint="Look at the log of ogrepo there.",
                )
            time.sleep(_ASK_EVERY_S)

    def _call(
        self, method: str, address: HttpAddress, question: dict[str, str], prefer: str = ""
    ) -> dict[str, object]:
        headers = {**self._authorization, "content-type": "application/json"}
        if prefer:
            headers["prefer"] = prefer
        body = json.dumps(question).encode()
        answer = self._client.call(method, address, headers=headers, body=body)
        return _object(answer.body, address)


def _object(body: bytes, address: HttpAddress) -> dict[str, object]:
    try:
        answer = json.loads(body)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise TransferError(
            f"{address} did not answer as a repository does.",
            hint="Check that the address leads to an ogLive repository.",
        )
    return answer
