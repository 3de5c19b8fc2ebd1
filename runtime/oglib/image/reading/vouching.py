# SPDX-License-Identifier: GPL-3.0-or-later
"""Who vouches for an image: its signature, or the site's word for where it comes from.

Of an image of ours its manifest is signed, of a foreign one the repository's record of its bytes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from oglib.errors import ImageError
from oglib.image.format.foreign_record import ForeignRecord
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


@dataclass(frozen=True, slots=True)
class VouchedRecord:
    """The same of a repository's record of a foreign image."""

    record: ForeignRecord
    signed_by: str
    warnings: tuple[str, ...]


class _Signed(Protocol):
    """What is signed, of either kind."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> int: ...

    @property
    def key_id(self) -> str: ...


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
    signed_by = _signer(manifest_bytes, signature, keys)
    manifest = Manifest.from_bytes(manifest_bytes)
    warnings = _judged(manifest, signature, signed_by, where=where, allowed=allowed)
    _check_asked(manifest, name, at_least_version)
    return Vouched(manifest, signed_by, warnings)


def vouch_record(
    raw: bytes,
    signature: bytes | None,
    keys: Iterable[PublicKey],
    *,
    where: str,
    allowed: bool,
    name: str | None = None,
) -> VouchedRecord:
    """As ``vouch``, for the record of a foreign image."""
    signed_by = _signer(raw, signature, keys)
    record = ForeignRecord.from_bytes(raw)
    warnings = _judged(record, signature, signed_by, where=where, allowed=allowed)
    _check_asked(record, name, 0)
    return VouchedRecord(record, signed_by, warnings)


def _signer(raw: bytes, signature: bytes | None, keys: Iterable[PublicKey]) -> str:
    """The key that signed ``raw``; empty where there is no signature or no key to check it."""
    accepted = tuple(keys)
    return verify_signature(raw, signature, accepted) if signature is not None and accepted else ""


def _judged(
    signed: _Signed, signature: bytes | None, signed_by: str, *, where: str, allowed: bool
) -> tuple[str, ...]:
    """What to warn of; raises where the key is another, or the site's policy says no."""
    if signed_by and signed.key_id != signed_by:
        raise ImageError(f"The manifest of {signed.name} names another key than signed it.")
    if signed_by:
        return ()
    name = signed.name
    why = "is not signed" if signature is None else "is signed, but no key is installed to check it"
    if not allowed:
        raise ImageError(
            f"The image {name} from {where} {why}.",
            hint=how_to_vouch(signed=signature is not None),
        )
    return (f"The image {name} {why}: nobody vouches for its origin.",)


def how_to_vouch(*, signed: bool) -> str:
    """What to do about an image that nobody this PC knows has signed."""
    if signed:
        return (
            "Put the repository's keys/image.pub into the site overlay (`ognetboot site`), or on "
            "this machine alone into /etc/oglive/keys."
        )
    return (
        "Have the repository sign it: `og image convert IMAGE --to http://REPOSITORY`, with a "
        "token of `ogrepo token NAME`; or allow its place in the site's policy (allow_unsigned)."
    )


def _check_asked(manifest: _Signed, name: str | None, at_least_version: int) -> None:
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
