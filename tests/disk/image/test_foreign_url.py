# SPDX-License-Identifier: GPL-3.0-or-later
"""Foreign images at web addresses: whose are taken, and what is said of those that are not."""

from __future__ import annotations

import os
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from disk.image.corpus import run, web_server
from oglib.deploy.partition import restore
from oglib.errors import ImageError, OgErr, OgError
from oglib.image.writing.receipt import Receipt
from oglib.progress import Progress, Silent
from oglib.settings import Settings

MIB = 1 << 20


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A folder with an image of OpenGnsys' kind, whole and in volumes, and its address."""
    folder = tmp_path_factory.mktemp("served")
    files = folder / "files"
    files.mkdir()
    for number in range(10):
        (files / f"f{number}").write_bytes(os.urandom(200_000))
    run("mke2fs", "-q", "-t", "ext4", "-d", files, folder / "fs", "16M")
    partclone = ["partclone.extfs", "-c", "-q", "-f", "1", "-L", "/dev/null"]
    run(*partclone, "-s", folder / "fs", "-O", folder / "plain")
    run("lzop", "-1", "-o", folder / "old.img", folder / "plain")
    run("split", "-b", "1M", folder / "old.img", folder / "cut.img.", "-a", "3", "-d")
    with web_server(folder) as address:
        yield folder, address


@pytest.fixture
def target(tmp_path: Path) -> Path:
    path = tmp_path / "target"
    with path.open("wb") as file:
        file.truncate(16 * MIB)
    return path


def put_back(url: str, target: Path, *allowed: str) -> Receipt:
    request = restore.Request(str(target), None)
    return restore.put_back(
        url, request, settings=Settings(allow_unsigned=allowed), progress=Progress(Silent())
    )


def refusal(url: str, target: Path, *allowed: str) -> OgError:
    with pytest.raises(OgError) as raised:
        put_back(url, target, *allowed)
    assert target.read_bytes() == bytes(16 * MIB), "something was written"
    return raised.value


@pytest.mark.parametrize("name", ["old.img", "cut.img.000"])
def test_what_the_policy_allows_is_restored_with_one_warning(
    served: tuple[Path, str], target: Path, name: str
) -> None:
    folder, address = served
    receipt = put_back(f"{address}/{name}", target, f"{address}/")
    assert receipt.verified == "read-back"
    assert len(receipt.warnings) == 1
    theirs = target.with_name("theirs")
    theirs.write_bytes(bytes(16 * MIB))
    run("partclone.restore", "-s", folder / "plain", "-O", theirs, "-q", "-L", "/dev/null")
    assert target.read_bytes() == theirs.read_bytes()


def test_what_the_policy_does_not_name_is_refused(served: tuple[Path, str], target: Path) -> None:
    _, address = served
    said = refusal(f"{address}/old.img", target)
    assert isinstance(said, ImageError)
    assert "not signed" in said.message


def test_a_name_that_is_not_there_is_said(served: tuple[Path, str], target: Path) -> None:
    _, address = served
    said = refusal(f"{address}/nothing.img", target, f"{address}/")
    assert said.code is not OgErr.GENERIC
    assert "nothing.img" in said.message


class _Portal(BaseHTTPRequestHandler):
    """Answers everything with a page and status 200, as a network's login portal does."""

    def do_GET(self) -> None:
        page = b"<!DOCTYPE html><title>Please log in</title>" + b" " * 5000
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, format: str, *args: object) -> None:
        pass


def test_a_page_with_status_200_is_no_image(target: Path) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Portal)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        address = f"http://127.0.0.1:{server.server_port}"
        said = refusal(f"{address}/old.img", target, f"{address}/")
    finally:
        server.shutdown()
        server.server_close()
    assert said.hint
