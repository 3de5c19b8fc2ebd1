# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers that hold files by their digests, and count what they sent."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from blake3 import blake3

from oglib.transfer.places.place import Wanted
from unit.transfer.conftest import Asked, BareServer, Reply, send, send_range


def wanted(data: bytes, called: str = "the image x") -> Wanted:
    return Wanted(blake3(data).hexdigest(), len(data), called)


@dataclass
class Holder:
    """``files`` by their paths; ``spoil`` changes what is sent, ``sent`` counts it.

    ``fault`` may answer in the holder's place, with True where it did.
    """

    files: dict[str, bytes]
    spoil: Callable[[str, bytes], bytes] = lambda _path, data: data
    fault: Callable[[Asked, socket.socket], bool | None] | None = None
    sent: dict[str, int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def reply(self, asked: Asked, peer: socket.socket) -> bool | None:
        if self.fault is not None and (answered := self.fault(asked, peer)) is not None:
            return answered
        data = self.files.get(asked.target)
        if data is None:
            send(peer, "404 Not Found")
            return None
        data = self.spoil(asked.target, data)
        if "range" in asked.headers:
            first, stop = asked.range
            send_range(peer, asked, data, etag=f'"{len(data)}"')
        else:
            first, stop = 0, len(data)
            send(peer, "200 OK", data, content_type="application/octet-stream")
        with self.lock:
            self.sent[asked.target] = self.sent.get(asked.target, 0) + stop - first
        return None

    @property
    def sent_bytes(self) -> int:
        with self.lock:
            return sum(self.sent.values())


def by_digest(*contents: bytes) -> dict[str, bytes]:
    """As a mirror has them."""
    return {f"/bytes/{blake3(data).hexdigest()}": data for data in contents}


def published(path: Path, name: str) -> dict[str, bytes]:
    """The files of an image as a repository shows them, under its name and by their digests."""
    files = {
        f"/images/{name}.img{suffix}": file.read_bytes()
        for suffix in ("", ".frames", ".json", ".json.sig")
        if (file := path.with_name(f"{path.name}{suffix}")).exists()
    }
    held = by_digest(files[f"/images/{name}.img"], files[f"/images/{name}.img.frames"])
    return files | held


def start(serve: Callable[[Reply], BareServer], holder: Holder) -> BareServer:
    return serve(holder.reply)
