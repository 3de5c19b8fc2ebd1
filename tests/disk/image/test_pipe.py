# SPDX-License-Identifier: GPL-3.0-or-later
"""A partition from one PC to others: whole and proven, or told and not begun."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from oglib.deploy.partition import cloning
from oglib.deploy.partition.cloning import Sent, receive, send
from oglib.deploy.partition.restore import Request
from oglib.errors import OgError, TransferError
from oglib.image.writing.receipt import Receipt
from oglib.settings import Settings
from oglib.transfer.pipe import channel
from oglib.transfer.pipe.channel import Channel, Kind
from oglib.transfer.pipe.secret import key_of, new_code
from quiet import QUIET

SIZE = 48 << 20
HOST = "127.0.0.1"
FIRST = bytes(1 << 20)


def free_port() -> int:
    with socket.create_server((HOST, 0)) as taken:
        return int(taken.getsockname()[1])


@pytest.fixture(scope="module")
def partition(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sent")
    (folder / "files").mkdir()
    (folder / "files/a").write_bytes(os.urandom(20 << 20))
    path = folder / "ext4"
    subprocess.run(
        ["mke2fs", "-q", "-t", "ext4", "-d", folder / "files", path, f"{SIZE >> 10}k"], check=True
    )
    return path


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cloning, "_MEETING_S", 10.0)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as threads:
        yield threads


@pytest.fixture
def target(tmp_path: Path) -> Callable[[str], Path]:
    def make(name: str) -> Path:
        path = tmp_path / name
        path.write_bytes(b"\xa5" * SIZE)
        return path

    return make


def receiving(pool: ThreadPoolExecutor, path: Path, port: int, code: str) -> Future[Receipt]:
    request = Request(str(path), None)
    return pool.submit(receive, request, HOST, port, code, settings=Settings(), progress=QUIET)


def sending(path: Path, ports: list[int], code: str) -> Sent:
    where = [(HOST, port) for port in ports]
    return send(str(path), None, where, code, name="x", settings=Settings(), progress=QUIET)


def same_files(one: Path, other: Path) -> bool:
    said = [
        subprocess.run(["debugfs", "-R", "cat /a", path], capture_output=True, check=True).stdout
        for path in (one, other)
    ]
    return said[0] == said[1]


def test_to_two_pcs_at_once(
    partition: Path, pool: ThreadPoolExecutor, target: Callable[[str], Path]
) -> None:
    code, ports = new_code(), [free_port(), free_port()]
    targets = [target("one"), target("two")]
    theirs = [receiving(pool, *each, code) for each in zip(targets, ports, strict=True)]
    sent = sending(partition, ports, code)
    for receipt, path in zip(theirs, targets, strict=True):
        got = receipt.result(60)
        assert got.verified == "read-back"
        assert got.image == "x"
        assert got.fetched_bytes == sent.image_size_bytes
        assert same_files(path, partition)
        subprocess.run(["e2fsck", "-fn", path], check=True, capture_output=True)
    assert sent.done == (HOST, HOST)
    assert not sent.failed


def test_who_does_not_know_the_code_gets_nothing(
    partition: Path, pool: ThreadPoolExecutor, target: Callable[[str], Path]
) -> None:
    path, port = target("one"), free_port()
    theirs = receiving(pool, path, port, new_code())
    with pytest.raises(TransferError, match=r"came to none .* does not know the code"):
        sending(partition, [port], new_code())
    with pytest.raises(OgError):
        theirs.result(60)
    assert path.read_bytes() == b"\xa5" * SIZE


def test_one_that_fails_is_told_and_the_others_have_it(
    partition: Path, pool: ThreadPoolExecutor, target: Callable[[str], Path], tmp_path: Path
) -> None:
    code, ports = new_code(), [free_port(), free_port()]
    small = tmp_path / "small"
    small.write_bytes(bytes(SIZE // 2))
    fine = receiving(pool, target("one"), ports[0], code)
    wrong = receiving(pool, small, ports[1], code)
    sent = sending(partition, ports, code)
    assert fine.result(60).verified == "read-back"
    with pytest.raises(OgError):
        wrong.result(60)
    assert len(sent.done) == len(sent.failed) == 1
    assert small.read_bytes() == bytes(SIZE // 2)


def test_nobody_listens(partition: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cloning, "_MEETING_S", 0.5)
    with pytest.raises(TransferError, match="does not listen"):
        sending(partition, [free_port()], new_code())


class Between:
    """What stands between two PCs, and changes the byte at ``at`` of what the sender says."""

    def __init__(self, port: int, at: int, *, cut: bool) -> None:
        self._listener = socket.create_server((HOST, 0))
        self.port = int(self._listener.getsockname()[1])
        self._to = port
        self._at = at
        self._cut = cut
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        near, _ = self._listener.accept()
        self._listener.close()
        with near, channel.dialled(HOST, self._to, 10) as far:
            threading.Thread(target=self._pass, args=(far, near), daemon=True).start()
            self._pass(near, far, change=True)

    def _pass(self, source: socket.socket, to: socket.socket, *, change: bool = False) -> None:
        passed = 0
        try:
            while data := source.recv(1 << 16):
                if change and passed <= self._at < passed + len(data):
                    if self._cut:
                        return
                    raw = bytearray(data)
                    raw[self._at - passed] ^= 1
                    data = bytes(raw)
                passed += len(data)
                to.sendall(data)
        except OSError:
            pass
        finally:
            to.close()


@pytest.mark.parametrize(
    ("at", "cut"), [(10, False), (300, False), (10 << 20, False), (10 << 20, True)]
)
def test_what_is_changed_or_cut_on_its_way_never_starts(
    partition: Path, pool: ThreadPoolExecutor, target: Callable[[str], Path], at: int, cut: bool
) -> None:
    code, port, path = new_code(), free_port(), target("one")
    theirs = receiving(pool, path, port, code)
    with pytest.raises(TransferError, match="came to none"):
        sending(partition, [Between(port, at, cut=cut).port], code)
    with pytest.raises(OgError):
        theirs.result(60)
    assert path.read_bytes()[: 1 << 20] in (FIRST, b"\xa5" * (1 << 20))


def test_a_message_out_of_order_is_refused() -> None:
    with socket.create_server((HOST, 0)) as listener:
        ours = socket.create_connection(listener.getsockname())
        theirs, _ = listener.accept()
    key = key_of(new_code())
    sender, receiver = Channel(ours, "receiver"), Channel(theirs, "sender")
    with ThreadPoolExecutor(1) as one:
        meeting = one.submit(sender.meet, key, sender=True)
        receiver.meet(key, sender=False)
        meeting.result(10)
    sender.send(Kind.DATA, b"first")
    sender.send(Kind.DATA, b"second")
    whole = theirs.recv(1 << 16, socket.MSG_PEEK)
    half = len(whole) // 2
    theirs.recv(half)  # the first one is lost
    with pytest.raises(TransferError, match="altered"):
        receiver.hear()


def test_codes() -> None:
    code = new_code()
    assert len(code) == 19
    assert key_of(code) == key_of(code.lower().replace("-", " ")) != key_of(new_code())
    for wrong in ("", "ABCD", code[:-1], code[:-1] + "0", code + "A"):
        with pytest.raises(OgError, match="no code"):
            key_of(wrong)
