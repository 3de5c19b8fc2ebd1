# SPDX-License-Identifier: GPL-3.0-or-later
"""Network files that pin the model's card: of the shape that installers write."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from oglib.fitting.fittings import check_all
from oglib.fitting.steps import Outcome
from oglib.osconfig.facts import Nic
from oglib.osconfig.root import TargetRoot
from unit.osconfig.test_identity import FACTS, fitted, put, step, with_policy

MAC = FACTS.nics[0].mac
OLD = "00:11:22:33:44:55"
SECOND = Nic("enp2s0", frozenset(("eth1", "enp2s0")), "52:54:00:00:00:02")
TWO = replace(FACTS, nics=(*FACTS.nics, SECOND))

CASES = {
    "ifupdown": (
        "etc/network/interfaces",
        "source /etc/network/interfaces.d/*\n\nauto lo\niface lo inet loopback\n\n"
        "# the lab\nallow-hotplug enp0s25\niface enp0s25 inet static\n\taddress 10.1.2.3/16\n"
        "\tgateway 10.1.0.1\n\tdns-nameservers 10.1.0.2\niface enp0s25 inet6 auto\n",
        "source /etc/network/interfaces.d/*\n\nauto lo\niface lo inet loopback\n\n"
        "# the lab\nallow-hotplug enp1s0\niface enp1s0 inet dhcp\n"
        "\tdns-nameservers 10.1.0.2\niface enp1s0 inet6 auto\n",
    ),
    "ifupdown by DHCP": (
        "etc/network/interfaces.d/setup",
        "auto  eno1\niface eno1 inet dhcp\nauto br0\niface br0 inet static\n"
        "  address 10.0.0.5\n  bridge_ports eno1\n",
        "auto  enp1s0\niface enp1s0 inet dhcp\nauto br0\niface br0 inet static\n"
        "  address 10.0.0.5\n  bridge_ports enp1s0\n",
    ),
    "netplan": (
        "etc/netplan/00-installer-config.yaml",
        "# written by the installer\nnetwork:\n  ethernets:\n    ens33:\n      addresses:\n"
        "      - 10.1.2.3/16\n      nameservers:\n        addresses: [10.1.0.2]\n      routes:\n"
        "        - to: default\n          via: 10.1.0.1\n  version: 2\n",
        "# written by the installer\nnetwork:\n  ethernets:\n    enp1s0:\n      dhcp4: true\n"
        "      nameservers:\n        addresses: [10.1.0.2]\n  version: 2\n",
    ),
    "netplan by address": (
        "etc/netplan/50-cloud-init.yaml",
        f"network:\n    version: 2\n    ethernets:\n        lan:\n            dhcp4: true\n"
        f"            match:\n                macaddress: {OLD}\n            set-name: lan\n",
        f"network:\n    version: 2\n    ethernets:\n        lan:\n            dhcp4: true\n"
        f"            match:\n                macaddress: {MAC}\n            set-name: lan\n",
    ),
    "netplan found by a name": (
        "etc/netplan/1.yaml",
        "network:\n  ethernets:\n    nic0:\n      match:\n        name: enp9s0  # not enp9s0\n"
        "      addresses: [10.0.0.2/8]\n  vlans:\n    enp9s0.10:\n      id: 10\n"
        "      link: enp9s0\n",
        "network:\n  ethernets:\n    nic0:\n      dhcp4: true\n      match:\n"
        "        name: enp1s0  # not enp9s0\n  vlans:\n    enp1s0.10:\n      id: 10\n"
        "      link: enp1s0\n",
    ),
    "netplan of cloud-init": (
        "etc/netplan/50-cloud-init.yaml",
        f"network:\n  ethernets:\n    enp9s0:\n      match:\n        macaddress: '{OLD}'\n"
        "      set-name: enp9s0\n",
        f"network:\n  ethernets:\n    enp1s0:\n      match:\n        macaddress: '{MAC}'\n"
        "      set-name: enp1s0\n",
    ),
    "VLAN and commands of ifupdown": (
        "etc/network/interfaces",
        "# enp9s0\nsource interfaces.d/enp9s0\nauto enp9s0.10\niface enp9s0.10 inet static\n"
        f"  address 10.0.0.2/8\n  hwaddress ether {OLD}\n"
        "  up ip route add 10.9.0.0/16 dev enp9s0\n",
        "# enp9s0\nsource interfaces.d/enp9s0\nauto enp1s0.10\niface enp1s0.10 inet dhcp\n"
        "  up ip route add 10.9.0.0/16 dev enp1s0\n",
    ),
    "networkd for several": (
        "etc/systemd/network/20-wired.network",
        "[Match]\nName=enp9s0 enp10s0 br*\n\n[Network]\nDescription=enp9s0\nAddress=10.1.2.3/16\n",
        "[Match]\nName=enp1s0 enp10s0 br*\n\n[Network]\nDHCP=yes\nDescription=enp9s0\n",
    ),
    "a link that gives the name": (
        "etc/systemd/network/10-lan.link",
        f"[Match]\nMACAddress={OLD}\n\n[Link]\nName=enp9s0\n",
        f"[Match]\nMACAddress={MAC}\n\n[Link]\nName=enp1s0\n",
    ),
    "ifcfg with comments": (
        "etc/sysconfig/network-scripts/ifcfg-p1p1",
        '# p1p1\nNAME=p1p1\nexport DEVICE="p1p1" # main\nIPADDR=10.0.0.1 # office\n'
        "export BOOTPROTO=none\n",
        '# p1p1\nNAME=p1p1\nexport DEVICE="enp1s0" # main\nexport BOOTPROTO=dhcp\n',
    ),
    "NetworkManager": (
        "etc/NetworkManager/system-connections/wired.nmconnection",
        "[connection]\nid=wired\nuuid=11\ntype=ethernet\ninterface-name=enp0s3\n\n[ethernet]\n"
        f"mac-address={OLD}\n\n[ipv4]\naddress1=10.1.2.3/16,10.1.0.1\ndns=10.1.0.2;\n"
        "method=manual\n\n[ipv6]\nmethod=disabled\n",
        "[connection]\nid=wired\nuuid=11\ntype=ethernet\ninterface-name=enp1s0\n\n[ethernet]\n"
        f"mac-address={MAC}\n\n[ipv4]\ndns=10.1.0.2;\n"
        "method=auto\n\n[ipv6]\nmethod=disabled\n",
    ),
    "networkd": (
        "etc/systemd/network/20-wired.network",
        "[Match]\nName=enp5s0\n\n[Network]\nAddress=10.1.2.3/16\nGateway=10.1.0.1\nDNS=10.1.0.2\n",
        "[Match]\nName=enp1s0\n\n[Network]\nDHCP=yes\nDNS=10.1.0.2\n",
    ),
    "a link": (
        "etc/systemd/network/10-lan.link",
        f"[Match]\nMACAddress={OLD}\n\n[Link]\nName=lan\n",
        f"[Match]\nMACAddress={MAC}\n\n[Link]\nName=lan\n",
    ),
    "ifcfg of RHEL 7": (
        "etc/sysconfig/network-scripts/ifcfg-p1p1",
        'TYPE="Ethernet"\nBOOTPROTO="none"\nDEVICE="p1p1"\nONBOOT="yes"\n'
        'IPADDR="10.1.2.3"\nPREFIX="16"\nGATEWAY="10.1.0.1"\nDNS1="10.1.0.2"\n',
        'TYPE="Ethernet"\nBOOTPROTO="dhcp"\nDEVICE="enp1s0"\nONBOOT="yes"\nDNS1="10.1.0.2"\n',
    ),
    "ifcfg of CentOS 6": (
        "etc/sysconfig/network-scripts/ifcfg-eth0",
        f"DEVICE=eth0\nHWADDR={OLD}\nTYPE=Ethernet\nONBOOT=yes\nBOOTPROTO=dhcp\n",
        f"DEVICE=eth0\nHWADDR={MAC}\nTYPE=Ethernet\nONBOOT=yes\nBOOTPROTO=dhcp\n",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_file_about_the_models_card_is_about_this_pcs(tmp_path: Path, name: str) -> None:
    path, old, new = CASES[name]
    put(tmp_path, path, text=old)
    assert step(tmp_path, "network").outcome is Outcome.DONE
    there = [one for one in (tmp_path / path).parent.iterdir()]
    assert [one.read_text() for one in there] == [new]
    assert there[0].name == ("ifcfg-enp1s0" if path.endswith("p1p1") else Path(path).name)
    assert step(tmp_path, "network").outcome is Outcome.NOT_NEEDED


RIGHT = {
    "etc/network/interfaces": "auto enp1s0 eth0 br0 wlp3s0 enp1s0.7\niface enp1s0 inet static\n"
    "\taddress 10.1.2.3/16\n",
    "etc/netplan/1.yaml": "network:\n  ethernets:\n    any:\n      match: {name: en*}\n"
    "      addresses: [10.1.2.3/16]\n  wifis: {wlp3s0: {dhcp4: true}}\n",
    "etc/netplan/2.yaml": "network:\n  wifis:\n    wlp3s0:\n      access-points:\n"
    f"        lab:\n          bssid: {OLD}\n  bridges:\n    br0:\n      macaddress: {OLD}\n"
    "  version: 2\n",
    "etc/NetworkManager/system-connections/wifi": "[connection]\ntype=wifi\n"
    f"interface-name=wlp3s0\n[wifi]\nmac-address={OLD}\n",
    "etc/NetworkManager/system-connections/any": "[connection]\ntype=ethernet\n[ipv4]\n"
    "method=manual\naddress1=10.1.2.3/16\n",
    "etc/systemd/network/w.network": "[Match]\nName=en* eth*\n[Network]\nAddress=10.1.2.3/16\n",
    "etc/sysconfig/network-scripts/ifcfg-lo": "DEVICE=lo\nIPADDR=127.0.0.1\n",
    "etc/sysconfig/network-scripts/ifcfg-bond0": "DEVICE=bond0\nTYPE=Bond\nIPADDR=10.1.2.3\n",
    "etc/systemd/network/y.network": "[Match]\nName=enp1s0\n[Network]\nAddress=10.1.2.3/16\n",
    "etc/systemd/network/z.network": "# enp9s0\n[Match]\nName=*\n[Network]\n"
    "Description=enp9s0 enabled\nLLDP=enabled\n",
    "etc/NetworkManager/system-connections/br": "[connection]\ntype=bridge\n[bridge]\n"
    f"mac-address={OLD}\n",
    "etc/NetworkManager/system-connections/id": "[connection]\nid=enp9s0\ntype=ethernet\n",
    "etc/sysconfig/network/ifcfg-eth0": "BOOTPROTO='static'\nIPADDR='10.1.2.3/16'\n",
}


@pytest.mark.parametrize("path", RIGHT)
def test_what_names_no_card_of_another_pc_stays_as_it_is(tmp_path: Path, path: str) -> None:
    put(tmp_path, path, text=RIGHT[path])
    assert step(tmp_path, "network").outcome is Outcome.NOT_NEEDED
    assert (tmp_path / path).read_text() == RIGHT[path]


def test_two_cards_of_the_model_are_the_two_of_this_pc(tmp_path: Path) -> None:
    """The one that a file names rightly stays; what the files say of one card is one card."""
    put(
        tmp_path,
        "etc/network/interfaces",
        text="auto enp9s0\niface enp9s0 inet dhcp\nauto enp1s0\n",
    )
    put(tmp_path, "etc/systemd/network/w.network", text="[Match]\nName=enp9s0\n")
    put(tmp_path, "etc/systemd/network/x.network", text="[Match]\nName=enp8s0\n")
    assert step(tmp_path, "network", TWO).outcome is Outcome.DONE
    names = ("network/interfaces", "systemd/network/w.network", "systemd/network/x.network")
    read = [(tmp_path / f"etc/{name}").read_text() for name in names]
    assert read == [
        "auto enp2s0\niface enp2s0 inet dhcp\nauto enp1s0\n",
        "[Match]\nName=enp2s0\n",
        "[Match]\nName=enp8s0\n",  # there is none left for it
    ]


def test_an_old_name_is_replaced_by_an_old_name(tmp_path: Path) -> None:
    path = "etc/sysconfig/network/ifcfg-eth3"
    put(tmp_path, path, text="BOOTPROTO='static'\nIPADDR='10.1.2.3/16'\nSTARTMODE='auto'\n")
    assert step(tmp_path, "network").outcome is Outcome.DONE
    new = (tmp_path / "etc/sysconfig/network/ifcfg-eth0").read_text()
    assert new == "BOOTPROTO='dhcp'\nSTARTMODE='auto'\n"
    assert not (tmp_path / path).exists()


def test_passwords_of_a_connection_are_shown_to_nobody(tmp_path: Path) -> None:
    path, old, _ = CASES["NetworkManager"]
    put(tmp_path, path, text=f"{old}[802-1x]\npassword=SECRET\n")
    with TargetRoot(tmp_path) as root:
        (one,) = check_all(root, FACTS, [fitted("network")])
    assert one.diff == f"Binary files a/{path} and b/{path} differ\n".encode()


def test_what_is_not_touched(tmp_path: Path) -> None:
    path, old, _ = CASES["networkd"]
    put(tmp_path, path, text=old)
    for facts in (with_policy(network="keep"), replace(FACTS, nics=())):
        assert step(tmp_path, "network", facts).outcome is Outcome.NOT_NEEDED
    put(tmp_path, "etc/netplan/1.yaml", text="network: {ethernets: {ens33: {dhcp4: true}}}\n")
    told = step(tmp_path, "network")
    assert (told.outcome, "etc/netplan/1.yaml names cards" in told.detail) == (Outcome.FAILED, True)
    assert (tmp_path / path).read_text() == old


UNKNOWN = {
    "etc/network/interfaces": "auto enp9s0:1\niface enp9s0:1 inet static\n  address 10.0.0.2/8\n",
    "etc/netplan/1.yaml": "network:\n  bridges:\n    br0:\n      interfaces: [enp9s0]\n",
    "etc/systemd/network/1.network": f"[Match]\nMACAddress={OLD} {OLD[:-1]}6\n",
    "etc/systemd/network/1.link": "[Match]\nOriginalName=enp9s0\n[Link]\nName=lan\n",
    "etc/NetworkManager/system-connections/a": "[connection]\ntype=vlan\n[vlan]\nparent=enp9s0\n",
    "etc/NetworkManager/system-connections/b": "[connection]\ntype=ethernet\n[ethernet]\n"
    f"cloned-mac-address={OLD}\n",
    "etc/sysconfig/network-scripts/ifcfg-enp9s0": 'DEVICE="enp9s0"; export DEVICE\n',
    "etc/sysconfig/network-scripts/ifcfg-enp9s0:1": "DEVICE=enp9s0:1\nIPADDR=10.0.0.2\n",
}


@pytest.mark.parametrize("path", UNKNOWN)
def test_what_would_still_be_about_another_card_fails_by_its_name(
    tmp_path: Path, path: str
) -> None:
    """Never "already so", and nothing is written."""
    put(tmp_path, path, text=UNKNOWN[path])
    for _ in range(2):
        told = step(tmp_path, "network")
        assert told.outcome is Outcome.FAILED
        assert f"{path} would still name {OLD if OLD in UNKNOWN[path] else 'enp9s0'}" in told.detail
    assert [one.read_text() for one in (tmp_path / path).parent.iterdir()] == [UNKNOWN[path]]


def test_rules_of_names_go_where_they_are_another_pcs(tmp_path: Path) -> None:
    rules = "etc/udev/rules.d/70-persistent-net.rules"
    line = 'SUBSYSTEM=="net", ACTION=="add", ATTR{address}=="%s", NAME="eth0"\n'
    put(tmp_path, rules, text=line % MAC.lower())
    assert step(tmp_path, "net-rules").outcome is Outcome.NOT_NEEDED
    put(tmp_path, rules, text=line % OLD)
    assert step(tmp_path, "net-rules").outcome is Outcome.DONE
    assert not (tmp_path / rules).exists()
    assert step(tmp_path, "net-rules").outcome is Outcome.NOT_NEEDED


INTERFACES = "auto enp0s25\niface enp0s25 inet dhcp\n"


def test_a_file_behind_a_link_is_adapted_and_the_link_stays(tmp_path: Path) -> None:
    """Inside the root: an absolute link, and one whose ``..`` go above it."""
    put(tmp_path, "srv/lab/interfaces", text=INTERFACES)
    link = tmp_path / "etc/network/interfaces"
    link.parent.mkdir(parents=True)
    for target in ("/srv/lab/interfaces", "../../../../../srv/lab/interfaces"):
        link.unlink(missing_ok=True)
        link.symlink_to(target)
        (tmp_path / "srv/lab/interfaces").write_text(INTERFACES)
        told = step(tmp_path, "network")
        assert (told.outcome, link.is_symlink()) == (Outcome.DONE, True), told
        assert (tmp_path / "srv/lab/interfaces").read_text() == INTERFACES.replace("0s25", "1s0")
        assert step(tmp_path, "network").outcome is Outcome.NOT_NEEDED


def test_what_two_names_lead_to_is_adapted_once(tmp_path: Path) -> None:
    folder = "etc/sysconfig/network"
    put(tmp_path, f"{folder}/ifcfg-enp0s25", text="DEVICE=enp0s25\nBOOTPROTO=static\n")
    (tmp_path / "etc/sysconfig/network-scripts").symlink_to("network")
    put(tmp_path, "etc/netplan/1.yaml", text="network:\n  ethernets:\n    enp0s25:\n      x: 1\n")
    (tmp_path / "etc/netplan/2.yaml").symlink_to("1.yaml")
    told = step(tmp_path, "network")
    assert told.outcome is Outcome.DONE, told
    assert [one.name for one in (tmp_path / folder).iterdir()] == ["ifcfg-enp1s0"]
    assert "enp1s0" in (tmp_path / "etc/netplan/1.yaml").read_text()
    assert step(tmp_path, "network").outcome is Outcome.NOT_NEEDED


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("etc/network/interfaces", "/run/network/interfaces"),
        ("etc/netplan/1.yaml", "../../gone.yaml"),
        ("etc/netplan", "/run/netplan"),
        ("etc/systemd/network/1.network", "1.network"),
    ],
)
def test_a_link_to_what_is_not_in_the_system_is_named(
    tmp_path: Path, path: str, target: str
) -> None:
    (tmp_path / path).parent.mkdir(parents=True)
    (tmp_path / path).symlink_to(target)
    told = step(tmp_path, "network")
    assert told.outcome is Outcome.FAILED
    assert told.detail.startswith(f"{path} is a link to {target}, which is not in the system")


def test_what_is_masked_names_no_card(tmp_path: Path) -> None:
    put(tmp_path, "etc/network/interfaces", text=INTERFACES.replace("0s25", "1s0"))
    put(tmp_path, "dev/null")  # whatever an image has there
    rules = "etc/udev/rules.d/70-persistent-net.rules"
    for path in ("etc/systemd/network/99-default.link", "etc/netplan/1.yaml", rules):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).symlink_to("/dev/null")
    assert step(tmp_path, "network").outcome is Outcome.NOT_NEEDED
    assert step(tmp_path, "net-rules").outcome is Outcome.NOT_NEEDED


def test_what_is_no_file_is_named(tmp_path: Path) -> None:
    put(tmp_path, "etc/x")
    (tmp_path / "etc/netplan").mkdir()
    (tmp_path / "etc/netplan/1.yaml").symlink_to("/etc/pipe")
    os.mkfifo(tmp_path / "etc/pipe")
    told = step(tmp_path, "network")
    assert (told.outcome, "not a regular file" in told.detail) == (Outcome.FAILED, True)
