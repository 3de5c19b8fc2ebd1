# SPDX-License-Identifier: GPL-3.0-or-later
"""What this PC was told: kernel command line, first stage's findings and site policy.

One frozen ``Settings`` is read once and handed down. Values from the command line are
untrusted text: only the parameters named here are read, and each is checked. Secrets never
come this way; they are files of mode 0600 below ``/run/oglive``.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from oglib.errors import OgErr, OgError, UsageError

CMDLINE = Path("/proc/cmdline")
BOOT_ENV = Path("/run/oglive/boot.env")
POLICY = Path("/etc/oglive/policy.toml")
KEYS_DIR = Path("/etc/oglive/keys")
UPLOAD_TOKEN = Path("/run/oglive/upload.token")

_ADDRESS = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?")
NAME_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_AFTER = ("stay", "reboot", "poweroff")


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything the runtime was told from outside; empty text where it was told nothing."""

    repository: str = ""
    hostname: str = ""
    group: str = ""
    job: str = ""
    layout: str = ""
    after: str = "stay"
    ip: str = ""
    version: str = ""
    profile: str = ""
    allow_unsigned: tuple[str, ...] = ()
    keys_dir: Path = KEYS_DIR
    upload_token: Path = UPLOAD_TOKEN

    def repository_url(self) -> str:
        """``http://host:port`` of the repository, or an error that says how to name one."""
        if not self.repository:
            raise OgError(
                "No repository is known to this PC.",
                hint="Boot with ogrepo=HOST[:PORT], or give a URL or a file instead of a name.",
                code=OgErr.REPO,
            )
        return f"http://{self.repository}"


def parse_cmdline(text: str) -> dict[str, str]:
    """``key=value`` words of a kernel command line; a later word wins, as in the kernel."""
    words = (word.partition("=") for word in text.split())
    return {key: value for key, equals, value in words if equals}


def parse_env(text: str) -> dict[str, str]:
    """``KEY=value`` lines as the first stage writes them: no quoting, no expansion."""
    lines = (line.partition("=") for line in text.splitlines())
    return {key.strip(): value.strip() for key, equals, value in lines if equals}


def _address(value: str, parameter: str) -> str:
    if value and not _ADDRESS.fullmatch(value):
        raise UsageError(
            f"The address {parameter}={value} is not HOST or HOST:PORT.",
            hint="Mend the netboot entry.",
        )
    return value


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except FileNotFoundError:
        return ""


def _unsigned_allowed(text: str) -> tuple[str, ...]:
    if not text:
        return ()
    try:
        allowed = tomllib.loads(text).get("allow_unsigned", [])
    except tomllib.TOMLDecodeError as error:
        raise UsageError(
            f"The site policy {POLICY} cannot be read: {error}.", hint="Mend the site overlay."
        ) from error
    if not isinstance(allowed, list) or not all(isinstance(url, str) for url in allowed):
        raise UsageError(
            f"allow_unsigned in {POLICY} is not a list of URL prefixes.",
            hint='Write it as allow_unsigned = ["http://repository/"].',
        )
    return tuple(allowed)


def load(*, cmdline: Path = CMDLINE, boot_env: Path = BOOT_ENV, policy: Path = POLICY) -> Settings:
    """Read and check what this PC was told; files that are not there count as empty."""
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
    server = _address(words.get("oglive", "") or found.get("SERVER", ""), "oglive")
    return Settings(
        repository=_address(words.get("ogrepo", ""), "ogrepo") or server,
        hostname=words.get("hostname", ""),
        group=words.get("group", ""),
        job=words.get("ogjob", ""),
        layout=layout,
        after=after,
        ip=found.get("IP", ""),
        version=found.get("VERSION", ""),
        profile=found.get("PROFILE", ""),
        allow_unsigned=_unsigned_allowed(_read(policy)),
    )
