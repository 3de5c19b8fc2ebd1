# SPDX-License-Identifier: GPL-3.0-or-later
"""Passwords that open locked entries: kept as scrypt's result, in a file that only its owner reads.

A scope (`all`, `centre:X`, `room:X`, `group:X`, `pc:X`) has one. That of every scope that a PC
stands in opens its entries.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from ognetboot.errors import NetbootError
from ognetboot.hearing import documents

LONGEST = 128
_WORD = "passwords"
# 16 MiB and some 50 ms each: an attacker with the file pays it for each guess, too.
_N, _R, _P = 1 << 14, 8, 1
_MOST_N = 1 << 17
_MEMORY = 256 << 20
_MODE = 0o600
_READ_BY_OTHERS = 0o077


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of a password: hexadecimal salt and key, and scrypt's three numbers."""

    salt: str
    key: str
    n: int
    r: int
    p: int


def passwords_file(inventory: Path) -> Path:
    """Where they are kept."""
    return documents.beside(inventory, _WORD)


def read(inventory: Path) -> dict[str, Kept]:
    """Each scope's; refused where others than its owner may read the file."""
    path = passwords_file(inventory)
    found: dict[str, Kept] = documents.read(path, _shape, dict)
    if found and path.stat().st_mode & _READ_BY_OTHERS:
        raise NetbootError(
            f"{path} may be read by other users, so the passwords in it are no secret",
            hint=f"`chmod 600 {path}`, and set new passwords",
        )
    return found


def set_password(inventory: Path, scope: str, password: str | None) -> None:
    """Give `scope` this password, or none any more."""
    path = passwords_file(inventory)
    with documents.locked(path):
        found = read(inventory)
        if password is None:
            if found.pop(scope, None) is None:
                raise NetbootError(
                    f"{scope} has no password", hint=f"known: {', '.join(sorted(found)) or 'none'}"
                )
        else:
            found[scope] = hashed(password)
        documents.write(
            path, {name: asdict(kept) for name, kept in sorted(found.items())}, mode=_MODE
        )


def hashed(password: str) -> Kept:
    """What to keep of a password."""
    salt = secrets.token_bytes(16)
    return Kept(salt.hex(), _key(password, salt, _N, _R, _P).hex(), _N, _R, _P)


def opens(password: str, kept: Iterable[Kept]) -> bool:
    """Whether `password` is one of these. The time tells neither which nor how much of it."""
    good = False
    for one in kept:
        key = _key(password, bytes.fromhex(one.salt), one.n, one.r, one.p)
        good |= hmac.compare_digest(key, bytes.fromhex(one.key))
    return good


def _key(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    secret = password.encode("utf-8", "surrogatepass")
    return hashlib.scrypt(secret, salt=salt, n=n, r=r, p=p, dklen=32, maxmem=_MEMORY)


def _shape(value: object) -> dict[str, Kept]:
    if not isinstance(value, dict):
        raise TypeError
    found = {str(scope): Kept(**one) for scope, one in value.items()}
    for kept in found.values():
        if not (2 <= kept.n <= _MOST_N and 1 <= kept.r <= 8 and 1 <= kept.p <= 4):
            raise ValueError
        if not bytes.fromhex(kept.salt) or len(bytes.fromhex(kept.key)) != 32:
            raise ValueError
    return found
