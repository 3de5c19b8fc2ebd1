# SPDX-License-Identifier: GPL-3.0-or-later
"""``og image info|restore http://...`` of foreign images, from servers good, odd and dying."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from hashlib import blake2b
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from disk.image.corpus import Ranges, run, web_server
from oglib import settings
from oglib.__main__ import main
from oglib.connection import Connection
from oglib.errors import OgErr

MIB = 1 << 20
SIZE = 40 * MIB
GUARD = bytes(MIB)
PAGE = b"<!DOCTYPE html><title>Please log in</title>" + b" " * 5000
# Of the image's 27 MiB; what is read ahead, a few pieces of 2 MiB, ends well before.
SENT_BEFORE = 12 * MIB


@dataclass(frozen=True)
class Told:
    status: int
    out: str
    err: str


Og = Callable[..., Told]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``a.img`` and ``b.img``, of equal size, by partclone as it comes, and what was captured."""
    folder = tmp_path_factory.mktemp("served")
    for name in ("a", "b"):
        files = folder / f"files-{name}"
        files.mkdir()
        for number in range(10):
            (files / f"f{number}").write_bytes(os.urandom(2 * MIB))
        run("mke2fs", "-q", "-t", "ext4", "-d", files, folder / f"fs-{name}", "40M")
        quiet = ["-q", "-f", "1", "-L", "/dev/null"]
        run(
            "partclone.extfs",
            "-c",
            *quiet,
            "-s",
            folder / f"fs-{name}",
            "-O",
            folder / f"{name}.img",
        )
    return folder


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """A partition that holds something, on its first sector too."""
    path = tmp_path / "target"
    path.write_bytes(b"\xa5" * SIZE)
    return path


@pytest.fixture
def og(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Og:
    """The command, with a site's policy, and with less patience for servers that are gone."""
    policy = tmp_path / "policy.toml"
    load = settings.load
    hasty = Connection(deadline_s=2.0)
    monkeypatch.setattr(settings, "load", lambda: replace(load(policy=policy), connection=hasty))

    def og(*words: str | Path, allowed: str = "") -> Told:
        policy.write_text(f"allow_unsigned = {json.dumps([allowed] if allowed else [])}\n")
        capsys.readouterr()
        status = main(["image", *map(str, words)])
        told = Told(status, *capsys.readouterr())
        assert "defect" not in told.err
        return told

    return og


def digest(path: Path) -> bytes:
    return blake2b(path.read_bytes()).digest()


def refused(og: Og, url: str, target: Path, allowed: str) -> tuple[Told, Told]:
    """What ``info`` and ``restore`` say of an address of which nothing may reach the target."""
    before = digest(target)
    info = og("info", url)
    told = og("restore", url, target, "--yes", allowed=allowed)
    assert digest(target) == before
    assert info.status != 0 != told.status
    return info, told


def test_what_the_site_allows_is_described_and_restored(folder: Path, target: Path, og: Og) -> None:
    with web_server(folder) as address:
        told = og("info", f"{address}/a.img", "--json")
        info = json.loads(told.out)
        assert (told.status, info["tool"], info["damage"]) == (0, "partclone", "")
        told = og("restore", f"{address}/a.img", target, "--yes", allowed=address)
    assert told.status == 0, told.err
    assert told.err.count("not signed") == 1
    assert "read-back" in told.out
    holds(target, folder, "a")


@pytest.mark.parametrize("allowed", ["", "http://127.0.0.1", "http://127.0.0.1:1/", "REPO"])
def test_what_the_site_does_not_allow_is_refused_before_the_target_is_touched(
    folder: Path, target: Path, og: Og, allowed: str
) -> None:
    before = digest(target)
    with web_server(folder) as address:
        told = og("restore", f"{address}/a.img", target, "--yes", allowed=allowed)
        longer = og("restore", f"{address}/a.img", target, "--yes", allowed=address[:-1])
        assert og("info", f"{address}/a.img").status == 0  # to look is allowed
    assert (told.status, longer.status) == (OgErr.IMAGE, OgErr.IMAGE)
    assert "is not signed" in told.err
    assert "allow_unsigned" in told.err
    assert digest(target) == before


def test_a_name_that_is_not_there(folder: Path, target: Path, og: Og) -> None:
    with web_server(folder) as address:
        for told in refused(og, f"{address}/nothing.img", target, address):
            assert told.status == OgErr.NOTFOUND
            assert "/nothing.img was answered with 404" in told.err


class _Portal(BaseHTTPRequestHandler):
    """Answers everything with a page and status 200."""

    kind = "text/html"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", self.kind)
        self.send_header("Content-Length", str(len(PAGE)))
        self.end_headers()
        self.wfile.write(PAGE)

    def log_message(self, format: str, *args: object) -> None:
        pass


class _PlainPortal(_Portal):
    kind = "text/plain"


class _PortalForImages(_Portal):
    """Only the image itself is answered by the page: its companions are not there."""

    def do_GET(self) -> None:
        if self.path.endswith(".img"):
            super().do_GET()
        else:
            self.send_error(404)


@pytest.mark.parametrize(
    ("server", "says"),
    [
        (_Portal, "answered with a web page instead of a file"),
        (_PlainPortal, "web proxy or portal"),
        (_PortalForImages, "answered with a whole file or page instead of a range"),
    ],
)
def test_a_page_with_status_200(
    folder: Path, target: Path, og: Og, server: type[BaseHTTPRequestHandler], says: str
) -> None:
    with web_server(folder, server) as address:
        for told in refused(og, f"{address}/a.img", target, address):
            assert says in told.out + told.err
            assert "404" not in told.err.replace(address, "")  # a port may hold these digits


def test_a_page_that_is_served_by_ranges(tmp_path: Path, target: Path, og: Og) -> None:
    (tmp_path / "a.img").write_bytes(PAGE)
    with web_server(tmp_path) as address:
        info, told = refused(og, f"{address}/a.img", target, address)
    assert "kind     unknown" in info.out
    for said in (info.err, told.err):
        assert "is a page of text, not an image" in said


class _WholeFiles(Ranges):
    """Does not know ranges: the whole file, whatever is asked for."""

    def do_GET(self) -> None:
        del self.headers["Range"]
        super().do_GET()


def test_a_server_without_ranges(folder: Path, target: Path, og: Og) -> None:
    with web_server(folder, _WholeFiles) as address:
        for told in refused(og, f"{address}/a.img", target, address):
            assert told.status == OgErr.REPO
            assert "the web server must support byte ranges" in told.err


class _Dying(Ranges):
    """Breaks off in the middle of a range once, and then answers nothing more."""

    sent = 0

    def do_GET(self) -> None:
        if _Dying.sent < SENT_BEFORE:
            super().do_GET()
        else:
            self._cut()

    def send_piece(self, piece: bytes) -> None:
        _Dying.sent += len(piece)
        if _Dying.sent < SENT_BEFORE:
            super().send_piece(piece)
        else:
            super().send_piece(piece[: len(piece) // 2])
            self._cut()

    def _cut(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)


def holds(target: Path, folder: Path, name: str) -> None:
    """A sound filesystem with the files that were captured.

    Not compared byte by byte: what no used block fills is left as it was.
    """
    run("e2fsck", "-fn", target)
    out = target.with_name("out")
    out.mkdir()
    run("debugfs", "-R", f"rdump / {out}", target)
    for file in (folder / f"files-{name}").iterdir():
        assert (out / file.name).read_bytes() == file.read_bytes()


def half_restored(target: Path) -> None:
    """Not bootable, and not untouched: or the test would have shown nothing."""
    raw = target.read_bytes()
    assert raw[:MIB] == GUARD
    assert raw[MIB:] != b"\xa5" * (SIZE - MIB)


def restored_by_a_rerun(folder: Path, og: Og, target: Path, name: str) -> None:
    """A good server now: the rerun writes what differs, and partclone would agree."""
    with web_server(folder) as address:
        told = og("restore", f"{address}/{name}.img", target, "--yes", allowed=address)
    assert told.status == 0, told.err
    holds(target, folder, name)


def test_a_server_that_dies_in_the_middle(folder: Path, target: Path, og: Og) -> None:
    _Dying.sent = 0
    with web_server(folder, _Dying) as address:
        told = og("restore", f"{address}/a.img", target, "--yes", allowed=address)
    assert told.status == OgErr.REPO
    assert "a.img failed" in told.err
    assert "run the same command again" in told.err
    half_restored(target)
    restored_by_a_rerun(folder, og, target, "a")


class _Replaced(Ranges):
    """``a.img`` becomes ``b.img`` between two ranges."""

    sent = 0

    def do_GET(self) -> None:
        if self.path == "/a.img" and _Replaced.sent >= SENT_BEFORE:
            self.path = "/b.img"
        super().do_GET()

    def send_piece(self, piece: bytes) -> None:
        _Replaced.sent += len(piece)
        super().send_piece(piece)


class _ReplacedUnasked(_Replaced):
    """The same by a server that does not look at If-Match, but gives tags."""

    def do_GET(self) -> None:
        del self.headers["If-Match"]
        super().do_GET()


class _ReplacedWithoutTags(_Replaced):
    """Nothing tells the two apart but what is in them."""

    def tag_of(self, _raw: bytes, /) -> str:
        return ""


@pytest.mark.parametrize(
    ("server", "says"),
    [
        (_Replaced, "was replaced on the server while it was being read"),
        (_ReplacedUnasked, "was replaced on the server while it was being read"),
        (_ReplacedWithoutTags, "The image is damaged: the checksum of its content"),
    ],
)
def test_an_image_that_is_replaced_between_two_ranges(
    folder: Path, target: Path, og: Og, server: type[_Replaced], says: str
) -> None:
    assert (folder / "a.img").stat().st_size == (folder / "b.img").stat().st_size
    _Replaced.sent = 0
    with web_server(folder, server) as address:
        told = og("restore", f"{address}/a.img", target, "--yes", allowed=address)
    assert told.status == OgErr.IMAGE
    assert says in told.err
    half_restored(target)
    restored_by_a_rerun(folder, og, target, "b")
