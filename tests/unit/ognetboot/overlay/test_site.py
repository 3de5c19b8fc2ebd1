# SPDX-License-Identifier: GPL-3.0-or-later
"""The site overlay: what goes in comes out, and nothing else goes in."""

from __future__ import annotations

import ast
import base64
import subprocess
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from cryptography.x509.oid import NameOID

from oglib import settings as pc_settings
from oglib.fitting.policy import WORDS, FittingPolicy
from ognetboot.cli import main
from ognetboot.errors import NetbootError
from ognetboot.overlay import site, sitecheck

PUBLIC_KEY = f"ed25519 {base64.b64encode(bytes(32)).decode()} a room\n".encode()


def unpack(data: bytes) -> dict[str, tuple[int, bytes]]:
    """Read newc by its fields, independently of how it was written."""
    found: dict[str, tuple[int, bytes]] = {}
    at = 0
    while True:
        assert data[at : at + 6] == b"070701"
        mode, length, name_length = (
            int(data[at + 6 + 8 * index : at + 14 + 8 * index], 16) for index in (1, 6, 11)
        )
        name = data[at + 110 : at + 110 + name_length - 1].decode()
        start = -(-(at + 110 + name_length) // 4) * 4
        if name == "TRAILER!!!":
            assert start == len(data)
            return found
        found[name] = (mode, data[start : start + length])
        at = -(-(start + length) // 4) * 4


def test_files_go_in_with_their_folders_and_modes(tmp_path: Path) -> None:
    (tmp_path / "etc/oglive/keys").mkdir(parents=True)
    (tmp_path / "etc/oglive/keys/image.pub").write_bytes(PUBLIC_KEY)
    script = tmp_path / "etc/hook"
    script.write_bytes(b"#!/bin/sh\n")
    script.chmod(0o755)
    found = unpack(site.pack(tmp_path))
    assert found["site/etc/oglive/keys/image.pub"] == (0o100644, PUBLIC_KEY)
    assert found["site/etc/hook"] == (0o100755, b"#!/bin/sh\n")
    assert found["site/etc/oglive/keys"][0] == 0o040755
    assert next(iter(found)) == "site"


def test_cpio_itself_reads_it(tmp_path: Path) -> None:
    (tmp_path / "opt").mkdir()
    (tmp_path / "opt/a").write_bytes(b"abc\n")
    listed = subprocess.run(
        ["cpio", "--list", "--quiet"], input=site.pack(tmp_path), capture_output=True, check=True
    )
    assert listed.stdout.decode().split() == ["site", "site/opt", "site/opt/a"]


def test_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "passwd").symlink_to("/etc/shadow")
    with pytest.raises(NetbootError, match="neither a plain file"):
        site.pack(tmp_path)


def test_the_command_writes_the_archive_and_says_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in").mkdir()
    out = tmp_path / "site.cpio"
    assert main(["site", str(tmp_path / "in"), str(out)]) == 0
    assert list(unpack(out.read_bytes())) == ["site"]
    assert len(out.read_bytes()) % 4 == 0
    assert main(["site", str(tmp_path / "missing"), str(out)]) == 1
    assert "is not a folder" in capsys.readouterr().err


def overlay(tmp_path: Path, name: str, content: bytes) -> Path:
    folder = tmp_path / "site"
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return folder


def refusal(folder: Path) -> str:
    with pytest.raises(NetbootError) as caught:
        site.pack(folder)
    return f"{caught.value.message}. {caught.value.hint}"


def private_keys() -> dict[str, bytes]:
    key = Ed25519PrivateKey.generate()
    locked = BestAvailableEncryption(b"secret")
    spellings = {
        "pem": (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        "pem-encrypted": (Encoding.PEM, PrivateFormat.PKCS8, locked),
        "openssh": (Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()),
        "der": (Encoding.DER, PrivateFormat.PKCS8, NoEncryption()),
        "der-encrypted": (Encoding.DER, PrivateFormat.PKCS8, locked),
    }
    found = {name: key.private_bytes(*how) for name, how in spellings.items()}
    found["pkcs12"] = pkcs12.serialize_key_and_certificates(
        b"site", key, certificate(key), None, locked
    )
    found["in-a-script"] = b"#!/bin/sh\ncat <<E\n" + found["pem"] + b"E\n"
    return found


def certificate(key: Ed25519PrivateKey, days: int = 30) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a site")])
    ends = datetime.now(UTC) + timedelta(days=days)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(ends - timedelta(days=400))
        .not_valid_after(ends)
        .sign(key, None)
    )


def ca_pem(days: int = 30) -> bytes:
    return certificate(Ed25519PrivateKey.generate(), days).public_bytes(Encoding.PEM)


@pytest.mark.parametrize("kind", private_keys())
def test_a_private_key_is_refused_wherever_it_is(tmp_path: Path, kind: str) -> None:
    folder = overlay(tmp_path, "opt/scripts/mine", private_keys()[kind])
    assert "opt/scripts/mine holds a private key" in refusal(folder)


def test_a_repositorys_own_private_key_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = overlay(tmp_path, "etc/oglive/keys/image.pub", private_keys()["pem"])
    out = tmp_path / "site.cpio"
    assert main(["site", str(folder), str(out)]) == 1
    said = capsys.readouterr().err
    assert said.startswith("ognetboot: etc/oglive/keys/image.pub holds a private key")
    assert said.count("\n") == 1
    assert not out.exists()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("allow_unsigned = [", "is not valid TOML"),
        ("allow_unsined = []", "did you mean allow_unsigned?"),
        ("colour = 1", "known are allow_unsigned, boot, disks"),
        ('allow_unsigned = "http://old/"', "is not a list of addresses"),
        ('mirrors = ["ftp://a"]', "mirrors is not a list of"),
        ('disks = "nvme"', "disks is not a table"),
        ('[boot]\nfirst = "cd"', "first of [boot] is not network or disk"),
        ('[boot]\nfirst = "disk"\nlast = 1', "last in [boot] is no word of a policy"),
        ('[disks]\nsystem = "two words"', "does not name a disk"),
        ('[disks]\nSystem = "nvme"', "does not name a disk"),
    ],
)
def test_a_policy_that_pcs_would_not_understand_is_refused(
    tmp_path: Path, text: str, told: str
) -> None:
    assert told in refusal(overlay(tmp_path, "etc/oglive/policy.toml", text.encode()))


def test_a_policy_is_judged_as_the_pc_judges_it(tmp_path: Path) -> None:
    """One that is packed is read by a PC, and every word that a PC asks for is known here."""
    text = 'allow_unsigned = ["http://old/images/", "REPO"]\n[disks]\nsystem = "nvme"\n'
    folder = overlay(tmp_path, "etc/oglive/policy.toml", text.encode())
    site.pack(folder)
    read = pc_settings.load(
        cmdline=tmp_path / "none",
        boot_env=tmp_path / "none",
        policy=folder / "etc/oglive/policy.toml",
        engine_cfg=tmp_path / "none",
    )
    assert read.allow_unsigned == ("http://old/images/", "REPO")
    assert dict(read.disk_rules) == {"system": "nvme"}

    tree = ast.parse(Path(pc_settings.__file__).read_text())
    asked = {
        node.args[0].value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "get"
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id in ("policy", "site")
        and isinstance(node.args[0], ast.Constant)
    }
    assert asked == sitecheck.POLICY_WORDS.keys()
    assert Path("/", sitecheck.POLICY) == pc_settings.POLICY
    assert Path("/", sitecheck.KEYS) == pc_settings.KEYS_DIR
    assert Path("/", sitecheck.CA) == pc_settings.CA_FILE


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("keys/image.pub", "keys is no folder of ogLive's root"),
        ("site/etc/oglive/policy.toml", "site is no folder of ogLive's root"),
        ("etc/oglive/polcy.toml", "did you mean policy.toml?"),
        ("etc/oglive/image.pub", "is nothing that ogLive reads"),
        ("etc/oglive/keys/image.txt", "a public key's name ends in .pub"),
        ("etc/oglive/keys/image.pub", "is no public key of a repository"),
        ("etc/oglive/ca.pem", "holds no certificate"),
    ],
)
def test_what_ogLive_would_not_read_is_refused(tmp_path: Path, name: str, told: str) -> None:
    assert told in refusal(overlay(tmp_path, name, b"ed25519 abc\n"))


def test_keys_and_ca_from_elsewhere_go_in(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys/image.pub").write_bytes(PUBLIC_KEY)
    ca = tmp_path / "site-ca.crt"
    ca.write_bytes(ca_pem())
    folder = overlay(tmp_path, "etc/motd", b"hello\n")
    out = tmp_path / "site.cpio"
    argv = ["site", str(folder), str(out), "--keys", str(tmp_path / "keys"), "--ca", str(ca)]
    assert main(argv) == 0
    found = unpack(out.read_bytes())
    assert found["site/etc/oglive/keys/image.pub"] == (0o100644, PUBLIC_KEY)
    assert found["site/etc/oglive/ca.pem"] == (0o100644, ca.read_bytes())
    assert found["site/etc/motd"][1] == b"hello\n"
    assert main(argv) == 0
    assert capsys.readouterr().out.endswith("site.cpio: nothing to change\n")

    (folder / "etc/oglive").mkdir()
    (folder / "etc/oglive/ca.pem").write_bytes(ca_pem())
    assert main(argv) == 1
    assert "differ, and both would be etc/oglive/ca.pem" in capsys.readouterr().err


def test_a_ca_whose_time_is_over_is_refused(tmp_path: Path) -> None:
    assert "the certificate ended on" in refusal(
        overlay(tmp_path, "etc/oglive/ca.pem", ca_pem(days=-1))
    )
    both = {PurePosixPath("etc/oglive/ca.pem"): ca_pem(days=-1) + ca_pem()}
    sitecheck.check(both)


def test_the_words_of_fitting_are_those_that_pcs_read() -> None:
    assert dict(sitecheck.FITTING_WORDS) == WORDS
    assert {field.name for field in fields(FittingPolicy)} == set(WORDS)
    sitecheck.check_policy(b'[fitting]\nssh_host_keys = "keep"\ntimezone = "Europe/Madrid"\n')
    for wrong in (b"fitting = 1", b"[fitting]\nssh = 1", b'[fitting]\ntimezone = "../x"'):
        with pytest.raises(NetbootError, match="fitting"):
            sitecheck.check_policy(wrong)


def test_steps_of_the_site_have_the_names_of_steps() -> None:
    sitecheck.check({PurePosixPath("etc/oglive/steps/50-printers"): b"#!/bin/sh\n"})
    for name in ("printers", "50-printers.sh", "50-a/b"):
        with pytest.raises(NetbootError, match="no name of a step"):
            sitecheck.check({PurePosixPath(f"etc/oglive/steps/{name}"): b"#!/bin/sh\n"})
