# SPDX-License-Identifier: GPL-3.0-or-later
"""``ogrepo restore``: a backup as a repository and a configuration that were not there.

All of it is written aside and proven first. ``private/``, which makes a folder a repository,
takes its name last; what was cut before is cleared away and done anew.
"""

from __future__ import annotations

import os
import pwd
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from oglib import partfile
from oglib.durable import sync
from oglib.errors import ImageError, OgErr, OgError, UsageError
from oglib.image.format.manifest import PrivateKey, load_public_keys
from ogrepo.backup.archive import unpack
from ogrepo.backup.model import CONFIG, REPOSITORY, UNITS, Contents, Kept, KeptFolder

STAGE = ".ogrepo-restore"
UNITS_BEFORE = "units-before"
_LOCK = f"{STAGE}.lock"
_EMPTY = ("lost+found", _LOCK)
_LAST = "private"


@dataclass(frozen=True, slots=True)
class Target:
    """Two folders that hold nothing; ``user`` None: the one that had the repository before."""

    folder: Path
    config: Path
    user: str | None = None


@dataclass(frozen=True, slots=True)
class Restored:
    """``key_ids``: the keys whose signatures count here."""

    contents: Contents
    key_ids: tuple[str, ...]
    user: str


def restore(stream: BinaryIO, target: Target) -> Restored:
    """Everything of the archive, or nothing; images' bytes are not in it."""
    folders = (target.folder, target.config)
    for folder in folders:
        _check_empty(folder, target)
    if target.folder.resolve() == target.config.resolve():
        raise UsageError("The repository and the configuration need a folder each.")
    made = [folder for folder in folders if not folder.exists()]
    with ExitStack() as alone:
        for folder in folders:
            folder.mkdir(mode=0o755, parents=True, exist_ok=True)
            alone.enter_context(_alone(folder))
        for folder in folders:
            _check_empty(folder, target)  # as it is by now: another restore may have ended
        for folder in folders if _is_cut(target) else ():
            _empty(folder)
        try:
            for folder in folders:
                (folder / STAGE).mkdir(mode=0o700, exist_ok=True)
            restored = _unpacked(stream, target)
            _place(target)
        except BaseException:
            _clear(target, made)
            raise
        for folder in folders:
            shutil.rmtree(folder / STAGE)
    # Last, for then its user may change what is in it.
    owner = (target.folder / _LAST).stat()
    os.chown(target.folder, owner.st_uid, owner.st_gid)
    return restored


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """No other restore fills or clears ``folder`` meanwhile; a process that ends lets go of it."""
    path = folder / _LOCK
    handle = partfile.locked(path, partfile.new_file(path))
    if handle is None:
        raise OgError(
            f"Another restore into {folder} is under way.",
            hint="Wait until it has ended, then look what is there.",
            code=OgErr.LOCKED,
        )
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(handle)


def _is_cut(target: Target) -> bool:
    """Whether a restore into it was cut before it was a repository; or one is under way.

    The repository alone says it: a configuration that was placed may be in use by another one.
    """
    return (target.folder / STAGE).is_dir() and not (target.folder / _LAST).exists()


def _check_empty(folder: Path, target: Target) -> None:
    """Empty, or what a restore left that was cut before it was a repository. Only looks."""
    if not folder.exists():
        return
    if not folder.is_dir() or folder.is_symlink():
        raise UsageError(f"{folder} is no folder.", hint="Choose another place.")
    if _is_cut(target):
        return
    there = sorted(child.name for child in folder.iterdir() if not _is_nothing(child))
    if there:
        raise OgError(
            f"{folder} is not empty: it holds {', '.join(there[:3])}.",
            hint="Restore into a new folder, before `ogrepo install`; the files of the old one are "
            "never overwritten.",
            code=OgErr.LOCKED,
        )


def _is_nothing(child: Path) -> bool:
    """What is in a folder that holds nothing; the empty stage of a restore that came to its end."""
    empty_stage = child.name == STAGE and child.is_dir() and not any(child.iterdir())
    return child.name in _EMPTY or empty_stage


def _empty(folder: Path) -> None:
    for child in folder.iterdir():
        if child.name in _EMPTY:
            continue
        if child.is_dir() and not child.is_symlink():
            shutil.rmtree(child)
        else:
            child.unlink()


def _clear(target: Target, made: list[Path]) -> None:
    for folder in (target.folder, target.config):
        if (folder / STAGE).is_dir():
            _empty(folder)
        if folder in made and folder.is_dir():
            (folder / _LOCK).unlink(missing_ok=True)
            folder.rmdir()


def _unpacked(stream: BinaryIO, target: Target) -> Restored:
    stage = target.folder / STAGE
    contents = unpack(stream, stage)
    user, owner = _owner(target.user or contents.user)
    _dress(stage, contents, owner)
    key_ids = _trust(stage / REPOSITORY)
    # The configuration may be on another filesystem.
    for section, name in ((CONFIG, ""), (UNITS, UNITS_BEFORE)):
        source = stage / section
        if source.is_dir():
            into = target.config / STAGE / name
            shutil.copytree(source, into, symlinks=True, dirs_exist_ok=True, copy_function=_copy)
            _copy_owner(source, into)
    for folder in (stage, target.config / STAGE):
        _sync_below(folder)
    return Restored(contents, key_ids, user)


def _copy(source: str, target: str) -> str:
    shutil.copy2(source, target, follow_symlinks=False)
    if os.geteuid() == 0:
        status = os.lstat(source)
        os.chown(target, status.st_uid, status.st_gid, follow_symlinks=False)
    return target


def _copy_owner(source: Path, target: Path) -> None:
    """``copytree`` makes folders anew: they get their owners back."""
    if os.geteuid() == 0:
        for path in (source, *source.rglob("*")):
            if path.is_dir() and not path.is_symlink():
                status = path.stat()
                os.chown(target / path.relative_to(source), status.st_uid, status.st_gid)


def _owner(name: str) -> tuple[str, tuple[int, int]]:
    """Whose the repository will be: root gives it to its user, anybody else keeps it."""
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid()).pw_name, (os.geteuid(), os.getegid())
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        raise OgError(
            f"There is no user {name} on this machine, whose the repository was.",
            hint=f"Make it: `useradd --system --user-group --no-create-home {name}`; or name "
            "another one with --user.",
            code=OgErr.NOTFOUND,
        ) from None
    return name, (entry.pw_uid, entry.pw_gid)


def _dress(stage: Path, contents: Contents, owner: tuple[int, int]) -> None:
    """Modes and owners as they were; ``private`` opens to nobody whatever the list says."""
    rows: list[Kept | KeptFolder] = [*contents.files, *contents.folders]
    for folder in contents.folders:
        (stage / folder.path).mkdir(mode=0o700, parents=True, exist_ok=True)
    for link in contents.links:
        path = stage / link.path
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.symlink_to(link.target)
    top = stage / REPOSITORY
    top.mkdir(exist_ok=True)
    if os.geteuid() == 0:
        for path in (top, *top.rglob("*")):
            os.chown(path, *owner, follow_symlinks=False)
        for row in rows:
            os.chown(stage / row.path, *(owner if row.ours else (0, 0)), follow_symlinks=False)
    # What is deeper first: a folder that is closed cannot be entered any more.
    for row in sorted(rows, key=lambda row: -row.path.count("/")):
        secret = row.path == f"{REPOSITORY}/{_LAST}"
        (stage / row.path).chmod(row.mode & 0o700 if secret else row.mode)


def _trust(root: Path) -> tuple[str, ...]:
    """The key ids of the repository; raises where its private key belongs to none of them."""
    if not (root / _LAST).is_dir() or not (root / "images").is_dir():
        raise ImageError("The backup holds no repository.", hint="Take another backup.")
    key_ids = tuple(key.key_id for key in load_public_keys(root / "keys"))
    key = root / _LAST / "image.key"
    if key.exists() and PrivateKey.load(key).public.key_id not in key_ids:
        raise ImageError(
            "The backup's signing key belongs to none of its public keys.",
            hint="Take another backup.",
        )
    return key_ids


def _sync_below(folder: Path) -> None:
    for where, _, names in os.walk(folder):
        for name in names:
            path = Path(where, name)
            if not path.is_symlink():
                sync(path)
        sync(Path(where))


def _place(target: Target) -> None:
    """The configuration first; ``private`` last of all, and nothing is a repository before."""
    stage = target.config / STAGE
    for child in list(stage.iterdir()):
        child.rename(target.config / child.name)
    sync(target.config)
    for child in _in_order(target.folder / STAGE / REPOSITORY):
        if child.name == _LAST:
            sync(target.folder)
        child.rename(target.folder / child.name)
    sync(target.folder)


def _in_order(folder: Path) -> Iterator[Path]:
    yield from sorted(folder.iterdir(), key=lambda child: (child.name == _LAST, child.name))
