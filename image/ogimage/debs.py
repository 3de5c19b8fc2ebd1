# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian packages unpacked beside the machine's own: nothing of them is installed, nothing starts.

apt fetches them and checks their signatures, in a private state. Must not name a mirror: addresses
are what the host's apt uses.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ogimage.shell import output, run

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


def unpack(mirror: str, release: str, names: Sequence[str], target: Path) -> None:
    """Packages of `release` without what they depend on; `target` is replaced, or stays."""
    with tempfile.TemporaryDirectory() as name:
        tmp = Path(name)
        for folder in ("state/lists/partial", "cache/archives/partial"):
            (tmp / folder).mkdir(parents=True)
        (tmp / "sources.list").write_text(f"deb [signed-by={KEYRING}] {mirror} {release} main\n")
        private = [
            f"-oDir::State={tmp}/state",
            "-oDir::State::status=/dev/null",
            f"-oDir::Cache={tmp}/cache",
            f"-oDir::Etc::sourcelist={tmp}/sources.list",
            "-oDir::Etc::sourceparts=/dev/null",
            "-oAPT::Sandbox::User=root",
        ]
        run(["apt-get", "-qq", *private, "update"])
        run(["apt-get", "-qq", *private, "download", *names], cwd=tmp)
        _unpack_all(tmp, target)


def unpack_for_host(names: Sequence[str], target: Path) -> None:
    """Packages of the host's own release, with what they need and the host has not."""
    with tempfile.TemporaryDirectory() as name:
        tmp = Path(name)
        (tmp / "partial").mkdir()
        fetch = ["apt-get", "-qq", "--yes", "--no-install-recommends", "--download-only"]
        fetch += [f"-oDir::Cache::archives={tmp}", "-oDebug::NoLocking=1"]
        fetch += ["-oAPT::Sandbox::User=root", "install", *names]
        # A host whose lists are old, or were never fetched, does not find them.
        found = subprocess.run([*fetch, "--simulate"], capture_output=True, check=False)
        if found.returncode != 0 and os.geteuid() == 0:
            run(["apt-get", "-q", "update"])
        run(fetch)
        _unpack_all(tmp, target)


def _unpack_all(folder: Path, target: Path) -> None:
    part = target.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    versions = []
    for package in sorted(folder.glob("*.deb")):
        run(["dpkg", "-x", package, part])
        versions.append(output(["dpkg-deb", "-W", "--showformat=${Package} ${Version}", package]))
    (part / "packages").write_text("".join(f"{line.strip()}\n" for line in versions))
    shutil.rmtree(target, ignore_errors=True)
    part.rename(target)
