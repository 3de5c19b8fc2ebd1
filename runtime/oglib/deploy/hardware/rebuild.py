# SPDX-License-Identifier: GPL-3.0-or-later
"""The initramfs of a system, made anew where it lacks what the root is found with.

Judged by what the files hold: the one that is there, and the new one as it was read back from the
target, before it gets its name. The old one stays beside it, by a name that no menu's generator
takes for an initramfs, and starts the old PC as before.
"""

from __future__ import annotations

import os
import re
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from oglib.deploy.hardware.initramfs import MOST_BYTES, Carried, read_initramfs
from oglib.deploy.hardware.required import RequiredModules, RootHardware, required_by, shortlist
from oglib.deploy.hardware.tools import MADE, Making, Tool, tool_of
from oglib.errors import OgErr, OgError, WriteError
from oglib.fitting.edits import Files
from oglib.fitting.fittings import Check, Need
from oglib.osconfig.linux.kernels import Kernel, kernels
from oglib.osconfig.linux.modules import Modules, modules_of
from oglib.osconfig.root import TargetRoot
from oglib.run import need
from oglib.sandbox import BUBBLEWRAP, check_machine, sandbox
from oglib.wording.amounts import human_bytes
from oglib.wording.waits import waiting

_MIB = 1 << 20
_LEAST_ROOM_BYTES = 50 * _MIB
_MARGIN_BYTES = 10 * _MIB  # left free for the system itself
_LEAST_MEMORY_BYTES = 128 * _MIB
_MEMINFO = Path("/proc/meminfo")
# What stands between a disk and a root: what carried one of these needs it.
_BETWEEN = frozenset(
    ("bcache", "dm_crypt", "dm_mod", "dm_multipath", "dm_raid", "md_mod", "raid0", "raid1",
     "raid10", "raid456", "zfs")
)  # fmt: skip
_MOST_SEEN = 16
_seen: OrderedDict[tuple[int, ...], Carried] = OrderedDict()


@dataclass(frozen=True, slots=True)
class HardwareFacts:
    """``whose``: for a sentence, whose hardware it is. ``resume``: a swap's device, or ``none``.

    ``unknown``: why it is not known, a sentence; then nothing can be judged.
    """

    hardware: RootHardware
    whose: str
    resume: str
    unknown: str = ""


@dataclass(frozen=True, slots=True)
class _Judged:
    kernel: Kernel
    modules: Modules
    carried: Carried
    required: RequiredModules

    @property
    def lacking(self) -> tuple[str, ...]:
        return self.required.lacking(self.carried.of(self.kernel.version), self.modules)


class Initramfs:
    """The step: for each kernel that the system's menu starts, the best one first."""

    name = "initramfs"

    def check(self, root: Files, facts: HardwareFacts) -> Check:
        """As ``Fitting``; what cannot be read or made is this step's alone."""
        if facts.unknown:
            return Check(Need.CANNOT, facts.unknown.rstrip("."))
        try:
            return _checked_kernels(root, facts)
        except OgError as error:
            return Check(Need.CANNOT, error.message.rstrip("."))

    def apply(self, root: Files, facts: HardwareFacts, checked: Check) -> str:  # noqa: ARG002
        """Make them one by one; what was done before one failed is in its error."""
        done: list[str] = []
        for one in _poor(_judged(root, facts)):
            try:
                done.append(_rebuilt(root, facts, one))
            except OgError as error:
                before = f"{'; '.join(done)}; but " if done else ""
                raise OgError(f"{before}{error.message}", code=error.code) from error
        return "; ".join(done)


INITRAMFS = Initramfs()


def _checked_kernels(root: Files, facts: HardwareFacts) -> Check:
    judged = _judged(root, facts)
    if not judged:
        why = "not judged: its menu starts no kernel whose modules are here"
        return Check(Need.NOT_NEEDED, why)
    best = judged[0]
    if best.required.missing:
        missing = shortlist(best.required.missing)
        why = f"kernel {best.kernel.version} has no {missing}, which {facts.whose} needs"
        return Check(Need.CANNOT, why)
    poor = _poor(judged)
    if not poor:
        names = shortlist([" or ".join(sorted(one)) for one in best.required.each])
        return Check(Need.NOT_NEEDED, f"it has {names} for {facts.whose}{_without(best)}")
    need(BUBBLEWRAP)
    tools = {_tool(root, one).name: None for one in poor}
    for one in poor:
        _check_kept(root, one.kernel.initramfs)
    _check_room(root, poor[0])
    _scratch_bytes()
    lacks = "; ".join(f"{one.kernel.initramfs} lacks {shortlist(one.lacking)}" for one in poor)
    detail = f"{lacks}, which {facts.whose} needs: made anew by {', '.join(tools)}"
    return Check(Need.NEEDED, f"{detail}{_without(best)}")


def _without(best: _Judged) -> str:
    """What the kernel itself has not, of what was asked for."""
    unknown = best.required.unknown
    return f" (kernel {best.kernel.version} has no {shortlist(unknown)})" if unknown else ""


def _judged(root: Files, facts: HardwareFacts) -> list[_Judged]:
    """Each kernel with what its initramfs carries; one behind the best that cannot be read is not.

    OgError where the best one's cannot be read.
    """
    found: list[_Judged] = []
    for kernel in kernels(root):
        try:
            modules = modules_of(root, kernel.version)
            carried = _carried(root, kernel.initramfs)
        except FileNotFoundError:
            continue
        except OgError:
            if not found:
                raise
            continue
        found.append(_Judged(kernel, modules, carried, required_by(facts.hardware, modules)))
    return found


def _poor(judged: Sequence[_Judged]) -> list[_Judged]:
    """Those that lack something and can have it."""
    return [one for one in judged if one.lacking and not one.required.missing]


def _carried(root: Files, path: str) -> Carried:
    """What an initramfs carries; one that was read is known again by its inode and its times."""
    with root.open_regular(path, MOST_BYTES) as file:
        status = os.fstat(file.fileno())
        key = (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        if key not in _seen:
            _seen[key] = read_initramfs(file, path)
            while len(_seen) > _MOST_SEEN:
                _seen.popitem(last=False)
        return _seen[key]


def _tool(root: Files, one: _Judged) -> Tool:
    """What makes it anew; raises where that is not here, or is for another processor."""
    tool = tool_of(root, one.carried.makers)
    if tool is None:
        made = shortlist(sorted(one.carried.makers)) or "a program that is not known"
        raise OgError(
            f"{one.kernel.initramfs} lacks {shortlist(one.lacking)} and cannot be made anew: "
            f"{made} made it, and is not in the system.",
            code=OgErr.NOTEXEC,
        )
    for program in (tool.program_of(root), *tool.helpers):
        try:
            check_machine(root, program)
        except FileNotFoundError as error:
            raise OgError(
                f"{program} in {root.called} cannot be run: {error.filename} is not there.",
                code=OgErr.NOTEXEC,
            ) from error
    return tool


def _kept(path: str) -> str:
    """What the old initramfs at ``path`` is called, beside the new one."""
    return f"oglive-old.{PurePosixPath(path).name}"


def _check_kept(root: Files, path: str) -> None:
    name = str(PurePosixPath(path).with_name(_kept(path)))
    if root.is_directory(name) and root.link_target(name) is None:
        raise WriteError(
            f"{name} in {root.called} is a folder, and the old {path} is to be kept by that name.",
            hint="Remove it in the model PC.",
        )


def _check_room(root: Files, one: _Judged) -> None:
    """Room for the first: the others are measured when they are made."""
    with root.open_regular(one.kernel.initramfs) as file:
        size = os.fstat(file.fileno()).st_size
    _need_room(root, one.kernel.initramfs, max(_LEAST_ROOM_BYTES, size + _MARGIN_BYTES))


def _need_room(root: Files, path: str, size_bytes: int) -> None:
    folder = str(PurePosixPath(path).parent)
    place = root.folder_path(folder)
    if place is None:
        raise OgError(f"{folder} in {root.called} is no folder.")
    room = os.statvfs(place)
    free = room.f_bavail * room.f_frsize
    if free < size_bytes:
        raise WriteError(
            f"{folder} in {root.called} has {human_bytes(free)} free, and a new {path} needs "
            f"{human_bytes(size_bytes)} beside the old one.",
            hint="Remove old kernels in the model PC.",
        )


def _scratch_bytes() -> int:
    """How much memory temporary files may take: three quarters of what is free."""
    said = re.search(r"^MemAvailable:\s+(\d+) kB$", _MEMINFO.read_text(), re.MULTILINE)
    free = int(said[1]) * 1024 if said else 0
    if free < _LEAST_MEMORY_BYTES:
        raise OgError(
            f"This PC has {human_bytes(free)} of memory free, too little to make an initramfs.",
            hint=f"It takes {human_bytes(_LEAST_MEMORY_BYTES)} at least.",
        )
    return free * 3 // 4


def _rebuilt(root: Files, facts: HardwareFacts, one: _Judged) -> str:
    """Make one anew and put it in the place of the old one; what was done."""
    tool = _tool(root, one)
    kernel = one.kernel
    kept = _kept(kernel.initramfs)

    def prove(file: BinaryIO) -> None:
        _refuse_poor(read_initramfs(file, f"made by {tool.name}"), one, tool)

    making = Making(kernel.version, facts.hardware.kind, facts.resume)
    with sandbox(root.path, root.called, scratch_bytes=_scratch_bytes()) as box:
        with waiting(f"{tool.name} to make an initramfs for {kernel.version}"):
            tool.make(box, tool.program_of(root), making)
        with TargetRoot(box.scratch, called="the sandbox") as made:
            try:
                new = made.open_regular(MADE, MOST_BYTES)
            except FileNotFoundError as error:
                raise OgError(f"{tool.name} ended well and made no initramfs.") from error
            with new:
                size = os.fstat(new.fileno()).st_size
                _need_room(root, kernel.initramfs, size + _MARGIN_BYTES)
                root.put_proven(kernel.initramfs, new, prove, kept_as=kept)
    return f"{kernel.initramfs} has {shortlist(one.lacking)} now, the old one is beside it: {kept}"


def _refuse_poor(made: Carried, one: _Judged, tool: Tool) -> None:
    """Raise where it lacks what is wanted, or what the old one had between disk and root."""
    has = made.of(one.kernel.version)
    lacking = one.required.lacking(has, one.modules)
    lost = sorted((one.carried.of(one.kernel.version) & _BETWEEN) - has)
    if lacking or lost:
        raise OgError(
            f"{tool.name} made an initramfs for {one.kernel.version} that lacks "
            f"{shortlist((*lacking, *lost))}; the old one is in its place.",
            hint="Its configuration in the system leaves it out.",
        )
