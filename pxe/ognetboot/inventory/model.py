# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory as data: site and server, entries, centres, rooms, groups, PCs.

Frozen, and valid once it exists: `reading.py` builds it from a file and checks what one value
cannot know of another. Here are also the rules of inheritance (PC over group over room over centre
over server). Nothing here knows a template or a firmware's language.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from ipaddress import IPv4Address, IPv4Network
from pathlib import PurePosixPath

from ognetboot.inventory.choices import NOTHING_SAID, Choices, Tongue, joined
from ognetboot.inventory.entries import BUILT_IN, LOCAL_DISK, Entry

# What holds where no scope says anything.
DEFAULTS = Choices(entry=LOCAL_DISK, timeout_s=10, language=Tongue.EN)


class Dhcp(StrEnum):
    """Who gives addresses: this server, the site's (we only add the boot file), or all by hand."""

    OWN = "own"
    PROXY = "proxy"
    OFF = "off"


class UefiLoader(StrEnum):
    """First program of a UEFI PC: iPXE over the firmware's driver, iPXE's own drivers, or shim."""

    IPXE = "ipxe"
    IPXE_NATIVE = "ipxe-native"
    SHIM = "shim"


class Firmware(StrEnum):
    """A PC's firmware, where somebody knows it."""

    AUTO = "auto"
    BIOS = "bios"
    UEFI = "uefi"


class ScopeKind(StrEnum):
    """Whom a word is said for, from wide to narrow."""

    ALL = "all"
    CENTRE = "centre"
    ROOM = "room"
    GROUP = "group"
    PC = "pc"


@dataclass(frozen=True, slots=True)
class Server:
    """The one machine that serves TFTP, HTTP and (in part) DHCP; `choices` are for all PCs."""

    title: str
    address: IPv4Address
    http_port: int
    subnet: IPv4Network
    interface: str
    dhcp: Dhcp
    dhcp_range: tuple[IPv4Address, IPv4Address] | None
    lease_hours: int
    router: IPv4Address | None
    dns: tuple[IPv4Address, ...]
    uefi_loader: UefiLoader
    tftp_root: PurePosixPath | None
    site_overlay: bool
    choices: Choices = NOTHING_SAID

    @property
    def authority(self) -> str:
        """`ADDRESS` or `ADDRESS:PORT`, as it stands in a URL."""
        return str(self.address) if self.http_port == 80 else f"{self.address}:{self.http_port}"


@dataclass(frozen=True, slots=True)
class Site:
    """Whose inventory it is. `unit_folders`: images of each unit lie in a folder of its name."""

    title: str
    unit_folders: bool = False


@dataclass(frozen=True, slots=True)
class Centre:
    """Rooms that belong together: a faculty. `unit` is the name of its organisational unit."""

    name: str
    title: str
    unit: str | None
    choices: Choices = NOTHING_SAID


@dataclass(frozen=True, slots=True)
class Room:
    """PCs that stand together. `group` is what ogLive is told as the room's name."""

    name: str
    title: str
    group: str
    centre: str | None = None
    unit: str | None = None
    choices: Choices = NOTHING_SAID


@dataclass(frozen=True, slots=True)
class Group:
    """PCs that are treated alike wherever they stand; `within`: the wider group around it."""

    name: str
    title: str
    within: str | None
    choices: Choices = NOTHING_SAID


@dataclass(frozen=True, slots=True)
class System:
    """What is on one partition of a declared state; `default`: what the PC starts of them."""

    disk: str
    partition: int
    image: str
    title: str
    default: bool


@dataclass(frozen=True, slots=True)
class State:
    """How disks are to look; `layout` is the name of one in the repository."""

    name: str
    title: str
    layout: str | None
    systems: tuple[System, ...]

    @property
    def default(self) -> System | None:
        """The system that the PC starts by itself: the marked one, or the only one."""
        marked = [one for one in self.systems if one.default]
        if marked:
            return marked[0]
        return self.systems[0] if len(self.systems) == 1 else None


@dataclass(frozen=True, slots=True)
class Client:
    """One PC, known by its MACs (lower case with colons), by the UUID of its firmware, or by both.

    `serial` is told, and identifies nothing. `hardware` is the name of a hardware profile.
    """

    macs: tuple[str, ...]
    name: str
    room: str | None = None
    ip: IPv4Address | None = None
    firmware: Firmware = Firmware.AUTO
    uuid: str | None = None
    serial: str | None = None
    groups: tuple[str, ...] = ()
    hardware: str | None = None
    teacher: bool = False
    choices: Choices = NOTHING_SAID

    @property
    def mac(self) -> str | None:
        """Its first MAC."""
        return self.macs[0] if self.macs else None


@dataclass(frozen=True)
class Inventory:
    """Everything one server boots. `entries` are those that the file holds, and the local disk.

    `adapters`: MACs of network adapters that go from PC to PC, and so are no PC's own.
    """

    server: Server
    site: Site
    entries: tuple[Entry, ...]
    rooms: tuple[Room, ...]
    clients: tuple[Client, ...]
    centres: tuple[Centre, ...] = ()
    groups: tuple[Group, ...] = ()
    states: tuple[State, ...] = ()
    adapters: frozenset[str] = frozenset()

    @cached_property
    def known_entries(self) -> Mapping[str, Entry]:
        """Every entry by its name, those that need not be written included."""
        return {e.name: e for e in (*BUILT_IN, *self.entries)}

    @cached_property
    def _rooms(self) -> Mapping[str, Room]:
        return {r.name: r for r in self.rooms}

    @cached_property
    def _centres(self) -> Mapping[str, Centre]:
        return {c.name: c for c in self.centres}

    @cached_property
    def _groups(self) -> Mapping[str, Group]:
        return {g.name: g for g in self.groups}

    @cached_property
    def _states(self) -> Mapping[str, State]:
        return {s.name: s for s in self.states}

    @cached_property
    def _chosen(self) -> dict[str, tuple[Client | None, Choices]]:
        """What `choices_of` found: it is asked many times for each of thousands of PCs."""
        return {}

    @cached_property
    def _for_all(self) -> Choices:
        return joined((DEFAULTS, self.server.choices))

    def entry(self, name: str) -> Entry:
        """The entry of that name; the inventory was checked, so it exists."""
        return self.known_entries[name]

    def room_of(self, client: Client) -> Room | None:
        """The room the PC stands in, if any."""
        return self._rooms.get(client.room or "")

    def centre_of(self, client: Client) -> Centre | None:
        """The centre of the PC's room, if any."""
        room = self.room_of(client)
        return self._centres.get(room.centre or "") if room else None

    def groups_of(self, client: Client) -> tuple[Group, ...]:
        """The PC's groups, each behind the wider ones around it; the last one's word counts."""
        found: dict[str, Group] = {}
        for name in client.groups:
            found |= {group.name: group for group in self.around(name) if group.name not in found}
        return tuple(found.values())

    def around(self, name: str) -> tuple[Group, ...]:
        """A group behind the wider ones around it; the inventory was checked, so that it ends."""
        found: list[Group] = []
        inner: str | None = name
        while inner is not None:
            found.insert(0, self._groups[inner])
            inner = found[0].within
        return tuple(found)

    def unit_of(self, client: Client) -> str | None:
        """The organisational unit that the PC belongs to: its room's, else its centre's."""
        room, centre = self.room_of(client), self.centre_of(client)
        return (room.unit if room else None) or (centre.unit if centre else None)

    def scopes_of(self, client: Client | None) -> tuple[tuple[ScopeKind, str, Choices], ...]:
        """Kind, name and word of every scope around a PC, from wide to narrow."""
        found = [(ScopeKind.ALL, "", self._for_all)]
        if client is None:
            return tuple(found)
        if centre := self.centre_of(client):
            found.append((ScopeKind.CENTRE, centre.name, centre.choices))
        if room := self.room_of(client):
            found.append((ScopeKind.ROOM, room.name, room.choices))
        found += [(ScopeKind.GROUP, g.name, g.choices) for g in self.groups_of(client)]
        found.append((ScopeKind.PC, client.name, client.choices))
        return tuple(found)

    def choices_of(self, client: Client | None) -> Choices:
        """All that holds for a PC; None: for one that nobody knows."""
        name = client.name if client else ""
        known = self._chosen.get(name)
        if known is None or known[0] is not client:
            said = (choices for _, _, choices in self.scopes_of(client))
            known = self._chosen[name] = (client, joined(said))
        return known[1]

    def entry_of(self, client: Client | None) -> Entry:
        """What the PC starts by itself, as the inventory says."""
        return self.entry(self.choices_of(client).entry or LOCAL_DISK)

    def timeout_s_of(self, client: Client | None) -> int:
        """How long the PC's menu waits before that."""
        return self.choices_of(client).timeout_s or 0

    def disks_of(self, client: Client) -> dict[str, str]:
        """Which disk each rule means on this PC."""
        return dict(self.choices_of(client).disks)

    def state_of(self, client: Client) -> State | None:
        """How the PC's disks are to look, where somebody said it."""
        return self._states.get(self.choices_of(client).state or "")
