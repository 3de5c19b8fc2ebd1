# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders of Clonezilla and FOG made by somebody who means harm.

An ``OgError`` or a result, in bounded time, and never a byte that stands outside of the folder.
"""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import trying
from fuzz.seeds import plain, spoiled
from fuzz.test_texts import FOLDERS, written
from oglib.errors import ImageError, OgError
from oglib.image.reading.formats.folders.folder import (
    FolderImage,
    describe_folder,
    folder_image,
    is_folder_image,
)
from oglib.image.reading.formats.folders.table_dump import parse_dump

_SECRET = b'UUID="5ec2e700-0000-4000-8000-000000000000" sda1 /dev/sda7 5ec2e700 \n'
_MOST_S = 60  # the slowest takes a tenth of a second; what is quadratic takes hours
_MOST_TEXT = 1 << 20
_ODD = (
    "..",
    "-rf",
    "a\nb",
    "$(id)",
    "sda1.ext4-ptcl-img.aa\n",
    "*",
    "\u0661",
    "d1p\u0661.img",
    "%s",
)


@contextmanager
def in_time() -> Iterator[None]:
    """Fails where a reader waits or computes for ever."""

    def hanging(*_: object) -> None:
        raise AssertionError(f"nothing came of it in {_MOST_S} s")

    before = signal.signal(signal.SIGALRM, hanging)
    signal.alarm(_MOST_S)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def attempt(folder: Path) -> FolderImage | None:
    """All that is read of a folder before anything is written; None where it is refused."""
    found = None
    with in_time():
        with suppress(OgError):
            describe_folder(folder)
        with suppress(OgError):
            found = folder_image(folder)
            for number in found.parts:
                with suppress(OgError):
                    found.open_part(number, workers=1).close()
    if found:
        assert all(one.parent == folder for part in found.parts.values() for one in part.volumes)
        assert "5ec2e700" not in repr(found), "something outside of the folder was read"
    return found


def new_name(kind: str) -> st.SearchStrategy[bytes]:
    """Names that look like those of the format, and names that a filesystem just takes."""
    devices = ("sda", "nvme0n1p", "..", "mapper", "d1p", "d10p", "d")
    numbers = ("", "0", "1", "01", "255", "9" * 200, "\u0661")
    tails = (
        (".ext4-ptcl-img.gz", ".ext4-ptcl-img.zst.aa", ".dd-img", ".000", "-pt.sf", "-gpt.gdisk")
        if kind == "clonezilla"
        else (".img", ".img.000", ".img.00", ".lvm", ".vg-root.img", ".mbr", ".partitions")
    )
    like = st.tuples(*map(st.sampled_from, (devices, numbers, tails))).map("".join)
    raw = st.binary(min_size=1, max_size=60).filter(
        lambda name: not {0, ord("/")} & set(name) and name not in {b".", b".."}
    )
    return (like | st.sampled_from(_ODD[1:])).map(os.fsencode) | raw


def put_in_place(path: Path, what: str, outside: Path) -> None:
    """Instead of what was at ``path``: a FIFO, a folder, a link that leaves, a hole."""
    with suppress(FileNotFoundError):
        path.unlink()
    match what:
        case "fifo":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
        case "link":
            path.symlink_to(outside)
        case "dangling":
            path.symlink_to("/nowhere/at/all")
        case "loop":
            path.symlink_to(path.name)
        case "endless":
            path.symlink_to("/dev/zero")
        case "big":
            with path.open("wb") as file:
                file.truncate(1 << 40)
        case "empty":
            path.write_bytes(b"")


PLACED = ("fifo", "folder", "link", "dangling", "loop", "endless", "big", "empty", "missing")


@pytest.mark.parametrize("kind", FOLDERS)
@given(data=st.data())
def test_hostile_folders(kind: str, data: st.DataObject) -> None:
    files = {os.fsencode(name): raw for name, raw in FOLDERS[kind].items()}
    for name in data.draw(st.lists(new_name(kind), max_size=4)):
        files[name] = data.draw(st.sampled_from((b"", plain(), *FOLDERS[kind].values())))
    for name in data.draw(st.lists(st.sampled_from(sorted(files)), max_size=3)):
        files[name] = data.draw(spoiled(files[name]) | st.binary(max_size=80))
    odd = data.draw(
        st.dictionaries(st.sampled_from(sorted(files)), st.sampled_from(PLACED), max_size=3)
    )
    with tempfile.TemporaryDirectory() as above:
        (outside := Path(above) / "outside").write_bytes(_SECRET)
        (folder := Path(above) / "image").mkdir()
        for name, raw in files.items():
            with suppress(FileExistsError):
                (folder / os.fsdecode(name)).write_bytes(raw)
        for name, what in odd.items():
            put_in_place(folder / os.fsdecode(name), what, outside)
        attempt(folder)


@pytest.mark.parametrize("what", PLACED)
@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind in FOLDERS for name in FOLDERS[kind]]
)
def test_each_file_replaced(tmp_path: Path, kind: str, name: str, what: str) -> None:
    """Each in turn: chance may miss the one that hangs."""
    (outside := tmp_path / "outside").write_bytes(_SECRET)
    (folder := tmp_path / "image").mkdir()
    written(folder, FOLDERS[kind])
    put_in_place(folder / name, what, outside)
    found = attempt(folder)
    # What leaves the folder or is no file is said, wherever it would be read.
    read = name != "clonezilla-img"
    if found and read and what in {"fifo", "folder", "link", "endless"}:
        assert not found.parts, "an image of which a piece is no file of the folder was taken"


@pytest.mark.parametrize("kind", FOLDERS)
def test_a_linked_volume_is_not_read(tmp_path: Path, kind: str) -> None:
    (outside := tmp_path / "outside").write_bytes(plain())
    (folder := tmp_path / "image").mkdir()
    written(folder, FOLDERS[kind])
    first = next(folder.glob("*1.*img*"))
    for number, suffix in enumerate(("aa", "ab") if kind == "clonezilla" else ("000", "001")):
        volume = folder / f"{first.name}.{suffix}"
        volume.symlink_to(outside) if number else first.rename(volume)
    with pytest.raises(ImageError, match="not a regular file"):
        folder_image(folder)
    assert "not a regular file" in describe_folder(folder).damage


def test_a_gpt_that_is_linked_from_elsewhere_is_refused(tmp_path: Path) -> None:
    (outside := tmp_path / "outside").write_bytes(_SECRET)
    (folder := tmp_path / "image").mkdir()
    written(folder, FOLDERS["clonezilla"])
    (folder / "sda-gpt.gdisk").symlink_to(outside)
    with pytest.raises(ImageError, match="not a regular file"):
        folder_image(folder)


def test_a_folder_may_be_reached_by_a_link(tmp_path: Path) -> None:
    (folder := tmp_path / "image").mkdir()
    written(folder, FOLDERS["clonezilla"])
    (link := tmp_path / "link").symlink_to(folder)
    assert list(folder_image(link).parts) == [1]


def _filled(unit: bytes, before: bytes = b"", after: bytes = b"") -> bytes:
    most = _MOST_TEXT // trying.share()
    return before + unit * ((most - len(before) - len(after)) // len(unit)) + after


_ROW = b"label: gpt\n/dev/sda1 : start=1, "
_MANY_NAMES = b" ".join(b"x%dp1" % number for number in range(100_000 // trying.share()))
_FLOODS = {
    "lines": _filled(b"\n"),
    "blanks": _filled(b" "),
    "digits": _filled(b"1"),
    "letters": _filled(b"a"),
    "quotes": _filled(b'UUID="'),
    "a long name": _filled(b"1", b"sda"),
    "p and digits": _filled(b"1p"),
    "names": _MANY_NAMES,
    "a row of blanks": _filled(b" ", _ROW, b"!"),
    "a row of letters": _filled(b"a", _ROW, b"!"),
    "a row of quotes": _filled(b'"', _ROW + b"name=", b"!"),
    "rows": b"label: gpt\n" + _filled(b"/dev/sda1 : start=1, size=0, aaaaaaaaaaaaaaaaaaaaaaaaa!\n"),
    "colons": _filled(b":"),
    "swaps": _filled(b"sda\n", after=b"!"),
    "kinds": _filled(b"1\n"),
    "too much": bytes(_MOST_TEXT + 1),
}


@pytest.mark.parametrize("flood", _FLOODS)
@pytest.mark.parametrize("kind", FOLDERS)
def test_floods_end_soon(tmp_path: Path, kind: str, flood: str) -> None:
    """A megabyte of what a pattern may choke on, in each text in turn, and in all that name."""
    texts = [name for name, raw in FOLDERS[kind].items() if len(raw) < 1000]
    for name in texts:
        files = {**FOLDERS[kind], name: _FLOODS[flood]}
        attempt(written(tmp_path, files))
        if name == "disk":
            attempt(written(tmp_path, {**files, "parts": _FLOODS[flood]}))
        written(tmp_path, FOLDERS[kind])


def test_many_volumes_and_partitions(tmp_path: Path) -> None:
    files = {**FOLDERS["fog"], **{f"d1p{number}.img": plain() for number in range(1, 400)}}
    files |= {f"d1p1.img.{number:03}": plain() for number in range(1000)}
    found = attempt(written(tmp_path, files))
    assert found is None or len(found.parts) == 399


def test_another_disk_is_not_this_ones(tmp_path: Path) -> None:
    files = {**FOLDERS["fog"], "d10.mbr": bytes(512), "d10p3.lvm": b"", "d1p4.lvm": b""}
    assert folder_image(written(tmp_path, files)).unserved == ("d1p4.lvm",)


@given(spoiled(FOLDERS["fog"]["d1.partitions"]) | st.binary(max_size=300))
def test_a_dump_of_a_table(raw: bytes) -> None:
    with suppress(ImageError):
        table = parse_dump(raw.decode("utf-8", "replace"))
        assert table.rows
        assert 0 < table.packed_bytes <= 1 << 80
        assert table.disk_bytes < 1 << 80
        assert len({row.number for row in table.rows}) == len(table.rows)


@given(st.sets(st.text(max_size=20) | new_name("fog").map(os.fsdecode)))
def test_no_names_crash_the_recognition(names: set[str]) -> None:
    from oglib.image.reading.formats.folders import clonezilla, fog

    for one in (clonezilla, fog):
        assert one.is_one(names) in {True, False}


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    assert not is_folder_image(tmp_path)
    assert attempt(tmp_path / "nothing") is None
