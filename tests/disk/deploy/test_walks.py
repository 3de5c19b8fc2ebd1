# SPDX-License-Identifier: GPL-3.0-or-later
"""From the command line to the last write an image takes a short way, and none of it twice."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from disk.deploy.room import Images, disk_file, og
from disk.image.whole_disks import MSDOS, as_clonezilla, blank, made_disk
from oglib.deploy.opening.reference import Reference
from oglib.deploy.whole_disk.location import FolderLocation
from oglib.deploy.whole_disk.whole import WholeDisk
from oglib.image.any import ForeignImage
from oglib.image.reading.formats.folders.saved_disk import FolderImage
from oglib.image.reading.opened import OpenImage
from walks import Walk, walked

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: loop devices, mounts")

MOST_STOPS = 30


def short(walk: Walk) -> bool:
    print(f"{len(walk.stops)} functions, {sum(walk.stops.values())} times:")
    print("\n".join(f"  {name}" for name in walk.stops))
    return len(walk.stops) <= MOST_STOPS


def test_the_folder_of_clonezilla_to_a_restored_disk(tmp_path: Path) -> None:
    folder = as_clonezilla(made_disk(tmp_path / "disk", "msdos", MSDOS), tmp_path / "clonezilla")
    target = blank(tmp_path / "target")
    with walked(folder, (FolderImage, WholeDisk, FolderLocation, Reference)) as walk:
        told = og("image", "restore", folder, target, "--yes")
    assert told.status == 0, told.err
    assert "oglib.deploy.whole_disk.restore:_restore_whole" in walk.stops, "nothing was counted"
    assert short(walk)
    assert walk.twice == {}


def test_an_image_to_a_deployed_system(tmp_path: Path, images: Images, layouts: Path) -> None:
    image, disk = images.get("debian"), disk_file(tmp_path / "disk.img", "blank")
    with walked(image, (OpenImage, ForeignImage, Reference)) as walk:
        told = og("deploy", image, disk, "1", "--layout", layouts / "bios.json", "--yes")
    assert told.status == 0, told.err
    assert "oglib.image.writing.restore:restore" in walk.stops, "nothing was counted"
    assert short(walk)
    assert walk.twice == {}
