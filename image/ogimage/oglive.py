# SPDX-License-Identifier: GPL-3.0-or-later
"""`image/build`: from the mkosi configuration to build/oglive[-PROFILE]/current.

Three steps: first stage, root, artefacts. The two first are kept in the cache folder, by what they
are made of: a fresh clone takes them from there.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from ogimage import mkosi, packing
from ogimage.artefacts import KERNEL, ROOT, Parts, publish
from ogimage.paths import BUILD_DIR, CACHE_DIR, IMAGE_DIR, PROJECT_DIR, SANDBOX_TREE
from ogimage.python_tree import python_tree
from ogimage.shell import BuildError, say
from ogimage.source import source_of

PROFILES = ("default", "test", "debug")
PARTS = "parts"
KEPT_PARTS = 3  # of each kind; several clones share them
FIRST_STAGE = "first-stage.cpio.zst"
PACKAGES = "packages.manifest"
OS_RELEASE = "os-release"
UKI_STUB = Path("usr/lib/systemd/boot/efi/linuxx64.efi.stub")


def main() -> int:
    parser = argparse.ArgumentParser(description="Builds ogLive.")
    parser.add_argument("--profile", choices=PROFILES, default="default")
    parser.add_argument("--fresh", action="store_true", help="take the newest packages")
    parser.add_argument("--verbose", action="store_true", help="all output of the build's programs")
    arguments = parser.parse_args()
    name = "oglive" if arguments.profile == "default" else f"oglive-{arguments.profile}"
    return mkosi.built_as_root(
        lambda: _build(arguments.profile, fresh=arguments.fresh),
        log=name,
        verbose=arguments.verbose,
    )


def _build(profile: str, *, fresh: bool) -> None:
    started = time.monotonic()
    folder = build(profile, fresh=fresh)
    print_sizes(folder)
    say(f"{folder} built in {time.monotonic() - started:.0f} s")


def build(profile: str, *, fresh: bool) -> Path:
    options: list[str | Path] = ["--profile", profile] if profile != "default" else []
    if profile == "debug":  # other packages: a cache of its own
        options += ["--cache-dir", mkosi.incremental_cache("incremental-debug")]
    if fresh:
        # Of every profile: they share the packages, and a root with another kernel does not start.
        shutil.rmtree(CACHE_DIR / PARTS, ignore_errors=True)
    code = [Path(__file__), Path(packing.__file__), IMAGE_DIR / "tools"]
    common = mkosi.fingerprint(IMAGE_DIR / "mkosi.conf", SANDBOX_TREE, *code)
    images = IMAGE_DIR / "mkosi.images"

    first_stage = _first_stage(options, mkosi.fingerprint(images / "first-stage") + common, fresh)
    root = _root(profile, options, mkosi.fingerprint(images / "root") + common, fresh)

    lists = (first_stage / PACKAGES, root / PACKAGES)
    kernels = [_kernel_version(file) for file in lists]
    if kernels[0] != kernels[1]:
        raise BuildError(
            f"first stage and root have different kernels: {' and '.join(kernels)}",
            "build once with --fresh",
        )
    parts = Parts(
        profile=profile,
        kernel=first_stage / KERNEL,
        kernel_version=kernels[0],
        first_stage=first_stage / FIRST_STAGE,
        root=root / ROOT,
        os_release=root / OS_RELEASE,
        package_lists=lists,
        source=source_of(PROJECT_DIR),
    )
    name = "oglive" if profile == "default" else f"oglive-{profile}"
    return publish(parts, BUILD_DIR / name, mkosi.tools_tree() / UKI_STUB)


def _kernel_version(manifest: Path) -> str:
    """From mkosi's package list: the name linux-image-6.12.1+deb13-amd64 holds it."""
    for package in json.loads(manifest.read_text())["packages"]:
        found = re.fullmatch(r"linux-image-(\d.*)", package["name"])
        if found:
            return found[1]
    raise BuildError(f"{manifest} lists no kernel", "build once with --fresh")


def _first_stage(options: list[str | Path], key: str, fresh: bool) -> Path:
    """A folder with kernel, compressed cpio and package list: the same for every profile."""

    def build(folder: Path) -> None:
        mkosi.build_images(IMAGE_DIR, ["--dependency", "first-stage", *options], fresh=fresh)
        archive = folder / "first-stage.cpio"
        packing.write_archive_of_tree(
            mkosi.WORK_DIR / "first-stage", archive, mkosi.SOURCE_DATE_EPOCH
        )
        # zstd: xz is 2 MB smaller and takes seconds longer to unpack on a slow PC.
        result = folder / FIRST_STAGE
        mkosi.run_tool(["zstd", "-q", "-f", "-19", "-T0", "--rm", archive, "-o", result])
        shutil.copyfile(mkosi.WORK_DIR / KERNEL, folder / KERNEL)
        shutil.copyfile(mkosi.WORK_DIR / "first-stage.manifest", folder / PACKAGES)

    return kept_part("first-stage", key, "the first stage", build)


def _root(profile: str, options: list[str | Path], key: str, fresh: bool) -> Path:
    """A folder with the compressed root of a profile, oglib in it, and its package list."""
    key += python_tree()

    def build(folder: Path) -> None:
        mkosi.build_images(IMAGE_DIR, ["--dependency", "root", *options], fresh=fresh)
        tree = mkosi.WORK_DIR / "root"
        # Empty means "not the first boot"; the first stage writes a fresh id at every start.
        (tree / "etc/machine-id").write_text("")
        mkosi.run_tool(
            [
                *("mksquashfs", tree, folder / ROOT, "-noappend", "-quiet", "-no-progress"),
                *("-comp", "zstd", "-Xcompression-level", "15", "-b", "256K", "-no-xattrs"),
            ]
        )
        shutil.copyfile(mkosi.WORK_DIR / "root.manifest", folder / PACKAGES)
        shutil.copyfile(tree / "usr/lib/os-release", folder / OS_RELEASE)

    return kept_part(f"root-{profile}", key, "the root filesystem", build)


def kept_part(name: str, key: str, what: str, build: Callable[[Path], None]) -> Path:
    """A folder below the cache with a finished part; ``build`` fills it when there is none.

    ``key`` stands for all that the part is made of, so that another clone of the same sources
    finds it, too. It appears only complete.
    """
    parts = CACHE_DIR / PARTS
    folder = parts / f"{name}-{hashlib.sha256(key.encode()).hexdigest()[:16]}"
    if folder.is_dir():
        os.utime(folder)
        return folder
    say(f"building {what}")
    part = parts / f"{name}.part"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    build(part)
    part.rename(folder)
    others = (p for p in parts.glob(f"{name}-{'[0-9a-f]' * 16}") if p != folder)
    for old in sorted(others, key=lambda p: p.stat().st_mtime)[: 1 - KEPT_PARTS]:
        shutil.rmtree(old)
    return folder


def print_sizes(folder: Path) -> None:
    wire = 0
    for file in sorted(folder.iterdir()):
        size = file.stat().st_size
        print(f"{file.name:24} {size:>12,} bytes {size / 1e6:8.1f} MB")
        if file.name.startswith(("ogvmlinuz", "oginitrd", "ogclient")):
            wire += size
    print(f"{'over the wire':24} {wire:>12,} bytes {wire / 1e6:8.1f} MB", flush=True)
