# SPDX-License-Identifier: GPL-3.0-or-later
"""What this PC was told: kernel command line, first stage's findings, site policy, engine.cfg.

One frozen ``Settings`` is read once and handed down. Values from the command line are
untrusted text: only the parameters named here are read, and each is checked; ``engine.cfg`` is
read, never executed. Secrets never come this way; they are files of mode 0600 below
``/run/oglive``. Who writes the kernel command line is ``ognetboot.texts.screens``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from oglib.connection import USUAL, Connection
from oglib.engine_cfg import ENGINE_CFG, fields_of, knobs
from oglib.errors import OgErr, OgError, UsageError
from oglib.fitting.policy import USUAL as USUAL_FITTING
from oglib.fitting.policy import FittingPolicy, fitting_policy
from oglib.texts import read_whole

CMDLINE = Path("/proc/cmdline")
BOOT_ENV = Path("/run/oglive/boot.env")
POLICY = Path("/etc/oglive/policy.toml")
KEYS_DIR = Path("/etc/oglive/keys")
STEPS_DIR = Path("/etc/oglive/steps")  # programs of the site's that fit a system, too
CA_FILE = Path("/etc/oglive/ca.pem")  # who vouches for the site's https servers beside the system's
UPLOAD_TOKEN = Path("/run/oglive/upload.token")
CREDENTIALS = Path("/run/oglive/credentials")  # user and password of the repository's share

VARIABLE = "OGREPO"  # of the environment: the repository

_ADDRESS = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?")
NAME_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_MIRROR = re.compile(
    r"(https?://[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?)?(/[A-Za-z0-9._~-]+)*/?"
)
_MOST_MIRRORS = 16
_DISK_NAME = re.compile(r"[a-z][a-z0-9-]*")
SHARES = ("smb", "nfs")
_DISK_PARAMETER = "ogdisk."
_AFTER = ("stay", "reboot", "poweroff")


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything the runtime was told from outside; empty text where it was told nothing.

    ``repository`` is HOST or HOST:PORT, with ``https://`` before it where it is asked that way.
    ``protocol``: of ``SHARES`` where images come by the repository's share, ``unit`` its folder.
    ``mirrors`` are asked for bytes before it, in their order: base addresses, folders of this PC.
    ``method``: how images come to this PC, as ``transfer.choose`` reads it. ``locale``: es_ES…
    """

    repository: str = ""
    protocol: str = ""
    unit: str = ""
    mirrors: tuple[str, ...] = ()
    connection: Connection = USUAL
    hostname: str = ""
    group: str = ""
    job: str = ""
    layout: str = ""
    method: str = ""
    after: str = "stay"
    locale: str = ""
    ip: str = ""
    version: str = ""
    profile: str = ""
    allow_unsigned: tuple[str, ...] = ()
    disk_rules: Mapping[str, str] = field(default_factory=dict)
    network_first: bool = True
    fitting: FittingPolicy = USUAL_FITTING
    interface: str = ""
    steps_dir: Path = STEPS_DIR
    keys_dir: Path = KEYS_DIR
    upload_token: Path = UPLOAD_TOKEN
    action_cache_full: str = "NONE"
    restore_not_cached: str = ""
    image_program: str = "partclone"
    image_compressor: str = "zstd"
    image_extension: str = "img"

    def repository_url(self) -> str:
        """``http(s)://host:port`` of the repository, or an error that says how to name one."""
        if not self.repository:
            raise OgError(
                "No repository is known to this PC.",
                hint="Say --repo HOST[:PORT], set OGREPO, boot with ogrepo=HOST[:PORT], or give an "
                "address or a file instead of a name.",
                code=OgErr.REPO,
            )
        return self.repository if "://" in self.repository else f"http://{self.repository}"


def parse_cmdline(text: str) -> dict[str, str]:
    """``key=value`` words of a kernel command line; a later word wins, as in the kernel."""
    words = (word.partition("=") for word in text.split())
    return {key: value for key, equals, value in words if equals}


def parse_env(text: str) -> dict[str, str]:
    """``KEY=value`` lines as the first stage writes them: no quoting, no expansion."""
    lines = (line.partition("=") for line in text.splitlines())
    return {key.strip(): value.strip() for key, equals, value in lines if equals}


def is_address(text: str) -> bool:
    """Whether a text is HOST or HOST:PORT."""
    return _ADDRESS.fullmatch(text) is not None


def is_mirror(text: str) -> bool:
    """Whether a text is the base address of a web server, or the whole path of a folder."""
    plain = _MIRROR.fullmatch(text) is not None and not {".", ".."} & set(text.split("/"))
    return plain and text not in ("", "/")


def host_of(repository: str) -> str:
    """The host in ``Settings.repository``, or in the boot parameter of that name."""
    return repository.rpartition("://")[2].partition(":")[0]


def _address(value: str, parameter: str) -> str:
    if value and not is_address(value):
        raise UsageError(
            f"The address {parameter}={value} is not HOST or HOST:PORT.",
            hint="Mend the netboot entry.",
        )
    return value


def _repository(text: str, said_by: str, hint: str) -> str:
    """HOST[:PORT] as given by a bare address or a URL; ``https://`` stays, http needs no word."""
    scheme, parted, rest = text.rpartition("://")
    bare = rest.removesuffix("/")
    if not is_address(bare) or (parted and scheme not in ("http", "https")):
        raise UsageError(f"{said_by}{text} does not name a repository.", hint=hint)
    return f"https://{bare}" if scheme == "https" else bare


def with_repository(settings: Settings, text: str, said_by: str) -> Settings:
    """These with another repository, HOST[:PORT] or its address; ``said_by``: ``--repo ``."""
    hint = f"Write it as in {said_by}10.0.0.2:8080."
    return replace(settings, repository=_repository(text, said_by, hint))


def _read(path: Path) -> str:
    try:
        return read_whole(path).decode(errors="replace")
    except FileNotFoundError:
        return ""


def _policy(text: str) -> dict[str, Any]:
    if not text:
        return {}
    import tomllib  # noqa: PLC0415  few PCs have a policy, all commands start

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(
            f"The site policy {POLICY} cannot be read: {error}.", hint="Mend the site overlay."
        ) from error


def _unsigned_allowed(policy: Mapping[str, Any]) -> tuple[str, ...]:
    allowed = policy.get("allow_unsigned", [])
    if not isinstance(allowed, list) or not all(isinstance(url, str) for url in allowed):
        raise UsageError(
            f"allow_unsigned in {POLICY} is not a list of URL prefixes.",
            hint='Write it as allow_unsigned = ["http://repository/"].',
        )
    return tuple(allowed)


def _mirrors(said: str, policy: Mapping[str, Any]) -> tuple[str, ...]:
    """``ogmirrors=A,B`` of the kernel command line, or else ``mirrors`` of the policy, in order."""
    listed = said.split(",") if said else policy.get("mirrors", [])
    right = isinstance(listed, list) and len(listed) <= _MOST_MIRRORS
    if not right or not all(isinstance(one, str) and is_mirror(one) for one in listed):
        raise UsageError(
            f"ogmirrors={said} does not name mirrors."
            if said
            else f"mirrors in {POLICY} is not a list of mirrors.",
            hint="Each is http://HOST[:PORT], https://HOST[:PORT] or the whole path of a folder; "
            f"there are at most {_MOST_MIRRORS}.",
        )
    return tuple(one.rstrip("/") for one in listed)


def _disk_rules(words: Mapping[str, str], policy: Mapping[str, Any]) -> dict[str, str]:
    """``ogdisk.NAME=DISK`` of the kernel command line over ``NAME = "DISK"`` of the policy."""
    named = policy.get("disks", {})
    if not isinstance(named, dict):
        raise UsageError(
            f"disks in {POLICY} is not a table.", hint='Write it as [disks] and NAME = "SERIAL".'
        )
    here = {
        word.removeprefix(_DISK_PARAMETER): value
        for word, value in words.items()
        if word.startswith(_DISK_PARAMETER)
    }
    rules = {**named, **here}
    for name, disk in rules.items():
        if not _DISK_NAME.fullmatch(name) or not isinstance(disk, str) or disk.split() != [disk]:
            raise UsageError(
                f"{name!r} = {disk!r} does not name a disk.",
                hint="The name: small letters, digits, dashes; the disk: one word. It comes from "
                f"{_DISK_PARAMETER}NAME= on the kernel command line or [disks] in {POLICY}.",
            )
    return rules


def _network_first(policy: Mapping[str, Any]) -> bool:
    """Whether firmware shall try the network before an installed system: ``[boot] first``."""
    boot = policy.get("boot", {})
    first = boot.get("first", "network") if isinstance(boot, dict) else None
    if first not in ("network", "disk"):
        raise UsageError(
            f"first of [boot] in {POLICY} is not network or disk.",
            hint='Write it as [boot] and first = "network".',
        )
    return bool(first == "network")


def load(
    *,
    cmdline: Path = CMDLINE,
    boot_env: Path = BOOT_ENV,
    policy: Path = POLICY,
    engine_cfg: Path = ENGINE_CFG,
) -> Settings:
    """Read and check what this PC was told; files that are not there count as empty.

    ``OGREPO`` of the environment goes before the repository of the kernel command line.
    """
    words = parse_cmdline(_read(cmdline))
    found = parse_env(_read(boot_env))
    after = words.get("ogafter", "stay")
    if after not in _AFTER:
        raise UsageError(
            f"ogafter={after} is not one of {', '.join(_AFTER)}.", hint="Mend the netboot entry."
        )
    layout = words.get("oglayout", "")
    if layout and not NAME_PART.fullmatch(layout):
        raise UsageError(
            f"oglayout={layout} is not the name of a layout.", hint="Mend the netboot entry."
        )
    site = _policy(_read(policy))
    asked = words.get("ogrepo", "")
    server = _address(words.get("oglive", "") or found.get("SERVER", ""), "oglive")
    settings = Settings(
        repository=_repository(asked, "ogrepo=", "Mend the netboot entry.") if asked else server,
        protocol=words.get("ogprotocol", ""),
        unit=words.get("ogunit", ""),
        mirrors=_mirrors(words.get("ogmirrors", ""), site),
        hostname=words.get("hostname", "") or found.get("NAME", ""),  # the one in ip=
        group=words.get("group", ""),
        job=words.get("ogjob", ""),
        layout=layout,
        method=words.get("ogmethod", ""),
        after=after,
        locale=words.get("LANG", ""),
        ip=found.get("IP", ""),
        version=found.get("VERSION", ""),
        profile=found.get("PROFILE", ""),
        allow_unsigned=_unsigned_allowed(site),
        disk_rules=_disk_rules(words, site),
        network_first=_network_first(site),
        fitting=fitting_policy(site.get("fitting", {}), POLICY),
        interface=found.get("INTERFACE", ""),
    )
    settings = replace(settings, **fields_of(knobs(engine_cfg)))
    here = os.environ.get(VARIABLE, "")
    return with_repository(settings, here, f"{VARIABLE}=") if here else settings
