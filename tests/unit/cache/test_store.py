# SPDX-License-Identifier: GPL-3.0-or-later
"""The store on a plain folder: what is shown is whole, what fails leaves nothing."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from oglib.cache import folder, proof
from oglib.cache.model import Proof, StoredFile, Verdict, WhenFull
from oglib.cache.room import make_room
from oglib.cache.store import Fill, Store
from oglib.errors import ImageError, NotFoundError, OgErr, OgError, UsageError, WriteError
from unit.cache.stores import content, fill, held

MIB = 1 << 20
EMPTY = ("staging", "ready", "trash")


def images(store: Store) -> Path:
    return store.root / "opt/opengnsys/images"


def rooms(store: Store) -> list[str]:
    """What lies in the private rooms that must be empty at rest."""
    private = store.root / ".oglive"
    return [
        path.name for room in ("staging", "ready", "trash") for path in (private / room).iterdir()
    ]


def test_a_new_store_has_the_folder_that_older_oglives_read(store: Store) -> None:
    assert images(store).is_dir()
    assert store.entries() == ()
    assert store.recover() == ()


def test_a_published_image_lies_where_older_oglives_read_it(store: Store) -> None:
    entry = store.publish("debian", fill("debian", 1))
    assert held(store) == {"debian": content("debian", 1)}
    assert entry.path == images(store) / "debian.img"
    assert entry.size_bytes == sum(map(len, content("debian", 1).values()))
    assert (entry.proof, entry.pinned) == (Proof.SUM, False)
    assert rooms(store) == []


def test_a_new_version_replaces_all_files_of_the_old_one(store: Store) -> None:
    store.publish("lab/debian", fill("lab/debian", 1))
    (images(store) / "lab/debian.img.torrent").write_text("of the old version")
    store.publish("lab/debian", fill("lab/debian", 2))
    assert held(store) == {"lab/debian": content("lab/debian", 2)}


def test_the_folder_of_a_whole_disk_is_one_entry(store: Store) -> None:
    def write(where: Path) -> None:
        (where / "pc").mkdir()
        (where / "pc/disk.json").write_text("{}")
        (where / "pc/1.img").write_bytes(b"partition")

    assert store.publish("pc", write).size_bytes == 11
    (images(store) / "pc/1.img").write_bytes(b"cut")
    assert store.entries() == ()
    assert store.recover() == ("removed pc: pc/1.img has 3 bytes, not 9",)
    assert not (images(store) / "pc").exists()


def _whole_disk(leaf: str) -> Fill:
    def write(where: Path) -> None:
        (where / leaf).mkdir()
        (where / leaf / "disk.json").write_text("{}")

    return write


def test_a_folder_of_images_is_never_replaced_by_an_image(store: Store) -> None:
    store.publish("lab/debian", fill("lab/debian", 1))
    with pytest.raises(UsageError, match="stands in the way"):
        store.publish("lab", _whole_disk("lab"))
    (images(store) / "empty").mkdir()
    with pytest.raises(UsageError, match="is a folder"):
        store.publish("empty", _whole_disk("empty"))
    store.publish("pc", _whole_disk("pc"))
    with pytest.raises(UsageError, match="stands in the way"):
        store.publish("pc/debian", fill("pc/debian", 1))
    with pytest.raises(UsageError, match="stands in the way"):
        store.publish("pc", fill("pc", 1))
    assert [entry.name for entry in store.entries()] == ["lab/debian", "pc"]
    assert rooms(store) == []


def test_an_entry_replaced_while_it_is_locked_is_not_given_out(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.publish("debian", fill("debian", 1))
    real = folder.lock_shared

    def late(path: Path) -> int:
        handle = real(path)
        os.close(handle)
        handle = os.open(path, os.O_RDONLY)
        store.publish("debian", fill("debian", 2))
        return handle

    monkeypatch.setattr(folder, "lock_shared", late)
    with pytest.raises(OgError, match="just replaced"), store.holding("debian"):
        pass


@pytest.mark.parametrize("name", ["", "../etc", "a b", "a/../b", "x.img", ".hidden", "a//b", "é"])
def test_a_name_that_could_lead_elsewhere_is_refused(store: Store, name: str) -> None:
    with pytest.raises(UsageError):
        store.publish(name, fill("debian", 1))
    assert rooms(store) == []


def test_a_failed_fill_leaves_nothing_and_keeps_the_old_version(store: Store) -> None:
    store.publish("debian", fill("debian", 1))

    def broken(where: Path) -> None:
        fill("debian", 2)(where)
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OgError, match="No space") as caught:
        store.publish("debian", broken)
    assert caught.value.code == OgErr.CACHESIZE
    assert held(store) == {"debian": content("debian", 1)}
    assert rooms(store) == []


def test_what_is_not_proven_right_is_refused(store: Store) -> None:
    def torn(where: Path) -> None:
        fill("debian", 1)(where)
        (where / "debian.img").write_bytes(b"an error page with status 200")

    with pytest.raises(ImageError, match=r"full\.sum"):
        store.publish("debian", torn)
    assert store.entries() == ()


def _raw(where: Path) -> None:
    (where / "raw.img").write_bytes(b"x")


def test_without_a_proof_it_is_stored_as_unproven(store: Store) -> None:
    entry = store.publish("raw", _raw)
    assert entry.proof is Proof.UNPROVEN


def test_the_callers_proof_decides(tmp_path: Path) -> None:
    def refuse(head: Path, digests: Mapping[str, StoredFile]) -> Proof:
        assert digests[head.name].size_bytes == head.stat().st_size
        raise ImageError("not signed")

    store = Store(tmp_path, prove=refuse)
    with pytest.raises(ImageError, match="not signed"):
        store.publish("debian", fill("debian", 1))
    assert store.entries() == ()


@pytest.mark.parametrize("stray", ["other.img", "debian.img.exe", "notes"])
def test_files_that_do_not_belong_to_the_image_are_refused(store: Store, stray: str) -> None:
    def write(where: Path) -> None:
        fill("debian", 1)(where)
        (where / stray).write_bytes(b"")

    with pytest.raises(UsageError, match="does not belong"):
        store.publish("debian", write)


def test_links_are_not_stored(store: Store, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    with pytest.raises(OgError):
        store.publish(
            "debian", lambda where: (where / "debian.img").symlink_to(tmp_path / "secret")
        )
    assert rooms(store) == []


def test_a_cache_whose_folders_lead_out_of_it_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "cache/opt").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "cache/opt/opengnsys").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(WriteError, match="is a link"):
        Store(tmp_path / "cache")
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_evicting_removes_every_file_and_frees_the_name(store: Store) -> None:
    store.publish("debian", fill("debian", 1))
    assert store.evict("debian") == sum(map(len, content("debian", 1).values()))
    assert list(images(store).iterdir()) == []
    assert rooms(store) == []
    with pytest.raises(NotFoundError, match="It holds nothing"):
        store.evict("debian")


def test_a_pin_holds_through_a_new_version_and_until_it_is_taken_off(store: Store) -> None:
    store.publish("debian", fill("debian", 1))
    store.pin("debian")
    assert store.publish("debian", fill("debian", 2)).pinned
    with pytest.raises(OgError, match="pinned") as caught:
        store.evict("debian")
    assert caught.value.code == OgErr.LOCKED
    store.unpin("debian")
    store.evict("debian")


def test_what_is_being_restored_is_neither_evicted_nor_replaced(store: Store) -> None:
    store.publish("debian", fill("debian", 1))
    with store.holding("debian") as entry:
        for change in (
            lambda: store.evict("debian"),
            lambda: store.publish("debian", fill("debian", 2)),
        ):
            with pytest.raises(OgError, match="being restored") as caught:
                change()
            assert caught.value.code == OgErr.LOCKED
        assert store.in_use() == {"debian"}
        assert entry.path.read_bytes() == content("debian", 1)["debian.img"]
    assert store.in_use() == frozenset()
    store.publish("debian", fill("debian", 2))


def test_each_use_counts_whatever_the_clock_says(store: Store) -> None:
    for name in ("a", "b", "c"):
        store.publish(name, fill(name, 1))
    with store.holding("a"):
        pass
    order = [entry.name for entry in sorted(store.entries(), key=lambda entry: entry.used)]
    assert order == ["a", "b", "c"], "who only looks uses nothing"
    store.count_use("a")
    order = [entry.name for entry in sorted(store.entries(), key=lambda entry: entry.used)]
    assert order == ["b", "c", "a"]
    store.evict("a")
    store.count_use("b")
    assert [entry.name for entry in sorted(store.entries(), key=lambda e: e.used)] == ["c", "b"]


def test_what_an_older_oglive_stored_is_shown_as_unproven(store: Store) -> None:
    for file, data in content("old", 1).items():
        (images(store) / file).write_bytes(data)
    (entry,) = store.entries()
    assert (entry.name, entry.proof, entry.used) == ("old", Proof.UNPROVEN, 0)
    assert store.recover() == ()
    assert store.check(deep=True) == ()
    assert store.entries()[0].proof is Proof.SUM, "its full.sum was compared"


def test_an_older_oglives_half_download_is_removed_and_told(store: Store) -> None:
    (images(store) / "win.img").write_bytes(b"half")
    (images(store) / "win.img.torrent").write_bytes(b"t")
    (images(store) / "win.img.torrent.bf").write_bytes(b"b")
    assert store.entries() == ()
    (said,) = store.recover()
    assert said.startswith("removed win.img: its download")
    assert list(images(store).iterdir()) == []


def test_files_without_their_image_are_removed_and_told(store: Store) -> None:
    (images(store) / "win.img.full.sum").write_bytes(b"0")
    (images(store) / "notes.txt").write_bytes(b"not ours, not touched")
    assert store.recover() == ("removed win.img.full.sum: its image is gone",)
    assert [path.name for path in images(store).iterdir()] == ["notes.txt"]


def test_what_a_script_copies_into_a_mounted_cache_is_left_alone(store: Store) -> None:
    (images(store) / "win.img.torrent").write_bytes(b"copied first")
    (images(store) / "xp.img").write_bytes(b"under way")
    (images(store) / "xp.img.torrent.bf").write_bytes(b"")
    left = store.root / ".oglive/staging/debian-1234abcd"
    left.mkdir()
    (said,) = store.recover(since_mount=True)
    assert said.startswith("removed what was being stored as debian")
    assert len(list(images(store).iterdir())) == 3
    assert len(store.recover()) == 2


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda path: path.write_bytes(b"short"), "debian.img has 5 bytes"),
        (lambda path: path.with_name("debian.img.json").unlink(), "debian.img.json is missing"),
        (lambda path: path.unlink(), "image file is gone"),
    ],
)
def test_an_entry_that_is_not_whole_is_invisible_and_removed(
    store: Store, damage: object, why: str
) -> None:
    path = store.publish("debian", fill("debian", 1)).path
    damage(path)  # type: ignore[operator]
    assert store.entries() == ()
    (said,) = store.recover()
    assert why in said
    assert list(images(store).iterdir()) == []
    assert store.recover() == ()


def test_a_damaged_record_makes_its_entry_invisible(store: Store) -> None:
    store.publish("debian", fill("debian", 1))
    (store.root / ".oglive/entries/debian.img.json").write_bytes(b"")
    assert store.entries() == ()
    assert store.recover() == ("removed debian.img: its record is damaged",)


def test_a_record_that_names_files_outside_does_no_harm(store: Store, tmp_path: Path) -> None:
    victim = tmp_path / "victim.img"
    victim.write_bytes(b"precious")
    name = "..%2F..%2F..%2F..%2Fvictim.img.json"
    (store.root / ".oglive/entries" / name).write_text("{}")
    store.recover()
    assert victim.read_bytes() == b"precious"


def test_only_a_deep_check_finds_a_changed_byte(store: Store) -> None:
    path = store.publish("debian", fill("debian", 1)).path
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(data)
    assert store.check() == ()
    (said,) = store.check(deep=True)
    assert said == "removed debian: debian.img is not what was stored."
    assert store.entries() == ()
    assert store.check(deep=True) == ()


def test_what_another_process_is_storing_is_left_alone(store: Store) -> None:
    inside = []

    def slow(where: Path) -> None:
        inside.append(Store(store.root).recover())
        fill("debian", 1)(where)

    store.publish("debian", slow)
    assert inside == [()]
    assert held(store) == {"debian": content("debian", 1)}


def test_what_a_dead_process_was_storing_is_removed_and_told(store: Store) -> None:
    left = store.root / ".oglive/staging/lab%2Fdebian-1234abcd/files"
    left.mkdir(parents=True)
    (left / "debian.img").write_bytes(bytes(2048))
    assert store.recover() == ("removed what was being stored as lab/debian (2.0 KiB)",)


def test_room_names_what_must_go(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    size = store.publish("debian", fill("debian", 1)).size_bytes
    monkeypatch.setattr(folder.Folder, "free_bytes", lambda _: 2 * MIB)
    assert store.room_for(MIB // 2).verdict is Verdict.FITS
    room = store.room_for(MIB - 1024 + size // 2)
    assert (room.verdict, room.evict) == (Verdict.AFTER_EVICTING, ("debian",))
    assert store.room_for(5 * MIB).verdict is Verdict.NEVER


class Disk:
    """A cache of a few MiB in which every entry counts as large as its index says."""

    def __init__(self, store: Store, monkeypatch: pytest.MonkeyPatch, junk_mib: int = 0) -> None:
        self.store = store
        self.junk = junk_mib * MIB
        self.formatted = 0
        real = Store.entries
        monkeypatch.setattr(
            Store,
            "entries",
            lambda own: tuple(replace(entry, size_bytes=10 * MIB) for entry in real(own)),
        )
        monkeypatch.setattr(folder.Folder, "size_bytes", lambda _: 100 * MIB)
        monkeypatch.setattr(folder.Folder, "free_bytes", lambda _: self.free())

    def free(self) -> int:
        return 100 * MIB - self.junk - 10 * MIB * len(self.store.entries())

    def format(self) -> None:
        self.formatted += 1
        self.junk = 0
        for entry in self.store.entries():
            entry.path.unlink()
        self.store.recover()


def three(store: Store) -> None:
    for name in ("a", "b", "c"):
        store.publish(name, fill(name, 1))


def test_none_refuses_naming_both_numbers(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    three(store)
    disk = Disk(store, monkeypatch)
    with pytest.raises(OgError, match=r"\(76619776 bytes\).*\(73400320 bytes\) are free") as caught:
        make_room(store, 72 * MIB, WhenFull.NONE, reformat=disk.format)
    assert caught.value.code == OgErr.CACHESIZE
    assert len(store.entries()) == 3


@pytest.mark.parametrize("policy", [WhenFull.FORMAT, WhenFull.DELETE])
def test_as_few_as_needed_are_evicted_and_nothing_is_formatted(
    store: Store, monkeypatch: pytest.MonkeyPatch, policy: WhenFull
) -> None:
    three(store)
    disk = Disk(store, monkeypatch)
    said = make_room(store, 75 * MIB, policy, reformat=disk.format)
    assert len(said) == 1
    assert said[0].startswith("evicted a (")
    assert [entry.name for entry in store.entries()] == ["b", "c"]
    assert disk.formatted == 0


def test_format_formats_only_where_evicting_is_too_little_and_says_so(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    three(store)
    disk = Disk(store, monkeypatch, junk_mib=50)
    said = make_room(store, 75 * MIB, WhenFull.FORMAT, reformat=disk.format)
    assert disk.formatted == 1
    assert any("formatted the cache" in line for line in said)
    assert store.entries() == ()


def test_delete_never_formats(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    three(store)
    disk = Disk(store, monkeypatch, junk_mib=50)
    with pytest.raises(OgError) as caught:
        make_room(store, 75 * MIB, WhenFull.DELETE, reformat=disk.format)
    assert caught.value.code == OgErr.CACHESIZE
    assert (disk.formatted, len(store.entries())) == (0, 3)


def test_a_pin_is_never_lost_to_make_room(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    three(store)
    store.pin("b")
    disk = Disk(store, monkeypatch, junk_mib=50)
    with pytest.raises(OgError, match="b must stay") as caught:
        make_room(store, 75 * MIB, WhenFull.FORMAT, reformat=disk.format)
    assert caught.value.code == OgErr.CACHESIZE
    assert (disk.formatted, len(store.entries())) == (0, 3)


def test_nothing_is_lost_for_an_image_larger_than_the_cache(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    three(store)
    disk = Disk(store, monkeypatch)
    with pytest.raises(OgError, match="not even an empty cache"):
        make_room(store, 200 * MIB, WhenFull.FORMAT, reformat=disk.format)
    assert (disk.formatted, len(store.entries())) == (0, 3)


def test_a_lock_ends_with_the_process_that_held_it(store: Store) -> None:
    path = store.publish("debian", fill("debian", 1)).path
    child = os.fork()
    if not child:
        handle = os.open(path, os.O_RDONLY)
        fcntl.flock(handle, fcntl.LOCK_SH)
        os._exit(0)
    os.waitpid(child, 0)
    store.evict("debian")


def test_a_check_removes_no_version_that_it_did_not_read(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.publish("debian", fill("debian", 1))
    path = store.entry("debian").path
    path.write_bytes(b"X" * path.stat().st_size)
    real = proof.digests_of

    def slow(where: Path, names: list[str]) -> dict[str, StoredFile]:
        found = real(where, names)
        Store(tmp_path).publish("debian", fill("debian", 2))
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("oglib.cache.recover.digests_of", slow)
        assert store.check(deep=True) == ()
    assert held(store) == {"debian": content("debian", 2)}


def test_a_link_planted_in_the_cache_is_not_written_through(store: Store, tmp_path: Path) -> None:
    store.publish("debian", fill("debian", 1))
    outside = tmp_path / "outside"
    outside.write_text("not ours")
    state = store.root / ".oglive/state"
    (state / ".debian.img.json.part").symlink_to(outside)
    store.pin("debian")
    assert outside.read_text() == "not ours"
    assert store.entry("debian").pinned
    assert not (state / "debian.img.json").is_symlink()


def test_a_record_that_cannot_be_read_now_costs_no_entry(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.publish("debian", fill("debian", 1))
    store.pin("debian")

    def refused(*_: object, **__: object) -> bytes:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    with monkeypatch.context() as patched:
        patched.setattr("oglib.cache.record.read_whole", refused)
        for ask in (store.recover, store.entries):
            with pytest.raises(OgError, match="Too many open files"):
                ask()
    assert [(entry.name, entry.pinned) for entry in store.entries()] == [("debian", True)]
