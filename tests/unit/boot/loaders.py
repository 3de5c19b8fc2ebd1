# SPDX-License-Identifier: GPL-3.0-or-later
"""Loaders for UEFI of a few hundred bytes, with sections, and signed by authorities made here."""

from __future__ import annotations

import datetime
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from oglib.boot.secure.pe import PeFile

_HEAD = 0x80
_OPTIONAL_BYTES = 112 + 16 * 8
_SBAT = "sbat,1,SBAT Version,sbat,1,https://example.org\n"
_BORN = datetime.datetime(2020, 1, 1)
_DIES = datetime.datetime(2040, 1, 1)


@dataclass(frozen=True)
class Authority:
    """Who signs: its own certificate, and one that it issued to a signer."""

    name: str
    ca: x509.Certificate
    signer: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def der(self) -> bytes:
        return self.ca.public_bytes(Encoding.DER)


@cache
def authority(name: str) -> Authority:
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca = _certificate(name, name, ca_key, ca_key)
    return Authority(name, ca, _certificate(f"{name} signer", name, key, ca_key), key)


def _certificate(
    name: str, issuer: str, key: ec.EllipticCurvePrivateKey, by: ec.EllipticCurvePrivateKey
) -> x509.Certificate:
    def named(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])

    built = x509.CertificateBuilder(
        issuer_name=named(issuer), subject_name=named(name), public_key=key.public_key(),
        serial_number=x509.random_serial_number(), not_valid_before=_BORN, not_valid_after=_DIES,
    )  # fmt: skip
    return built.sign(by, SHA256())


def loader(
    sections: Mapping[str, bytes], signers: Sequence[Authority] = (), *, filler: bytes = b""
) -> bytes:
    """A PE32+ file; names of sections that are long stand in its table of strings."""
    names = b""
    table = b""
    content = b""
    begin = _HEAD + 24 + _OPTIONAL_BYTES + 40 * len(sections)
    for name, data in sections.items():
        raw = name.encode()
        if len(raw) > 8:
            raw, names = f"/{4 + len(names)}".encode(), names + raw + b"\0"
        table += struct.pack("<8sIIII16x", raw, len(data), 0, len(data), begin + len(content))
        content += data
    strings_at = begin + len(content)
    strings = struct.pack("<I", 4 + len(names)) + names
    head = b"MZ".ljust(0x3C, b"\0") + struct.pack("<I", _HEAD)
    coff = struct.pack("<4sHHIIIHH", b"PE\0\0", 0x8664, len(sections), 0, strings_at, 0,
                       _OPTIONAL_BYTES, 0)  # fmt: skip
    body = head.ljust(_HEAD, b"\0") + coff
    body += struct.pack("<H", 0x20B).ljust(_OPTIONAL_BYTES, b"\0") + table + content + strings
    body += filler
    body += b"\0" * (-len(body) % 8)
    return _signed(body, signers) if signers else body


def _signed(body: bytes, signers: Sequence[Authority]) -> bytes:
    digest = PeFile(body).digest
    blocks = b""
    for one in signers:
        der = (
            pkcs7.PKCS7SignatureBuilder()
            .set_data(digest)
            .add_signer(one.signer, one.key, SHA256())
            .add_certificate(one.ca)
            .sign(Encoding.DER, [pkcs7.PKCS7Options.Binary])
        )
        block = struct.pack("<IHH", 8 + len(der), 0x200, 2) + der
        blocks += block + b"\0" * (-len(block) % 8)
    at = _HEAD + 24 + 112 + 8 * 4
    return body[:at] + struct.pack("<II", len(body), len(blocks)) + body[at + 8 :] + blocks


def shim(
    signers: Sequence[Authority], vendor: Authority, *, level: str = "grub,5", generation: int = 4
) -> bytes:
    """A shim that accepts what ``vendor`` signed, and brings ``level``."""
    lines = f"sbat,1,2025021800\n{level}\n".encode() + b"\0"
    der = vendor.der
    return loader(
        {
            ".sbat": f"{_SBAT}shim,{generation},UEFI shim,shim,1,x\n".encode(),
            ".sbatlevel": struct.pack("<III", 0, 8, 8) + lines,
            ".vendor_cert": struct.pack("<IIII", len(der), 0, 16, 16 + len(der)) + der,
        },
        signers,
    )


def grub(signers: Sequence[Authority], *, generation: int = 5, filler: bytes = b"") -> bytes:
    sections = {".sbat": f"{_SBAT}grub,{generation},FSF,grub,2.12,x\n".encode()}
    return loader(sections, signers, filler=filler)


def signature_list(values: Sequence[bytes], *, digests: bool = False) -> bytes:
    """The value of ``db`` or ``dbx``; a list for each, as firmware writes certificates."""
    kind = "2616c4c14c509240aca941f936934328" if digests else "a159c0a5e494a74a87b5ab155c2bf072"
    found = b""
    for value in values:
        each = 16 + len(value)
        found += bytes.fromhex(kind) + struct.pack("<III", 28 + each, 0, each) + bytes(16) + value
    return found
