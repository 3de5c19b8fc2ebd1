# SPDX-License-Identifier: GPL-3.0-or-later
"""A partition from one PC to others, captured here and restored there at the same time.

The sender captures as always, into the connections; each receiver restores what comes like any
image, in order, and its first MiB last, when the sender's digest of all of it was compared. A
receiver that fails is left, and told; who is too slow makes all of them slow.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from blake3 import blake3

from oglib.cancel import NEVER, Cancel
from oglib.deploy.opening.memory import Memory
from oglib.deploy.opening.opened import scratch_folder
from oglib.deploy.partition.capture import CaptureWishes
from oglib.deploy.partition.restore import Request, apply, plan
from oglib.deploy.partition.subject import CaptureSource, capture_source, source_facts
from oglib.errors import FilesystemError, OgErr, OgError, TransferError, UsageError
from oglib.filesystem.mounts import refuse_in_use
from oglib.filesystem.probe import probe_filesystem
from oglib.image.any import ForeignImage
from oglib.image.format.manifest import Manifest, check_name
from oglib.image.recording.device_capture import CaptureMeta, capture, check_source
from oglib.image.writing.receipt import Receipt
from oglib.progress import Event, EventKind, Progress
from oglib.settings import Settings
from oglib.transfer.pipe.arriving import Arriving
from oglib.transfer.pipe.channel import MOST_BYTES, Channel, Kind, awaited, dialled
from oglib.transfer.pipe.secret import key_of

PORT = 8000
_MEETING_S = 600.0
_SIGN_S = 5.0


@dataclass(frozen=True, slots=True)
class Sent:
    """A partition that was sent: to whom it came whole, and why not to the others."""

    name: str
    image_size_bytes: int
    done: tuple[str, ...]
    failed: tuple[str, ...]
    seconds: float

    def as_dict(self) -> dict[str, object]:
        """JSON-able."""
        return asdict(self)


def send(
    disk: str,
    part: str | None,
    receivers: Sequence[tuple[str, int]],
    code: str,
    *,
    name: str,
    settings: Settings,
    progress: Progress,
    wishes: CaptureWishes | None = None,
    cancel: Cancel = NEVER,
) -> Sent:
    """Capture a partition into every receiver; ``OgError`` where it came whole to none."""
    wanted, key, started = wishes or CaptureWishes(), key_of(code), time.monotonic()
    check_name(name)
    with ExitStack() as stack:
        source = stack.enter_context(capture_source(disk, part, settings))
        refuse_in_use(source.device, "sent")
        kind = probe_filesystem(source.device).kind
        if not kind and not wanted.raw:
            raise FilesystemError(
                f"There is no filesystem on {source.describe()}.",
                hint="--raw takes all blocks, whatever it is.",
                code=OgErr.PARTITION,
            )
        check_source(source.device, kind, raw=wanted.raw, dirty=wanted.dirty)
        sink = _Senders(progress)
        stack.callback(sink.close)
        for host, port in receivers:
            sink.meet(host, port, key, name)
        stack.enter_context(_signs(sink.signs))
        manifest = capture(
            source.device, kind, sink, meta=_meta(source, name, wanted), progress=progress,
            raw=wanted.raw, dirty=wanted.dirty, cancel=cancel,
        )  # fmt: skip
        done = sink.answers()
    seconds = round(time.monotonic() - started, 3)
    return Sent(name, manifest.image_size_bytes, done, tuple(sink.failed), seconds)


def _meta(source: CaptureSource, name: str, wanted: CaptureWishes) -> CaptureMeta:
    facts = source_facts(source, dirty=wanted.dirty)
    return CaptureMeta(name=name, source=facts.info, software=facts.software)


class _Senders:
    """An image's sink that is several PCs."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._channels: list[Channel] = []
        self._hasher = blake3()
        self.failed: list[str] = []

    def meet(self, host: str, port: int, key: bytes, name: str) -> None:
        """Reach one more PC that knows the code; one that cannot be reached is left."""
        try:
            channel = Channel(dialled(host, port, _MEETING_S), host)
            try:
                channel.meet(key, sender=True)
                channel.send(Kind.BEGIN, json.dumps({"name": name}).encode())
            except BaseException:
                channel.close()
                raise
        except TransferError as error:
            self._leave(host, error)
            return
        self._channels.append(channel)

    def _leave(self, peer: str, error: TransferError) -> None:
        line = f"{peer}: {error.message}"
        self.failed.append(line)
        self._progress.emit(Event(EventKind.NOTE, line))

    def _each(self, say: Callable[[Channel], object]) -> list[str]:
        """The PCs to which it could be said; the others are left. ``TransferError``: to none."""
        reached = []
        for channel in tuple(self._channels):
            try:
                say(channel)
            except TransferError as error:
                self._channels.remove(channel)
                channel.close()
                self._leave(channel.peer, error)
            else:
                reached.append(channel.peer)
        if not reached:
            raise TransferError(
                "It came to none of the PCs that it was for. " + " ".join(self.failed),
                hint="Start `og image receive` on them first, then this again.",
                code=OgErr.UCASTSENDPARTITION,
            )
        return reached

    def signs(self) -> None:
        """That this PC is alive, while there is nothing else to say."""
        for channel in tuple(self._channels):
            with suppress(TransferError):  # whoever sends something will find out
                channel.send(Kind.WAIT)

    def frames_before(self, folder: Path) -> Path | None:  # noqa: ARG002
        return None

    def reserve(self, size_bytes: int) -> None:
        """What there is room for is the receivers' to say."""

    def write(self, data: bytes) -> None:
        self._hasher.update(data)
        view = memoryview(data)
        for at in range(0, len(view), MOST_BYTES):
            piece = bytes(view[at : at + MOST_BYTES])
            self._each(lambda channel, piece=piece: channel.send(Kind.DATA, piece))  # type: ignore[misc]

    def finish(self, frames_path: Path, manifest_bytes: bytes) -> None:  # noqa: ARG002
        size = Manifest.from_bytes(manifest_bytes).image_size_bytes
        end = json.dumps({"blake3": self._hasher.hexdigest(), "bytes": size}).encode()
        self._each(lambda channel: channel.send(Kind.END, end))

    def answers(self) -> tuple[str, ...]:
        """The PCs that have it, proven."""

        def has_it(channel: Channel) -> None:
            kind, data = channel.hear()
            if kind is not Kind.DONE:
                raise TransferError(f"it failed: {data.decode('utf-8', 'replace')[:500]}")

        return tuple(self._each(has_it))

    def abort(self) -> None:
        for channel in tuple(self._channels):
            with suppress(TransferError):
                channel.send(Kind.FAILED, b"the capture failed")

    def close(self) -> None:
        for channel in self._channels:
            channel.close()


def receive(
    request: Request,
    sender: str,
    port: int,
    code: str,
    *,
    settings: Settings,
    progress: Progress,
    cancel: Cancel = NEVER,
) -> Receipt:
    """Restore what ``sender`` sends; it is told how that ended."""
    if request.delta:
        raise UsageError("What is sent comes whole; there is no delta of it.")
    key = key_of(code)
    with socket.create_server(("", port), reuse_port=False) as listener:
        channel = Channel(awaited(listener, sender, _MEETING_S), sender)
    with ExitStack() as stack:
        stack.callback(channel.close)
        channel.meet(key, sender=False)
        kind, begin = channel.hear()
        name = _name_in(begin) if kind is Kind.BEGIN else ""
        stack.enter_context(_signs(lambda: _sign(channel)))
        try:
            receipt = _received(
                request, channel, name, settings=settings, progress=progress, cancel=cancel
            )
        except OgError as error:
            with suppress(TransferError):
                channel.send(Kind.FAILED, error.message.encode()[:2000])
            raise
        channel.send(Kind.DONE)
    return receipt


def _received(
    request: Request,
    channel: Channel,
    name: str,
    *,
    settings: Settings,
    progress: Progress,
    cancel: Cancel,
) -> Receipt:
    from oglib.image.reading.formats.detect import open_stream  # noqa: PLC0415

    check_name(name)
    source = Arriving(channel)
    with ExitStack() as stack:
        stack.callback(source.close)
        scratch = stack.enter_context(scratch_folder())
        stream = open_stream(source, name, scratch=scratch)
        image = ForeignImage(stream, channel.peer, 0, recorded=source)
        stack.callback(image.close)
        nothing = Memory(lambda _name: 0, lambda _name, _version: None)
        receipt = apply(plan(request, image, settings, nothing), progress=progress, cancel=cancel)
    return replace(receipt, fetched_bytes=source.received_bytes)


def _name_in(begin: bytes) -> str:
    try:
        return str(json.loads(begin)["name"])
    except (ValueError, KeyError, TypeError):
        return ""


def _sign(channel: Channel) -> None:
    with suppress(TransferError):  # whoever reads or writes will find out
        channel.send(Kind.WAIT)


@contextmanager
def _signs(say: Callable[[], None]) -> Iterator[None]:
    """Let the other side hear something every few seconds for as long as the block lasts."""
    over = threading.Event()

    def run() -> None:
        while not over.wait(_SIGN_S):
            say()

    thread = threading.Thread(target=run, name="og-signs", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(_SIGN_S)
