# SPDX-License-Identifier: GPL-3.0-or-later
"""What a loader or a release of Debian cannot do of what an inventory asks.

Tried with the loaders of Debian 12 (iPXE of 2019, GRUB 2.06) and 13 (iPXE of 2025, GRUB 2.12).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from ognetboot.checking.inherited import Whole
from ognetboot.inventory.checks import columns
from ognetboot.inventory.entries import Entry, Kind
from ognetboot.inventory.fields import Table
from ognetboot.inventory.model import Firmware, ScopeKind, UefiLoader
from ognetboot.inventory.scopes import Scope
from ognetboot.texts.charsets import Charset, spelled
from ognetboot.texts.sentences import load_look

# Keys 1 to 9 start an entry, and a text screen of 25 lines has so many for entries.
_KEYS, _LINES = 9, 15


@dataclass(frozen=True, slots=True)
class Loaders:
    """Which loaders PCs get, as far as it matters: `old`, those of Debian 12; None: unknown."""

    old: bool | None

    @property
    def maybe_old(self) -> bool:
        """Whether a limit of Debian 12's may hold."""
        return self.old is not False


def warn_of_limits(whole: Whole, loaders: Loaders) -> None:
    """Keep a warning for all that a loader will not do, or not show."""
    _warn_of_kinds(whole, loaders)
    _warn_of_signs(whole)
    _warn_of_lines(whole)
    _warn_of_uuids(whole, loaders)


def _warn_of_kinds(whole: Whole, loaders: Loaders) -> None:
    inventory, server_table = whole.inventory, whole.found.server_table
    signed = inventory.server.uefi_loader is UefiLoader.SHIM
    bios_only = bool(inventory.clients) and all(
        client.firmware is Firmware.BIOS for client in inventory.clients
    )
    for table, entry in whole.found.entries:
        if entry.kind is Kind.MEMTEST and signed:
            table.warn(
                "kind",
                "memtest86+ is not signed, so that it does not start behind shim",
                hint="it starts on BIOS PCs, and on UEFI PCs without Secure Boot by iPXE",
            )
        if entry.password and signed:
            table.warn(
                "password",
                "GRUB, which shim starts, would have to carry it: its menus leave the entry out",
                hint="tell a PC to start it with `ognetboot set`, or use iPXE",
            )
        if entry.kind is Kind.FIRMWARE and bios_only:
            table.warn(
                "kind",
                "no program can open the setup of a BIOS, and every PC has one",
                hint="remove the entry",
            )
    if signed and loaders.maybe_old and server_table is not None:
        server_table.warn(
            "uefi_loader",
            "the signed GRUB of Debian 12 stops at `grub>` where firmware starts over HTTP",
            hint="start these PCs by PXE, or serve the loaders of Debian 13 (`--loaders`)",
        )


def _titles(whole: Whole) -> Iterator[tuple[Table, str]]:
    if whole.found.server_table is not None:
        yield whole.found.server_table, whole.inventory.server.title
    for read in (whole.found.entries, whole.found.rooms, whole.found.states):
        for table, one in read:
            if one.title:
                yield table, one.title


def _warn_of_signs(whole: Whole) -> None:
    """Letters that a loader spells otherwise, or cannot show at all."""
    firmwares = {client.firmware for client in whole.inventory.clients} or {Firmware.AUTO}
    for table, title in _titles(whole):
        for charset, what, who in (
            (Charset.BIOS, Firmware.BIOS, "iPXE on a BIOS PC"),
            (Charset.LATIN1, Firmware.UEFI, "UEFI firmware"),
        ):
            lost = missing(title, charset)
            if lost and firmwares & {what, Firmware.AUTO}:
                table.warn(
                    "title",
                    f"{who} has no {' '.join(lost)} and shows {spelled(title, charset)!r}",
                    hint="leave it so, or take other letters",
                )
                break


def missing(title: str, charset: Charset) -> list[str]:
    """The characters of a title that a loader does not draw as they are."""
    composed = unicodedata.normalize("NFC", title)
    return [c for c in dict.fromkeys(composed) if spelled(c, charset) != c]


def _warn_of_lines(whole: Whole) -> None:
    """What does not fit onto 80 columns and 25 lines."""
    inventory, most = whole.inventory, load_look()["columns"] - 2
    told = set[str]()
    for client in inventory.clients:
        room = inventory.room_of(client)
        wide = columns(f"{client.name} - {room.title}") if room else 0
        if room is not None and wide > most and room.name not in told:
            told.add(room.name)
            whole.warn(
                Scope(ScopeKind.ROOM, room.name),
                "title",
                f"with the name {client.name} it takes {wide} columns, and the line above the "
                f"menu has {most}",
                hint="shorten it; the end of the line is cut",
            )
    shown = [(table, e) for table, e in whole.found.entries if e.in_menu]
    for number, (table, entry) in enumerate(shown, 1):
        if number in (_KEYS + 1, _LINES + 1):
            _warn_of_number(table, entry, number)


def _warn_of_number(table: Table, entry: Entry, number: int) -> None:
    what = "has no key" if number <= _LINES else "is below the lower edge of a text screen"
    table.warn(
        "in_menu",
        f"`{entry.name}` is number {number} in the menu and {what}",
        hint="arrow keys reach it; set `in_menu = false` where nobody chooses it",
    )


def _warn_of_uuids(whole: Whole, loaders: Loaders) -> None:
    """A PC that is known by its UUID alone, where the loader cannot tell it."""
    if whole.inventory.server.uefi_loader is not UefiLoader.SHIM or not loaders.maybe_old:
        return
    for table, client in whole.found.clients:
        if not client.macs and client.firmware is not Firmware.BIOS:
            table.warn(
                "uuid",
                "the signed GRUB of Debian 12 finds no PC by its UUID",
                hint="add its `mac`, or serve the loaders of Debian 13",
            )


# ---- templates of the site's --------------------------------------------------------------------

_HTTPS = re.compile(r"https://", re.IGNORECASE)
_OFF = re.compile(r"(?:^|&&|\|\|)\s*poweroff\b")
_FETCH = re.compile(r"(?:^|&&|\|\|)\s*(?:chain|kernel|initrd|imgfetch|module)\b")


def faults_of_template(data: bytes, loaders: Loaders) -> Iterator[tuple[int, str, str, bool]]:
    """Line, cause, hint of each fault of a custom entry's script; True: it is a warning."""
    text = data.decode("utf-8", "replace")
    if not text.startswith("#!ipxe"):
        yield 1, "does not begin with #!ipxe, so that iPXE takes it for no script", "add it", False
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("#"):
            continue
        if _HTTPS.search(line) and loaders.maybe_old:
            hint = "use http://, or serve the loaders of Debian 13"
            yield number, "https:// is not known to iPXE of Debian 12", hint, loaders.old is None
        if _OFF.search(line) and loaders.maybe_old:
            hint = "serve the loaders of Debian 13"
            yield number, "poweroff is not known to iPXE of Debian 12", hint, loaders.old is None
        if _FETCH.search(line) and "||" not in line:
            hint = "add `|| goto failed`"
            yield number, "a fetch without a branch for its failure ends in a prompt", hint, True
        elif _FETCH.search(line) and "--timeout" not in line:
            hint = "add `--timeout 30000`"
            yield number, "a fetch without a time limit waits for a silent server", hint, True
