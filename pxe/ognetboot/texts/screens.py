# SPDX-License-Identifier: GPL-3.0-or-later
"""Decides what one PC (or an unknown one) is offered, as data the templates only print.

The same screen is written for iPXE and for GRUB. Kernel arguments are put together here, in one
place, in the order they are printed.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields

from ognetboot.errors import NetbootError
from ognetboot.inventory.checks import COMMAND_LINE_LIMIT
from ognetboot.inventory.choices import Choices
from ognetboot.inventory.entries import LOCAL_DISK, Entry, Kind, Variant
from ognetboot.inventory.model import Client, Inventory, Room
from ognetboot.texts.languages import plain, resource

# The menu's own keys; entries are numbered 1 to 9.
_ENTRY_KEYS = "123456789"
_SITE_OVERLAY = "oglive/site.cpio"


@dataclass(frozen=True, slots=True)
class Texts:
    """Every sentence a person may read while booting, in one language of menus.toml."""

    unknown_pc: str
    start: str
    local_disk: str
    more: str
    leave: str
    countdown: str
    starting: str
    to_disk: str
    failed: str
    retry: str


@dataclass(frozen=True, slots=True)
class Look:
    """How long a failure stays on the screen."""

    failed_s: int


@dataclass(frozen=True, slots=True)
class Initrd:
    """A file and the name by which `initrd=` on the command line calls it."""

    name: str
    path: str


@dataclass(frozen=True, slots=True)
class Boot:
    """One kernel to start; paths are below the server's HTTP root."""

    label: str
    title: str
    kernel: str
    initrds: tuple[Initrd, ...]
    args: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Item:
    """One line of the menu."""

    key: str
    label: str
    text: str


@dataclass(frozen=True, slots=True)
class Screen:
    """All that is offered to one PC. `timeout_s` 0: start at once; then the menu is
    seen only after a failure. `wait_s`, never 0, is how long it waits when it is seen."""

    title: str
    about: str
    client: Client | None
    items: tuple[Item, ...]
    boots: tuple[Boot, ...]
    disk: Item
    default: str
    timeout_s: int
    wait_s: int


def load_texts(language: str = "en") -> Texts:
    """The sentences of menus.toml; a missing or unknown one is a fault of the package."""
    values = tomllib.loads(resource("menus/menus.toml"))["texts"][language]
    return Texts(**{name: plain(text) for name, text in values.items()})


def load_look() -> Look:
    """Times of menus.toml."""
    values = tomllib.loads(resource("menus/menus.toml"))["look"]
    return Look(**{f.name: int(values[f.name]) for f in fields(Look)})


def screen_for(inventory: Inventory, client: Client | None, texts: Texts) -> Screen:
    """The screen of a PC of the inventory, or of any other one when `client` is None."""
    server = inventory.server
    default = inventory.entry_of(client)
    shown = [e for e in inventory.entries if e.in_menu or e.name == default.name]
    if default.name not in {e.name for e in shown}:
        shown.append(default)
    for entry in shown:
        _check_kind(entry)
    room = inventory.room_of(client) if client else None
    keys = iter(_ENTRY_KEYS)
    items = tuple(Item(next(keys, ""), _label(e), _title(e, texts)) for e in shown)
    disk = Item("", _label(inventory.entry(LOCAL_DISK)), _title(inventory.entry(LOCAL_DISK), texts))
    timeout_s = inventory.timeout_s_of(client)
    return Screen(
        title=plain(server.title),
        about=_about(client, room) if client else texts.unknown_pc,
        client=client,
        items=items,
        boots=tuple(_boot(inventory, e, client, texts) for e in shown if e.kind is Kind.OGLIVE),
        disk=disk,
        default=_label(default),
        timeout_s=timeout_s,
        wait_s=timeout_s or max(inventory.timeout_s_of(None), 10),
    )


def _check_kind(entry: Entry) -> None:
    if entry.kind not in (Kind.OGLIVE, Kind.LOCALDISK):
        raise NetbootError(
            f"entry `{entry.name}`: no loader's text starts the kind `{entry.kind}`",
            hint=f"choose {Kind.OGLIVE} or {Kind.LOCALDISK}",
        )


def _about(client: Client, room: Room | None) -> str:
    return f"{client.name} - {plain(room.title)}" if room else client.name


def _label(entry: Entry) -> str:
    # A prefix of its own keeps entries apart from the labels that the templates use themselves.
    return f"entry_{LOCAL_DISK if entry.kind is Kind.LOCALDISK else entry.name}"


def _title(entry: Entry, texts: Texts) -> str:
    return plain(entry.title) if entry.title else texts.local_disk


def _boot(inventory: Inventory, entry: Entry, client: Client | None, texts: Texts) -> Boot:
    choices = inventory.choices_of(client)
    directory = entry.directory_of(choices.oglive)
    image = "oginitrd.img" if entry.variant is Variant.TWO_STAGE else "oglive-onefile.img"
    initrds = [Initrd(image, f"{directory}/{image}")]
    if inventory.server.site_overlay:
        # First, because the kernel's EFI stub joins the files without padding, and an uncompressed
        # archive is only recognised at an offset divisible by four; a compressed one at any.
        initrds.insert(0, Initrd("site.cpio", _SITE_OVERLAY))
    args = _arguments(inventory, entry, client, choices)
    names = [f"initrd={i.name}" for i in initrds]
    # BOOTIF is added at boot time: 7 + 20 characters and a blank.
    length = sum(len(a) + 1 for a in (*names, *args)) + 28
    if length >= COMMAND_LINE_LIMIT:
        who = f" of {client.name}" if client else ""
        raise NetbootError(
            f"entry `{entry.name}`: the kernel command line{who} has {length} characters, "
            f"and the kernel reads {COMMAND_LINE_LIMIT - 1}",
            hint="shorten its `args`",
        )
    return Boot(_label(entry), _title(entry, texts), f"{directory}/ogvmlinuz", tuple(initrds), args)


def _arguments(
    inventory: Inventory, entry: Entry, client: Client | None, choices: Choices
) -> tuple[str, ...]:
    args = [
        f"oglive={inventory.server.authority}",
        f"oglivedir={entry.directory_of(choices.oglive)}",
        f"ogrepo={choices.repository}",
    ]
    if client is not None:
        args.append(f"hostname={client.name}")
        room = inventory.room_of(client)
        if room is not None:
            args.append(f"group={room.group}")
        args += [f"ogdisk.{rule}={disk}" for rule, disk in choices.disks]
    if entry.admin:
        args.append("ogactiveadmin=true")
    if entry.job is not None:
        job = entry.job
        args.append(f"ogjob={job.words}")
        if job.layout is not None:
            args.append(f"oglayout={job.layout}")
        args.append(f"ogafter={job.after}")
    args += [f"console={console}" for console in entry.console]
    return (*args, *entry.args)
