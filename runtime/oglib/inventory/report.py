# SPDX-License-Identifier: GPL-3.0-or-later
"""One archive for support: what this PC is, was told and did, without its secrets.

What goes in is an allow-list, each part passes ``redact``, and the file is the owner's alone (mode
0600). No link is followed to a part, so nobody can put another file in the place of one, and each
part and all of them together have a limit. A part that cannot be collected is named in
``missing.txt``: a PC that needs support is one where something does not work.
"""

from __future__ import annotations

import io
import json
import os
import platform
import re
import tarfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import zstandard

from oglib.disk.model import Disk
from oglib.disk.probe import list_disks
from oglib.errors import OgError, UsageError, WriteError
from oglib.inventory.hardware import Hardware, read_hardware
from oglib.inventory.links import Interface, interfaces
from oglib.inventory.redact import redact
from oglib.run import run
from oglib.settings import BOOT_ENV, CMDLINE, CREDENTIALS, NAME_PART, POLICY, Settings
from oglib.texts import open_straight

RUN_FOLDER = Path("/run/oglive")

_PART_LIMIT_BYTES = 4 * 1024 * 1024
_READ_LIMIT_BYTES = _PART_LIMIT_BYTES + 64 * 1024  # the cut is far from what is kept
_ALL_LIMIT_BYTES = 32 * 1024 * 1024
_MOST_FILES = 200  # of a pattern; the newest by name
_SECRET_LIMIT_BYTES = 64 * 1024
_COMMAND_LIMIT_S = 30.0
_FILES = {
    "cmdline.txt": CMDLINE,
    "boot.env": BOOT_ENV,
    "policy.toml": POLICY,
    "os-release": Path("/usr/lib/os-release"),  # /etc has a link to it
    "modules.txt": Path("/proc/modules"),
    "meminfo.txt": Path("/proc/meminfo"),
}
# Below RUN_FOLDER: logs and receipts of what was done since this boot.
_PATTERNS = ("*.log", "receipt*.json", "receipts/*.json")
_COMMANDS = {
    "dmesg.txt": ("dmesg",),
    "journal.txt": ("journalctl", "--boot", "--no-pager", "--lines=5000", "--output=short-precise"),
    "failed-units.txt": ("systemctl", "--failed", "--no-pager"),
    "lsblk.txt": ("lsblk", "--output", "NAME,MAJ:MIN,SIZE,TYPE,FSTYPE,LABEL,UUID,MOUNTPOINTS"),
    "loops.txt": ("losetup", "--list"),
    "addresses.txt": ("ip", "-brief", "address"),
    "routes.txt": ("ip", "route"),
}


@dataclass(frozen=True, slots=True)
class ReportFile:
    """One file of the archive and how to get its text."""

    name: str
    read: Callable[[], str]


@dataclass(frozen=True, slots=True)
class Report:
    """The archive that was written; ``missing`` says which parts could not be collected, why."""

    path: Path
    parts: tuple[str, ...]
    missing: tuple[str, ...]


def make_report(output: str, settings: Settings) -> Report:
    """Collect everything and write it to the file or folder ``output``.

    Empty: the current folder, or ``/run/oglive`` where that cannot be written.
    """
    return write_archive(_destination(output, settings), _parts(settings), _secrets(settings))


def write_archive(path: Path, parts: Sequence[ReportFile], known: Sequence[str]) -> Report:
    """A new ``.tar.zst`` of all parts without the ``known`` secrets and what looks like one."""
    texts: dict[str, str] = {}
    missing = []
    left = _ALL_LIMIT_BYTES
    for part in parts:
        try:
            # first without secrets, then cut: half a secret would not look like one
            text = _tail(redact(_tail(part.read(), _READ_LIMIT_BYTES), known))
            left -= len(text)
            if left < 0:
                raise OgError("it was left out, for the report is as large as it may be")
            texts[part.name] = text
        except Exception as error:  # noqa: BLE001 - a fault of one part is what support must see
            missing.append(f"{part.name}: {error or type(error).__name__}")
    if missing:
        texts["missing.txt"] = redact("\n".join(missing) + "\n", known)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
            _pack(file, path, texts)
    except FileExistsError as error:
        raise UsageError(f"{path} is there already.", hint="Give another name.") from error
    except OSError as error:
        path.unlink(missing_ok=True)  # half a report helps nobody
        raise WriteError(f"The report {path} cannot be written: {error.strerror}.") from error
    return Report(path, tuple(texts), tuple(redact(one, known) for one in missing))


def _pack(file: io.BufferedWriter, path: Path, texts: dict[str, str]) -> None:
    folder = path.name.partition(".tar")[0]
    with (
        zstandard.ZstdCompressor(level=10).stream_writer(file, closefd=False) as packed,
        tarfile.open(fileobj=packed, mode="w|") as archive,
    ):
        for name, text in texts.items():
            data = text.encode("utf-8", "replace")
            entry = tarfile.TarInfo(f"{folder}/{name}")
            entry.size, entry.mode, entry.mtime = len(data), 0o600, int(time.time())
            archive.addfile(entry, io.BytesIO(data))


def _destination(output: str, settings: Settings) -> Path:
    host = settings.hostname or platform.node()
    host = host if NAME_PART.fullmatch(host) else "pc"
    name = f"oglive-report-{host}-{time.strftime('%Y%m%d-%H%M%S')}.tar.zst"
    if output:
        path = Path(output)
        return path / name if path.is_dir() else path
    here = Path.cwd()
    return (here if os.access(here, os.W_OK) else RUN_FOLDER) / name


def _parts(settings: Settings) -> list[ReportFile]:
    parts = [
        ReportFile("versions.txt", _versions),
        ReportFile("settings.json", lambda: _as_json(settings)),
        ReportFile("disks.json", lambda: _as_json(list_disks())),
        ReportFile("hardware.json", lambda: _as_json(read_hardware())),
        ReportFile("link.json", lambda: _as_json(interfaces())),
    ]
    # not /proc/self, which is a link
    files = {**_FILES, "mounts.txt": Path(f"/proc/{os.getpid()}/mounts")}
    parts += [ReportFile(name, _file(path)) for name, path in files.items()]
    for pattern in _PATTERNS:
        found = sorted(RUN_FOLDER.glob(pattern))[-_MOST_FILES:]
        parts += [ReportFile(f"run/{one.relative_to(RUN_FOLDER)}", _file(one)) for one in found]
    return parts + [ReportFile(name, _command(argv)) for name, argv in _COMMANDS.items()]


def _versions() -> str:
    about = os.uname()
    return (
        f"oglive {version('oglive')}\npython {platform.python_version()}\n"
        f"kernel {about.release} {about.machine}\n"
        f"partclone {_partclone_version()}\n"
    )


def _partclone_version() -> str:
    """What it says of itself: ``Partclone : v0.3.23 (…)``; which blocks are used is its word."""
    try:
        said = run("partclone.extfs", "-v", timeout_s=_COMMAND_LIMIT_S, accept=range(256))
    except OgError as error:
        return f"is not known: {error.message}"
    found = re.search(r"v(\d[\w.]*)", said.stdout + said.stderr)
    return found[1] if found else "does not tell its version"


def _file(path: Path) -> Callable[[], str]:
    def read() -> str:
        try:
            with open_straight(path) as file:
                # of a long log its end, from the first whole line on
                begin = max(0, os.fstat(file.fileno()).st_size - _READ_LIMIT_BYTES)
                file.seek(begin)
                raw = file.read(_READ_LIMIT_BYTES)
        except OSError as error:
            raise OgError(f"{path} cannot be read: {error.strerror}") from error
        whole = raw.partition(b"\n")[2] if begin else raw
        return whole.decode(errors="replace")

    return read


def _command(argv: Sequence[str]) -> Callable[[], str]:
    return lambda: run(*argv, timeout_s=_COMMAND_LIMIT_S).stdout


def _tail(text: str, limit: int = _PART_LIMIT_BYTES) -> str:
    """The end of a long log, in whole lines: what happened last is what is asked for."""
    return text if len(text) <= limit else f"(cut)\n{text[-limit:].partition(chr(10))[2]}"


def _secrets(settings: Settings) -> list[str]:
    """Secrets of this PC by value, so that no log that quotes one gets out."""
    tokens = [settings.upload_token, *sorted(RUN_FOLDER.glob("*.token"))]
    found = [word for path in tokens for word in _text_if_any(path).split()]
    share = _text_if_any(RUN_FOLDER / CREDENTIALS.name)  # as mount.cifs reads it: password=TEXT
    found += re.findall(r"(?m)^\s*pass(?:word)?\s*=\s*(\S.*?)\s*$", share)
    return found


def _text_if_any(path: Path) -> str:
    try:
        with open_straight(path) as file:
            return file.read(_SECRET_LIMIT_BYTES).decode(errors="replace")
    except (OgError, OSError):
        return ""


def _as_json(value: Hardware | Settings | tuple[Disk | Interface, ...]) -> str:
    items = value if isinstance(value, tuple) else (value,)
    plain = [asdict(one) for one in items]
    return json.dumps(plain if isinstance(value, tuple) else plain[0], indent=2, default=str)
