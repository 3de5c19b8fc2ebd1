# SPDX-License-Identifier: GPL-3.0-or-later
"""A built ogLive: what is in its folder, and what of it a repository has already."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from oglib.errors import NotFoundError, OgErr, OgError, UsageError, WriteError
from oglib.wording.amounts import human_bytes
from ogrepo.install.model import Artefacts
from ogrepo.install.program import checkout

SUMS = "SHA256SUMS"


def default_artefacts() -> Path | None:
    """What `make image` built in the clone that this program runs from; None: nothing yet."""
    clone = checkout()
    built = clone / "build/oglive/current" if clone else None
    return built if built and built.is_dir() else None


def read_built(folder: Path) -> Artefacts:
    """What is in a folder that `make image` made; digests as it promises them, not yet checked."""
    if (folder / "current" / SUMS).is_file():
        folder = folder / "current"  # build/oglive and build/oglive/current are both meant
    try:
        manifest = json.loads((folder / "manifest.json").read_bytes())
        version, profile = str(manifest["version"]), str(manifest["profile"])
        rows = [line.split() for line in (folder / SUMS).read_text("ascii").splitlines()]
        digests = {name: digest for digest, name in rows}
    except OSError as error:
        raise NotFoundError(
            f"{folder} holds no built ogLive: {error.filename}: {error.strerror}.",
            hint="Build it with `make image`, or name its folder with --artefacts.",
        ) from None
    except (ValueError, KeyError, TypeError):
        raise UsageError(
            f"{folder} is damaged: its manifest.json or {SUMS} cannot be read.",
            hint="Build it again with `make image`.",
        ) from None
    names = (version, profile, *digests)
    if not all(name and "/" not in name and not name.startswith(".") for name in names):
        raise UsageError(f"{folder} is damaged: a name in it is none.", hint="Build it again.")
    return Artefacts(folder, version, profile, digests)


def check_room(folder: Path, artefacts: Artefacts | None) -> None:
    """Refuse before the first write what cannot be copied."""
    if artefacts is None or has_version(folder, artefacts):
        return
    needed = sum((artefacts.folder / name).stat().st_size for name in artefacts.digests)
    place = next(one for one in (folder, *folder.parents) if one.exists())
    free = shutil.disk_usage(place).free
    if needed > free:
        raise WriteError(
            f"ogLive needs {human_bytes(needed)} in {folder}, and {human_bytes(free)} are free.",
            hint="Make room, or choose another folder.",
        )


def current_version(folder: Path) -> str:
    """The version that ``current`` names; empty where there is none."""
    link = folder / "current"
    if link.exists() and not link.is_symlink():
        raise OgError(
            f"{link} was put there by hand: it is a folder, no link to a version.",
            hint=f"Move it away: `mv {link} {folder}/by-hand`.",
            code=OgErr.LOCKED,
        )
    return link.readlink().name if link.is_symlink() and link.exists() else ""


def has_version(folder: Path, artefacts: Artefacts) -> bool:
    """A version's folder appears complete: the same list of digests is enough."""
    there = folder / artefacts.name / artefacts.version / SUMS
    try:
        return there.read_bytes() == (artefacts.folder / SUMS).read_bytes()
    except FileNotFoundError:
        return False
