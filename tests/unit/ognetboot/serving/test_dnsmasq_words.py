# SPDX-License-Identifier: GPL-3.0-or-later
"""dnsmasq's lines in words."""

from __future__ import annotations

import pytest

from ognetboot.serving.dnsmasq_words import told

NAMES = {"52:54:00:12:34:56": "aula1-pc01"}


@pytest.mark.parametrize(
    ("line", "text", "bad"),
    [
        (
            "dnsmasq-dhcp: 3142 DHCPACK(br0) 10.0.0.50 52:54:00:12:34:56 aula1-pc01",
            "aula1-pc01 has the address 10.0.0.50.",
            False,
        ),
        (
            "dnsmasq-dhcp: 3142 DHCPACK(br0) 10.0.0.50 52:54:00:12:34:99",
            "the PC 52:54:00:12:34:99 has the address 10.0.0.50.",
            False,
        ),
        (
            "dnsmasq-tftp: sent /srv/netboot/undionly.kpxe to 10.0.0.50",
            "10.0.0.50 fetched undionly.kpxe by TFTP.",
            False,
        ),
        (
            "dnsmasq-tftp: file /srv/netboot/nothing not found for 10.0.0.50",
            "10.0.0.50 asks by TFTP for nothing, which is not there.",
            True,
        ),
        (
            "dnsmasq-dhcp: no address range available for DHCP request via br0",
            "a PC on br0 asks for an address of another network: see subnet and interface in "
            "[server].",
            True,
        ),
        ("dnsmasq: cannot do this or that", "dnsmasq: cannot do this or that", True),
    ],
)
def test_a_line_says_what_happened(line: str, text: str, bad: bool) -> None:
    said = told(line + "\n", NAMES.get, "/srv/netboot")
    assert said is not None
    assert (said.text, said.bad) == (text, bad)


@pytest.mark.parametrize(
    ("line", "port"),
    [
        ("dnsmasq: failed to bind DHCP server socket: Address already in use", 67),
        (
            "dnsmasq: failed to create listening socket for 10.0.0.1: Address already in use",
            69,
        ),
    ],
)
def test_a_port_that_is_taken_is_known(line: str, port: int) -> None:
    said = told(line, NAMES.get, "/srv")
    assert said is not None
    assert said.port == port


@pytest.mark.parametrize(
    "line",
    [
        "dnsmasq: started, version 2.90 DNS disabled",
        "dnsmasq-dhcp: 3142 vendor class: PXEClient:Arch:00000:UNDI:002001",
        "",
    ],
)
def test_what_nobody_needs_to_know_is_not_told(line: str) -> None:
    assert told(line, NAMES.get, "/srv") is None


def test_what_a_pc_calls_itself_writes_no_second_line() -> None:
    line = "dnsmasq-tftp: file /srv/a\x1b[2Jb\r not found for 10.0.0.50"
    said = told(line, NAMES.get, "/srv")
    assert said is not None
    assert said.text.isprintable()
