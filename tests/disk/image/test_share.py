# SPDX-License-Identifier: GPL-3.0-or-later
"""Images by name on the repository's share, and a share that goes away while one is restored.

The share is a folder that a program shows (FUSE), which can be stopped as a server can: whoever
reads there then waits without an end.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from oglib.connection import Connection
from oglib.deploy.opening.opened import described, named, opened
from oglib.deploy.whole_disk.image import opened_any
from oglib.errors import OgError
from oglib.image.format.signing import PublicKey, generate_keypair
from oglib.image.writing.receipt import Receipt
from oglib.image.writing.restore import restore
from oglib.kernel import far
from oglib.progress import Event, Phase, Progress
from oglib.settings import Settings
from unit.image.synthetic import blank, make_image, partition, sign_image
from unit.transfer.conftest import BareServer, Reply, serve
from unit.transfer.holding import Holder, published

__all__ = ["serve"]

PARTITION = partition(mib=36)
HASTY = Connection(stall_s=2.0, deadline_s=2.0)
Serve = Callable[[Reply], BareServer]


class Share:
    """The share as it is mounted by ``program``, and what a PC was told."""

    def __init__(self, folder: Path, work: Path, program: subprocess.Popen[bytes]) -> None:
        self.folder = folder
        self.program = program
        self.target = blank(work / "target", PARTITION.device_size)
        self.told: list[str] = []
        self.settings = Settings(
            repository="127.0.0.1:9", protocol="nfs", keys_dir=work / "keys", connection=HASTY
        )
        self._ends: signal.Signals | None = None

    def ends(self, how: signal.Signals) -> None:
        """It goes away when the first bytes are on the target."""
        self._ends = how

    def emit(self, event: Event) -> None:
        self.told.append(event.text)

    def update(self, phase: Phase, *, last: bool) -> None:
        if phase.done_bytes and not last and self._ends is not None:
            os.kill(self.program.pid, self._ends)
            self._ends = None

    def restore(self, text: str) -> Receipt:
        with opened(text, self.settings) as image:
            return restore(image, self.target, progress=Progress(self, self.emit))

    def allow(self) -> None:
        self.settings = replace(self.settings, allow_unsigned=("REPO",))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, PublicKey]:
    """A filesystem with an image of ours and a foreign one, and where they were made."""
    work = tmp_path_factory.mktemp("made")
    disk, folder = work / "disk", work / "mounted"
    with disk.open("wb") as file:
        file.truncate(60 << 20)
    subprocess.run(["mkntfs", "-Fq", disk], check=True, capture_output=True)
    folder.mkdir()
    key, public = generate_keypair()
    sign_image(make_image(PARTITION, work), key)
    subprocess.run(["ntfs-3g", disk, folder], check=True)
    try:
        for path in work.glob("x.img*"):
            (folder / path.name).write_bytes(path.read_bytes())
        (folder / "old.img").write_bytes(PARTITION.stream())
    finally:
        subprocess.run(["umount", folder], check=True)
    return disk, work, public


@pytest.fixture
def share(
    made: tuple[Path, Path, PublicKey], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Share]:
    disk, _, public = made
    folder = tmp_path / "images"
    folder.mkdir()
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys/x.pub").write_text(public.to_line())
    monkeypatch.setenv("OGIMG", str(folder))
    program = subprocess.Popen(["ntfs-3g", "-o", "ro,no_detach", disk, folder])
    try:
        while not (folder / "x.img").exists():
            assert program.poll() is None
        yield Share(folder, tmp_path, program)
    finally:
        program.kill()
        program.wait()
        subprocess.run(["umount", "--lazy", folder], check=False, capture_output=True)


def test_an_image_of_ours_on_the_share_restores_by_its_name(share: Share) -> None:
    receipt = share.restore("x")
    assert PARTITION.same_as(share.target)
    assert receipt.source == str(share.folder / "x.img")
    assert receipt.signed_by
    assert receipt.warnings == ()
    assert described("x", share.settings).signed
    # whoever takes a disk's image too asks nobody else before
    with opened_any("x", share.settings) as image:
        assert image.title == "x version 1"


def test_a_foreign_one_does_too_where_the_site_takes_it(share: Share) -> None:
    with pytest.raises(OgError, match="not signed"):
        share.restore("old")
    share.allow()
    receipt = share.restore("old")
    assert PARTITION.same_as(share.target)
    assert receipt.source == str(share.folder / "old.img")


@pytest.mark.parametrize("protocol", ["", "local", "http"])
def test_without_the_words_of_the_boot_entry_names_are_asked_by_http(
    share: Share, protocol: str
) -> None:
    settings = replace(share.settings, protocol=protocol)
    assert named("x", settings).url == "http://127.0.0.1:9/images/x.img"
    assert named("y", share.settings).url == "http://127.0.0.1:9/images/y.img"


def test_a_share_that_cannot_be_mounted_is_told(
    share: Share, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OGIMG", str(share.folder.with_name("nothing-mounted")))
    found = named("x", share.settings)
    assert found.url
    assert "is asked for by HTTP" in found.said[0]
    assert "cannot be mounted" in found.said[0]


def test_a_share_that_hangs_already_is_told(share: Share, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("oglib.deploy.opening.shared.LOOK_S", 1.0)
    os.kill(share.program.pid, signal.SIGSTOP)
    found = named("y", share.settings)
    assert found.url
    assert "is asked for by HTTP" in found.said[0]


@pytest.mark.parametrize("how", [signal.SIGSTOP, signal.SIGKILL])
def test_a_share_that_goes_away_in_the_middle_and_others_go_on(
    made: tuple[Path, Path, PublicKey], share: Share, serve: Serve, how: signal.Signals
) -> None:
    server = serve(Holder(published(made[1] / "x.img", "x")).reply)
    here = server.base.removeprefix("http://")
    share.settings = replace(share.settings, repository=here)
    share.ends(how)
    receipt = share.restore("x")
    assert PARTITION.same_as(share.target)
    assert len(share.told) == 1
    assert share.told == list(receipt.warnings)
    assert [where for where, _ in receipt.came_from] == [
        str(share.folder / "x.img"),
        server.base,
    ]


@pytest.mark.parametrize("how", [signal.SIGSTOP, signal.SIGKILL])
def test_a_share_that_goes_away_alone_ends_it(share: Share, how: signal.Signals) -> None:
    share.ends(how)
    with pytest.raises(OgError, match=r"None of the 2 places of the image x gives it.*x\.img"):
        share.restore("x")


def test_a_foreign_image_that_goes_away_ends_it(
    share: Share, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(far.FarFile.__init__, "__defaults__", (2.0,))
    share.allow()
    share.ends(signal.SIGSTOP)
    with pytest.raises(OgError, match=r"old\.img cannot be read: nothing came for 2 s"):
        share.restore("old")
