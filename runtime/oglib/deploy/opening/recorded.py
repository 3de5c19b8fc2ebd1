# SPDX-License-Identifier: GPL-3.0-or-later
"""Images of other programs that a repository vouches for, by a signed record of their bytes.

The record lies beside the image as the manifest does beside one of ours. Where it is there, the
image is taken like a signed one, and no byte of it is used that the record does not name.
"""

from __future__ import annotations

from oglib import limits
from oglib.deploy.opening.fetching import fetch_if_there, signature_of
from oglib.deploy.opening.memory import Memory
from oglib.deploy.opening.reference import ASIDE, Reference
from oglib.errors import ImageError, NotFoundError
from oglib.image.format.foreign_record import RECORD, RECORD_SIGNATURE, ForeignRecord
from oglib.image.format.signing import PublicKey
from oglib.image.reading.local import plain_name
from oglib.image.reading.vouching import VouchedRecord, vouch_record
from oglib.settings import Settings
from oglib.texts import TooLargeError, read_whole


def record_of(reference: Reference, settings: Settings) -> bytes | None:
    """The record at that place, unjudged; None where there is none."""
    if reference.path is not None:
        return _file(reference, RECORD, limits.MANIFEST_BYTES)
    url = _address(reference, RECORD)
    return fetch_if_there(url, limits.MANIFEST_BYTES, settings.connection) if url else None


def vouched_record(
    reference: Reference,
    keys: list[PublicKey],
    settings: Settings,
    *,
    allowed: bool,
    memory: Memory | None,
) -> VouchedRecord | None:
    """The record of a foreign image, judged; None where the image has none.

    ``allowed``: the site takes it without a signature. ``memory`` refuses an older one, as of ours.
    """
    raw = record_of(reference, settings)
    if raw is None:
        return None
    if reference.path is not None:
        signature = _file(reference, RECORD_SIGNATURE, limits.SIGNATURE_BYTES)
    else:
        beside = _address(reference, RECORD_SIGNATURE)
        signature = signature_of(beside, raw, keys, settings.connection)
    # a file may lie under any name; what a repository was asked for by name must have that name
    name = reference.name if reference.path is None or reference.repository else None
    vouched = vouch_record(raw, signature, keys, where=reference.where, allowed=allowed, name=name)
    record = vouched.record
    said: tuple[str, ...] = ()
    if memory is not None and vouched.signed_by:
        said = memory.judge(record.name, record.version, wanted=bool(reference.version))
    return VouchedRecord(record, vouched.signed_by, (*vouched.warnings, *said))


def version_in(raw: bytes) -> int:
    """The version that a record says."""
    return ForeignRecord.from_bytes(raw).version


def _address(reference: Reference, suffix: str) -> str:
    return f"{reference.kept}{suffix}" if reference.kept else _beside(reference.url, suffix)


def _beside(image: str, suffix: str) -> str:
    """The name of a file beside ``NAME.img``, or beside ``NAME.img.ant``; "" beside no such."""
    plain = plain_name(image)
    aside = ASIDE if plain != image else ""
    return "" if not plain.endswith(".img") or "?" in image else f"{plain}{suffix}{aside}"


def _file(reference: Reference, suffix: str, limit_bytes: int) -> bytes | None:
    assert reference.path is not None  # noqa: S101 - asked for files alone
    name = _beside(reference.path.name, suffix)
    if not name:
        return None
    path = reference.path.with_name(name)
    try:
        return read_whole(path, limit_bytes)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise NotFoundError(f"{path} cannot be read: {error.strerror}.") from error
    except TooLargeError as error:
        raise ImageError(error.message) from error
