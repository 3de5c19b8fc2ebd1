# SPDX-License-Identifier: GPL-3.0-or-later
"""What may be in a site overlay: everybody on the network reads it, and every PC believes it.

So no secret goes in (``secrets``), and what ogLive reads from it (policy, public keys, CA) is read
here first, by the same rules: a mistake is found on the server, not by a room of PCs.
"""

from __future__ import annotations

import base64
import binascii
import difflib
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import PurePosixPath

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_ssh_public_key

from ognetboot.errors import NetbootError
from ognetboot.inventory.choice_values import MOST_MIRRORS, is_mirror
from ognetboot.overlay.secrets import found_in

OGLIVE = PurePosixPath("etc/oglive")
KEYS = OGLIVE / "keys"
POLICY = OGLIVE / "policy.toml"
CA = OGLIVE / "ca.pem"
STEPS = OGLIVE / "steps"
INIT = PurePosixPath("opt/opengnsys/etc/init")
SSH = PurePosixPath("root/.ssh")
AUTHORIZED = SSH / "authorized_keys"

# The folders of ogLive's root: a file beside them was packed one folder too high or too low.
_ROOT = frozenset(
    [
        "bin",
        "boot",
        "etc",
        "home",
        "lib",
        "lib64",
        "media",
        "mnt",
        "opt",
        "root",
        "run",
        "sbin",
        "srv",
        "tmp",
        "usr",
        "var",
    ]
)
_OGLIVE_READS = ("keys", "policy.toml", "ca.pem", "steps")
# Steps, and what PCs leave aside among them: read-me files, hidden ones, an editor's backups.
_IN_STEPS = re.compile(r"[0-9]{2}-[a-z0-9]+(?:-[a-z0-9]+)*|README.*|\..*|.*~", re.DOTALL)
_IN_INIT = re.compile(r"[^/.][^/]*\.sh|README.*|\..*|.*~", re.DOTALL)
_KEY_BYTES = 32
_SSH_KIND = re.compile(r"ssh-(?:rsa|ed25519)|ecdsa-sha2-nistp(?:256|384|521)")
_DISK_RULE = re.compile(r"[a-z][a-z0-9-]*")


def check(files: Mapping[PurePosixPath, bytes], *, now: datetime | None = None) -> None:
    """Refuse an overlay of these files (paths as on the PC) with the first thing that is wrong."""
    for path, content in files.items():
        _check_place(path)
        if secret := found_in(path, content):
            raise NetbootError(
                f"{path} holds {secret}, and everybody on the network reads the overlay",
                hint="take it out; public things alone are in it, such as keys/image.pub",
            )
    for path, content in files.items():
        if path == POLICY:
            check_policy(content)
        elif path == CA:
            check_ca(content, now or datetime.now(UTC))
        elif path.parent == KEYS:
            _check_public_key(path, content)
        elif path == AUTHORIZED:
            check_authorized(content)


def _check_place(path: PurePosixPath) -> None:
    if path.parts[0] not in _ROOT:
        raise NetbootError(
            f"{path.parts[0]} is no folder of ogLive's root",
            hint="lay the files out as in ogLive, such as etc/oglive/keys/image.pub",
        )
    below = path.parts[len(OGLIVE.parts) :]
    if path.is_relative_to(OGLIVE) and below and below[0] not in _OGLIVE_READS:
        raise _unknown(f"{OGLIVE}/{below[0]} is nothing that ogLive reads", below[0], _OGLIVE_READS)
    if path.is_relative_to(STEPS) and (path.parent != STEPS or not _IN_STEPS.fullmatch(path.name)):
        raise NetbootError(
            f"{path} has no name of a step", hint="call it NN-NAME, such as steps/50-printers"
        )
    if path.is_relative_to(INIT) and (path.parent != INIT or not _IN_INIT.fullmatch(path.name)):
        raise NetbootError(
            f"{path} is no script that a PC runs when it has started",
            hint="call it default.sh, ROOM.sh or ADDRESS.sh, such as etc/init/default.sh",
        )
    if path.is_relative_to(SSH) and path != AUTHORIZED:
        raise NetbootError(
            f"{path} is nothing that ogLive reads", hint=f"public keys are in {AUTHORIZED}"
        )


def _unknown(what: str, word: str, known: Iterable[str]) -> NetbootError:
    names = sorted(known)
    near = difflib.get_close_matches(word, names, n=1)
    return NetbootError(
        what, hint=f"did you mean {near[0]}?" if near else f"known are {', '.join(names)}"
    )


# ---- the policy ---------------------------------------------------------------------------------


def check_policy(content: bytes) -> None:
    """Refuse a policy that does not parse, holds an unknown word or a value of the wrong kind."""
    try:
        values = tomllib.loads(content.decode("utf-8"))
    except UnicodeDecodeError:
        raise NetbootError(f"{POLICY} is not UTF-8 text", hint="save it as UTF-8") from None
    except ValueError as error:  # also a number of thousands of digits
        raise NetbootError(f"{POLICY} is not valid TOML: {error}", hint="mend that line") from None
    except RecursionError:
        raise NetbootError(f"{POLICY} is nested too deep", hint="mend that line") from None
    for word, value in values.items():
        if word not in POLICY_WORDS:
            raise _unknown(f"{POLICY}: {word} is no word of a policy", word, POLICY_WORDS)
        POLICY_WORDS[word](value)


def _check_unsigned(value: object) -> None:
    if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
        raise NetbootError(
            f"{POLICY}: allow_unsigned is not a list of addresses",
            hint='write it as allow_unsigned = ["http://old-repository/images/"]',
        )


def _check_mirrors(value: object) -> None:
    if (
        not isinstance(value, list)
        or len(value) > MOST_MIRRORS
        or not all(isinstance(one, str) and is_mirror(one) for one in value)
    ):
        raise NetbootError(
            f"{POLICY}: mirrors is not a list of at most {MOST_MIRRORS} mirrors",
            hint='write it as mirrors = ["http://mirror:8080", "/opt/opengnsys/images"]',
        )


def _check_disks(value: object) -> None:
    if not isinstance(value, dict):
        raise NetbootError(
            f"{POLICY}: disks is not a table", hint='write it as [disks] and system = "SERIAL"'
        )
    for name, disk in value.items():
        if not _DISK_RULE.fullmatch(name) or not isinstance(disk, str) or disk.split() != [disk]:
            raise NetbootError(
                f"{POLICY}: {name} = {disk!r} does not name a disk",
                hint="the name: small letters, digits, dashes; the disk: one word",
            )


def _check_fitting(value: object) -> None:
    if not isinstance(value, dict):
        raise NetbootError(
            f"{POLICY}: fitting is not a table", hint='write it as [fitting] and NAME = "WORD"'
        )
    for name, word in value.items():
        if name not in FITTING_WORDS:
            raise _unknown(
                f"{POLICY}: {name} in [fitting] is no word of a policy", name, FITTING_WORDS
            )
        if not isinstance(word, str) or re.fullmatch(FITTING_WORDS[name], word, re.ASCII) is None:
            raise NetbootError(
                f"{POLICY}: {name} = {word!r} in [fitting] is no value that it can have",
                hint="docs/guide.md lists them",
            )


def _check_boot(value: object) -> None:
    if not isinstance(value, dict) or value.get("first", "network") not in ("network", "disk"):
        raise NetbootError(
            f"{POLICY}: first of [boot] is not network or disk",
            hint='write it as [boot] and first = "network"',
        )
    for name in value:
        if name != "first":
            raise _unknown(f"{POLICY}: {name} in [boot] is no word of a policy", name, ("first",))


# What oglib's fitting policy takes; a test holds the two together.
FITTING_WORDS: Mapping[str, str] = {
    "ssh_host_keys": "new|keep",
    "agents": "forget|keep",
    "logins": "forget|keep",
    "subscription": "forget|keep",
    "network": "dhcp|keep",
    "timezone": r"[A-Za-z0-9_+-]+(?:/[A-Za-z0-9_+-]+){0,2}",
    "locale": r"[A-Za-z0-9_]+(?:\.[A-Za-z0-9-]+)?(?:@[a-z]+)?",
    "keyboard": r"[a-z0-9_-]{1,32}",
}
# What oglib's settings read from it; a test holds the two together.
POLICY_WORDS: Mapping[str, Callable[[object], None]] = {
    "allow_unsigned": _check_unsigned,
    "boot": _check_boot,
    "disks": _check_disks,
    "mirrors": _check_mirrors,
    "fitting": _check_fitting,
}


# ---- keys and CA --------------------------------------------------------------------------------


def _check_public_key(path: PurePosixPath, content: bytes) -> None:
    if path.suffix != ".pub":
        raise NetbootError(
            f"{path} is not read by ogLive: a public key's name ends in .pub",
            hint="rename it, or take it out",
        )
    words = content.decode("ascii", "replace").split(maxsplit=2)
    try:
        raw = base64.b64decode(words[1], validate=True) if len(words) > 1 else b""
    except (binascii.Error, ValueError):
        raw = b""
    one_line = len(content.strip().splitlines()) == 1 and content.isascii()
    if not one_line or words[0] != "ed25519" or len(raw) != _KEY_BYTES:
        raise NetbootError(
            f"{path} is no public key of a repository: one line `ed25519 BASE64 comment`",
            hint="copy keys/image.pub of the repository",
        )


def check_authorized(content: bytes) -> None:
    """Refuse keys for SSH that the PC's server would not read: a line each, options before it."""
    lines = content.decode("utf-8", "replace").splitlines()
    keys = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
    for line in keys:
        words = line.split()
        kind = next((at for at, word in enumerate(words) if _SSH_KIND.fullmatch(word)), None)
        try:
            if kind is None:
                raise ValueError
            load_ssh_public_key(" ".join(words[kind : kind + 2]).encode())
        except (ValueError, UnsupportedAlgorithm):
            raise NetbootError(
                f"{AUTHORIZED}: `{line[:60]}` is no public key",
                hint="copy the line of a file like id_ed25519.pub into it",
            ) from None
    if not keys:
        raise NetbootError(
            f"{AUTHORIZED} holds no public key", hint="remove it where nobody shall come in"
        )


def check_ca(content: bytes, now: datetime) -> None:
    """Refuse a file without certificates, or with nothing but expired ones."""
    try:
        found = x509.load_pem_x509_certificates(content)
    except ValueError:
        found = []
    if not found:
        raise NetbootError(
            f"{CA} holds no certificate", hint="give the site's CA as PEM (BEGIN CERTIFICATE)"
        )
    latest = max(_ends(one) for one in found)
    if latest < now:
        raise NetbootError(
            f"{CA}: the certificate ended on {latest:%d %B %Y}", hint="give the site's present CA"
        )


def _ends(certificate: x509.Certificate) -> datetime:
    return certificate.not_valid_after_utc
