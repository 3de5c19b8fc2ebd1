# SPDX-License-Identifier: GPL-3.0-or-later
"""Every fitting by itself: its check writes nothing, its diff is what it does, twice is once."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from oglib.boot import esp, grub
from oglib.boot import fittings as boot
from oglib.boot.facts import BootFacts
from oglib.disk.firmware import Firmware
from oglib.disk.model import Disk, Partition, TableKind
from oglib.errors import OgError, UsageError, WriteError
from oglib.fitting.edits import Edit
from oglib.fitting.fittings import Check, CheckedFitting, FileFitting, Need, check_all, chosen
from oglib.fitting.steps import Outcome
from oglib.osconfig.facts import PcFacts
from oglib.osconfig.fitted import is_fitted
from oglib.osconfig.kinds import OperatingSystem, find_system
from oglib.osconfig.linux.fittings import FITTINGS as FIRST
from oglib.osconfig.linux.fittings import LAST
from oglib.osconfig.root import TargetRoot
from unit.osconfig.trees import FACTS, FILES, LATIN, SWAP, contents, make, seen

ROOT = FACTS.root.uuid
BACKUP = "etc/fstab.backup"
ESP = Partition(number=2, start_bytes=2**30, size_bytes=2**28, type="EFI", type_id="ef")
DISK = Disk(
    number=1, path=Path("/dev/none"), size_bytes=2**34, table=TableKind.GPT, partitions=(ESP,)
)
BOOT = BootFacts(DISK, Firmware.UEFI, "debian", FACTS.root, FACTS.swaps)
FITTINGS = (*FIRST, *LAST)
# which have something to do in this tree
WRITING = ("hostname", "hosts", "fstab", "dbus-machine-id", "resume", "machine-id")
NAMES = (*WRITING, "grub.cfg", "grub-defaults", "loader-entries", "kernel-cmdline")


@dataclass(frozen=True)
class Done:
    stdout: str


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return make(tmp_path / "root")


def planned(
    root: TargetRoot, *names: str
) -> list[CheckedFitting[PcFacts] | CheckedFitting[BootFacts]]:
    """The fittings of these names that write files alone, checked."""
    menu = [one for one in boot.FITTINGS[Firmware.UEFI] if one.name in NAMES]
    found: list[CheckedFitting[PcFacts] | CheckedFitting[BootFacts]] = [
        *check_all(root, FACTS, FITTINGS)
    ]
    found += check_all(root, BOOT, menu)
    return [one for one in found if one.fitting.name in (names or NAMES)]


@pytest.mark.parametrize("name", NAMES)
def test_a_check_writes_nothing_and_twice_is_once(tree: Path, name: str) -> None:
    before = seen(tree)
    with TargetRoot(tree) as root:
        (one,) = planned(root, name)
        assert one.diff
        assert (one.foreseen.outcome, seen(tree)) == (Outcome.DONE, before)
        assert one.done(root) == one.foreseen
        after = seen(tree)
        assert after != before
        (again,) = planned(root, name)
        assert (again.diff, again.done(root).outcome) == (b"", Outcome.NOT_NEEDED)
    assert seen(tree) == after


@pytest.mark.parametrize("name", NAMES)
def test_only_what_is_told_changes(tree: Path, name: str) -> None:
    """By content, owner, mode, time and number: files that nobody names are not written again."""
    before = seen(tree)
    with TargetRoot(tree) as root:
        (one,) = planned(root, name)
        one.done(root)
    told = {edit.path for edit in one.checked.edits}
    after = seen(tree)
    assert {path for path in before if after.get(path) != before[path]} - told == {
        str(parent) for path in told for parent in [Path(path).parent]
    }


def test_bytes_that_are_no_utf8_stay(tree: Path) -> None:
    with TargetRoot(tree) as root:
        assert {one.done(root).outcome for one in planned(root)} == {Outcome.DONE}
    new = contents(tree)
    assert new.pop(BACKUP) == FILES["etc/fstab"]
    assert new == {
        **{path: data for path, data in FILES.items() if path != "var/lib/dbus/machine-id"},
        "etc/hostname": b"pc17\n",
        "etc/hosts": FILES["etc/hosts"].replace(b"golden", b"pc17"),
        "etc/fstab": FILES["etc/fstab"]
        .replace(b"UUID=old ", f"UUID={ROOT} ".encode())
        .replace(b"ext4 defaults 0 2", b"ext4 defaults,nofail 0 2")
        .replace(b"/dev/sda9", f"UUID={SWAP}".encode()),
        "etc/machine-id": b"",
        "etc/initramfs-tools/conf.d/resume": LATIN + f"RESUME=UUID={SWAP}\n".encode(),
        "boot/grub/grub.cfg": FILES["boot/grub/grub.cfg"]
        .replace(b"/dev/sda1", f"UUID={ROOT}".encode())
        .replace(b"UUID=old", f"UUID={SWAP}".encode()),
        "etc/default/grub": FILES["etc/default/grub"].replace(b"old", SWAP.encode()),
        "boot/loader/entries/linux.conf": FILES["boot/loader/entries/linux.conf"].replace(
            b"/dev/sda1", f"UUID={ROOT}".encode()
        ),
        "etc/kernel/cmdline": FILES["etc/kernel/cmdline"].replace(b"old", ROOT.encode()),
    }


def test_what_is_told_of_them_can_be_written_anywhere(tree: Path) -> None:
    with TargetRoot(tree) as root:
        (one,) = planned(root, "fstab")
        assert one.done(root) == one.foreseen
    assert r"/mnt/caf\xe9: UUID=gone is not on this PC" in one.foreseen.detail
    assert one.foreseen.detail.encode()


@pytest.mark.parametrize("target", ["etc", "../outside", "{outside}", "/", "..", "none"])
def test_a_folder_that_leads_elsewhere(tree: Path, target: str) -> None:
    """Into the root or nowhere; what bears that name outside is neither read nor written."""
    outside = make(tree.parent / "outside")
    (tree / "etc").rename(tree / "saved")
    (tree / "etc").symlink_to(target.format(outside=outside / "etc"))
    before, there = seen(outside), contents(tree)
    with TargetRoot(tree) as root:
        steps = {one.fitting.name: one.done(root) for one in planned(root, *WRITING)}
    assert seen(outside) == before
    assert {path: contents(tree)[path] for path in there if "dbus" not in path} == {
        path: data for path, data in there.items() if "dbus" not in path
    }
    assert steps["fstab"].outcome is Outcome.NOT_NEEDED
    if target not in ("/", ".."):  # which are the root itself, and take a file
        assert steps["hostname"].outcome is Outcome.FAILED


def test_no_two_write_the_same_file(tree: Path) -> None:
    with TargetRoot(tree) as root:
        paths = [edit.path for one in planned(root) for edit in one.checked.edits]
    assert len(paths) == len(set(paths))
    assert len(paths) == len(NAMES) + 1  # the fstab that was is kept


def test_names_are_words_that_one_can_type_and_no_two_are_the_same() -> None:
    for start in boot.FITTINGS.values():
        names = [*(one.name for one in FITTINGS), *(one.name for one in start)]
        assert len(names) == len(set(names))
        assert all(name.replace("-", "").replace(".", "").isalnum() for name in names)
    assert [one.name for one in chosen(FITTINGS, ("resume", "hosts"))] == ["hosts", "resume"]


def test_a_file_that_changed_after_the_check_is_left_alone(tree: Path) -> None:
    with TargetRoot(tree) as root:
        (one,) = planned(root, "hosts")
        (tree / "etc/hosts").write_bytes(b"of somebody\n")
        step = one.done(root)
    assert step.outcome is Outcome.FAILED
    assert "not as it was when this was planned" in step.detail
    assert (tree / "etc/hosts").read_bytes() == b"of somebody\n"


def test_what_cannot_be_read_is_foreseen_and_fails_alone(tree: Path) -> None:
    (tree / "etc/hosts").unlink()
    os.mkfifo(tree / "etc/hosts")
    with TargetRoot(tree) as root:
        (one,) = planned(root, "hosts")
        assert one.checked.need is Need.CANNOT
        assert one.foreseen == one.done(root)
        assert "not a regular file" in one.foreseen.detail


def test_what_the_system_refuses_is_one_failed_step(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), "/dev/none")

    monkeypatch.setattr(Edit, "write", refuse)
    with TargetRoot(tree) as root:
        steps = [one.done(root) for one in planned(root, "hosts", "hostname")]
    assert [step.outcome for step in steps] == [Outcome.FAILED] * 2
    assert all("/dev/none: Too many open files" in step.detail for step in steps)


def test_what_nobody_can_have_asked_for_refuses_all(tree: Path) -> None:
    def wrong(*_: object) -> Check:
        raise UsageError("That is no name.")

    with TargetRoot(tree) as root, pytest.raises(UsageError):
        check_all(root, FACTS, [FileFitting("wrong", wrong)])


@pytest.mark.parametrize(
    "target", ["../usr/lib/hosts", "/usr/lib/hosts", "../../../../usr/lib/hosts", "one"]
)
def test_a_link_inside_the_root_stays_and_leads_to_the_new_content(tree: Path, target: str) -> None:
    """Debian's /etc/default/locale and Fedora's /etc/grub2.cfg are such links."""
    (tree / "usr/lib").mkdir(parents=True)
    (tree / "etc/hosts").rename(tree / "usr/lib/hosts")
    (tree / "usr/lib/hosts").chmod(0o640)
    (tree / "etc/hosts").symlink_to(target)
    (tree / "etc/one").symlink_to("/etc/two")
    (tree / "etc/two").symlink_to("../usr/lib/hosts")
    with TargetRoot(tree) as root:
        (one,) = planned(root, "hosts")
        assert one.done(root).outcome is Outcome.DONE
    assert str((tree / "etc/hosts").readlink()) == target
    assert b"pc17" in (tree / "usr/lib/hosts").read_bytes()
    assert (tree / "usr/lib/hosts").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    "target",
    [
        "{outside}",
        "../../../{outside}",
        "hosts",
        "nowhere/deep",
        "x" * 300,
        "..",
        "/",
        "caf\udce9/",
    ],
)
def test_a_link_that_leads_to_no_file_of_the_root_is_replaced(tree: Path, target: str) -> None:
    outside = tree.parent / "outside"
    outside.write_bytes(b"of the host\n")
    (tree / "etc/hosts").unlink()
    (tree / "etc/hosts").symlink_to(target.format(outside=outside))
    with TargetRoot(tree) as root:
        root.write_bytes("etc/hosts", b"new\n")
    assert outside.read_bytes() == b"of the host\n"
    assert not (tree / "etc/hosts").is_symlink()
    assert (tree / "etc/hosts").read_bytes() == b"new\n"
    assert [path.name for path in (tree / "etc").iterdir() if path.name.startswith(".og")] == []


@pytest.mark.parametrize(("number", "kept"), [(errno.ENOSPC, True), (errno.EOPNOTSUPP, False)])
def test_a_label_without_room_is_no_label_that_cannot_be_had(
    tree: Path, monkeypatch: pytest.MonkeyPatch, number: int, kept: bool
) -> None:
    path = tree / "etc/hosts"
    os.setxattr(path, "user.label", b"x")
    old = path.read_bytes()

    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "setxattr", refuse)
    with TargetRoot(tree) as root:
        if kept:
            with pytest.raises(WriteError, match="No space left"):
                root.write_bytes("etc/hosts", b"new\n")
        else:
            root.write_bytes("etc/hosts", b"new\n")
    assert path.read_bytes() == (old if kept else b"new\n")
    assert [one.name for one in (tree / "etc").iterdir() if one.name.startswith(".og")] == []


@pytest.mark.parametrize("at", ["fsync", "rename", "fchown"])
def test_a_write_that_fails_leaves_the_old_content(
    tree: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    before = contents(tree)

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, at, refuse)
    with TargetRoot(tree) as root:
        (one,) = planned(root, "hosts")
        step = one.done(root)
    monkeypatch.undo()
    assert step.outcome is Outcome.FAILED
    assert "Input/output error" in step.detail
    assert contents(tree) == before


def test_a_name_of_255_bytes_can_be_replaced(tree: Path) -> None:
    name = "etc/" + "n" * 255
    (tree / name).write_bytes(b"old")
    with TargetRoot(tree) as root:
        root.write_bytes(name, b"new")
    assert (tree / name).read_bytes() == b"new"


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({"etc/os-release": "ID=arch\nNAME=Arch\n"}, OperatingSystem("Linux", "arch", "Arch")),
        (
            {"etc/os-release": "ID=freebsd\nNAME=FreeBSD\n"},
            OperatingSystem("BSD", "freebsd", "FreeBSD"),
        ),
        (
            {"etc/os-release": "ID=debian\nNAME=Debian\n", "hurd/init": ""},
            OperatingSystem("Hurd", "debian", "Debian"),
        ),
        ({"windows/system32/CONFIG/SYSTEM": ""}, OperatingSystem("Windows", "windows", "Windows")),
        ({"thesis": ""}, None),
    ],
)
def test_the_kind_of_system(
    tmp_path: Path, files: dict[str, str], found: OperatingSystem | None
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    with TargetRoot(tmp_path) as root:
        assert find_system(root) == found
    if found is not None:
        assert is_fitted(found.kind) is (found.kind == "Linux")


@pytest.mark.parametrize("broken", ["", "grub-install", "grub-probe"])
def test_a_loader_is_installed_when_grub_says_where_its_files_are(
    tree: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    ran: list[tuple[str, ...]] = []

    def fake(*argv: object, **_: object) -> Done:
        ran.append(tuple(str(word) for word in argv))
        if argv[0] == broken:
            raise OgError(f"{broken} ended with status 1.")
        return Done(stdout="/dev/sda1\n")

    def at(*_: object, **__: object) -> AbstractContextManager[Path]:
        return nullcontext(Path("/esp"))

    monkeypatch.setattr(grub, "run", fake)
    monkeypatch.setattr(esp, "opened_esp", at)
    monkeypatch.setattr(esp, "pair_of_oglive", lambda: None)
    with TargetRoot(tree) as root:
        planned = check_all(root, BOOT, [esp.REMOVABLE, esp.OWN_FOLDER])
        steps = [one.done(root) for one in planned]
    installed = [argv for argv in ran if argv[0] == "grub-install"]
    assert [argv[-1] for argv in installed] == ["--removable", "--bootloader-id=debian"]
    assert {step.outcome for step in steps} == {Outcome.FAILED if broken else Outcome.DONE}
    if broken:
        assert all(broken in step.detail for step in steps)
    else:  # not in the words of a program, which name where the system happened to be mounted
        assert steps == [one.foreseen for one in planned]


def test_a_copy_on_another_disk_is_no_reason_not_to_start_this_one(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def at(*_: object, **__: object) -> AbstractContextManager[Path]:
        return nullcontext(Path("/esp"))

    monkeypatch.setattr(esp, "opened_esp", at)
    monkeypatch.setattr(esp, "pair_of_oglive", lambda: None)
    needs = []
    for number in (0, 3):
        copy = replace(FACTS.root, number=number, label="copy")
        with TargetRoot(tree) as root:
            needs.append(esp.REMOVABLE.check(root, replace(BOOT, others=(copy,))).need)
    assert needs == [Need.NEEDED, Need.CANNOT]


EDITS: list[Callable[[], Edit]] = [lambda: Edit("x", None, None), lambda: Edit("x", b"a", b"a")]


@pytest.mark.parametrize("edit", EDITS)
def test_nothing_has_no_diff(edit: Callable[[], Edit]) -> None:
    assert edit().diff == b""


def test_a_diff_says_where_a_last_line_has_no_end() -> None:
    assert Edit("etc/x", b"a\nb", b"a\r\nb\n").diff == (
        b"--- a/etc/x\n+++ b/etc/x\n@@ -1,2 +1,2 @@\n"
        b"-a\n-b\n\\ No newline at end of file\n+a\r\n+b\n"
    )
    assert Edit("etc/x", None, b"a\n").diff.startswith(b"--- /dev/null\n+++ b/etc/x\n@@ -0,0 +1")


@pytest.mark.timeout(20)
def test_a_text_that_wants_comparing_to_take_minutes() -> None:
    old = b"".join(b"%d\n" % (n % 90) for n in range(200_000))
    new = old.replace(b"45\n", b"x\n")
    diff = Edit("etc/x", old, new).diff
    assert diff.splitlines()[2] == b"@@ -43,199897 +43,199897 @@"


def test_an_edit_of_a_root_that_is_gone(tree: Path) -> None:
    root = TargetRoot(tree)
    root.close()
    with pytest.raises(OgError):
        Edit("etc/hosts", b"", b"x").write(root)
