# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a server belongs into its backup. Reads names and modes; contents are read later.

Of an image: all that is small, its manifests and signatures of every version; its bytes have
digests in these, and come back from wherever they are. What counts up (versions, burnt tokens)
is read after what it counts.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from oglib.errors import OgErr, OgError
from ogrepo.backup.model import CONFIG, REPOSITORY, UNITS
from ogrepo.library.folder import Folder
from ogrepo.shortage import says_absent

_PARTS = ("images", "versions", "keys", "layouts", "private")
# What is under way, what was deleted, and names of locks.
_PASSING = (
    "uploads", "imports", "staged", "publishing", "waiting", "removing", "returning", "renaming",
    "locks", "trash",
)  # fmt: skip
_ELSEWHERE = ("bytes", "oglive", "netboot", "lost+found")
_ASIDE = ".ant"
_BYTES = (".img", ".img.frames", ".part")
_DROP_INS = ("ogrepo", "oglive-", "ognetboot")


@dataclass(frozen=True, slots=True)
class Found:
    """A file or folder to keep, and its place in the archive; ``link``: where a link points to."""

    path: Path
    member: str
    status: os.stat_result
    link: str = ""

    @property
    def is_folder(self) -> bool:
        return stat.S_ISDIR(self.status.st_mode)


@dataclass(frozen=True, slots=True)
class Server:
    """Where a server's state is. ``units``: systemd's folder, of which edited units are kept."""

    folder: Folder
    config: Path
    inventory: Path
    units: Path
    is_edited: Callable[[str], bool]
    """Whether a unit's text is an administrator's."""


@dataclass(slots=True)
class Left:
    """What is not in the archive though it lies there, for people."""

    names: list[str]

    def out(self, name: str) -> None:
        self.names.append(name)


def collect(server: Server, left: Left) -> Iterator[Found]:
    """Everything to keep, in the order in which it is read."""
    root = server.folder.root
    for part in _PARTS:
        if (root / part).is_dir():
            yield from _walk(root / part, f"{REPOSITORY}/{part}", left, _judge(part))
    for path in server.folder.waiting.iterdir():
        left.out(f"{REPOSITORY}/private/waiting/{path.name}")
    known = {*_PARTS, *_ELSEWHERE}
    for child in sorted(root.iterdir()):
        if child.name not in known and not child.name.startswith("."):
            left.out(f"{REPOSITORY}/{child.name}")
    for path in (server.config, server.inventory):
        if not path.exists():
            left.out(f"{path}, which is not there")
    if server.config.is_dir():
        yield from _walk(server.config, CONFIG, left, lambda _: True, links_below="site")
    yield from _inventory(server)
    yield from _units(server)


def _judge(part: str) -> Callable[[str], bool]:
    if part == "images":
        return lambda inside: not is_image_bytes(inside)
    if part == "private":
        return lambda inside: inside.split("/")[0] not in _PASSING
    return lambda _: True


def is_image_bytes(name: str) -> bool:
    """Whether a file below ``images/`` holds what a digest in a manifest names."""
    return name.removesuffix(_ASIDE).endswith(_BYTES)


def _walk(
    top: Path,
    member: str,
    left: Left,
    keeps: Callable[[str], bool],
    *,
    links_below: str = "",
) -> Iterator[Found]:
    """``top`` and what is in it. A link is kept where it is one of the site's own files; one of an
    administrator beside them is read through, for his inventory may lie elsewhere. Any other one
    may have been laid by a service, for root to read what it leads to."""
    top = top.resolve()
    yield Found(top, member, top.stat())
    for where, folders, names in os.walk(top, onerror=_unreadable):
        folders.sort()
        inside = Path(where).relative_to(top)
        for name in sorted((*folders, *names)):
            path, at = Path(where, name), (inside / name).as_posix()
            if not keeps(at):
                if name in folders:
                    folders.remove(name)
                continue
            try:
                status = path.lstat()
                if stat.S_ISLNK(status.st_mode) and at.split("/")[0] == links_below:
                    yield Found(path, f"{member}/{at}", status, link=str(path.readlink()))
                    continue
                if stat.S_ISLNK(status.st_mode) and links_below and _is_trusted(status):
                    path = path.resolve(strict=True)
                    status = path.lstat()
                    if stat.S_ISDIR(status.st_mode):
                        left.out(f"{member}/{at}")
                        continue
            except FileNotFoundError:
                continue  # it went while this was read, or a link leads nowhere
            if stat.S_ISDIR(status.st_mode) or stat.S_ISREG(status.st_mode):
                yield Found(path, f"{member}/{at}", status)
            else:
                left.out(f"{member}/{at}")


def _is_trusted(link: os.stat_result) -> bool:
    return link.st_uid in (0, os.geteuid())


def _unreadable(error: OSError) -> None:
    if not says_absent(error):
        raise error


def stamps(found: Iterable[Found]) -> dict[str, tuple[int, int, int]]:
    """What changes when a file is written or replaced, by its place in the archive."""
    return {
        one.member: (one.status.st_ino, one.status.st_size, one.status.st_mtime_ns)
        for one in found
        if not one.is_folder
    }


def _inventory(server: Server) -> Iterator[Found]:
    """An inventory that lies elsewhere, and what is kept beside it, go where the others are."""
    real = Path(os.path.realpath(server.inventory))
    if not real.is_file() or real.parent == server.config.resolve():
        return
    for path in sorted(real.parent.glob(f"{_escaped(real.stem)}.*")):
        if not stat.S_ISREG(path.lstat().st_mode):
            continue
        if os.path.lexists(server.config / path.name):
            if (server.config / path.name).resolve() == path:
                continue
            raise OgError(
                f"{path} and {server.config / path.name} are two files of one name.",
                hint="Rename the one that is not used.",
                code=OgErr.LOCKED,
            )
        yield Found(path, f"{CONFIG}/{path.name}", path.stat())


def _escaped(stem: str) -> str:
    return "".join(f"[{char}]" if char in "*?[" else char for char in stem)


def _units(server: Server) -> Iterator[Found]:
    """Units of ours that somebody edited, and drop-ins: what was typed at no ``install``."""
    if not server.units.is_dir():
        return
    for path in sorted(server.units.iterdir()):
        if not path.name.startswith(_DROP_INS):
            continue
        if path.is_dir() and path.suffix == ".d":
            yield from (
                Found(one.resolve(), f"{UNITS}/{path.name}/{one.name}", one.stat())
                for one in sorted(path.glob("*.conf")) if one.is_file()
            )  # fmt: skip
        elif path.is_file() and server.is_edited(path.read_text("utf-8", "replace")):
            yield Found(path.resolve(), f"{UNITS}/{path.name}", path.stat())
