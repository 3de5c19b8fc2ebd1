# SPDX-License-Identifier: GPL-3.0-or-later
"""Bytes of one digest from several places: dead, slow, behind, lying, and all of them gone."""

from __future__ import annotations

import os
import random
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from oglib.connection import Connection
from oglib.errors import ImageError, OgErr, TransferError
from oglib.kernel.far import FarFile, within
from oglib.transfer.http import Got
from oglib.transfer.places.place import File, Place, Web, mirrored
from oglib.transfer.places.readers import Reader, hurried
from oglib.transfer.places.source import PlacesSource
from oglib.transfer.places.standing import Standing, Standings
from oglib.transfer.places.whole import bring
from unit.transfer.conftest import Asked, BareServer, Reply, send, send_range
from unit.transfer.holding import Holder, by_digest, wanted

DATA = random.Random(1).randbytes(300_000)
WANTED = wanted(DATA)
PATH = f"/bytes/{WANTED.digest}"
OTHER = bytes(byte ^ 1 for byte in DATA)
HASTY = Connection(stall_s=1.0, deadline_s=0.6)
Serve = Callable[[Reply], BareServer]


def good() -> Holder:
    return Holder(by_digest(DATA))


def lying() -> Holder:
    return Holder(by_digest(DATA), spoil=lambda _path, _data: OTHER)


def source(*places: Place, connection: Connection = HASTY) -> closing[PlacesSource]:
    return closing(PlacesSource(WANTED, places, where="here", connection=connection))


def nobody() -> Web:
    """An address at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return Web(f"http://127.0.0.1:{taken.getsockname()[1]}")


# ---- who is asked --------------------------------------------------------------------------------


def test_the_first_place_that_has_them_gives_all(serve: Serve) -> None:
    first, second = good(), good()
    ones, others = serve(first.reply), serve(second.reply)
    with source(Web(ones.base), Web(others.base)) as opened:
        assert opened.read(5, 1000) == DATA[5:1005]
        assert opened.read(0, len(DATA)) == DATA
        assert opened.came_from == ((ones.base, 1000 + len(DATA)),)
        assert not opened.said
    assert not others.asked
    assert all("if-match" not in asked.headers for asked in ones.asked)


def test_a_server_without_digests_is_asked_by_the_name(serve: Serve) -> None:
    old = Holder({"/images/x.img": DATA})
    server = serve(old.reply)
    with source(Web(server.base, f"{server.base}/images/x.img")) as opened:
        for at in (0, 1000, 2000):
            assert opened.read(at, 100) == DATA[at : at + 100]
    assert [asked.target for asked in server.asked].count(PATH) == 1
    assert all(asked.headers["if-match"] for asked in server.asked[2:])


def test_what_was_there_by_its_digest_is_never_taken_by_its_name(serve: Serve) -> None:
    """The name may be another version's by now."""
    holder = Holder(by_digest(DATA) | {"/images/x.img": OTHER})
    server = serve(holder.reply)
    with source(Web(server.base, f"{server.base}/images/x.img")) as opened:
        assert opened.read(0, 10) == DATA[:10]
        del holder.files[PATH]
        with pytest.raises(TransferError, match="404"):
            opened.read(0, 10)
    assert {asked.target for asked in server.asked} == {PATH}


def test_mirrors_are_addresses_and_folders() -> None:
    assert mirrored(("http://m:81/x/", "/srv/share"), "ab") == (
        Web("http://m:81/x"),
        File(Path("/srv/share/bytes/ab"), far=True),
    )


# ---- what is wrong with a place ------------------------------------------------------------------


def refuses(_asked: Asked, peer: socket.socket) -> bool:
    send(peer, "403 Forbidden")
    return True


def busy(_asked: Asked, peer: socket.socket) -> bool:
    send(peer, "503 Service Unavailable")
    return True


def a_page(_asked: Asked, peer: socket.socket) -> bool:
    send(peer, "200 OK", b"<!DOCTYPE html>Log in", content_type="text/html")
    return True


def nonsense(_asked: Asked, peer: socket.socket) -> bool:
    peer.sendall(b"I am no web server\n\n")
    return False


def another_range(asked: Asked, peer: socket.socket) -> bool:
    first, stop = asked.range
    send(peer, "206 Partial Content", DATA[: stop - first], content_range="bytes 7-8/300000")
    return True


def of_another_size(asked: Asked, peer: socket.socket) -> bool:
    send_range(peer, asked, DATA + b"x")
    return True


def behind(_asked: Asked, peer: socket.socket) -> bool:
    send(peer, "404 Not Found")
    return True


FAULTS = {
    one.__name__: one
    for one in (refuses, busy, a_page, nonsense, another_range, of_another_size, behind)
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_place_that_is_of_no_use_is_left_at_once(serve: Serve, name: str) -> None:
    bad, fine = serve(FAULTS[name]), serve(good().reply)
    with source(Web(bad.base), Web(fine.base)) as opened:
        told: list[str] = []
        opened.listen(told.append)
        assert opened.read(0, 1000) == DATA[:1000]
        asked = len(bad.asked)
        assert opened.read(1000, 1000) == DATA[1000:2000]
        assert len(bad.asked) == asked
        assert len(told) == 1
        assert told[0].startswith(f"{bad.base} is asked no more for now: ")
        assert opened.came_from == ((fine.base, 2000),)


@pytest.mark.parametrize("name", FAULTS)
def test_a_place_that_goes_bad_in_the_middle_is_left(serve: Serve, name: str) -> None:
    holder = good()
    bad, fine = serve(holder.reply), serve(good().reply)
    with source(Web(bad.base), Web(fine.base)) as opened:
        assert opened.read(0, 1000) == DATA[:1000]
        holder.fault = FAULTS[name]
        assert opened.read(1000, 1000) == DATA[1000:2000]
        assert dict(opened.came_from) == {bad.base: 1000, fine.base: 1000}


def test_a_dead_first_place_is_tried_once_for_all_threads(serve: Serve) -> None:
    silent = serve(lambda _asked, _peer: silent.released.wait(60) and False)
    fine = serve(good().reply)
    with (
        source(Web(silent.base), nobody(), Web(fine.base)) as opened,
        ThreadPoolExecutor(8) as pool,
    ):
        parts = list(pool.map(lambda at: opened.read(at, 1000), range(0, 300_000, 1000)))
        assert b"".join(parts) == DATA
        assert len(opened.said) == 2
    assert silent.connections <= 2  # one for each attempt within the patience


def test_the_rest_of_a_range_comes_from_the_next(serve: Serve) -> None:
    """No byte is sent twice, however a place ends."""

    def stops(asked: Asked, peer: socket.socket) -> bool | None:
        first, stop = asked.range
        if stop - first == 1:
            return None
        if first == 1000:
            send_range(peer, asked, DATA, cut=40_000)
        bad.released.wait(60)
        return False

    bad = serve(Holder(by_digest(DATA), fault=stops).reply)
    fine = serve(good().reply)
    with source(Web(bad.base), Web(fine.base)) as opened:
        assert opened.read(1000, 200_000) == DATA[1000:201_000]
        assert dict(opened.came_from) == {bad.base: 40_000, fine.base: 160_000}
    assert fine.asked[-1].range == (41_000, 201_000)


def test_only_the_last_place_gets_all_the_patience() -> None:
    usual = Connection()
    short = hurried(usual)
    assert (short.stall_s, short.deadline_s) == (3.0, 3.0)
    assert short.slowest_rate > usual.slowest_rate
    assert hurried(HASTY).stall_s == HASTY.stall_s

    class Asks:
        def __init__(self, fails: bool) -> None:
            self.patience: list[bool] = []
            self._fails = fails

        def read_into(self, got: Got, offset: int, length: int, *, patient: bool) -> None:
            self.patience.append(patient)
            if self._fails:
                raise TransferError("gone.")
            got.add(DATA[offset + got.have : offset + length])

        def close(self) -> None:
            pass

    readers = [Asks(True), Asks(True), Asks(False)]
    given: dict[str, Reader] = dict(zip("abc", readers, strict=True))
    opened = PlacesSource(WANTED, [Web("http://a")], where="here")
    opened._standings = Standings([Standing(name, one) for name, one in given.items()])
    assert opened.read(0, 10) == DATA[:10]
    assert [one.patience for one in readers] == [[False], [False], [True]]
    assert opened.read(0, 10) == DATA[:10]
    assert [one.patience for one in readers] == [[False], [False], [True, True]]


def test_when_all_are_gone_each_is_named_with_its_cause(serve: Serve) -> None:
    away, full = serve(behind), nobody()
    with source(Web(away.base), full, File(Path("/nowhere/x"))) as opened:
        with pytest.raises(TransferError) as caught:
            opened.read(0, 10)
        said = str(caught.value)
        for words in ("None of the 3 places", away.base, "404", full.base, "refused", "/nowhere/x"):
            assert words in said
        with pytest.raises(TransferError):  # and it is tried once more
            opened.read(0, 10)


def test_the_only_place_tells_its_error_itself(serve: Serve) -> None:
    server = serve(behind)
    with source(Web(server.base)) as opened, pytest.raises(TransferError) as caught:
        opened.read(0, 10)
    assert caught.value.code == OgErr.NOTFOUND
    assert "places" not in caught.value.message


# ---- lies ----------------------------------------------------------------------------------------


def test_a_liar_is_asked_no_more(serve: Serve) -> None:
    bad, fine = serve(lying().reply), serve(good().reply)
    with source(Web(bad.base), Web(fine.base)) as opened:
        assert opened.read(0, 1000) == OTHER[:1000]
        assert opened.wrong(100, 50)
        assert opened.read(0, 1000) == DATA[:1000]
        line = opened.said[0]
        assert line.startswith(f"{bad.base} is asked no more for now: it gave wrong bytes at 100")


def test_when_all_lie_each_is_named(serve: Serve) -> None:
    ones, others = serve(lying().reply), serve(lying().reply)
    with source(Web(ones.base), Web(others.base)) as opened:
        opened.read(0, 10)
        assert opened.wrong(0, 10)
        opened.read(0, 10)
        with pytest.raises(TransferError, match="None of the 2 places") as caught:
            opened.wrong(0, 10)
        assert caught.value.message.count("gave wrong bytes") == 2
        with pytest.raises(TransferError, match="None of the 2 places"):
            opened.read(0, 10)
    with source(Web(ones.base)) as opened:
        opened.read(0, 10)
        assert not opened.wrong(0, 10)  # whoever judged it says so


def test_several_threads_find_the_same_lie(serve: Serve) -> None:
    bad, fine = serve(lying().reply), serve(good().reply)
    with source(Web(bad.base), Web(fine.base)) as opened:
        for at in (0, 1000, 2000):
            opened.read(at, 1000)
        assert all(opened.wrong(at, 1000) for at in (0, 1000, 2000))
        assert len(opened.said) == 1


def test_nobody_is_blamed_for_what_two_have_given(serve: Serve) -> None:
    def stops(asked: Asked, peer: socket.socket) -> bool | None:
        first, stop = asked.range
        if stop - first == 1:
            return None
        if not first:
            send_range(peer, asked, OTHER, cut=500)
        return False

    bad = serve(Holder(by_digest(DATA), fault=stops).reply)
    fine = serve(good().reply)
    with source(Web(bad.base), Web(fine.base)) as opened:
        mixed = opened.read(0, 20_000)
        assert mixed != DATA[:20_000]
        assert opened.wrong(0, 20_000)
        assert opened.read(0, 20_000) == DATA[:20_000]
        assert opened.wrong(0, 20_000)  # it gave them alone now, and the first one is still there


def test_a_whole_file_is_proven_and_shown_only_then(serve: Serve, tmp_path: Path) -> None:
    bad, fine = serve(lying().reply), serve(good().reply)
    came: list[int] = []
    said = bring(
        WANTED,
        [Web(bad.base), Web(fine.base)],
        tmp_path / "x",
        where="here",
        connection=HASTY,
        on_bytes=came.append,
    )
    assert (tmp_path / "x").read_bytes() == DATA
    assert len(said) == 1
    assert sum(came) == 2 * len(DATA)
    with pytest.raises(ImageError, match="is not what its manifest names"):
        bring(WANTED, [Web(bad.base)], tmp_path / "y", where="here", connection=HASTY)
    assert [one.name for one in tmp_path.iterdir()] == ["x"]


# ---- rests ---------------------------------------------------------------------------------------


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class NoReader:
    def read_into(self, got: Got, offset: int, length: int, *, patient: bool) -> None: ...

    def close(self) -> None: ...


def standings(*names: str) -> tuple[Standings, Clock]:
    clock = Clock()
    places = [Standing(name, NoReader()) for name in names]
    return Standings(places, clock=clock, dice=lambda: 1.0), clock


def asked(all_of_them: Standings, *tried: Standing) -> tuple[str, bool]:
    chosen = all_of_them.next(tried)
    assert chosen is not None
    return chosen[0].name, chosen[1]


def test_a_place_that_failed_is_asked_again_after_a_rest() -> None:
    both, clock = standings("near", "far")
    near = both.places[0]
    for rest in (60, 120, 240, 480, 960, 960):
        assert asked(both) == ("near", False)
        both.failed(near, TransferError("gone."), near.failures)
        clock.now += rest - 1
        assert asked(both) == ("far", True)
        clock.now += 1


def test_who_rests_is_asked_where_nobody_else_is_left() -> None:
    both, clock = standings("near", "far")
    near, other = both.places
    both.failed(near, TransferError("gone."), 0)
    clock.now += 5
    both.failed(other, TransferError("gone."), 0)
    assert asked(both) == ("near", True)
    assert asked(both, near) == ("far", True)
    assert both.next([near, other]) is None


def test_one_failure_that_several_threads_meet_is_one() -> None:
    both, _ = standings("near", "far")
    near = both.places[0]
    for _ in range(5):
        both.failed(near, TransferError("gone."), 0)
    assert near.failures == 1
    assert len(both.lines) == 1


def test_a_place_with_a_queue_is_passed_over_until_it_is_worth_asking() -> None:
    both, clock = standings("near", "far")
    near = both.places[0]
    for _ in range(2):
        both.full(near, TransferError("3 PCs wait before this one."), 0, 3.0)
        assert asked(both) == ("far", True)
        clock.now += 3
        assert asked(both) == ("near", False)
    assert near.failures == 0
    assert len(both.lines) == 1


def test_the_queue_of_the_nearest_is_waited_for_where_nobody_else_is(serve: Serve) -> None:
    def full(_asked: Asked, peer: socket.socket) -> bool:
        body = b'{"error": {"code": 23, "message": "Full."}, "queue": {"before": 2}}'
        send(peer, "503 Busy", body, content_type="application/json", retry_after="3")
        return True

    near, other = serve(full), serve(good().reply)
    with source(Web(near.base), Web(other.base)) as opened:
        assert opened.read(0, 10) == DATA[:10]
        assert "2 PCs wait before this one" in opened.said[0]
    assert len(near.asked) == 1


# ---- files ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_far", [False, True])
def test_a_file_is_a_place(tmp_path: Path, is_far: bool) -> None:
    path = tmp_path / "x"
    path.write_bytes(DATA)
    with source(File(path, far=is_far), nobody()) as opened:
        assert opened.files == (path,)
        assert opened.read(10, 290_000) == DATA[10:290_010]
        assert opened.came_from == ((str(path), 290_000),)


@pytest.mark.parametrize("is_far", [False, True])
def test_a_file_that_is_another_or_is_cut_is_left(
    serve: Serve, tmp_path: Path, is_far: bool
) -> None:
    path, fine = tmp_path / "x", serve(good().reply)
    os.mkfifo(tmp_path / "fifo")
    for wrong in (tmp_path / "none", tmp_path, tmp_path / "fifo", path):
        path.write_bytes(DATA[:-1])
        with source(File(wrong, far=is_far), Web(fine.base)) as opened:
            assert opened.read(0, 1000) == DATA[:1000]
            assert len(opened.said) == 1
    path.write_bytes(DATA)
    with source(File(path, far=is_far), Web(fine.base)) as opened:
        assert opened.read(0, 1000) == DATA[:1000]
        os.truncate(path, 50_000)
        assert opened.read(0, 100_000) == DATA[:100_000]
        assert dict(opened.came_from) == {str(path): 51_000, fine.base: 50_000}


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Reads of a share hang from byte 1000 on, until it is set; nobody waits for that."""
    back = threading.Event()
    read = os.pread

    def pread(fd: int, count: int, at: int) -> bytes:
        if at >= 1000:
            back.wait(60)
        return read(fd, count, at)

    monkeypatch.setattr(os, "pread", pread)
    return back


def test_a_share_that_hangs_is_left(serve: Serve, tmp_path: Path, hanging: threading.Event) -> None:
    path, fine = tmp_path / "x", serve(good().reply)
    path.write_bytes(DATA)
    with source(File(path, far=True), Web(fine.base)) as opened:
        assert opened.read(0, 1000) == DATA[:1000]
        assert opened.read(1000, 1000) == DATA[1000:2000]
        assert "nothing came for 1 s" in opened.said[0]
    with (
        closing(FarFile(path, stall_s=0.1)) as alone,
        pytest.raises(TransferError, match="nothing came"),
    ):
        list(alone.pieces(1000, 1010))
    hanging.set()


def test_looking_for_a_file_of_a_share_has_an_end() -> None:
    back = threading.Event()
    with pytest.raises(TransferError, match="share cannot be read: nothing came"):
        within("The share", 0.1, lambda: back.wait(60))
    back.set()
    assert within("The share", 60, lambda: 5) == 5
    with pytest.raises(ZeroDivisionError):
        within("The share", 60, lambda: 1 // 0)


# ---- the end -------------------------------------------------------------------------------------


def test_reads_fail_at_once_when_it_is_closed(serve: Serve) -> None:
    begun = threading.Event()

    def waits(_asked: Asked, _peer: socket.socket) -> bool:
        begun.set()
        silent.released.wait(60)
        return False

    silent, fine = serve(waits), serve(good().reply)
    patient = Connection(stall_s=60, deadline_s=60)
    with (
        closing(PlacesSource(WANTED, [Web(silent.base)], where="here", connection=patient)) as one,
        ThreadPoolExecutor(1) as pool,
    ):
        reading = pool.submit(one.read, 0, 10)
        assert begun.wait(60)
        one.close()
        with pytest.raises(TransferError, match="closed"):
            reading.result(60)
    assert not fine.asked


def test_refuses_to_read_past_the_end_without_asking(serve: Serve) -> None:
    server = serve(good().reply)
    with source(Web(server.base)) as opened:
        for first, length in ((0, 300_001), (300_000, 1), (-1, 1), (0, -1)):
            with pytest.raises(TransferError, match="ends at byte 300000"):
                opened.read(first, length)
    assert not server.asked
