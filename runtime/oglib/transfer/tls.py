# SPDX-License-Identifier: GPL-3.0-or-later
"""TLS as this PC has it: certificates of the system's CAs, and of the site's own where it has one.

The site's is ``etc/oglive/ca.pem`` of the site overlay. A certificate that does not prove the
server is refused; nothing here or anywhere else switches that off.
"""

from __future__ import annotations

import socket
import ssl
import time
from pathlib import Path

from oglib.errors import TransferError
from oglib.partfile import is_there
from oglib.settings import CA_FILE

# X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED
_DATES = (9, 10)
_NO_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE")


def context(ca_file: Path | None = None) -> ssl.SSLContext:
    """What a connection demands of a server; ``ca_file`` None: the site's own CA, if it has one."""
    ca_file = ca_file or CA_FILE
    made = ssl.create_default_context()
    # Python 3.13 began to refuse CAs that leave out what RFC 5280 wants named, as many of a
    # site's own do; whom they vouch for is proven all the same.
    made.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if is_there(ca_file):
        try:
            made.load_verify_locations(cafile=ca_file)
        except OSError as error:
            why = error.strerror or "it holds no certificate"
            raise TransferError(
                f"The site's CA {ca_file} cannot be used: {why}.",
                hint="Put its certificate as a PEM file into the site overlay, as "
                "etc/oglive/ca.pem.",
            ) from error
    return made


def secured(sock: socket.socket, host: str, demands: ssl.SSLContext) -> ssl.SSLSocket:
    """``sock`` with TLS, its server proven to be ``host``; ``TransferError`` where it is not.

    Whatever a new attempt may cure stays an ``OSError``.
    """
    try:
        return demands.wrap_socket(sock, server_hostname=host)
    except ssl.SSLCertVerificationError as error:
        hint = (
            "Put the CA that made its certificate into the site overlay, as etc/oglive/ca.pem "
            "(`ognetboot site`)."
        )
        if error.verify_code in _DATES:
            today = time.strftime("%Y-%m-%d", time.gmtime())
            hint = f"This PC's clock says {today}: set it, or renew the server's certificate."
        raise TransferError(
            f"The server {host} has not proven who it is: {error.verify_message}.", hint=hint
        ) from error
    except ssl.SSLError as error:
        if error.reason not in _NO_TLS:
            raise
        raise TransferError(
            f"The server {host} does not speak https at this port.",
            hint="Check the port, or write http:// where the server has no certificate.",
        ) from error
