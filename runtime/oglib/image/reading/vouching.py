# SPDX-License-Identifier: GPL-3.0-or-later
"""Who vouches for an image of ours: its signature, or the site's word for where it comes from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from oglib.errors import ImageError
from oglib.image.format.manifest import Manifest
from oglib.image.format.signing import PublicKey, verify_signature


@dataclass(frozen=True, slots=True)
class Policy:
    """What a site accepts without a signature it can check."""

    unsigned_local: bool = True
    unsigned_remote: bool = False


@dataclass(frozen=True, slots=True)
class Vouched:
    """A manifest of which is known who signed it, and what to warn of."""

    manifest: Manifest
    signed_by: str
    warnings: tuple[str, ...]


def vouch(
    manifest_bytes: bytes,
    signature: bytes | None,
    keys: Iterable[PublicKey],
    *,
    where: str,
    allowed: bool,
    name: str | None = None,
    at_least_version: int = 0,
) -> Vouched:
    """Judge the manifest alone, before anything else of the image is fetched.

    ``where`` is for messages; ``allowed``: the site takes it from there without a signature. The
    signature counts first: what nobody signed is not even parsed where it must be signed.
    """
    accepted = tuple(keys)
    signed_by = ""
    if signature is not None and accepted:
        signed_by = verify_signature(manifest_bytes, signature, accepted)
    manifest = Manifest.from_bytes(manifest_bytes)
    if signed_by and manifest.key_id != signed_by:
        raise ImageError(f"The manifest of {manifest.name} names another key than signed it.")
    warnings = () if signed_by else _unsigned(manifest, signature, where=where, allowed=allowed)
    _check_asked(manifest, name, at_least_version)
    return Vouched(manifest, signed_by, warnings)


def _unsigned(
    manifest: Manifest, signature: bytes | None, *, where: str, allowed: bool
) -> tuple[str, ...]:
    """What to warn of where no signature can be checked; raises when the site's policy says no."""
    why = "is not signed" if signature is None else "is signed, but no key is installed to check it"
    if not allowed:
        raise ImageError(
            f"The image {manifest.name} from {where} {why}.",
            hint=how_to_vouch(signed=signature is not None),
        )
    return (f"The image {manifest.name} {why}: nobody vouches for its origin.",)


def how_to_vouch(*, signed: bool) -> str:
    """What to do about an image that nobody this PC knows has signed."""
    if signed:
        return "Put the repository's keys/image.pub into the site overlay (`ognetboot site`)."
    return (
        "Have the repository sign it: `og image convert IMAGE --to http://REPOSITORY`, with a "
        "token of `ogrepo token NAME`; or allow its place in the site's policy (allow_unsigned)."
    )


def _check_asked(manifest: Manifest, name: str | None, at_least_version: int) -> None:
    if name is not None and manifest.name != name:
        raise ImageError(
            f"The image is {manifest.name}, but {name} was asked for.",
            hint="The files were renamed or swapped; use the name in the manifest.",
        )
    if manifest.version < at_least_version:
        raise ImageError(
            f"The image {manifest.name} is version {manifest.version}, but at least version "
            f"{at_least_version} was asked for.",
            hint="The source is out of date; take another one.",
        )
