# SPDX-License-Identifier: GPL-3.0-or-later
"""An image from several places: restored right whoever lies, dies or is behind, and told."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from oglib.connection import Connection
from oglib.deploy.opening.opened import opened
from oglib.errors import OgErr, OgError
from oglib.image.format.signing import generate_keypair
from oglib.image.proving.verify import verify
from oglib.image.reading.opened import OpenImage
from oglib.image.writing import restore as restoring
from oglib.image.writing.receipt import Receipt
from oglib.image.writing.restore import restore
from oglib.progress import Event, Progress, Silent
from oglib.settings import Settings
from unit.image.synthetic import Partition, blank, make_image, partition, sign_image
from unit.transfer.conftest import Asked, BareServer, Reply, send_range, serve
from unit.transfer.holding import Holder, published

__all__ = ["serve"]

Serve = Callable[[Reply], BareServer]
PARTITION = partition(mib=60)
HASTY = Connection(deadline_s=1.5)  # for those in which a server is gone


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[int, dict[str, bytes]]:
    """Two versions of an image, signed, as a repository shows each; 0: the public key."""
    folder = tmp_path_factory.mktemp("made")
    key, public = generate_keypair()
    files: dict[int, dict[str, bytes]] = {0: {"": public.to_line().encode()}}
    for version, content in ((1, PARTITION), (2, partition(2, mib=5))):
        path = make_image(content, folder)
        sign_image(path, key, version)
        files[version] = published(path, "x")
    return files


class Room:
    """A repository, its mirrors and what a PC was told of them."""

    def __init__(self, made: dict[int, dict[str, bytes]], serve: Serve, folder: Path) -> None:
        self.serve = serve
        self.folder = folder
        self.files = made
        (folder / "keys").mkdir()
        (folder / "keys/x.pub").write_bytes(made[0][""])
        self.repository = Holder(dict(made[1]))
        self.server = serve(self.repository.reply)
        self.mirrors: list[Holder] = []
        self.settings = Settings(
            repository=self.server.base.removeprefix("http://"),
            keys_dir=folder / "keys",
        )
        self.told: list[str] = []
        self.progress = Progress(Silent(), self._hear)

    def _hear(self, event: Event) -> None:
        if event.kind == "note":
            self.told.append(event.text)

    @property
    def image(self) -> bytes:
        return self.files[1]["/images/x.img"]

    def hasten(self) -> None:
        self.settings = replace(self.settings, connection=HASTY)

    def mirror(self, holder: Holder | None = None) -> Holder:
        """One more mirror, the last of them."""
        held = {path: data for path, data in self.files[1].items() if path.startswith("/bytes/")}
        holder = holder or Holder(held)
        if not holder.files:
            holder.files = held
        server = self.serve(holder.reply)
        self.mirrors.append(holder)
        self.settings = replace(self.settings, mirrors=(*self.settings.mirrors, server.base))
        return holder

    def restore(self, content: Partition = PARTITION, **more: int) -> Receipt:
        target = self.folder / "target"
        if not target.exists():
            blank(target, content.device_size)
        with opened("x", self.settings) as image:
            receipt = restore(image, target, progress=self.progress, **more)  # type: ignore[arg-type]
        assert content.same_as(target)
        return receipt


@pytest.fixture
def room(made: dict[int, dict[str, bytes]], serve: Serve, tmp_path: Path) -> Room:
    return Room(made, serve, tmp_path)


def of_image(path: str) -> bool:
    """Whether this is the image's own file, in a mirror or by its name; its table is short."""
    return path.endswith(".img") or path.startswith("/bytes/")


def test_bytes_come_from_the_mirror_and_the_manifest_does_not(room: Room) -> None:
    mirror = room.mirror()
    receipt = room.restore()
    base = room.settings.mirrors[0]
    assert [where for where, _ in receipt.came_from] == [base]
    assert receipt.as_dict()["came_from"] == dict(receipt.came_from)
    assert receipt.warnings == ()
    assert all(path.startswith("/bytes/") for path in mirror.sent)
    assert room.repository.sent.keys() == {"/images/x.img.json", "/images/x.img.json.sig"}


def test_an_older_repository_is_read_by_names(room: Room) -> None:
    for path in [path for path in room.repository.files if path.startswith("/bytes/")]:
        del room.repository.files[path]
    receipt = room.restore()
    assert receipt.warnings == ()
    assert receipt.source == f"{room.server.base}/images/x.img"


def test_an_address_is_read_by_digest_too_but_not_from_mirrors_of_another(room: Room) -> None:
    mirror = room.mirror()
    away = replace(room.settings, repository="elsewhere.example")
    with opened(f"{room.server.base}/images/x.img", away) as image:
        assert isinstance(image, OpenImage)
        image.source.read(0, 100)
    assert not mirror.sent
    assert sum(path.startswith("/bytes/") for path in room.repository.sent) == 2


@pytest.mark.parametrize("at", ["first", "middle", "end", "everywhere"])
def test_a_mirror_that_lies_changes_nothing_but_is_told(room: Room, at: str) -> None:
    size = len(room.image)
    wrong = {"first": 100, "middle": size // 2, "end": size - 5, "everywhere": -1}[at]

    right, liar = room.image, room.mirror()
    lie = right[:wrong] + bytes([right[wrong] ^ 1]) + right[wrong + 1 :]
    for path in liar.files:
        if len(liar.files[path]) == size:
            liar.files[path] = lie if wrong >= 0 else right[::-1]
    receipt = room.restore()
    assert len(receipt.warnings) == 1
    assert "gave wrong bytes" in receipt.warnings[0]
    assert receipt.warnings == tuple(room.told)
    assert receipt.came_from[-1][0] == room.server.base


def test_a_mirror_that_lies_about_the_frame_table(room: Room) -> None:
    size = len(room.image)
    room.mirror(Holder({}, spoil=lambda _, data: data if len(data) == size else bytes(len(data))))
    receipt = room.restore()
    assert len(receipt.warnings) == 1
    # it is asked for the image all the same: one place's table is not another's frames
    assert len(receipt.came_from) == 1


def test_every_place_lies(room: Room) -> None:
    size = len(room.image)

    def spoil(_path: str, data: bytes) -> bytes:
        return data if len(data) != size else data[: size // 2] + bytes(size - size // 2)

    room.mirror(Holder({}, spoil=spoil))
    room.repository.spoil = spoil
    with pytest.raises(OgError, match=r"None of the 2 places .* gives it") as caught:
        room.restore()
    assert caught.value.message.count("gave wrong bytes") == 2
    assert caught.value.code == OgErr.IMAGE


def test_verify_and_compare_pass_over_a_liar(room: Room) -> None:
    size = len(room.image)

    def spoil(_path: str, data: bytes) -> bytes:
        return data if len(data) != size else data[: size // 2] + bytes(size - size // 2)

    room.mirror(Holder({}, spoil=spoil))
    with opened("x", room.settings) as image:
        assert verify(image, progress=room.progress).frames
    assert len(room.told) == 1


def test_a_mirror_that_dies_in_the_middle(room: Room) -> None:
    def dies(asked: Asked, peer: socket.socket) -> bool | None:
        if of_image(asked.target) and room.mirrors[0].sent_bytes > len(room.image) // 3:
            first, stop = asked.range
            send_range(peer, asked, room.image, cut=(stop - first) // 2)
            return False
        return None

    room.mirror(Holder({}, fault=dies))
    room.hasten()
    receipt = room.restore()
    assert len(receipt.warnings) == 1
    assert len(receipt.came_from) == 2
    given = sum(count for _, count in receipt.came_from)
    # beside the frames themselves: frame 0 and the seek table, and nothing twice
    assert given <= len(room.image) * 1.01


@pytest.mark.parametrize("name", ["x", "x@1"])
def test_a_new_version_in_the_middle_and_the_old_one_is_finished(room: Room, name: str) -> None:
    """Its bytes stay under their digest when the name is another version's."""
    swapped: list[bool] = []

    def swaps(asked: Asked, _peer: socket.socket) -> bool | None:
        if of_image(asked.target) and room.repository.sent_bytes > len(room.image) // 3:
            swapped.append(True)
            room.repository.files |= room.files[2]
        return None

    room.repository.fault = swaps
    target = blank(room.folder / "target", PARTITION.device_size)
    with opened(name, room.settings) as image:
        receipt = restore(image, target, progress=room.progress)
    assert swapped
    assert receipt.version == 1
    assert receipt.warnings == ()
    assert PARTITION.same_as(target)


@pytest.mark.parametrize("with_mirror", [False, True])
def test_an_interrupted_transfer_sends_little_twice(
    room: Room, monkeypatch: pytest.MonkeyPatch, with_mirror: bool
) -> None:
    monkeypatch.setattr(restoring, "_WAITING", 0)
    holder = room.mirror() if with_mirror else room.repository
    room.hasten()
    size, dead = len(room.image), list[bool]()

    def dies(asked: Asked, _peer: socket.socket) -> bool | None:
        return False if dead and of_image(asked.target) else None

    def spoil(path: str, data: bytes) -> bytes:
        if of_image(path) and holder.sent_bytes > size * 2 // 3:
            dead.append(True)
        return data

    holder.fault, holder.spoil = dies, spoil
    if with_mirror:
        room.repository.fault = dies
    with pytest.raises(OgError):
        room.restore(workers=1)
    if with_mirror:  # another place goes on where the first one ended
        room.repository.fault = None
    else:
        holder.fault = None
    holder.spoil = lambda _path, data: data
    receipt = room.restore(workers=1)
    assert receipt.resumed
    both = (holder, room.repository)
    sent = sum(
        count
        for one in both[: 1 + with_mirror]
        for path, count in one.sent.items()
        if of_image(path) and len(one.files[path]) == size
    )
    assert size <= sent <= 1.05 * size


def test_all_places_of_an_image_are_gone(room: Room) -> None:
    room.mirror(Holder({"/": b""}))
    room.hasten()
    room.repository.fault = lambda asked, _peer: False if of_image(asked.target) else None
    with pytest.raises(OgError) as caught:
        room.restore()
    assert room.settings.mirrors[0] in str(caught.value)
    assert room.server.base in str(caught.value)
