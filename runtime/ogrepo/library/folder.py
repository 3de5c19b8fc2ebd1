# SPDX-License-Identifier: GPL-3.0-or-later
"""The repository's folder: where things are, and the few file operations that must not tear.

``images/`` holds what is shown, ``bytes/`` the bytes of every kept version under their digest,
``versions/`` the signed manifests of those versions, ``keys/`` the public keys, ``private/`` (0700,
never served) the signing key, the token secret, uploads under way and what was thrown away.
Anything else that a site puts in (``boot/``, ``oglive/``, ``layouts/``) is served as it is.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import stat
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from oglib import durable
from oglib.errors import NotFoundError, OgErr, OgError, UsageError, WriteError
from oglib.image.format.manifest import check_name
from ogrepo.shortage import says_absent

BYTES, VERSIONS = "bytes", "versions"  # the folders' names, which are in addresses too
_PRIVATE = (
    "uploads", "locks", "burnt", "versions", "staged", "publishing", "waiting", "trash", "pins",
    "imports", "imported", "adopted", "removing", "returning", "renaming", "verified",
)  # fmt: skip
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
# What stands for one version in versions/NAME/: a part of a name must not look like it.
_RECORD = re.compile(
    r"[0-9]+\.(?:(?:disk|foreign|p[0-9]+)\.)?(?:json|json\.sig|sum|full\.sum|info|gaps)",
    re.ASCII,
)
_LOCK_STEP_S = 0.05


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder that was found to be a repository; made by ``open_folder`` or ``make_folder``."""

    root: Path

    @property
    def images(self) -> Path:
        return self.root / "images"

    @property
    def keys(self) -> Path:
        return self.root / "keys"

    @property
    def private(self) -> Path:
        return self.root / "private"

    @property
    def image_key(self) -> Path:
        return self.private / "image.key"

    @property
    def uploads(self) -> Path:
        return self.private / "uploads"

    @property
    def bytes(self) -> Path:
        return self.root / BYTES

    @property
    def versions(self) -> Path:
        return self.root / VERSIONS

    @property
    def staged(self) -> Path:
        """Publications that are being prepared."""
        return self.private / "staged"

    @property
    def publishing(self) -> Path:
        """Publications that are decided: one folder a name, empty but for moments."""
        return self.private / "publishing"

    @property
    def waiting(self) -> Path:
        """Images that are proven and numbered, for somebody to sign."""
        return self.private / "waiting"

    @property
    def trash(self) -> Path:
        return self.private / "trash"

    @property
    def pins(self) -> Path:
        return self.private / "pins"

    def bytes_file(self, digest: str) -> Path:
        """``bytes/HEX64``: what has this BLAKE3 digest."""
        if not is_digest(digest):
            raise UsageError(f"{digest!r:.80} is no digest.")
        return self.bytes / digest

    def version_file(self, name: str, version: int, suffix: str) -> Path:
        """``versions/NAME/N`` + ``suffix``, as in ``.json``; of a disk, as in ``.disk.json``."""
        return self.versions.joinpath(*checked_name(name).split("/"), f"{version}{suffix}")

    def image_file(self, name: str, suffix: str) -> Path:
        """``images/NAME.img`` and what stands beside it; ``suffix`` begins with ``.img``."""
        *above, leaf = checked_name(name).split("/")
        return self.images.joinpath(*above, leaf + suffix)

    def record(self, kind: str, name: str) -> Path:
        """A small private file about one image or token."""
        return self.private / kind / quote(name, safe="")


def is_digest(text: str) -> bool:
    """Whether ``text`` is a BLAKE3 digest as manifests and ``bytes/`` spell it."""
    return _DIGEST.fullmatch(text) is not None


def checked_name(name: str) -> str:
    """An image name that fits this folder: no part of its path looks like an image's file."""
    parts = check_name(name).split("/")
    if any(_RECORD.fullmatch(part) for part in parts):
        raise UsageError(
            f"The name {name!r} looks like the record of a version, as in 3.json.",
            hint="Choose another name.",
        )
    if any(".img" in part for part in parts):
        raise UsageError(
            f"The name {name!r} holds '.img', which is put behind a name here.",
            hint="Give the name alone, as in debian-13.",
        )
    return name


def open_folder(path: Path) -> Folder:
    """The repository at ``path``; raises when it is not one or when its secrets lie open."""
    folder = Folder(path.resolve())
    if not folder.images.is_dir() or not folder.private.is_dir():
        raise NotFoundError(
            f"{path} is not a repository: it has no images/ and private/ folder.",
            hint=f"Make one with `ogrepo keygen {path}`, or a server with `ogrepo install`.",
        )
    if stat.S_IMODE(folder.private.stat().st_mode) & 0o077:
        raise OgError(
            f"{folder.private} can be read by other users of this machine.",
            hint=f"Run `chmod 0700 {folder.private}`; if it lay open, make a new key.",
        )
    if not os.access(folder.private, os.W_OK | os.X_OK):
        raise WriteError(
            f"{folder.private} cannot be written by this user.",
            hint="Run ogrepo as the user who owns the repository.",
        )
    _make_inside(folder)
    if folder.images.stat().st_dev != folder.uploads.stat().st_dev:
        raise OgError(
            f"{folder.images} and {folder.private} are on different filesystems.",
            hint="Images are published by renaming; put both on one filesystem.",
        )
    return folder


def make_folder(path: Path) -> Folder:
    """Make ``path`` a repository where it is not one yet."""
    folder = Folder(path.resolve())
    try:
        folder.images.mkdir(parents=True, exist_ok=True)
        folder.keys.mkdir(exist_ok=True)
        folder.private.mkdir(mode=0o700, exist_ok=True)
        # Whatever the umask: a web server and the network boot read them, nobody else writes.
        for part in (folder.images, folder.keys):
            part.chmod(0o755)
    except OSError as error:
        raise WriteError(
            f"The repository {path} cannot be made: {error.strerror}.",
            hint="Choose a folder that this user may write.",
        ) from error
    return open_folder(path)


def _make_inside(folder: Folder) -> None:
    for part in _PRIVATE:
        path = folder.private / part
        with contextlib.suppress(FileExistsError):
            path.mkdir(mode=0o700)
            hand_over(path, folder.private)
    for path in (folder.bytes, folder.versions):
        try:
            make_shown(path, folder.images)
        except OSError as error:
            raise WriteError(
                f"The folder {path} cannot be made: {error.strerror}.",
                hint=f"Give {folder.root} to the user who serves it, or run "
                f"`ogrepo install {folder.root}` again.",
            ) from error


def make_shown(path: Path, like: Path) -> None:
    """A folder that a web server reads too, and those above it; ``like``: whose they are."""
    missing = [one for one in (path, *path.parents) if not one.exists()]
    for one in reversed(missing):
        with contextlib.suppress(FileExistsError):
            one.mkdir()
            one.chmod(0o755)
            hand_over(one, like)
    for one in reversed(missing):
        durable.sync(one.parent)


def check_owner(folder: Folder) -> None:
    """Root serves no repository of another user: what came in would be root's, and stay so."""
    owner = folder.private.stat().st_uid
    if os.geteuid() == 0 and owner != 0:
        raise OgError(
            f"{folder.root} belongs to another user, so root does not serve it.",
            hint="Start it with `systemctl start ogrepo`, or as its owner: "
            f"`setpriv --reuid={owner} --clear-groups ogrepo serve {folder.root}`.",
            code=OgErr.NOTEXEC,
        )


def hand_over(path: Path | int, above: Path) -> None:
    """What root makes in another user's repository belongs to that user, who serves it."""
    if os.geteuid() == 0:
        owner = above.stat()
        if isinstance(path, int):
            os.chown(path, owner.st_uid, owner.st_gid)
        else:
            os.lchown(path, owner.st_uid, owner.st_gid)  # a link, and not what it leads to


def walk(top: Path, *, whole: bool = False) -> Iterator[tuple[Path, list[str]]]:
    """Every folder from ``top`` down with the names of its files; links are not followed.

    What vanishes meanwhile is left out, and what this user may not enter unless ``whole``, for who
    removes what nothing names; any other error raises.
    """

    def judge(error: OSError) -> None:
        forbidden = isinstance(error, PermissionError) and not whole
        if not says_absent(error) and not forbidden:
            raise error

    for path, _, names in os.walk(top, onerror=judge):
        yield Path(path), names


def write_whole(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Write a small file that is afterwards there whole or not at all, also after a crash."""
    durable.write_whole(path, data, mode=mode, made=lambda file: hand_over(file, path.parent))


@contextmanager
def locked(folder: Folder, name: str, *, what: str, patience_s: float = 0.0) -> Iterator[None]:
    """Hold the kernel's lock of this name; it vanishes with the process that holds it.

    Another holder is waited for as long as ``patience_s``; then the error says who.
    """
    path = folder.record("locks", name)
    until = time.monotonic() + patience_s
    with path.open("ab") as file:
        hand_over(file.fileno(), path.parent)
        while not _lock(file.fileno()):
            if time.monotonic() >= until:
                raise OgError(
                    f"{what} is in use by another ogrepo process.",
                    hint="Wait until it has ended, then try again.",
                    code=OgErr.LOCKED,
                )
            time.sleep(_LOCK_STEP_S)
        yield


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def held(
    folder: Folder, thing: str, *, what: str, patience_s: float = 0.0
) -> AbstractContextManager[None]:
    """The same for something that is no image: no image can be called so."""
    return locked(folder, f".{thing}", what=what, patience_s=patience_s)
