# SPDX-License-Identifier: GPL-3.0-or-later
"""What all units of systemd that we write have in common: how words are quoted, and the sandbox.

The repository and the network boot write units of their own and do not know each other; both know
this. It knows nobody. Pure.
"""

from __future__ import annotations

from pathlib import Path

_HOMES = (Path("/home"), Path("/root"), Path("/run/user"))

# For every service. Which system calls, users, networks and folders it needs is its own.
SANDBOX = """\
NoNewPrivileges=yes
PrivateDevices=yes
PrivateTmp=yes
ProtectSystem=strict
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
RemoveIPC=yes
UMask=0022
SystemCallArchitectures=native
SystemCallErrorNumber=EPERM
"""


def in_home(path: Path) -> bool:
    """Whether a service that may see no home would not find it."""
    return any(path.is_relative_to(home) for home in _HOMES)


def word(path: Path | str) -> str:
    """A path as one word of a unit: systemd's quoting and specifiers."""
    text = str(path).replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{text}"' if any(char.isspace() or char in "\"'" for char in text) else text


def rest_of_line(path: Path) -> str:
    """A path where it is the rest of its line, quotes and blanks included: what is watched."""
    return str(path).replace("%", "%%")


def command(*words: Path | str) -> str:
    """A command line."""
    return " ".join(word(one).replace("$", "$$") for one in words)
