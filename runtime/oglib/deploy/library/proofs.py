# SPDX-License-Identifier: GPL-3.0-or-later
"""The judge of what is stored in the cache: joins its store and the image format.

What knows images is loaded where one is judged: commands that mount the cache must start fast.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from oglib import limits
from oglib.cache.model import Proof, Prove, StoredFile
from oglib.cache.proof import prove_by_sum
from oglib.errors import ImageError
from oglib.texts import read_whole

_DISK = "disk.json"


def prove_image(keys_dir: Path) -> Prove:
    """Signature, frame table and digest of an image of ours, or of each in a whole disk's folder.

    An image without a manifest is judged by its ``.full.sum``, or stays unproven.
    """

    def prove(head: Path, digests: Mapping[str, StoredFile]) -> Proof:
        if f"{head.name}/{_DISK}" in digests:
            return _of_disk(head, digests, keys_dir)
        if f"{head.name}.json" not in digests:
            return prove_by_sum(head, digests)
        return _of_image(head, digests[head.name], keys_dir)[0]

    return prove


def _of_image(head: Path, stored: StoredFile, keys_dir: Path) -> tuple[Proof, str]:
    """What vouches for ``NAME.img``, and the digest of its manifest."""
    from blake3 import blake3  # noqa: PLC0415

    from oglib.image.format.signing import load_public_keys  # noqa: PLC0415
    from oglib.image.reading.local import local_image  # noqa: PLC0415

    keys = load_public_keys(keys_dir) if keys_dir.is_dir() else []
    with (
        TemporaryDirectory(prefix="image-") as scratch,
        local_image(head, keys=keys, scratch=Path(scratch)) as image,
    ):
        if stored.blake3 != image.manifest.image_blake3:
            raise ImageError(
                f"The image file of {image.manifest.name} does not match the digest in its "
                "manifest.",
                hint="Fetch or copy the image again.",
            )
        proof = Proof.SIGNED if image.signed_by else Proof.DIGESTS
        return proof, blake3(image.manifest.to_bytes()).hexdigest()


def _of_disk(head: Path, digests: Mapping[str, StoredFile], keys_dir: Path) -> Proof:
    """Its ``disk.json`` names the manifests of the partitions' images, and all its other bytes."""
    from oglib.image.format.disk_gaps import unpacked_gaps  # noqa: PLC0415
    from oglib.image.format.disk_manifest import (  # noqa: PLC0415
        DISK_SIGNATURE,
        GAPS_FILE,
        DiskManifest,
    )
    from oglib.image.format.signing import load_public_keys, verify_signature  # noqa: PLC0415

    raw = read_whole(head / _DISK, limits.DISK_MANIFEST_BYTES)
    signed_by = ""
    keys = load_public_keys(keys_dir) if keys_dir.is_dir() else []
    if keys and (head / DISK_SIGNATURE).is_file():
        signature = read_whole(head / DISK_SIGNATURE, limits.SIGNATURE_BYTES)
        signed_by = verify_signature(raw, signature, keys)
    disk = DiskManifest.from_bytes(raw)
    gaps = read_whole(head / GAPS_FILE, limits.DISK_GAPS_BYTES) if disk.gaps_bytes else b""
    unpacked_gaps(disk, gaps)
    for part in disk.partitions:
        name = f"{head.name}/p{part.number}.img"
        if not part.is_image:
            continue
        if name not in digests:
            raise ImageError(f"The image {disk.name} lacks that of its partition {part.number}.")
        found = _of_image(head / f"p{part.number}.img", digests[name], keys_dir)[1]
        if found != part.manifest_blake3:
            raise ImageError(
                f"The image of partition {part.number} is not the one that {_DISK} of {disk.name} "
                "was made with."
            )
    return Proof.SIGNED if signed_by else Proof.DIGESTS
