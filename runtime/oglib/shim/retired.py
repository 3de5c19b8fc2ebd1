# SPDX-License-Identifier: GPL-3.0-or-later
"""Old commands that do nothing any more; each names what does their work now.

They take any words, as what a script gives them is of no use: exit code 7, NOTEXEC.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from oglib.errors import OgErr, OgError
from oglib.shim.command import FREE, Command

_BURG = "the menus of BURG"
_HIVES = "scripts for chntpw, for Windows XP"
_DAEMONS = "launch daemons of macOS"
_STEP = "a step of the site's own (docs/guide.md, `og os configure`)"
_GRUB = {
    "DefaultEntry": "DISK PARTITION DISK PARTITION",
    "DeleteEntry": "DISK PARTITION DISK PARTITION",
    "HidePartitions": "DISK PARTITION",
    "InstallMbr": "DISK PARTITION",
    "OgliveDefaultEntry": "DISK PARTITION",
    "SetAdminKeys": "DISK PARTITION TRUE|FALSE",
    "SetResolution": "DISK PARTITION [WIDTHxHEIGHT]",
    "SetTheme": "DISK PARTITION THEME",
    "SetTimeOut": "DISK PARTITION SECONDS",
}
# What made scripts for chntpw: the old name, and what does it now.
_OF_HIVES = {
    "NTAutoLogon": "ogInstallRunonce",
    "NTChangeName": "ogSetWindowsName",
    "NTPolUserOFF": _STEP,
    "NTPolUserOn": _STEP,
    "NTRunMachine": "ogAddRegistryValue",
    "NTRunOnceMachine": "ogInstallRunonce",
    "NTRunUser": "ogAddRegistryValue",
    "NTSetGroupName": "ogSetRegistryValue",
    "NTSetOwner": "ogSetRegistryValue",
    "NTStartRecovery": "ogSetRegistryValue",
    "NTStatusRatonTeclado": "ogSetRegistryValue",
    "ogHiveNTRunMachine": "ogAddRegistryValue",
    "ogLoadHiveWindows": "ogSetRegistryValue",
    "ogNTPolUserOn": _STEP,
    "ogSetWindowsChkdisk": "ogSetRegistryValue",
    "ogUpdateHiveWindows": "ogSetRegistryValue",
}


def _gone(name: str, made: str, instead: str) -> Callable[[Sequence[str]], None]:
    def refuse(_words: Sequence[str]) -> None:
        raise OgError(
            f"{name} is retired: it made {made}. Nothing was changed.",
            hint=f"Instead of it: {instead}.",
            code=OgErr.NOTEXEC,
        )

    return refuse


def _retired(name: str, usage: str, made: str, instead: str) -> Command:
    return Command(
        name, usage, f"made {made}; now there is {instead}", _gone(name, made, instead), 0, FREE,
        f"{name} {usage}".strip(), f"Instead of it: {instead}.", "retired",
    )  # fmt: skip


COMMANDS = {
    command.name: command
    for command in (
        *(_retired(f"ogBurg{end}", usage, _BURG, f"ogGrub{end}") for end, usage in _GRUB.items()),
        *(_retired(name, "…", _HIVES, instead) for name, instead in _OF_HIVES.items()),
        _retired("ogGrub4dosInstallMbr", "DISK PARTITION", "a menu of grub4dos",
                 "ogGrubInstallMbr"),
        _retired("ogInstallLaunchDaemon", "DISK PARTITION NAME", _DAEMONS, _STEP),
        _retired("ogAddToLaunchDaemon", "DISK PARTITION NAME COMMAND", _DAEMONS, _STEP),
        _retired("ogSchrootLinux", "DISK PARTITION", "a shell in the restored system, outside of "
                 "any sandbox", _STEP),
    )
}  # fmt: skip
