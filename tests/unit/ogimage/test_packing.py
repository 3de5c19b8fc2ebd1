# SPDX-License-Identifier: GPL-3.0-or-later
"""The first stage's archive: the same bytes for the same files, wherever and whenever they lie."""

from __future__ import annotations

import os
import shutil
import subprocess
from io import BytesIO
from pathlib import Path

import pytest
from ogimage.packing import archive_of_files, members_of, write_archive_of_tree
from ogimage.shell import BuildError

DATE = 1_735_689_600
FILES = [f"usr/lib/modules/m{number:02}.ko" for number in range(40)]


def tree(top: Path, names: list[str], date: int) -> Path:
    for name in names:
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_bytes(name.encode())
    (top / "bin").symlink_to("usr/bin")
    for path in (*top.rglob("*"), top):
        os.utime(path, (date, date), follow_symlinks=False)
    return top


def archive(top: Path, file: Path) -> bytes:
    write_archive_of_tree(top, file, DATE)
    return file.read_bytes()


def test_order_inodes_place_and_day_of_the_files_do_not_matter(tmp_path: Path) -> None:
    one = archive(tree(tmp_path / "one", FILES, DATE + 5), tmp_path / "one.cpio")
    again = tree(tmp_path / "deeper/other", FILES[::-1], DATE + 86_400)
    shutil.move(again / FILES[7], tmp_path / "aside")  # gets another place in its folder
    shutil.move(tmp_path / "aside", again / FILES[7])
    os.utime(again / "usr/lib/modules", (DATE + 9, DATE + 9))
    assert archive(again, tmp_path / "other.cpio") == one


def test_what_is_written_is_read(tmp_path: Path) -> None:
    top = tree(tmp_path / "one", FILES, DATE - 5)
    (top / FILES[0]).chmod(0o755)
    stream = BytesIO(archive(top, tmp_path / "one.cpio") + b"behind")
    found = {member.name: member for member in members_of(stream)}
    assert sorted(found) == sorted(os.fspath(p.relative_to(top)) for p in top.rglob("*"))
    assert found["bin"].content == b"usr/bin"
    assert found[FILES[0]].mode == 0o100755
    assert found[FILES[1]].content == FILES[1].encode()
    assert {(m.uid, m.gid) for m in found.values()} == {(0, 0)}
    assert found[FILES[2]].mtime == DATE - 5
    assert stream.read() == b"behind"


@pytest.mark.skipif(not shutil.which("cpio"), reason="cpio is not installed")
def test_cpio_reads_both_kinds(tmp_path: Path) -> None:
    both = {
        "tree": archive(tree(tmp_path / "one", FILES, DATE), tmp_path / "one.cpio"),
        "files": archive_of_files({"etc/oglive/release": b"VERSION=1\n", "odd": b"xyz"}),
    }
    for name, data in both.items():
        out = tmp_path / f"out-{name}"
        out.mkdir()
        argv = ["cpio", "--extract", "--quiet", "--make-directories"]
        subprocess.run(argv, cwd=out, input=data, check=True)
    assert (tmp_path / "out-tree/bin").readlink() == Path("usr/bin")
    assert (tmp_path / "out-tree" / FILES[3]).read_bytes() == FILES[3].encode()
    assert (tmp_path / "out-files/etc/oglive/release").read_bytes() == b"VERSION=1\n"


def test_what_the_first_stage_cannot_hold_is_refused(tmp_path: Path) -> None:
    top = tree(tmp_path / "one", FILES, DATE)
    os.mkfifo(top / "pipe")
    with pytest.raises(BuildError, match="pipe is neither"):
        archive(top, tmp_path / "one.cpio")


@pytest.mark.parametrize("cut", [0, 50, 111, 118])
def test_a_damaged_archive_is_told(cut: int) -> None:
    data = archive_of_files({"a": b"content"})
    with pytest.raises(BuildError, match="ends early"):
        list(members_of(BytesIO(data[:cut])))
