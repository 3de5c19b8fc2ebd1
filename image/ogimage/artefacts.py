# SPDX-License-Identifier: GPL-3.0-or-later
"""Turns the two trees that mkosi built into the files a server offers, and publishes them.

A version's folder appears only complete: it is filled under a .part name and renamed.
"""

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from ogimage.mkosi import run_tool
from ogimage.packing import archive_of_files, padded
from ogimage.source import Source

KERNEL = "ogvmlinuz"
INITRD = "oginitrd.img"
ROOT = "ogclient.sqfs"
ONE_FILE = "oglive-onefile.img"
UKI = "oglive.efi"
KEPT_VERSIONS = 3


@dataclass(frozen=True, slots=True)
class Parts:
    """What the artefacts are made of: finished files, and where package lists lie."""

    profile: str
    kernel: Path
    kernel_version: str
    first_stage: Path  # compressed cpio without /etc/oglive/release
    root: Path
    os_release: Path
    package_lists: tuple[Path, ...]
    source: Source


def sha256_of(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def publish(parts: Parts, folder: Path, uki_stub: Path) -> Path:
    """Writes folder/VERSION and points folder/current at it. Returns the version's folder."""
    version = _version(parts)
    target = folder / version
    if not (target / "manifest.json").exists():
        part = folder / f"{version}.part"
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        _assemble(parts, part, version, uki_stub)
        part.rename(target)
    link = folder / "current.part"
    link.unlink(missing_ok=True)
    link.symlink_to(version)
    link.replace(folder / "current")
    _forget_old(folder)
    return target


def _forget_old(folder: Path) -> None:
    """Keeps the newest versions; a PC may still be loading the one before."""
    versions = [p for p in folder.iterdir() if p.is_dir() and not p.is_symlink()]
    versions.sort(key=lambda p: p.stat().st_mtime, reverse=True)
    current = (folder / "current").resolve()
    for old in versions[KEPT_VERSIONS:]:
        if old != current:
            shutil.rmtree(old)


def _version(parts: Parts) -> str:
    """Date of the source and a digest of the content: the same source and packages, the same name.

    The first stage holds it, so a day of the build in it would make each day's initrd another.
    """
    digest = hashlib.sha256(parts.profile.encode())
    for file in (parts.kernel, parts.first_stage, parts.root):
        digest.update(sha256_of(file).encode())
    return f"{parts.source.day}-{digest.hexdigest()[:8]}"


def _assemble(parts: Parts, folder: Path, version: str, uki_stub: Path) -> None:
    shutil.copyfile(parts.kernel, folder / KERNEL)
    shutil.copyfile(parts.root, folder / ROOT)
    root_sha256, root_size = sha256_of(parts.root), parts.root.stat().st_size
    release = (
        f"VERSION={version}\nPROFILE={parts.profile}\nROOT={ROOT}\n"
        f"ROOT_SHA256={root_sha256}\nROOT_SIZE={root_size}\n"
    )

    first_stage = parts.first_stage.read_bytes()
    with (folder / INITRD).open("wb") as initrd:
        initrd.write(padded(first_stage))
        initrd.write(archive_of_files({"etc/oglive/release": release.encode()}))
    # The one-file variant is the same initrd with the root's file inside: no second build, no
    # second code path but one `if` in /init.
    with (folder / ONE_FILE).open("wb") as one_file:
        one_file.write((folder / INITRD).read_bytes())
        one_file.write(archive_of_files({ROOT: parts.root.read_bytes()}))

    # env's own -S splits the pair: mkosi would take a separate "build" for its own verb.
    run_tool(
        [
            "env",
            "-S",
            "ukify build",
            f"--linux={folder / KERNEL}",
            f"--initrd={folder / INITRD}",
            f"--cmdline=quiet ogrootsha256={root_sha256}",
            f"--os-release=@{parts.os_release}",
            f"--uname={parts.kernel_version}",
            f"--stub={uki_stub}",
            f"--output={folder / UKI}",
        ]
    )

    names = [KERNEL, INITRD, ROOT, ONE_FILE, UKI]
    artifacts = {
        n: {"size_bytes": (folder / n).stat().st_size, "sha256": sha256_of(folder / n)}
        for n in names
    }
    (folder / "SHA256SUMS").write_text("".join(f"{artifacts[n]['sha256']}  {n}\n" for n in names))
    manifest = {
        "version": version,
        "profile": parts.profile,
        "source": parts.source.commit or None,
        "kernel": parts.kernel_version,
        "artifacts": artifacts,
        "root": {"file": ROOT, "sha256": root_sha256},
        "packages": _packages(parts.package_lists),
    }
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")
    for file in folder.iterdir():
        file.chmod(0o644)


def _packages(lists: tuple[Path, ...]) -> list[dict[str, str]]:
    found: dict[str, str] = {}
    for file in lists:
        for entry in json.loads(file.read_text())["packages"]:
            found[entry["name"]] = entry["version"]
    return [{"name": name, "version": found[name]} for name in sorted(found)]
