# SPDX-License-Identifier: GPL-3.0-or-later
"""The repository's server beside nginx, and what one PC of a room can do to the others.

Both servers give the same file to the same clients, in turns. The clients are one thread here, on
connections that stay open.
"""

from __future__ import annotations

import os
import resource
import selectors
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench import rows
from bench.measure import peak_of
from oglib.errors import OgError
from oglib.image.format.manifest import Manifest, SourceInfo

NGINX = "nginx"
_RANGE_BYTES = 1 << 20
_FILE_BYTES = 64 << 20
_CLIENTS = ((32, 0.9), (256, 0.8))
_TURN_S = 1.0
_IMAGES, _PACKAGES = 60, 1500  # manifests of some 50 KB
_ASKERS = 32
_SILENT = 1100
_MEMORY_BYTES = 150 << 20
_SOFT_DESCRIPTORS = 1024
_WAIT_S = 60.0


def measure(work: Path, rounds: int, say: Callable[[str], None]) -> list[rows.Row]:
    """All rows; ``work`` is a folder in memory."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    root = work / "repository"
    _make_repository(root)
    with _ogrepo(root, work) as ours, _nginx(root, work) as theirs:
        compared = [_beside(ours.port, theirs, *clients, rounds, say) for clients in _CLIENTS]
        peak = rows.amount(
            f"peak memory of the server, {_CLIENTS[-1][0]} clients", "the limit",
            peak_of(str(ours.pid)), _MEMORY_BYTES, at_most=1.0,
        )  # fmt: skip
        listing = _beside_askers(ours.port, rounds, say)
        silent = _beside_silence(ours.port, rounds)
    return [*compared, peak, listing, silent]


def _make_repository(root: Path) -> None:
    _run(sys.executable, "-m", "ogrepo", "keygen", "--dir", str(root))
    images = root / "images"
    with (images / "data").open("wb") as file:
        for _ in range(_FILE_BYTES >> 20):
            file.write(os.urandom(1 << 20))
    for number in range(_IMAGES):
        name = f"image-{number}"
        manifest = Manifest(
            name=name, created="2026-11-20T12:00:00+00:00", filesystem="EXTFS", block_size=4096,
            total_blocks=1, used_blocks=1, device_size_bytes=4096, sector_size=512,
            region_bytes=4096, frame_count=1, image_size_bytes=1, image_blake3="0" * 64,
            frames_blake3="0" * 64, version=1, source=SourceInfo("pc", "Debian", 1, 2),
            software=tuple(f"package-{one} 1.2.3-{one}" for one in range(_PACKAGES)),
        )  # fmt: skip
        for suffix, content in ((".img", b"x"), (".img.frames", b"x")):
            (images / f"{name}{suffix}").write_bytes(content)
        (images / f"{name}.img.json").write_bytes(manifest.to_bytes())


def _run(*argv: str) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OgError(f"`{' '.join(argv)}` failed.", hint=done.stderr[-2000:])


@dataclass(frozen=True, slots=True)
class _Server:
    port: int
    pid: int


@contextmanager
def _ogrepo(root: Path, work: Path) -> Iterator[_Server]:
    argv = ["prlimit", f"--nofile={_SOFT_DESCRIPTORS}:", sys.executable, "-m", "ogrepo", "serve"]
    argv += [str(root), "--bind", "127.0.0.1", "--port", "0"]
    with (
        (work / "ogrepo.log").open("wb") as log,
        subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=log, text=True) as server,
    ):
        try:
            assert server.stdout is not None  # noqa: S101 - it was asked for
            said = server.stdout.readline().partition("http://127.0.0.1:")[2].partition("/")[0]
            if not said:
                raise OgError("ogrepo did not begin to serve.", hint=f"See {work}/ogrepo.log.")
            yield _Server(int(said), server.pid)
        finally:
            server.terminate()


@contextmanager
def _nginx(root: Path, work: Path) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    (work / "nginx.conf").write_text(
        f"daemon off; worker_processes 1; user root; pid {work}/nginx.pid;\n"
        f"error_log {work}/nginx.log; events {{ worker_connections 4096; }}\n"
        f"http {{ access_log {work}/nginx.access; sendfile on; tcp_nopush on;\n"
        f"keepalive_requests 10000000; server {{ listen 127.0.0.1:{port}; root {root}; }} }}\n"
    )
    with subprocess.Popen([NGINX, "-c", str(work / "nginx.conf")]) as server:
        try:
            until = time.monotonic() + _WAIT_S
            while server.poll() is None and time.monotonic() < until:
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    time.sleep(0.05)
            yield port
        finally:
            server.terminate()


@dataclass
class _Client:
    """A connection that asks again as soon as it was answered."""

    link: socket.socket
    request: Callable[[], bytes]
    head: bytes = b""
    left: int = -1
    answers: int = field(default=0)

    def ask(self) -> None:
        self.head, self.left = b"", -1
        self.link.sendall(self.request())

    def take(self, buffer: bytearray) -> None:
        """Read what came into ``buffer``, which nobody looks at."""
        got = self.link.recv_into(buffer)
        if not got:
            raise OgError("A server closed a connection while it was measured.")
        if self.left >= 0:
            self.left -= got
        else:
            self.head += bytes(buffer[:got])
            head, end, body = self.head.partition(b"\r\n\r\n")
            if not end:
                return
            self.left = _length(head) - len(body)
        if not self.left:
            self.answers += 1
            self.ask()


def _length(head: bytes) -> int:
    first, *lines = head.lower().split(b"\r\n")
    if first.split()[1] not in (b"200", b"206"):
        raise OgError(f"A server answered with {first.decode()} while it was measured.")
    named = dict(line.split(b": ", 1) for line in lines)
    return int(named[b"content-length"])


def _ranges() -> Callable[[], bytes]:
    at = 0

    def request() -> bytes:
        nonlocal at
        first = at % _FILE_BYTES
        at += _RANGE_BYTES
        asked = f"bytes={first}-{first + _RANGE_BYTES - 1}"
        return f"GET /images/data HTTP/1.1\r\nHost: x\r\nRange: {asked}\r\n\r\n".encode()

    return request


def _ask_listing() -> bytes:
    return b"GET /images/ HTTP/1.1\r\nHost: x\r\nAccept: application/json\r\n\r\n"


def _rate(port: int, clients: int, askers: int = 0) -> float:
    """Bytes a second of ranges, beside so many who ask for the listing without a pause."""
    buffer = bytearray(1 << 20)
    with ExitStack() as stack:
        waiting = stack.enter_context(selectors.DefaultSelector())
        request = _ranges()
        everyone = []
        for number in range(clients + askers):
            link = stack.enter_context(socket.create_connection(("127.0.0.1", port), _WAIT_S))
            client = _Client(link, request if number < clients else _ask_listing)
            waiting.register(link, selectors.EVENT_READ, client)
            everyone.append(client)
        started = time.monotonic()
        for client in everyone:
            client.ask()
        while time.monotonic() - started < _TURN_S:
            for key, _ in waiting.select(_WAIT_S):
                key.data.take(buffer)
        seconds = time.monotonic() - started
    return sum(client.answers for client in everyone[:clients]) * _RANGE_BYTES / seconds


def _beside(  # noqa: PLR0917 - named once, right above
    ours: int, theirs: int, clients: int, bound: float, rounds: int, say: Callable[[str], None]
) -> rows.Row:
    pairs = [(_rate(ours, clients), _rate(theirs, clients)) for _ in range(rounds)]
    one, other = (statistics.median(each) / 1e6 for each in zip(*pairs, strict=True))
    say(f"  ranges of 1 MiB, {clients} clients: {one:.0f} MB/s, nginx {other:.0f} MB/s")
    # Of each pair, for both are of the same second: a machine's rate moves from turn to turn.
    ratio = statistics.median(mine / nginx for mine, nginx in pairs)
    work = f"ranges of 1 MiB, {clients} clients"
    return rows.Row(work, "nginx", ratio, one, other, "MB/s", "tmpfs", at_least=bound)


def _beside_askers(port: int, rounds: int, say: Callable[[str], None]) -> rows.Row:
    clients = _CLIENTS[0][0]
    pairs = [(_rate(port, clients, _ASKERS), _rate(port, clients)) for _ in range(rounds)]
    one, other = (statistics.median(each) / 1e6 for each in zip(*pairs, strict=True))
    say(f"  ranges while {_ASKERS} ask for the listing: {one:.0f} MB/s, alone {other:.0f} MB/s")
    ratio = statistics.median(with_them / alone for with_them, alone in pairs)
    return rows.Row(
        f"ranges while {_ASKERS} clients ask for the listing of {_IMAGES} images",
        "the same alone", ratio, one, other, "MB/s", "tmpfs", at_least=0.8,
    )  # fmt: skip


def _beside_silence(port: int, rounds: int) -> rows.Row:
    """The longest that another address waited for an answer; the bound is a second."""
    with ExitStack() as stack:
        for _ in range(_SILENT):
            stack.enter_context(
                socket.create_connection(("127.0.0.1", port), _WAIT_S, ("127.0.0.2", 0))
            )
        waits = []
        for _ in range(4 * rounds):
            started = time.monotonic()
            with socket.create_connection(("127.0.0.1", port), _WAIT_S, ("127.0.0.3", 0)) as link:
                link.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
                _length(link.recv(1 << 16).partition(b"\r\n\r\n")[0])
            waits.append(time.monotonic() - started)
    work = f"an answer beside {_SILENT} silent connections of another address"
    return rows.Row(work, "the limit", max(waits), max(waits), 1.0, "s", "tmpfs", at_most=1.0)
