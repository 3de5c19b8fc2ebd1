# SPDX-License-Identifier: GPL-3.0-or-later
"""What is on a block device or image file: blkid's low-level probe as a value; never writes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from oglib.errors import FilesystemError
from oglib.filesystem.kind import Family, Kind
from oglib.filesystem.kinds import family_probed, kind_of, kind_probed, mnemonic_of
from oglib.run import run

_NOTHING_FOUND = 2
_CONTRADICTION = 8
_SUPERBLOCKS_BYTES = 256 << 10  # those of nearly every kind lie in the first of these


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
        "udev",
        device,
        accept=(0, _NOTHING_FOUND, _CONTRADICTION),
    )
    if said.status == _CONTRADICTION:
        raise FilesystemError(
            f"{device} carries the signatures of several filesystems.",
            hint="Wipe the stale one with wipefs, or format the partition.",
        )
    if said.status == _NOTHING_FOUND:
        _refuse_unreadable(device)
        return FilesystemInfo("")
    return parse_udev(said.stdout)


def _refuse_unreadable(device: Path) -> None:
    """Raise where blkid found nothing because it could not read: it says both in the same way."""
    try:
        with device.open("rb", buffering=0) as file:
            head = file.read(_SUPERBLOCKS_BYTES)
    except OSError as error:
        raise FilesystemError(
            f"{device} cannot be read, so what is on it is not known: {error.strerror}.",
            hint="Look at the kernel log (dmesg) for the device's own message.",
        ) from error
    if not head and device.is_block_device():
        raise FilesystemError(
            f"{device} has no bytes any more, so what is on it is not known.",
            hint="Something detached it meanwhile; run this again.",
        )


def row_on(device: Path) -> Kind:
    """The row of the filesystem that is on ``device``; raises when there is none."""
    info = probe_filesystem(device)
    if not info.kind:
        raise FilesystemError(f"There is no filesystem on {device}.")
    return kind_of(info.name)


def parse_udev(text: str) -> FilesystemInfo:
    """``blkid -o udev``: ID_FS_KEY=value lines, of labels also with what is odd as ``\\xNN``.

    A label is UTF-8; what is none is one from before, told in the code page it was written in.
    """
    pairs = dict(
        line.removeprefix("ID_FS_").split("=", 1) for line in text.splitlines() if "=" in line
    )
    kind = pairs.get("TYPE", "")
    block = pairs.get("BLOCK_SIZE") or pairs.get("BLOCKSIZE") or "0"
    return FilesystemInfo(
        kind=kind,
        label=_unescaped(
            pairs.get("LABEL_ENC", ""), "cp850" if family_probed(kind) is Family.FAT else "latin-1"
        ),
        uuid=_unescaped(pairs.get("UUID_ENC", ""), "latin-1"),
        block_bytes=int(block),
        version=pairs.get("VERSION", ""),
    )


def _unescaped(text: str, before: str) -> str:
    raw = re.sub(
        rb"\\x([0-9a-f]{2})",
        lambda found: bytes.fromhex(found[1].decode()),
        text.encode("utf-8", "replace"),
    )
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode(before)
