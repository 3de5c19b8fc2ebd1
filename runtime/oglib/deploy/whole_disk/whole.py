# SPDX-License-Identifier: GPL-3.0-or-later
"""The image of a whole disk, opened, whoever made it: a value that every use case asks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from oglib.deploy.whole_disk.boot_bytes import boot_code_of
from oglib.deploy.whole_disk.sizing import ImagedDisk
from oglib.disk import types
from oglib.disk.firmware import Firmware
from oglib.disk.starts import starters
from oglib.errors import ImageError, OgErr
from oglib.image.any import Image
from oglib.image.format.disk_manifest import Gap
from oglib.image.format.manifest import titled
from oglib.image.reading.formats.model import ImageInfo
from oglib.image.reading.stretch import Raw


@dataclass(frozen=True, slots=True)
class WholeDisk:
    """The image of a whole disk, opened; ``open_part`` gives the image of one of its partitions.

    ``tool`` is ``disk`` for our own, ``clonezilla`` or ``fog``. ``gaps`` hold the boot code and
    other bytes outside filesystems; ``missing`` names what the folder holds and nobody restores,
    ``lacking`` says what belongs to the image and is not there. ``others`` are further disks in the
    same folder, which are images of their own: ``FOLDER/sdb``. ``files`` are those of this PC that
    it lies in, ``system`` what is on it as it named itself. ``info`` is the answer of
    ``og image info``, for which a foreign one looks into every partition's image.
    """

    tool: Literal["disk", "clonezilla", "fog"]
    name: str
    where: str
    imaged: ImagedDisk
    gaps: tuple[tuple[Gap, Raw], ...]
    firmware: str
    info: Callable[[], ImageInfo]
    open_part: Callable[[int], AbstractContextManager[Image]]
    version: int = 0
    signed_by: str = ""
    warnings: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    system: str = ""

    @property
    def title(self) -> str:
        """Its name, and its version where it has one."""
        return titled(self.name, self.version)

    @property
    def able_to_start(self) -> frozenset[Firmware]:
        """The kinds of firmware that start the disk: one, both or none."""
        return able_to_start(self.firmware, self.imaged, self.gaps)

    def refuse_lacking(self) -> None:
        """Raise ``ImageError`` where a piece of the image is not there."""
        if self.lacking:
            raise ImageError(
                f"The image {self.name} is damaged: {' '.join(self.lacking)}",
                hint="Copy the whole folder again, or restore its other partitions with --parts.",
                code=OgErr.IMAGEFILE,
            )

    def beside(self, other: str) -> str:
        """What names one of the ``others``."""
        path = Path(self.where)
        return str((path if path.is_dir() else path.parent) / other)


def able_to_start(
    noted: str, imaged: ImagedDisk, gaps: Sequence[tuple[Gap, Raw]]
) -> frozenset[Firmware]:
    """Which firmware starts such a disk; ``noted``: what the image says of it, if anything."""
    if noted:
        return frozenset({Firmware(noted)})
    kinds = {types.mnemonic(p.type_id, imaged.table, name=p.name) for p in imaged.parts}
    return starters(imaged.table, kinds, boot_code=any(boot_code_of(gaps)))
