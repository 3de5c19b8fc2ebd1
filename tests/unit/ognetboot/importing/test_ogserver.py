# SPDX-License-Identifier: GPL-3.0-or-later
"""ogServer's REST as it answers (revision 25e21f4): read whole, in time, or refused."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from ognetboot.cli import main
from ognetboot.errors import NetbootError
from ognetboot.inventory.importing.ogserver import address, asker, read_ogserver, read_token
from ognetboot.inventory.importing.pcs import build
from ognetboot.inventory.reading import parse

TOKEN = "a-token-of-thirty-two-characters"  # noqa: S105


def scope(kind: str, number: int, name: str, *inner: object, **more: object) -> dict[str, object]:
    return {"name": name, "type": kind, "id": number, "scope": list(inner), **more}


def computer(number: int) -> dict[str, object]:
    return scope("computer", number, f"pc{number:02}", ip=f"10.0.2.1{number}")


ROOM = 'Aula d\'Informàtica "1" ; touch x'
SCOPES = {
    "scope": [
        scope(
            *("center", 1, "Facultat d'Informàtica"),
            scope(
                *("folder", 5, "Planta 1"),
                scope("room", 1, ROOM, scope("folder", 5, "Fila 1", computer(1)), computer(2)),
            ),
            scope("room", 2, "Laboratorio", computer(3)),
        ),
        scope("center", 2, "Vacío"),
    ]
}


def info(ip: str) -> dict[str, object]:
    """As `/client/info` tells a PC; `maintenance` comes from the name there."""
    number = int(ip[-1])
    return {
        "serial_number": "5BXM1" if number == 1 else "",
        "hardware_id": 0, "netdriver": "generic", "maintenance": True, "netiface": "eth0",
        "repo_id": 1, "livedir": "ogLive", "netmask": "255.255.255.0", "center": 1,
        "remote": False, "room": 1, "name": f"pc{number:02}",
        "boot": "19pxeADMIN" if number == 3 else "pxe",
        "mac": f"08002712340{number}", "id": number, "ip": ip,
    }  # fmt: skip


class _Server(BaseHTTPRequestHandler):
    """Answers as ogServer does; the path decides, and a body is read on a GET."""

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("Authorization") != TOKEN:
            self._answer(401, b"")
        elif self.path == "/scopes":
            self._answer(400 if body else 200, json.dumps(SCOPES).encode())
        elif self.path == "/client/info":
            (ip,) = json.loads(body)["client"]
            self._answer(200, json.dumps(info(ip)).encode())
        else:
            self._answer(404, b"")

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Server) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.fixture
def token(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text(TOKEN + "\n")
    return path


def test_the_tree_of_an_ogserver_becomes_an_inventory(
    url: str, token: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "site.toml"
    words = ["import", "ogserver", url, str(out), "--token-file", str(token)]
    assert main([*words, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["taken"][:2] == ["centre Facultat d'Informàtica", "centre Vacío"]
    assert told["not_representable"] == [
        "hardware profiles, netmask, interface and driver of PCs (3)"
    ]
    assert TOKEN not in out.read_text("utf-8")
    server = '[server]\naddress = "10.0.2.2"\nsubnet = "10.0.2.0/24"\ninterface = "eth0"\n'
    inventory = parse(out.read_text("utf-8").replace("[server]\n", server), source="x")
    first, second, third = inventory.clients
    assert (first.name, first.mac, first.serial) == ("pc01", "08:00:27:12:34:01", "5BXM1")
    assert [g.title for g in inventory.groups_of(first)] == ["Planta 1", "Fila 1"]
    assert [g.title for g in inventory.groups_of(second)] == ["Planta 1"]
    room = inventory.room_of(first)
    assert room is not None
    assert (room.title, room.centre) == (ROOM, "facultat-d-informatica")
    assert [inventory.entry_of(c).name for c in (first, third)] == ["pxe", "19pxeadmin"]
    assert third.groups == ()


def test_a_wrong_token_is_told(url: str) -> None:
    with pytest.raises(NetbootError, match="does not take the token"):
        asker(address(url), "wrong")("/scopes", None)
    with pytest.raises(NetbootError, match="answers /nothing with 404"):
        asker(address(url), TOKEN)("/nothing", None)


@contextmanager
def raw(answer: Callable[[socket.socket, threading.Event], None]) -> Iterator[str]:
    """A server of one connection that does as it likes; the event says that it shall end."""
    end = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(65536)
                answer(connection, end)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            end.set()
            thread.join()


def silent(_: socket.socket, end: threading.Event) -> None:
    end.wait(30)


def dripping(connection: socket.socket, end: threading.Event) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while not end.wait(0.02):
        try:
            connection.sendall(b" ")
        except OSError:
            return


def whole(body: bytes) -> Callable[[socket.socket, threading.Event], None]:
    def answer(connection: socket.socket, _: threading.Event) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
        try:
            connection.sendall(head + body)
        except OSError:
            return

    return answer


@pytest.mark.parametrize("answer", [silent, dripping])
def test_a_server_that_does_not_come_to_an_end_is_left(
    answer: Callable[[socket.socket, threading.Event], None],
) -> None:
    with raw(answer) as url, pytest.raises(NetbootError, match="did not answer /scopes in time"):
        asker(address(url), TOKEN, deadline_s=0.3)("/scopes", None)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"[]", "no JSON object"),
        (b"<html>", "no JSON object"),
        (b"[" * 200_000, "no JSON object"),
        (b" " * ((32 << 20) + 1), "more than 32 MiB"),
    ],
    ids=["list", "html", "deep", "large"],
)
def test_an_answer_that_is_none_is_refused(body: bytes, why: str) -> None:
    with raw(whole(body)) as url, pytest.raises(NetbootError, match=why):
        asker(address(url), TOKEN)("/scopes", None)


def test_a_server_that_is_not_there_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(NetbootError, match="cannot be asked for /scopes: Connection refused"):
        asker(address(f"http://127.0.0.1:{port}"), TOKEN)("/scopes", None)


def test_strange_scopes_are_counted_and_never_followed_for_ever() -> None:
    deep: dict[str, object] = scope("room", 1, "R")
    for number in range(100):
        deep = scope("folder", number, f"f{number}", deep)
    answers = {"/scopes": {"scope": [7, scope("planet", 1, "x"), deep, scope("room", 2, "S", "z")]}}
    brought = read_ogserver(lambda path, _: answers[path], "x")
    assert brought.lost == {"scope of the type 'planet'": 1}
    assert len(brought.groups) < 50
    outcome = build(brought)
    assert "room S" in outcome.taken


@pytest.mark.parametrize(
    "url",
    [
        "ftp://x",
        "http://a..b",
        f"http://{'a' * 64}.b",
        "http://",
        "http://x:99999",
        "http://x/y",
        "http://[x",
    ],
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(NetbootError, match="is not the address of an ogServer"):
        address(url)


def test_https_proves_the_server(tmp_path: Path) -> None:
    assert address("https://og.example.org").tls is not None
    assert address("og.example.org").port == 8888
    with pytest.raises(NetbootError, match="holds no CA"):
        address("https://og.example.org", tmp_path / "none.pem")


def test_a_token_is_one_line_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "token"
    for text, why in (("", "holds no token"), ("a\nb", "holds no token"), ("ñ", "cannot be read")):
        path.write_text(text, "utf-8")
        with pytest.raises(NetbootError, match=why):
            read_token(path)
    path.unlink()
    os.mkfifo(path)  # nobody will write into it
    with pytest.raises(NetbootError, match="it is not a plain file"):
        read_token(path)
    assert main(["import", "ogserver", "http://x", str(tmp_path / "o.toml")]) == 1
