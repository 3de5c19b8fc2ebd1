# SPDX-License-Identifier: GPL-3.0-or-later
"""The certificate and key for https, refused in one sentence where they cannot be used."""

from __future__ import annotations

import ssl
import stat
from pathlib import Path

from oglib.errors import OgError, UsageError


def server_context(certificate: Path, key: Path, served: Path) -> ssl.SSLContext:
    """What serves https with this pair; ``served`` is the folder that everybody may read."""
    _check_key(key, served)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(certificate, key, password=_no_password)
    except ssl.SSLError as error:
        raise OgError(_why(error, certificate, key), hint="Give both as PEM files.") from None
    except OSError as error:
        raise OgError(
            f"The certificate {certificate} cannot be read: {error.strerror}.",
            hint="Give the certificate with its chain as a PEM file.",
        ) from None
    context.set_alpn_protocols(["http/1.1"])
    return context


def _check_key(key: Path, served: Path) -> None:
    try:
        with key.open("rb"):
            mode = key.stat().st_mode
        where = key.resolve(strict=True)
    except OSError as error:
        raise OgError(
            f"The key {key} cannot be read: {error.strerror}.",
            hint="Give the certificate's private key as a PEM file.",
        ) from None
    if not stat.S_ISREG(mode) or stat.S_IMODE(mode) & 0o077:
        raise OgError(
            f"The key {key} can be read by other users of this machine.",
            hint=f"Run `chmod 0600 {key}`; if it lay open, get a new one.",
        )
    if where.is_relative_to(served) and not where.is_relative_to(served / "private"):
        raise UsageError(
            f"The key {key} lies in the folder that is served to everybody.",
            hint="Move it out of there; if it was served, get a new one.",
        )


def _no_password() -> str:
    """Nobody is there to be asked for one."""
    return ""


def _why(error: ssl.SSLError, certificate: Path, key: Path) -> str:
    if error.reason == "KEY_VALUES_MISMATCH":
        return f"The key {key} does not belong to the certificate {certificate}."
    if _is_locked(key):
        return f"The key {key} is protected by a password."
    return f"{certificate} and {key} are no certificate and key that can be used."


def _is_locked(key: Path) -> bool:
    return b"ENCRYPTED" in key.read_bytes()[: 1 << 16]
