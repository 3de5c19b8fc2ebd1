# SPDX-License-Identifier: GPL-3.0-or-later
"""https: a server proves who it is by the system's CAs or the site's own, or is refused."""

from __future__ import annotations

import datetime
import ipaddress
import random
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from oglib.connection import Connection
from oglib.errors import TransferError
from oglib.transfer import tls
from oglib.transfer.http import HttpSource, fetch
from unit.transfer.conftest import Asked, BareServer, Reply, reset, send, send_range

DATA = random.Random(7).randbytes(200_000)
DAY = datetime.timedelta(days=1)


def name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])


@dataclass(frozen=True)
class Ca:
    """A site's own CA, as plain as many are: no key usage, no key identifiers."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def made(cls, called: str = "site") -> Ca:
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.now(datetime.UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name(called))
            .issuer_name(name(called))
            .public_key(key.public_key())
            .serial_number(1)
            .not_valid_before(now - 9 * DAY)
            .not_valid_after(now + 9 * DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        return cls(key, certificate)

    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    def server(self, folder: Path, who: str = "127.0.0.1", *, until: int = 1) -> ssl.SSLContext:
        """What a server of this name shows, valid for ``until`` days from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.now(datetime.UTC)
        try:
            alternative: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(who))
        except ValueError:
            alternative = x509.DNSName(who)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name(who))
            .issuer_name(self.certificate.subject)
            .public_key(key.public_key())
            .serial_number(2)
            .not_valid_before(now - 5 * DAY)
            .not_valid_after(now + until * DAY)
            .add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        both = folder / "server.pem"
        both.write_bytes(
            certificate.public_bytes(Encoding.PEM)
            + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(both)
        return context


@pytest.fixture(scope="module")
def ca() -> Ca:
    return Ca.made()


@pytest.fixture
def trusted(ca: Ca, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The site overlay's CA, where ogLive has it."""
    path = tmp_path / "ca.pem"
    path.write_bytes(ca.pem())
    monkeypatch.setattr(tls, "CA_FILE", path)
    return path


Serve = Callable[[Reply], BareServer]


def good(asked: Asked, peer: socket.socket) -> None:
    if "range" in asked.headers:
        send_range(peer, asked, DATA)
    else:
        send(peer, "200 OK", b"small")


def secured(server: BareServer, context: ssl.SSLContext) -> str:
    """Its address, now by TLS."""
    server.secured = context
    return server.base.replace("http:", "https:")


def refused(url: str) -> TransferError:
    with pytest.raises(TransferError) as caught:
        fetch(url, limit_bytes=100, connection=Connection(stall_s=5, deadline_s=60))
    return caught.value


@pytest.mark.usefixtures("trusted")
def test_a_server_that_the_sites_ca_vouches_for_is_read(
    serve: Serve, ca: Ca, tmp_path: Path
) -> None:
    base = secured(serve(good), ca.server(tmp_path))
    assert fetch(f"{base}/a.json", limit_bytes=10) == b"small"
    with HttpSource(f"{base}/a.img") as source:
        assert source.describe() == f"{base}/a.img"
        assert source.size_bytes == len(DATA)
        assert source.read(5, 150_000) == DATA[5:150_005]


def test_nobody_is_believed_without_a_ca(
    serve: Serve, ca: Ca, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls, "CA_FILE", tmp_path / "none")
    server = serve(good)
    told = refused(secured(server, ca.server(tmp_path)))
    assert "127.0.0.1 has not proven who it is" in told.message
    assert "etc/oglive/ca.pem" in told.hint
    assert server.connections == 1  # another attempt would not make it another server
    assert server.asked == []


@pytest.mark.usefixtures("trusted")
def test_the_system_has_cas_besides(
    serve: Serve, ca: Ca, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Ca.made("public")
    system = tmp_path / "system.pem"
    system.write_bytes(other.pem())
    monkeypatch.setenv("SSL_CERT_FILE", str(system))  # where OpenSSL looks for the system's
    for one in (ca, other):
        base = secured(serve(good), one.server(tmp_path))
        assert fetch(base, limit_bytes=10) == b"small"


@pytest.mark.usefixtures("trusted")
def test_another_servers_certificate_is_refused(serve: Serve, ca: Ca, tmp_path: Path) -> None:
    told = refused(secured(serve(good), ca.server(tmp_path, "other.example")))
    assert "has not proven who it is" in told.message


@pytest.mark.usefixtures("trusted")
def test_a_certificate_out_of_date_makes_one_look_at_the_clock(
    serve: Serve, ca: Ca, tmp_path: Path
) -> None:
    told = refused(secured(serve(good), ca.server(tmp_path, until=-1)))
    assert "expired" in told.message
    assert "This PC's clock says 20" in told.hint


@pytest.mark.usefixtures("trusted")
def test_a_server_without_tls_is_said(serve: Serve) -> None:
    def plain(peer: socket.socket) -> None:
        peer.recv(4096)
        peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        raise ConnectionAbortedError

    server = serve(good)
    server.greet = plain
    told = refused(server.base.replace("http:", "https:"))
    assert "does not speak https" in told.message
    assert server.connections == 1


@pytest.mark.usefixtures("trusted")
def test_a_connection_that_is_reset_meanwhile_is_made_anew(
    serve: Serve, ca: Ca, tmp_path: Path
) -> None:
    server = serve(good)
    base = secured(server, ca.server(tmp_path))

    def first_only(peer: socket.socket) -> None:
        if server.connections == 1:
            reset(peer)

    server.greet = first_only
    assert fetch(base, limit_bytes=10, connection=Connection(deadline_s=30)) == b"small"
    assert server.connections == 2


@pytest.mark.parametrize("drop", [b"", b"\x16\x03\x03\x3f\xff" + b"\2" * 16000])
@pytest.mark.usefixtures("trusted")
def test_a_handshake_that_does_not_go_on_has_an_end(serve: Serve, drop: bytes) -> None:
    def drips(peer: socket.socket) -> None:
        for byte in drop:
            peer.sendall(bytes((byte,)))
            if server.released.wait(0.01):
                break
        server.released.wait(60)
        raise ConnectionAbortedError

    server = serve(good)
    server.greet = drips
    with pytest.raises(TransferError, match=r"no TLS within 0\.2 s"):
        fetch(
            server.base.replace("http:", "https:"),
            limit_bytes=9,
            connection=Connection(stall_s=0.2, deadline_s=0.3),
        )


def test_a_ca_that_is_none_is_said(serve: Serve, ca: Ca, tmp_path: Path, trusted: Path) -> None:
    base = secured(serve(good), ca.server(tmp_path))
    for junk in (b"", b"not a certificate", b"-----BEGIN CERTIFICATE-----\nAAAA\n"):
        trusted.write_bytes(junk)
        told = refused(base)
        assert f"The site's CA {trusted} cannot be used" in told.message
