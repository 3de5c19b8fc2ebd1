# SPDX-License-Identifier: GPL-3.0-or-later
"""Upload tokens: one image, one hour, one use.

A token says which name it is for and until when, and carries an HMAC-SHA256 over that, so the
repository need not remember the tokens it gave out, only those that were used. It travels in
the Authorization header alone and is never logged.

Layout: ``og1~NAME~EXPIRY~NONCE~MAC`` with the expiry in seconds since 1970 and nonce and MAC
in hex; every character is one that a bearer token may have (RFC 6750, section 2.1).
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import stat
import time
from dataclasses import dataclass
from pathlib import Path

from oglib.durable import store, sync
from oglib.errors import OgErr, OgError
from ogrepo.library.folder import Folder, checked_name, held, write_whole

LIFETIME_S = 3600
_SECRET_FILE = "token.secret"  # noqa: S105 - a name, not a secret
_SECRET_BYTES = 32
_MOST_BURNT = 10_000
_TOKEN = re.compile(
    r"og1~([A-Za-z0-9._/-]{1,200})~([1-9][0-9]{0,11})~([0-9a-f]{32})~([0-9a-f]{64})", re.ASCII
)
_HINT = "Get a new one with `ogrepo token DIR NAME` on the repository."


class TokenError(OgError):
    """The token does not allow this."""

    code = OgErr.REPO


@dataclass(frozen=True, slots=True)
class Grant:
    """What a genuine token allows."""

    name: str
    expires: int
    nonce: str


def load_secret(folder: Folder) -> bytes:
    """The secret behind all tokens of this repository, made when there is none yet."""
    path = folder.private / _SECRET_FILE
    if not path.exists():
        with held(folder, "token.secret", what="The token secret"):
            if not path.exists():
                write_whole(path, secrets.token_bytes(_SECRET_BYTES), mode=0o600)
    secret = path.read_bytes()
    if len(secret) != _SECRET_BYTES or stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise OgError(
            f"{path} is damaged or can be read by others.",
            hint="Delete it; a new one is made, and tokens given out before become void.",
        )
    return secret


def _mac(secret: bytes, name: str, expires: str, nonce: str) -> str:
    text = f"ogrepo upload token 1\n{name}\n{expires}\n{nonce}\n"
    return hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()


def make_token(
    secret: bytes, name: str, *, now: float | None = None, lifetime_s: int = LIFETIME_S
) -> str:
    """A token that allows to publish one image under this name."""
    expires = str(int(time.time() if now is None else now) + lifetime_s)
    nonce = secrets.token_hex(16)
    return f"og1~{checked_name(name)}~{expires}~{nonce}~{_mac(secret, name, expires, nonce)}"


def read_token(secret: bytes, text: str) -> Grant:
    """What the token allows, when it is genuine; whether it is still fresh is asked apart."""
    match = _TOKEN.fullmatch(text)
    if match is None:
        raise TokenError("The upload token is malformed.", hint=_HINT)
    name, expires, nonce, mac = match.groups()
    if not hmac.compare_digest(_mac(secret, name, expires, nonce), mac):
        raise TokenError("The upload token is not one of this repository.", hint=_HINT)
    return Grant(name, int(expires), nonce)


def check_unused(folder: Folder, grant: Grant, now: float) -> None:
    """Raise when the token's hour is over or when an image was published with it already."""
    if now >= grant.expires:
        raise TokenError("The upload token has expired.", hint=_HINT)
    if _burnt(folder, grant).exists():
        raise TokenError("The upload token was used already.", hint=_HINT)


def burn(folder: Folder, grant: Grant, upload_id: str) -> None:
    """Use the token up for this upload; any other upload that tries later fails."""
    path = _burnt(folder, grant)
    try:
        store(path, f"{grant.expires} {upload_id}\n".encode(), new=True, mode=0o600)
    except FileExistsError:
        if path.read_text(encoding="ascii", errors="replace").split()[1:] == [upload_id]:
            return  # this upload's own commit, cut just after this step
        raise TokenError("The upload token was used already.", hint=_HINT) from None
    sync(path.parent)


def forget_burns(folder: Folder, most: int = _MOST_BURNT) -> bool:
    """Forget which tokens were used when there are too many records; says whether it did.

    No clock decides: one that was wrong for a day would let used tokens be used again. All tokens
    become void instead, with a new secret, so no upload may be under way.
    """
    records = list((folder.private / "burnt").iterdir())
    if len(records) <= most:
        return False
    with held(folder, "token.secret", what="The token secret"):
        write_whole(folder.private / _SECRET_FILE, secrets.token_bytes(_SECRET_BYTES), mode=0o600)
    for path in records:
        path.unlink(missing_ok=True)
    return True


def _burnt(folder: Folder, grant: Grant) -> Path:
    return folder.record("burnt", grant.nonce)
