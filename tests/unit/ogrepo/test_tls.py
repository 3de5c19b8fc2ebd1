# SPDX-License-Identifier: GPL-3.0-or-later
"""https: by the server as a process, and what is refused before it listens."""

from __future__ import annotations

import asyncio
import errno
import http.client
import logging
import os
import ssl
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

from oglib.errors import OgError
from ogrepo.__main__ import main
from ogrepo.library.folder import Folder
from ogrepo.serving.entry import tls
from ogrepo.serving.entry.tls import Pair
from unit.ogrepo.conftest import Repository


def make_pair(
    folder: Path, name: str, lock: KeySerializationEncryption | None = None
) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that signs itself, and its key."""
    key = generate_private_key(SECP256R1())
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, SHA256())
    )
    certificate_path, key_path = folder / f"{name}.pem", folder / f"{name}.key"
    certificate_path.write_bytes(made.public_bytes(Encoding.PEM))
    key_path.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock or NoEncryption())
    )
    key_path.chmod(0o600)
    return certificate_path, key_path


def test_everything_goes_over_https(folder: Folder, tmp_path: Path) -> None:
    data = bytes(range(256)) * 8192  # larger than one copied piece
    (folder.root / "kernel").write_bytes(data)
    certificate, key = make_pair(tmp_path, "server")
    argv = [sys.executable, "-m", "ogrepo", "serve", str(folder.root), "--bind", "127.0.0.1"]
    argv += ["--port", "0", "--certificate", str(certificate), "--key", str(key)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as server:
        try:
            assert server.stdout is not None
            said = server.stdout.readline().decode()
            port = int(said.partition("https://127.0.0.1:")[2].partition("/")[0])
            plain = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            with pytest.raises((http.client.HTTPException, ConnectionError)):
                plain.request("GET", "/healthz")
                plain.getresponse()
            trust = ssl.create_default_context(cafile=str(certificate))
            link = http.client.HTTPSConnection("127.0.0.1", port, timeout=30, context=trust)
            for asked, status, body in (
                ({}, 200, data),
                ({"range": "bytes=7-1000006"}, 206, data[7:1000007]),
                ({"range": "bytes=-0"}, 416, b""),
            ):
                link.request("GET", "/kernel", headers=asked)
                answer = link.getresponse()
                assert (answer.status, answer.read()) == (status, body)
            link.request("GET", "/images/?format=json")
            assert link.getresponse().read() == b'{"images": []}'
            link.close()
        finally:
            server.terminate()
            _, told = server.communicate(timeout=60)
    assert server.returncode == 0
    assert b"Traceback" not in told
    assert told.count(b"\n") == 4


def shown_by(port: int) -> bytes:
    """The certificate that a new connection is shown."""
    return ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate(("127.0.0.1", port), timeout=30))


def test_a_renewed_certificate_is_used_and_a_spoiled_one_is_not(
    serve: Callable[..., AbstractContextManager[Repository]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tls, "_LOOK_EVERY_S", 0.05)
    pair = make_pair(tmp_path, "server")
    newer = make_pair(tmp_path, "newer")
    want = [ssl.PEM_cert_to_DER_cert(one[0].read_text()) for one in (pair, newer)]
    with serve(pair=pair) as repository:
        assert shown_by(repository.port) == want[0]
        trust = ssl.create_default_context(cafile=str(pair[0]))
        link = http.client.HTTPSConnection("127.0.0.1", repository.port, context=trust)
        link.request("GET", "/healthz")
        link.getresponse().read()
        newer[0].replace(pair[0])
        assert repository.logged("does not belong to the certificate").endswith("stays in use.")
        assert shown_by(repository.port) == want[0]
        newer[1].replace(pair[1])
        assert repository.logged("was renewed")
        assert shown_by(repository.port) == want[1]
        pair[0].write_text("words")
        assert repository.logged("are no certificate and key").endswith("stays in use.")
        assert shown_by(repository.port) == want[1]
        link.request("GET", "/healthz")
        assert link.getresponse().read() == b"ok\n"
        link.close()


def test_a_pair_is_read_once_for_each_change(folder: Folder, tmp_path: Path) -> None:
    certificate, key = make_pair(tmp_path, "server")
    pair = Pair(certificate, key, folder.root)
    first = pair.context
    assert not pair.reload()
    certificate.unlink()
    with pytest.raises(OgError, match="No such file"):
        pair.reload()
    assert not pair.reload()
    assert pair.context is first


def test_another_mode_of_the_key_is_seen(folder: Folder, tmp_path: Path) -> None:
    certificate, key = make_pair(tmp_path, "server")
    pair = Pair(certificate, key, folder.root)
    newer = make_pair(tmp_path, "newer")
    newer[1].chmod(0o640)
    newer[0].replace(certificate)
    newer[1].replace(key)
    with pytest.raises(OgError, match="read by other users"):
        pair.reload()
    key.chmod(0o600)  # as the sentence recommends
    assert pair.reload()


def test_a_shortage_is_no_answer_about_the_pair(
    folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, key = make_pair(tmp_path, "server")
    pair = Pair(certificate, key, folder.root)
    for name, number in (("descriptors", errno.EMFILE), ("memory", errno.ENOMEM)):
        for made, old in zip(make_pair(tmp_path, name), (certificate, key), strict=True):
            made.replace(old)

        def short(*_: object, number: int = number, **__: object) -> None:
            raise OSError(number, os.strerror(number))

        with monkeypatch.context() as patch:
            patch.setattr(ssl.SSLContext, "load_cert_chain", short)
            with pytest.raises(OgError, match="cannot be read"):
                pair.reload()
        assert pair.reload()
        assert not pair.reload()


def test_a_key_that_goes_while_it_is_read_costs_one_line(
    folder: Folder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    certificate, key = make_pair(tmp_path, "server")
    pair = Pair(certificate, key, folder.root)
    newer = make_pair(tmp_path, "newer")

    load = ssl.SSLContext.load_cert_chain

    def exchanged(
        self: ssl.SSLContext, chain: Path, private: Path, password: Callable[[], str]
    ) -> None:
        try:
            load(self, chain, private, password)
        finally:
            key.unlink()

    certificate.write_text("words")
    with monkeypatch.context() as patch:
        patch.setattr(ssl.SSLContext, "load_cert_chain", exchanged)
        with pytest.raises(OgError, match="cannot be read: No such file"):
            pair.reload()

    looks = iter([OSError(errno.EIO, "Input/output error"), None])

    def reload() -> bool:
        error = next(looks, None)
        if error is not None:
            raise error
        if newer[0].exists():
            newer[0].replace(certificate)
            newer[1].replace(key)
        return type(pair).reload(pair)

    async def until_renewed() -> None:
        used: asyncio.Queue[ssl.SSLContext] = asyncio.Queue()
        task = asyncio.create_task(tls.follow(pair, used.put_nowait))
        got = asyncio.create_task(used.get())
        await asyncio.wait({task, got}, return_when=asyncio.FIRST_COMPLETED)
        assert not task.done(), task.exception()
        task.cancel()
        assert got.result() is pair.context

    monkeypatch.setattr(tls, "_LOOK_EVERY_S", 0.0)
    monkeypatch.setattr(pair, "reload", reload)
    with caplog.at_level(logging.WARNING, "ogrepo"):
        asyncio.run(until_renewed())
    (line,) = caplog.messages
    assert "Input/output error" in line
    assert line.endswith("stays in use.")


def _open(pair: tuple[Path, Path], _: Path) -> None:
    pair[1].chmod(0o640)


def _other(pair: tuple[Path, Path], tmp_path: Path) -> None:
    pair[1].write_bytes(make_pair(tmp_path, "other")[1].read_bytes())


def _locked(pair: tuple[Path, Path], tmp_path: Path) -> None:
    locked = make_pair(tmp_path, "locked", BestAvailableEncryption(b"secret"))
    pair[0].write_bytes(locked[0].read_bytes())
    pair[1].write_bytes(locked[1].read_bytes())


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_open, "can be read by other users"),
        (_other, "does not belong to the certificate"),
        (_locked, "is protected by a password"),
        (lambda pair, _: pair[0].write_text("words"), "are no certificate and key"),
        (lambda pair, _: pair[1].write_text("words"), "are no certificate and key"),
        (lambda pair, _: pair[0].unlink(), "cannot be read: No such file"),
        (lambda pair, _: pair[1].unlink(), "cannot be read: No such file"),
    ],
)
def test_a_pair_that_cannot_be_used_is_refused_in_one_sentence(
    folder: Folder,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    spoil: Callable[[tuple[Path, Path], Path], None],
    said: str,
) -> None:
    pair = make_pair(tmp_path, "server")
    spoil(pair, tmp_path)
    argv = ["serve", str(folder.root), "--port", "0", "--bind", "127.0.0.1"]
    capsys.readouterr()
    assert main([*argv, "--certificate", str(pair[0]), "--key", str(pair[1])]) != 0
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_both_are_needed_and_the_key_is_never_served(
    folder: Folder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    certificate, key = make_pair(tmp_path, "server")
    argv = ["serve", str(folder.root), "--port", "0", "--bind", "127.0.0.1"]
    for half in (["--certificate", str(certificate)], ["--key", str(key)]):
        assert main([*argv, *half]) == 1
        assert "both --certificate and --key" in capsys.readouterr().err
    served = folder.root / "server.key"
    key.rename(served)
    assert main([*argv, "--certificate", str(certificate), "--key", str(served)]) == 1
    assert "served to everybody" in capsys.readouterr().err
