# SPDX-License-Identifier: GPL-3.0-or-later
"""The listening socket, and the address that a person can open."""

from __future__ import annotations

import contextlib
import errno
import socket
from ipaddress import ip_address

from oglib.errors import OgError, UsageError
from oglib.transfer.link import notice_a_dead_peer

_DEAD_PEER_S = 60.0


def listen(bind: str, port: int) -> socket.socket:
    """A listening socket, or one sentence about why there is none."""
    hint = "Give an IP address of this machine with --bind and a port up to 65535 with --port."
    if not 0 <= port <= 65535:
        raise UsageError(f"There is no port {port}.", hint=hint)
    try:
        family = socket.AF_INET6 if ip_address(bind).version == 6 else socket.AF_INET
    except ValueError:
        raise UsageError(f"{bind} is not an IP address.", hint=hint) from None
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        notice_a_dead_peer(sock, _DEAD_PEER_S)  # accepted connections inherit it
        sock.bind((bind, port))
    except OSError as error:
        sock.close()
        if error.errno == errno.EADDRINUSE:
            hint = "Another program uses this port; end it or choose another one with --port."
        raise OgError(
            f"ogrepo cannot listen on {bind} port {port}: {error.strerror}.", hint=hint
        ) from None
    return sock


def address_for_people(sock: socket.socket, scheme: str) -> str:
    """A URL of this server that other machines can use."""
    host, port = sock.getsockname()[:2]
    if host in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound
        # A UDP socket that is connected sends nothing, but learns our address on that way.
        with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as way:
            way.connect(("192.0.2.1", 9))
            host = way.getsockname()[0]
    host = "localhost" if host in ("0.0.0.0", "::") else host  # noqa: S104
    return f"{scheme}://[{host}]:{port}/" if ":" in host else f"{scheme}://{host}:{port}/"
