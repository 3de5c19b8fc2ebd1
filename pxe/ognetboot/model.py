# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory as data: server, boot entries, rooms, PCs.

Frozen, and valid once it exists: `inventory.py` builds it from a file and checks what one value
cannot know of another. Here are also the rules of inheritance (PC over room over server). Nothing
here knows a template or a firmware's language.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network
from pathlib import PurePosixPath

# The entry that every inventory has, written or not: where every failure ends.
LOCAL_DISK = "localdisk"


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


class Kind(StrEnum):
    """What an entry starts."""

    OGLIVE = "oglive"
    LOCALDISK = "localdisk"


class Profile(StrEnum):
    """Which build of ogLive; all but the default have an open console."""

    DEFAULT = "default"
    TEST = "test"
    DEBUG = "debug"


class Variant(StrEnum):
    """Small first stage that fetches the root, or the whole system in one initrd."""

    TWO_STAGE = "two-stage"
    ONE_FILE = "one-file"


class Work(StrEnum):
    """What a job does; the word is its key in the inventory and in `ogjob=`."""

    DEPLOY = "deploy"
    RESTORE = "restore"
    CREATE = "create"
    UPDATE_CACHE = "update_cache"


class After(StrEnum):
    """What a PC does when its job is done."""

    REBOOT = "reboot"
    POWEROFF = "poweroff"
    STAY = "stay"


class Firmware(StrEnum):
    """A PC's firmware, where somebody knows it."""

    AUTO = "auto"
    BIOS = "bios"
    UEFI = "uefi"


@dataclass(frozen=True, slots=True)
class Server:
    """The one machine that serves TFTP, HTTP and (in part) DHCP."""

    title: str
    address: IPv4Address
    http_port: int
    subnet: IPv4Network
    interface: str
    repository: str
    default_entry: str
    timeout_s: int
    dhcp: Dhcp
    dhcp_range: tuple[IPv4Address, IPv4Address] | None
    lease_hours: int
    router: IPv4Address | None
    dns: tuple[IPv4Address, ...]
    uefi_loader: UefiLoader
    tftp_root: PurePosixPath | None
    site_overlay: bool

    @property
    def authority(self) -> str:
        """`ADDRESS` or `ADDRESS:PORT`, as it stands in a URL."""
        return str(self.address) if self.http_port == 80 else f"{self.address}:{self.http_port}"


@dataclass(frozen=True, slots=True)
class Job:
    """One piece of work for a PC that needs no other server.

    `image` may end in `@VERSION`, but where one is created. `disk` is None where the cache is
    updated; `partition` None there, and where the image is that of a whole disk. `layout` is for
    deploying alone.
    """

    work: Work
    image: str
    disk: str | None
    partition: int | None
    layout: str | None
    after: After

    @property
    def words(self) -> str:
        """What `ogjob=` says: `WORK:IMAGE[:DISK[:PARTITION]]`."""
        words = (self.work, self.image, self.disk, self.partition)
        return ":".join(str(word) for word in words if word is not None)


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the menu. `title` is None only for the local disk that nobody described."""

    name: str
    kind: Kind
    title: str | None = None
    profile: Profile = Profile.DEFAULT
    version: str = "current"
    variant: Variant = Variant.TWO_STAGE
    admin: bool = False
    console: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    job: Job | None = None
    in_menu: bool = True

    @property
    def directory(self) -> str:
        """Where the artefacts lie below the HTTP root, e.g. `oglive/current`."""
        suffix = "" if self.profile is Profile.DEFAULT else f"-{self.profile}"
        return f"oglive{suffix}/{self.version}"


@dataclass(frozen=True, slots=True)
class Room:
    """PCs that are treated alike. `disks` says which disk a rule such as `system` means there."""

    name: str
    title: str
    group: str
    default_entry: str | None
    timeout_s: int | None
    disks: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Client:
    """One PC. Its MAC is lower case with colons; its `disks` come before its room's."""

    mac: str
    name: str
    room: str | None
    entry: str | None
    ip: IPv4Address | None
    firmware: Firmware
    disks: tuple[tuple[str, str], ...] = ()

    @property
    def mac_dashes(self) -> str:
        """As iPXE's `hexhyp` and BOOTIF write it."""
        return self.mac.replace(":", "-")


@dataclass(frozen=True, slots=True)
class Inventory:
    """Everything one server boots."""

    server: Server
    entries: tuple[Entry, ...]
    rooms: tuple[Room, ...]
    clients: tuple[Client, ...]

    def entry(self, name: str) -> Entry:
        """The entry of that name; the inventory was checked, so it exists."""
        return next(e for e in self.entries if e.name == name)

    def room_of(self, client: Client) -> Room | None:
        """The room the PC stands in, if any."""
        return next((r for r in self.rooms if r.name == client.room), None)

    def entry_of(self, client: Client | None) -> Entry:
        """What the PC starts by itself: its own word, else its room's, else the server's."""
        room = self.room_of(client) if client else None
        own = client.entry if client else None
        return self.entry(
            own or (room.default_entry if room else None) or self.server.default_entry
        )

    def disks_of(self, client: Client) -> dict[str, str]:
        """Which disk each rule means on this PC: its own word, else its room's."""
        room = self.room_of(client)
        return {**dict(room.disks if room else ()), **dict(client.disks)}

    def timeout_s_of(self, client: Client | None) -> int:
        """Seconds the menu waits; 0 starts at once."""
        room = self.room_of(client) if client else None
        if room is not None and room.timeout_s is not None:
            return room.timeout_s
        return self.server.timeout_s
