# SPDX-License-Identifier: GPL-3.0-or-later
"""`image/clonezilla/build`: Debian's Clonezilla on an ext4 filesystem without a table."""

import shutil
from pathlib import Path

from ogimage import mkosi
from ogimage.paths import BUILD_DIR, IMAGE_DIR, SANDBOX_TREE
from ogimage.shell import run, say

DISK_BYTES = 3 << 30  # sparse; the images that the tests make go into it too


def main() -> int:
    return mkosi.built_as_root(_build, log="clonezilla")


def _build() -> None:
    folder = BUILD_DIR / "clonezilla"
    key = mkosi.fingerprint(IMAGE_DIR / "clonezilla", Path(__file__), SANDBOX_TREE)
    stamp = folder / "build.key"
    if stamp.exists() and stamp.read_text() == key:
        say(f"{folder} is up to date")
        return
    say("building Debian's Clonezilla")
    mkosi.build_images(IMAGE_DIR / "clonezilla", [])
    part = BUILD_DIR / "clonezilla.part"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    disk = part / "root.raw"
    with disk.open("wb") as file:
        file.truncate(DISK_BYTES)
    run(
        [
            "mke2fs",
            "-q",
            "-F",
            "-t",
            "ext4",
            "-L",
            "clonezilla",
            "-d",
            mkosi.WORK_DIR / "clonezilla",
            disk,
        ]
    )
    (part / "build.key").write_text(key)
    shutil.rmtree(folder, ignore_errors=True)
    part.rename(folder)
    say(
        f"{folder} built, {disk.name} takes {(folder / disk.name).stat().st_blocks * 512 >> 20} MiB"
    )
