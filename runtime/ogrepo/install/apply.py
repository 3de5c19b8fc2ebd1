# SPDX-License-Identifier: GPL-3.0-or-later
"""Does the steps of a plan. Each leaves its thing whole or not there, and may be done again."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import pwd
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from oglib.durable import settle, sync
from oglib.errors import ImageError, OgErr, OgError, ProcessError, UsageError, WriteError
from oglib.run import run
from ogrepo.install import units
from ogrepo.install.built import SUMS
from ogrepo.install.model import (
    Artefacts,
    Facts,
    InstallRequest,
    MakeFolder,
    MakeKey,
    MakeUser,
    Own,
    Plan,
    Publish,
    Run,
    Step,
    WriteFile,
)
from ogrepo.install.plan import first_inventory
from ogrepo.install.probe import changeable
from ogrepo.intake.tokens import load_secret
from ogrepo.library.folder import make_folder, write_whole
from ogrepo.library.signingkey import make_key

NOTHING = "nothing to change"
_PIECE_BYTES = 1 << 20
_WAIT_S = 120.0


def rehearse(wanted: InstallRequest, facts: Facts) -> list[str]:
    """What ``ognetboot`` would do with inventory and site; raises for what it would refuse."""
    with tempfile.TemporaryDirectory(prefix="ogrepo-") as scratch:
        inventory = wanted.inventory_file
        first = first_inventory(wanted, facts)
        if first is not None:
            inventory = Path(scratch) / inventory.name
            inventory.write_text(first, "utf-8")
        site = wanted.site
        if not site.is_dir():
            site = Path(scratch) / "site"
            site.mkdir()
        keys = wanted.folder / "keys"
        overlay = ["site", site, wanted.folder / "oglive/site.cpio"]
        overlay += ["--keys", keys] if (keys / "image.pub").exists() else []
        overlay += ["--ca", wanted.ca] if wanted.ca else []
        render = ["render", inventory, wanted.folder / "netboot"]
        # The tree of an inventory that was removed is not that of the one which stands in for it.
        render += ["--force"] if first is not None else []
        program = facts.program.ognetboot
        return [
            run_own(Run((str(program), *map(str, words), "--dry-run"), ""))
            for words in (overlay, render)
        ]


def keeping(wanted: InstallRequest, facts: Facts) -> dict[str, str]:
    """The units with which ``ognetboot`` keeps what PCs boot, for an inventory that was given."""
    if wanted.inventory is None or facts.server is None:
        return {}
    words = ("serve", wanted.inventory_file, wanted.folder / "netboot", "--print-units")
    argv = (str(facts.program.ognetboot), *map(str, words), wanted.user)
    told = json.loads(run_own(Run(argv, "")))
    return {name: str(told[name]) for name in units.KEEPING}


def apply(steps: Sequence[Step], tell: Callable[[str], None]) -> None:
    """Do the steps in their order and tell each one when it is done."""
    for step in steps:
        _do(step)
        tell(str(step))


def run_own(step: Run) -> str:
    """Run a program of ours; its own sentence when it refuses, what it printed when not."""
    try:
        return run(*step.argv, timeout_s=_WAIT_S).stdout.strip()
    except ProcessError as error:
        said = " ".join(error.stderr.split())
        name = Path(step.argv[0]).name
        if not said.startswith(f"{name}: "):
            raise
        raise UsageError(said.removeprefix(f"{name}: ")) from None


def netboot(plan: Plan) -> list[str]:
    """Write the overlay and what PCs boot; what each program said."""
    return [run_own(step) for step in plan.netboot]


def _do(step: Step) -> None:
    match step:
        case MakeUser():
            _make_user(step)
        case MakeFolder(path, mode):
            _make_folder(path, mode)
        case MakeKey(folder):
            repository = make_folder(folder)
            make_key(repository)
            load_secret(repository)
        case WriteFile(path, content):
            _write(path, content)
        case Publish():
            publish(step)
        case Own():
            _own(step)
        case Run(argv):
            run(*argv, timeout_s=_WAIT_S)


def _make_user(step: MakeUser) -> None:
    run(
        "useradd",
        "--system",
        "--user-group",
        "--no-create-home",
        "--home-dir",
        step.home,
        "--shell",
        "/usr/sbin/nologin",
        step.name,
        timeout_s=_WAIT_S,
    )


def _make_folder(path: Path, mode: int) -> None:
    try:
        path.mkdir(mode=mode, parents=True, exist_ok=True)
        path.chmod(mode)  # whatever the umask
    except OSError as error:
        raise WriteError(f"The folder {path} cannot be made: {error.strerror}.") from error


def _write(path: Path, content: bytes) -> None:
    try:
        write_whole(path, content)
        path.chmod(0o644)
    except OSError as error:
        raise WriteError(f"{path} cannot be written: {error.strerror}.") from error


def _own(step: Own) -> None:
    user = pwd.getpwnam(step.user)
    for path, status in changeable(step.folder):
        if (status.st_uid, status.st_gid) != (user.pw_uid, user.pw_gid):
            os.chown(path, user.pw_uid, user.pw_gid, follow_symlinks=False)


# ---- ogLive's files -----------------------------------------------------------------------------


def publish(step: Publish) -> None:
    """Copy a version, every digest checked on the way, and let ``current`` name it."""
    target = step.into / step.artefacts.version
    _make_folder(step.into, 0o755)
    if step.copy:
        part = step.into / f".{step.artefacts.version}.part"
        shutil.rmtree(part, ignore_errors=True)
        try:
            part.mkdir(mode=0o755)
            part.chmod(0o755)
            _copy_all(step.artefacts, part)
            if target.exists():  # a version of that name whose files are others
                shutil.rmtree(target)
            part.rename(target)
            sync(step.into)
        except OSError as error:
            raise _no_room(step, error) from error
        finally:
            shutil.rmtree(part, ignore_errors=True)
    link = step.into / ".current.part"
    link.unlink(missing_ok=True)
    link.symlink_to(step.artefacts.version)
    link.replace(step.into / "current")
    sync(step.into)


def _no_room(step: Publish, error: OSError) -> OgError:
    return WriteError(
        f"ogLive cannot be copied to {step.into}: {error.strerror}.",
        hint="Old versions there may go; the one that `current` names may not.",
    )


def _copy_all(artefacts: Artefacts, into: Path) -> None:
    for name, digest in artefacts.digests.items():
        if _copy(artefacts.folder / name, into / name) != digest:
            raise ImageError(
                f"{artefacts.folder / name} is damaged: it has not the digest of {SUMS}.",
                hint="Build it again with `make image`.",
            )
    for name in ("manifest.json", SUMS):
        _copy(artefacts.folder / name, into / name)
    sync(into)


def _copy(source: Path, target: Path) -> str:
    """Copy one file to the disk; the SHA-256 of what was copied."""
    digest = hashlib.sha256()
    with source.open("rb") as reader, target.open("xb") as writer:
        while piece := reader.read(_PIECE_BYTES):
            digest.update(piece)
            writer.write(piece)
        settle(writer)
    target.chmod(0o644)
    return digest.hexdigest()


def digest_of(path: Path) -> str:
    """The SHA-256 of a file; empty where it cannot be read."""
    with contextlib.suppress(OSError), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
    return ""


def require_rights(wanted: InstallRequest) -> None:
    """Only root can make users and units; a user alone may lay out a repository of his own."""
    if os.geteuid() == 0:
        return
    me = pwd.getpwuid(os.geteuid()).pw_name
    if wanted.user != me:
        raise OgError(
            "Installing makes a user, a repository and units of systemd, which root alone may.",
            hint="Run the same command with sudo.",
            code=OgErr.NOTWRITE,
        )
