# SPDX-License-Identifier: GPL-3.0-or-later
"""Fittings on real filesystems: full, read-only, two of them; and ``og os configure`` itself."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from disk.deploy.room import LINUX, MIB, digest, disk_file, og
from disk.deploy.room import tree as make_tree
from disk.inventory.room import tool
from oglib.deploy.system import configure
from oglib.disk.firmware import Firmware
from oglib.disk.loop import attached
from oglib.disk.probe import probe_target
from oglib.errors import OgError
from oglib.filesystem import mount
from oglib.fitting.changes import Linked, Removed, Renamed
from oglib.fitting.edits import Edit, Files
from oglib.fitting.steps import Outcome, Step
from oglib.osconfig.root import TargetRoot
from oglib.settings import Settings
from unit.osconfig.test_fittings import NAMES, planned
from unit.osconfig.trees import FILES, LATIN, contents, make, seen

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: loop devices, mounts")


@contextmanager
def small(point: Path, size_kib: int = 256) -> Iterator[Path]:
    """A filesystem of its own, in memory."""
    point.mkdir(exist_ok=True)
    tool("mount", "-t", "tmpfs", "-o", f"size={size_kib}k", "none", point)
    try:
        yield point
    finally:
        tool("umount", point)


def fill(folder: Path) -> None:
    """No page is left, only names without content."""
    with (folder / "filler").open("wb", buffering=0) as file, pytest.raises(OSError, match="space"):
        while True:
            file.write(bytes(4096))


@pytest.mark.parametrize("name", NAMES)
def test_a_full_filesystem_keeps_the_old_content(tmp_path: Path, name: str) -> None:
    with small(tmp_path / "root") as folder:
        make(folder)
        fill(folder)
        before = contents(folder)
        with TargetRoot(folder) as root:
            (one,) = planned(root, name)
            step = one.done(root)
        if name in ("machine-id", "dbus-machine-id"):  # an empty file, and one that goes
            assert step.outcome is Outcome.DONE
        else:
            assert step.outcome is Outcome.FAILED
            assert "No space left on device" in step.detail
            assert contents(folder) == before


def test_a_failed_step_does_not_hide_the_next(tmp_path: Path) -> None:
    """The ids that go make room for what comes behind them."""
    with small(tmp_path / "root") as folder:
        make(folder)
        fill(folder)
        with TargetRoot(folder) as root:
            steps = {one.fitting.name: one.done(root).outcome for one in planned(root)}
    failed = ("hostname", "hosts", "fstab")
    assert steps == {**dict.fromkeys(NAMES, Outcome.DONE), **dict.fromkeys(failed, Outcome.FAILED)}


def test_a_read_only_root_is_as_it_was(tmp_path: Path) -> None:
    with small(tmp_path / "root") as folder:
        make(folder)
        tool("mount", "-o", "remount,ro", folder)
        before = seen(folder)
        with TargetRoot(folder) as root:
            steps = [one.done(root) for one in planned(root)]
        assert {step.outcome for step in steps} == {Outcome.FAILED}
        assert all("Read-only file system" in step.detail for step in steps)
        assert seen(folder) == before


def test_a_link_to_another_filesystem_is_not_followed(tmp_path: Path) -> None:
    """Where /var is another system's partition, a link there would change that one."""
    root_folder = make(tmp_path / "root")
    with small(root_folder / "srv") as other:
        (other / "hosts").write_bytes(FILES["etc/hosts"])
        (root_folder / "etc/hosts").unlink()
        (root_folder / "etc/hosts").symlink_to("/srv/hosts")
        with TargetRoot(root_folder) as root:
            (one,) = planned(root, "hosts")
            assert one.done(root).outcome is Outcome.DONE
        assert (other / "hosts").read_bytes() == FILES["etc/hosts"]
    assert not (root_folder / "etc/hosts").is_symlink()
    assert b"pc17" in (root_folder / "etc/hosts").read_bytes()


def test_a_diff_is_what_is_done(tmp_path: Path) -> None:
    """By ``patch``, on a copy: byte for byte the same."""
    folder, copy = make(tmp_path / "root"), make(tmp_path / "copy")
    with TargetRoot(folder) as root:
        fittings = planned(root)
        (tmp_path / "diff").write_bytes(b"".join(one.diff for one in fittings))
        for one in fittings:
            one.done(root)
    tool("patch", "--binary", "-s", "-p1", "-d", copy, "-i", tmp_path / "diff")
    assert contents(copy) == contents(folder)


@pytest.mark.parametrize(
    "name", ["caf\udce9", "Wired connection 1", 'a "b" \\ c', "two\nlines\t", " ", "é\x7f"]
)
def test_a_diff_finds_a_file_of_any_name(tmp_path: Path, name: str) -> None:
    changes = (
        Edit(f"etc/{name}", b"a\tb\n", b"c\td\n"),
        Edit(f"etc/{name}-new", None, b"new\n"),
        Renamed(f"etc/{name}-old", f"{name}-moved"),
        Linked(f"etc/{name}-link", None, f"{name}-old"),
    )
    (tmp_path / "etc").mkdir()
    (tmp_path / f"etc/{name}").write_bytes(b"a\tb\n")
    (tmp_path / f"etc/{name}-old").write_bytes(b"old\n")
    diff = tmp_path / "diff"
    diff.write_bytes(b"".join(one.diff for one in changes))
    tool("patch", "--binary", "-s", "-p1", "-d", tmp_path, "-i", diff)
    assert contents(tmp_path / "etc") == {
        name: b"c\td\n",
        f"{name}-new": b"new\n",
        f"{name}-moved": b"old\n",
    }
    assert (tmp_path / f"etc/{name}-link").readlink() == Path(f"{name}-old")
    assert Removed(f"etc/{name}").diff.count(b"\n") == 1


@pytest.mark.parametrize("lines", [10, 3000])
@pytest.mark.parametrize(
    ("old", "new"),
    [(b"mid\n", b"other\nmore\n"), (b"mid\n", b""), (b"", b"mid\n"), (b"mid", b"mid\n")],
)
def test_a_diff_of_a_long_text_is_what_is_done(
    tmp_path: Path, lines: int, old: bytes, new: bytes
) -> None:
    head, tail = LATIN * lines, b"".join(b"%d\n" % n for n in range(lines if old != b"mid" else 0))
    (tmp_path / "x").write_bytes(head + old + tail)
    (tmp_path / "diff").write_bytes(Edit("x", head + old + tail, head + new + tail).diff)
    tool("patch", "--binary", "-s", "-p1", "-d", tmp_path, "-i", tmp_path / "diff")
    assert (tmp_path / "x").read_bytes() == head + new + tail


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small Debian on a disk that a BIOS starts, with a word in Latin-1."""
    monkeypatch.setattr(configure, "running_firmware", lambda: Firmware.BIOS)
    path = disk_file(tmp_path / "disk.img")
    content = make_tree(tmp_path / "tree", LINUX)
    (content / "etc/hosts").write_bytes(b"127.0.1.1\tmodel-pc # caf\xe9\x1b[2J\n")
    with attached(path, offset_bytes=MIB, size_bytes=48 * MIB) as device:
        tool("mke2fs", "-q", "-t", "ext4", "-F", "-d", content, device)
    return path


def files_on(disk: Path, point: Path) -> dict[str, bytes]:
    point.mkdir(exist_ok=True)
    with attached(disk, offset_bytes=MIB, size_bytes=48 * MIB) as device:
        tool("mount", "-o", "ro,noload", device, point)
        try:
            return {name: (point / name).read_bytes() for name in LINUX}
        finally:
            tool("umount", point)


def test_one_step_alone_as_it_was_shown(disk: Path, tmp_path: Path) -> None:
    words = ("os", "configure", disk, "1", "--hostname", "pc17")
    before = files_on(disk, tmp_path / "at")
    shown = og(*words, "--step", "hosts", "--dry-run")
    assert shown.status == 0, shown.err
    assert [line.split()[:2] for line in shown.out.splitlines()[:1]] == [["done", "hosts"]]
    assert "--- a/etc/hosts\n+++ b/etc/hosts\n" in shown.out
    assert "+127.0.1.1\tpc17 # caf\udce9\x1b[2J\n" in shown.out  # for ``patch``, byte for byte
    assert files_on(disk, tmp_path / "at") == before
    said = json.loads(og(*words, "--step", "hosts", "--dry-run", "--json").out)
    assert said["diff"].startswith("--- a/etc/hosts\n")

    (tmp_path / "copy/etc").mkdir(parents=True)
    (tmp_path / "copy/etc/hosts").write_bytes(before["etc/hosts"])
    (tmp_path / "diff").write_bytes(os.fsencode(shown.out))
    tool("patch", "--binary", "-s", "-p1", "-d", tmp_path / "copy", "-i", tmp_path / "diff")
    assert (tmp_path / "copy/etc/hosts").read_bytes() == b"127.0.1.1\tpc17 # caf\xe9\x1b[2J\n"

    done = og(*words, "--step", "hosts")
    assert (done.status, len(done.out.splitlines())) == (0, 1)
    after = files_on(disk, tmp_path / "at")
    assert after.pop("etc/hosts") == b"127.0.1.1\tpc17 # caf\xe9\x1b[2J\n"
    before.pop("etc/hosts")
    assert after == before
    again = og(*words, "--step", "hosts", "--dry-run")
    assert again.out.split()[:2] == ["not-needed", "hosts"]
    assert "---" not in again.out


def test_a_step_that_there_is_not(disk: Path, tmp_path: Path) -> None:
    before = files_on(disk, tmp_path / "at")
    for more in ((), ("--dry-run",)):
        told = og("os", "configure", disk, "1", "--step", "hostname", "--step", "grub-esp", *more)
        assert told.status == 1
        assert "no step 'grub-esp' for a Linux that BIOS starts" in told.error
        assert "hostname, hosts, fstab" in told.err
    assert files_on(disk, tmp_path / "at") == before


def test_what_only_starting_needs_is_asked_for_that_alone(disk: Path, tmp_path: Path) -> None:
    """A name needs no GRUB."""
    with attached(disk, offset_bytes=MIB, size_bytes=48 * MIB) as device:
        tool("mount", device, tmp_path)
        try:
            tool("rm", "-r", tmp_path / "boot/grub")
        finally:
            tool("umount", tmp_path)
    words = ("os", "configure", disk, "1", "--hostname", "pc17")
    assert "there is no GRUB" in og(*words).error
    assert "there is no GRUB" in og(*words, "--step", "grub.cfg").error
    assert og(*words, "--step", "hostname").status == 0


def test_all_that_a_dry_run_shows_is_done_and_then_nothing_is_needed(disk: Path) -> None:
    words = ("os", "configure", disk, "1", "--hostname", "pc17", "--json")
    dry = json.loads(og(*words, "--dry-run").out)
    real = json.loads(og(*words).out)
    told = [(step["name"], step["outcome"]) for step in dry["steps"]]
    assert [(step["name"], step["outcome"]) for step in real["steps"]] == told
    details = [step["detail"] for step in real["steps"] if step["name"] == "grub-bios"]
    assert details == [f"onto {disk}"]
    assert [name for name, _ in told if name in ("grub-bios", "machine-id")] == [
        "grub-bios",
        "machine-id",
    ]
    assert "failed" not in {outcome for _, outcome in told}
    again = json.loads(og(*words, "--dry-run").out)
    assert again["diff"] == ""
    assert [step["name"] for step in again["steps"] if step["outcome"] == "done"] == ["grub-bios"]


def test_where_no_step_is_needed_the_disk_is_as_it_was(disk: Path) -> None:
    words = ("os", "configure", disk, "1", "--hostname", "pc17", "--step", "hosts")
    assert og(*words).status == 0
    before = digest(disk)
    again = og(*words)
    assert (again.status, again.out.split()[:2]) == (0, ["not-needed", "hosts"])
    assert digest(disk) == before


def own_step(folder: Path, name: str, check: str, apply: str) -> Settings:
    """A site with one more step; ``root`` is where the system is."""
    folder.mkdir(exist_ok=True)
    text = '#!/bin/sh\nroot=$(sed \'s/.*"root": "\\([^"]*\\)".*/\\1/\')\n'
    text += f"case $1 in check) {check} ;; apply) {apply} ;; esac\n"
    (folder / name).write_text(text)
    (folder / name).chmod(0o755)
    return replace(Settings(), steps_dir=folder)


def test_the_words_of_a_step_may_vary_its_answer_not(disk: Path, tmp_path: Path) -> None:
    """Of two looks at one system the second one's words count."""
    steps = tmp_path / "steps"
    counts = f"cd {tmp_path}; echo x >> n; echo needed $(wc -l < n)"
    told = own_step(steps, "50-a", counts, ":")
    found = probe_target(disk)
    aim = (found, found.partitions[0])
    plan = configure.plan_configuration(*aim, only=("site-a",), settings=told)
    assert [(one.outcome, one.detail) for one in configure.apply_configuration(plan)] == [
        (Outcome.DONE, "2")
    ]
    changes = f"cd {tmp_path}; [ -e m ] && echo not-needed; : > m; echo needed"
    own_step(steps, "60-b", changes, ":")
    plan = configure.plan_configuration(*aim, only=("site-a", "site-b"), settings=told)
    with pytest.raises(OgError, match="the step site-b has another answer now"):
        configure.apply_configuration(plan)


def test_what_cannot_be_closed_does_not_hide_what_was_done(
    disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody whom the step has not started works there: who that is, is said."""
    told = own_step(tmp_path / "steps", "50-a", "echo needed it", f"echo $root > {tmp_path}/at")
    found = probe_target(disk)
    plan = configure.plan_configuration(found, found.partitions[0], only=("site-a",), settings=told)
    real = configure.Configuration.done
    with ExitStack() as stack:

        def done_and_used(self: configure.Configuration, root: Files) -> tuple[Step, ...]:
            steps = real(self, root)
            at = (tmp_path / "at").read_text().strip()
            user = subprocess.Popen(["sleep", "600"], cwd=at)
            stack.callback(tool, "umount", at)
            stack.callback(user.wait)
            stack.callback(user.kill)
            return steps

        monkeypatch.setattr(configure.Configuration, "done", done_and_used)
        monkeypatch.setattr(mount, "_UNMOUNT_TRIES", 1)
        done = configure.apply_configuration(plan)
    assert [(one.name, one.outcome) for one in done] == [
        ("site-a", Outcome.DONE),
        ("close", Outcome.FAILED),
    ]
    assert re.search(r"cannot be unmounted: sleep \([0-9]+\) uses it", done[1].detail)


def test_a_sites_own_step_is_one_of_them(disk: Path, tmp_path: Path) -> None:
    """Its failure is seen beside the others; dry run and real run are one plan."""
    steps = tmp_path / "steps"
    steps.mkdir()
    for name, apply in (("50-mark", 'touch "$root/srv-mark"; echo marked'), ("60-bad", "exit 4")):
        text = (
            '#!/bin/sh\nroot=$(sed \'s/.*"root": "\\([^"]*\\)".*/\\1/\')\n'
            f"case $1 in check) echo needed in $root/etc ;; apply) {apply} ;; esac\n"
        )
        (steps / name).write_text(text)
        (steps / name).chmod(0o755)
    told = replace(Settings(), steps_dir=steps)
    found = probe_target(disk)
    only = ("hostname", "site-mark", "site-bad")
    plan = configure.plan_configuration(
        found, found.partitions[0], hostname="pc17", only=only, settings=told
    )
    assert [(one.name, one.detail) for one in plan.steps[1:]] == [
        ("site-mark", "in /etc"),
        ("site-bad", "in /etc"),
    ]
    done = configure.apply_configuration(plan)
    assert [(one.name, one.outcome) for one in done] == [
        ("hostname", Outcome.DONE),
        ("site-mark", Outcome.DONE),
        ("site-bad", Outcome.FAILED),
    ]
    assert done[1].detail == "marked"
    assert "60-bad apply ended with exit status 4" in done[2].detail


@pytest.mark.parametrize(
    ("apply", "said"),
    [
        ('cd "$root"; setsid sleep 600 >/dev/null 2>&1 & exit 0', "running: that was ended too"),
        ('mount -t tmpfs none "$root/etc"', "50-a apply ended and left /etc mounted"),
        ('mount -t tmpfs none "$root/etc"; kill -INT $$', "50-a apply ended with signal 2"),
    ],
    ids=["process", "mount", "mount and SIGINT"],
)
def test_what_a_step_leaves_in_the_system_does_not_keep_it_open(
    disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, apply: str, said: str
) -> None:
    monkeypatch.setattr(mount, "_UNMOUNT_TRIES", 1)
    told = own_step(tmp_path / "steps", "50-a", "echo needed it", apply)
    own_step(tmp_path / "steps", "60-b", "echo needed it", ":")
    found = probe_target(disk)
    only = ("hostname", "site-a", "site-b")
    plan = configure.plan_configuration(
        found, found.partitions[0], hostname="pc17", only=only, settings=told
    )
    done = configure.apply_configuration(plan)
    assert [(one.name, one.outcome) for one in done] == [
        ("hostname", Outcome.DONE),
        ("site-a", Outcome.FAILED),
        ("site-b", Outcome.DONE),
    ]
    assert said in done[1].detail


def test_a_system_that_was_never_started_here_is_told(disk: Path) -> None:
    with attached(disk, offset_bytes=MIB, size_bytes=48 * MIB) as device:
        tool("debugfs", "-w", "-R", "rm etc/os-release", device)
        (disk.parent / "release").write_text('ID=ubuntu\nPRETTY_NAME="Ubuntu 24.04"\n')
        tool("debugfs", "-w", "-R", f"write {disk.parent}/release etc/os-release", device)
    ran = og("os", "configure", disk, "1", "--step", "hosts", "--hostname", "pc17", "--json")
    (note,) = json.loads(ran.out)["notes"]
    assert "Ubuntu 24.04 was tried with files of its shape (from fixtures, not boot-tested)" in note
