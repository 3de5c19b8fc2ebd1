# SPDX-License-Identifier: GPL-3.0-or-later
"""Images get other names, go to the trash and come back, by links alone; a cut leaves no half."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from oglib.durable import sync
from oglib.errors import ImageError, OgErr, OgError
from oglib.image.format.foreign_record import ForeignRecord, PieceDigests
from oglib.image.format.manifest import PrivateKey, load_public_keys
from oglib.progress import Progress, Silent
from ogrepo.__main__ import main
from ogrepo.library.disks import find_disk, verify_disk
from ogrepo.library.folder import Folder, open_folder
from ogrepo.library.foreign import find_foreign, verify_foreign
from ogrepo.library.linking import link_all
from ogrepo.library.moving import going
from ogrepo.library.moving.entries import entries, wanted
from ogrepo.library.moving.holdings import holdings_of
from ogrepo.library.moving.naming import copy, finish_renames, rename
from ogrepo.library.moving.trash import bring_back, bring_back_as, remove
from ogrepo.library.proving.pacing import Pace
from ogrepo.library.publishing import finish_all, publish, stage, turn
from ogrepo.library.signed import sign_record
from ogrepo.library.store import find, next_version, staged_file
from ogrepo.library.verify import verify_published
from unit.ogrepo.conftest import Repository
from unit.ogrepo.disks import make_disk
from unit.ogrepo.sample import make_sample

CUTS = 8
Tree = dict[str, tuple[int, int]]


def tree(folder: Folder) -> Tree:
    """Everything that PCs may see: inode and size by path, but for the keys."""
    found = {}
    for room in ("images", "versions", "bytes"):
        for at, _, names in os.walk(folder.root / room):
            for name in names:
                status = (Path(at) / name).stat()
                path = str((Path(at) / name).relative_to(folder.root))
                found[path] = (status.st_ino, status.st_size)
    return found


def inside(path: Path) -> list[str]:
    """What is in a folder; a small file that was cut counts for nothing, and is written anew."""
    return sorted(one.name for one in path.iterdir() if not one.name.startswith("."))


def shown(found: Tree) -> Tree:
    return {path: what for path, what in found.items() if not path.startswith("bytes/")}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two versions of an image in a folder, one of another, and two of a disk."""
    place = tmp_path_factory.mktemp("template")
    assert main(["keygen", str(place / "repo")]) == 0
    served = Repository(open_folder(place / "repo"))
    for seed in (1, 2):
        served.upload(make_sample("lab/debian", seed=seed), place)
        make_disk("whole", seed=seed * 10).upload(served, place)
    served.upload(make_sample("fedora", seed=5), place)
    served.close()
    for upload in served.folder.uploads.iterdir():
        shutil.rmtree(upload)
    return place / "repo"


@pytest.fixture
def stocked(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    monkeypatch.setattr(os, "fsync", lambda _: None)  # tests/power has the disks that need it
    # cp keeps what is one file with several names one file.
    subprocess.run(["cp", "-a", template, tmp_path / "repo"], check=True)
    return open_folder(tmp_path / "repo")


@pytest.fixture
def repository(stocked: Folder) -> Iterator[Repository]:
    served = Repository(stocked)
    yield served
    served.close()


def good(folder: Folder, name: str) -> int:
    """The version of ``name``, whose every byte and signature was proven."""
    keys, progress = load_public_keys(folder.keys), Progress(Silent())
    if holdings_of(folder, name).is_disk:
        disk = find_disk(folder, name, keys)
        verify_disk(disk, keys, progress)
        return disk.manifest.version
    return verify_published(find(folder, name, keys), keys, progress).version


@pytest.mark.parametrize("name", ["lab/debian", "whole"])
def test_what_is_deleted_comes_back_as_it_was(
    stocked: Folder, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    root, before = str(stocked.root), tree(stocked)
    capsys.readouterr()
    assert main(["delete", root, name, "--dry-run"]) == 0
    assert "would go to the trash" in capsys.readouterr().out
    assert tree(stocked) == before
    assert main(["delete", root, name]) == 0
    said = capsys.readouterr().out
    assert f"{name} version 2 went to the trash" in said
    assert "and 1 older versions." in said
    assert f"`ogrepo trash restore {root} {name}` brings it back." in said
    left = shown(tree(stocked))
    assert left == {path: what for path, what in shown(before).items() if f"{name}" not in path}
    assert main(["list", root]) == 0
    assert name not in capsys.readouterr().out
    assert main(["trash", "list", root]) == 0
    assert f"{name}~1" in capsys.readouterr().out
    assert main(["delete", root, name]) == 2

    # Nobody but the trash needs their bytes; what prunes them takes nothing from it.
    for path in before.keys() - tree(stocked).keys():
        assert path not in left
    for kept in stocked.bytes.iterdir():
        kept.unlink()
    link_all(stocked)
    assert main(["trash", "restore", root, name]) == 0
    assert f"{name} version 2 came back as {name}." in capsys.readouterr().out
    assert shown(tree(stocked)) == shown(before)
    assert good(stocked, name) == 2
    assert main(["trash", "list", root]) == 0
    assert "is empty" in capsys.readouterr().out
    for digest in holdings_of(stocked, name).digests:
        assert tree(stocked)[f"bytes/{digest}"] == before[f"bytes/{digest}"]
    assert len(holdings_of(stocked, name).digests) == (4 if name != "whole" else 12)


@pytest.mark.parametrize("name", ["lab/debian", "whole"])
@pytest.mark.parametrize("verb", ["copy", "rename"])
def test_another_name_leads_to_the_same_bytes(
    stocked: Folder, name: str, verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    root, new = str(stocked.root), "room-2/another"
    before = tree(stocked)
    assert main([verb, root, name, new, "--dry-run"]) == 0
    assert tree(stocked) == before
    capsys.readouterr()
    assert main([verb, root, name, new]) == 0
    told = "copied" if verb == "copy" else "renamed"
    assert f"{name} version 2 was {told} to {new}, as its version 1" in capsys.readouterr().out
    assert good(stocked, new) == 1
    keys = load_public_keys(stocked.keys)
    image = stocked.images / (f"{new}.img" if name != "whole" else f"{new}/p2.img")
    assert image.stat().st_ino in {inode for inode, _ in before.values()}
    if name != "whole":
        assert find(stocked, new, keys).manifest.parent == name
    assert stocked.version_file(new, 1, ".json" if name != "whole" else ".disk.json").exists()
    if verb == "copy":
        assert good(stocked, name) == 2
        assert not entries(stocked)
        return
    assert holdings_of(stocked, name).is_nothing
    (entry,) = entries(stocked)
    assert (entry.about.name, entry.about.why) == (name, f"renamed to {new}")
    assert main(["trash", "restore", root, name]) == 0
    assert good(stocked, name) == 2
    assert good(stocked, new) == 1


def publish_foreign(folder: Folder, name: str, data: bytes) -> None:
    """As an import does that leaves the image as it is."""
    digests = PieceDigests(len(data))
    digests.update(data)
    whole, pieces = digests.finish()
    key = PrivateKey.load(folder.image_key)
    with turn(folder, name), stage(folder) as staged:
        path_of = partial(staged_file, staged)
        path_of(".img").write_bytes(data)
        path_of(".img.info").write_text("partclone:lzop:EXTFS:1000:pc-1\n")
        record = ForeignRecord(
            name, "2026-11-20T12:00:00+00:00", "partclone", "lzop", "EXTFS", 1 << 20, "pc-1",
            len(data), whole, digests.piece_bytes, pieces, next_version(folder, name),
            key.public.key_id,
        )  # fmt: skip
        sign_record(record, key, path_of)
        publish(folder, name, staged)


def test_images_of_other_programs_move_as_ours_do(stocked: Folder) -> None:
    data = bytes(range(256)) * 1000
    publish_foreign(stocked, "old/image", data)
    before = shown(tree(stocked))
    keys = load_public_keys(stocked.keys)
    assert copy(stocked, "old/image", "new") == 1
    copied = find_foreign(stocked, "new", keys)
    assert copied.key_id
    assert copied.image.samefile(stocked.images / "old/image.img")
    verify_foreign(copied, keys, Progress(Silent()), Pace())
    assert rename(stocked, "old/image", "newer") == 1
    assert not (stocked.images / "old/image.img.info").exists()
    assert (stocked.images / "newer.img.info").read_text().startswith("partclone:lzop")
    for name in ("new", "newer"):
        remove(stocked, name, "deleted")
    bring_back(stocked, wanted(stocked, "old/image"))
    assert shown(tree(stocked)) == before
    assert holdings_of(stocked, "old/image").version == 1

    (stocked.images / "old/image.img").unlink()
    (stocked.images / "old/image.img").symlink_to(stocked.images / "fedora.img")
    stocked.bytes_file(copied.record.image_blake3).unlink()
    with pytest.raises(ImageError, match="are not in this repository"):
        copy(stocked, "old/image", "of-a-link")
    remove(stocked, "old/image", "deleted")
    bring_back(stocked, wanted(stocked, "old/image"))
    assert (stocked.images / "old/image.img").is_symlink()


def test_refusals_come_before_anything_is_written(
    repository: Repository,
    stocked: Folder,
    capsys: pytest.CaptureFixture[str],
) -> None:
    root = str(stocked.root)
    (stocked.images / "rooms/one").mkdir(parents=True)
    token = {"authorization": f"Bearer {repository.token('busy')}"}
    body = b'{"name": "busy"}'
    assert repository.ask("POST", "/api/uploads", body, token).status == 201
    unsigned = stocked.images / "unsigned.img"
    for path in (stocked.images / "lab").iterdir():
        if path.name.startswith("debian.img") and not path.name.endswith(".ant"):
            target = unsigned.with_name(path.name.replace("debian", "unsigned"))
            target.write_bytes(path.read_bytes().replace(b"lab/debian", b"unsigned"))
    before, private = tree(stocked), inside(stocked.private)
    capsys.readouterr()
    refused = (
        (["delete", "nothing"], 2, "There is no image nothing"),
        (["delete", "../x"], 1, "cannot be the name"),
        (["delete", "busy"], 4, "An upload of busy is under way"),
        (["copy", "nothing", "new"], 2, "There is no image nothing"),
        (["copy", "fedora", "fedora"], 1, "is called so already"),
        (["copy", "fedora", "lab/debian"], 4, "There is an image lab/debian"),
        (["copy", "fedora", "whole"], 4, "There is an image whole"),
        (["copy", "fedora", "whole/p9"], 23, "so no other image is put inside"),
        (["copy", "fedora", "busy"], 4, "An upload of busy is under way"),
        (["copy", "fedora", "a.img"], 1, "holds '.img'"),
        (["copy", "fedora", "3.json"], 1, "looks like the record"),
        (["copy", "whole", "rooms"], 5, "is a folder of other images"),
        (["copy", "unsigned", "new"], 5, "is not signed by a key"),
        (["rename", "unsigned", "new"], 5, "is not signed by a key"),
        (["trash", "restore", "nothing"], 2, "There is no nothing in the trash"),
        (["trash", "empty", "nothing"], 2, "There is no nothing in the trash"),
        (["copy", "fedora"], 1, "The new name is missing"),
        (["trash", "restore"], 1, "What shall come back is missing"),
    )
    for words, code, told in refused:
        assert main([*words, "--dir", root]) == code, words
        assert told in capsys.readouterr().err
    assert tree(stocked) == before
    assert inside(stocked.private) == private
    for room in ("staged", "publishing", "removing", "returning", "renaming", "trash"):
        assert not inside(stocked.private / room), room


def test_what_is_damaged_gets_no_new_signature(stocked: Folder) -> None:
    image = stocked.images / "fedora.img"
    data = bytearray(image.read_bytes())
    data[len(data) // 2] ^= 1
    image.write_bytes(data)
    assert main(["verify", str(stocked.root), "fedora"]) == 5
    with pytest.raises(ImageError, match="is damaged: Frame"):
        copy(stocked, "fedora", "new")
    assert not holdings_of(stocked, "new").shown


def test_the_trash_tells_several_of_one_name_apart(
    repository: Repository,
    stocked: Folder,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    root = str(stocked.root)
    remove(stocked, "fedora", "deleted")
    repository.upload(make_sample("fedora", seed=6), tmp_path)
    with pytest.raises(OgError, match="There is an image fedora") as refused:
        bring_back(stocked, wanted(stocked, "fedora"))
    assert refused.value.code is OgErr.LOCKED
    assert bring_back_as(stocked, wanted(stocked, "fedora"), "fedora-old") == 1
    assert good(stocked, "fedora-old") == 1
    assert good(stocked, "fedora") == 2
    remove(stocked, "fedora", "deleted")
    assert [entry.id for entry in entries(stocked)] == ["fedora~2", "fedora~1"]
    # PCs had version 2, and would refuse the first one as it was.
    assert bring_back(stocked, wanted(stocked, "fedora~1")) == 3
    assert good(stocked, "fedora") == 3
    assert find(stocked, "fedora", []).manifest.image_blake3 == (
        find(stocked, "fedora-old", []).manifest.image_blake3
    )
    assert main(["pin", root, "fedora@3"]) == 0
    for words in (["delete", root, "fedora"], ["rename", root, "fedora", "red"]):
        assert main(words) == 4
        assert "Of fedora, version 3 is pinned. `ogrepo unpin`" in capsys.readouterr().err
    assert main(["unpin", root, "fedora@3"]) == 0
    capsys.readouterr()
    assert main(["trash", "empty", root, "--dry-run", "--json"]) == 0
    (entry,) = json.loads(capsys.readouterr().out)["emptied"]
    size = (stocked.trash / "fedora~2/images/fedora.img").stat().st_size
    assert entry["own_bytes"] > size
    assert main(["trash", "empty", root, "fedora~2"]) == 0
    assert "fedora~2 version 2 was removed for ever." in capsys.readouterr().out
    assert not inside(stocked.trash)
    assert good(stocked, "fedora") == 3


def test_what_a_copy_needs_is_not_counted_as_room_of_the_trash(stocked: Folder) -> None:
    rename(stocked, "fedora", "red")
    (entry,) = entries(stocked)
    assert entry.size_bytes > 1 << 20
    assert entry.own_bytes < 64 << 10


# ---- cut anywhere -------------------------------------------------------------------------------


class Cut(BaseException):
    """The machine went down."""


@contextmanager
def cut_after(monkeypatch: pytest.MonkeyPatch, steps: int) -> Iterator[list[str]]:
    """After so many changes of the disk nothing more is done."""
    done: list[str] = []

    def counted(module: object, name: str) -> None:
        real: Callable[..., object] = getattr(module, name)

        def step(*args: object, **more: object) -> object:
            if len(done) >= steps:
                raise Cut
            done.append(name)
            return real(*args, **more)

        patch.setattr(module, name, step)

    with monkeypatch.context() as patch:
        for name in ("link", "rename", "replace", "unlink", "rmdir", "mkdir"):
            counted(os, name)
        try:
            yield done
        except Cut:
            done.append("cut")


def restart(folder: Folder) -> None:
    """What a server does before it serves."""
    finish_all(folder)
    finish_renames(folder)
    link_all(folder)


@pytest.mark.parametrize("name", ["lab/debian", "whole"])
@pytest.mark.parametrize("verb", ["delete", "restore", "rename", "copy"])
def test_a_cut_at_any_step_leaves_it_undone_or_done(
    stocked: Folder, verb: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = "room-2/another"
    work: dict[str, Callable[[], object]] = {
        "delete": lambda: remove(stocked, name, "deleted"),
        "restore": lambda: bring_back(stocked, wanted(stocked, name)),
        "rename": lambda: rename(stocked, name, new),
        "copy": lambda: copy(stocked, name, new),
    }
    if verb == "restore":
        remove(stocked, name, "deleted")
    before, seen = shown(tree(stocked)), set()
    with cut_after(monkeypatch, 10_000) as done:
        work[verb]()
    first_done, count = shown(tree(stocked)), len(done)
    undo(stocked, verb, name, new)
    for steps in range(0, count, -(-count // CUTS)):
        with cut_after(monkeypatch, steps) as done:
            work[verb]()
        restart(stocked)
        for room in ("staged", "publishing", "removing", "returning", "renaming"):
            assert not inside(stocked.private / room), (steps, room)
        after = shown(tree(stocked))
        seen.add(after == before)
        assert done[-1] == "cut" or after != before
        if after != before:
            # The number of a new name goes up with each try.
            assert len(after) == len(first_done), steps
            assert good(stocked, new if verb in ("rename", "copy") else "fedora") >= 1
            undo(stocked, verb, name, new)
            assert shown(tree(stocked)) == before
    assert seen == {True, False}


def undo(folder: Folder, verb: str, name: str, new: str) -> None:
    """Back to where it began."""
    if verb in ("rename", "copy"):
        remove(folder, new, "deleted")
    if verb == "restore":
        assert good(folder, name) == 2
        remove(folder, name, "deleted")
    if verb in ("delete", "rename"):
        assert holdings_of(folder, name).is_nothing
        bring_back(folder, wanted(folder, name))


def test_a_removal_takes_only_what_it_meant(stocked: Folder) -> None:
    """Somebody puts a file of that name there while a cut removal waits for its end."""
    entry = stocked.staged / "entry"
    image = stocked.images / "fedora.img"
    (entry / "images").mkdir(parents=True)
    for path in stocked.images.glob("fedora.img*"):
        os.link(path, entry / "images" / path.name)
    (entry / "about.json").write_text(
        json.dumps({"name": "fedora", "version": 1, "is_disk": False, "at": 1, "why": "deleted"})
    )
    image.unlink()
    image.write_bytes(b"another")
    sync(stocked.images)
    going.decide(stocked, going.REMOVING, "fedora", entry)
    with turn(stocked, "fedora"):
        pass
    assert image.read_bytes() == b"another"
    assert not (stocked.images / "fedora.img.json").exists()


def test_a_rename_spares_what_came_under_the_old_name_meanwhile(
    repository: Repository, stocked: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("ogrepo.library.moving.naming._end", lambda *_: (_ for _ in ()).throw(Cut))
        with pytest.raises(Cut):
            rename(stocked, "fedora", "red")
    repository.upload(make_sample("fedora", seed=9), tmp_path)
    assert finish_renames(stocked) == ["fedora has another version by now, so it stays beside red."]
    assert good(stocked, "fedora") == 2
    assert good(stocked, "red") == 1
    assert not finish_renames(stocked)
