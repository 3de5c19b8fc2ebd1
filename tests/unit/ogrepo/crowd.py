# SPDX-License-Identifier: GPL-3.0-or-later
"""Thousands of clients of one server, from one thread: what each of them was answered."""

from __future__ import annotations

import re
import resource
import selectors
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

_HEAD = re.compile(rb"HTTP/1\.1 (\d{3}) .*?\r\n\r\n", re.DOTALL)
_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.IGNORECASE)
_LATER = re.compile(rb"\r\nretry-after: \d+\r\n", re.IGNORECASE)
_SILENCE_S = 60.0


def may_open(count: int) -> bool:
    """Raise this process' limit of descriptors; whether so many can be opened."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard == resource.RLIM_INFINITY or hard >= count


@dataclass
class Server:
    port: int
    log: Path
    process: subprocess.Popen[str]

    def memory_peak_bytes(self) -> int:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) << 10


@contextmanager
def served(root: Path, log: Path, limits: str) -> Iterator[Server]:
    """``ogrepo serve`` as a process whose limit of open files is ``limits`` (``SOFT:HARD``)."""
    argv = ["prlimit", f"--nofile={limits}", sys.executable, "-m", "ogrepo", "serve", str(root)]
    argv += ["--bind", "127.0.0.1", "--port", "0"]
    with (
        log.open("wb") as errors,
        subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=errors, text=True) as process,
    ):
        try:
            assert process.stdout is not None
            said = process.stdout.readline()
            port = int(said.partition("http://127.0.0.1:")[2].partition("/")[0])
            yield Server(port, log, process)
        finally:
            process.terminate()
            process.wait(60)


@dataclass
class _Client:
    sock: socket.socket
    request: bytes
    got: bytearray = field(default_factory=bytearray)

    def verdict(self) -> str:
        """The status once the answer is whole; ``503`` only with the time to come back."""
        head = _HEAD.match(self.got)
        if head is None:
            return ""
        length = _LENGTH.search(head[0])
        if length is None or len(self.got) < head.end() + int(length[1]):
            return ""
        status = head[1].decode()
        return status if status != "503" or _LATER.search(head[0]) else "503 without Retry-After"


def range_request(path: str, first: int, count: int) -> bytes:
    asked = f"bytes={first}-{first + count - 1}"
    return f"GET {path} HTTP/1.1\r\nHost: x\r\nRange: {asked}\r\n\r\n".encode()


def ask_all(port: int, requests: list[bytes], source: str) -> Counter[str]:
    """Send all requests at a time, each on a connection of its own; how many got what."""
    answers: Counter[str] = Counter()
    with selectors.DefaultSelector() as waiting:
        for request in requests:
            sock = socket.socket()
            sock.setblocking(False)
            sock.bind((source, 0))
            sock.connect_ex(("127.0.0.1", port))
            waiting.register(sock, selectors.EVENT_WRITE, _Client(sock, request))
        while waiting.get_map():
            events = waiting.select(_SILENCE_S)
            if not events:
                answers["no answer"] += len(waiting.get_map())
                for key in list(waiting.get_map().values()):
                    key.data.sock.close()
                return answers
            for key, mask in events:
                verdict = _step(waiting, key.data, mask)
                if verdict:
                    answers[verdict] += 1
                    waiting.unregister(key.data.sock)
                    key.data.sock.close()
    return answers


def _step(waiting: selectors.BaseSelector, client: _Client, mask: int) -> str:
    try:
        if mask & selectors.EVENT_WRITE:
            client.sock.send(client.request)
            waiting.modify(client.sock, selectors.EVENT_READ, client)
            return ""
        piece = client.sock.recv(1 << 18)
    except OSError as error:
        return str(error)
    client.got += piece
    return client.verdict() or ("" if piece else "closed without an answer")


def ask_until_served(port: int, requests: list[bytes], source: str) -> list[Counter[str]]:
    """The same; who was told to come back does so, for ten minutes. The answers each time."""
    times: list[Counter[str]] = []
    left, until = requests, time.monotonic() + 600
    while left and time.monotonic() < until:
        if times:
            time.sleep(0.1)  # sooner than it was told: that only makes it harder
        times.append(ask_all(port, left, source))
        left = left[: times[-1]["503"]]
    return times


@contextmanager
def slow_readers(port: int, count: int, request: bytes, source: str) -> Iterator[list[bytes]]:
    """So many that ask and take almost nothing of the answer; the first line each was told."""
    links: list[socket.socket] = []
    try:
        for _ in range(count):
            link = socket.socket()
            links.append(link)
            link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            link.settimeout(_SILENCE_S)
            link.bind((source, 0))
            link.connect(("127.0.0.1", port))
            link.sendall(request)
        yield [link.recv(12) for link in links]
    finally:
        for link in links:
            link.close()


@contextmanager
def silent(port: int, count: int, source: str) -> Iterator[None]:
    """So many connections that ask nothing."""
    links: list[socket.socket] = []
    try:
        for _ in range(count):
            link = socket.create_connection(("127.0.0.1", port), _SILENCE_S, (source, 0))
            links.append(link)
        yield
    finally:
        for link in links:
            link.close()
