# SPDX-License-Identifier: GPL-3.0-or-later
"""Shares of servers: which files are on one, what is mounted as images, and mounting another one.

What is mounted to be read gives up after a while when its server is gone, so that a reader gets an
error; what is mounted to be written waits, for a write that was given up may be lost.
User and password come from a file of mode 0600 and never appear on a command line.
"""

from __future__ import annotations

import re
import stat
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from oglib.errors import FilesystemError, OgErr, OgError, ProcessError, UsageError
from oglib.filesystem.mounts import Mount, parse_mountinfo
from oglib.kernel.far import within
from oglib.settings import CREDENTIALS

_MOUNTINFO = Path("/proc/self/mountinfo")
_MOUNT_TIMEOUT_S = 60.0
_LOOK_S = 10.0
# Kinds of filesystems that a server gives.
NETWORK = ("nfs", "nfs4", "cifs", "smb3", "smbfs", "fuse.sshfs", "davfs", "ncpfs", "ceph", "9p")
# of NFS: an answer is waited for so many tenths of a second, and asked for so often
_SOFT = ("soft", "timeo=50", "retrans=2")
# of CIFS: a server that says nothing for a few times so many seconds is gone
_ECHO = "echo_interval=5"
_USUAL = {"smb": PurePosixPath("ogimages"), "nfs": PurePosixPath("/opt/opengnsys/images")}


@dataclass(frozen=True, slots=True)
class Share:
    """A folder of a server: ``base`` is what it exports, ``unit`` an OU's folder in it or empty."""

    protocol: str
    host: str
    base: PurePosixPath
    unit: str = ""

    @property
    def source(self) -> str:
        """As mount wants it: ``//HOST/ogimages/UNIT`` or ``HOST:/opt/opengnsys/images/UNIT``."""
        path = self.base / self.unit
        return f"//{self.host}/{path}" if self.protocol == "smb" else f"{self.host}:{path}"


def usual_share(protocol: str, host: str, unit: str = "") -> Share:
    """The share of an OpenGnsys server."""
    if protocol not in _USUAL:
        raise OgError(
            f"The repository cannot be changed: ogprotocol is {protocol or 'not set'}.",
            hint="Boot with ogprotocol=smb or ogprotocol=nfs.",
            code=OgErr.REPO,
        )
    return Share(protocol, host, _USUAL[protocol], unit)


def parse_source(source: str) -> Share | None:
    """The share a mount's source names; None where it is no share of a server."""
    if source.startswith("//"):
        host, _, path = source[2:].partition("/")
        base, _, unit = path.strip("/").partition("/")
        return Share("smb", host, PurePosixPath(base), unit) if host and base else None
    host, colon, path = source.rpartition(":/")
    if not colon or not host:
        return None
    exported = PurePosixPath("/", path)
    if exported.is_relative_to(_USUAL["nfs"]):
        unit = exported.relative_to(_USUAL["nfs"]).as_posix()
        return Share("nfs", host, _USUAL["nfs"], "" if unit == "." else unit)
    return Share("nfs", host, exported)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a file lies: its path without links, and what is mounted there."""

    real: Path
    mount: Mount | None

    @property
    def is_far(self) -> bool:
        """Whether what it is on may go away as a server does."""
        kind = self.mount.kind if self.mount else ""
        # A program behind fuse may go away too; fuseblk is a disk.
        return kind in NETWORK or re.match(r"fuse(\.|$)", kind) is not None


def place_of(path: Path) -> Place:
    """Where ``path`` lies, as far as can be known without asking a server for long."""
    real = within(str(path), _LOOK_S, path.resolve)
    return place_in(parse_mountinfo(_MOUNTINFO.read_text(errors="surrogateescape")), real)


def place_in(mounts: tuple[Mount, ...], real: Path) -> Place:
    """``place_of`` among ``mounts``: the deepest one, and of equals the latest, holds the file."""
    holding = [mount for mount in mounts if real.is_relative_to(mount.point)]
    deepest = max((len(mount.point.parts) for mount in holding), default=0)
    last = [mount for mount in holding if len(mount.point.parts) == deepest][-1:]
    return Place(real, next(iter(last), None))


def mount_on(folder: Path) -> Mount | None:
    """What is mounted at ``folder``: of several, the one that is seen."""
    mounts = parse_mountinfo(_MOUNTINFO.read_text())
    return next((mount for mount in reversed(mounts) if mount.point == folder), None)


def mounted_share(folder: Path) -> Share | None:
    """The share mounted at ``folder``."""
    mount = mount_on(folder)
    return parse_source(str(mount.source)) if mount else None


def mount_words(
    share: Share, folder: Path, *, write: bool, credentials: Path = CREDENTIALS
) -> list[str]:
    """The command that mounts a share; raises when the credentials are open to others."""
    options = ["rw" if write else "ro", "nosuid", "nodev", "noexec"]
    if share.protocol == "smb":
        options += [_identity(credentials), _ECHO]
    else:
        options.append("nolock")  # the server's lock daemon is not needed by one writer
        options += () if write else _SOFT
    kind = "cifs" if share.protocol == "smb" else "nfs"
    return ["mount", "-t", kind, "-o", ",".join(options), share.source, str(folder)]


def _identity(credentials: Path) -> str:
    try:
        mode = credentials.stat().st_mode
    except FileNotFoundError:
        return "guest"
    if stat.S_IMODE(mode) & 0o077:
        raise UsageError(
            f"{credentials} can be read by others.",
            hint=f"Make it private: chmod 600 {credentials}.",
        )
    return f"credentials={credentials}"


def change_share(
    wanted: Share, folder: Path, *, write: bool, credentials: Path = CREDENTIALS
) -> None:
    """Mount ``wanted`` at ``folder`` in place of what is there, which comes back on failure."""
    from oglib.filesystem.mount import unmount  # noqa: PLC0415  other commands mount nothing
    from oglib.run import run  # noqa: PLC0415

    before = mounted_share(folder)
    words = mount_words(wanted, folder, write=write, credentials=credentials)
    if mount_on(folder) is not None:
        if before is None:
            raise OgError(
                f"{folder} is no share of a repository, so it is not changed.", code=OgErr.REPO
            )
        try:
            unmount(folder)
        except FilesystemError as error:
            raise OgError(error.message, hint=error.hint, code=OgErr.REPO) from error
    try:
        run(*words, timeout_s=_MOUNT_TIMEOUT_S)
        return
    except ProcessError as error:
        failure = f"{wanted.source} cannot be mounted: {' '.join(error.stderr.split())}."
    if before is None:
        raise OgError(failure, hint="Check the server's name and share.", code=OgErr.REPO)
    again = mount_words(before, folder, write=write, credentials=credentials)
    try:
        run(*again, timeout_s=_MOUNT_TIMEOUT_S)
    except ProcessError as error:
        failure += f" Nor can {before.source} again: {' '.join(error.stderr.split())}."
        raise OgError(failure, hint="No repository is mounted now.", code=OgErr.REPO) from error
    raise OgError(failure, hint=f"{before.source} is mounted again.", code=OgErr.REPO)
