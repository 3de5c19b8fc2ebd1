# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP addresses as checked values: where to connect, and what to ask for.

Pure: no name is resolved here. Credentials in an address are refused, because addresses are
shown in messages and logs; a secret goes into a file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from urllib.parse import quote, urlsplit

from oglib.errors import UsageError

_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*")
_MOST_HOST_CHARS = 255  # as DNS has it; the pattern looks twice at each of them
_SAFE = "/%:@!$&'()*+,;=-._~"  # what may stand in a path; anything else is percent-encoded
_HINT = "Write it as http://HOST[:PORT]/PATH or https://HOST[:PORT]/PATH."
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class HttpAddress:
    """``http://host:port/target``; ``target`` begins with a slash and is ready for the wire.

    ``secure``: the same by ``https``.
    """

    host: str
    port: int
    target: str
    secure: bool = False

    @property
    def scheme(self) -> str:
        return "https" if self.secure else "http"

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.target}"

    def below(self, *parts: str) -> HttpAddress:
        """The address of something below this one; every part is one path part."""
        tail = "/".join(quote(part, safe="") for part in parts)
        return replace(self, target=f"{self.target.rstrip('/')}/{tail}")


def parse_address(text: str) -> HttpAddress:
    """Take an ``http`` or ``https`` URL apart, or say in one sentence what is wrong with it."""
    if any(ord(char) <= 32 or ord(char) == 127 for char in text):
        raise UsageError("A URL must not hold blanks or control characters.", hint=_HINT)
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise UsageError(f"{text} is not a URL: {error}.", hint=_HINT) from None
    if "@" in parts.netloc:
        raise UsageError(
            "A URL must not hold a user name or password.",
            hint="Secrets are read from files; give the address alone.",
        )
    if parts.scheme not in _PORTS:
        raise UsageError(f"{text} is not an http:// or https:// URL.", hint=_HINT)
    if not host or len(host) > _MOST_HOST_CHARS or not _HOST.fullmatch(host):
        raise UsageError(f"{text} names no valid host.", hint=_HINT)
    if parts.fragment:
        raise UsageError(f"{text} has a fragment, which no server ever sees.", hint=_HINT)
    target = quote(parts.path or "/", safe=_SAFE)
    if parts.query:
        target += "?" + quote(parts.query, safe=_SAFE + "?")
    usual = _PORTS[parts.scheme]
    return HttpAddress(host, usual if port is None else port, target, parts.scheme == "https")
