# SPDX-License-Identifier: GPL-3.0-or-later
"""`image/build`: from the mkosi configuration to build/oglive[-PROFILE]/current.

Three steps, each skipped when its inputs did not change: first stage, root, artefacts.
"""

import argparse
import json
import re
import shutil
import time
from pathlib import Path

from ogimage import mkosi, packing
from ogimage.artefacts import Parts, publish
from ogimage.paths import BUILD_DIR, IMAGE_DIR, PROJECT_DIR, SANDBOX_TREE
from ogimage.python_tree import python_tree
from ogimage.shell import BuildError, say
from ogimage.source import source_of

PROFILES = ("default", "test", "debug")
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
    common = mkosi.fingerprint(IMAGE_DIR / "mkosi.conf", SANDBOX_TREE)
    images = IMAGE_DIR / "mkosi.images"

    first_stage = _first_stage(options, mkosi.fingerprint(images / "first-stage") + common, fresh)
    root = _root(profile, options, mkosi.fingerprint(images / "root") + common, fresh)

    lists = (mkosi.WORK_DIR / "first-stage.manifest", root.with_suffix(".manifest"))
    kernels = [_kernel_version(file) for file in lists]
    if kernels[0] != kernels[1]:
        raise BuildError(
            f"first stage and root have different kernels: {' and '.join(kernels)}",
            "build once with --fresh",
        )
    parts = Parts(
        profile=profile,
        kernel=mkosi.WORK_DIR / "ogvmlinuz",
        kernel_version=kernels[0],
        first_stage=first_stage,
        root=root,
        os_release=root.with_suffix(".os-release"),
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
    """The compressed cpio of the first stage; it is the same for every profile."""
    result = mkosi.WORK_DIR / "first-stage.cpio.zst"
    stamp = mkosi.WORK_DIR / "first-stage.key"
    if not fresh and result.exists() and stamp.exists() and stamp.read_text() == key:
        return result
    say("building the first stage")
    stamp.unlink(missing_ok=True)
    mkosi.build_images(IMAGE_DIR, ["--dependency", "first-stage", *options], fresh=fresh)
    archive = mkosi.WORK_DIR / "first-stage.cpio"
    tree = mkosi.WORK_DIR / "first-stage"
    # zstd: xz is 2 MB smaller and takes seconds longer to unpack on a slow PC.
    packing.write_archive_of_tree(tree, archive, mkosi.SOURCE_DATE_EPOCH)
    mkosi.run_tool(["zstd", "-q", "-f", "-19", "-T0", "--rm", archive, "-o", result])
    stamp.write_text(key)
    return result


def _root(profile: str, options: list[str | Path], key: str, fresh: bool) -> Path:
    """The compressed root of a profile, with oglib in it."""
    result = mkosi.WORK_DIR / f"root-{profile}.sqfs"
    stamp = mkosi.WORK_DIR / f"root-{profile}.key"
    key += python_tree()
    if not fresh and result.exists() and stamp.exists() and stamp.read_text() == key:
        return result
    say("building the root filesystem")
    stamp.unlink(missing_ok=True)
    mkosi.build_images(IMAGE_DIR, ["--dependency", "root", *options], fresh=fresh)
    tree = mkosi.WORK_DIR / "root"
    # An empty file means "not the first boot"; the first stage writes a fresh id at every start.
    (tree / "etc/machine-id").write_text("")
    mkosi.run_tool(
        [
            "mksquashfs",
            tree,
            result,
            "-noappend",
            "-quiet",
            "-no-progress",
            "-comp",
            "zstd",
            "-Xcompression-level",
            "15",
            "-b",
            "256K",
            "-no-xattrs",
        ]
    )
    # The next profile overwrites tree and list; these stay with the finished file.
    shutil.copyfile(mkosi.WORK_DIR / "root.manifest", result.with_suffix(".manifest"))
    shutil.copyfile(tree / "usr/lib/os-release", result.with_suffix(".os-release"))
    stamp.write_text(key)
    return result


def print_sizes(folder: Path) -> None:
    wire = 0
    for file in sorted(folder.iterdir()):
        size = file.stat().st_size
        print(f"{file.name:24} {size:>12,} bytes {size / 1e6:8.1f} MB")
        if file.name.startswith(("ogvmlinuz", "oginitrd", "ogclient")):
            wire += size
    print(f"{'over the wire':24} {wire:>12,} bytes {wire / 1e6:8.1f} MB", flush=True)
