# SPDX-License-Identifier: GPL-3.0-or-later
"""The certificate and key for https, refused in one sentence where they cannot be used.

A renewed pair is used from the next connection on. One that cannot be used is told once, and the
one before stays: a certificate and its key are rarely replaced in one moment.
"""

from __future__ import annotations

import asyncio
import ssl
import stat
from collections.abc import Callable
from pathlib import Path

from oglib.errors import OgError, UsageError
from ogrepo.intake.receive import in_thread
from ogrepo.serving.accesslog import LOG
from ogrepo.shortage import is_shortage

_LOOK_EVERY_S = 30.0
_STAYS = "The certificate that was read before stays in use."
_Stamp = tuple[int, int, int, int]


class Pair:
    """A certificate and key on the disk; ``context`` serves them as they were read last."""

    def __init__(self, certificate: Path, key: Path, served: Path) -> None:
        self._files = certificate, key
        self._served = served
        self._seen = self._stamps()  # before the reading: what changes meanwhile is read again
        self.context = server_context(certificate, key, served)

    def reload(self) -> bool:
        """Read the pair again if its files are others, and say whether; raises why it cannot be."""
        stamps = self._stamps()
        if stamps == self._seen:
            return False
        try:
            self.context = server_context(*self._files, self._served)
        except (OgError, OSError, MemoryError) as error:
            if not is_shortage(error):  # that says nothing about the pair: the next look tries it
                self._seen = stamps
            raise
        self._seen = stamps
        return True

    def _stamps(self) -> list[_Stamp]:
        return [_stamp(path) for path in self._files]


def _stamp(path: Path) -> _Stamp:
    try:
        status = path.stat()
    except OSError:
        return 0, 0, 0, 0  # reading it says why
    # The change time too: another mode may be all that a pair needed.
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


async def follow(pair: Pair, use: Callable[[ssl.SSLContext], None]) -> None:
    """Call ``use`` with each renewed pair until this is cancelled."""
    while True:
        await asyncio.sleep(_LOOK_EVERY_S)
        try:
            if await in_thread(pair.reload):
                use(pair.context)
                LOG.info("The certificate was renewed; new connections get it.")
        except OgError as error:
            LOG.warning("%s %s", error.args[0], _STAYS)
        except (OSError, MemoryError) as error:
            LOG.warning("The certificate cannot be read again: %s. %s", error, _STAYS)


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
        raise _unreadable(key, error) from None
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
    try:
        with key.open("rb") as file:
            return b"ENCRYPTED" in file.read(1 << 16)
    except OSError as error:  # it was there a moment ago
        raise _unreadable(key, error) from None


def _unreadable(key: Path, error: OSError) -> OgError:
    return OgError(
        f"The key {key} cannot be read: {error.strerror}.",
        hint="Give the certificate's private key as a PEM file.",
    )
