# SPDX-License-Identifier: GPL-3.0-or-later
"""A site with two PCs, its HTTP server on 127.0.0.1, and a client that sends what it is told to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from ognetboot.hearing.forms import Forms
from ognetboot.hearing.known import Known
from ognetboot.hearing.seen import Reports
from ognetboot.hearing.uses import Uses
from ognetboot.inventory import reading
from ognetboot.serving import http
from ognetboot.serving.files import Tree

MAC = "52:54:00:00:00:01"
ADAPTER = "00:e0:4c:68:00:01"
UUID = "11111111-2222-3333-4444-555555555555"
INVENTORY = f"""\
[server]
address = "127.0.0.1"
subnet = "127.0.0.0/8"
interface = "lo"
http_port = 8080

[adapters]
shared = ["{ADAPTER}"]

[entries.oglive]
title = "ogLive"

[entries.maintenance]
title = "Maintenance"
admin = true
password = true

[rooms.aula1]
title = "Aula d'Informàtica 1"

[[clients]]
mac = "{MAC}"
name = "pc01"
room = "aula1"

[[clients]]
mac = "52:54:00:00:00:02"
uuid = "{UUID}"
name = "pc02"
"""


@dataclass(frozen=True, slots=True)
class Site:
    """A running one: inventory, tree, where it listens, and how often it was woken."""

    file: Path
    out: Path
    port: int
    woken: list[None]
    reports: Reports

    async def get(self, path: str, *, headers: str = "", source: str = "127.0.0.1") -> Reply:
        """One request on a connection of its own."""
        text = f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n"
        return await self.send(text.encode(), source=source)

    async def post(self, path: str, body: bytes) -> Reply:
        """The same with a form."""
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        return await self.send(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)

    async def send(self, data: bytes, *, source: str = "127.0.0.1") -> Reply:
        """What the server says to these bytes until it ends the connection."""
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self.port, local_addr=(source, 0)
        )
        try:
            writer.write(data)
            async with asyncio.timeout(30):
                return Reply.of(await reader.read())
        finally:
            writer.close()


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: status 0 where there was none."""

    status: int
    head: str
    body: bytes

    @classmethod
    def of(cls, data: bytes) -> Reply:
        head, _, body = data.partition(b"\r\n\r\n")
        words = head.split()
        return cls(int(words[1]) if len(words) > 1 else 0, head.decode("latin-1"), body)

    @property
    def text(self) -> str:
        return self.body.decode()


def layout(folder: Path) -> tuple[Path, Path]:
    """An inventory, and a tree with a loader, a script and ogLive's kernel beside it."""
    file = folder / "rooms.toml"
    file.write_text(INVENTORY, "utf-8")
    out = folder / "srv/netboot"
    (out / "ipxe").mkdir(parents=True)
    (out / "boot.ipxe").write_text("#!ipxe\n")
    (out / ".ognetboot").write_text("ours\n")
    (out / "shimx64.efi").write_bytes(b"MZ" * 50)
    version = folder / "srv/oglive/r1"
    version.mkdir(parents=True)
    (version / "ogvmlinuz").write_bytes(bytes(range(256)) * 400)
    (folder / "srv/oglive/current").symlink_to("r1")
    (out / "oglive").symlink_to("../oglive")
    (folder / "srv/private").mkdir()
    (folder / "srv/private/image.key").write_text("secret")
    return file, out


@asynccontextmanager
async def running(folder: Path, *, behind_proxy: bool = False) -> AsyncIterator[Site]:
    """The site's server with its door open."""
    file, out = layout(folder)
    known = Known(reading.load(file))
    woken: list[None] = []
    reports = Reports(file, print)
    forms = Forms(file, known, reports, Uses(file, known), lambda: woken.append(None))
    app = http.application(Tree(out), forms, behind_proxy=behind_proxy)
    sock = http.listen("127.0.0.1", 0)
    async with http.opened(app, sock):
        yield Site(file, out, sock.getsockname()[1], woken, reports)


def asked(folder: Path, ask: Callable[[Site], Awaitable[None]]) -> None:
    """Let `ask` speak with a running server."""

    async def run() -> None:
        async with running(folder) as site:
            await ask(site)

    asyncio.run(run())
