# SPDX-License-Identifier: GPL-3.0-or-later
"""How each entry is started, as data the templates only print: one for iPXE, one for GRUB.

Kernel arguments are put together here, in one place, in the order they are printed.
"""

from __future__ import annotations

from dataclasses import dataclass

from ognetboot.assigning.model import NO_STAMP
from ognetboot.assigning.offers import Offered
from ognetboot.errors import NetbootError
from ognetboot.inventory.checks import COMMAND_LINE_LIMIT
from ognetboot.inventory.choices import Choices
from ognetboot.inventory.entries import LOCAL_DISK, Entry, Kind, Variant
from ognetboot.inventory.model import Client, Inventory
from ognetboot.texts.facts import facts_of

_SITE_OVERLAY = "oglive/site.cpio"


@dataclass(frozen=True, slots=True)
class Initrd:
    """A file and the name by which `initrd=` on the command line calls it."""

    name: str
    path: str


@dataclass(frozen=True, slots=True)
class System:
    """A system on the disk: its folder on the ESP, GRUB's name of the disk, the partition."""

    folder: str
    drive: str
    partition: int

    @property
    def told(self) -> str:
        """What iPXE hands on to the GRUB that starts it."""
        return f"og-system-{self.folder}-{self.drive}-{self.partition}"


@dataclass(frozen=True, slots=True)
class Boot:
    """One thing to start, under its `label`; paths are below the server's HTTP root.

    `entry` is its name in the inventory. What follows `kind` is said for that kind alone: `kernel`,
    `initrds` and `args` of an ogLive, `system` of a partition's, `template` of a custom one.
    """

    label: str
    title: str
    entry: str
    kind: Kind
    kernel: str = ""
    initrds: tuple[Initrd, ...] = ()
    args: tuple[str, ...] = ()
    system: System | None = None
    template: str = ""


def label_of(entry: Entry) -> str:
    """The label of what starts it. All that mean the local disk share one; so do the menus.

    A prefix of its own keeps entries apart from the labels that the templates use themselves.
    """
    if entry.kind is Kind.MENU:
        return "menu"
    return f"entry_{LOCAL_DISK if _is_local_disk(entry) else entry.name}"


def _is_local_disk(entry: Entry) -> bool:
    """A system of which no partition is named is what the first disk starts by itself."""
    return entry.kind is Kind.LOCALDISK or (
        entry.kind is Kind.SYSTEM and entry.partition is None and entry.disk == 1
    )


def boot_of(
    inventory: Inventory, entry: Entry, client: Client | None, title: str, offered: Offered
) -> Boot | None:
    """How the entry is started on that PC; None: it is the local disk or the menu itself."""
    if entry.kind is Kind.MENU or _is_local_disk(entry):
        return None
    label = label_of(entry)
    if entry.kind is Kind.OGLIVE:
        return _oglive(inventory, entry, client, title, offered)
    if entry.kind is Kind.SYSTEM:
        return Boot(label, title, entry.name, entry.kind, system=_system(entry))
    return Boot(label, title, entry.name, entry.kind, template=entry.template or "")


def _system(entry: Entry) -> System:
    partition = entry.partition or 0
    return System(f"Part-{entry.disk:02}-{partition:02}", f"hd{entry.disk - 1}", partition)


def _oglive(
    inventory: Inventory, entry: Entry, client: Client | None, title: str, offered: Offered
) -> Boot:
    choices = inventory.choices_of(client)
    directory = entry.directory_of(choices.oglive)
    image = "oginitrd.img" if entry.variant is Variant.TWO_STAGE else "oglive-onefile.img"
    initrds = [Initrd(image, f"{directory}/{image}")]
    if inventory.server.site_overlay:
        # First, because the kernel's EFI stub joins the files without padding, and an uncompressed
        # archive is only recognised at an offset divisible by four; a compressed one at any.
        initrds.insert(0, Initrd("site.cpio", _SITE_OVERLAY))
    args = _arguments(inventory, entry, client, choices)
    if client is not None:
        # What the PC reports when it is ready: where it got to, and by which script.
        args = (*args, f"ogentry={entry.name}", f"ogstamp={stamp_of(entry, offered)}")
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
    kernel = f"{directory}/ogvmlinuz"
    return Boot(label_of(entry), title, entry.name, entry.kind, kernel, tuple(initrds), args)


@dataclass(frozen=True, slots=True)
class Given:
    """What a PC is given for so many times: its label, and what a report of it says."""

    label: str
    entry: str
    stamp: str


def given_of(offered: Offered) -> Given | None:
    """None: nothing that a report would use up."""
    if offered.stamp == NO_STAMP:
        return None
    return Given(label_of(offered.entry), offered.entry.name, offered.stamp)


def stamp_of(entry: Entry, offered: Offered) -> str:
    """What a report of that entry carries: another entry than the given one uses up nothing."""
    return offered.stamp if entry.name == offered.entry.name else NO_STAMP


def _arguments(
    inventory: Inventory, entry: Entry, client: Client | None, choices: Choices
) -> tuple[str, ...]:
    args = [
        f"oglive={inventory.server.authority}",
        f"oglivedir={entry.directory_of(choices.oglive)}",
        f"ogrepo={choices.repository}",
    ]
    if choices.mirrors is not None:
        args.append(f"ogmirrors={choices.mirrors}")
    if client is not None:
        args.append(f"hostname={client.name}")
        room = inventory.room_of(client)
        if room is not None:
            args.append(f"group={room.group}")
        args += [f"ogdisk.{rule}={disk}" for rule, disk in choices.disks]
    args += facts_of(inventory, client, choices)
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
