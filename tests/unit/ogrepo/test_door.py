# SPDX-License-Identifier: GPL-3.0-or-later
"""One PC cannot stop the others: limits, deadlines, and what is said when there is no place."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import pytest

from oglib.errors import ImageError, OgError
from ogrepo.intake import receive, uploads
from ogrepo.serving import files
from ogrepo.serving.accesslog import BoundedHandler, Seldom
from ogrepo.serving.entry import later, places
from ogrepo.serving.entry.limits import Limits, limits_for
from ogrepo.serving.files import OpenFiles
from unit.ogrepo.conftest import Repository
from unit.ogrepo.sample import make_sample

Serve = Callable[..., AbstractContextManager[Repository]]
ROOMY = Limits(connections=50, per_address=40, waiting_per_address=30, refusals=4)
GET = b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n"
SHORTAGES = [errno.EMFILE, errno.ENFILE, errno.ENOMEM]


def heard(link: socket.socket) -> bytes:
    """All that the server says until it closes."""
    said = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := link.recv(1 << 16):
            said += piece
    return said


def connected(repository: Repository, source: str = "127.0.0.1") -> socket.socket:
    return socket.create_connection(
        ("127.0.0.1", repository.port), timeout=30, source_address=(source, 0)
    )


@contextlib.contextmanager
def readers(repository: Repository, count: int, source: str) -> Iterator[list[socket.socket]]:
    """So many that began to read a large file and then stand still."""
    with (repository.folder.root / "big").open("wb") as file:
        file.truncate(1 << 30)
    with ExitStack() as stack:
        links = [stack.enter_context(connected(repository, source)) for _ in range(count)]
        for link in links:
            link.sendall(GET)
            assert b" 200 " in link.recv(1000)
        yield links


def test_the_limits_follow_from_the_descriptors() -> None:
    few, many = limits_for(1024), limits_for(1 << 20)
    # 700 slow readers of one address leave it some places, and others some more.
    assert few.per_address > 700
    assert few.connections + few.refusals < 1024 - 64
    assert few.waiting_per_address < few.per_address < few.connections
    assert many.connections == 4096
    with pytest.raises(OgError, match="may open 64 files only"):
        limits_for(64)


@pytest.mark.parametrize("begun", [b"", b"GET / HTTP/1.1\r\nHost: "])
def test_a_header_is_due_in_seconds_however_it_drips(
    repository: Repository, monkeypatch: pytest.MonkeyPatch, begun: bytes
) -> None:
    monkeypatch.setattr(later, "HEADER_S", 0.3)
    with connected(repository) as link:
        over = threading.Event()

        def drip() -> None:
            with contextlib.suppress(OSError):
                link.sendall(begun)
                while begun and not over.wait(0.02):
                    link.sendall(b"x")

        dripping = threading.Thread(target=drip)
        dripping.start()
        said = heard(link)
        over.set()
        dripping.join()
    assert said.startswith(b"HTTP/1.1 408 ") == bool(begun)


def test_the_next_header_on_a_connection_is_due_as_well(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(later, "HEADER_S", 0.3)
    with connected(repository) as link:
        link.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b" 200 " in link.recv(1000)
        link.sendall(b"GET /healthz HT")
        assert b" 408 " in heard(link)


def test_who_sends_no_request_takes_no_place_of_others(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(later, "HEADER_S", 600.0)
    limits = Limits(connections=20, per_address=18, waiting_per_address=2, refusals=4)
    with serve(limits=limits) as repository, ExitStack() as stack:
        silent = [stack.enter_context(connected(repository, "127.0.0.2")) for _ in range(30)]
        for late in silent[2:]:
            said = heard(late)
            assert said.startswith(b"HTTP/1.1 503 ")
            assert b"\r\nRetry-After: 1\r\n" in said
        refused = repository.ask("GET", "/healthz", source="127.0.0.2")
        assert (refused.status, refused.headers["retry-after"]) == (503, "1")
        assert repository.ask("GET", "/healthz", source="127.0.0.3").status == 200
        told = [line for line in repository.log if "told to come back" in line]
        assert len(told) == 1, "once a minute, however many were refused"
        for early in silent[:2]:
            early.setblocking(False)
            with pytest.raises(BlockingIOError):
                early.recv(1)


def test_a_trusted_proxy_speaks_for_many(serve: Serve) -> None:
    limits = Limits(connections=20, per_address=4, waiting_per_address=2, refusals=4)
    with serve(limits=limits, trusted=("127.0.0.2/31",)) as repository, ExitStack() as stack:
        for _ in range(10):
            stack.enter_context(connected(repository, "127.0.0.2"))
        assert repository.ask("GET", "/healthz", source="127.0.0.2").status == 200


def test_one_address_cannot_hold_every_place(serve: Serve) -> None:
    limits = Limits(connections=6, per_address=4, waiting_per_address=4, refusals=4)
    with serve(limits=limits) as repository, readers(repository, 4, "127.0.0.2") as links:
        refused = repository.ask("GET", "/healthz", source="127.0.0.2")
        assert (refused.status, refused.headers["retry-after"]) == (503, "1")
        assert repository.ask("GET", "/healthz", source="127.0.0.3").status == 200
        links[0].close()
        while repository.ask("GET", "/healthz", source="127.0.0.2").status == 503:
            time.sleep(0.01)


def test_a_full_server_says_when_to_come_back(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(later, "_LINGER_S", 30.0)
    limits = Limits(connections=3, per_address=3, waiting_per_address=3, refusals=4)
    with serve(limits=limits) as repository, readers(repository, 3, "127.0.0.1") as links:
        body = b'{"name": "debian"}' + bytes(100_000)
        for method in ("GET", "POST"):
            with connected(repository, "127.0.0.9") as link:
                link.sendall(b"%s /api/uploads HTTP/1.1\r\nHost: x\r\n" % method.encode())
                link.sendall(b"Content-Length: %d\r\n\r\n" % len(body) + body)
                assert heard(link).startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
        links[1].close()
        while repository.ask("GET", "/healthz").status == 503:
            time.sleep(0.01)


def test_an_idle_connection_makes_room(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "_JUST_IDLE_S", 0.0)
    limits = Limits(connections=1, per_address=1, waiting_per_address=1, refusals=4)
    with serve(limits=limits) as repository, connected(repository) as idle:
        idle.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b" 200 " in idle.recv(1000)
        while repository.ask("GET", "/healthz", source="127.0.0.3").status == 503:
            time.sleep(0.01)
        assert heard(idle) == b""


class _Short(socket.socket):
    """A listening socket of a process that has no descriptor left for a while."""

    failures = 0

    def accept(self) -> tuple[socket.socket, object]:
        if self.failures:
            self.failures -= 1
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return super().accept()


def short_of(failures: int) -> Callable[[socket.socket], socket.socket]:
    def wrap(sock: socket.socket) -> socket.socket:
        short = _Short(fileno=sock.detach())
        short.failures = failures
        return short

    return wrap


def test_without_a_descriptor_to_accept_with_the_answer_is_later(serve: Serve) -> None:
    with serve(wrap=short_of(1)) as repository:
        refused = repository.ask("GET", "/healthz")
        assert (refused.status, refused.headers["retry-after"]) == (503, "1")
        assert repository.ask("GET", "/healthz").status == 200


def test_failures_to_accept_are_logged_once_a_minute(serve: Serve) -> None:
    with serve(wrap=short_of(100)) as repository:
        while repository.ask("GET", "/healthz").status != 200:
            pass
        assert sum("could not be accepted" in line for line in repository.log) == 1


@pytest.mark.parametrize("number", SHORTAGES)
@pytest.mark.parametrize("where", ["open", "lstat"])
def test_a_shortage_is_no_absence(
    repository: Repository, monkeypatch: pytest.MonkeyPatch, number: int, where: str
) -> None:
    (repository.folder.root / "kernel").write_bytes(b"kernel")
    real = getattr(os, where)

    def short(path: object, *more: object, **named: object) -> object:
        if str(path).endswith("/kernel"):
            raise OSError(number, os.strerror(number))
        return real(path, *more, **named)

    with monkeypatch.context() as patch:
        patch.setattr(os, where, short)
        answer = repository.ask("GET", "/kernel")
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert repository.ask("GET", "/kernel").body == b"kernel"


@pytest.mark.parametrize("number", SHORTAGES)
@pytest.mark.parametrize("where", ["manifest", "folder"])
def test_a_shortage_hides_no_image(
    repository: Repository,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    number: int,
    where: str,
) -> None:
    repository.upload(make_sample("debian"), tmp_path)

    def short(*_: object, **__: object) -> object:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        if where == "manifest":
            patch.setattr(os, "open", short)
        else:
            patch.setattr(os, "scandir", short)
        assert repository.ask("GET", "/images/?format=json").status == 503
    assert '"name": "debian"' in repository.ask("GET", "/images/?format=json").body.decode()


def test_a_shortage_damages_no_upload(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    sample = make_sample("debian")
    told = {"authorization": f"Bearer {repository.token('debian')}"}
    opened = repository.ask("POST", "/api/uploads", b'{"name": "debian"}', headers=told).json()
    path = f"/api/uploads/{opened['upload']}"
    for kind, body in (
        ("image", sample.image), ("frames", sample.frames), ("manifest", sample.manifest.to_bytes())
    ):  # fmt: skip
        assert repository.ask("PUT", f"{path}/{kind}", body, headers=told).status == 200

    def short(*_: object) -> None:
        try:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        except OSError as error:
            raise ImageError("The image cannot be read.") from error

    with monkeypatch.context() as patch:
        patch.setattr(uploads, "prove", short)
        assert repository.ask("POST", f"{path}/commit", headers=told).status == 503
    assert repository.ask("POST", f"{path}/commit", headers=told).status == 200


def test_a_reader_that_stands_still_is_cut(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_STALL_S", 0.2)
    monkeypatch.setattr(files, "_SLOWEST", 1 << 40)
    with readers(repository, 1, "127.0.0.1"):
        while not any("/big - 200 cut" in line for line in repository.log):
            time.sleep(0.01)
    assert repository.ask("GET", "/healthz").status == 200


def test_a_body_that_drips_is_refused(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receive, "PATIENCE_S", 0.3)
    monkeypatch.setattr(receive, "SMALL_BODY_S", 0.3)
    token = repository.token("debian")
    told = {"authorization": f"Bearer {token}"}
    opened = repository.ask("POST", "/api/uploads", b'{"name": "debian"}', headers=told).json()
    upload = f"/api/uploads/{opened['upload']}"
    for target in (f"PUT {upload}/image", f"POST {upload}/room", "POST /api/uploads"):
        with connected(repository) as link:
            link.sendall(
                f"{target} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
                "Content-Length: 60000\r\n\r\n".encode()
            )
            link.setblocking(False)
            said = b""
            while not said:
                with contextlib.suppress(BlockingIOError):
                    said = link.recv(1000)
                with contextlib.suppress(OSError):
                    link.send(b"x")
                time.sleep(0.01)
            assert said.startswith(b"HTTP/1.1 408 ")


def test_a_file_that_becomes_shorter_ends_the_answer(repository: Repository) -> None:
    with readers(repository, 1, "127.0.0.1") as (link,):
        os.truncate(repository.folder.root / "big", 1 << 20)
        assert len(heard(link)) < 1 << 30


SECRET = b"Bearer-0123456789"


@pytest.mark.parametrize(
    "request_text",
    [
        b"GET / HTTP/1.1\r\nAuthorization: " + SECRET + b"\0\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + SECRET + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nAuthorization: " + SECRET * 1000 + b"\r\n\r\n",
        SECRET + b" / HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + SECRET + b"\r\n\r\n",
        b"POST /api/uploads HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
        b"Authorization: Bearer TOKEN\r\n\r\n" + SECRET + b"\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n" + SECRET,
    ],
)
def test_what_is_no_http_costs_one_line_without_its_text(
    repository: Repository, caplog: pytest.LogCaptureFixture, request_text: bytes
) -> None:
    caplog.set_level(logging.INFO)
    request_text = request_text.replace(b"TOKEN", repository.token("debian").encode())
    with connected(repository) as link:
        link.sendall(request_text)
        said = heard(link)
    assert said.startswith((b"HTTP/1.1 400 ", b"HTTP/1.0 400 "))
    repository.stop()
    lines = [record.getMessage() for record in caplog.records if record.name != "asyncio"]
    assert len(lines) == 1
    assert " 400 " in lines[0]
    for text in (*lines, caplog.text, said.decode()):
        assert SECRET.decode() not in text
        assert "Traceback" not in text
    repository.start()


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_many_readers_of_a_file_hold_one_descriptor(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"first")
    opened = OpenFiles()
    before = descriptors()
    with ExitStack() as stack:
        for _ in range(20):
            file, status = opened.take(path)
            stack.callback(opened.give_back, file)
            assert status.st_size == 5
        assert descriptors() == before + 1
        (tmp_path / "new").write_bytes(b"second")
        (tmp_path / "new").replace(path)
        newer, status = opened.take(path)
        stack.callback(opened.give_back, newer)
        assert (newer is file, status.st_size) == (False, 6)
        assert os.pread(file.fileno(), 10, 0) == b"first"
    assert descriptors() == before
    path.unlink()
    path.symlink_to("/etc/passwd")
    with pytest.raises(OSError, match="symbolic links"):
        opened.take(path)


def test_the_log_grows_by_a_bounded_rate(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    handler = BoundedHandler()

    def say(level: int, text: str) -> None:
        handler.handle(logging.LogRecord("ogrepo", level, "", 0, text, None, None))

    for _ in range(100_000):
        say(logging.INFO, "GET / " + "x" * 94)
    say(logging.WARNING, "something went wrong")
    clock[0] = 3.0
    say(logging.INFO, "later")
    text = capsys.readouterr().err
    assert len(text) < 300_000
    assert "something went wrong\n" in text
    assert f"{100_000 - (256 << 10) // 101} lines are left out here.\nlater\n" in text


def test_what_is_said_seldom_is_counted(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    seldom = Seldom()
    for _ in range(5):
        seldom.warn("Full.")
    clock[0] += 61
    seldom.warn("Full.")
    assert caplog.messages == ["Full.", "Full. (5 times since it was last said here)"]
