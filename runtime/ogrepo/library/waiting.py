# SPDX-License-Identifier: GPL-3.0-or-later
"""Images that wait for a signature, because the key is on another machine.

The repository has proven and numbered them; each lies in ``private/waiting/NAME@N`` as it will be
published. ``sign_one`` proves the bytes again, there or in a copy of that folder, and signs; what
comes back is published when it says nothing else than what was proven here.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from urllib.parse import unquote

from blake3 import blake3

from oglib import limits
from oglib.durable import sync
from oglib.errors import ImageError, NotFoundError, OgError
from oglib.image.format.disk_gaps import unpacked_gaps
from oglib.image.format.disk_manifest import DISK_FILE, DISK_SIGNATURE, DiskManifest, part_name
from oglib.image.format.manifest import (
    Manifest,
    PrivateKey,
    PublicKey,
    load_public_keys,
    verify_signature,
)
from oglib.progress import Progress
from oglib.texts import read_whole
from ogrepo.library.disks import gaps_of
from ogrepo.library.folder import Folder, checked_name, write_whole
from ogrepo.library.keep import beside_part, keep_disk, keep_image
from ogrepo.library.publishing import publish, turn
from ogrepo.library.signed import write_signed
from ogrepo.library.staged_disks import refuse_folder, sign_disk, staged_disk
from ogrepo.library.store import FRAMES, IMAGE, MANIFEST, SIGNATURE, kept_numbers, staged_file
from ogrepo.library.verify import verify_files

_PROVEN = "proven"  # the digest of what was proven, for who brings it back signed
_AGAIN = "Copy it from the repository again."


@dataclass(frozen=True, slots=True)
class Waiting:
    """An image in such a folder. ``manifests``: of a disk those of its images, by partition."""

    path: Path
    manifest: Manifest | DiskManifest
    manifests: dict[int, Manifest]

    @property
    def name(self) -> str:
        return self.manifest.name

    @property
    def version(self) -> int:
        return self.manifest.version

    @property
    def size_bytes(self) -> int:
        if isinstance(self.manifest, Manifest):
            return self.manifest.image_size_bytes
        return sum(one.image_size_bytes for one in self.manifests.values())

    def as_dict(self) -> dict[str, object]:
        return {"name": self.name, "version": self.version, "size_bytes": self.size_bytes}

    def unsigned(self) -> Manifest | DiskManifest:
        """What it says but for who signed it: the same before and after."""
        if isinstance(self.manifest, Manifest):
            return replace(self.manifest, key_id="")
        rows = tuple(
            replace(part, manifest_blake3=_digest(replace(self.manifests[part.number], key_id="")))
            if part.is_image
            else part
            for part in self.manifest.partitions
        )
        return replace(self.manifest, partitions=rows, key_id="")


def let_wait(folder: Folder, name: str, version: int, staged: Path) -> None:
    """Put what is in ``staged``, proven and numbered, where it waits."""
    write_whole(staged / _PROVEN, f"{_digest(_read(staged).unsigned())}\n".encode())
    sync(staged)
    staged.rename(folder.record("waiting", f"{name}@{version}"))
    sync(folder.waiting)
    sync(staged.parent)


def all_waiting(top: Path) -> Iterator[Waiting]:
    """What waits in ``private/waiting`` or a copy of it, by name and version.

    Raises for an entry that cannot be read: it was there whole.
    """
    found = [path for path in top.iterdir() if path.is_dir() and not path.name.startswith(".")]
    for path in sorted(found, key=_by_number):
        with suppress(FileNotFoundError):  # it was published meanwhile
            yield _read(path)


def _by_number(path: Path) -> tuple[str, int]:
    name, _, number = unquote(path.name).rpartition("@")
    return (name, int(number)) if number.isascii() and number.isdecimal() else (path.name, 0)


def sign_one(one: Waiting, key: PrivateKey, progress: Progress) -> bool:
    """Prove every byte of an image and sign it; False where this key has signed it already."""
    with suppress(ImageError):
        check_signed(one, [key.public])
        return False
    if isinstance(one.manifest, Manifest):
        path_of = partial(staged_file, one.path)
        verify_files(replace(one.manifest, key_id=""), path_of(IMAGE), path_of(FRAMES), progress)
        write_signed(one.manifest, one.version, key, path_of)
        sync(one.path)
        return True
    whole = _whole(one.path)
    unpacked_gaps(one.manifest, gaps_of(whole))
    for number, manifest in one.manifests.items():
        path_of = partial(beside_part, whole, number)
        verify_files(replace(manifest, key_id=""), path_of(IMAGE), path_of(FRAMES), progress)
    sign_disk(one.manifest, one.manifests, one.version, key, whole)
    return True


def check_signed(one: Waiting, keys: Sequence[PublicKey]) -> str:
    """The id of the key that signed all of it; ``ImageError`` where none of these did."""
    if isinstance(one.manifest, Manifest):
        return _check(one.manifest, staged_file(one.path, SIGNATURE), keys)
    whole = _whole(one.path)
    for part in one.manifest.images:
        manifest = one.manifests[part.number]
        if _digest(manifest) != part.manifest_blake3:
            raise ImageError(f"{manifest.name} belongs to another disk than {one.name}.")
        _check(manifest, beside_part(whole, part.number, SIGNATURE), keys)
    return _check(one.manifest, whole / DISK_SIGNATURE, keys)


def _check(manifest: Manifest | DiskManifest, signature: Path, keys: Sequence[PublicKey]) -> str:
    try:
        raw = read_whole(signature, limits.SIGNATURE_BYTES)
    except FileNotFoundError:
        raise ImageError(f"{manifest.name} is not signed.") from None
    key_id = verify_signature(manifest.to_bytes(), raw, keys)
    if manifest.key_id != key_id:
        raise ImageError(f"The manifest of {manifest.name} names another key than signed it.")
    return key_id


def publish_signed(folder: Folder) -> list[str]:
    """Publish what came back signed; one sentence for each, and for what cannot be."""
    said = []
    keys = load_public_keys(folder.keys)
    for path in sorted(folder.waiting.iterdir(), key=_by_number):
        try:
            told = _publish_one(folder, path, keys)
        except FileNotFoundError:
            continue
        except (OgError, OSError) as error:
            told = f"{unquote(path.name)} waits, and cannot be published: {error}"
        said += [told] if told else []
    return said


def _publish_one(folder: Folder, path: Path, keys: Sequence[PublicKey]) -> str:
    """Empty where it has to wait."""
    one = _read(path)
    if not one.manifest.key_id:
        return ""
    key_id = check_signed(one, keys)
    proven = read_whole(path / _PROVEN).decode("ascii", "replace").strip()
    if _digest(one.unsigned()) != proven:
        raise ImageError("it is not what was proven here.", hint="Sign it again.")
    named = f"{one.name} version {one.version}"
    with turn(folder, checked_name(one.name)):
        if one.version < max(kept_numbers(folder, one.name), default=0):
            _keep(folder, one)
            return f"Kept {named}, signed by {key_id}: a newer one is shown already."
        if isinstance(one.manifest, DiskManifest):
            refuse_folder(folder, one.name)
        publish(folder, one.name, path)
    return f"Published {named}, signed by {key_id}."


def _keep(folder: Folder, one: Waiting) -> None:
    """Among the versions, and not shown: what is shown never becomes older."""
    if isinstance(one.manifest, Manifest):
        keep_image(folder, one.manifest, partial(staged_file, one.path), proven=False)
    else:
        keep_disk(folder, one.manifest, _whole(one.path), proven=False)
    shutil.rmtree(one.path)


def _whole(path: Path) -> Path:
    whole = staged_disk(path)
    assert whole is not None  # noqa: S101 - its manifest was read there
    return whole


def _read(path: Path) -> Waiting:
    whole = staged_disk(path)
    if whole is None:
        return Waiting(path, _manifest(staged_file(path, MANIFEST)), {})
    disk = DiskManifest.from_bytes(read_whole(whole / DISK_FILE, limits.DISK_MANIFEST_BYTES))
    manifests = {}
    for part in disk.images:
        manifest = _manifest(beside_part(whole, part.number, MANIFEST))
        named = part_name(disk.name, part.number)
        # It may be signed already where its disk is not yet.
        known = {_digest(manifest), _digest(replace(manifest, key_id=""))}
        if manifest.name != named or part.manifest_blake3 not in known:
            raise ImageError(f"{path} does not hold {named} of its disk.", hint=_AGAIN)
        manifests[part.number] = manifest
    return Waiting(path, disk, manifests)


def _manifest(path: Path) -> Manifest:
    return Manifest.from_bytes(read_whole(path, limits.MANIFEST_BYTES))


def _digest(manifest: Manifest | DiskManifest) -> str:
    return blake3(manifest.to_bytes()).hexdigest()


def found(top: Path, name: str | None) -> list[Waiting]:
    """What waits under this name, or all of it; raises where there is none of the name."""
    there = list(all_waiting(top))
    wanted = [one for one in there if name in (None, one.name)]
    if name is not None and not wanted:
        raise NotFoundError(
            f"No image {name} waits in {top}.",
            hint=f"There is {', '.join(sorted({one.name for one in there})) or 'none'}.",
        )
    return wanted
