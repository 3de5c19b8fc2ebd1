# SPDX-License-Identifier: GPL-3.0-or-later
"""`image/golden-dracut/build`: the golden Debian with another maker of its initramfs.

build/golden-dracut/root.raw is an ext4 without a table that the tests copy the files of.
"""

import shutil
from pathlib import Path

from ogimage import mkosi
from ogimage.paths import BUILD_DIR, IMAGE_DIR, SANDBOX_TREE
from ogimage.shell import BuildError, run, say

DISK_BYTES = 1536 << 20  # sparse


def main() -> int:
    return mkosi.built_as_root(_build, log="golden-dracut")


def _build() -> None:
    folder = BUILD_DIR / "golden-dracut"
    base, golden = mkosi.WORK_DIR / "golden", BUILD_DIR / "golden/content.key"
    if not base.is_dir() or not golden.exists():
        raise BuildError("the golden Debian is missing", "run `make golden` first")
    own = mkosi.fingerprint(IMAGE_DIR / "golden-dracut", Path(__file__), SANDBOX_TREE)
    key = f"{own} {golden.read_text()}"
    stamp = folder / "content.key"
    if stamp.exists() and stamp.read_text() == key:
        say(f"{folder} is up to date")
        return
    say("building the golden Debian with dracut")
    mkosi.build_images(IMAGE_DIR / "golden-dracut", ["--base-tree", base])
    part = BUILD_DIR / "golden-dracut.part"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    disk = part / "root.raw"
    with disk.open("wb") as file:
        file.truncate(DISK_BYTES)
    run(["mke2fs", "-q", "-F", "-t", "ext4", "-d", mkosi.WORK_DIR / "golden-dracut", disk])
    (part / "content.key").write_text(key)
    shutil.rmtree(folder, ignore_errors=True)
    part.rename(folder)
    say(f"{folder} built, {disk.name} takes {(folder / disk.name).stat().st_blocks >> 11} MiB")
