# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wanted, what was found, and the steps between the two. Nothing here reads or writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path

CONFIG = Path("/etc/oglive")
UNITS = Path("/etc/systemd/system")
USER = "oglive"


@dataclass(frozen=True, slots=True)
class InstallRequest:
    """The command line. ``None``: not said, so found out or left as it is."""

    folder: Path
    config: Path = CONFIG
    units: Path = UNITS
    user: str = USER
    inventory: Path | None = None
    interface: str | None = None
    dhcp: str | None = None
    dhcp_range: tuple[IPv4Address, IPv4Address] | None = None
    port: int | None = None
    artefacts: Path | None = None
    ca: Path | None = None

    @property
    def inventory_file(self) -> Path:
        return self.inventory or self.config / "inventory.toml"

    @property
    def options_file(self) -> Path:
        """What the repository's services are started with besides."""
        return self.config / "ogrepo.conf"

    @property
    def site(self) -> Path:
        """The site's own files, as they lie on a PC."""
        return self.config / "site"


@dataclass(frozen=True, slots=True)
class Artefacts:
    """A built ogLive: its folder, version, profile, and the digest of each of its files."""

    folder: Path
    version: str
    profile: str
    digests: Mapping[str, str]

    @property
    def name(self) -> str:
        """The folder that it is served from."""
        return "oglive" if self.profile == "default" else f"oglive-{self.profile}"


@dataclass(frozen=True, slots=True)
class ServerTable:
    """``[server]`` of an inventory, as far as this machine is concerned; text where it has any."""

    interface: str
    address: str
    http_port: int
    dhcp: str
    dhcp_range: tuple[str, ...] = ()
    site_overlay: bool = False


@dataclass(frozen=True, slots=True)
class Program:
    """The programs that the units start, and what of them a sandbox must be shown.

    ``roots``: folders below a home, which the units hide but for these.
    """

    ogrepo: Path
    ognetboot: Path
    dnsmasq: Path
    systemctl: Path | None = None
    roots: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Facts:
    """What was found on this machine."""

    program: Program
    interfaces: tuple[tuple[str, IPv4Interface], ...]
    """Every address but loopback's, by interface; those of hardware alone where there is one."""
    server: ServerTable | None
    """None: there is no inventory yet."""
    user_exists: bool
    missing_folders: frozenset[Path]
    has_key: bool
    foreign: tuple[Path, ...]
    """What of the repository belongs to another user (the first few)."""
    texts: Mapping[Path, str | None]
    """Content of the files that may be written; None where there is none."""
    artefacts: Artefacts | None
    published: Mapping[str, str]
    """By folder (``oglive``) the version that ``current`` names."""
    has_version: bool
    """Whether the version of ``artefacts`` is in the folder already, whole."""
    ca: bytes | None
    ca_there: bytes | None
    systemd_runs: bool
    enabled: frozenset[str]
    active: frozenset[str]
    keeping: Mapping[str, str] = field(default_factory=dict)
    """Units of ``ognetboot`` by name, where the site has an inventory of its own."""
    may_keep: bool = False
    """Whether the daemon's user may write beside that inventory."""


# ---- steps --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class MakeUser:
    name: str
    home: Path

    def __str__(self) -> str:
        return f"make the system user {self.name}"


@dataclass(frozen=True, slots=True)
class MakeFolder:
    path: Path
    mode: int = 0o755

    def __str__(self) -> str:
        return f"make the folder {self.path}"


@dataclass(frozen=True, slots=True)
class MakeKey:
    folder: Path

    def __str__(self) -> str:
        return f"make the repository's signing key in {self.folder}/private"


@dataclass(frozen=True, slots=True)
class WriteFile:
    path: Path
    content: bytes = field(repr=False)
    new: bool = True

    def __str__(self) -> str:
        return f"{'write' if self.new else 'replace'} {self.path}"


@dataclass(frozen=True, slots=True)
class Publish:
    """Copy a version into ``into`` (unless it is there) and point ``current`` at it."""

    artefacts: Artefacts
    into: Path
    copy: bool

    def __str__(self) -> str:
        what = "copy ogLive" if self.copy else "offer ogLive"
        return f"{what} {self.artefacts.version} to {self.into}/current"


@dataclass(frozen=True, slots=True)
class Own:
    """Give the repository's own folders to its user."""

    folder: Path
    user: str

    def __str__(self) -> str:
        return f"give {self.folder} to the user {self.user}"


@dataclass(frozen=True, slots=True)
class Run:
    """A program that says itself what it did; ``quiet`` for one that has nothing to say."""

    argv: tuple[str, ...]
    says: str

    def __str__(self) -> str:
        return self.says


Step = MakeUser | MakeFolder | MakeKey | WriteFile | Publish | Own | Run


@dataclass(frozen=True, slots=True)
class Plan:
    """Steps in order; ``netboot`` renders what PCs boot, ``start`` makes systemd follow."""

    steps: tuple[Step, ...]
    netboot: tuple[Run, ...]
    start: tuple[Run, ...]
    kept: tuple[Path, ...] = ()
    """Files that an administrator edited, and ours are different."""
    notes: tuple[str, ...] = ()
    """What was not done, and how it can be."""
