# SPDX-License-Identifier: GPL-3.0-or-later
"""Host packages, mkosi, and apt sources for mkosi. Writes .tools/ and installs Debian packages.

Must not name a mirror: addresses are taken from `apt-get indextargets`: what the host uses.
"""

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from ogimage.paths import MKOSI_DIR, SANDBOX_TREE, TOOLS_DIR
from ogimage.shell import BuildError, output, report, run, say

RELEASE = "trixie"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
MKOSI_MINIMUM = 25

# What the build scripts start on the host itself; everything else comes from mkosi's tools tree.
HOST_PACKAGES = {
    "apt": "/usr/bin/apt-get",
    "debian-archive-keyring": str(KEYRING),
    "dosfstools": "/usr/sbin/mkfs.vfat",
    "e2fsprogs": "/usr/sbin/mke2fs",
    "fdisk": "/usr/sbin/sfdisk",
    "mtools": "/usr/bin/mcopy",
    "kmod": "/usr/bin/kmod",
    "util-linux": "/usr/bin/unshare",
}


def main() -> int:
    try:
        install_host_packages()
        mirrors = host_mirrors()
        write_sources(mirrors)
        if not mkosi_is_there():
            unpack_mkosi(mirrors["main"])
    except BuildError as error:
        return report(error)
    return 0


def install_host_packages() -> None:
    missing = [name for name, file in HOST_PACKAGES.items() if not Path(file).exists()]
    if not missing:
        return
    if os.geteuid() != 0:
        raise BuildError(f"packages are missing: {' '.join(missing)}", "run `make setup` as root")
    say(f"installing {' '.join(missing)}")
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    run(["apt-get", "-q", "update"])
    run(["apt-get", "-qy", "--no-install-recommends", "install", *missing], env=quiet)


def host_mirrors() -> dict[str, str]:
    """Addresses of Debian's archive ("main") and, where the host has one, "security"."""
    found: dict[str, str] = {}
    listing = output(
        [
            "apt-get",
            "indextargets",
            "--format",
            "$(REPO_URI) $(RELEASE) $(ORIGIN) $(COMPONENT)",
            "Created-By: Packages",
        ]
    )
    # e.g. "http://mirror/debian/ bookworm-updates Debian main"
    for line in listing.splitlines():
        fields = line.split()
        if len(fields) < 4 or fields[2] != "Debian" or fields[3] != "main":
            continue
        uri, suite = fields[0].rstrip("/"), fields[1]
        if suite.endswith("-security"):
            found.setdefault("security", uri)
        elif re.fullmatch(r"[a-z]+(-updates)?", suite):
            found.setdefault("main", uri)
    if "main" not in found:
        raise BuildError(
            "the host's apt sources name no Debian archive",
            "run `apt-get update` and look at `apt-get indextargets`",
        )
    return found


def write_sources(mirrors: dict[str, str]) -> None:
    """Writes mkosi.sources; mkosi's own list wants a -debug suite, which many mirrors lack."""
    stanzas = [_stanza(mirrors["main"], f"{RELEASE} {RELEASE}-updates")]
    if "security" in mirrors:
        stanzas.append(_stanza(mirrors["security"], f"{RELEASE}-security"))
    target = SANDBOX_TREE / "etc/apt/sources.list.d/mkosi.sources"
    text = "\n".join(stanzas)
    if target.exists() and target.read_text() == text:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)


def _stanza(uri: str, suites: str) -> str:
    return (
        f"Types: deb\nURIs: {uri}\nSuites: {suites}\n"
        f"Components: main non-free-firmware\nSigned-By: {KEYRING}\n"
    )


def mkosi_command() -> list[str]:
    """How to start mkosi: the host's when new enough, else the unpacked package."""
    host = shutil.which("mkosi")
    if host and _version([host]) >= MKOSI_MINIMUM:
        return [host]
    module_dir = MKOSI_DIR / "usr/lib/python3/dist-packages"
    return ["/usr/bin/env", f"PYTHONPATH={module_dir}", "/usr/bin/python3", "-m", "mkosi"]


def mkosi_is_there() -> bool:
    return _version(mkosi_command()) >= MKOSI_MINIMUM


def _version(command: list[str]) -> int:
    done = subprocess.run([*command, "--version"], capture_output=True, text=True, check=False)
    found = re.match(r"mkosi (\d+)", done.stdout)  # "mkosi 25.3"
    return int(found[1]) if found else 0


def unpack_mkosi(mirror: str) -> None:
    """Fetches the package by apt (which checks its signature), in a private apt state."""
    say(f"fetching mkosi from {RELEASE}")
    TOOLS_DIR.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        tmp = Path(name)
        for folder in ("state/lists/partial", "cache/archives/partial"):
            (tmp / folder).mkdir(parents=True)
        (tmp / "sources.list").write_text(f"deb [signed-by={KEYRING}] {mirror} {RELEASE} main\n")
        private = [
            f"-oDir::State={tmp}/state",
            "-oDir::State::status=/dev/null",
            f"-oDir::Cache={tmp}/cache",
            f"-oDir::Etc::sourcelist={tmp}/sources.list",
            "-oDir::Etc::sourceparts=/dev/null",
            "-oAPT::Sandbox::User=root",
        ]
        run(["apt-get", "-qq", *private, "update"])
        run(["apt-get", "-qq", *private, "download", "mkosi"], cwd=tmp)
        part = MKOSI_DIR.with_suffix(".part")
        shutil.rmtree(part, ignore_errors=True)
        run(["dpkg", "-x", next(tmp.glob("mkosi_*.deb")), part])
        shutil.rmtree(MKOSI_DIR, ignore_errors=True)
        part.rename(MKOSI_DIR)
    if not mkosi_is_there():
        raise BuildError(f"mkosi from {RELEASE} does not start", f"try {mkosi_command()} --version")
