# SPDX-License-Identifier: GPL-3.0-or-later
"""A hostile tree: nothing outside the root is read or written, nothing hangs."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from oglib.errors import OgError, WriteError
from oglib.osconfig import inside
from oglib.osconfig.root import TargetRoot


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "secret").write_text("host\n")
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    (root / "etc/hostname").write_text("old\n")
    return root


def test_read_write_remove(tree: Path) -> None:
    with TargetRoot(tree) as root:
        assert root.read_bytes("etc/hostname") == b"old\n"
        assert root.read_bytes("/etc/hostname") == b"old\n"
        root.write_bytes("etc/hostname", b"new\n")
        root.write_bytes("etc/fresh", b"x", mode=0o600)
        assert root.exists("etc/fresh")
        assert root.remove("etc/fresh")
        assert not root.remove("etc/fresh")
    assert (tree / "etc/hostname").read_text() == "new\n"
    assert os.listdir(tree / "etc") == ["hostname"]  # noqa: PTH208


def test_mode_and_attributes_of_a_replaced_file_stay(tree: Path) -> None:
    path = tree / "etc/hostname"
    path.chmod(0o4640)
    os.setxattr(path, "user.label", b"kept")
    with TargetRoot(tree) as root:
        root.write_bytes("etc/hostname", b"new\n")
    assert path.stat().st_mode & 0o7777 == 0o640  # a set-user-id bit does not survive new content
    assert os.getxattr(path, "user.label") == b"kept"


def test_bytes_that_are_no_utf8_survive(tree: Path) -> None:
    (tree / "etc/odd").write_bytes(b"a\xff\n")
    with TargetRoot(tree) as root:
        root.write_bytes("etc/odd", root.read_bytes("etc/odd") + b"b\n")
    assert (tree / "etc/odd").read_bytes() == b"a\xff\nb\n"


@pytest.mark.parametrize("target", ["{secret}", "../../secret", "../../../../../../{secret}"])
def test_a_link_to_the_host_is_replaced_and_its_target_untouched(tree: Path, target: str) -> None:
    secret = tree.parent / "secret"
    (tree / "etc/hostname").unlink()
    (tree / "etc/hostname").symlink_to(target.format(secret=secret))
    with TargetRoot(tree) as root:
        with pytest.raises(FileNotFoundError):
            root.read_bytes("etc/hostname")
        assert not root.exists("etc/hostname")
        root.write_bytes("etc/hostname", b"new\n")
    assert secret.read_text() == "host\n"
    assert not (tree / "etc/hostname").is_symlink()
    assert (tree / "etc/hostname").read_text() == "new\n"


def test_a_folder_that_is_a_link_to_the_host_leads_into_the_root(tree: Path) -> None:
    outside = tree.parent / "outside"
    outside.mkdir()
    (tree / "var").symlink_to(outside)
    with TargetRoot(tree) as root:
        with pytest.raises(WriteError, match="cannot be written"):
            root.write_bytes("var/file", b"x")
        assert not root.remove("var/file")
    assert list(outside.iterdir()) == []


def test_an_absolute_link_inside_the_root_works(tree: Path) -> None:
    (tree / "usr/lib").mkdir(parents=True)
    (tree / "usr/lib/os-release").write_text("ID=debian\n")
    (tree / "etc/os-release").symlink_to("/usr/lib/os-release")
    with TargetRoot(tree) as root:
        assert root.read_bytes("etc/os-release") == b"ID=debian\n"
        assert root.is_regular("usr/lib/os-release")
        assert not root.is_regular("etc/os-release")


def test_removing_a_link_leaves_its_target(tree: Path) -> None:
    secret = tree.parent / "secret"
    (tree / "etc/link").symlink_to(secret)
    with TargetRoot(tree) as root:
        assert root.remove("etc/link")
    assert secret.exists()


@pytest.mark.timeout(20)
def test_a_named_pipe_neither_hangs_nor_is_read(tree: Path) -> None:
    os.mkfifo(tree / "etc/pipe")
    with TargetRoot(tree) as root:
        with pytest.raises(OgError, match="not a regular file"):
            root.read_bytes("etc/pipe")
        root.write_bytes("etc/pipe", b"now a file\n")
    assert (tree / "etc/pipe").is_file()


def test_folders_and_huge_files_are_not_read(tree: Path) -> None:
    os.truncate(tree / "etc/hostname", 1024**3)
    with TargetRoot(tree) as root:
        with pytest.raises(OgError, match="too large"):
            root.read_bytes("etc/hostname")
        with pytest.raises(OgError, match="not a regular file"):
            root.read_bytes("etc")


def test_links_in_a_tree_are_found_without_following_them(tree: Path) -> None:
    (tree / "boot/grub/fonts").mkdir(parents=True)
    (tree / "boot/grub/fonts/a.pf2").symlink_to("/etc/shadow")
    (tree / "boot/grub/loop").symlink_to("..")
    (tree / "boot/grub/grub.cfg").write_text("")
    with TargetRoot(tree) as root:
        assert root.irregular_below("boot/grub") == ["boot/grub/fonts/a.pf2", "boot/grub/loop"]
        assert root.is_directory("boot/grub")
        assert not root.is_directory("boot/grub/loop")
        assert not root.is_directory("boot/grub/grub.cfg")
        assert root.names("boot/grub") == ["fonts", "grub.cfg", "loop"]


def test_a_root_that_is_not_there() -> None:
    with pytest.raises(OgError, match="is not a mounted system"):
        TargetRoot(Path("/nonexistent"))


def test_names_are_found_without_regard_to_case(tree: Path) -> None:
    with TargetRoot(tree) as root:
        assert root.spelled("ETC/HostName") == "etc/hostname"
        assert root.spelled("etc/none/hostname") == ""
        (tree / "ETC").mkdir()
        assert root.spelled("ETC") == "ETC"  # an exact match wins
        (tree / "etc/link").symlink_to("/nowhere")
        assert root.spelled("etc/LINK") == ""


def test_a_folder_as_a_root_of_its_own(tree: Path) -> None:
    (tree / "etc/up").symlink_to("../../secret")
    (tree / "out").symlink_to(tree.parent)
    with TargetRoot(tree) as root:
        assert root.below("out") is None
        assert root.below("etc/hostname") is None
        inner = root.below("etc")
        assert inner is not None
        with inner:
            assert inner.read_bytes("hostname") == b"old\n"
            assert not inner.exists("up")
            assert not inner.exists("../etc/../../secret")


def test_the_head_of_a_large_file(tree: Path) -> None:
    with (tree / "large").open("wb") as file:
        file.write(b"begin")
        file.truncate(1 << 40)
    with TargetRoot(tree) as root:
        assert root.read_head("large", 7) == b"begin\0\0"
        with pytest.raises(FileNotFoundError):
            root.read_head("none", 1)


def test_copies_of_regular_files_up_to_a_limit(tree: Path, tmp_path: Path) -> None:
    os.mkfifo(tree / "pipe")
    (tree / "out").symlink_to(tree.parent / "secret")
    with TargetRoot(tree) as root, (tmp_path / "copy").open("wb") as copy:
        assert root.copy_to("etc/hostname", copy) == 4
        with pytest.raises(OgError, match="4 bytes: too large"):
            root.copy_to("etc/hostname", copy, limit_bytes=3)
        with pytest.raises(OgError, match="not a regular file"):
            root.copy_to("pipe", copy)
        with pytest.raises(FileNotFoundError):
            root.copy_to("out", copy)
    assert (tmp_path / "copy").read_text() == "old\n"


def test_a_copy_that_has_no_room(tree: Path) -> None:
    with (
        TargetRoot(tree) as root,
        Path("/dev/full").open("wb", buffering=0) as full,
        pytest.raises(WriteError, match="cannot be copied"),
    ):
        root.copy_to("etc/hostname", full)


QUESTIONS: list[Callable[[TargetRoot], object]] = [
    lambda root: root.exists("etc"),
    lambda root: root.is_directory("etc"),
    lambda root: root.below("etc"),
    lambda root: root.is_regular("etc"),
    lambda root: root.names("etc"),
    lambda root: root.irregular_below("etc"),
    lambda root: root.spelled("etc"),
    lambda root: root.folder_path("etc"),
    lambda root: root.holds_mount("etc"),
]


def answering(monkeypatch: pytest.MonkeyPatch, *numbers: int) -> list[str]:
    """The kernel answers every opening with these errors in turn, then as it does; the names."""
    asked: list[str] = []
    kernel, left = inside._openat2, list(numbers)

    def answer(root_fd: int, name: str, how: inside._OpenHow) -> tuple[int, int]:
        asked.append(name)
        return (left.pop(0), -1) if left else kernel(root_fd, name, how)

    monkeypatch.setattr(inside, "_openat2", answer)
    return asked


@pytest.mark.parametrize("ask", QUESTIONS)
@pytest.mark.parametrize(
    "number", [errno.EIO, errno.EACCES, errno.ENOMEM, errno.EMFILE, errno.EUCLEAN, errno.EXDEV]
)
def test_what_cannot_be_read_is_no_absence(
    tree: Path, monkeypatch: pytest.MonkeyPatch, ask: Callable[[TargetRoot], object], number: int
) -> None:
    answering(monkeypatch, *[number] * 9)
    with TargetRoot(tree) as root, pytest.raises(OgError) as caught:
        ask(root)
    assert os.strerror(number) in caught.value.message


@pytest.mark.parametrize("ask", QUESTIONS)
@pytest.mark.parametrize("number", [errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG])
def test_only_the_tree_itself_says_that_nothing_is_there(
    tree: Path, monkeypatch: pytest.MonkeyPatch, ask: Callable[[TargetRoot], object], number: int
) -> None:
    answering(monkeypatch, *[number] * 9)
    with TargetRoot(tree) as root:
        assert not ask(root)
        with pytest.raises(FileNotFoundError):
            root.read_bytes("etc/hostname")


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.EINTR])
def test_what_the_kernel_asks_to_try_again_is_tried_again(
    tree: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    asked = answering(monkeypatch, *[number] * 200)
    with TargetRoot(tree) as root:
        assert root.read_bytes("etc/hostname") == b"old\n"
    assert asked == ["etc/hostname"] * 201


def test_trying_again_has_an_end(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inside, "_TRY_LIMIT_S", 0.01)
    answering(monkeypatch, *[errno.EAGAIN] * 9999)
    with TargetRoot(tree) as root:
        with pytest.raises(OgError, match="renamed or mounted on this PC without a pause"):
            root.read_bytes("etc/hostname")
        with pytest.raises(WriteError, match="without a pause"):
            root.write_bytes("etc/hostname", b"new\n")
        with pytest.raises(WriteError, match="without a pause"):
            root.remove("etc/hostname")
    assert (tree / "etc/hostname").read_text() == "old\n"


def test_links_in_a_circle_lead_nowhere(tree: Path) -> None:
    (tree / "etc/os-release").symlink_to("os-release")
    (tree / "etc/far").symlink_to("x" * 300)
    with TargetRoot(tree) as root:
        for name in ("etc/os-release", "etc/far", "etc/hostname/below"):
            assert not root.exists(name)
            with pytest.raises(FileNotFoundError):
                root.read_bytes(name)


def test_a_folder_below_that_cannot_be_read_ends_the_search_for_links(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tree / "boot/grub/fonts").mkdir(parents=True)
    kernel = os.scandir

    def broken(folder: int) -> Iterator[os.DirEntry[str]]:
        if Path(f"/proc/self/fd/{folder}").readlink().name == "fonts":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return kernel(folder)

    monkeypatch.setattr(os, "scandir", broken)
    with TargetRoot(tree) as root, pytest.raises(OgError, match="Input/output error"):
        root.irregular_below("boot/grub")
