# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs of a foreign system, run where they can do nothing but compute: bubblewrap.

The one place that runs code of an image. What it sees: its own root, read-only, by an exec mount of
its own (elsewhere it is mounted noexec); a ``/proc`` that cannot be written, for its ``sys`` would
let root change the kernel's settings even without any capability; no ``/sys``, no network, no
device but null and its like; memory for temporary files, and no more of it than was said. It is
root there, of a user namespace that holds nobody else, and with no capability that was not named.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from oglib.errors import OgErr, OgError, ProcessError, printable
from oglib.run import Finished, need, run, undisturbed

DAC_OVERRIDE = "CAP_DAC_OVERRIDE"
BUBBLEWRAP = "bwrap"

_PLACES = Path("/run/oglive/sandbox")
_MOUNTINFO = Path("/proc/self/mountinfo")
_SELF = Path("/proc/self/exe")
_READ_ONLY = "remount,bind,ro,nosuid,nodev,exec"
_SMALL_BYTES = 16 << 20
_MOST_SAID = 600
_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/",
    "LANG": "C.UTF-8",
    "TMPDIR": "/tmp",  # noqa: S108 - the sandbox's own
}
# Where something is mounted in the sandbox: a link would lead bubblewrap elsewhere.
_MOUNTED_ON = ("dev", "proc", "run", "tmp")
_SHEBANG = b"#!"
_HEAD_BYTES = 256
_MOST_INTERPRETERS = 4
_ELF = b"\x7fELF"
# Class and byte order at 4 and 5, the machine at 18 (elf(5)).
_ELF_BYTES = 20
_I386 = (1, 1, 3)
_X86_64 = (2, 1, 62)
_MACHINES = {3: "i386", 20: "ppc", 21: "ppc64", 22: "s390", 40: "arm", 62: "x86_64", 183: "aarch64",
             243: "riscv"}  # fmt: skip


class Heads(Protocol):
    """A root that reads the first bytes of its files without being left."""

    called: str

    def read_head(self, name: str, size_bytes: int) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Sandbox:
    """``scratch``: here what programs in it have as ``/tmp``; hostile like all that they wrote."""

    scratch: Path
    _root: Path
    _called: str

    def run(self, *argv: str, timeout_s: float, capabilities: Sequence[str] = ()) -> Finished:
        """Run a program of the root to its end; OgError where it fails or is late.

        Whatever it started ends with it.
        """
        try:
            return run(*self._around(capabilities), *argv, timeout_s=timeout_s)
        except ProcessError as error:
            how = f"ended with status {error.status}" if error.status >= 0 else "was ended"
            if error.stderr.strip():
                how += f": {printable(' '.join(error.stderr.split())[-_MOST_SAID:])}"
            raise OgError(
                f"{argv[0]} of {self._called}, run in a sandbox, {how}.",
                code=OgErr.NOTEXEC,
            ) from error

    def _around(self, capabilities: Sequence[str]) -> list[str | Path]:
        words: list[str | Path] = [
            BUBBLEWRAP, "--unshare-all", "--unshare-user", "--disable-userns",
            "--die-with-parent", "--new-session", "--cap-drop", "ALL",
        ]  # fmt: skip
        for capability in capabilities:
            words += ["--cap-add", capability]
        words += ["--ro-bind", self._root, "/"]
        # written or not: root of the PC owns what it shows
        words += ["--proc", "/proc", "--ro-bind", "/proc/sys", "/proc/sys"]
        words += ["--remount-ro", "/proc", "--dev", "/dev", "--remount-ro", "/dev"]
        words += ["--bind", self.scratch, "/tmp"]  # noqa: S108
        for folder in ("/run", *(("/var/tmp",) if self._has("var", "var/tmp") else ())):  # noqa: S108
            words += ["--size", str(_SMALL_BYTES), "--tmpfs", folder]
        words += ["--chdir", "/", "--clearenv"]
        for name, value in _ENVIRONMENT.items():
            words += ["--setenv", name, value]
        return [*words, "--"]

    def _has(self, *folders: str) -> bool:
        return all(_is_folder(self._root / folder) for folder in folders)


@contextmanager
def sandbox(root: Path, called: str, *, scratch_bytes: int) -> Iterator[Sandbox]:
    """A place to run programs of the system at ``root``, with what is mounted below it.

    ``called``: what a person knows the system by. ``scratch_bytes`` is all the memory that their
    temporary files may take. OgError where this PC or that root cannot have one.
    """
    need(BUBBLEWRAP)
    for folder in _MOUNTED_ON:
        if not _is_folder(root / folder):
            raise OgError(
                f"{called} has no folder {folder}, so none of its programs can be run.",
                hint="Make it in the model PC.",
                code=OgErr.NOTEXEC,
            )
    with ExitStack() as stack:
        own, scratch = (stack.enter_context(_place()) for _ in range(2))
        with undisturbed():
            run("mount", "--rbind", root, own)
            stack.callback(_unmount, own)
            run("mount", "--make-rprivate", own)
        for point in _mounts_at(own):
            run("mount", "-o", _READ_ONLY, point)
        with undisturbed():
            options = f"size={scratch_bytes},mode=700,nosuid,nodev"
            run("mount", "-t", "tmpfs", "-o", options, "oglive-sandbox", scratch)
            stack.callback(_unmount, scratch)
        yield Sandbox(scratch, own, called)


def check_machine(root: Heads, program: str) -> None:
    """Raise NOTEXEC unless ``program``, or what reads it as a script, is for this PC's processor.

    FileNotFoundError where there is no such program.
    """
    name = program
    for _ in range(_MOST_INTERPRETERS):
        head = root.read_head(name, _HEAD_BYTES)
        if not head.startswith(_SHEBANG):
            break
        words = head[len(_SHEBANG) :].split(b"\n")[0].split()
        if not words:
            break
        name = os.fsdecode(words[0])
    found = _machine(head)
    if found is None:
        raise OgError(
            f"{printable(name)} in {root.called} is no program that can be run.",
            code=OgErr.NOTEXEC,
        )
    with _SELF.open("rb") as ours:
        own = _machine(ours.read(_ELF_BYTES))
    if found != own and (own, found) != (_X86_64, _I386):
        theirs, here = (_MACHINES.get(one[2], f"machine {one[2]}") for one in (found, own or found))
        raise OgError(
            f"{printable(name)} in {root.called} is for {theirs}, which this PC's {here} "
            "cannot run.",
            hint="Do it on a PC of that kind.",
            code=OgErr.NOTEXEC,
        )


def _machine(head: bytes) -> tuple[int, int, int] | None:
    """Class, byte order and machine of a program; None where it is none."""
    if len(head) < _ELF_BYTES or not head.startswith(_ELF):
        return None
    return head[4], head[5], int.from_bytes(head[18:20], "little" if head[5] == 1 else "big")


@contextmanager
def _place() -> Iterator[Path]:
    _PLACES.mkdir(mode=0o700, parents=True, exist_ok=True)
    place = _PLACES / os.urandom(6).hex()
    place.mkdir(mode=0o700)
    try:
        yield place
    finally:
        # still mounted when unmounting failed: that error is the one to tell
        with suppress(OSError):
            place.rmdir()


def _unmount(point: Path) -> None:
    with undisturbed():
        run("umount", "--recursive", point)


def _mounts_at(top: Path) -> list[str]:
    """Where something is mounted at or below a folder of ours; no name there needs escaping."""
    lines = _MOUNTINFO.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    points = (line.split(" ")[4] for line in lines)
    return [one for one in points if one == str(top) or one.startswith(f"{top}/")]


def _is_folder(path: Path) -> bool:
    """A folder itself, no link to one."""
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except OSError:
        return False
