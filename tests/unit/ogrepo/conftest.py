# SPDX-License-Identifier: GPL-3.0-or-later
"""A repository in a temporary folder, served on loopback by the real application."""

from __future__ import annotations

import asyncio
import http.client
import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path

import pytest

from oglib.transfer.upload import HttpUploadSink, PublishedImage
from ogrepo.__main__ import main
from ogrepo.intake.ledger import MOST_BYTES
from ogrepo.intake.tokens import load_secret, make_token
from ogrepo.intake.uploads import Uploads
from ogrepo.library.folder import Folder, open_folder
from ogrepo.serving.entry.limits import Limits, limits_for
from ogrepo.serving.entry.listen import listen
from ogrepo.serving.server import LISTINGS, Serving, opened
from unit.ogrepo.sample import Sample


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> dict[str, object]:
        told = json.loads(self.body)
        assert isinstance(told, dict)
        return told

    @property
    def error(self) -> dict[str, object]:
        error = self.json()["error"]
        assert isinstance(error, dict)
        assert set(error) >= {"code", "message", "hint"}
        return error


class _Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@dataclass
class Repository:
    """Starts and stops the server of ``folder``; the port stays the same over a restart."""

    folder: Folder
    port: int = 0
    started_with: list[str] = field(default_factory=list)
    limits: Limits | None = None
    trusted: tuple[str, ...] = ()
    wrap: Callable[[socket.socket], socket.socket] = lambda sock: sock
    most_bytes: int = MOST_BYTES
    farewell_s: float = 0.5
    pair: tuple[Path, Path] | None = None
    at_once: int = 0
    metrics_to: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        self._log = _Lines()
        logger = logging.getLogger("ogrepo")
        logger.addHandler(self._log)
        logger.setLevel(logging.INFO)
        self.start()

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> list[str]:
        return self._log.lines

    def logged(self, word: str) -> str:
        """The first line with ``word``: it is written after the answer, so it is waited for."""
        for _ in range(2000):
            for line in self.log:
                if word in line:
                    return line
            time.sleep(0.01)
        raise AssertionError(self.log)

    def start(self) -> None:
        sock = self.wrap(listen("127.0.0.1", self.port))
        self.port = sock.getsockname()[1]
        self.uploads = Uploads(self.folder, self.most_bytes)
        self.started_with = self.uploads.start()
        self._loop = asyncio.new_event_loop()
        ready = threading.Event()

        async def run() -> None:
            self._stop = asyncio.Event()
            trusted = tuple(ip_network(text) for text in self.trusted)
            told = None
            if self.metrics_to is not None:
                told = [ip_network(text) for text in self.metrics_to]
            serving = Serving(
                "127.0.0.1", 0, trusted, self.pair, at_once=self.at_once, metrics_to=told
            )
            limits = self.limits or limits_for(1024)
            async with opened(
                self.folder, sock, self.uploads, serving, limits, farewell_s=self.farewell_s
            ) as app:
                self.listings = app[LISTINGS]
                ready.set()
                await self._stop.wait()

        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(run(),))
        self._thread.start()
        assert ready.wait(10)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(120)
        self._loop.close()

    def close(self) -> None:
        self.stop()
        logging.getLogger("ogrepo").removeHandler(self._log)

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        source: str = "127.0.0.1",
        **more: str,
    ) -> Answer:
        """One exchange; keyword ``if_range`` becomes the header ``if-range``."""
        link = http.client.HTTPConnection(
            "127.0.0.1", self.port, timeout=30, source_address=(source, 0)
        )
        try:
            named = {name.replace("_", "-"): value for name, value in more.items()}
            link.request(method, path, body, {**(headers or {}), **named})
            response = link.getresponse()
            got = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, got, response.read())
        finally:
            link.close()

    def token(self, name: str, lifetime_s: int = 3600) -> str:
        return make_token(load_secret(self.folder), name, lifetime_s=lifetime_s)

    def upload(self, sample: Sample, tmp_path: Path) -> PublishedImage:
        """The whole way of a capture."""
        name = sample.manifest.name
        sink = HttpUploadSink(self.base, name, self.token(name), piece_bytes=100_000)
        sink.write(sample.image)
        sink.finish(sample.write_frames(tmp_path), sample.manifest.to_bytes())
        assert sink.published is not None
        return sink.published


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    assert main(["keygen", "--dir", str(tmp_path / "repo"), "--comment", "a test"]) == 0
    return open_folder(tmp_path / "repo")


@pytest.fixture
def serve(folder: Folder) -> Callable[..., AbstractContextManager[Repository]]:
    """A repository with other settings than the usual ones, for the time of a block."""

    @contextmanager
    def served(**settings: object) -> Iterator[Repository]:
        repository = Repository(folder, **settings)  # type: ignore[arg-type]
        try:
            yield repository
        finally:
            repository.close()

    return served


@pytest.fixture
def repository(folder: Folder) -> Iterator[Repository]:
    served = Repository(folder)
    yield served
    served.close()
