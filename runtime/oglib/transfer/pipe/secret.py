# SPDX-License-Identifier: GPL-3.0-or-later
"""The code that two PCs share, and what it proves. Pure but for the system's random bytes.

A code has 80 bits: whoever hears a session cannot find it by trying. Who does not know it can
neither answer nor change a byte unseen. What is sent is not secret, as no image in a classroom is.
"""

from __future__ import annotations

import hmac
import re
import secrets

from blake3 import blake3

from oglib.errors import UsageError

MAC_BYTES = 32
NONCE_BYTES = 32
_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
_LENGTH, _GROUP = 16, 4
_CONTEXT = "oglib 2026 a partition from one PC to another"
_CODE = re.compile(f"[{_LETTERS}]{{{_LENGTH}}}")


def new_code() -> str:
    """As a person reads it from one screen and types it into another: ``ABCD-EFGH-JKLM-NPQR``."""
    letters = "".join(secrets.choice(_LETTERS) for _ in range(_LENGTH))
    return "-".join(letters[at : at + _GROUP] for at in range(0, _LENGTH, _GROUP))


def key_of(code: str) -> bytes:
    """The key that a code stands for, however it was typed; ``UsageError`` for what is no code."""
    plain = re.sub(r"[\s-]", "", code).upper()
    if not _CODE.fullmatch(plain):
        raise UsageError(
            "That is no code of a sender.",
            hint="It has four groups of four letters and digits, without I, O, 0 and 1.",
        )
    return blake3(plain.encode(), derive_key_context=_CONTEXT).digest()


def proof(key: bytes, *parts: bytes) -> bytes:
    """What only who knows ``key`` can say of ``parts``, of which all but the last have a length
    that both sides know."""
    return blake3(b"".join(parts), key=key).digest()


def same(one: bytes, other: bytes) -> bool:
    """Whether two proofs are equal, in the same time whatever they are."""
    return hmac.compare_digest(one, other)


def nonce() -> bytes:
    return secrets.token_bytes(NONCE_BYTES)
