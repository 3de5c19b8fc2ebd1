# SPDX-License-Identifier: GPL-3.0-or-later
"""How the build finds Debian's archive from whatever the host's apt and pip were told."""

from __future__ import annotations

from pathlib import Path

import pytest
from ogimage.hostsetup import certificates_for_pip, mirrors_of, network_settings
from ogimage.shell import BuildError


def test_plain_sources_are_taken_as_they_are() -> None:
    lines = [
        "http://other.example/vendor stable Vendor main",
        "http://mirror.example/debian/ bookworm Debian main",
        "http://mirror.example/debian/ bookworm-updates Debian main",
        "https://mirror.example/security/ bookworm-security Debian main",
        "http://mirror.example/debian/ bookworm Debian contrib",
    ]
    assert mirrors_of(lines) == {
        "main": "http://mirror.example/debian",
        "security": "https://mirror.example/security",
    }


def test_a_list_of_mirrors_gives_its_best_one(tmp_path: Path) -> None:
    """As on Debian's cloud images: `URIs: mirror+file:///etc/apt/mirrors/debian.list`."""
    listing = tmp_path / "debian.list"
    listing.write_text(
        "# of the provider\n\n"
        "https://far.example/debian/\n"
        "https://near.example/debian/\tpriority:2 type:deb\n"
        "http://next.example/debian priority:1\n"
        "file:/srv/local\tpriority:0\n"
    )
    for spelling in (
        f"mirror+file:{listing}",
        f"mirror+file://{listing}",
        f"mirror+copy:{listing}",
    ):
        lines = [f"{spelling} trixie Debian main", f"{spelling} trixie-security Debian main"]
        assert mirrors_of(lines) == {
            "main": "http://next.example/debian",
            "security": "http://next.example/debian",
        }
    listing.write_text("https://only.example/debian\n")
    lines = [f"mirror+file:{listing} trixie Debian main"]
    assert mirrors_of(lines) == {"main": "https://only.example/debian"}


def test_media_are_left_out_where_there_is_a_network() -> None:
    cd = "cdrom://[Debian GNU/Linux 13]/ trixie Debian main"
    web = "http://mirror.example/debian trixie Debian main"
    assert mirrors_of([cd, web]) == {"main": "http://mirror.example/debian"}
    with pytest.raises(BuildError, match=r"on the network, only cdrom:"):
        mirrors_of([cd])


def test_a_list_that_is_not_there_or_names_nothing(tmp_path: Path) -> None:
    listing = tmp_path / "debian.list"
    line = f"mirror+file:{listing} trixie Debian main"
    with pytest.raises(BuildError, match=r"debian\.list cannot be read"):
        mirrors_of([line])
    listing.write_text("file:/srv/local\n")
    with pytest.raises(BuildError, match="names none on the network"):
        mirrors_of([line])


def test_the_hosts_proxy_and_ca_are_handed_on_and_nothing_else() -> None:
    dump = [
        'APT::Architecture "amd64";',
        'Acquire "";',
        'Acquire::http "";',
        'Acquire::http::Proxy "http://proxy.example:3142";',
        'Acquire::http::Proxy::deb.example "DIRECT";',
        'Acquire::https::CAInfo "/etc/ssl/site.pem";',
        'Acquire::http::Proxy-Auto-Detect "/usr/bin/detect";',
        'Acquire::http::ProxyAutoDetect "/usr/bin/older-spelling";',
        'Acquire::Check-Valid-Until "false";',
        'Acquire::Retries "3";',
        'DPkg::Post-Invoke:: "rm -f /var/cache/apt/archives/*.deb || true";',
    ]
    assert network_settings(dump) == {
        "Acquire::http::Proxy": "http://proxy.example:3142",
        "Acquire::http::Proxy::deb.example": "DIRECT",
        "Acquire::https::CAInfo": "/etc/ssl/site.pem",
        "Acquire::http::Proxy-Auto-Detect": "/usr/bin/older-spelling",
        "Acquire::Retries": "3",
    }


@pytest.mark.parametrize(
    ("env", "config", "wanted"),
    [
        ({}, "", ""),
        ({"SSL_CERT_FILE": "/ca.pem"}, "", "/ca.pem"),
        ({"SSL_CERT_FILE": "/ca.pem", "PIP_CERT": "/pip.pem"}, "", ""),
        ({"SSL_CERT_FILE": "/ca.pem"}, "global.timeout='9'\nglobal.cert='/conf.pem'\n", ""),
        ({"SSL_CERT_FILE": "/ca.pem"}, "global.certificate='/x'\n", "/ca.pem"),
    ],
)
def test_pip_gets_the_ca_unless_it_has_one(env: dict[str, str], config: str, wanted: str) -> None:
    assert certificates_for_pip(env, config) == wanted
