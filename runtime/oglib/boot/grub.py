# SPDX-License-Identifier: GPL-3.0-or-later
"""Installs GRUB on a restored disk with ogLive's own tools; runs no code of the image.

Owns the choice of targets and arguments, and the refusal of trees through which grub-install
would write outside the root: it follows links, so there may be none where it writes. Which
firmware is meant is said by the caller; NVRAM is not touched (the removable path boots
anywhere, the distribution's own path keeps its NVRAM entries working).
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from oglib.boot.firmware import check_table
from oglib.boot.grub_config import adapt_config, adapt_defaults
from oglib.disk.firmware import Firmware
from oglib.disk.loop import partition_device
from oglib.disk.model import Disk, Partition
from oglib.disk.starts import ESP
from oglib.errors import NotFoundError, OgErr, OgError
from oglib.filesystem.mount import mounted
from oglib.run import run
from oglib.steps import Outcome, Step
from oglib.texts import joined

_GRUB = "boot/grub"
_CONFIG = "boot/grub/grub.cfg"
_DEFAULTS = "etc/default/grub"
_INSTALL_LIMIT_S = 600.0
_MODULES = Path("/usr/lib/grub")
# Not left to grub-install: it looks at the partition through a loop device where the disk is a
# file, sees no table around it, and the disk would end in GRUB's rescue prompt.
_TABLES = "--modules=part_gpt part_msdos"


_TARGETS = {Firmware.BIOS: "i386-pc", Firmware.UEFI: "x86_64-efi"}


class RootFiles(Protocol):
    """Access to a mounted root that cannot leave it (``osconfig.root.TargetRoot``)."""

    path: Path
    called: str

    def exists(self, name: str) -> bool: ...
    def is_directory(self, name: str) -> bool: ...
    def irregular_below(self, name: str) -> list[str]: ...
    def read_text(self, name: str) -> str: ...
    def write_text(self, name: str, text: str) -> None: ...


@dataclass(frozen=True, slots=True)
class GrubEdit:
    """One text file of GRUB: its whole new content, or why there is nothing to write.

    ``content`` None: nothing is written, ``outcome`` and ``detail`` say why.
    """

    name: str
    path: str
    content: str | None
    outcome: Outcome
    detail: str


@dataclass(frozen=True, slots=True)
class GrubPlan:
    """What makes ``disk`` start a system, checked against the tree, the disk and this ogLive.

    ``esp`` is where the loader goes on UEFI, None on a BIOS.
    """

    disk: Disk
    firmware: Firmware
    esp: Partition | None
    os_id: str
    edits: tuple[GrubEdit, ...]


def plan_grub(
    root: RootFiles,
    disk: Disk,
    *,
    firmware: Firmware,
    root_uuid: str,
    swap_uuid: str = "",
    os_id: str = "",
    present: Collection[str] = (),
) -> GrubPlan:
    """What will make ``disk`` start the system on ``root``; only reads.

    ``root_uuid`` and ``swap_uuid`` (empty: no swap) are this PC's, ``os_id`` is os-release's ID,
    ``present`` the UUIDs of other filesystems here. Raises NOTBIOS or NOTUEFI when the disk
    is for the other firmware, and OgError when the tree is not safe to write into or this ogLive
    lacks what installs GRUB.
    """
    _check_tree(root)
    esp = _check_disk(disk, firmware)
    check_tools(firmware)
    edits = (
        _planned(
            root,
            "grub.cfg",
            _CONFIG,
            lambda old: adapt_config(
                old, root_uuid=root_uuid, swap_uuid=swap_uuid, present=present
            ),
        ),
        _planned(
            root,
            "default/grub",
            _DEFAULTS,
            lambda old: adapt_defaults(old, swap_uuid=swap_uuid),
        ),
    )
    return GrubPlan(disk, firmware, esp, os_id, edits)


def install_grub(root: RootFiles, plan: GrubPlan) -> tuple[Step, ...]:
    """Do what was planned on the same ``root``, mounted writable; every step is told."""
    steps = [_write(root, edit) for edit in plan.edits]
    if plan.esp is None:
        steps.append(_install("GRUB for BIOS", bios_argv(root.path, plan.disk.path)))
    else:
        steps += _install_on_esp(root, plan.disk, plan.esp, plan.os_id)
    return (*steps, _device(root))


def _install_on_esp(root: RootFiles, disk: Disk, esp: Partition, os_id: str) -> list[Step]:
    name = "GRUB for UEFI, removable path"
    try:
        with partition_device(disk, esp) as device, mounted(device, write=True, kind="vfat") as at:
            return [
                _install(name, uefi_argv(root.path, at, "")),
                _install(f"GRUB for UEFI, EFI/{os_id}", uefi_argv(root.path, at, os_id))
                if os_id
                else Step("GRUB for UEFI, own path", Outcome.NOT_NEEDED, "no distribution name"),
            ]
    except OgError as error:
        return [Step(name, Outcome.FAILED, error.message)]


def bios_argv(root: Path, disk: Path) -> tuple[str, ...]:
    """Boot code into the MBR, GRUB's core behind it or into the BIOS boot partition."""
    return (
        "grub-install",
        f"--target={_TARGETS[Firmware.BIOS]}",
        _TABLES,
        f"--boot-directory={root / 'boot'}",
        "--recheck",
        str(disk),
    )


def uefi_argv(root: Path, esp: Path, os_id: str) -> tuple[str, ...]:
    """The loader on the ESP: the removable path, or the folder of a distribution."""
    where = (f"--bootloader-id={os_id}",) if os_id else ("--removable",)
    return (
        "grub-install",
        f"--target={_TARGETS[Firmware.UEFI]}",
        _TABLES,
        f"--efi-directory={esp}",
        f"--boot-directory={root / 'boot'}",
        "--recheck",
        "--no-nvram",
        *where,
    )


def _check_tree(root: RootFiles) -> None:
    for folder in ("boot", _GRUB):
        if not root.is_directory(folder):
            raise NotFoundError(
                f"{root.called} has no folder {folder}, so there is no GRUB to start it with.",
                hint="If /boot is a partition of its own, mount it there first.",
            )
    if not root.exists(_CONFIG):
        raise NotFoundError(
            f"{root.called} has no {_CONFIG}: GRUB would find nothing to start.",
            hint="Run update-grub in the model PC before it is captured.",
        )
    strange = [
        name
        for name in root.irregular_below(_GRUB)
        if not name.startswith((f"{_GRUB}/themes/", f"{_GRUB}/./themes/"))
    ]
    if strange:
        raise OgError(
            f"{strange[0]} in {root.called} is a link or special file; GRUB is not installed "
            "through it.",
            hint="Replace it by a regular file in the model PC.",
            code=OgErr.NOTWRITE,
        )


def check_tools(firmware: Firmware) -> None:
    """Raise NOTEXEC unless this ogLive has what installs GRUB for ``firmware``."""
    target = _TARGETS[firmware]
    missing = [name for name in ("grub-install", "grub-probe") if shutil.which(name) is None]
    if not missing and not (_MODULES / target).is_dir():
        missing = [f"{_MODULES / target}"]
    if missing:
        raise OgError(
            f"GRUB cannot be installed for {firmware.upper()}: {missing[0]} is not here.",
            hint="Use an ogLive that has it.",
            code=OgErr.NOTEXEC,
        )


def _check_disk(disk: Disk, firmware: Firmware) -> Partition | None:
    """The ESP for UEFI, None for BIOS; raises when the disk cannot start that way."""
    check_table(disk.table, {part.type for part in disk.partitions}, firmware, disk.describe())
    if firmware is Firmware.BIOS:
        return None
    return next(part for part in disk.partitions if part.type == ESP)


def _planned(
    root: RootFiles, name: str, path: str, change: Callable[[str], tuple[str, tuple[str, ...]]]
) -> GrubEdit:
    try:
        old = root.read_text(path)
    except FileNotFoundError:
        return GrubEdit(name, path, None, Outcome.NOT_NEEDED, "there is none")
    except OgError as error:
        return GrubEdit(name, path, None, Outcome.FAILED, error.message)
    new, changes = change(old)
    if new == old:
        return GrubEdit(name, path, None, Outcome.NOT_NEEDED, "already so")
    return GrubEdit(name, path, new, Outcome.DONE, joined(changes))


def _write(root: RootFiles, edit: GrubEdit) -> Step:
    if edit.content is None:
        return Step(edit.name, edit.outcome, edit.detail)
    try:
        root.write_text(edit.path, edit.content)
    except OgError as error:
        return Step(edit.name, Outcome.FAILED, error.message)
    return Step(edit.name, Outcome.DONE, edit.detail)


def _install(name: str, argv: tuple[str, ...]) -> Step:
    try:
        run(*argv, timeout_s=_INSTALL_LIMIT_S)
    except OgError as error:
        return Step(name, Outcome.FAILED, error.message)
    return Step(name, Outcome.DONE, " ".join(argv[1:]))


def _device(root: RootFiles) -> Step:
    try:
        said = run("grub-probe", "--target=device", root.path / _GRUB).stdout
    except OgError as error:
        return Step("GRUB's device", Outcome.FAILED, error.message)
    return Step("GRUB's device", Outcome.DONE, said.strip())
