# SPDX-License-Identifier: GPL-3.0-or-later
"""`image/compare` finds each single difference, names it, and calls nothing else a difference."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from ogimage.artefacts import INITRD, KERNEL, ROOT, sha256_of
from ogimage.compare import compared
from ogimage.packing import archive_of_files, padded, write_archive_of_tree
from ogimage.shell import BuildError, run

DATE = 1_735_689_600
COMPARE = Path(__file__).resolve().parents[3] / "image/compare"


class Build:
    """A small build: its folder, made of two trees as `image/build` makes it."""

    def __init__(self, top: Path) -> None:
        self.folder, self.root, self.stage = (top / n for n in ("version", "root", "stage"))
        for tree in (self.root, self.stage):
            (tree / "usr/bin").mkdir(parents=True)
            (tree / "usr/bin/tool").write_text("tool")
            (tree / "usr/bin/with space -> x").write_text("odd")
            (tree / "bin").symlink_to("usr/bin")
        self.folder.mkdir()
        self.packages = [{"name": "bash", "version": "5.2"}, {"name": "zstd", "version": "1.5"}]
        self.release = "VERSION=1\n"
        self.extra: dict[str, str] = {}
        self.owner_options = ["-all-root"]
        self.squash_options: list[str] = []
        self.dates: dict[Path, int] = {}

    def made(self) -> Path:
        for tree in (self.root, self.stage):
            for path in (*tree.rglob("*"), tree):
                date = self.dates.get(path, DATE)
                os.utime(path, (date, date), follow_symlinks=False)
        (self.folder / KERNEL).write_bytes(bytes(5000))
        options = [
            *self.owner_options,
            *self.squash_options,
            "-noappend",
            "-quiet",
            "-no-progress",
            "-comp",
            "zstd",
        ]
        options += ["-processors", "1"]
        stamp = {"SOURCE_DATE_EPOCH": str(DATE)}
        options += [*self.owner_options, *self.squash_options]
        run(["mksquashfs", self.root, self.folder / ROOT, *options], env=stamp)
        cpio = self.stage.with_suffix(".cpio")
        write_archive_of_tree(self.stage, cpio, DATE)
        packed = subprocess.run(["zstd", "-q", "-c", cpio], check=True, capture_output=True).stdout
        small = archive_of_files({"etc/oglive/release": self.release.encode()})
        (self.folder / INITRD).write_bytes(padded(packed) + small)
        manifest = {"version": "1", "packages": self.packages, **self.extra}
        (self.folder / "manifest.json").write_text(json.dumps(manifest))
        names = (KERNEL, INITRD, ROOT)
        sums = "".join(f"{sha256_of(self.folder / n)}  {n}\n" for n in names)
        (self.folder / "SHA256SUMS").write_text(sums)
        return self.folder


@pytest.fixture
def builds(tmp_path: Path) -> tuple[Build, Build]:
    return Build(tmp_path / "one"), Build(tmp_path / "deeper/other")


def differences(builds: tuple[Build, Build]) -> list[str]:
    return [line.strip() for line in compared(builds[0].made(), builds[1].made())]


def test_equal_builds_are_equal(builds: tuple[Build, Build]) -> None:
    assert differences(builds) == []


def relinked(path: Path, target: str) -> None:
    path.unlink()
    path.symlink_to(target)


Change = Callable[[Build], object]
IN_ROOT: dict[str, tuple[Change, str]] = {
    "content": (
        lambda b: (b.root / "usr/bin/tool").write_text("TOOL"),
        "content of usr/bin/tool: ",
    ),
    "one file more": (
        lambda b: (b.root / "usr/new").touch(),
        "only in the second: usr/new",
    ),
    "a file less": (
        lambda b: (b.root / "usr/bin/tool").unlink(),
        "only in the first: usr/bin/tool",
    ),
    "mode": (
        lambda b: (b.root / "usr/bin/tool").chmod(0o4755),
        "mode of usr/bin/tool: -rw-r--r-- and -rwsr-xr-x",
    ),
    "sticky folder": (
        lambda b: (b.root / "usr/bin").chmod(0o1777),
        "mode of usr/bin: drwxr-xr-x and drwxrwxrwt",
    ),
    "owner": (
        lambda b: setattr(b, "owner_options", ["-force-uid", "7", "-force-gid", "9"]),
        "owner of usr/bin/tool: 0/0 and 7/9",
    ),
    "date": (
        lambda b: b.dates.update({b.root / "usr/bin/tool": DATE - 86_400}),
        "date of usr/bin/tool: 2025-01-01 00:00 and 2024-12-31 00:00",
    ),
    "target of a link": (
        lambda b: relinked(b.root / "bin", "usr/sbin"),
        "content of bin: usr/bin and usr/sbin",
    ),
    "a name with a space and an arrow": (
        lambda b: (b.root / "usr/bin/with space -> x").write_text("ODD"),
        "content of usr/bin/with space -> x: ",
    ),
    "kind": (
        lambda b: relinked(b.root / "usr/bin/tool", "other"),
        "mode of usr/bin/tool: -rw-r--r-- and lrwxrwxrwx",
    ),
}


@pytest.mark.parametrize("kind", IN_ROOT)
def test_each_kind_of_difference_in_the_root_is_found(
    builds: tuple[Build, Build], kind: str
) -> None:
    change, told = IN_ROOT[kind]
    change(builds[1])
    found = differences(builds)
    assert found[0] == "SHA256SUMS differs"
    assert f"{ROOT} differs" in found
    assert f"{INITRD} differs" not in found
    assert any(line.startswith(told) for line in found), found


def test_the_first_stage_and_the_archive_behind_it(builds: tuple[Build, Build]) -> None:
    (builds[1].stage / "usr/bin/tool").write_text("TOOL")
    (builds[1].stage / "usr/bin/tool").chmod(0o700)
    builds[1].release = "VERSION=2\n"
    found = differences(builds)
    assert f"{ROOT} differs" not in found
    assert "mode of usr/bin/tool: -rw-r--r-- and -rwx------" in found
    assert any(line.startswith("content of usr/bin/tool: ") for line in found)
    behind = "content of etc/oglive/release (archive behind): "
    assert any(line.startswith(behind) for line in found)


def test_other_packages_are_told_first(builds: tuple[Build, Build]) -> None:
    builds[1].packages = [{"name": "bash", "version": "5.3"}, {"name": "xz", "version": "5"}]
    builds[1].extra = {"source": "abc"}
    assert differences(builds) == [
        "manifest.json differs",
        "other package bash: 5.2 and 5.3",
        "other package xz: not there and 5",
        "other package zstd: 1.5 and not there",
        "source: None and abc",
    ]


def test_the_same_files_packed_otherwise_are_not_the_same(builds: tuple[Build, Build]) -> None:
    builds[1].squash_options = ["-b", "64K"]
    found = differences(builds)
    assert any("packed otherwise: from byte " in line for line in found), found


def test_other_files_are_told_by_their_first_byte(builds: tuple[Build, Build]) -> None:
    one, other = (build.made() for build in builds)
    (other / KERNEL).write_bytes(bytes(4000) + b"x" + bytes(1000))
    (other / "more").touch()
    found = [line.strip() for line in compared(one, other)]
    assert f"{other} alone has more" in found
    assert "from byte 4000 on; 5000 and 5001 bytes" in found


def test_many_differences_are_counted(builds: tuple[Build, Build]) -> None:
    for number in range(50):
        (builds[1].root / f"file{number:02}").touch()
    found = differences(builds)
    assert "only in the second: 30 more" in found
    assert len(found) < 40


def test_what_is_no_build_or_damaged_is_refused(builds: tuple[Build, Build]) -> None:
    one, other = (build.made() for build in builds)
    with pytest.raises(BuildError, match="no built ogLive"):
        list(compared(one, other.parent))
    (other / INITRD).write_bytes((one / INITRD).read_bytes()[:60])
    with pytest.raises(BuildError, match="ends early"):
        list(compared(one, other))
    (other / INITRD).write_bytes(b"nothing of the kind")
    with pytest.raises(BuildError, match="zstd frame"):
        list(compared(one, other))


def test_the_command_answers_by_its_exit_code(builds: tuple[Build, Build]) -> None:
    one, other = (build.made() for build in builds)

    def asked(*folders: Path) -> tuple[int, str]:
        done = subprocess.run([COMPARE, *folders], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    assert asked(one, other)[0] == 0
    assert "the same to the last bit: 5 files" in asked(one, other)[1]
    (other / KERNEL).write_bytes(b"other")
    assert asked(one, other)[0] == 1
    assert asked(one, other.parent)[0] == 2
