# SPDX-License-Identifier: GPL-3.0-or-later
"""The old commands about messages, logs and the system around a script.

What a process cannot know, the names of the shell functions that called it, comes in OG_CALLERS
(innermost first), set by the small functions of ``etc/preinit/loadenviron.sh``.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from oglib.errors import NotFoundError, OgErr, OgError, UsageError
from oglib.inventory import firmware
from oglib.shim.command import FREE, Command, command_of
from oglib.shim.logs import (
    LEVELS,
    add_to_logs,
    callers,
    is_muted,
    leading_logs,
    message,
    opened,
    tell,
)
from oglib.shim.messages import MESSAGES
from oglib.shim.names import MODULE_OF
from oglib.shim.process import caller_of, is_open_below, parent_of_script

_BY_NUMBER = {str(int(code)): code for code in MESSAGES}


def _echo(words: Sequence[str]) -> None:
    logs, rest = leading_logs(words)
    level = rest.pop(0).lower() if rest and rest[0].lower() in LEVELS else ""
    if level == "info" and is_muted():
        return
    tell(logs, level, " ".join(rest))


def _execute_and_log(words: Sequence[str]) -> int:
    from oglib.streams import run_through  # noqa: PLC0415  most of these commands start nothing

    logs, command = leading_logs(words)
    if not command:
        raise UsageError("No command was given.", hint="Usage: ogExecAndLog [LOG…] COMMAND…")
    with opened(logs, empty_first=("command",)) as files:

        def take(piece: bytes) -> None:
            sys.stdout.buffer.write(piece)
            sys.stdout.flush()
            for file in files:
                file.write(piece)

        return run_through(*command, take=take, with_errors="command" in logs)


def _caller(_: Sequence[str]) -> str:
    told = os.environ.get("OG_CALLER_PID", "")
    return caller_of(int(told)) if told.isdecimal() else caller_of(parent_of_script(os.getppid()))


def _help(words: Sequence[str]) -> str:
    if not words:
        return "\n".join(f"{name}: {command_of(name).does}" for name in sorted(MODULE_OF))
    name, shape, *examples = [*words, ""] if len(words) == 1 else words
    if not shape and name in MODULE_OF:
        return command_of(name).help()
    does = os.environ.get(f"MSG_HELP_{name}", "")
    if not shape and not does:
        raise NotFoundError(f"There is no help for {name}.", hint="`ogHelp` lists the functions.")
    lines = [f"Function {name}: {does}".rstrip(" :")]
    lines += [f"  Usage: {shape}"] if shape else []
    return "\n".join([*lines, *(f"  Example: {example}" for example in examples)])


def _raise_error(words: Sequence[str]) -> int:
    logs, rest = leading_logs(words)
    code = _BY_NUMBER.get(rest[0] if rest else "", OgErr.GENERIC)
    if code is OgErr.FORMAT or not is_muted():
        parts = (" -> ".join(reversed(callers())), MESSAGES[code], " ".join(rest[1:]))
        line = message("error", ": ".join(part for part in parts if part))
        print(line, file=sys.stderr)
        add_to_logs(logs or ["log"], line)
    return int(code)


def _is_repository_locked(_: Sequence[str]) -> bool:
    return is_open_below(Path(os.environ.get("OGIMG") or "/opt/opengnsys/images"))


def _check_programs(words: Sequence[str]) -> None:
    missing = [name for name in words[0].split() if shutil.which(name) is None]
    if missing:
        raise OgError(f"Not installed here: {', '.join(missing)}.", code=OgErr.NOTEXEC)


def _is_virtual_machine(_: Sequence[str]) -> bool:
    return bool(firmware.virtual_machine())


COMMANDS = {
    command.name: command
    for command in (
        Command(
            "ogCheckProgram",
            '"PROGRAM PROGRAM…"',
            "says whether programs are installed",
            _check_programs,
            1,
            1,
            'ogCheckProgram "partclone.restore mbuffer"',
        ),
        Command(
            "ogEcho",
            "[log|command|session]… [help|info|warning|error] TEXT…",
            "prints a message and adds it to logs",
            _echo,
            0,
            FREE,
            'ogEcho log session "[20] Restoring"',
            better="A log that cannot be written is said on standard error. The mark of a level is "
            "`TIME LEVEL: TEXT`, without the name of a program; nothing goes to syslog.",
        ),
        Command(
            "ogExecAndLog",
            "[log|command|session]… COMMAND…",
            "runs a command and keeps its output in logs",
            _execute_and_log,
            1,
            FREE,
            "ogExecAndLog command session ogCreatePartitions 1 NTFS:30000000",
            better="A program that is not installed gives 7 (NOTEXEC) and is named. Several words "
            "reach the command as they were given; a single one may be a line of shell, as before.",
        ),
        Command(
            "ogGetCaller",
            "",
            "prints the name of the script or program that called this script",
            _caller,
            example="ogGetCaller",
        ),
        Command(
            "ogHelp",
            "[FUNCTION [FORMAT [EXAMPLE…]]]",
            "prints the help of a function",
            _help,
            0,
            FREE,
            "ogHelp ogGetDiskSize",
            better="Without arguments it lists every function; an unknown one gives 2 (NOTFOUND).",
        ),
        Command(
            "ogIsRepoLocked",
            "",
            "says whether a process uses a file of the repository",
            _is_repository_locked,
            example="ogIsRepoLocked",
        ),
        Command(
            "ogIsVirtualMachine",
            "",
            "says whether this PC is a virtual machine",
            _is_virtual_machine,
            example="ogIsVirtualMachine",
            better="0 means yes and 1 no (it was the other way round); VMware, Hyper-V, Xen and "
            "others are known too.",
        ),
        Command(
            "ogRaiseError",
            "[log|command|session]… CODE [TEXT]",
            "prints what an error number means and gives it back as exit code",
            _raise_error,
            0,
            FREE,
            'ogRaiseError session 2 "image.img"',
        ),
    )
}
