# SPDX-License-Identifier: GPL-3.0-or-later
"""Another server's access log: which lines count, and that none is lost or read twice."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ognetboot.errors import NetbootError
from ognetboot.hearing.following import Log, fetched
from ognetboot.hearing.identity import Claim

MAC = "52:54:00:12:34:56"


def line(path: str, status: int = 200, method: str = "GET") -> bytes:
    return (
        f'10.0.0.5 - - [27/Nov/2026:12:00:00 +0000] "{method} {path} HTTP/1.1" {status} 811 '
        '"-" "iPXE/1.21.1"'
    ).encode()


@pytest.mark.parametrize(
    "path",
    [
        "/netboot/ipxe/mac-52-54-00-12-34-56.ipxe",
        "/netboot/grub/01-52:54:00:12:34:56",
        "//netboot/ipxe/mac-52-54-00-12-34-56.ipxe?x=1",
    ],
)
def test_a_pcs_own_file_counts(path: str) -> None:
    assert fetched(line(path)) == Claim(MAC, "", "")


def test_its_file_may_have_its_uuid_as_name() -> None:
    uuid = "11111111-2222-3333-4444-555555555555"
    assert fetched(line(f"/netboot/ipxe/uuid-{uuid}.ipxe")) == Claim("", uuid, "")
    assert fetched(line(f"/netboot/grub/uuid-{uuid}")) == Claim("", uuid, "")


@pytest.mark.parametrize(
    "other",
    [
        line("/netboot/ipxe/mac-52-54-00-12-34-56.ipxe", 404),
        line("/netboot/ipxe/mac-52-54-00-12-34-56.ipxe", method="HEAD"),
        line("/netboot/ipxe/default.ipxe"),
        line("/netboot/x?/netboot/ipxe/mac-52-54-00-12-34-56.ipxe"),
        b'10.0.0.5 - - [x] "GET / HTTP/1.1" 200 1 "-" "GET /netboot/ipxe/mac-52-54-00-12-34-56.ipxe'
        b' HTTP/1.1" 200 1',
        b"",
    ],
)
def test_nothing_else_does(other: bytes) -> None:
    assert fetched(other) is None


@given(st.binary(max_size=300))
def test_no_line_breaks_it(data: bytes) -> None:
    fetched(data)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "access.log"
    path.write_bytes(b"old\n")
    return path


def add(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def test_it_begins_at_the_end_and_waits_for_whole_lines(path: Path) -> None:
    log = Log(path)
    assert list(log.lines()) == []
    add(path, b"one\ntw")
    assert list(log.lines()) == [b"one"]
    add(path, b"o\n")
    assert list(log.lines()) == [b"two"]
    log.close()


def test_a_rotated_log_is_read_to_its_end_and_the_new_one_from_its_beginning(path: Path) -> None:
    log = Log(path)
    add(path, b"one\n")
    path.rename(path.with_suffix(".1"))
    add(path.with_suffix(".1"), b"two\n")
    assert list(log.lines()) == [b"one", b"two"]
    assert list(log.lines()) == []
    add(path, b"three\n")
    assert list(log.lines()) == [b"three"]
    log.close()


def test_a_log_that_is_cut_to_nothing_begins_anew(path: Path) -> None:
    log = Log(path)
    os.truncate(path, 0)
    assert list(log.lines()) == []
    add(path, b"a\n")
    assert list(log.lines()) == [b"a"]
    log.close()


def test_a_line_without_end_is_let_go(path: Path) -> None:
    log = Log(path)
    add(path, b"x" * (3 << 20))
    assert list(log.lines()) == []
    assert len(log._rest) <= 16 << 10
    log.close()


def test_there_must_be_a_log(tmp_path: Path) -> None:
    with pytest.raises(NetbootError, match="there is no log"):
        Log(tmp_path / "none.log")
