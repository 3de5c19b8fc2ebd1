# SPDX-License-Identifier: GPL-3.0-or-later
"""Images are proven on a schedule, and what was found stays told until it is mended."""

from __future__ import annotations

import errno
import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from oglib.errors import ImageError
from ogrepo.__main__ import main
from ogrepo.library.folder import Folder, held
from ogrepo.library.proving import rounds
from ogrepo.library.proving.pacing import Pace
from ogrepo.library.proving.proofs import DAY_S, Proof, due, note, proof_of, record_of
from ogrepo.library.verify import verify_published
from unit.ogrepo.conftest import Repository
from unit.ogrepo.disks import make_disk
from unit.ogrepo.sample import make_sample

NOW = 1_800_000_000.0


def damage(path: Path) -> bytes:
    """Turn a bit in the middle; returns what was there."""
    whole = path.read_bytes()
    data = bytearray(whole)
    data[len(data) // 2] ^= 4
    path.write_bytes(data)
    return whole


def test_the_oldest_is_due_first_and_a_wrong_clock_hides_nothing() -> None:
    found = {
        "recent": Proof("a", int(NOW - 2 * DAY_S)),
        "old": Proof("a", int(NOW - 40 * DAY_S)),
        "older": Proof("a", int(NOW - 50 * DAY_S)),
        "never": None,
        "in a year": Proof("a", int(NOW + 365 * DAY_S)),
        "damaged": Proof("a", int(NOW), "Frame 3 is wrong."),
    }
    assert due(found.items(), NOW, 30) == ["in a year", "never", "older", "old", "damaged"]
    assert due(found.items(), NOW, 0)[-1] == "damaged"
    # A clock that was set back by a year makes all of them due, one set forward those of today.
    assert len(due(found.items(), NOW - 365 * DAY_S, 30)) == len(found)
    assert set(found) - set(due(found.items(), NOW + 365 * DAY_S, 30)) == {"in a year"}


def test_a_record_is_of_one_manifest(folder: Folder) -> None:
    assert proof_of(folder, "lab/debian", b"one") is None
    from ogrepo.library.proving.proofs import digest_of

    note(folder, "lab/debian", Proof(digest_of(b"one"), 5, "why" * 4000))
    found = proof_of(folder, "lab/debian", b"one")
    assert found is not None
    assert found.at == 5
    assert len(found.why) == 2000
    assert proof_of(folder, "lab/debian", b"two") is None
    for told in (b"", b"{", b"[]", b'{"manifest": 1}', b"[" * 70_000, b'{"at": 1e999}'):
        record_of(folder, "lab/debian").write_bytes(told)
        assert proof_of(folder, "lab/debian", b"one") is None


@dataclass
class Watch:
    """A clock that is moved by sleeping alone."""

    now: float = 0.0
    slept: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def test_reading_keeps_its_pace() -> None:
    watch = Watch()
    pace = Pace(100, clock=lambda: watch.now, sleep=watch.sleep)
    for _ in range(10):
        pace.took(50)
    assert watch.now == pytest.approx(5.0)
    watch.now += 100.0  # what was not used long ago is not made up for
    watch.slept.clear()
    for _ in range(10):
        pace.took(50)
    assert sum(watch.slept) == pytest.approx(4.5)
    free = Pace(clock=lambda: watch.now, sleep=watch.sleep)
    watch.slept.clear()
    free.took(1 << 40)
    assert not watch.slept


def verified(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, str]]:
    """The exit code, and what was found of each image that was looked at, in that order."""
    capsys.readouterr()
    code = main(["verify", *words, "--json"])
    images = json.loads(capsys.readouterr().out)["images"]
    return code, {one["image"]: one["found"] for one in images}


def test_damage_is_told_everywhere_until_it_is_mended(
    repository: Repository, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = str(repository.folder.root)
    repository.upload(make_sample("lab/debian"), tmp_path)
    repository.upload(make_sample("fedora"), tmp_path)
    make_disk("whole").upload(repository, tmp_path)
    everything = ("--dir", root, "--all", "--due", "30")
    good = {"fedora": "good", "lab/debian": "good", "whole": "good"}
    assert verified(capsys, *everything) == (0, good)
    assert verified(capsys, *everything) == (0, {})
    assert main(["verify", *everything]) == 0
    assert "nothing is due to be proven" in capsys.readouterr().out
    asked = repository.ask("GET", "/images/?format=json").json()
    assert "damaged" not in json.dumps(asked)

    image = repository.folder.images / "lab/debian.img"
    part = repository.folder.images / "whole/p2.img"
    before, before_part = damage(image), damage(part)
    assert verified(capsys, *everything) == (0, {})  # nobody looked yet
    code, found = verified(capsys, root)
    assert code == 5
    assert found == {"fedora": "good", "lab/debian": "DAMAGED", "whole": "DAMAGED"}
    listed = repository.ask("GET", "/images/?format=json").json()["images"]
    assert isinstance(listed, list)
    assert [one["name"] for one in listed if "damaged" in one] == ["lab/debian", "whole"]
    page = repository.ask("GET", "/images/?format=html").body.decode()
    assert page.count("<b>damaged</b>") == 2
    assert main(["list", root]) == 0
    said = capsys.readouterr()
    assert "lab/debian (damaged)" in said.out
    assert "ogrepo: lab/debian is damaged: Frame" in said.err

    image.write_bytes(before)
    part.write_bytes(before_part)
    assert verified(capsys, *everything) == (0, {"lab/debian": "good", "whole": "good"})
    assert "damaged" not in repository.ask("GET", "/images/?format=html").body.decode()


def test_a_new_version_is_not_damaged_because_the_old_one_was(
    repository: Repository, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    repository.upload(make_sample("debian"), tmp_path)
    damage(repository.folder.images / "debian.img")
    assert verified(capsys, str(repository.folder.root)) == (5, {"debian": "DAMAGED"})
    repository.upload(make_sample("debian", seed=2), tmp_path)
    assert "damaged" not in repository.ask("GET", "/images/?format=html").body.decode()


def test_what_is_exchanged_while_it_is_read_is_not_called_damaged(
    repository: Repository,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = repository.folder
    repository.upload(make_sample("debian"), tmp_path)
    seeds = [2, 3]

    def exchanged(*args: object, **more: object) -> object:
        if seeds:
            repository.upload(make_sample("debian", seed=seeds.pop()), tmp_path)
            raise ImageError("The image file of debian does not match its manifest.")
        return verify_published(*args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(rounds, "verify_published", exchanged)
    assert verified(capsys, str(folder.root)) == (0, {"debian": "good"})
    seeds += [4, 5, 6]
    assert verified(capsys, str(folder.root)) == (4, {"debian": "CHANGED"})
    assert json.loads(record_of(folder, "debian").read_bytes())["why"] == ""


def test_only_wrong_bytes_are_damage(
    repository: Repository,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    root = str(repository.folder.root)
    repository.upload(make_sample("debian"), tmp_path)
    (repository.folder.images / "debian.img.json.sig").unlink()
    assert verified(capsys, root) == (5, {"debian": "UNSIGNED"})
    repository.upload(make_sample("debian"), tmp_path)

    def refuses(number: int) -> None:
        def fails(*_: object, **__: object) -> None:
            raise ImageError("It cannot be read.") from OSError(number, "no")

        monkeypatch.setattr(rounds, "verify_published", fails)

    refuses(errno.EACCES)
    assert verified(capsys, root) == (5, {"debian": "UNKNOWN"})
    assert not record_of(repository.folder, "debian").exists()
    refuses(errno.EIO)
    assert verified(capsys, root) == (5, {"debian": "DAMAGED"})
    assert record_of(repository.folder, "debian").exists()


def test_one_round_at_a_time(folder: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    root = str(folder.root)
    with held(folder, "verify", what="It"):
        assert main(["verify", root, "--due", "30"]) == 4
    assert main(["verify", root, "--due", "30"]) == 0
    assert "nothing is there to be proven" in capsys.readouterr().out
    for words in (["x", "--all"], ["x", "--due", "1"], ["--due", "-1"], ["--due", "nan"]):
        assert main(["verify", root, *words]) == 1
    assert main(["verify", root, "--rate", "-1"]) == 1
