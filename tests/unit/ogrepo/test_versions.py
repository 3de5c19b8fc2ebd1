# SPDX-License-Identifier: GPL-3.0-or-later
"""Versions that are kept: shown, published again, pinned, and let go of."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from blake3 import blake3

from oglib.errors import ImageError, NotFoundError, OgError
from oglib.image.format.disk_manifest import DiskManifest
from oglib.image.format.manifest import Manifest, load_public_keys
from oglib.progress import Progress, Silent
from ogrepo.__main__ import main
from ogrepo.intake.tokens import Grant
from ogrepo.intake.uploads import Uploads
from ogrepo.library.disks import find_disk, verify_disk
from ogrepo.library.folder import Folder
from ogrepo.library.linking import link_all
from ogrepo.library.publishing import finish_all
from ogrepo.library.store import find, published
from ogrepo.library.verify import verify_published
from ogrepo.library.waiting import all_waiting
from ogrepo.versions.again import publish_again
from ogrepo.versions.kept import Kept, Standing, kept_versions, read_kept, standing, versions_of
from ogrepo.versions.pins import pin, pins_of, unpin
from ogrepo.versions.prune import Bytes, Facts, Named, Policy, apply, judge, look, plan
from ogrepo.versions.room import Guard
from unit.ogrepo.conftest import Repository
from unit.ogrepo.disks import make_disk
from unit.ogrepo.sample import Sample, make_sample

QUIET = Progress(Silent())
DAY_S = 86400.0
AT_ONCE = Policy(keep=1, grace_s=0.0)
Told = Callable[..., dict[str, object]]


def publish(folder: Folder, sample: Sample) -> int:
    """The way of an upload, without HTTP."""
    uploads = Uploads(folder)
    upload = uploads.open(Grant(sample.manifest.name, 1 << 40, os.urandom(16).hex()))
    uploads.file(upload, "image").write_bytes(sample.image)
    uploads.file(upload, "frames").write_bytes(sample.frames)
    uploads.file(upload, "manifest").write_bytes(sample.manifest.to_bytes())
    uploads.commit(upload, QUIET)
    uploads.drop(upload)
    return upload.version


@pytest.fixture
def samples() -> list[Sample]:
    return [make_sample("debian", regions=1, seed=seed) for seed in range(6)]


@pytest.fixture
def three(folder: Folder, samples: list[Sample]) -> Folder:
    """Versions 1, 2 and 3 of one image."""
    for sample in samples[:3]:
        publish(folder, sample)
    return folder


@pytest.fixture
def told(folder: Folder, capsys: pytest.CaptureFixture[str]) -> Told:
    """What a verb answers in JSON."""

    def run(verb: str, *words: str, code: int = 0) -> dict[str, object]:
        capsys.readouterr()
        assert main([verb, str(folder.root), *words, "--json"]) == code
        answer = json.loads(capsys.readouterr().out)
        assert isinstance(answer, dict)
        return answer

    return run


def later(folder: Folder, policy: Policy = AT_ONCE, *, days: float = 0.0) -> int:
    """Prune so many days from now on."""
    now = max(one.changed_ns for one in look(folder).bytes.values()) / 1e9 + 1 + days * DAY_S
    return apply(folder, plan(look(folder), policy, now), policy, now)


def digests(folder: Folder) -> set[str]:
    for path in folder.bytes.iterdir():
        assert blake3(path.read_bytes()).hexdigest() == path.name
    return {path.name for path in folder.bytes.iterdir()}


def of(*samples: Sample) -> set[str]:
    return {
        digest
        for sample in samples
        for digest in (sample.manifest.image_blake3, sample.manifest.frames_blake3)
    }


def test_what_was_shown_is_shown_again_under_a_new_number(
    three: Folder, samples: list[Sample], told: Told
) -> None:
    before = digests(three)
    answer = told("rollback", "debian", "1")
    wanted = {"image": "debian", "content_of": 1, "shown_before": 3, "version": 4, "waits": False}
    assert answer == wanted
    keys = load_public_keys(three.keys)
    (image,) = published(three)
    verify_published(image, keys, QUIET)
    manifest = image.manifest
    assert (manifest.version, manifest.image_blake3) == (4, samples[0].manifest.image_blake3)
    assert manifest.comment == "Version 1 again."
    assert image.image.samefile(three.bytes_file(manifest.image_blake3))
    assert digests(three) == before  # nothing was copied
    assert standing(three, "debian") == Standing(4, 3)
    for suffix in (".img.sum", ".img.full.sum", ".img.info"):
        kept = three.version_file("debian", 1, suffix.removeprefix(".img"))
        assert (three.images / f"debian{suffix}").read_bytes() == kept.read_bytes()
    assert told("rollback", "debian")["content_of"] == 3  # back from there: what was before
    assert find(three, "debian", keys).manifest.comment == "Version 3 again."


def test_a_title_and_what_its_maker_said_stay(folder: Folder) -> None:
    sample = make_sample("debian", regions=1, title="Autumn")
    manifest = replace(sample.manifest, comment="With LaTeX.\nVersion 7 again.")
    publish(folder, replace(sample, manifest=manifest))
    publish_again(folder, read_kept(folder, "debian", 1), "debian", QUIET)
    shown = read_kept(folder, "debian", 2).about
    assert isinstance(shown, Manifest)
    assert (shown.title, shown.comment) == ("Autumn", "With LaTeX.\nVersion 1 again.")


def test_another_name_for_a_version(three: Folder, samples: list[Sample]) -> None:
    assert publish_again(three, read_kept(three, "debian", 2), "lab/copy", QUIET).version == 1
    about = read_kept(three, "lab/copy", 1).about
    assert isinstance(about, Manifest)
    assert (about.parent, about.comment) == ("debian", "Version 2 of debian.")
    assert about.image_blake3 == samples[1].manifest.image_blake3
    assert len(published(three)) == 2


def test_a_disk_is_shown_again(repository: Repository, tmp_path: Path) -> None:
    folder = repository.folder
    first = make_disk("lab/pc")
    first.upload(repository, tmp_path)
    make_disk("lab/pc", seed=7).upload(repository, tmp_path)
    assert publish_again(folder, read_kept(folder, "lab/pc", 1), "lab/pc", QUIET).version == 3
    keys = load_public_keys(folder.keys)
    disk = find_disk(folder, "lab/pc", keys)
    verify_disk(disk, keys, QUIET)
    assert (disk.manifest.version, disk.manifest.comment) == (3, "Version 1 again.")
    assert (folder.images / "lab/pc/disk.gaps").read_bytes() == first.gaps
    assert read_kept(folder, "lab/pc", 3).content == read_kept(folder, "lab/pc", 1).content
    assert standing(folder, "lab/pc") == Standing(3, 2)


def test_without_the_key_it_waits_for_its_signature(three: Folder, told: Told) -> None:
    three.image_key.rename(three.private / "elsewhere")
    answer = told("rollback", "debian", "1")
    assert (answer["version"], answer["waits"]) == (4, True)
    assert standing(three, "debian").shown == 3
    (waiting,) = all_waiting(three.waiting)
    assert (waiting.name, waiting.version) == ("debian", 4)


def test_nothing_damaged_is_shown_again(three: Folder, samples: list[Sample]) -> None:
    kept = read_kept(three, "debian", 1)
    path = three.bytes_file(samples[0].manifest.image_blake3)
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)
    with pytest.raises(ImageError, match="is damaged, and with it version 1 of debian"):
        publish_again(three, kept, "debian", QUIET)
    path.unlink()
    with pytest.raises(ImageError, match="are not in this repository"):
        publish_again(three, kept, "debian", QUIET)
    assert standing(three, "debian").shown == 3


def test_an_image_is_not_put_beside_a_disk_of_its_name(
    repository: Repository, tmp_path: Path
) -> None:
    folder = repository.folder
    publish(folder, make_sample("debian", regions=1))
    for path in folder.images.glob("debian.*"):
        path.unlink()
    make_disk("debian").upload(repository, tmp_path)
    with pytest.raises(OgError, match="the image of a disk now, and version 1"):
        publish_again(folder, read_kept(folder, "debian", 1), "debian", QUIET)
    assert versions_of(folder, "debian") == [1, 2]


@pytest.mark.usefixtures("three")
def test_versions_are_told_with_what_they_are(told: Told) -> None:
    told("rollback", "debian", "1")
    told("pin", "debian@2")
    rows = told("versions", "debian")["versions"]
    assert isinstance(rows, list)
    states = [
        (row["version"], row["shown"], row["before"], row["pinned"], row["same_as"]) for row in rows
    ]
    assert states == [
        (4, True, False, False, 1),
        (3, False, True, False, 0),
        (2, False, False, True, 0),
        (1, False, False, False, 0),
    ]
    assert told("versions") == told("versions", "debian")
    error = told("versions", "debain", code=2)["error"]
    assert isinstance(error, dict)
    assert "Did you mean debian?" in error["hint"]


def test_lines_for_people(three: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    root = str(three.root)
    capsys.readouterr()
    assert main(["rollback", root, "debian", "--dry-run"]) == 0
    assert "would get a new version with the content of version 2" in capsys.readouterr().out
    assert main(["rollback", root, "debian"]) == 0
    assert capsys.readouterr().out == (
        "debian version 4 is shown, with the content of version 2.\n"
    )
    assert main(["pin", root, "debian"]) == 0
    assert capsys.readouterr().out == "debian version 4 stays until it is unpinned.\n"
    assert main(["versions", root]) == 0
    assert "shown, pinned, as 2" in capsys.readouterr().out
    assert main(["unpin", root, "debian"]) == 0
    assert main(["prune", root, "--keep", "2", "--grace", "0"]) == 0
    out = capsys.readouterr().out
    assert "debian version 2 is gone." in out
    assert versions_of(three, "debian") == [3, 4]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["rollback", "debian", "3"], 1),
        (["rollback", "debian", "0"], 1),
        (["rollback", "debian", "9"], 2),
        (["rollback", "nobody"], 2),
        (["pin", "debian@9"], 2),
        (["pin", "debian@x"], 1),
        (["unpin", "debian"], 2),
        (["unpin", "debian@1"], 2),
        (["prune", "--keep", "0"], 1),
        (["prune", "--grace", "-1"], 1),
    ],
)
def test_what_cannot_be_is_refused(three: Folder, told: Told, words: list[str], code: int) -> None:
    assert told(*words, code=code)["error"]
    assert versions_of(three, "debian") == [1, 2, 3]
    assert standing(three, "debian").shown == 3


def test_a_pin_stays_with_its_version(three: Folder) -> None:
    pin(three, "debian", 1)
    pin(three, "debian", 1)
    assert pins_of(three, "debian") == {1}
    assert pins_of(three, "debi") == frozenset()
    later(three, days=5)
    assert versions_of(three, "debian") == [1, 2, 3]
    unpin(three, "debian", 1)
    later(three, days=5)
    assert versions_of(three, "debian") == [2, 3]
    with pytest.raises(NotFoundError):
        pin(three, "debian", 1)


def test_old_versions_go_with_their_bytes(three: Folder, samples: list[Sample]) -> None:
    for sample in samples[3:]:
        publish(three, sample)
    policy = Policy(keep=3)
    assert later(three, policy) == 0  # their day is not over
    assert versions_of(three, "debian") == [1, 2, 3, 4, 5, 6]
    freed = later(three, policy, days=1)
    assert freed > 0
    assert versions_of(three, "debian") == [4, 5, 6]
    assert digests(three) == of(*samples[3:])
    assert not list(three.versions.rglob("1.*"))
    assert later(three, AT_ONCE) > 0
    assert versions_of(three, "debian") == [5, 6]  # what is shown, and the one before
    assert digests(three) == of(*samples[4:])


def test_bytes_that_two_versions_need_stay(three: Folder, samples: list[Sample]) -> None:
    publish_again(three, read_kept(three, "debian", 1), "debian", QUIET)
    later(three, Policy(keep=2, grace_s=0.0))
    assert versions_of(three, "debian") == [3, 4]
    assert digests(three) == of(samples[0], samples[2])


def test_bytes_with_another_name_stay(three: Folder, samples: list[Sample]) -> None:
    kept = three.trash / "x"
    kept.hardlink_to(three.bytes_file(samples[0].manifest.image_blake3))
    later(three)
    assert samples[0].manifest.image_blake3 in digests(three)
    kept.unlink()
    later(three)
    assert digests(three) == of(*samples[1:3])


def test_a_folder_without_its_links_loses_nothing_that_is_shown(
    repository: Repository, tmp_path: Path
) -> None:
    folder = repository.folder
    for seed in (1, 2):
        publish(folder, make_sample("debian", regions=1, seed=seed))
        make_disk("pc", seed=seed).upload(repository, tmp_path)
    wanted = digests(folder)
    for path in [one for one in folder.root.rglob("*") if one.is_file()]:
        copy = path.with_name(f"{path.name}~")
        copy.write_bytes(path.read_bytes())
        copy.replace(path)
    for path in folder.versions.rglob("*.*"):
        path.unlink()  # so that images/ alone tells what is needed
    later(folder)
    assert digests(folder) == wanted
    assert len(link_all(folder)) == 1


def test_a_disk_that_goes_takes_the_records_of_its_images_along(
    repository: Repository, tmp_path: Path
) -> None:
    folder = repository.folder
    for seed in (1, 4, 7):
        make_disk("pc", seed=seed).upload(repository, tmp_path)
    first = read_kept(folder, "pc", 1)
    for _ in range(2):  # what a record and its bytes have in common goes behind the record
        later(folder)
    assert versions_of(folder, "pc") == [2, 3]
    assert not list(folder.versions.rglob("1.*"))
    assert not first.digests & digests(folder)
    assert {digest for kept in kept_versions(folder, "pc") for digest in kept.digests} == (
        digests(folder)
    )


def test_what_cannot_be_read_is_taken_for_needed(three: Folder) -> None:
    before = digests(three)
    three.version_file("debian", 1, ".json").write_bytes(b"{")
    with pytest.raises(ImageError, match="Nothing is removed, for a record of debian"):
        later(three)
    assert digests(three) == before


@pytest.mark.parametrize("room", ["versions/debian", "images"])
def test_a_folder_that_may_not_be_entered_is_not_taken_for_an_empty_one(
    three: Folder, monkeypatch: pytest.MonkeyPatch, room: str
) -> None:
    """What its records name would have gone with the first prune after a day."""
    closed, scandir, before = three.root / room, os.scandir, digests(three)

    def guarded(path: str) -> Iterator[os.DirEntry[str]]:
        if Path(path) == closed:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return scandir(path)

    assert closed.is_dir()
    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", guarded)
        with pytest.raises(PermissionError):
            look(three)
    assert digests(three) == before


def test_what_was_published_since_the_look_stays(three: Folder, samples: list[Sample]) -> None:
    publish(three, samples[3])
    now = max(one.changed_ns for one in look(three).bytes.values()) / 1e9 + 1
    decided = plan(look(three), AT_ONCE, now)
    assert [kept.version for kept in decided.goes] == [2, 1]
    publish_again(three, read_kept(three, "debian", 1), "debian", QUIET)
    pin(three, "debian", 2)
    apply(three, decided, AT_ONCE, now)
    assert versions_of(three, "debian") == [2, 3, 4, 5]
    assert of(samples[0], samples[1], samples[3]) <= digests(three)
    (image,) = published(three)
    verify_published(image, load_public_keys(three.keys), QUIET)


def test_what_a_cut_left_goes(three: Folder) -> None:
    three.version_file("debian", 1, ".json").unlink()  # cut behind the first step
    (three.bytes / f".{'0' * 64}.part").touch()
    later(three)
    assert not list(three.versions.rglob("1.*"))
    assert not list(three.bytes.glob(".*"))


def kept(version: int, at: float) -> Kept:
    manifest = make_sample("x", regions=1).manifest
    return Kept(replace(manifest, version=version), at)


def test_the_day_begins_with_the_version_that_made_it_one_too_many() -> None:
    now = 100 * DAY_S
    versions = tuple(kept(one, now - (10 - one) * DAY_S / 2) for one in range(1, 10))
    named = Named(versions, Standing(9, 8), frozenset({1}))
    verdicts = {one.kept.version: one.why for one in judge(named, Policy(keep=4), now)}
    # 9 came half a day ago, 8 a day ago, so 4 was one of the newest until a day ago
    assert verdicts == {
        9: "shown", 8: "the one before", 7: "one of the newest 4", 6: "one of the newest 4",
        5: "a restore of it may be under way", 4: "", 3: "", 2: "", 1: "pinned",
    }  # fmt: skip


def test_a_clock_that_was_wrong_removes_nothing_early() -> None:
    now = 100 * DAY_S
    versions = tuple(kept(one, now + 365 * DAY_S) for one in range(1, 4))
    named = Named(versions, Standing(3, 2), frozenset())
    assert all(one.why for one in judge(named, Policy(keep=1), now))
    seen = {"0" * 64: Bytes(1, 1, int((now + 365 * DAY_S) * 1e9))}
    decided = plan(Facts({}, seen, frozenset()), Policy(), now)
    assert (decided.bytes, decided.waiting_bytes) == ({}, 1)


def test_room_is_made_before_a_capture_is_refused(
    three: Folder, samples: list[Sample], monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(three, samples[3])
    room = [0]
    uploads = Uploads(three, make_room=Guard(three, AT_ONCE))
    real = uploads.ledger.check

    def usage(_: object) -> object:
        free = (64 << 20) + (1 << 30) * (versions_of(three, "debian") == [3, 4])
        return type("Usage", (), {"free": free - room[0]})

    monkeypatch.setattr("shutil.disk_usage", usage)
    uploads.ledger.promise("a", 1 << 29)
    assert versions_of(three, "debian") == [3, 4]
    with pytest.raises(OgError, match="disk is full, or its room is promised"):
        uploads.ledger.promise("b", 1 << 30)
    room[0] = 1 << 30
    with pytest.raises(OgError, match="disk is full"):
        real()


def test_a_rollback_that_was_decided_is_finished_by_the_next_start(
    three: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ogrepo.library.publishing.keep_image", cut)
    with pytest.raises(KeyboardInterrupt):
        publish_again(three, read_kept(three, "debian", 1), "debian", QUIET)
    monkeypatch.undo()
    assert standing(three, "debian").shown == 3
    assert finish_all(three) == ["Finished what was begun with debian."]
    assert standing(three, "debian") == Standing(4, 3)
    assert finish_all(three) == []
    assert not list(three.staged.iterdir())
    (image,) = published(three)
    verify_published(image, load_public_keys(three.keys), QUIET)


def test_a_disk_manifest_is_found_by_its_digest(repository: Repository, tmp_path: Path) -> None:
    make_disk("pc").upload(repository, tmp_path)
    about = read_kept(repository.folder, "pc", 1).about
    assert isinstance(about, DiskManifest)
    assert {part.manifest_blake3 for part in about.images} < digests(repository.folder)
