# SPDX-License-Identifier: GPL-3.0-or-later
"""Loaders for UEFI and where they come from: signed pairs of shim and GRUB, or a GRUB made here.

A signed GRUB cannot be told where its menu is but by the ``grub.cfg`` beside it, the stub: it looks
for the filesystem by its UUID, sets the prefix and goes on with the system's own menu.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from oglib.boot.secure.firmware import Accepts
from oglib.boot.secure.judging import why_refused
from oglib.boot.secure.loader import Loader
from oglib.errors import OgError
from oglib.fitting.edits import Files
from oglib.run import run

_SHIM = "usr/lib/shim/shimx64.efi.signed"
_HELPER = "usr/lib/shim/mmx64.efi.signed"  # enrols a site's own key
_GRUB = "usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed"
_OGLIVE = Path("/")
_MOST_BYTES = 32 << 20
_MAKE_LIMIT_S = 300.0
_UUID = re.compile(r"[0-9A-Za-z-]{1,64}")
_PREFIX = re.compile(r"(/[A-Za-z0-9@._+-]+)+")
# All that a menu may ask for, so that no module of another version is ever loaded.
_MODULES = (
    *("part_gpt", "part_msdos", "fat", "ext2", "xfs", "btrfs", "lvm", "mdraid1x", "gzio"),
    *("search", "search_fs_uuid", "search_fs_file", "search_label", "normal", "configfile"),
    *("linux", "boot", "chain", "echo", "test", "true", "ls", "cat", "sleep", "reboot", "halt"),
    *("all_video", "gfxterm", "gfxmenu", "png", "font", "loadenv", "password_pbkdf2"),
    *("regexp", "minicmd"),
)


@dataclass(frozen=True, slots=True)
class Pair:
    """A shim and the GRUB that it starts, both signed. ``of``: whose, for a person."""

    of: str
    shim: bytes
    grub: bytes
    helper: bytes = b""

    def files(self, stub: str, *, first: str = "shimx64.efi") -> dict[str, bytes]:
        """What lies in a folder of the ESP; the loader that is started, ``first``, comes last."""
        others = {"grub.cfg": stub.encode(), "grubx64.efi": self.grub}
        if self.helper:
            others["mmx64.efi"] = self.helper
        return {**others, first: self.shim}

    def why_refused(self, accepts: Accepts) -> str:
        """Why the firmware would not start it; empty where it would."""
        return why_refused(
            Loader(f"{self.of} shim", self.shim), Loader(f"{self.of} GRUB", self.grub), accepts
        )


def pair_of_oglive(top: Path = _OGLIVE) -> Pair | None:
    """ogLive's own; None where it has none."""

    def read(name: str) -> bytes:
        with (top / name).open("rb") as file:
            return file.read(_MOST_BYTES)

    return _pair("ogLive's", read)


def pair_of_system(root: Files) -> Pair | None:
    """What the system's distribution keeps for its own grub-install; None where it has none."""
    return _pair("the system's", lambda name: root.read_head(name, _MOST_BYTES))


def _pair(of: str, read: Callable[[str], bytes]) -> Pair | None:
    try:
        shim, grub = read(_SHIM), read(_GRUB)
    except FileNotFoundError:
        return None
    try:
        helper = read(_HELPER)
    except FileNotFoundError:
        helper = b""
    return Pair(of, shim, grub, helper)


def chosen(pairs: list[Pair | None], accepts: Accepts) -> tuple[Pair | None, str]:
    """The first pair that the firmware starts, else why it starts none of them."""
    whys = []
    for pair in pairs:
        if pair is not None and not (why := pair.why_refused(accepts)):
            return pair, ""
        if pair is not None:
            whys.append(why)
    if accepts.enforced and not whys:
        whys = ["neither ogLive nor the system has a signed shim and GRUB"]
    return None, "; ".join(whys)


def stub(uuid: str, prefix: str) -> str:
    """The ``grub.cfg`` beside a loader: the menu in the folder ``prefix`` of a filesystem.

    OgError for what is no UUID or path of plain words: it becomes a script.
    """
    if not _UUID.fullmatch(uuid) or not _PREFIX.fullmatch(prefix):
        raise OgError(f"GRUB cannot be told to look for {prefix!r} on the filesystem {uuid!r}.")
    return (
        f"search --no-floppy --fs-uuid --set=root {uuid}\n"
        f"set prefix=($root){prefix}\n"
        "configfile $prefix/grub.cfg\n"
    )


def made_core(script: str) -> bytes:
    """An unsigned GRUB that runs ``script`` when it starts, by ogLive's own tools."""
    with TemporaryDirectory(prefix="og-grub-") as folder:
        early, core = Path(folder) / "early.cfg", Path(folder) / "core.efi"
        early.write_text(script)
        run("grub-mkimage", "--format=x86_64-efi", "--prefix=/EFI/BOOT", f"--config={early}",
            f"--output={core}", *_MODULES, timeout_s=_MAKE_LIMIT_S)  # fmt: skip
        return core.read_bytes()


def core_files(script: str, *, first: str) -> Mapping[str, bytes]:
    """The same as files of a folder."""
    return {first: made_core(script)}
