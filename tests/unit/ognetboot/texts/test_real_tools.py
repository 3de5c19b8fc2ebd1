# SPDX-License-Identifier: GPL-3.0-or-later
"""The real programs read what was rendered. These tests start processes (no root)."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest

from unit.ognetboot.texts import real_servers

Tree = dict[PurePosixPath, str]


@pytest.mark.parametrize("file", real_servers.SERVERS)
def test_servers_accept_their_configurations(tree: Tree, file: str, tmp_path: Path) -> None:
    assert real_servers.SERVERS[file](tree[PurePosixPath(file)], tmp_path) == ""


@pytest.mark.parametrize(
    ("file", "broken"),
    [
        ("dnsmasq.conf", "dhcp-range=nonsense\n"),
        ("dhcpd.conf", "subnet nonsense {}\n"),
        ("kea-dhcp4.conf", '{"Dhcp4": {"interfaces-config": {}, "nonsense": 1}}'),
        ("nginx.conf", "server { nonsense on; }\n"),
    ],
)
def test_they_would_refuse_others(file: str, broken: str, tmp_path: Path) -> None:
    assert real_servers.SERVERS[file](broken, tmp_path) != ""


def test_grub_accepts_its_menus(tree: Tree, tmp_path: Path) -> None:
    for path, text in tree.items():
        if "grub" in path.parts:
            assert real_servers.grub(text, tmp_path) == "", path
