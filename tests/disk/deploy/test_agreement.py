# SPDX-License-Identifier: GPL-3.0-or-later
"""A dry run and the real run agree, over a table of situations.

Each situation is a command, an image, the disk's table, a layout and what somebody does with the
disk. The dry run writes nothing; what it refuses the real run refuses with the same number and
sentence, and leaves every byte; what it promises the real run does.
"""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from disk.deploy.room import LAYOUTS, TABLES, Images, Said, digest, disk_file, og
from disk.deploy.test_refusals import locked, mounted_part
from oglib.errors import OgErr
from tallies import Tally, seed

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: loop devices, mounts")

VERBS = ("deploy", "image restore", "os configure")
IMAGES = (
    "debian", "debian", "debian", "sectors of 4096", "without grub", "btrfs @", "ntfs", "damaged",
    "of UEFI", "of a Windows", "boot apart",
)  # fmt: skip
USES = ("free", "free", "free", "free", "mounted", "locked")
TRIED = 36  # of all, chosen by OG_SEED; each takes about a second


@dataclass(frozen=True)
class Situation:
    verb: str
    image: str
    table: str
    layout: str
    use: str

    def words(self, images: Images, layouts: Path, disk: Path) -> tuple[str | Path, ...]:
        if self.verb == "os configure":
            return ("os", "configure", disk, "1")
        image = images.get(self.image)
        if self.verb == "image restore":
            return ("image", "restore", image, disk, *(("1",) if self.layout else ()))
        layout = ("--layout", layouts / f"{self.layout}.json") if self.layout else ()
        return ("deploy", image, disk, "1", *layout)


def situations() -> list[Situation]:
    """Some of all that there are, with each image, table, layout and use among them."""
    every = [
        Situation(*words)
        for words in itertools.product(VERBS, IMAGES, TABLES, ("", "bios", *LAYOUTS), USES)
    ]
    chance = random.Random(seed())
    return chance.sample(every, TRIED)


@contextmanager
def used(disk: Path, use: str) -> Iterator[None]:
    if use == "mounted":
        with mounted_part(disk):
            yield
    elif use == "locked":
        with locked(disk):
            yield
    else:
        yield


@pytest.mark.parametrize("half", [0, 1])
def test_a_dry_run_and_the_real_run_agree(
    tmp_path: Path, images: Images, layouts: Path, tally: Tally, half: int
) -> None:
    for case in situations()[half::2]:
        has_part = case.table != "blank"
        disk = disk_file(tmp_path / "disk.img", case.table)
        if case.verb == "os configure" and has_part:
            og("image", "restore", images.get(case.image), disk, "1", "--yes", "--other-firmware")
        with used(disk, case.use if has_part else "free"):
            _agree(case, disk, case.words(images, layouts, disk), tally)


def _agree(case: Situation, disk: Path, words: tuple[str | Path, ...], tally: Tally) -> None:
    before = digest(disk)
    dry = og(*words, "--dry-run")
    assert digest(disk) == before, f"{case}: the dry run wrote"
    real = og(*words, *(() if case.verb == "os configure" else ("--yes",)))
    if dry.status in (0, OgErr.NOTFITTED):
        assert real.status in _kept(case, dry), f"{case}: {dry} became {real}"
        kind = "done"
    else:
        assert (real.status, real.error) == (dry.status, dry.error), f"{case}"
        assert digest(disk) == before, f"{case}: refused after something was written"
        kind = "refused"
    tally.situations[f"{case.verb} {kind}"] += 1


def _kept(case: Situation, dry: Said) -> tuple[int, ...]:
    """What the real run may answer where the dry run saw nothing against it.

    Of an image without a word about GRUB it shows on the disk alone that it cannot be fitted.
    """
    if dry.status == 0 and case.verb == "deploy" and case.image == "without grub":
        return (OgErr.NOTFITTED,)
    return (dry.status,)
