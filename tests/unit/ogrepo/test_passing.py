# SPDX-License-Identifier: GPL-3.0-or-later
"""What PCs report is handed on to the program that hears them, and to nobody else."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ogrepo.serving import passing
from unit.ogrepo.conftest import Repository


@contextmanager
def behind(answer: bytes) -> Iterator[tuple[int, list[bytes]]]:
    """A program behind that says this to one who asks; what it was asked."""
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as door:

        def run() -> None:
            with door.accept()[0] as guest:
                asked.append(guest.recv(1 << 16))
                guest.sendall(answer)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield door.getsockname()[1], asked
        thread.join(30)


def test_question_and_answer_pass(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    said = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n#!ipxe\n"
    with behind(said) as (port, asked):
        monkeypatch.setattr(passing, "PORT", port)
        path = "/netboot/do/unlock.ipxe?mac=52-54-00-00-00-01&password=a%20b%2F"
        answer = repository.ask("GET", path)
    assert (answer.status, answer.body) == (200, b"#!ipxe\n")
    assert asked[0].startswith(f"GET {path} HTTP/1.1\r\n".encode())
    assert b"\r\nX-Real-IP: 127.0.0.1\r\n" in asked[0]
    assert "password" not in repository.logged("/netboot/do/unlock.ipxe")


def test_a_form_passes_and_an_empty_answer_too(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    with behind(b"HTTP/1.1 204 No Content\r\n\r\n") as (port, asked):
        monkeypatch.setattr(passing, "PORT", port)
        answer = repository.ask("POST", "/netboot/do/reached", b"mac=1")
    assert (answer.status, answer.body) == (204, b"")
    assert asked[0].endswith(b"\r\n\r\nmac=1")


@pytest.mark.parametrize("said", [b"", b"nonsense", b"SSH-2.0-x\r\n\r\n", b"HTTP/1.1 200 OK\r\n"])
def test_nobody_behind_is_said(
    repository: Repository, monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    with behind(said) as (port, _):
        monkeypatch.setattr(passing, "PORT", port)
        assert repository.ask("GET", "/netboot/do/reached?mac=1").status == 503
    # And now nobody listens there at all.
    assert repository.ask("GET", "/netboot/do/reached?mac=1").status == 503


def test_a_long_form_is_refused_and_other_paths_are_files(repository: Repository) -> None:
    assert repository.ask("POST", "/netboot/do/reached", b"x" * 10_000).status == 413
    assert repository.ask("GET", "/netboot/do/a/b").status == 404
    assert repository.ask("GET", "/netboot/do/").status == 404
