# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTTP side of uploads: who may, what arrives, what is answered.

The bytes of an upload come in one stream, or in pieces with a Content-Range of which each says
where it belongs; a PC that lost its connection sends its last piece again. Nothing is published
here: that is ``Uploads.commit``, run in a thread.
"""

from __future__ import annotations

import asyncio
import time
from functools import partial

from aiohttp import web

from oglib import limits
from oglib.errors import OgErr, UsageError
from oglib.progress import Phase, Progress
from ogrepo.intake.receive import Turnstile, in_thread, open_at, place_of, pour, read_object
from ogrepo.intake.tokens import Grant, check_unused, load_secret, read_token
from ogrepo.intake.upload import State, Upload
from ogrepo.intake.uploads import Uploads
from ogrepo.library.disks import refuse_inside
from ogrepo.library.folder import Folder
from ogrepo.refusal import Refusal

_LIMITS = {
    "image": limits.IMAGE_BYTES,
    "frames": limits.FRAMES_BYTES,
    "manifest": limits.MANIFEST_BYTES,
    "disk": limits.DISK_MANIFEST_BYTES,
    "gaps": limits.DISK_GAPS_BYTES,
}
# Of these an upload does not recover: it is over, and its bytes go at once.
_FINAL = (413, 507)
_KINDS = "image|frames|manifest"
_ANSWER_WITHIN_S = 2.0
_DONE = (State.PUBLISHED, State.WAITING)


class _Stopping(Exception):
    """The server ends while an upload is being verified."""


class _Watch:
    """Takes the verification's progress to whoever asks, and stops it when the server ends."""

    def __init__(self) -> None:
        self.done_bytes = 0
        self.total_bytes = 0
        self.stop = False

    def update(self, phase: Phase, *, last: bool) -> None:  # noqa: ARG002 - the Reporter protocol
        if self.stop:
            raise _Stopping
        self.done_bytes, self.total_bytes = phase.done_bytes, phase.total_bytes


class _Desk:
    """What the server remembers about one upload besides its state on disk."""

    def __init__(self) -> None:
        self.turnstile = Turnstile()
        self.commit: asyncio.Task[None] | None = None
        self.watch = _Watch()


class UploadApi:
    """The handlers below ``/api/uploads``."""

    def __init__(self, folder: Folder, uploads: Uploads) -> None:
        self._folder = folder
        self._uploads = uploads
        self._secret = load_secret(folder)
        self._desks: dict[str, _Desk] = {}
        self._one_at_a_time = asyncio.Semaphore(1)

    def routes(self) -> list[web.RouteDef]:
        one = "/api/uploads/{id:[0-9a-f]{32}}"
        return [
            web.post("/api/uploads", self.open),
            web.get(one, self.status, allow_head=False),
            web.delete(one, self.abort),
            web.put(
                f"{one}/{{kind:{_KINDS}|disk|gaps|p[1-9][0-9]?[0-9]?-(?:{_KINDS})}}", self.receive
            ),
            web.post(one + "/room", self.room),
            web.post(one + "/commit", self.commit),
        ]

    async def stop(self) -> None:
        """End verifications; a commit that was cut is asked for again by its PC."""
        commits = [desk.commit for desk in self._desks.values() if desk.commit is not None]
        for desk in self._desks.values():
            desk.watch.stop = True
        await asyncio.gather(*commits, return_exceptions=True)

    async def expire(self) -> list[str]:
        """Forget uploads that have stopped."""
        done = await in_thread(self._uploads.expire)
        known = {upload.id for upload in self._uploads.list()}
        self._desks = {key: desk for key, desk in self._desks.items() if key in known}
        return done

    async def open(self, request: web.Request) -> web.Response:
        grant = self._grant(request)
        check_unused(self._folder, grant, time.time())
        wanted = '{"name": "debian-13"}'
        name = (await read_object(request, wanted)).get("name")
        if not isinstance(name, str):
            raise UsageError(f"An upload is opened with a JSON object like {wanted}.")
        if name != grant.name:
            raise Refusal(
                403,
                f"The upload token is for the image {grant.name}, not for this name.",
                hint="Get a token for the name under which you capture.",
            )
        if not self._folder.image_key.exists() and not any(self._folder.keys.glob("*.pub")):
            raise Refusal(
                409,
                "This repository has no key to sign images with.",
                hint="Run `ogrepo keygen --dir DIR` on it, or put the public half of a key that "
                "is on another machine into its keys/.",
            )
        refuse_inside(self._folder, grant.name)
        await in_thread(self._uploads.ledger.check)
        upload = await in_thread(lambda: self._uploads.open(grant))
        return web.json_response({"upload": upload.id}, status=201)

    async def status(self, request: web.Request) -> web.Response:
        return self._tell(self._upload(request), 200)

    async def abort(self, request: web.Request) -> web.Response:
        upload = self._upload(request)
        async with self._desk(upload).turnstile.turn():
            if upload.state in (State.VERIFYING, State.PUBLISHING):
                raise _not_now(upload)
            await in_thread(lambda: self._uploads.drop(upload))
        self._desks.pop(upload.id, None)
        return web.Response(status=204)

    async def receive(self, request: web.Request) -> web.Response:
        upload = self._upload(request)
        kind = request.match_info["kind"]
        start, announced = place_of(request)
        if request.headers.get("Content-Encoding", "identity") != "identity":
            raise Refusal(415, "An upload is stored as it is; it must not be encoded again.")
        async with self._desk(upload).turnstile.turn():
            if upload.state is not State.RECEIVING:
                raise _not_now(upload)
            try:
                size = await self._take(request, upload, kind, start, announced)
            except Refusal as refused:
                if refused.status in _FINAL:
                    await in_thread(partial(self._uploads.refuse, upload, refused))
                raise
        if announced is not None and size - start != announced:
            raise Refusal(400, f"{size - start} bytes came where {announced} were announced.")
        return web.json_response({"size_bytes": size})

    async def _take(
        self, request: web.Request, upload: Upload, kind: str, start: int, announced: int | None
    ) -> int:
        """The body behind ``start`` of a file; returns the size that the file then has."""
        limit = _LIMITS[kind.rpartition("-")[2]]
        if start + (announced or 0) > limit:
            raise Refusal(413, f"More than {limit} bytes are not taken here.")
        path = self._uploads.file(upload, kind)
        file = await in_thread(lambda: open_at(path, start))
        try:
            await in_thread(lambda: self._uploads.announce(upload, kind, start, announced))
            grow = partial(self._uploads.grow, upload, kind)
            return await pour(request, file, start, limit, grow)
        finally:
            await in_thread(file.close)

    async def room(self, request: web.Request) -> web.Response:
        """Say before the first byte whether an image of about this size can be taken."""
        upload = self._upload(request)
        wanted = '{"size_bytes": 1}'
        size = (await read_object(request, wanted)).get("size_bytes")
        if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size < 1 << 63:
            raise UsageError(f"Room is asked for with an object like {wanted}.")
        await in_thread(lambda: self._promise(upload, size))
        return web.json_response({"upload": upload.id})

    def _promise(self, upload: Upload, size: int) -> None:
        if upload.state is not State.RECEIVING:
            raise _not_now(upload)
        self._uploads.promise(upload, size)

    async def commit(self, request: web.Request) -> web.Response:
        """Start the verification, or say how it stands.

        A client that sends ``Prefer: respond-async`` (RFC 7240) gets 202 after a short while
        and asks again; any other one waits for the result.
        """
        upload = self._upload(request)
        desk = self._desk(upload)
        open_still = upload.state in (State.RECEIVING, State.PUBLISHING)
        if open_still and (desk.commit is None or desk.commit.done()):
            if desk.turnstile.busy:
                raise Refusal(409, "A part of this upload is still being received.")
            if upload.state is State.RECEIVING:
                upload.state = State.VERIFYING
            desk.watch = _Watch()
            desk.commit = asyncio.create_task(self._commit(upload, desk.watch))
        if desk.commit is not None:
            waits = request.headers.get("Prefer", "") != "respond-async"
            await asyncio.wait([desk.commit], timeout=None if waits else _ANSWER_WITHIN_S)
            if desk.commit.done():
                desk.commit.result()
        if upload.state is State.FAILED:
            return web.json_response(upload.error, status=422)
        return self._tell(upload, 200 if upload.state in _DONE else 202)

    async def _commit(self, upload: Upload, watch: _Watch) -> None:
        try:
            async with self._one_at_a_time:
                await in_thread(lambda: self._uploads.commit(upload, Progress(watch)))
        except _Stopping:
            raise Refusal(503, "The repository is being restarted.") from None

    # The repository's HTTP surface has one authentication, and this is it.
    def _grant(self, request: web.Request) -> Grant:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise Refusal(
                401,
                "An upload needs a token.",
                hint="Get one with `ogrepo token NAME --dir DIR` on the repository.",
            )
        return read_token(self._secret, token.strip())

    def _upload(self, request: web.Request) -> Upload:
        return self._uploads.get(request.match_info["id"], self._grant(request))

    def _desk(self, upload: Upload) -> _Desk:
        return self._desks.setdefault(upload.id, _Desk())

    def _tell(self, upload: Upload, status: int) -> web.Response:
        told: dict[str, object] = {
            "upload": upload.id,
            "name": upload.grant.name,
            "state": str(upload.state),
        }
        if upload.state in _DONE:
            told["version"] = upload.version
        elif upload.state in (State.VERIFYING, State.PUBLISHING):
            watch = self._desk(upload).watch
            told |= {"done_bytes": watch.done_bytes, "total_bytes": watch.total_bytes}
        elif upload.state is State.RECEIVING:
            told |= self._uploads.received(upload)
        else:
            told |= upload.error
        return web.json_response(told, status=status)


def _not_now(upload: Upload) -> Refusal:
    return Refusal(409, f"This upload is {upload.state} and cannot be changed.", code=OgErr.LOCKED)
