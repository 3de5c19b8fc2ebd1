# SPDX-License-Identifier: GPL-3.0-or-later
"""What must not be in a site overlay, because everybody on the network reads it: secrets.

Private keys in text and in binary, password digests, passwords and tokens in scripts and settings,
and the files that exist to hold one. What only looks like a secret is refused as well; nobody needs
it there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_der_private_key

_PRIVATE = re.compile(rb"-----BEGIN [A-Z0-9 ]*PRIVATE KEY( BLOCK)?-----|PuTTY-User-Key-File-")
_DER_LIMIT = 64 << 10
_PKCS12 = re.compile(rb"\x30(?:\x80|[\x82-\x84]..|.).{0,3}?\x02\x01\x03\x30", re.DOTALL)
# As dropbear keeps its own: the length of the kind's name, and the name. A public key is text.
_DROPBEAR = re.compile(rb"\0\0\0[\x07-\x24](?:ssh-(?:rsa|dss|ed25519)|ecdsa-sha2-)")
_OTHER_KEYS = re.compile(
    rb"AGE-SECRET-KEY-1|^[ \t]*PrivateKey[ \t]*=[ \t]*[A-Za-z0-9+/]{42}", re.MULTILINE
)
_DIGEST = re.compile(
    rb"\$(?:1|5|6|7|y|gy|2[abxy]|argon2id?)\$[./A-Za-z0-9=,$]{8}|grub\.pbkdf2\.sha512\.[0-9]+\."
)
_TELLING = (
    rb"password|passwd|passphrase|passwort|contrase(?:\xc3\xb1|\xf1)a|contrasenya|secret|token"
    # What ends other words too, and a word of a mount, of a wireless net, and in Spanish.
    rb"|api_?key|(?<![A-Za-z0-9])(?:pass|psk|clave)"
)
# NAME=VALUE, NAME: VALUE and --NAME VALUE; a value that is a variable or nothing tells nothing.
_TOLD = re.compile(
    rb"(?i)(?:(?:" + _TELLING + rb")[\"']?[ \t]*="
    rb"|(?:^|[\s;,\"'_-])(?:" + _TELLING + rb")[\"']?[ \t]*:[ \t])"
    rb"[ \t]*[\"']?(?![\"'$<`({%;]|\s)[^\s\"']{3}",
    re.MULTILINE,
)
_LOGIN = re.compile(rb"[a-z][a-z0-9+.-]{1,15}://[^\s/:@\"'$]{1,64}:[^\s/@\"'$]{1,64}@")
# Programs, pictures and translations hold words that look like one by chance.
_NO_TEXT = (b"\x7fELF", b"MZ", b"\x89PNG", b"\xde\x12\x04\x95")
_HOLDERS = re.compile(
    r"etc/g?shadow-?|etc/dropbear/.*|etc/ssh/ssh_host_.*_key|run/oglive/.*|(?:.*/)?krb5\.keytab"
    r"|.*\.keytab|(?:.*/)?\.(?:netrc|pgpass|git-credentials|smbcredentials)"
)


def found_in(path: PurePosixPath, content: bytes) -> str:
    """What this file holds that is no public thing, such as "a private key"; empty: nothing."""
    if holds_private_key(content):
        return "a private key"
    if _HOLDERS.fullmatch(str(path)):
        return "what is nobody else's business"
    return next((secret for text in _texts(content) if (secret := _told_in(text))), "")


def _texts(content: bytes) -> Iterator[bytes]:
    """What a program may read of it as text: a zero ends a line, or is half a letter of UTF-16."""
    if b"\0" not in content:
        yield content
    elif not content.startswith(_NO_TEXT):
        yield content.replace(b"\0", b"\n")
        yield content.replace(b"\0", b"")


def _told_in(text: bytes) -> str:
    if _DIGEST.search(text):
        return "the digest of a password"
    if _TOLD.search(text):
        return "a password or a token"
    if _LOGIN.search(text):
        return "an address with a password in it"
    return ""


def holds_private_key(content: bytes) -> bool:
    """Keys as text in any file; in binary (PKCS 8, PKCS 12, dropbear) as a file of their own."""
    if _PRIVATE.search(content) or _OTHER_KEYS.search(content) or _DROPBEAR.match(content):
        return True
    if len(content) > _DER_LIMIT or content[:1] != b"\x30":
        return False
    if _PKCS12.match(content[:16]):
        return True
    try:
        load_der_private_key(content, password=None)
    except TypeError:  # encrypted: a private key all the same
        return True
    except (ValueError, UnsupportedAlgorithm):
        return False
    return True
