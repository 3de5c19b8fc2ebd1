# SPDX-License-Identifier: GPL-3.0-or-later
"""Files become published images, whole or not at all; who is still writing one is waited for."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from oglib.errors import ImageError, OgError, WriteError
from oglib.image.format.manifest import Manifest, load_public_keys, verify_signature
from oglib.image.reading.local import local_image
from ogrepo.__main__ import main
from ogrepo.arriving import importing, work
from ogrepo.arriving.examine import examine
from ogrepo.arriving.importing import Imported, bring_in
from ogrepo.arriving.rest import has_writer
from ogrepo.arriving.sources import arrivals
from ogrepo.arriving.watching import Watch, Watching
from ogrepo.intake.ledger import SPARE_BYTES
from ogrepo.library.folder import Folder
from ogrepo.library.foreign import find_foreign
from ogrepo.library.publishing import turn
from ogrepo.library.store import find
from quiet import QUIET
from unit.image.synthetic import make_image, partition
from unit.ogrepo.conftest import Repository, folder, repository

__all__ = ["folder", "repository"]

MIB = 1 << 20
SOURCE = partition(7, mib=3, density=0.4)
STREAM = SOURCE.stream()


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """An image that another program made, packed by gzip."""
    path = tmp_path / "from" / "Aula 3.img"
    path.parent.mkdir()
    path.write_bytes(gzip.compress(STREAM, 1))
    return path


def brought(folder: Folder, path: Path, *, convert: bool = False, name: str = "") -> Imported:
    (arrival,) = arrivals(path, name)
    return bring_in(folder, arrival, convert=convert, progress=QUIET)


def leftovers(folder: Folder) -> list[Path]:
    """What of an import that ended is still there."""
    return [
        *(folder.private / "imports").iterdir(), *folder.publishing.iterdir(),
        *(path for path in folder.root.rglob("*.part")),
    ]  # fmt: skip


def test_as_it_is_with_all_that_older_tools_want(folder: Folder, foreign: Path) -> None:
    before = foreign.stat()
    done = brought(folder, foreign)
    assert (done.name, done.version, done.how) == ("Aula-3", 1, "as it is")
    assert any("Aula 3" in sentence for sentence in done.said)
    raw = foreign.read_bytes()
    image = folder.images / "Aula-3.img"
    assert image.read_bytes() == raw
    beside = {end: image.with_name(f"Aula-3.img{end}") for end in (".sum", ".full.sum", ".info")}
    assert (
        beside[".full.sum"].read_text()
        == hashlib.md5(raw, usedforsecurity=False).hexdigest() + "\n"
    )
    assert (
        beside[".sum"].read_text()
        == hashlib.md5(raw[-MIB:], usedforsecurity=False).hexdigest() + "\n"
    )
    kib = SOURCE.device_size // 1024
    assert beside[".info"].read_text() == f"PARTCLONE:GZIP:EXTFS:{kib}:\n"
    keys = load_public_keys(folder.keys)
    found = find_foreign(folder, "Aula-3", keys)
    assert verify_signature(found.raw, found.signature, keys) == found.record.key_id
    assert found.record.required_bytes == SOURCE.device_size
    assert folder.bytes_file(found.record.image_blake3).samefile(image)
    assert (folder.versions / "Aula-3/1.foreign.json").read_bytes() == found.raw
    assert leftovers(folder) == []
    assert foreign.stat() == before


def test_converted_it_is_one_of_ours(folder: Folder, foreign: Path) -> None:
    done = brought(folder, foreign, convert=True, name="lab/debian")
    assert (done.name, done.version, done.how) == ("lab/debian", 1, "converted")
    keys = load_public_keys(folder.keys)
    image = find(folder, "lab/debian", keys)
    assert image.key_id
    with local_image(image.image, keys=keys):
        pass
    assert (folder.images / "lab/debian.img.info").exists()
    assert leftovers(folder) == []


def test_one_of_ours_is_proven_and_signed_anew(folder: Folder, tmp_path: Path) -> None:
    path = make_image(SOURCE, tmp_path, "x")
    done = brought(folder, path, name="mine")
    assert (done.name, done.how) == ("mine", "of our own format")
    keys = load_public_keys(folder.keys)
    assert find(folder, "mine", keys).key_id == keys[0].key_id
    with path.open("r+b") as file:
        file.seek(5000)
        file.write(b"damage")
    with pytest.raises(ImageError):
        brought(folder, path, name="mine")
    assert find(folder, "mine", keys).manifest.version == 1
    assert leftovers(folder) == []


def test_volumes_are_joined(folder: Folder, tmp_path: Path) -> None:
    packed = gzip.compress(STREAM, 1)
    for number, start in enumerate(range(0, len(packed), 300_000)):
        (tmp_path / f"cut.img.{number:03}").write_bytes(packed[start : start + 300_000])
    done = brought(folder, tmp_path / "cut.img.000")
    assert done.name == "cut"
    assert (folder.images / "cut.img").read_bytes() == packed
    (tmp_path / "cut.img.002").unlink()
    with pytest.raises(ImageError, match="missing"):
        brought(folder, tmp_path / "cut.img.000")


def clonezilla(path: Path) -> Path:
    """A disk that Clonezilla saved: one partition in volumes, one whole, and a swap."""
    path.mkdir()
    (path / "parts").write_text("sda1 sda2 sda3\n")
    (path / "disk").write_text("sda\n")
    packed = gzip.compress(STREAM, 1)
    (path / "sda1.ext4-ptcl-img.gz.aa").write_bytes(packed[:500_000])
    (path / "sda1.ext4-ptcl-img.gz.ab").write_bytes(packed[500_000:])
    (path / "sda2.ext4-ptcl-img.uncomp").write_bytes(STREAM)
    (path / "swappt-sda3.info").write_text('UUID="5f0c"\nLABEL=""\n')
    return path


@pytest.mark.parametrize("convert", [False, True], ids=["as-they-are", "converted"])
def test_a_saved_disk_gives_an_image_for_each_partition(
    folder: Folder, tmp_path: Path, convert: bool
) -> None:
    found = arrivals(clonezilla(tmp_path / "aula 2"))
    done = [bring_in(folder, one, convert=convert, progress=QUIET) for one in found]
    assert [one.name for one in done] == ["aula-2/sda1", "aula-2/sda2"]
    assert main(["verify", str(folder.root)]) == 0
    assert leftovers(folder) == []


def test_what_a_killed_import_left_goes_with_the_next(folder: Folder, foreign: Path) -> None:
    left = folder.private / "imports" / "left"
    left.mkdir()
    (left / "img").write_bytes(bytes(1000))
    with work.work_folder(folder, 0) as mine:
        assert not left.exists()
        brought(folder, foreign)
        assert mine.exists(), "another's that is under way stays"


def test_another_kind_takes_the_place_and_the_one_before_stays(
    folder: Folder, foreign: Path
) -> None:
    keys = load_public_keys(folder.keys)
    assert brought(folder, foreign, name="x").version == 1
    assert brought(folder, foreign, name="x", convert=True).version == 2
    assert find(folder, "x", keys).manifest.version == 2
    assert not (folder.images / "x.img.foreign.json").exists()
    assert (folder.images / "x.img.foreign.json.ant").exists()
    assert brought(folder, foreign, name="x").version == 3
    assert find_foreign(folder, "x", keys).record.version == 3
    assert not (folder.images / "x.img.json").exists()
    assert not (folder.images / "x.img.frames").exists()
    assert Manifest.from_bytes((folder.images / "x.img.json.ant").read_bytes()).version == 2
    assert not (folder.images / "x.img.foreign.json.ant").exists()
    assert main(["verify", str(folder.root)]) == 0


@pytest.mark.parametrize("kept", [0, 100, 20_000, -1])
def test_a_file_that_is_cut_off_is_never_an_image(folder: Folder, foreign: Path, kept: int) -> None:
    raw = foreign.read_bytes()
    foreign.write_bytes(raw[:kept])
    for convert in (False, True):
        with pytest.raises(ImageError):
            brought(folder, foreign, convert=convert)
    assert list(folder.images.iterdir()) == []
    assert leftovers(folder) == []


def test_a_plain_copy_that_is_cut_off_is_told_too(folder: Folder, tmp_path: Path) -> None:
    path = tmp_path / "plain.img"
    path.write_bytes(STREAM[:-1])
    with pytest.raises(ImageError):
        brought(folder, path)
    path.write_bytes(STREAM)
    assert brought(folder, path).version == 1


def test_what_is_changed_while_it_is_read_is_not_taken(
    folder: Folder, foreign: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    was = examine

    def meddled(*given: object, **more: object) -> object:
        found = was(*given, **more)  # type: ignore[arg-type]
        with foreign.open("ab") as file:
            file.write(b"x")
        return found

    monkeypatch.setattr(importing, "examine", meddled)
    with pytest.raises(ImageError, match="was changed while it was read"):
        brought(folder, foreign)
    assert list(folder.images.iterdir()) == []
    assert leftovers(folder) == []


def test_too_little_room_is_told_with_what_is_missing(
    folder: Folder, foreign: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.statvfs(folder.private)

    def little(_path: object) -> os.statvfs_result:
        fields = list(real)
        fields[4] = (SPARE_BYTES + 4096) // real.f_frsize  # f_bavail
        return os.statvfs_result(fields)

    monkeypatch.setattr(os, "statvfs", little)
    with pytest.raises(WriteError, match=r"MiB are missing|KiB are missing"):
        brought(folder, foreign)
    assert list(folder.images.iterdir()) == []
    assert leftovers(folder) == []


def test_a_disk_that_is_full_in_the_middle_keeps_nothing(folder: Folder, foreign: Path) -> None:
    with _limited(200_000), pytest.raises(WriteError):
        brought(folder, foreign)
    assert list(folder.images.iterdir()) == []
    assert leftovers(folder) == []
    assert brought(folder, foreign).version == 1


@contextmanager
def _limited(most_bytes: int) -> Iterator[None]:
    """No file of this process grows beyond so many bytes, as on a full disk."""
    import resource
    import signal

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


_FATAL = """
import importlib, os, sys
from ogrepo.__main__ import main
where, after, *words = sys.argv[1:]
module, _, name = where.rpartition(".")
owner = importlib.import_module(module)
was = getattr(owner, name)
def fatal(*given, **more):
    if after == "after":
        was(*given, **more)
    os._exit(9)
setattr(owner, name, fatal)
main(words)
"""


def _killed_in(where: str, after: str, *words: str) -> None:
    """Run ``ogrepo`` so that it is killed where a function is called, or has returned."""
    argv = [sys.executable, "-c", _FATAL, where, after, *words]
    done = subprocess.run(argv, capture_output=True, timeout=120, check=False)
    assert done.returncode == 9, done.stderr


@pytest.mark.parametrize("how", [(), ("--convert",)], ids=["as-it-is", "converted"])
@pytest.mark.parametrize(
    ("where", "after", "shown"),
    [
        ("ogrepo.arriving.importing.next_version", "before", 1),
        ("ogrepo.arriving.importing.publish", "before", 1),
        ("ogrepo.library.publishing.place", "before", 2),
        ("ogrepo.arriving.importing.publish", "after", 2),
    ],
)
def test_killed_and_run_again(
    folder: Folder, foreign: Path, how: tuple[str, ...], where: str, *, after: str, shown: int
) -> None:
    convert = bool(how)
    brought(folder, foreign, name="x", convert=convert)
    words = ("import", str(folder.root), str(foreign), "--name", "x", *how)
    _killed_in(where, after, *words)
    with turn(folder, "x"):
        pass  # as the server's start does, what was decided is brought to its end
    assert _version(folder) == shown
    done = brought(folder, foreign, name="x", convert=convert)
    assert done.version == _version(folder) > shown
    assert leftovers(folder) == []


def _version(folder: Folder) -> int:
    keys = load_public_keys(folder.keys)
    if (folder.images / "x.img.foreign.json").exists():
        return find_foreign(folder, "x", keys).record.version
    return find(folder, "x", keys).manifest.version


# What is watched.


class Told:
    def __init__(self) -> None:
        self.all: list[tuple[str, Imported | OgError]] = []

    def __call__(self, path: Path, what: Imported | OgError) -> None:
        self.all.append((path.name, what))

    def take(self) -> list[str]:
        """What was told since, in words."""
        said = [
            f"{name}: {what.name} {what.version}" if isinstance(what, Imported) else f"{name}: bad"
            for name, what in self.all
        ]
        self.all.clear()
        return said


def watch(folder: Folder, path: Path, told: Told, rest_s: float = 60) -> Watch:
    return Watch(folder, Watching(path, rest_s=rest_s), told, QUIET)


@pytest.mark.parametrize("rest", ["nan", "inf", "-1"])
def test_a_rest_that_never_ends_is_refused(folder: Folder, tmp_path: Path, rest: str) -> None:
    """Nothing would ever be taken, and nobody told."""
    words = ["import", str(folder.root), "--watch", str(tmp_path)]
    assert main([*words, "--rest", rest]) == 1


def test_what_rested_is_taken_once(folder: Folder, foreign: Path) -> None:
    told = Told()
    watched = watch(folder, foreign.parent, told)
    watched.look(1000)
    watched.look(1059)
    assert told.take() == []
    watched.look(1060)
    assert told.take() == ["Aula 3.img: Aula-3 1"]
    watched.look(2000)
    again = watch(folder, foreign.parent, told, rest_s=0)
    again.look(5)
    assert told.take() == []
    foreign.write_bytes(gzip.compress(STREAM, 2))
    again.look(10)
    assert told.take() == ["Aula 3.img: Aula-3 2"]


def test_what_grows_or_is_open_for_writing_is_waited_for(folder: Folder, foreign: Path) -> None:
    told = Told()
    watched = watch(folder, foreign.parent, told, rest_s=10)
    raw = foreign.read_bytes()
    with foreign.open("wb", buffering=0) as file:
        for moment, part in ((0, raw[:1000]), (8, raw[1000:90_000]), (16, raw[90_000:-50])):
            file.write(part)
            watched.look(moment)
        watched.look(100)
        watched.look(200)
        assert told.take() == [], "its stamps rested, but it is open for writing"
    watched.look(201)
    assert told.take() == ["Aula 3.img: bad"], "it was given up half copied, and is told so"
    watched.look(300)
    assert told.take() == []
    foreign.write_bytes(raw)
    watched.look(400)
    watched.look(411)
    assert told.take() == ["Aula 3.img: Aula-3 1"]


def test_who_writes_is_found_by_a_lease_and_by_proc(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"x")
    for lease in (True, False):
        assert not has_writer(path, lease=lease)
        with path.open("rb"):
            assert not has_writer(path, lease=lease)
        with path.open("r+b"):
            assert has_writer(path, lease=lease)
        assert not has_writer(path, lease=lease)


@pytest.mark.parametrize(
    "name", ["x.img.part", "x.img.filepart", "x.img.tmp", ".x.img.a1B2c3", "x.img.bf", "x.img.lock"]
)
def test_partial_names_are_left_alone(folder: Folder, foreign: Path, name: str) -> None:
    told = Told()
    foreign.rename(foreign.with_name(name))
    watched = watch(folder, foreign.parent, told, rest_s=0)
    watched.look(0)
    assert told.take() == []
    (foreign.parent / name).rename(foreign.parent / "x.img")
    watched.look(1)
    assert told.take() == ["x.img: x 1"]


def test_organisational_units_have_folders_of_their_own(folder: Folder, foreign: Path) -> None:
    told = Told()
    unit = foreign.parent / "Física"
    unit.mkdir()
    shutil.move(foreign, unit / "pc.img")
    watch(folder, foreign.parent, told, rest_s=0).look(0)
    assert told.take() == ["pc.img: Fisica/pc 1"]


def test_a_volume_that_is_missing_is_told_once_and_waited_for(
    folder: Folder, tmp_path: Path
) -> None:
    packed, told = gzip.compress(STREAM, 1), Told()
    place = tmp_path / "w"
    place.mkdir()
    size = len(packed) // 3 + 1
    volumes = [packed[at : at + size] for at in range(0, len(packed), size)]
    for end in ("aa", "ac"):
        (place / f"v.img.{end}").write_bytes(volumes[ord(end[1]) - ord("a")])
    watched = watch(folder, place, told, rest_s=5)
    for moment in (0, 10, 20):
        watched.look(moment)
    assert told.take() == ["v.img.aa: bad"]
    (place / "v.img.ab").write_bytes(volumes[1])
    watched.look(30)
    watched.look(40)
    assert told.take() == ["v.img.aa: v 1"]


def test_a_full_disk_is_tried_again_later(
    folder: Folder, foreign: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Told()
    watched = watch(folder, foreign.parent, told, rest_s=0)
    with monkeypatch.context() as patched:

        def full(*_: object) -> None:
            raise WriteError("The repository's disk is full.")

        patched.setattr(work, "require_room", full)
        for moment in (0, 1, 2):
            watched.look(moment)
        assert told.take() == ["Aula 3.img: bad"]
    watched.look(3)
    assert told.take() == []
    watched.look(1000)
    assert told.take() == ["Aula 3.img: Aula-3 1"]


def test_watching_ends_when_it_is_told(folder: Folder, foreign: Path) -> None:
    told, stop = Told(), threading.Event()

    def tell(path: Path, what: Imported | OgError) -> None:
        told(path, what)
        stop.set()

    Watch(folder, Watching(foreign.parent, rest_s=0), tell, QUIET).run(stop)
    assert told.take() == ["Aula 3.img: Aula-3 1"]


# The words.


def test_import_tells_each_and_goes_on(
    folder: Folder, foreign: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "bad.img"
    bad.write_bytes(b"nothing" * 100)
    root = str(folder.root)
    assert main(["import", root, str(bad), str(foreign), "--json"]) == 5
    told = json.loads(capsys.readouterr().out)["images"]
    assert [entry.get("image", "bad") for entry in told] == ["bad", "Aula-3"]
    assert main(["import", "--dir", root, str(foreign), "--name", "b"]) == 0
    assert "b version 1, as it is" in capsys.readouterr().out
    assert main(["import", root]) == 1
    assert main(["import", root, str(bad), str(foreign), "--name", "c"]) == 1
    assert main(["list", root, "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["images"]
    assert [entry["name"] for entry in listed] == ["Aula-3", "b"]


def test_list_shows_one_unit(
    folder: Folder, foreign: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("OU1/a", "OU10/b", "c"):
        brought(folder, foreign, name=name)
    assert main(["list", str(folder.root), "--ou", "OU1", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["images"]
    assert [entry["name"] for entry in listed] == ["OU1/a"]


def test_a_server_lists_and_serves_it(repository: Repository, foreign: Path) -> None:
    brought(repository.folder, foreign)
    listed = repository.ask("GET", "/images/?format=json").json()["images"]
    assert [entry["name"] for entry in listed] == ["Aula-3"]  # type: ignore[attr-defined]
    answer = repository.ask("GET", "/images/Aula-3.img", range="bytes=10-19")
    assert answer.body == foreign.read_bytes()[10:20]
