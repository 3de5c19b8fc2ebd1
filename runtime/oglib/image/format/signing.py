# SPDX-License-Identifier: GPL-3.0-or-later
"""Ed25519 keys and detached signatures over a manifest's exact bytes.

A public key file (``*.pub``) is one line ``ed25519 BASE64 comment``; a signature one line
``ed25519 KEYID BASE64``; a private key PKCS8 PEM with mode 0600, which lives on the repository
alone. The key id is the first 16 hex digits of the SHA-256 of the raw public key.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from oglib import durable
from oglib.errors import ImageError, NotFoundError, OgErr, OgError, WriteError
from oglib.texts import read_whole

_ALGORITHM = "ed25519"
_KEY_BYTES = 32
_SIGNATURE_BYTES = 64


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key whose signatures are accepted."""

    raw: bytes
    comment: str = ""

    @property
    def key_id(self) -> str:
        return hashlib.sha256(self.raw).hexdigest()[:16]

    def to_line(self) -> str:
        """The content of a ``.pub`` file."""
        return f"{_ALGORITHM} {base64.b64encode(self.raw).decode()} {self.comment}".strip() + "\n"

    @classmethod
    def from_line(cls, line: str) -> PublicKey:
        words = line.split(maxsplit=2)
        raw = _decoded(words[1]) if len(words) > 1 and words[0] == _ALGORITHM else b""
        if len(raw) != _KEY_BYTES or len(line.strip().splitlines()) != 1:
            raise ImageError("This is not a public key: one line `ed25519 BASE64 comment`.")
        return cls(raw, words[2].strip() if len(words) > 2 else "")


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """A signing key; its material never leaves this object except by ``save``."""

    _key: Ed25519PrivateKey

    @property
    def public(self) -> PublicKey:
        return PublicKey(self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))

    def sign_raw(self, data: bytes) -> bytes:
        return self._key.sign(data)

    def save(self, path: Path) -> None:
        """Write a new PEM file of mode 0600; an existing one is never overwritten."""
        pem = self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        try:
            durable.store(path, pem, new=True, mode=0o600)
        except OSError as error:
            raise WriteError(
                f"The key file {path} cannot be made: {error.strerror}.",
                hint="An existing key is never overwritten; move it away to make a new one.",
            ) from error

    @classmethod
    def load(cls, path: Path) -> PrivateKey:
        try:
            key = load_pem_private_key(read_whole(path), password=None)
        except OSError as error:
            raise NotFoundError(f"No image key at {path}: {error.strerror}.") from error
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise ImageError(f"{path} is not an unencrypted PKCS8 PEM key.") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise ImageError(f"{path} is not an Ed25519 key.")
        return cls(key)


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


def generate_keypair() -> tuple[PrivateKey, PublicKey]:
    """A new signing key and the public key that belongs to it."""
    private = PrivateKey(Ed25519PrivateKey.generate())
    return private, private.public


def load_public_keys(folder: Path) -> list[PublicKey]:
    """Every ``*.pub`` in ``folder``, in order of their names; no folder means no keys."""
    keys = []
    for path in sorted(folder.glob("*.pub")):
        try:
            keys.append(PublicKey.from_line(read_whole(path).decode("ascii")))
        except (OgError, OSError, UnicodeDecodeError) as error:
            raise ImageError(
                f"The public key {path} cannot be used: {error}", hint="Replace or remove it."
            ) from error
    return keys


def sign(manifest_bytes: bytes, private_key: PrivateKey) -> bytes:
    """The content of ``NAME.img.json.sig``."""
    signature = base64.b64encode(private_key.sign_raw(manifest_bytes)).decode()
    return f"{_ALGORITHM} {private_key.public.key_id} {signature}\n".encode()


def verify_signature(manifest_bytes: bytes, signature: bytes, keys: Iterable[PublicKey]) -> str:
    """The id of the key that signed exactly these bytes; ``ImageError`` when none of ours did."""
    words = signature.decode("ascii", "replace").split()
    raw = _decoded(words[2]) if len(words) == 3 and words[0] == _ALGORITHM else b""
    if len(raw) != _SIGNATURE_BYTES or signature != f"{' '.join(words)}\n".encode():
        raise ImageError("The image's signature file is damaged.", code=OgErr.IMAGE)
    key = next((key for key in keys if key.key_id == words[1]), None)
    if key is None:
        raise ImageError(
            f"The image is signed by the key {words[1]}, which is not accepted here.",
            hint="Install the repository's public key, or ask who signed this image.",
        )
    try:
        Ed25519PublicKey.from_public_bytes(key.raw).verify(raw, manifest_bytes)
    except InvalidSignature:
        raise ImageError(
            "The image's signature does not match its manifest: one of them was changed.",
            hint="Fetch the image again; if it persists, do not trust its source.",
        ) from None
    return key.key_id
