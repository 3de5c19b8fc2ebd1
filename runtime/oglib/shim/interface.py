# SPDX-License-Identifier: GPL-3.0-or-later
"""What a console's client calls by fixed names: capture, deploy, run, switch off, list.

Only that client could call them before; here anybody may who could call what they call.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from oglib.errors import NotFoundError, OgErr, OgError, UsageError
from oglib.filesystem.share import change_share, mount_on, mounted_share
from oglib.shim.command import FREE, Command, command_of
from oglib.shim.logs import opened, tell
from oglib.shim.origin import REPO, origin_of
from oglib.shim.place import repository
from oglib.shim.process import is_open_below
from oglib.shim.site_scripts import run_beside
from oglib.shim.steps import begin_logs, going_on, said, say

_BASH = "/bin/bash"
_ACCESS = {"admin": True, "user": False}
_LOGS = ("log", "session")
_SHEBANG = b"#!"


def told_from_end_to_end(name: str, words: Sequence[str], work: Callable[[], int | None]) -> int:
    """Between the lines of beginning and end, as consoles show them; the exit code is in the last.

    An error is logged with its number and goes on to the caller.
    """
    begin_logs()
    tell(_LOGS, "", f"{said('MSG_INTERFACE_START', '[begin] Command: ')}{name} {' '.join(words)}")
    try:
        with going_on(name):
            status = work() or 0
    except OgError as error:
        tell(_LOGS, "error", str(error))
        _end(int(error.code))
        raise
    _end(status)
    return status


def _end(status: int) -> None:
    tell(_LOGS, "", f"{said('MSG_INTERFACE_END', '[end] Exit code: ')}{status}")


def _capture(words: Sequence[str]) -> int:
    disk, part, name, *place = words
    order = (disk, part, place[0] if place and place[0] else REPO, f"/{name.lstrip('/')}")
    return told_from_end_to_end("CrearImagen", words, partial(_captured, order))


def _captured(order: tuple[str, ...]) -> int | None:
    """The repository's share, where it is one and read-only, is writable meanwhile."""
    origin = origin_of(order[2])
    mount = None if origin.in_cache else mount_on(repository().resolve())
    closed = mount is not None and mount.read_only and mounted_share(mount.point) is not None
    if closed:
        _access(("admin",))
    try:
        return _by_the_site_or_us("createImage", order)
    finally:
        if closed:
            _access(("user",))


def _by_the_site_or_us(name: str, words: Sequence[str]) -> int | None:
    status = run_beside(name, words)
    if status is not None:
        return status
    answer = command_of(name).run(words)
    return answer if isinstance(answer, int) else None


def _deploy(words: Sequence[str]) -> int | None:
    disk, part, name, place, *how = words
    # a console sends empty words for what it does not say
    return _by_the_site_or_us("deployImage", (place, name, disk, part, *filter(None, how[:2])))


def _access(words: Sequence[str]) -> None:
    if words[0] not in _ACCESS:
        raise UsageError(f"{words[0]!r} is neither admin nor user.")
    folder = repository().resolve()
    share = mounted_share(folder)
    if share is None:
        if mount_on(folder) is None and origin_of(REPO).http:
            return  # asked by HTTP, where a capture has a token of its own
        raise NotFoundError(
            f"No share of a repository is mounted at {folder}.",
            hint="Boot with ogprotocol=smb or nfs, or mount it with ogChangeRepo.",
        )
    if is_open_below(folder):
        raise OgError(f"{folder} is in use.", hint="Wait for who uses it.", code=OgErr.LOCKED)
    change_share(share, folder, write=_ACCESS[words[0]])


def _execute(words: Sequence[str]) -> int:
    script = _script(words[0])
    return told_from_end_to_end("EjecutarScript", words, partial(_executed, script))


def _executed(script: Path) -> int:
    with opened(("log",)) as files:
        for file in files:
            file.write(script.read_bytes())
    status = _run(script, _print)
    say(100, "Done" if not status else f"{script} ended with {status}")
    return status


def _script(text: str) -> Path:
    path = Path(text)
    if not path.is_file():
        raise NotFoundError(f"There is no script {path}.")
    return path.resolve()


def _run(script: Path, take: Callable[[bytes], None]) -> int:
    """By what its first line says reads it, else by bash."""
    from oglib.streams import run_through  # noqa: PLC0415

    with script.open("rb") as file:
        by_itself = file.read(len(_SHEBANG)) == _SHEBANG
    if not by_itself:
        return run_through(_BASH, str(script), take=take)
    script.chmod(script.stat().st_mode | 0o100)
    return run_through(str(script), take=take)


def _print(piece: bytes) -> None:
    sys.stdout.buffer.write(piece)
    sys.stdout.flush()


def _console(words: Sequence[str]) -> int:
    script, target = _script(words[0]), Path(words[1])
    if not target.parent.is_dir():
        raise NotFoundError(f"There is no folder {target.parent}.")
    with target.open("wb", buffering=0) as file:

        def keep(piece: bytes) -> None:
            file.write(piece)

        return _run(script, keep)


def _leave(verb: str, _words: Sequence[str]) -> None:
    from oglib.deploy.leaving import leave  # noqa: PLC0415

    leave(verb)


def _hardware(words: Sequence[str]) -> None:
    from oglib.inventory.hardware import old_listing, read_hardware  # noqa: PLC0415

    _write(words[0], old_listing(read_hardware()))


def _software(words: Sequence[str]) -> int:
    disk, part, file = words

    def listed() -> None:
        _write(file, str(command_of("ogListSoftware").run((disk, part))))

    return told_from_end_to_end("InventarioSoftware", words, listed)


def _write(path: str, text: str) -> None:
    if not Path(path).absolute().parent.is_dir():
        raise NotFoundError(f"There is no folder for {path}.")
    Path(path).write_text(f"{text}\n", errors="surrogateescape")


def _cache(words: Sequence[str]) -> None:
    command_of("initCache").run(words)


_ANYBODY = "Whoever calls it, not ogAdmClient alone. "

COMMANDS = {
    command.name: command
    for command in (
        Command("CrearImagen", "DISK PARTITION IMAGE [REPO|CACHE|ADDRESS]",
                "makes an image of a partition by createImage", _capture, 3, 4,
                "CrearImagen 1 1 debian 172.16.3.2",
                f"{_ANYBODY}A read-only share is made writable for it, and read-only again "
                "whatever fails."),
        Command("RestaurarImagen", "DISK PARTITION IMAGE REPO|CACHE|ADDRESS [METHOD [OPTIONS …]]",
                "puts an image onto a partition by deployImage", _deploy, 4, 8,
                "RestaurarImagen 1 1 debian 172.16.3.2 UNICAST",
                "A deployImage of the site's wins, its deployImageCustom over both."),
        Command("CambiarAcceso", "admin|user",
                "mounts the images' share for writing (admin) or reading (user)", _access, 1, 1,
                "CambiarAcceso admin",
                f"{_ANYBODY}Where the images come by HTTP nothing is to be done. A share in use is "
                "LOCKED; the one before comes back where it fails."),
        Command("EjecutarScript", "FILE", "runs a script, with its text in the log", _execute, 1, 1,
                "EjecutarScript /tmp/script",
                "A file without #! is read by bash."),
        Command("ConsolaRemota", "FILE OUTPUT", "runs a script and keeps what it prints in a file",
                _console, 2, 2, "ConsolaRemota /tmp/script /tmp/echo",
                "A file without #! is read by bash."),
        Command("Apagar", "", "switches this PC off", partial(_leave, "poweroff"), 0, FREE,
                "Apagar"),
        Command("Reiniciar", "", "restarts this PC", partial(_leave, "reboot"), 0, FREE,
                "Reiniciar"),
        Command("InventarioHardware", "FILE", "writes the listing of this PC's hardware to a file",
                _hardware, 1, 1, "InventarioHardware /tmp/hardware"),
        Command("InventarioSoftware", "DISK PARTITION FILE",
                "writes the listing of a system's software to a file", _software, 3, 3,
                "InventarioSoftware 1 2 /tmp/software",
                "A partition without a known system is NOTOS, and no file is written."),
        Command("procesaCache", "KB", "makes the cache by initCache", _cache, 1, 1,
                "procesaCache 10000000"),
    )
}  # fmt: skip
