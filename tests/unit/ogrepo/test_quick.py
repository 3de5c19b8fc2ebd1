# SPDX-License-Identifier: GPL-3.0-or-later
"""The short way to a file: it says what the long way says, and keeps every promise of the door."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from ogrepo.serving import files, quick
from ogrepo.serving.connection import Connection
from ogrepo.serving.entry import door, limits, places
from ogrepo.serving.quick import Plain, Quick
from unit.ogrepo.conftest import Answer, Repository

DATA = bytes(range(256)) * 400
BIG = 64 << 20
FILE = "/oglive/v1/ogvmlinuz"
Serve = Callable[..., AbstractContextManager[Repository]]


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[Plain]:
    """The answers that went the short way."""
    real, seen = Quick.plain, []

    def plain(self: Quick, data: bytes, connection: Connection, address: str) -> Plain | None:
        found = real(self, data, connection, address)
        if found is not None:
            seen.append(found)
        return found

    monkeypatch.setattr(Quick, "plain", plain)
    monkeypatch.setattr(quick, "_KEPT_S", 3600.0)
    return seen


@pytest.fixture
def known(repository: Repository, taken: list[Plain]) -> Path:
    """A file that was asked for, so that the next plain request goes the short way."""
    path = repository.folder.root / FILE[1:]
    path.parent.mkdir(parents=True)
    path.write_bytes(DATA)
    assert repository.ask("HEAD", FILE).status == 200
    assert not taken
    return path


def told(answer: Answer) -> tuple[int, dict[str, str], bytes]:
    return answer.status, {k: v for k, v in answer.headers.items() if k != "date"}, answer.body


@contextlib.contextmanager
def connected(repository: Repository) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", repository.port), timeout=30) as link:
        yield link


def asked(path: str, *headers: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: x", *headers, "", ""]).encode()


def read(link: socket.socket, count: int) -> bytes:
    got = bytearray()
    while len(got) < count:
        piece = link.recv(count - len(got))
        assert piece, f"closed after {len(got)} of {count} bytes"
        got += piece
    return bytes(got)


def answer_on(link: socket.socket) -> tuple[int, bytes]:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += read(link, 1)
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    return int(head.split()[1]), read(link, length)


def grown(path: Path) -> Path:
    """The file with BIG bytes, more than sockets hold."""
    os.truncate(path, BIG)
    return path


@pytest.mark.parametrize(
    ("headers", "is_short"),
    [
        ({}, True),
        ({"range": "bytes=5-9"}, True),
        ({"range": "bytes=100-"}, True),
        ({"range": "bytes=-7"}, True),
        ({"Range": "Bytes=0-102399999"}, True),
        ({"range": "bytes=0-9", "if-match": "TAG"}, True),
        ({"range": "bytes=0-9", "if-match": '"other"'}, False),
        ({"range": "bytes=0-9", "if-range": "TAG"}, True),
        ({"range": "bytes=0-9", "if-range": "W/TAG"}, True),
        ({"range": "bytes=0-9", "if-range": "DATE"}, True),
        ({"range": "bytes=0-9", "if-range": "words"}, True),
        ({"if-none-match": "TAG"}, False),
        ({"if-none-match": '"other"'}, True),
        ({"if-modified-since": "DATE"}, False),
        ({"if-unmodified-since": "Thu, 01 Jan 1970 00:00:00 GMT"}, False),
        ({"range": "bytes=102400-"}, False),
        ({"range": "bytes=-0"}, False),
        ({"range": "bytes=" + "9" * 6000 + "-"}, False),
        ({"range": "bytes=5-4"}, False),
        ({"range": "bytes=0-1,5-6"}, False),
        ({"range": "lines=0-1"}, False),
        ({"accept-encoding": "gzip"}, True),
        ({"authorization": "Bearer x"}, True),
        ({"connection": "close"}, False),
        ({"expect": "100-continue"}, False),
        ({"connection": "upgrade", "upgrade": "websocket"}, False),
        ({"content-length": "0"}, True),
    ],
)
def test_both_ways_say_the_same(  # noqa: PLR0917 - fixtures
    repository: Repository,
    known: Path,
    taken: list[Plain],
    monkeypatch: pytest.MonkeyPatch,
    headers: dict[str, str],
    is_short: bool,
) -> None:
    assert known.exists()
    usual = repository.ask("HEAD", FILE).headers
    for name, word in (("etag", "TAG"), ("last-modified", "DATE")):
        headers = {key: value.replace(word, usual[name]) for key, value in headers.items()}
    short = repository.ask("GET", FILE, headers=headers)
    assert len(taken) == is_short
    line = repository.logged(f"GET {FILE}")
    with monkeypatch.context() as patch:
        patch.setattr(Quick, "plain", lambda *_: None)
        assert told(repository.ask("GET", FILE, headers=headers)) == told(short)
    while sum(f"GET {FILE}" in one for one in repository.log) < 2:
        time.sleep(0.01)
    same = [one.rpartition(" ")[0] for one in repository.log if f"GET {FILE}" in one]
    assert same == [line.rpartition(" ")[0]] * 2


@pytest.mark.parametrize(
    "text",
    [
        f"HEAD {FILE} HTTP/1.1\r\nHost: x\r\n\r\n",
        f"GET {FILE} HTTP/1.0\r\nHost: x\r\n\r\n",
        f"GET {FILE}?a HTTP/1.1\r\nHost: x\r\n\r\n",
        f"GET /{FILE} HTTP/1.1\r\nHost: x\r\n\r\n",
        f"GET  {FILE} HTTP/1.1\r\nHost: x\r\n\r\n",
        f"GET {FILE} HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n",
        f"GET {FILE} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
        f"GET {FILE} HTTP/1.1\r\nHost x\r\n\r\n",
        f"GET {FILE} HTTP/1.1\nHost: x\n\r\n",
        f"GET {FILE} HTTP/1.1\r\nHost: x\n\nGET {FILE} HTTP/1.1\r\n\r\n",
        f"GET {FILE} HTTP/1.1\r\nHost: x\r\nRange: bytes=0-0\r\n\r\n" * 2,
        f"GET {FILE} HTTP/1.1\r\nHost: x\r\nX: {'x' * 5000}\r\n\r\n",
    ],
)
def test_what_is_odd_goes_the_long_way(
    repository: Repository, known: Path, taken: list[Plain], text: str
) -> None:
    assert known.exists()
    with connected(repository) as link:
        link.sendall(text.encode())
        assert read(link, 9).startswith(b"HTTP/1.")
    assert not taken


def test_a_filesystem_without_sendfile_is_read_each_time(
    repository: Repository, taken: list[Plain], monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_: object) -> int:
        raise OSError(errno.EINVAL, "Invalid argument")

    path = repository.folder.root / FILE[1:]
    path.parent.mkdir(parents=True)
    path.write_bytes(DATA)
    monkeypatch.setattr(os, "sendfile", none)
    for _ in range(3):
        assert repository.ask("GET", FILE).body == DATA
    assert not taken


def test_where_that_shows_on_the_short_way_the_next_goes_the_long_one(
    repository: Repository, known: Path, taken: list[Plain], monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_: object) -> int:
        raise OSError(errno.EINVAL, "Invalid argument")

    assert known.exists()
    monkeypatch.setattr(os, "sendfile", none)
    with connected(repository) as link:
        link.sendall(asked(FILE))
        with contextlib.suppress(ConnectionResetError):
            while link.recv(1 << 16):
                pass
    assert len(taken) == 1
    assert repository.ask("GET", FILE).body == DATA
    assert len(taken) == 1


def test_answers_come_in_the_order_of_the_requests(
    repository: Repository, known: Path, taken: list[Plain]
) -> None:
    grown(known)
    assert repository.ask("HEAD", FILE).status == 200
    with connected(repository) as link:
        link.sendall(asked(FILE))
        head = read(link, 1000)  # the answer is under way, and its reader stands still
        for first in (1, 2):
            link.sendall(asked(FILE, f"Range: bytes={first}-{first + 8}"))
        link.sendall(asked("/healthz") + asked(FILE, "Range: bytes=3-11")[:20])
        rest = BIG - len(head.partition(b"\r\n\r\n")[2])
        read(link, rest)
        for first in (1, 2):
            assert answer_on(link) == (206, DATA[first : first + 9])
        assert answer_on(link) == (200, b"ok\n")
        link.sendall(asked(FILE, "Range: bytes=3-11")[20:])
        assert answer_on(link) == (206, DATA[3:12])
    assert taken


@pytest.mark.parametrize("size", ["Content-Length: {}", "Transfer-Encoding: chunked"])
def test_a_body_is_never_taken_for_a_request(
    repository: Repository, known: Path, taken: list[Plain], size: str
) -> None:
    """A body that comes after its answer, and looks like a request, must not be answered."""
    assert known.exists()
    inside = asked(FILE, "Range: bytes=0-9")
    with connected(repository) as link:
        link.sendall(asked(FILE, "Range: bytes=0-0"))
        assert answer_on(link) == (206, DATA[:1])
        header = size.format(len(inside))
        link.sendall(f"POST {FILE} HTTP/1.1\r\nHost: x\r\n{header}\r\n\r\n".encode())
        assert answer_on(link)[0] == 405
        link.sendall(
            inside if "Length" in size else b"%x\r\n%s\r\n0\r\n\r\n" % (len(inside), inside)
        )
        link.sendall(asked("/healthz", "Connection: close"))
        said = b""
        with contextlib.suppress(ConnectionResetError):
            while piece := link.recv(1000):
                said += piece
    assert b" 206 " not in said
    assert len(taken) == 1


def test_a_rest_of_a_request_is_never_taken_for_a_request(
    repository: Repository, known: Path, taken: list[Plain], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A half came while another request was answered; its rest looks like a request of a file."""
    assert known.exists()
    (repository.folder.root / "other").write_bytes(b"other")
    asking, answering, half_came = threading.Event(), threading.Event(), threading.Event()
    take, receive = files.OpenFiles.take, Connection.data_received

    def slow(self: files.OpenFiles, path: Path) -> tuple[files.OpenFile, os.stat_result]:
        asking.set()
        assert answering.wait(60)
        return take(self, path)

    def received(self: Connection, data: bytes) -> None:
        receive(self, data)
        if data.endswith(b"X: "):
            half_came.set()

    monkeypatch.setattr(files.OpenFiles, "take", slow)
    monkeypatch.setattr(Connection, "data_received", received)
    with connected(repository) as link:
        link.sendall(asked("/other"))
        assert asking.wait(60)
        link.sendall(b"GET /healthz HTTP/1.1\r\nX: ")
        assert half_came.wait(60)
        answering.set()
        assert answer_on(link) == (200, b"other")
        assert repository.logged("GET /other")  # now it is over for the server as well
        link.sendall(asked(FILE))
        assert answer_on(link) == (200, b"ok\n")
        link.sendall(asked(FILE, "Range: bytes=0-9"))
        assert answer_on(link) == (206, DATA[:10])
    assert not taken


def test_as_many_files_are_kept_as_the_limits_allow_for(
    repository: Repository, taken: list[Plain]
) -> None:
    folder = repository.folder.root / "many"
    folder.mkdir()
    for number in range(40):
        (folder / str(number)).write_bytes(DATA)
        assert repository.ask("HEAD", f"/many/{number}").status == 200
    assert repository.logged("HEAD /many/39")
    opened = [n for n in os.listdir("/proc/self/fd") if _lies_in(n, folder)]  # noqa: PTH208
    assert len(opened) == limits.KEPT_FILES
    some = 256
    allowed = limits.limits_for(some)
    in_use = allowed.connections + allowed.refusals + limits.KEPT_FILES
    assert in_use + 48 + some // 16 <= some
    assert not taken


def test_a_request_that_drips_in_is_one_request(repository: Repository, known: Path) -> None:
    assert known.exists()
    with connected(repository) as link:
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(3):
            for byte in asked(FILE, "Range: bytes=0-9"):
                link.sendall(bytes([byte]))
            assert answer_on(link) == (206, DATA[:10])


def test_the_path_is_asked_again_each_time(
    repository: Repository, known: Path, taken: list[Plain]
) -> None:
    link = repository.folder.root / "oglive" / "current"
    link.symlink_to("v1")
    newer = known.parent.parent / "v2" / known.name
    newer.parent.mkdir()
    newer.write_bytes(DATA[::-1])
    os.utime(newer, ns=(known.stat().st_mtime_ns,) * 2)
    path = "/oglive/current/ogvmlinuz"
    assert [repository.ask("GET", path).body for _ in range(2)] == [DATA, DATA]
    assert len(taken) == 1
    link.unlink()
    link.symlink_to("v2")
    assert repository.ask("GET", path).body == DATA[::-1]
    newer.write_bytes(b"written")
    assert repository.ask("GET", path).body == b"written"
    newer.unlink()
    assert repository.ask("GET", path).status == 404
    assert len(taken) == 1


def test_an_image_that_is_being_exchanged_is_not_shown_here_either(
    repository: Repository, taken: list[Plain]
) -> None:
    (repository.folder.images / "debian.img").write_bytes(DATA)
    assert [repository.ask("GET", "/images/debian.img").status for _ in range(2)] == [200, 200]
    decided = repository.folder.record("publishing", "debian")
    decided.mkdir()
    assert repository.ask("GET", "/images/debian.img").status == 503
    decided.rmdir()
    assert repository.ask("GET", "/images/debian.img").status == 200
    assert len(taken) == 2


def test_a_shortage_is_later_here_as_well(
    repository: Repository, known: Path, taken: list[Plain], monkeypatch: pytest.MonkeyPatch
) -> None:
    def short(*_: object, **__: object) -> os.stat_result:
        raise OSError(12, "Cannot allocate memory")

    assert known.exists()
    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", short)
        patch.setattr(os, "lstat", short)
        assert repository.ask("GET", FILE).status == 503
    assert not taken


def test_who_has_asked_may_close_its_half(
    repository: Repository, known: Path, taken: list[Plain]
) -> None:
    grown(known)
    assert repository.ask("HEAD", FILE).status == 200
    with connected(repository) as link:
        link.sendall(asked(FILE))
        link.shutdown(socket.SHUT_WR)
        assert len(answer_on(link)[1]) == BIG
        assert link.recv(1) == b""
    assert len(taken) == 1


def begun(repository: Repository, known: Path, taken: list[Plain]) -> socket.socket:
    """A reader of a large file that stands still, on the short way."""
    grown(known)
    assert repository.ask("HEAD", FILE).status == 200
    link = socket.create_connection(("127.0.0.1", repository.port), timeout=30)
    link.sendall(asked(FILE))
    assert read(link, 12) == b"HTTP/1.1 200"
    assert len(taken) == 1
    return link


def test_a_reader_that_stands_still_is_cut(
    repository: Repository, known: Path, taken: list[Plain], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_STALL_S", 0.2)
    monkeypatch.setattr(files, "_SLOWEST", 1 << 40)
    with begun(repository, known, taken):
        assert repository.logged(" 200 cut ")
    assert repository.ask("GET", "/healthz").status == 200


def test_a_reader_that_goes_is_forgotten(
    repository: Repository, known: Path, taken: list[Plain]
) -> None:
    begun(repository, known, taken).close()
    assert repository.logged(" 200 cut ")


def test_a_file_that_becomes_shorter_ends_the_answer(
    repository: Repository, known: Path, taken: list[Plain]
) -> None:
    with begun(repository, known, taken) as link:
        os.truncate(known, 1 << 20)
        got = 0
        with contextlib.suppress(ConnectionResetError):
            while piece := link.recv(1 << 20):
                got += len(piece)
        assert got < BIG
    assert repository.logged(" 200 cut ")


def test_an_idle_connection_is_closed(
    serve: Serve, taken: list[Plain], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "_SWEEP_S", 0.05)
    with serve() as repository, connected(repository) as link:
        (repository.folder.root / "kernel").write_bytes(DATA)
        for _ in range(2):
            link.sendall(asked("/kernel", "Range: bytes=0-0"))
            assert answer_on(link) == (206, DATA[:1])
        monkeypatch.setattr(places, "IDLE_S", 0.0)
        assert link.recv(1) == b""
    assert len(taken) == 1


def test_a_removed_file_gives_its_room_back(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quick, "_KEPT_S", 0.05)
    known = repository.folder.root / "kernel"
    known.write_bytes(DATA)
    assert repository.ask("GET", "/kernel").body == DATA
    known.unlink()
    gone = f"{known} (deleted)"
    while any(_leads_to(number, gone) for number in os.listdir("/proc/self/fd")):  # noqa: PTH208
        time.sleep(0.01)
    assert repository.ask("GET", "/kernel").status == 404


def _lies_in(number: str, folder: Path) -> bool:
    try:
        return Path(f"/proc/self/fd/{number}").readlink().parent == folder
    except OSError:
        return False


def _leads_to(number: str, path: str) -> bool:
    try:
        return str(Path(f"/proc/self/fd/{number}").readlink()) == path
    except OSError:
        return False


def test_an_answer_that_has_begun_may_end_when_the_server_stops(
    serve: Serve, taken: list[Plain]
) -> None:
    with serve(farewell_s=60.0) as repository:
        known = repository.folder.root / FILE[1:]
        known.parent.mkdir(parents=True)
        known.write_bytes(DATA)
        with begun(repository, known, taken) as link:
            stopping = threading.Thread(target=repository.stop)
            stopping.start()
            with contextlib.suppress(ConnectionError):
                while True:
                    with connected(repository):
                        time.sleep(0.01)
            assert len(answer_on_rest(link)) == BIG
            stopping.join()
        repository.start()


def answer_on_rest(link: socket.socket) -> bytes:
    """The body of an answer of which the first word was read."""
    got = bytearray()
    while piece := link.recv(1 << 20):
        got += piece
    return bytes(got.partition(b"\r\n\r\n")[2])


def test_stopping_does_not_wait_for_a_reader_that_sleeps(
    repository: Repository, known: Path, taken: list[Plain]
) -> None:
    with begun(repository, known, taken):
        repository.stop()
    repository.start()
