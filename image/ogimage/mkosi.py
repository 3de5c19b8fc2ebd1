# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts mkosi and the programs of its tools tree; owns the cache folder outside the project.

The tools tree is an image of its own (image/tools), built once per change of its configuration.
"""

import fcntl
import hashlib
import os
import shutil
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ogimage import hostsetup
from ogimage.hostsetup import mkosi_command
from ogimage.paths import BUILD_DIR, CACHE_DIR, IMAGE_DIR, SANDBOX_TREE
from ogimage.shell import BuildError, logging_to, report, run, say

WORK_DIR = BUILD_DIR / ".mkosi"
# Every file in an image has this date (2025-01-01), so that the same content gives the same bytes.
SOURCE_DATE_EPOCH = 1735689600


@contextmanager
def build_lock() -> Iterator[None]:
    """One build at a time: several clones share the cache."""
    CACHE_DIR.mkdir(parents=True, exist_ok=True)
    with (CACHE_DIR / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another build runs, waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def built_as_root(build: Callable[[], object], *, log: str, verbose: bool = False) -> int:
    """What every build command does around ``build``; returns its exit status.

    The output of its programs goes into build/log/LOG.log.
    """
    with logging_to(log, verbose=verbose):
        try:
            if os.geteuid() != 0:
                raise BuildError("mkosi is run as root here", "call it with sudo")
            forget_builder(IMAGE_DIR)
            hostsetup.ready()
            with build_lock():
                build()
        except BuildError as error:
            return report(error)
        except OSError as error:
            named = f"{error.filename}: " if error.filename else ""
            return report(BuildError(f"the build failed: {named}{error.strerror or error}"))
        except KeyboardInterrupt:
            print("error: interrupted; the same command goes on", file=sys.stderr)
            return 130
    return 0


def forget_builder(config: Path) -> None:
    """Modes in an image shall not tell the umask of who builds, nor of who made the clone.

    mkosi copies the modes below ``config``; git keeps only whether a file is a program.
    """
    os.umask(0o022)
    for path in (config, *config.rglob("*")):
        if path.is_symlink():
            continue
        mode = path.stat().st_mode
        wanted = 0o755 if path.is_dir() or mode & 0o100 else 0o644
        if stat.S_IMODE(mode) != wanted:
            path.chmod(wanted)


def fingerprint(*paths: Path) -> str:
    """Digest over names, modes and content of files and trees."""
    digest = hashlib.sha256()
    for top in paths:
        files = sorted(p for p in top.rglob("*") if not p.is_dir()) if top.is_dir() else [top]
        for file in files:
            if "__pycache__" in file.parts:
                continue
            name = file.relative_to(top.parent)
            if file.is_symlink():
                digest.update(f"{name} -> {file.readlink()}\0".encode())
            else:
                digest.update(f"{name} {file.stat().st_mode:o} {file.stat().st_size}\0".encode())
                digest.update(file.read_bytes())
    return digest.hexdigest()


def tools_tree() -> Path:
    """The tools tree, built when it is missing or its configuration changed."""
    key = fingerprint(IMAGE_DIR / "tools", SANDBOX_TREE)[:12]
    tree = CACHE_DIR / f"tools-{key}"
    if tree.is_dir():
        return tree
    say("building the tools tree (a minute or two, once)")
    part = f"tools-{key}.part"
    _mkosi(
        IMAGE_DIR / "tools",
        [
            "--sandbox-tree",
            SANDBOX_TREE,
            "--output-dir",
            CACHE_DIR,
            "--output",
            part,
            "--force",
            "build",
        ],
    )
    for old in CACHE_DIR.glob("tools-*"):
        if old.name != part:
            shutil.rmtree(old)
    (CACHE_DIR / part).rename(tree)
    return tree


def build_images(config: Path, options: Sequence[str | Path], *, fresh: bool = False) -> None:
    """Runs `mkosi build`; `fresh` asks the mirror again instead of using the package cache."""
    force = ["-ff"] if fresh else ["-f"]
    _mkosi(config, [*_common(), *options, *force, "build"])


def run_tool(argv: Sequence[str | Path]) -> None:
    """Runs a program of the tools tree; files are found under their usual paths."""
    epoch = f"SOURCE_DATE_EPOCH={SOURCE_DATE_EPOCH}"
    _mkosi(IMAGE_DIR, [*_common(), "sandbox", "env", epoch, *argv])


def incremental_cache(name: str) -> Path:
    """A folder for what mkosi keeps between builds; its option given again replaces the first."""
    folder = CACHE_DIR / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _common() -> list[str | Path]:
    (CACHE_DIR / "workspace").mkdir(parents=True, exist_ok=True)
    WORK_DIR.mkdir(parents=True, exist_ok=True)
    return [
        "--tools-tree",
        tools_tree(),
        "--cache-dir",
        incremental_cache("incremental"),
        "--workspace-dir",
        CACHE_DIR / "workspace",
        "--output-dir",
        WORK_DIR,
        # The host's own certificates: a site's CA is among them, in the tools tree it is not.
        "--tools-tree-certificates=no",
    ]


def _mkosi(config: Path, arguments: Sequence[str | Path]) -> None:
    if not SANDBOX_TREE.is_dir():
        raise BuildError("mkosi's apt sources are not written yet", "run `make setup`")
    packages = CACHE_DIR / "packages"
    packages.mkdir(parents=True, exist_ok=True)
    run([*mkosi_command(), "-C", config, "--package-cache-dir", packages, *arguments])
