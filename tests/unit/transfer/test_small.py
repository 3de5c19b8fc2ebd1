# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses, patience, token files, and small files fetched whole."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oglib import limits
from oglib.connection import USUAL, Connection
from oglib.deploy.opening.fetching import fetch_if_there
from oglib.errors import OgErr, OgError, TransferError, UsageError
from oglib.transfer.address import HttpAddress, parse_address
from oglib.transfer.http import download, fetch
from oglib.transfer.patience import Pace, Patience
from oglib.transfer.repository import RepositoryClient, addresses_of
from oglib.transfer.upload import read_token
from unit.transfer.conftest import Asked, BareServer, Reply, send, send_range

Serve = Callable[[Reply], BareServer]


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("http://h", HttpAddress("h", 80, "/")),
        ("http://10.0.2.2:8080/images/a.img", HttpAddress("10.0.2.2", 8080, "/images/a.img")),
        ("http://[fd00::1]:81/x", HttpAddress("fd00::1", 81, "/x")),
        ("http://h/a%20b?c=d", HttpAddress("h", 80, "/a%20b?c=d")),
        ("http://h/ñ", HttpAddress("h", 80, "/%C3%B1")),
        ("https://h/x", HttpAddress("h", 443, "/x", secure=True)),
        ("https://h:80/x", HttpAddress("h", 80, "/x", secure=True)),
    ],
)
def test_addresses(text: str, address: HttpAddress) -> None:
    assert parse_address(text) == address
    assert parse_address(str(address)) == address


@pytest.mark.parametrize(
    "text",
    [
        "", "h/a", "ftp://h/", "file:///etc/passwd", "http://", "http:///a", "http://h:0x1/",
        "http://h:99999/", "http://user:secret@h/", "http://h/#f", "http://h/a b", "http://h/\r\nX:",
        "http://h/\0", "http://-h/", "http://[::1/",
    ],
)  # fmt: skip
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_address(text)
    assert "secret" not in str(caught.value)


@given(st.text())
def test_whatever_passes_is_safe_on_the_wire(text: str) -> None:
    try:
        address = parse_address(f"http://h/{text}")
    except UsageError:
        return
    assert address.host == "h"
    assert address.target.startswith("/")
    assert all(32 < ord(char) < 127 for char in address.target)


@given(st.text(min_size=1))
def test_a_part_below_stays_one_part(part: str) -> None:
    below = parse_address("http://h/images/").below(part).target
    assert below.startswith("/images/")
    assert below.count("/") == 2
    assert all(32 < ord(char) < 127 for char in below)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_delays_grow_with_jitter_and_stop_at_the_deadline() -> None:
    clock = Clock()
    patience = Patience(60, clock=clock, dice=lambda: 1.0)
    delays = []
    while (delay := patience.next_delay()) is not None:
        delays.append(delay)
        clock.now += delay
    assert delays[:5] == pytest.approx([0.2, 0.4, 0.8, 1.6, 3.2])
    assert max(delays) == 8
    assert sum(delays) == pytest.approx(60)
    assert Patience(60, clock=clock, dice=lambda: 0.0).next_delay() == pytest.approx(0.1)


def test_only_bytes_renew_patience_and_never_beyond_where_it_began() -> None:
    clock = Clock()
    patience = Patience(10, clock=clock)
    clock.now += 9
    patience.reached(8192)
    assert patience.left_s == pytest.approx(2)
    patience.reached(8192)  # fetched a second time after a cut: no progress
    assert patience.left_s == pytest.approx(2)
    patience.reached(100 << 20)
    assert patience.left_s == pytest.approx(10)
    for drop in range(1, 12):
        clock.now += 1
        patience.reached((100 << 20) + drop)
    assert patience.next_delay() is None


def test_the_pace_of_one_exchange_is_earned_by_bytes() -> None:
    clock = Clock()
    pace = Pace(15, clock=clock)
    clock.now += 14
    pace.moved(81920)
    assert pace.left_s == pytest.approx(11)
    pace.moved(1 << 30)
    assert pace.left_s == pytest.approx(15)
    clock.now += 16
    assert pace.left_s < 0


def test_a_server_may_ask_for_more_time() -> None:
    assert Patience(60).next_delay(5.0) == pytest.approx(5.0)
    assert (Patience(60).next_delay(5000.0) or 0) <= 8


def test_fetch_gives_the_whole_small_file(serve: Serve) -> None:
    server = serve(lambda _, peer: send(peer, "200 OK", b"{}", content_type="application/json"))
    assert fetch(f"{server.base}/a.json", limit_bytes=2) == b"{}"
    with pytest.raises(TransferError, match="longer than the 1 bytes"):
        fetch(f"{server.base}/a.json", limit_bytes=1)


def test_fetch_without_announced_length_is_limited_too(serve: Serve) -> None:
    def chunked(_: Asked, peer: socket.socket) -> None:
        peer.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        peer.sendall(b"4\r\nabcd\r\n4\r\nefgh\r\n0\r\n\r\n")

    server = serve(chunked)
    assert fetch(server.base, limit_bytes=8) == b"abcdefgh"
    with pytest.raises(TransferError, match="longer"):
        fetch(server.base, limit_bytes=7)


def test_fetch_refuses_a_web_page(serve: Serve) -> None:
    server = serve(lambda _, peer: send(peer, "200 OK", b"<p>", content_type="text/html"))
    with pytest.raises(TransferError, match="web page"):
        fetch(f"{server.base}/a.json", limit_bytes=100)
    assert len(server.asked) == 1


@pytest.mark.parametrize("status", ["404 Not Found", "410 Gone"])
def test_what_nothing_announced_is_absent_when_that_was_said_twice(
    serve: Serve, status: str
) -> None:
    def gone(asked: Asked, peer: socket.socket) -> None:
        if asked.target == "/once" and asked.number:
            send(peer, "200 OK", b"{}", content_type="application/json")
        else:
            send(peer, status)

    assert fetch_if_there(f"{serve(gone).base}/once", 10, USUAL) == b"{}"
    assert fetch_if_there(f"{serve(gone).base}/never", 10, USUAL) is None


def test_fetch_starts_again_after_a_cut(serve: Serve) -> None:
    def cut_once(asked: Asked, peer: socket.socket) -> bool:
        body = b"0123456789"
        send(peer, "200 OK", body if asked.number else body[:4], content_length="10")
        return bool(asked.number)

    server = serve(cut_once)
    assert fetch(server.base, limit_bytes=100, connection=Connection(deadline_s=5)) == b"0123456789"


def test_an_error_of_ogrepo_is_told_in_its_own_words(serve: Serve) -> None:
    body = b'{"error": {"code": 5, "message": "The image is\\nbad.", "hint": "Mend it."}}'
    server = serve(lambda _, peer: send(peer, "422 No", body, content_type="application/json"))
    with pytest.raises(TransferError, match="refused: The image is bad") as caught:
        fetch(server.base, limit_bytes=1000)
    assert (caught.value.code, caught.value.hint) == (OgErr.IMAGE, "Mend it.")


@pytest.mark.parametrize("body", [b"[]", b"{}", b'{"error": 7}', b'{"error": {"code": 999}}', b"{"])
def test_an_error_that_is_told_badly_still_is_one(serve: Serve, body: bytes) -> None:
    server = serve(lambda _, peer: send(peer, "400 No", body, content_type="application/json"))
    with pytest.raises(TransferError, match="answered with 400 No"):
        fetch(server.base, limit_bytes=1000)


def test_a_download_appears_only_when_complete(serve: Serve, tmp_path: Path) -> None:
    data = bytes(range(256)) * 40000
    server = serve(lambda asked, peer: send_range(peer, asked, data))
    seen: list[int] = []
    target = tmp_path / "frames"
    size = download(f"{server.base}/f", target, limit_bytes=len(data), on_bytes=seen.append)
    assert size == len(data) == sum(seen)
    assert target.read_bytes() == data
    with pytest.raises(TransferError, match="longer than"):
        download(f"{server.base}/f", tmp_path / "other", limit_bytes=len(data) - 1)
    assert [path.name for path in tmp_path.iterdir()] == ["frames"]


def test_a_broken_download_leaves_nothing(serve: Serve, tmp_path: Path) -> None:
    data = bytes(9 << 20)

    def breaks(asked: Asked, peer: socket.socket) -> None:
        if asked.number < 2:
            send_range(peer, asked, data)
        else:
            send(peer, "404 Not Found")

    target = tmp_path / "frames"
    target.write_bytes(b"old")
    with pytest.raises(TransferError):
        download(
            f"{serve(breaks).base}/f",
            target,
            limit_bytes=len(data),
            connection=Connection(deadline_s=0.5),
        )
    assert target.read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1


def test_the_files_of_an_image() -> None:
    found = addresses_of("http://h:8080/images/a.img")
    assert found.frames == "http://h:8080/images/a.img.frames"
    assert found.signature == "http://h:8080/images/a.img.json.sig"
    with pytest.raises(UsageError, match="query"):
        addresses_of("http://h/a.img?x=1")


@pytest.mark.parametrize("name", ["", "../a", "a//b", "a/../b", "/a", "a/", ".a", "a b", "a\n"])
def test_names_that_no_image_has(name: str) -> None:
    with RepositoryClient("http://h") as client, pytest.raises(UsageError):
        client.addresses(name)


def test_names_may_have_folders() -> None:
    with RepositoryClient("http://h/") as client:
        assert client.addresses("lab1/win-11").image == "http://h/images/lab1/win-11.img"


def test_the_token_file_is_read_only_when_it_is_private(tmp_path: Path) -> None:
    path = tmp_path / "upload.token"
    token = "og1~debian~1~00~ff" + "a" * 10
    path.write_text(token + "\n")
    path.chmod(0o600)
    assert read_token(path) == token
    path.chmod(0o640)
    with pytest.raises(TransferError, match="read by others"):
        read_token(path)
    path.chmod(0o600)
    link = tmp_path / "link"
    link.symlink_to(path)
    with pytest.raises(TransferError, match="cannot be read"):
        read_token(link)
    for junk in ("", "two words that are long enough", "x" * 5000, "päss" * 10, "a\r\nb: c" * 4):
        path.write_text(junk)
        with pytest.raises(TransferError, match="does not hold") as caught:
            read_token(path)
        assert not junk or junk not in str(caught.value)
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo, 0o600)
    with pytest.raises(OgError):
        read_token(fifo)


def test_what_a_repository_takes_as_a_manifest_a_pc_takes_too(serve: Serve) -> None:
    server = serve(lambda _, peer: send(peer, "200 OK", bytes(limits.MANIFEST_BYTES)))
    with RepositoryClient(server.base) as repository:
        assert len(repository.fetch_manifest("debian")) == limits.MANIFEST_BYTES
