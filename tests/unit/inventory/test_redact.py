# SPDX-License-Identifier: GPL-3.0-or-later
"""A planted secret never comes through; what a support person needs does."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oglib.inventory.redact import REMOVED, redact

WORDS = string.ascii_letters + string.digits
# A secret as people choose them: also with signs, but none that ends the place it stands in.
SECRETS = st.text(WORDS + "!#$%&()*+,-./:;<>?[]^_{|}~", min_size=6, max_size=40).map("Zq7".__add__)
PLAIN = st.text(string.ascii_letters + string.digits + " .,/\n", max_size=60)
PLACES = (
    "password={}",
    "password = {}",
    'password="{} and more"',
    "ROOT_PASSWORD={}",
    "ogtoken={} ogrepo=1.2.3.4",
    "upload.token: {}",
    "Password: {} with blanks",
    "Password for root on pc7: {}",
    '"password": "{}", "user": "root"',
    "'secret': '{}'",
    "{{'api_key': '{}'}}",
    "Authorization: Bearer {}",
    "authorization: Basic {}",
    "Proxy-Authorization: Digest {}",
    "Cookie: session={}",
    "curl --header 'Authorization: {}'",
    "mount.cifs --password {} //server/share",
    "og --token {} list",
    "wpa_psk={}",
    "rootpw={}",
    "netroot=iscsi:pc7:{}@10.0.0.1::3260::iqn.x",
    "curl -u pc7:{} http://10.0.0.1/",
    "curl --proxy-user pc7:{} http://10.0.0.1/",
    "private_key: {}",
    "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----",
    "-----BEGIN OPENSSH PRIVATE KEY-----\nb3Blbn\n{}",
    "-----BEGIN ENCRYPTED PRIVATE KEY-----\n{}\n-----END ENCRYPTED PRIVATE KEY-----",
)
IN_URLS = ("http://user:{}@server/path", "smb://{}@server", "mount -t cifs //user:{}@server/share")
URL_SECRETS = st.text(WORDS + "!$%&()*+,-.:;=_~@", min_size=6, max_size=40).map("Zq7".__add__)


@given(st.sampled_from(PLACES), SECRETS, PLAIN, PLAIN)
def test_a_planted_secret_never_appears(place: str, secret: str, before: str, after: str) -> None:
    assert secret not in redact(f"{before}\n{place.format(secret)}\n{after}")


@given(st.sampled_from(IN_URLS), URL_SECRETS, PLAIN, PLAIN)
def test_nor_one_in_a_url(place: str, secret: str, before: str, after: str) -> None:
    assert secret not in redact(f"{before} {place.format(secret)} {after}")


@given(SECRETS, PLAIN, PLAIN)
def test_a_known_secret_goes_wherever_it_stands(secret: str, before: str, after: str) -> None:
    assert secret not in redact(f"{before}{secret}{after}", known=[secret])


@pytest.mark.parametrize(
    "text",
    [
        "root:$6$salt$abcDEF/123:19000::",
        "root:$y$j9T$abc$DEF:19000",
        "ProductKey ABCDE-12345-FGHIJ-67890-KLMNO",
        "got eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl today",
        "Bearer 0123456789abcdef",
        "[ 12.3] MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj",
    ],
)
def test_what_looks_like_a_secret_by_itself(text: str) -> None:
    assert REMOVED in redact(text)
    assert redact(text) != text


@pytest.mark.parametrize(
    "text",
    [
        "ogrepo=192.168.1.1:8080 oglive=192.168.1.1 group=room1 ogjob=deploy:debian:1:2",
        "http://192.168.1.1:8080/images/debian.img",
        "[    1.234567] nvme nvme0: pci function 0000:01:00.0",
        "usb 1-1: new high-speed USB device number 2 using xhci_hcd",
        "EXT4-fs (vda2): mounted filesystem 1f2e-33 ro without journal.",
        "og: Disk /dev/vda (QEMU, 8.0 GiB) has no partition 9. Its partitions: 1, 2.",
        '"serial": "QM00001", "size_bytes": 8589934592',
        "systemd[1]: Started systemd-networkd.service - Network Configuration.",
        "input: AT Translated Set 2 keyboard as /devices/platform/i8042",
        "frames_blake3 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "/lib/modules/6.12.1/kernel/drivers/net/ethernet/intel/e1000e/e1000e.ko with a long path",
        "aa:bb:cc:dd:ee:ff 1000 Mbit/s e1000e",
    ],
)
def test_what_support_needs_stays(text: str) -> None:
    assert redact(text) == text
