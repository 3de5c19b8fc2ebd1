# SPDX-License-Identifier: GPL-3.0-or-later
"""What comes into the cache: an image of a partition, or the folder of a whole disk's, opened.

Everything small is here already, and its signature judged; the stored frames are read later, from
wherever they are found.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from blake3 import blake3

from oglib import limits
from oglib.deploy.opening.fetching import keys_of, signature_of
from oglib.deploy.opening.finding import addresses, located, manifest_of
from oglib.deploy.opening.memory import Memory
from oglib.deploy.opening.opened import opened_frames
from oglib.deploy.opening.reference import Reference, resolve
from oglib.deploy.whole_disk import location as folders
from oglib.deploy.whole_disk.image import opened_whole
from oglib.errors import ImageError, UsageError
from oglib.image.any import own_of
from oglib.image.format.disk_manifest import DISK_FILE, DISK_SIGNATURE, GAPS_FILE
from oglib.image.reading.opened import OpenImage
from oglib.settings import Settings


@dataclass(frozen=True, slots=True)
class Incoming:
    """An image that may come into the cache, its frames open to be read.

    ``head``: what the cache calls it, ``NAME.img`` or a folder. ``images`` and ``small`` are by
    their path from the folder of the head. ``manifest``: the path of the one among ``small`` that
    speaks for all, whose digest is the ``key``.
    """

    name: str
    version: int
    head: str
    manifest: str
    images: Mapping[str, OpenImage]
    small: Mapping[str, bytes]
    parent: str = ""
    warnings: tuple[str, ...] = field(default=())

    @property
    def key(self) -> str:
        return blake3(self.small[self.manifest]).hexdigest()

    @property
    def size_bytes(self) -> int:
        """What it takes in the cache."""
        frames = sum(
            image.manifest.image_size_bytes + image.frames.size_bytes
            for image in self.images.values()
        )
        return frames + sum(map(len, self.small.values()))


@contextmanager
def incoming(text: str, settings: Settings, memory: Memory) -> Iterator[Incoming]:
    """The image that ``text`` names, by a name in the repository or by its address."""
    reference = resolve(text, settings)
    if not reference.url:
        raise UsageError(f"{text} is a local file.", hint="Store it with `og cache add`.")
    if manifest_of(reference, settings) is None and _is_disk(text, settings):
        with _whole(text, settings, memory) as disk:
            yield disk
        return
    with opened_frames(text, settings, memory) as image:
        yield _of_partition(reference.name, located(reference, settings), image, settings)


def _is_disk(text: str, settings: Settings) -> bool:
    asked = folders.location_of(text, settings)
    return asked.read(DISK_FILE, limits.DISK_MANIFEST_BYTES) is not None


def _of_partition(
    name: str, reference: Reference, image: OpenImage, settings: Settings
) -> Incoming:
    file = f"{name.rpartition('/')[2]}.img"
    return Incoming(
        name=name,
        version=image.version,
        head=file,
        manifest=f"{file}.json",
        images={file: image},
        small=_beside(file, reference, image, settings),
        parent=image.manifest.parent,
        warnings=image.warnings,
    )


def _beside(
    file: str, reference: Reference, image: OpenImage, settings: Settings
) -> dict[str, bytes]:
    """The manifest of an image and, where it has one, its signature."""
    manifest = image.manifest.to_bytes()
    small = {f"{file}.json": manifest}
    url = addresses(reference).signature
    signature = signature_of(url, manifest, keys_of(settings), settings.connection)
    if signature is not None:
        small[f"{file}.json.sig"] = signature
    elif image.signed_by:
        raise ImageError(
            f"The signature of {image.name} went while it was looked at.", hint="Run it again."
        )
    return small


@contextmanager
def _whole(text: str, settings: Settings, memory: Memory) -> Iterator[Incoming]:
    asked = folders.location_of(text, settings)
    with opened_whole(text, settings, memory) as disk, ExitStack() as stack:
        location = folders.located(asked) or asked
        leaf = asked.name.rpartition("/")[2]
        small = {}
        for file, most in (
            (DISK_FILE, limits.DISK_MANIFEST_BYTES),
            (DISK_SIGNATURE, limits.SIGNATURE_BYTES),
            (GAPS_FILE, limits.DISK_GAPS_BYTES),
        ):
            raw = location.read(file, most)
            if raw is not None:
                small[f"{leaf}/{file}"] = raw
        images = {}
        for part in disk.imaged.parts:
            if not part.is_image:
                continue
            own = own_of(stack.enter_context(disk.open_part(part.number)))
            if own is None:
                raise ImageError(f"Partition {part.number} of {disk.name} has no image of ours.")
            file = f"{leaf}/p{part.number}.img"
            images[file] = own
            url = f"{location.url}/p{part.number}.img"
            beside = Reference(own.name, url=url, kept=location.kept_part(part.number))
            small |= _beside(file, beside, own, settings)
        yield Incoming(
            name=asked.name,
            version=disk.version,
            head=leaf,
            manifest=f"{leaf}/{DISK_FILE}",
            images=images,
            small=small,
            warnings=disk.warnings,
        )
