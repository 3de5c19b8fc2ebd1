# SPDX-License-Identifier: GPL-3.0-or-later
"""What is on a block device or image file: blkid's low-level probe as a value; never writes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from oglib.errors import FilesystemError
from oglib.filesystem.kinds import Kind, kind_of, kind_probed, mnemonic_of
from oglib.run import run

_NOTHING_FOUND = 2
_CONTRADICTION = 8


@dataclass(frozen=True, slots=True)
class FilesystemInfo:
    """``kind`` is blkid's TYPE (``ext4``, ``vfat``, ``swap``, …), empty when there is nothing."""

    kind: str
    label: str = ""
    uuid: str = ""
    block_bytes: int = 0
    version: str = ""

    @property
    def name(self) -> str:
        """Our word for the kind (``fat16``, ``lvm``); blkid's where we have no row for it."""
        found = kind_probed(self.kind, self.version)
        return found.name if found else self.kind

    @property
    def mnemonic(self) -> str:
        """OpenGnsys' word for the kind, empty when there is nothing."""
        return mnemonic_of(self.kind, self.version)


def probe_filesystem(device: Path) -> FilesystemInfo:
    """The filesystem on ``device``, read from the device itself and not from udev's memory."""
    said = run(
        "blkid",
        "--probe",
        "--output",
        "export",
        device,
        accept=(0, _NOTHING_FOUND, _CONTRADICTION),
    )
    if said.status == _CONTRADICTION:
        raise FilesystemError(
            f"{device} carries the signatures of several filesystems.",
            hint="Wipe the stale one with wipefs, or format the partition.",
        )
    if said.status == _NOTHING_FOUND:
        return FilesystemInfo("")
    return parse_export(said.stdout)


def row_on(device: Path) -> Kind:
    """The row of the filesystem that is on ``device``; raises when there is none."""
    info = probe_filesystem(device)
    if not info.kind:
        raise FilesystemError(f"There is no filesystem on {device}.")
    return kind_of(info.name)


def parse_export(text: str) -> FilesystemInfo:
    """``blkid -o export``: KEY=value lines in which blanks and quotes are escaped by ``\\``."""
    pairs = {
        key: re.sub(r"\\(.)", r"\1", value)
        for key, _, value in (line.partition("=") for line in text.splitlines())
    }
    return FilesystemInfo(
        kind=pairs.get("TYPE", ""),
        label=pairs.get("LABEL", ""),
        uuid=pairs.get("UUID", ""),
        block_bytes=int(pairs.get("BLOCK_SIZE", "0")),
        version=pairs.get("VERSION", ""),
    )
