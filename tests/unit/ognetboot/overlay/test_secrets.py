# SPDX-License-Identifier: GPL-3.0-or-later
"""The overlay is served to everybody: what is no public thing does not go in, what is one does."""

from __future__ import annotations

import subprocess
from pathlib import Path, PurePosixPath

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from ognetboot.errors import NetbootError
from ognetboot.overlay.secrets import found_in
from ognetboot.overlay.sitecheck import check, check_authorized

ROOT = Path(__file__).resolve().parents[4]
SECRETS = {
    "a password": b"#!/bin/bash\nPASSWORD=hola1234\n",
    "with quotes": b'smb_password = "hola 1234"\n',
    "of a share": b"username=opengnsys\npassword=og\x6e\n",
    "exported": b"export API_KEY='abcdef'\n",
    "in YAML": b"wifi:\n  passphrase: correct-horse\n",
    "in JSON": b'{"token": "og1~abcdef"}\n',
    "an option": b"mount -o user=a,password=hola //s/x /mnt\n",
    "in Spanish": "contraseña=hola1\n".encode(),
    "a digest": b"root:$6$abcdefgh$0123456789abcdef:20000::::::\n",
    "GRUB's": b"password_pbkdf2 root grub.pbkdf2.sha512.10000.ABCDEF\n",
    "in an address": b"curl http://admin:hola@server/x\n",
    "WireGuard": b"[Interface]\nPrivateKey = " + b"A" * 43 + b"=\n",
    "age": b"AGE-SECRET-KEY-1QQQQ\n",
    "of a mount": b"mount.cifs //s/x /mnt -o user=opengnsys,pass=og1234\n",
    "of a mount alone": b"-o pass='og1234'\n",
    "in Spanish too": b"clave=abcd1234\n",
    "of a wireless net": b'network={ ssid="x" psk="abcdefgh" }\n',
    "with an end": b"PASSWD=x12345\0",
    "behind a lot": b"# text\n" * (200 << 10) + b"password=hunter222\n",
    "behind a zero": b"\0" * 8 + b"\npassword=hunter222\n",
    "in UTF-16": "password=hunter222\n".encode("utf-16"),
    "dropbear": b"\0\0\0\x0bssh-ed25519\0\0\0\x40" + bytes(64),
}
PUBLIC = {
    "asks": b'read -rs password; [ -n "$password" ]\nPASSWORD=$password\n',
    "nothing": b"password=\ntoken=\n",
    "a command": b"password=$(cat /run/oglive/credentials)\n",
    "text": b"# The password of the share is asked for, the token too: see the guide.\n",
    "an address": b"http_proxy=http://proxy:3128/ ; wget ftp://server/file@2\n",
    "a program": b"\x7fELF\0password=hola",
    "passed on": b"bypass=1234 ; compass: north ; pass=$PASS ; psk=<the key>\n",
    "a parameter": b"def ask(password: bytes) -> None: ...\n",
    "a library": b"\x7fELF\2\1\1\0 ... token=abcdef \0",
    "a picture": b"\x89PNG\r\n\x1a\n\0\0 pass=abcd",
    "a policy": b'[fitting]\nssh_host_keys = "keep"\nlogins = "forget"\n',
}


@pytest.mark.parametrize("kind", SECRETS)
def test_a_secret_is_found(kind: str) -> None:
    assert found_in(PurePosixPath("opt/opengnsys/scripts/x"), SECRETS[kind])


@pytest.mark.parametrize("kind", PUBLIC)
def test_what_is_public_is_none(kind: str) -> None:
    assert not found_in(PurePosixPath("opt/opengnsys/scripts/x"), PUBLIC[kind])


@pytest.mark.parametrize(
    "path",
    [
        "etc/shadow",
        "etc/dropbear/dropbear_ed25519_host_key",
        "etc/krb5.keytab",
        "root/.netrc",
        "run/oglive/credentials",
    ],
)
def test_files_that_hold_secrets_do_not_go_in(path: str) -> None:
    with pytest.raises(NetbootError, match="everybody on the network reads"):
        check({PurePosixPath(path): b"x"})


def test_our_own_scripts_are_public() -> None:
    tree = ROOT / "image/mkosi.images/root/mkosi.extra"
    for path in tree.rglob("*"):
        if path.is_file():
            assert not found_in(PurePosixPath(path.relative_to(tree)), path.read_bytes()), path


def keys() -> tuple[bytes, bytes]:
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    return public, key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())


def test_public_keys_for_ssh_go_in() -> None:
    public, _ = keys()
    path = PurePosixPath("root/.ssh/authorized_keys")
    check({path: b"# admins\n\n" + public + b" maria@uni\nno-pty " + public + b"\n"})


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"ssh-ed25519 AAAA admin\n", "is no public key"),
        (b"command=/bin/sh\n", "is no public key"),
        (b"ssh-ed25519\n", "is no public key"),
        (b"# nobody\n", "holds no public key"),
        (b"", "holds no public key"),
    ],
)
def test_what_is_no_public_key_is_refused(content: bytes, told: str) -> None:
    with pytest.raises(NetbootError, match=told):
        check_authorized(content)


@pytest.mark.parametrize(
    "path", ["root/.ssh/id_ed25519.pub", "root/.ssh/config", "opt/opengnsys/etc/init/default"]
)
def test_what_no_pc_reads_is_refused(path: str) -> None:
    with pytest.raises(NetbootError, match=r"reads|no script that a PC runs"):
        check({PurePosixPath(path): b"x\n"})


def test_the_private_half_is_refused() -> None:
    public, private = keys()
    with pytest.raises(NetbootError, match="private key"):
        check({PurePosixPath("root/.ssh/authorized_keys"): public + b"\n" + private})


@pytest.mark.parametrize("name", ["default.sh", "Aula_1.sh", "10.0.0.7.sh", "README", ".keep"])
def test_scripts_of_the_start_go_in(name: str) -> None:
    check({PurePosixPath("opt/opengnsys/etc/init", name): b"echo hola\n"})


def test_a_key_as_ssh_keygen_makes_it_goes_in(tmp_path: Path) -> None:
    made = tmp_path / "key"
    words = ["ssh-keygen", "-q", "-t", "ecdsa", "-N", "", "-C", "maria josé@uni", "-f", str(made)]
    try:
        subprocess.run(words, check=True, timeout=30)
    except FileNotFoundError:
        pytest.skip("ssh-keygen is not installed here")
    check_authorized(made.with_suffix(".pub").read_bytes())
