# SPDX-License-Identifier: GPL-3.0-or-later
"""The site overlay: what goes in comes out, and nothing else goes in."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ognetboot import site
from ognetboot.cli import main
from ognetboot.errors import NetbootError


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
    (tmp_path / "etc/oglive/keys/image.pub").write_bytes(b"ed25519 abc\n")
    script = tmp_path / "etc/hook"
    script.write_bytes(b"#!/bin/sh\n")
    script.chmod(0o755)
    found = unpack(site.pack(tmp_path))
    assert found["site/etc/oglive/keys/image.pub"] == (0o100644, b"ed25519 abc\n")
    assert found["site/etc/hook"] == (0o100755, b"#!/bin/sh\n")
    assert found["site/etc/oglive/keys"][0] == 0o040755
    assert next(iter(found)) == "site"


def test_cpio_itself_reads_it(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc\n")
    listed = subprocess.run(
        ["cpio", "--list", "--quiet"], input=site.pack(tmp_path), capture_output=True, check=True
    )
    assert listed.stdout.decode().split() == ["site", "site/a"]


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
