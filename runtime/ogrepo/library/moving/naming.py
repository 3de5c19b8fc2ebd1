# SPDX-License-Identifier: GPL-3.0-or-later
"""``copy`` and ``rename``: the new name is published, then, for a rename, the old one goes.

A rename that is cut between the two is ended by whoever comes next: a small record says what was
meant, and is written before the new name is shown. Where the old name has got another version
meanwhile, both stay.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import unquote

from oglib.durable import sync
from oglib.errors import OgErr, OgError, UsageError
from ogrepo.library.folder import Folder, write_whole
from ogrepo.library.moving.again import load_key, source_of, stage_named
from ogrepo.library.moving.holdings import Holdings, holdings_of
from ogrepo.library.moving.trash import plan_removal, refuse_taken, remove_held
from ogrepo.library.proving.proofs import digest_of
from ogrepo.library.proving.rounds import manifest_of
from ogrepo.library.publishing import publish, stage, turn
from ogrepo.library.staged_disks import refuse_folder

RENAMING = "renaming"
_MOST = 64 << 10


@dataclass(frozen=True, slots=True)
class _Intent:
    """``old`` becomes what version ``version`` of the new name is; ``manifest``: what it showed."""

    old: str
    version: int
    manifest: str


def plan_copy(folder: Folder, name: str, new: str) -> Holdings:
    """What would get the name ``new``; every refusal that needs no turn comes here."""
    if name == new:
        raise UsageError(f"{name} is called so already.")
    held = holdings_of(folder, name)
    refuse_taken(folder, new)
    if held.is_disk:
        refuse_folder(folder, new)
    source_of(folder, folder, name)
    load_key(folder)
    return held


def plan_rename(folder: Folder, name: str, new: str) -> Holdings:
    """The same for a rename; refused, too, where the old name may not go."""
    held = plan_copy(folder, name, new)
    plan_removal(folder, name)
    return held


def copy(folder: Folder, name: str, new: str) -> int:
    """Publish what ``name`` shows under ``new`` too; the version that it has there."""
    with _both(folder, name, new):
        plan_copy(folder, name, new)
        with stage(folder) as staged:
            version = stage_named(folder, folder, source_of(folder, folder, name), new, staged)
            publish(folder, new, staged)
    return version


def rename(folder: Folder, name: str, new: str) -> int:
    """The same, and ``name`` goes to the trash with its older versions."""
    with _both(folder, name, new):
        plan_rename(folder, name, new)
        record = folder.record(RENAMING, new)
        with stage(folder) as staged:
            version = stage_named(folder, folder, source_of(folder, folder, name), new, staged)
            intent = _Intent(name, version, digest_of(manifest_of(folder, name)))
            write_whole(record, json.dumps(asdict(intent)).encode(), mode=0o600)
            publish(folder, new, staged)
        _end(folder, record, new, intent)
    return version


def finish_renames(folder: Folder) -> list[str]:
    """End the renames that were cut; a sentence for each."""
    said = []
    for record in sorted((folder.private / RENAMING).iterdir()):
        if record.name.startswith("."):  # of a cut before anything was meant
            continue
        new = unquote(record.name)
        try:
            intent = _read(record)
            with _both(folder, intent.old, new):
                if record.exists():
                    said.append(_end(folder, record, new, intent))
        except (OgError, OSError) as error:
            said.append(f"Could not finish renaming to {new}: {error}")
    return said


@contextmanager
def _both(folder: Folder, name: str, new: str) -> Iterator[None]:
    """The turns of two names; in one order, so that nobody waits in a circle."""
    with ExitStack() as stack:
        for one in sorted({name, new}):
            stack.enter_context(turn(folder, one))
        yield


def _end(folder: Folder, record: Path, new: str, intent: _Intent) -> str:
    """Let the old name go if the new one was shown; the caller has the turns of both."""
    told = f"Renaming {intent.old} to {new} had not begun: {intent.old} is as it was."
    first = folder.version_file(new, intent.version, "")
    if any(first.parent.glob(f"{first.name}.*")):  # kept for ever, whatever is shown by now
        told = f"Renamed {intent.old} to {new}."
        if digest_of(manifest_of(folder, intent.old)) == intent.manifest:
            remove_held(folder, intent.old, f"renamed to {new}")
        elif not holdings_of(folder, intent.old).is_nothing:
            told = f"{intent.old} has another version by now, so it stays beside {new}."
    record.unlink()
    sync(record.parent)
    return told


def _read(record: Path) -> _Intent:
    try:
        with record.open("rb") as file:
            told = json.loads(file.read(_MOST))
        return _Intent(str(told["old"]), int(told["version"]), str(told["manifest"]))
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        raise OgError(
            f"{record} cannot be understood.", hint="Remove it.", code=OgErr.FORMAT
        ) from None
