# SPDX-License-Identifier: GPL-3.0-or-later
"""Old commands that change an installed Windows: they say by NOTOS that this is not done yet."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from oglib.errors import OgErr, OgError
from oglib.shim.command import Command
from oglib.shim.target import entry_of


def _not_yet(name: str, does: str) -> Callable[[Sequence[str]], None]:
    def refuse(words: Sequence[str]) -> None:
        entry_of(*words[:2])  # a partition that is not there is the first thing to say
        raise OgError(
            f"{name} changes a Windows, and this ogLive fits no Windows to a PC yet: {does} "
            "was not done.",
            hint="The Windows is as it was.",
            code=OgErr.NOTOS,
        )

    return refuse


def _command(name: str, usage: str, does: str, counts: tuple[int, int], example: str) -> Command:
    return Command(
        name, usage, does, _not_yet(name, does), *counts, f"{name} {example}",
        "A Windows is not fitted yet: NOTOS, and nothing is changed.", "not yet",
    )  # fmt: skip


_SHAPES = (
    ("ogGetWindowsName", "DISK PARTITION", "reading the name of a Windows", (2, 2), "1 2"),
    ("ogSetWindowsName", "DISK PARTITION NAME", "naming a Windows", (3, 3), "1 2 pc14"),
    ("ogSetWinlogonUser", "DISK PARTITION USER", "setting who is offered to log in", (3, 3),
     "1 2 student"),
    ("ogFixBootSector", "DISK PARTITION", "mending the boot sector", (2, 2), "1 2"),
    ("ogWindowsBootParameters", "DISK PARTITION", "mending what starts a Windows", (2, 2), "1 2"),
    ("ogWindowsRegisterPartition", "DISK PARTITION LETTER DISK PARTITION",
     "giving a partition its letter", (5, 5), "1 2 C 1 2"),
    ("ogInstallFirstBoot", "DISK PARTITION FILE", "installing a script of the first start", (3, 3),
     "1 2 postconf.cmd"),
    ("ogInstallRunonce", "DISK PARTITION FILE ADMIN PASSWORD 0|1 [USER PASSWORD]",
     "installing a script of the first login", (6, 8), "1 2 postconf.cmd admin PASSWORD 0"),
    ("ogInstallMiniSetup", "DISK PARTITION FILE [ADMIN PASSWORD 0|1 [USER PASSWORD]]",
     "installing a script of the first start or login", (3, 8), "1 2 postconf.cmd"),
    ("ogAddCmd", "DISK PARTITION FILE COMMAND", "adding a command to a script", (4, 4),
     "1 2 postconf.cmd 'echo done'"),
    ("ogDomainScript", "DISK PARTITION FILE DOMAIN USER PASSWORD", "joining a domain", (6, 6),
     "1 2 postconf.cmd uni.example admin PASSWORD"),
    ("ogUninstallWindowsClient", "DISK PARTITION FILE", "removing the old client", (3, 3),
     "1 2 postconf.cmd"),
)  # fmt: skip

COMMANDS = {shape[0]: _command(*shape) for shape in _SHAPES}
