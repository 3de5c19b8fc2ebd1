# SPDX-License-Identifier: GPL-3.0-or-later
"""The keys by which a PC proves over SSH that it is the one that it says: new ones for each PC.

Made here, because not every system makes its own at its next start (Debian does it when the
package is installed, and never again). A key is this PC's when the comment of its public half says
so; whoever captures a fitted PC takes the comment along, and the next PC's is another one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from oglib.fitting.changes import Removed
from oglib.fitting.edits import Files, bytes_of, words_of
from oglib.fitting.fittings import Check, Need
from oglib.osconfig.facts import PcFacts
from oglib.texts import joined

_FOLDER = "etc/ssh"
_KEY = re.compile(r"ssh_host_([a-z0-9]+)_key")
_PUBLIC_BYTES = 16 << 10
_RSA_BITS = 3072
_Private = ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@dataclass(frozen=True, slots=True)
class _Kind:
    """``form``: of the private half. OpenSSH before 6.5 (CentOS 6) reads its own of PEM alone."""

    make: Callable[[], _Private]
    form: PrivateFormat


def _rsa() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, _RSA_BITS)


def _ecdsa() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


_KINDS = {
    "ed25519": _Kind(ed25519.Ed25519PrivateKey.generate, PrivateFormat.OpenSSH),
    "ecdsa": _Kind(_ecdsa, PrivateFormat.TraditionalOpenSSL),
    "rsa": _Kind(_rsa, PrivateFormat.TraditionalOpenSSL),
}


@dataclass(frozen=True, slots=True)
class HostKeys:
    """The fitting. Keys of kinds that nothing accepts any more (DSA) go with the others."""

    name: str = "ssh-host-keys"

    def check(self, root: Files, facts: PcFacts) -> Check:
        """Which keys are another PC's; their content is read by nobody."""
        names = [name for name in root.names(_FOLDER) if _kind(name)]
        if not names:
            return Check(Need.NOT_NEEDED, "there are none")
        if facts.policy.ssh_host_keys == "keep":
            return Check(Need.NOT_NEEDED, "the site keeps what the image has")
        mark = _mark(facts)
        if not mark:
            why = "this PC has no network card by which its own could be told: they stay"
            return Check(Need.NOT_NEEDED, why)
        foreign = [name for name in names if not _is_own(root, name, mark)]
        odd = [name for name in foreign if not root.is_regular(f"{_FOLDER}/{name}")]
        if odd:
            return Check(Need.CANNOT, f"{_FOLDER}/{odd[0]} is not a regular file")
        if not foreign:
            return Check(Need.NOT_NEEDED, "they are this PC's own")
        kinds = [_kind(name) for name in foreign]
        made = [kind for kind in kinds if kind in _KINDS]
        gone = [kind for kind in kinds if kind not in _KINDS]
        told = [f"new: {', '.join(made)}"] if made else []
        told += [f"removed: {', '.join(gone)}"] if gone else []
        return Check(Need.NEEDED, joined(told))

    def apply(self, root: Files, facts: PcFacts, checked: Check) -> str:
        """Private half first: until the public one is there too, it counts as another PC's."""
        comment = f"root@{facts.hostname or 'localhost'} {_mark(facts)}"
        for name in root.names(_FOLDER):
            path, kind = f"{_FOLDER}/{name}", _KINDS.get(_kind(name))
            if not _kind(name) or _is_own(root, name, _mark(facts)):
                continue
            if kind is None:
                for gone in (path, f"{path}.pub"):
                    Removed(gone).write(root)
                continue
            private, public = _pair(kind, comment)
            root.write_bytes(path, private, mode=0o600)
            root.write_bytes(f"{path}.pub", public)
            # what was signed for the old key says nothing of the new one
            root.remove(f"{path}-cert.pub")
        return checked.detail


def _kind(name: str) -> str:
    """``rsa`` for ``ssh_host_rsa_key``; empty for every other file."""
    found = _KEY.fullmatch(name)
    return found[1] if found else ""


def _mark(facts: PcFacts) -> str:
    own = facts.own("ssh-host-keys")
    return f"oglive-{own[:12]}" if own else ""


def _is_own(root: Files, name: str, mark: str) -> bool:
    try:
        public = words_of(root.read_head(f"{_FOLDER}/{name}.pub", _PUBLIC_BYTES))
    except FileNotFoundError:
        return False
    return mark in public.split()


def _pair(kind: _Kind, comment: str) -> tuple[bytes, bytes]:
    key = kind.make()
    private = key.private_bytes(Encoding.PEM, kind.form, NoEncryption())
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    return private, public + bytes_of(f" {comment}\n")
