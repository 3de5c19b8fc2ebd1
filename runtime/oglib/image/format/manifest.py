# SPDX-License-Identifier: GPL-3.0-or-later
"""The manifest of an image (``NAME.img.json``): what it is, and the digests of its two files.

A manifest has exactly one spelling: ``from_bytes`` refuses bytes that ``to_bytes`` would not
have written, so nothing is ever read out of a manifest that its signature does not cover.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from oglib import limits
from oglib.disk import firmware
from oglib.errors import ImageError, UsageError
from oglib.image.format.frames import DIGEST_BYTES
from oglib.image.format.partclone import MAX_BITMAP_BYTES, MAX_BLOCK_BYTES, MIN_BLOCK_BYTES
from oglib.image.format.signing import (
    PrivateKey,
    PublicKey,
    generate_keypair,
    load_public_keys,
    sign,
    verify_signature,
)
from oglib.image.format.spelling import check_fields, check_spelling, parsed, spelled

__all__ = [
    "FORMAT",
    "Manifest",
    "PrivateKey",
    "PublicKey",
    "SourceInfo",
    "check_name",
    "check_text",
    "generate_keypair",
    "load_public_keys",
    "sign",
    "verify_signature",
]

FORMAT = "oglive-d3-1"
_WHAT = "manifest"
_NAME_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*", re.ASCII)
_HEX_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
_KEY_ID = re.compile(r"(?:[0-9a-f]{16})?", re.ASCII)
_OPTIONAL = frozenset({"software", "firmware", "system", "lies", "partclone", "added_blocks"})
_MAX_INT = 1 << 63


def check_name(name: str) -> str:
    """``name`` itself when it can be an image's name; folders are separated by ``/``."""
    if len(name) > limits.NAME_CHARACTERS or not all(
        _NAME_PART.fullmatch(part) for part in name.split("/")
    ):
        raise UsageError(
            f"{name!r} cannot be the name of an image.",
            hint="Use letters, digits, dots, dashes and underscores; begin with a letter or digit.",
        )
    return name


def titled(name: str, version: int) -> str:
    """``NAME version 3``, or the name alone where no repository counts versions (0)."""
    return f"{name} version {version}" if version else name


def check_text(text: str) -> str:
    """``text`` itself when it can be shown on a terminal; only line ends may control it."""
    if not text.replace("\n", "").isprintable():
        raise UsageError(f"{text!r:.80} has characters that cannot be printed.")
    return text


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """Where an image was captured; disk and partition count from 1, 0 = not known.

    ``firmware``: ``bios`` or ``uefi``, what the system on it is started by; empty where it holds
    no system, or its disk does not tell. ``system``: which kind of system it is (``Linux``,
    ``Windows``), ``lies``: where, when that is not the whole of the partition (in a subvolume,
    with a /boot of its own); both empty where there is nothing to tell.
    """

    hostname: str = ""
    os: str = ""
    disk: int = 0
    part: int = 0
    firmware: str = ""
    system: str = ""
    lies: str = ""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an image says of itself. ``version`` 0 = not yet assigned by a repository.

    ``software``: what is installed on it, "name version" each. ``partclone``: the version that
    named the used blocks; ``added_blocks`` of them only the filesystem's own tables knew. What is
    in ``_OPTIONAL`` is not written when it is empty.
    """

    name: str
    created: str
    filesystem: str
    block_size: int
    total_blocks: int
    used_blocks: int
    device_size_bytes: int
    sector_size: int
    region_bytes: int
    frame_count: int
    image_size_bytes: int
    image_blake3: str
    frames_blake3: str
    version: int = 0
    parent: str = ""
    key_id: str = ""
    title: str = ""
    comment: str = ""
    source: SourceInfo = field(default_factory=SourceInfo)
    software: tuple[str, ...] = ()
    partclone: str = ""
    added_blocks: int = 0
    format: str = FORMAT

    def to_bytes(self) -> bytes:
        """The one spelling; what is empty and optional is left out."""
        data = _without_empty(asdict(self))
        data["source"] = _without_empty(data["source"])
        return spelled(data)

    @classmethod
    def from_bytes(cls, raw: bytes) -> Manifest:
        """Parse and check; raises ``ImageError`` for anything ``to_bytes`` did not write."""
        data = parsed(raw, what=_WHAT, form=FORMAT, limit_bytes=limits.MANIFEST_BYTES)
        _check_fields(data, cls)
        source = data["source"]
        _check_fields(source, SourceInfo, "source.")
        software = tuple(data.get("software", ()))
        manifest = cls(**{**data, "source": SourceInfo(**source), "software": software})
        manifest._check()
        check_spelling(manifest.to_bytes, raw, what=_WHAT)
        return manifest

    def _check(self) -> None:
        try:
            check_name(self.name)
            if self.parent:
                check_name(self.parent)
            for text in (
                self.title, self.comment, self.source.hostname, self.source.os,
                self.source.system, self.source.lies, self.partclone, *self.software,
            ):  # fmt: skip
                check_text(text)
            moment = datetime.fromisoformat(self.created)
        except (UsageError, ValueError) as error:
            raise ImageError(
                f"The manifest has an impossible name, text or date: {error}"
            ) from None
        block, sector, region = self.block_size, self.sector_size, self.region_bytes
        sound = (
            moment.tzinfo is not None
            and _power_of_two(block, MIN_BLOCK_BYTES, MAX_BLOCK_BYTES)
            and _power_of_two(sector, MIN_BLOCK_BYTES, 1 << 16)
            and _power_of_two(region, block, MAX_BLOCK_BYTES)
            and self.total_blocks <= 8 * MAX_BITMAP_BYTES
            and 0 < self.total_blocks * block <= self.device_size_bytes
            and self.added_blocks <= self.used_blocks <= self.total_blocks
            and 1 <= self.frame_count <= self.used_blocks + 1
            and self.image_size_bytes > 0
            and bool(self.filesystem)
            and _HEX_DIGEST.fullmatch(self.image_blake3) is not None
            and _HEX_DIGEST.fullmatch(self.frames_blake3) is not None
            and _KEY_ID.fullmatch(self.key_id) is not None
            and self.source.firmware in firmware.WORDS
        )
        if not sound:
            raise ImageError(f"The manifest of {self.name} contradicts itself.")

    @property
    def frames_digest(self) -> bytes:
        digest = bytes.fromhex(self.frames_blake3)
        assert len(digest) == DIGEST_BYTES  # noqa: S101 - _check has seen 64 hex digits
        return digest


def _power_of_two(value: int, least: int, most: int) -> bool:
    return least <= value <= most and not value & (value - 1)


def _without_empty(data: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in data.items() if value or name not in _OPTIONAL}


def _check_fields(data: dict[str, object], kind: type, prefix: str = "") -> None:
    check_fields(data, kind, what=_WHAT, int_limit=_MAX_INT, prefix=prefix, optional=_OPTIONAL)
