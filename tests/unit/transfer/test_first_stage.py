# SPDX-License-Identifier: GPL-3.0-or-later
"""The first stage fetches the root filesystem: its own functions, this machine's tools.

Its deadline is made small; whatever drips here drips until the test is over.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import pytest

from unit.transfer.conftest import Asked, BareServer, Reply, send

Serve = Callable[[Reply], BareServer]


class Fetched(Protocol):
    """What the screen says after fetching from an address, within so many seconds."""

    def __call__(self, base: str, seconds: int = ...) -> str: ...


INIT = Path(__file__).parents[3] / "image/mkosi.images/first-stage/mkosi.extra/init"
FINALIZE = INIT.parents[1] / "mkosi.finalize"
TEXTS = INIT.parent / "usr/lib/oglive/texts/en"
ROOT = bytes(range(256)) * 400
FUNCTIONS = ("text", "again", "seconds", "fetch", "fetch_root", "refuse_root")
SECONDS = 2
PLENTY_S = 100
HANG_S = 60.0

SCRIPT = """
set -f
. {texts}
say() {{ echo "$*"; }}
stop() {{ echo "STOP $1"; exit 1; }}
ROOT_SIZE={size} ROOT_SHA256={digest} FETCH_SECONDS={seconds}
{functions}
fetch_root "$1" "$2"
echo READY
"""


# As busybox' own, but for its patience: this one waits for ever.
WGET = """
import http.client, sys, urllib.parse
where = urllib.parse.urlsplit(sys.argv[-1])
link = http.client.HTTPConnection(where.hostname, where.port)
link.request("GET", where.path)
answer = link.getresponse()
if answer.status != 200:
    sys.exit(1)
while piece := answer.read1(65536):
    sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()
"""


def applets() -> str:
    found = re.search(r"APPLETS = \((.*?)\)\.split", FINALIZE.read_text(), re.DOTALL)
    assert found
    return found[1]


def function(name: str) -> str:
    text = INIT.read_text()
    line = re.search(rf"^{name}\(\) \{{ [^#\n].*\}}$", text, re.MULTILINE)
    found = line or re.search(rf"^{name}\(\) \{{.*?^\}}$", text, re.DOTALL | re.MULTILINE)
    assert found, name
    return found[0]


@pytest.fixture
def fetched(tmp_path: Path) -> Fetched:
    """What the screen says after fetching from an address."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("cut", "dd", "rm", "sha256sum", "sleep", "stat", "tee", "timeout"):
        assert re.search(rf"\b{name}\b", applets()), f"the first stage has no {name}"
        (tools / name).symlink_to(shutil.which(name) or name)
    wget = tools / "wget"
    wget.write_text(f"#!{sys.executable}\n{WGET}")
    wget.chmod(0o755)

    def run(base: str, seconds: int = PLENTY_S) -> str:
        script = tmp_path / "script"
        script.write_text(
            SCRIPT.format(
                size=len(ROOT),
                digest=hashlib.sha256(ROOT).hexdigest(),
                seconds=seconds,
                functions="\n".join(map(function, FUNCTIONS)),
                texts=TEXTS,
            )
        )
        began = time.monotonic()
        done = subprocess.run(
            ["/bin/sh", script, f"{base}/ogclient.sqfs", tmp_path / "root"],
            env={"PATH": str(tools)},
            capture_output=True,
            text=True,
            timeout=HANG_S,
            check=False,
        )
        assert time.monotonic() - began < HANG_S
        assert (tmp_path / "root").stat().st_size <= len(ROOT) + 1
        assert (done.returncode == 0) is done.stdout.endswith("READY\n")
        return done.stdout

    return run


def test_the_root_comes_with_its_digest(serve: Serve, fetched: Fetched) -> None:
    server = serve(lambda _, peer: send(peer, "200 OK", ROOT))
    assert "digest matches" in fetched(server.base)
    assert len(server.asked) == 1


def test_a_download_that_was_cut_is_begun_again(serve: Serve, fetched: Fetched) -> None:
    def cut_once(asked: Asked, peer: socket.socket) -> bool:
        body = ROOT if asked.number else ROOT[:1000]
        send(peer, "200 OK", body, content_length=str(len(ROOT)))
        return False

    told = fetched(serve(cut_once).base)
    assert f"ended after 1000 of {len(ROOT)} bytes" in told
    assert told.endswith("READY\n")


def dripping(begin: bytes, drop: bytes) -> Reply:
    def reply(_: Asked, peer: socket.socket) -> bool:
        peer.sendall(begin)
        while True:
            peer.sendall(drop)
            time.sleep(0.05)

    return reply


HEAD = f"HTTP/1.1 200 OK\r\nContent-Length: {len(ROOT)}\r\n\r\n".encode()


@pytest.mark.parametrize(
    ("reply", "came"),
    [
        (dripping(HEAD, b"x"), r"[0-9]+"),
        (dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), "0"),
        (dripping(b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n"), "0"),
        (dripping(b"HTTP/1.1 200 OK\r\nX-A: ", b"b"), "0"),
        (dripping(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0"), "0"),
    ],
    ids=["a body", "100 Continue", "header lines", "a header line", "a chunk's size"],
)
def test_a_server_that_drips_has_an_end(
    serve: Serve, fetched: Fetched, reply: Reply, came: str
) -> None:
    told = fetched(serve(reply).base, SECONDS)
    assert re.search(
        f"STOP The root filesystem cannot be used: only {came} of {len(ROOT)} bytes came in "
        f"{SECONDS} s",
        told,
    )


def test_nothing_is_read_past_one_byte_too_many(serve: Serve, fetched: Fetched) -> None:
    def endless(_: Asked, peer: socket.socket) -> bool:
        peer.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            peer.sendall(ROOT)

    told = fetched(serve(endless).base)
    assert (
        f"STOP The root filesystem cannot be used: the server sends more than the {len(ROOT)} "
        in told
    )


def test_another_file_of_the_same_size_is_refused_the_second_time(
    serve: Serve, fetched: Fetched
) -> None:
    server = serve(lambda _, peer: send(peer, "200 OK", bytes(len(ROOT))))
    assert "STOP The root filesystem cannot be used: its digest does not match" in fetched(
        server.base
    )
    assert len(server.asked) == 2


def test_a_server_without_the_root_is_said(serve: Serve, fetched: Fetched) -> None:
    server = serve(lambda _, peer: send(peer, "404 Not Found"))
    assert re.search("STOP .*(does not answer with it|only 0 of)", fetched(server.base, SECONDS))
