# SPDX-License-Identifier: GPL-3.0-or-later
"""An image under another name: the same bytes by links, its manifest signed anew.

The name is in the manifest, so a copy is a first version of its own that says whose bytes it has.
Nobody reads the bytes for that: their digests are signed. What nobody of ours signed, or what is
known to be damaged, gets no new signature.
"""

from __future__ import annotations

from pathlib import Path

from oglib.errors import ImageError, NotFoundError
from oglib.image.format.manifest import PrivateKey, load_public_keys, verify_signature
from ogrepo.library.folder import Folder
from ogrepo.library.proving.proofs import known_proof
from ogrepo.library.store import next_version
from ogrepo.library.stored import stored
from ogrepo.versions.again import sizes_of, stage_again
from ogrepo.versions.kept import Kept, in_images, read_kept, record_of


def source_of(folder: Folder, source: Folder, name: str) -> Kept:
    """What ``name`` shows in ``source``, judged; raises where it gets no other name.

    ``source`` is the repository itself, or an entry of its trash, which is built like one.
    """
    about = in_images(source, name)
    if about is None:
        raise NotFoundError(
            f"There is no image {name} in {source.root}.",
            hint=f"`ogrepo list {folder.root}` shows what is there.",
        )
    record = record_of(source, name, about.version)
    if record is None:
        raise ImageError(
            f"The image {name} is not signed by a key of this repository.",
            hint="Upload it again with a token.",
        )
    raw = stored(record)
    if raw != about.to_bytes():
        raise ImageError(
            f"What is shown as {name} is not what was published as its version {about.version}.",
            hint="Upload it again with a token.",
        )
    signature = stored(record.with_name(f"{record.name}.sig"))
    verify_signature(raw, signature, load_public_keys(folder.keys))
    proof = known_proof(folder, name, raw)
    if proof is not None and proof.why:
        raise ImageError(
            f"The image {name} is damaged: {proof.why}",
            hint="Mend it first; `ogrepo verify` then takes the mark away.",
        )
    kept = read_kept(source, name, about.version)
    sizes_of(source, kept)
    return kept


def stage_named(folder: Folder, source: Folder, kept: Kept, new: str, staged: Path) -> int:
    """Prepare it as a version of ``new``, whose turn the caller has; returns the number."""
    key = load_key(folder)
    version = next_version(folder, new)
    stage_again(source, kept, new, version, staged, key=key)
    return version


def load_key(folder: Folder) -> PrivateKey:
    """The key that signs here; refused where it is kept on another machine."""
    if not folder.image_key.exists():
        raise NotFoundError(
            f"{folder.root} has no key to sign with, and another name is signed anew.",
            hint=f"Run `ogrepo keygen {folder.root}`, or do it where the key is.",
        )
    return PrivateKey.load(folder.image_key)
