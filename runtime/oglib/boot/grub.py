# SPDX-License-Identifier: GPL-3.0-or-later
"""GRUB on a restored disk, by ogLive's own tools; runs no code of the image.

Owns GRUB's files in the tree, its boot code for a BIOS, and how grub-install is called. It follows
links, so there may be none where it writes. Its loader for UEFI goes where ``esp`` says.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from oglib.boot.facts import BootFacts
from oglib.boot.grub_config import adapt_config, adapt_defaults
from oglib.disk.firmware import Firmware
from oglib.errors import NotFoundError, OgErr, OgError
from oglib.fitting.edits import Edit, Files, bytes_of, content, words_of
from oglib.fitting.fittings import Check, Need, edited
from oglib.run import run
from oglib.texts import joined

FOLDER = "boot/grub"
_CONFIG = "boot/grub/grub.cfg"
_DEFAULTS = "etc/default/grub"
_INSTALL_LIMIT_S = 600.0
_MODULES = Path("/usr/lib/grub")
# Not left to grub-install: it looks at the partition through a loop device where the disk is a
# file, sees no table around it, and the disk would end in GRUB's rescue prompt.
_TABLES = "--modules=part_gpt part_msdos"
_TARGETS = {Firmware.BIOS: "i386-pc", Firmware.UEFI: "x86_64-efi"}


def check_tree(root: Files) -> None:
    """Raise unless ``root`` has a GRUB with a menu, and nothing leads grub-install out of it."""
    for folder in ("boot", FOLDER):
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
        for name in root.irregular_below(FOLDER)
        if not name.startswith((f"{FOLDER}/themes/", f"{FOLDER}/./themes/"))
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


def config(root: Files, facts: BootFacts) -> Check:
    """grub.cfg: the kernel command lines that the system's own generator wrote."""
    return _text(
        root,
        _CONFIG,
        lambda old: adapt_config(
            old, root_uuid=facts.root_uuid, swap_uuid=facts.swap_uuid, present=facts.present
        ),
    )


def defaults(root: Files, facts: BootFacts) -> Check:
    """/etc/default/grub, from which the system writes the next grub.cfg."""
    return _text(root, _DEFAULTS, lambda old: adapt_defaults(old, swap_uuid=facts.swap_uuid))


def _text(root: Files, path: str, change: Callable[[str], tuple[str, tuple[str, ...]]]) -> Check:
    old = content(root, path)
    if old is None:
        return Check(Need.NOT_NEEDED, "there is none")
    new, changes = change(words_of(old))
    return edited([Edit(path, old, bytes_of(new))], joined(changes))


class BiosCode:
    """Boot code into the MBR, GRUB's core behind it or into the BIOS boot partition."""

    name = "grub-bios"

    def check(self, root: Files, facts: BootFacts) -> Check:  # noqa: ARG002
        return Check(Need.NEEDED, f"onto {facts.disk.path}")

    def apply(self, root: Files, facts: BootFacts, checked: Check) -> str:  # noqa: ARG002
        return install(root, bios_argv(root.path, facts.disk.path))


BIOS_CODE = BiosCode()


def bios_argv(root: Path, disk: Path) -> tuple[str, ...]:
    """What installs GRUB for a BIOS."""
    return (*_common(Firmware.BIOS, root), str(disk))


def uefi_argv(root: Path, esp: Path, os_id: str) -> tuple[str, ...]:
    """What installs the loader on an ESP: at the removable path, or in a distribution's folder."""
    where = (f"--bootloader-id={os_id}",) if os_id else ("--removable",)
    return (*_common(Firmware.UEFI, root), f"--efi-directory={esp}", "--no-nvram", *where)


def _common(firmware: Firmware, root: Path) -> tuple[str, ...]:
    return (
        "grub-install",
        f"--target={_TARGETS[firmware]}",
        _TABLES,
        f"--boot-directory={root / 'boot'}",
        "--recheck",
    )


def install(root: Files, argv: tuple[str, ...]) -> str:
    """Run grub-install; what it was told, and the device that GRUB's files are on by its own word.

    OgError where either program fails.
    """
    run(*argv, timeout_s=_INSTALL_LIMIT_S)
    device = run("grub-probe", "--target=device", root.path / FOLDER).stdout.strip()
    return f"{' '.join(argv[1:])}; its files are on {device}"
