# SPDX-License-Identifier: GPL-3.0-or-later
"""GRUB on a restored disk, by ogLive's own tools; runs no code of the image.

Owns GRUB's files in the tree, its boot code for a BIOS, and how grub-install is called. It follows
links, so there may be none where it writes. Its loader for UEFI goes where ``esp`` says.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from oglib.boot.bls import adapt_entry, read_entries
from oglib.boot.facts import BootFacts
from oglib.boot.grub_config import (
    adapt_config,
    adapt_defaults,
    adapt_environment,
    away_config,
    away_text,
)
from oglib.boot.legacy import INSTEAD, adapt_legacy
from oglib.boot.menu.judge import check_script
from oglib.boot.place import (
    boot_directory,
    grub_folder,
    is_of_legacy,
    lacks_bls,
    legacy_menu,
    menu_path,
    not_understood,
)
from oglib.boot.rd_words import told_away
from oglib.boot.static_menu import is_bls, with_static, without_static
from oglib.disk.firmware import Firmware
from oglib.errors import NotFoundError, OgErr, OgError
from oglib.fitting.edits import Edit, Files, bytes_of, content, words_of
from oglib.fitting.fittings import Check, Need, edited
from oglib.run import run
from oglib.texts import joined

_DEFAULTS = "etc/default/grub"
_MORE_DEFAULTS = f"{_DEFAULTS}.d"
_MOST_DEFAULTS = 100
_INSTALL_LIMIT_S = 600.0
_MODULES = Path("/usr/lib/grub")
# Not left to grub-install: it looks at the partition through a loop device where the disk is a
# file, sees no table around it, and the disk would end in GRUB's rescue prompt.
_TABLES = "--modules=part_gpt part_msdos"
_STATIC = (
    "boot/loader/entries stand in it now, for ogLive's GRUB does not read them: run this again "
    "after an update of the kernel"
)
_NOT_STATIC = "boot/loader/entries are read by the distribution's GRUB again"
TARGETS = {Firmware.BIOS: "i386-pc", Firmware.UEFI: "x86_64-efi"}


def check_tree(root: Files) -> None:
    """Raise unless ``root`` has a GRUB with a menu, and nothing leads grub-install out of it."""
    folder_of_grub = grub_folder(root)
    for folder in ("boot", folder_of_grub):
        if not root.is_directory(folder):
            raise NotFoundError(
                f"{root.called} has no folder {folder}, so there is no GRUB to start it with.",
                hint="Is it a system that GRUB starts?",
            )
    if not root.exists(menu_path(root)) and not legacy_menu(root):
        raise NotFoundError(
            f"{root.called} has no {menu_path(root)}: GRUB would find nothing to start.",
            hint="Run update-grub in the model PC before it is captured.",
        )
    strange = [
        name
        for name in root.irregular_below(folder_of_grub)
        if not name.startswith((f"{folder_of_grub}/themes/", f"{folder_of_grub}/./themes/"))
        and not is_of_legacy(name)
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
    target = TARGETS[firmware]
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
    """grub.cfg and grubenv: what the system's own generator wrote of devices."""
    folder = grub_folder(root)
    if legacy := legacy_menu(root):
        return _with_legacy(root, legacy, facts)
    return _texts(
        root,
        {
            f"{folder}/grub.cfg": (partial(_menu, root), away_config),
            f"{folder}/grubenv": (adapt_environment, away_text),
        },
        facts,
    )


def _menu(root: Files, text: str, facts: BootFacts) -> tuple[str, tuple[str, ...]]:
    """grub.cfg for this PC; with the boot entries in it where the GRUB that reads it has to."""
    plain = without_static(text)
    new, changes = adapt_config(plain, facts)
    if is_bls(new) and _needs_static(facts):
        made = with_entries(root, new, facts)
        return made, (*changes, _STATIC) if made != text else changes
    return new, (*changes, _NOT_STATIC) if plain != text else changes


def _needs_static(facts: BootFacts) -> bool:
    """An ESP has the distribution's own GRUB."""
    return facts.firmware is Firmware.BIOS and lacks_bls(TARGETS[Firmware.BIOS])


def with_entries(root: Files, text: str, facts: BootFacts) -> str:
    """A menu that reads boot entries, with these in it. OgError where it would not start them."""
    entries = {
        name: adapt_entry(words_of(raw), facts)[0] for name, raw in read_entries(root).items()
    }
    grubenv = words_of(content(root, f"{grub_folder(root)}/grubenv") or b"")
    environment = adapt_environment(grubenv, facts)[0]
    made = with_static(text, entries, environment, facts.start.uuid)
    check_script(made, menu_path(root))
    return made


def _with_legacy(root: Files, path: str, facts: BootFacts) -> Check:
    """The menu of GRUB legacy, and what makes ogLive's GRUB read it."""
    old, own = content(root, path), content(root, menu_path(root))
    new, changes = adapt_legacy(words_of(old or b""), facts)
    changes = (*changes, *told_away(away_text(new, facts)))
    instead = bytes_of(INSTEAD.format(menu=path.rpartition("/")[2]))
    edits = [Edit(path, old, bytes_of(new)), Edit(menu_path(root), own, own or instead)]
    return edited(edits, joined([*changes, *(() if own else (f"{path} is read by GRUB 2",))]))


def defaults(root: Files, facts: BootFacts) -> Check:
    """/etc/default/grub and grub.d beside it, from which the system writes the next grub.cfg."""
    more = [name for name in root.names(_MORE_DEFAULTS) if name.endswith(".cfg")]
    if len(more) > _MOST_DEFAULTS:
        return Check(Need.CANNOT, f"{_MORE_DEFAULTS} has {len(more)} files, more than any system")
    paths = (_DEFAULTS, *(f"{_MORE_DEFAULTS}/{name}" for name in more))
    return _texts(root, dict.fromkeys(paths, (adapt_defaults, away_text)), facts)


_Change = tuple[
    Callable[[str, BootFacts], tuple[str, tuple[str, ...]]],
    Callable[[str, BootFacts], tuple[str, ...]],
]


def _texts(root: Files, changes: Mapping[str, _Change], facts: BootFacts) -> Check:
    edits: list[Edit] = []
    said: list[str] = []
    away: dict[str, None] = {}
    for path, (change, names_away) in changes.items():
        old = content(root, path)
        if old is None:
            continue
        new, changed = change(words_of(old), facts)
        edits.append(Edit(path, old, bytes_of(new)))
        said += changed
        away.update(dict.fromkeys(names_away(new, facts)))
    if not edits:
        return Check(Need.NOT_NEEDED, "there is none")
    strange = told_away(away)
    return edited(edits, joined([*said, *strange]), joined(strange) or "already so")


class BiosCode:
    """Boot code into the MBR, GRUB's core behind it or into the BIOS boot partition."""

    name = "grub-bios"

    def check(self, root: Files, facts: BootFacts) -> Check:
        text = without_static(words_of(content(root, menu_path(root)) or b""))
        static = is_bls(text) and _needs_static(facts)
        try:
            if static:
                with_entries(root, text, facts)
        except OgError as error:
            return Check(Need.CANNOT, error.message)
        if why := not_understood(root, TARGETS[Firmware.BIOS], facts.subvolume, static=static):
            return Check(Need.CANNOT, why)
        return Check(Need.NEEDED, f"onto {facts.disk.path}")

    def apply(self, root: Files, facts: BootFacts, checked: Check) -> str:
        if _needs_static(facts) and is_bls(words_of(content(root, menu_path(root)) or b"")):
            raise OgError(
                f"{menu_path(root)} reads boot/loader/entries by blscfg, which this GRUB has not.",
                hint="Do the step grub.cfg too: it writes them into the menu.",
                code=OgErr.NOTOS,
            )
        with boot_directory(root) as boot:
            install(root, bios_argv(boot, facts.disk.path))
        return checked.detail


BIOS_CODE = BiosCode()


def bios_argv(boot: Path, disk: Path) -> tuple[str, ...]:
    """What installs GRUB for a BIOS; ``boot`` is the folder that ``grub`` lies in."""
    return (*_common(Firmware.BIOS, boot), str(disk))


def uefi_argv(boot: Path, esp: Path, os_id: str) -> tuple[str, ...]:
    """What installs the loader on an ESP: at the removable path, or in a distribution's folder."""
    where = (f"--bootloader-id={os_id}",) if os_id else ("--removable",)
    return (*_common(Firmware.UEFI, boot), f"--efi-directory={esp}", "--no-nvram", *where)


def _common(firmware: Firmware, boot: Path) -> tuple[str, ...]:
    return (
        "grub-install",
        f"--target={TARGETS[firmware]}",
        _TABLES,
        f"--boot-directory={boot}",
        "--recheck",
    )


def install(root: Files, argv: tuple[str, ...]) -> None:
    """Run grub-install, and see that GRUB's own word finds what its files are on.

    OgError where either program fails.
    """
    run(*argv, timeout_s=_INSTALL_LIMIT_S)
    run("grub-probe", "--target=device", root.path / grub_folder(root))
