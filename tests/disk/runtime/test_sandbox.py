# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs of a foreign system in bubblewrap: what they cannot reach, and that none outlives it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from disk.inventory.room import tool
from disk.runtime.foreign import add_script, make_runnable
from oglib.errors import OgErr, OgError
from oglib.osconfig.root import TargetRoot
from oglib.sandbox import DAC_OVERRIDE, Sandbox, check_machine, sandbox

MIB = 1 << 20
NOTHING = "Read-only file system"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Of a foreign system, mounted as all of them are: nothing on it can be run."""
    folder = make_runnable(tmp_path_factory.mktemp("foreign"))
    (folder / "etc/shadow").write_text("secret\n")
    (folder / "etc/shadow").chmod(0)
    tool("mount", "--bind", folder, folder)
    tool("mount", "-o", "remount,bind,nosuid,nodev,noexec", folder)
    try:
        yield folder
    finally:
        tool("umount", folder)


@pytest.fixture
def box(root: Path) -> Iterator[Sandbox]:
    with sandbox(root, "partition 1", scratch_bytes=8 * MIB) as made:
        yield made


def shell(box: Sandbox, text: str, capabilities: Sequence[str] = ()) -> str:
    """What a shell in there says to it, and to its errors."""
    words = ("/bin/sh", "-c", f"exec 2>&1; {text}; true")
    return box.run(*words, timeout_s=30, capabilities=capabilities).stdout


@pytest.mark.parametrize("capabilities", [(), (DAC_OVERRIDE,)], ids=["none", "dac override"])
@pytest.mark.parametrize(
    "path",
    [
        "/proc/sys/kernel/core_pattern",
        "/proc/sys/kernel/poweroff_cmd",
        "/proc/sys/vm/drop_caches",
        "/proc/irq/default_smp_affinity",
        "/proc/self/oom_score_adj",
    ],
)
def test_no_setting_of_the_kernel_can_be_written(
    box: Sandbox, path: str, capabilities: tuple[str, ...]
) -> None:
    before = Path(path).read_bytes() if os.access(path, os.R_OK) else b""
    said = shell(box, f"echo 1 > {path}", capabilities)
    assert "cannot create" in said
    assert before == (Path(path).read_bytes() if os.access(path, os.R_OK) else b"")


def test_there_is_no_sys(box: Sandbox) -> None:
    assert Path("/sys/power").is_dir()
    assert shell(box, "ls -A /sys") == ""
    assert "cannot create" in shell(box, "echo mem > /sys/power/state")


def test_its_own_root_and_devices_cannot_be_written(box: Sandbox, root: Path) -> None:
    for path in ("/etc/new", "/dev/new", "/boot/new", "/new"):
        assert NOTHING in shell(box, f"touch {path}")
    assert not (root / "etc/new").exists()
    assert set(shell(box, "ls /dev").split()) == {
        "core", "fd", "full", "null", "ptmx", "pts", "random", "shm", "stderr", "stdin", "stdout",
        "tty", "urandom", "zero",
    }  # fmt: skip


def test_files_and_programs_of_this_pc_are_not_seen(box: Sandbox, root: Path) -> None:
    for path in (root, Path(__file__), Path("/usr/bin/python3")):
        assert "No such file" in shell(box, f"ls {path}")
    assert shell(box, "echo /proc/[0-9]*").split() == ["/proc/1", "/proc/2"]


def test_there_is_no_network(box: Sandbox) -> None:
    names = [line.split(":")[0].strip() for line in shell(box, "cat /proc/net/dev").splitlines()]
    assert names[2:] == ["lo"]


def test_it_has_the_capability_that_it_was_given_and_no_way_to_more(box: Sandbox) -> None:
    def effective(*capabilities: str) -> int:
        text = shell(box, "cat /proc/self/status", capabilities)
        return int(text.partition("CapEff:")[2].split()[0], 16)

    assert effective() == 0
    assert effective(DAC_OVERRIDE) == 1 << 1
    assert "unshare failed" in shell(box, "unshare --user --map-root-user cat /etc/shadow")
    assert "Permission denied" in shell(box, "cat /etc/shadow")
    assert shell(box, "cat /etc/shadow", (DAC_OVERRIDE,)) == "secret\n"


def test_temporary_files_are_shared_by_its_runs_and_take_no_more_than_was_said(
    box: Sandbox,
) -> None:
    shell(box, "echo one > /tmp/file")
    assert shell(box, "cat /tmp/file") == "one\n"
    assert (box.scratch / "file").read_text() == "one\n"
    assert "No space left" in shell(box, "cat /dev/zero > /tmp/large")
    assert "No space left" in shell(box, "cat /dev/zero > /var/tmp/large")
    assert (box.scratch / "large").stat().st_size < 8 * MIB


def test_what_fails_is_told_in_its_words(box: Sandbox) -> None:
    with pytest.raises(OgError, match=r"/bin/sh of partition 1, .* status 3: no module") as caught:
        box.run("/bin/sh", "-c", "echo 'no module' >&2; exit 3", timeout_s=30)
    assert caught.value.code is OgErr.NOTEXEC


TRAPS = {
    "sleeps for ever": "sleep 1000000",
    "goes into the background": "sleep 1000000 & sleep 1000000 & wait",
    "multiplies": "i=0; while [ $i -lt 200 ]; do sleep 1000000 & i=$((i+1)); done; wait",
    "ignores signals": "trap '' TERM INT HUP; while :; do sleep 1000000; done",
    "leaves its session": "unshare --fork sleep 1000000; sleep 1000000",
}


@pytest.mark.parametrize("trap", TRAPS.values(), ids=TRAPS)
def test_a_trap_ends_at_its_deadline_with_all_that_it_started(box: Sandbox, trap: str) -> None:
    with pytest.raises(OgError, match="no answer within"):
        box.run("/bin/sh", "-c", trap, timeout_s=0.5)
    assert_none_sleeps()


def test_what_a_program_leaves_behind_ends_with_it(box: Sandbox) -> None:
    shell(box, "sleep 1000000 >/dev/null & exit 0")
    assert_none_sleeps()


def assert_none_sleeps() -> None:
    limit = time.monotonic() + 60
    while sleepers() and time.monotonic() < limit:
        time.sleep(0.01)
    assert sleepers() == []


def sleepers() -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if path.read_bytes() == b"sleep\x001000000\x00":
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def test_nothing_stays_mounted(root: Path) -> None:
    before = Path("/proc/self/mountinfo").read_text()
    with pytest.raises(OgError), sandbox(root, "partition 1", scratch_bytes=MIB) as box:
        box.run("/bin/nothing", timeout_s=30)
    assert Path("/proc/self/mountinfo").read_text() == before
    assert list(Path("/run/oglive/sandbox").iterdir()) == []


def test_what_is_mounted_below_the_root_is_part_of_it(root: Path) -> None:
    tool("mount", "-t", "tmpfs", "-o", "noexec", "tmpfs", root / "boot")
    try:
        add_script(root, "boot/tool", "echo from boot")
        with sandbox(root, "partition 1", scratch_bytes=MIB) as box:
            assert shell(box, "/boot/tool") == "from boot\n"
            assert NOTHING in shell(box, "touch /boot/new")
    finally:
        tool("umount", root / "boot")


@pytest.mark.parametrize("folder", ["dev", "proc", "run", "tmp"])
def test_a_link_where_something_is_mounted_is_refused(tmp_path: Path, folder: str) -> None:
    for name in ("dev", "proc", "run", "tmp"):
        (tmp_path / name).mkdir()
    (tmp_path / folder).rmdir()
    (tmp_path / folder).symlink_to("/oldroot/etc")
    with (
        pytest.raises(OgError, match=f"has no folder {folder}"),
        sandbox(tmp_path, "partition 1", scratch_bytes=MIB),
    ):
        pass


def elf(machine: int, klass: int = 2, order: int = 1) -> bytes:
    return b"\x7fELF" + bytes((klass, order)) + bytes(12) + machine.to_bytes(2, "little")


def test_the_machine_of_a_program_is_read_before_it_runs(tmp_path: Path) -> None:
    own = Path("/proc/self/exe").read_bytes()[:64]
    files = {
        "own": own,
        "arm": elf(183),
        "script": b"#! /arm -e\n",
        "through": b"#!/script\n",
        "link": b"",
        "text": b"no program\n",
        "circle": b"#!/circle\n",
        "nobody": b"#!/nobody-there\n",
        "empty": b"",
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "link").unlink()
    (tmp_path / "link").symlink_to("/own")
    with TargetRoot(tmp_path, called="partition 1") as root:
        check_machine(root, "own")
        check_machine(root, "link")
        for name in ("arm", "script", "through"):
            with pytest.raises(OgError, match=r"arm in partition 1 is for aarch64"):
                check_machine(root, name)
        for name in ("text", "circle", "empty"):
            with pytest.raises(OgError, match="no program that can be run"):
                check_machine(root, name)
        with pytest.raises(FileNotFoundError):
            check_machine(root, "nobody")
