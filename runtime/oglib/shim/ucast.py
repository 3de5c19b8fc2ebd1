# SPDX-License-Identifier: GPL-3.0-or-later
"""The old commands that pipe a partition from one PC to others.

Both sides must know the code in ``/run/oglive/clone.code``, which their scripts put there: without
it anybody in the room could send a PC its system. Tool and compressor are read and not used.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from oglib import reporters, settings
from oglib.deploy.partition import clone_code, cloning
from oglib.deploy.partition.restore import Request
from oglib.errors import OgErr, OgError, UsageError
from oglib.settings import is_address
from oglib.shim.command import Command, positive

_FIRST_PORT, _LAST_PORT = 8000, 8005
_TOOLS = ("partclone", "partimage", "partimage-ng", "ntfsclone")
_LEVELS = ("none", "gzip", "lzop", "zstd", "bzip2", "xz", "lrzip", "")
_PLACES = ("REPO", "CACHE")
_DEVICE = re.compile(r"/dev/[A-Za-z0-9/._-]+")
_SENDS, _RECEIVES = "SENDPARTITION", "RECEIVERPARTITION"
_FILES = ("SENDFILE", "RECEIVERFILE")


@dataclass(frozen=True, slots=True)
class Session:
    """``8000:10.0.0.5[:10.0.0.6…]``: a port and the PCs at the other end."""

    port: int
    hosts: tuple[str, ...]


def session_of(text: str, *, sends: bool) -> Session:
    """A session; a receiver's has one host. OG_ERR_UCASTSYNTAXT for anything else."""
    port, *hosts = text.split(":")
    right = port.isascii() and port.isdecimal() and _FIRST_PORT <= int(port[:6]) <= _LAST_PORT
    if not right or not hosts or not all(map(is_address, hosts)) or (len(hosts) > 1 and not sends):
        form = "PORT:IP[:IP…]" if sends else "PORT:IP"
        raise _syntax(
            f"{text!r} is no session: {form}, with a port from {_FIRST_PORT} to {_LAST_PORT}."
        )
    return Session(int(port), tuple(hosts))


def _code() -> Path:
    """Where the code is, which a script may have put elsewhere."""
    return Path(os.environ.get("OGCODE") or clone_code.CODE)


def _syntax(message: str) -> OgError:
    return OgError(message, code=OgErr.UCASTSYNTAXT)


def _check_tool(tool: str, level: str) -> None:
    if tool.lower() not in _TOOLS or level.lower() not in _LEVELS:
        raise _syntax(f"{tool} with {level or 'nothing'} is no tool and compressor of an image.")


def _pipeline(words: Sequence[str]) -> str:
    what = words[0].upper()
    if what in _FILES:
        raise _no_file(OgErr.UCASTSYNTAXT)
    if what not in (_SENDS, _RECEIVES):
        raise _syntax(f"{words[0]} is none of {_SENDS}, {_RECEIVES}, {', '.join(_FILES)}.")
    session = session_of(words[1], sends=what == _SENDS)
    if len(words) != 5 or not _DEVICE.fullmatch(words[2]):
        raise _syntax(f"{what} needs SESSION DEVICE TOOL LEVEL.")
    _check_tool(words[3], words[4])
    target = f"$(ogDevToDisk {words[2]}) --code-file {_code()}"
    if what == _SENDS:
        to = " ".join(f"--to {host}:{session.port}" for host in session.hosts)
        return f"og image send {target} {to}"
    return f"og image receive {target} --from {session.hosts[0]} --port {session.port} --yes"


def _send_partition(words: Sequence[str]) -> None:
    disk, part = positive(words[0], "DISK"), positive(words[1], "PARTITION")
    session = session_of(words[2], sends=True)
    _check_tool(words[3], words[4])
    try:
        sent = cloning.send(
            str(disk), str(part), [(host, session.port) for host in session.hosts],
            clone_code.read_code(_code()), name="clone", settings=settings.load(),
            progress=reporters.for_stream(),
        )  # fmt: skip
    except OgError as error:
        raise _as(error, OgErr.UCASTSENDPARTITION) from error
    if sent.failed:
        raise OgError(f"It did not come to {'; '.join(sent.failed)}", code=OgErr.UCASTSENDPARTITION)


def _receive_partition(words: Sequence[str]) -> None:
    disk, part = positive(words[0], "DISK"), positive(words[1], "PARTITION")
    session = session_of(words[2], sends=False)
    _check_tool(words[3], words[4])
    try:
        cloning.receive(
            Request(str(disk), str(part)), session.hosts[0], session.port,
            clone_code.read_code(_code()),
            settings=settings.load(), progress=reporters.for_stream(),
        )  # fmt: skip
    except OgError as error:
        raise _as(error, OgErr.UCASTRECEIVERPARTITION) from error


def _as(error: OgError, code: OgErr) -> OgError:
    """What a script knows by its number; a missing disk or partition keeps its own."""
    if error.code in (OgErr.NOTFOUND, OgErr.FORMAT, OgErr.LOCKED):
        return error
    return OgError(error.message, hint=error.hint, code=code)


def _send_file(words: Sequence[str]) -> None:
    _check_file(words[:-1])
    session_of(words[-1], sends=True)
    raise _no_file(OgErr.UCASTSENDFILE)


def _check_file(words: Sequence[str]) -> None:
    if len(words) == 3:
        positive(words[0], "DISK")
        positive(words[1], "PARTITION")
    elif len(words) == 2 and words[0].upper() not in _PLACES:
        raise UsageError(f"{words[0]} is none of {', '.join(_PLACES)}.")


def _no_file(code: OgErr) -> OgError:
    return OgError(
        "Files are not piped from PC to PC: an image comes from the nearest place that has it.",
        hint="`og cache update IMAGE` brings it into the cache; `mirrors` say who is nearest.",
        code=code,
    )


COMMANDS = {
    command.name: command
    for command in (
        Command(
            "ogUcastSyntax",
            "SENDPARTITION|RECEIVERPARTITION SESSION DEVICE TOOL LEVEL",
            "the command that sends or receives a partition",
            _pipeline,
            at_least=2,
            at_most=5,
            example="ogUcastSyntax SENDPARTITION 8000:10.0.0.6 /dev/sda1 partclone lzop",
            better="It is a command of ours that proves what came; no partclone, lzop and mbuffer.",
        ),
        Command(
            "ogUcastSendPartition",
            "DISK PARTITION PORT:IP[:IP…] TOOL LEVEL",
            "sends a partition to PCs that receive it",
            _send_partition,
            at_least=5,
            at_most=5,
            example="ogUcastSendPartition 1 1 8000:10.0.0.6:10.0.0.7 partclone lzop",
            better="Both sides prove that they know the code in /run/oglive/clone.code, or in the "
            "file that OGCODE names; what came is proven; a PC that fails is told, and the others "
            "have it.",
        ),
        Command(
            "ogUcastReceiverPartition",
            "DISK PARTITION PORT:IP TOOL LEVEL",
            "restores what a PC sends",
            _receive_partition,
            at_least=5,
            at_most=5,
            example="ogUcastReceiverPartition 1 1 8000:10.0.0.5 partclone lzop",
            better="As ogUcastSendPartition; what was written is read back.",
        ),
        Command(
            "ogUcastSendFile",
            "[REPO|CACHE | DISK PARTITION] FILE PORT:IP[:IP…]",
            "sent a file to PCs that receive it",
            _send_file,
            at_least=2,
            at_most=4,
            example="ogUcastSendFile REPO /aula1/win7.img 8000:10.0.0.6",
            status="retired",
            better="`og cache update IMAGE` on each PC, from the nearest place that has it.",
        ),
    )
}
