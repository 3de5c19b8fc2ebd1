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
# One word, as it is given to a program or said in a sentence.
WORDS_OF_ONE = ("Zq7hunter2", "Zq7!x#y$Z&*+.-_~?9", "Zq7ñandú", "Zq7" + "0" * 60)
SPOKEN = (
    *("wep_key={}", 'wep_key0="{}"', "wep-key0={}", "pin={}", "wps_pin: {}", '"pin": "{}"'),
    *("contraseña: {}", "Contraseña={}", "contraseña {}", "CONTRASEÑA DE root: {}"),
    *("la contraseña es {}", "la contrasenya de root és {}", "contrasenya {}", "clave: {}"),
    *("clave={}", "clave {}", "la clave del aula es {}", "clau: {}", "clau {}", "CLAU_WIFI={}"),
    *("palabra de paso: {}", "paraula de pas: {}", "mot de pas: {}", "contrasen\u0303a {}"),
    *("password {}", "Password {} accepted for root", "the password is {}", "passphrase {}"),
    *("passwd {}", "secret {}", "token {} was sent", "password changed to {}", "psk {}"),
    *("password root {}", "d-i passwd/root-password password {}", "rootpw --plaintext {}"),
    *('["--password", "{}"]', "['mount.cifs', '-p', '{}']", 'argv: ["--token","{}","x"]'),
    *('[\n  "--password",\n  "{}"\n]', '{{"name": "PASSWORD", "value": "{}"}}'),
    *('{{\\"password\\": \\"{}\\"}}', "{{'pwd' => '{}'}}", "os.environ['PASSWORD']='{}'"),
    *("<Password>{}</Password>", "<Password><![CDATA[{}]]></Password>", "<wcm:Password> {} </x>"),
    *("<Password><Value>{}</Value><PlainText>true</PlainText></Password>", "<Value>{}</Value>"),
    *("<Password>\n    <Value>{}</Value>\n  </Password>", '<property name="pin" value="{}"/>'),
    *("<user_password a='b'>{}<", "<key>Password</key>\n<string>{}</string>", "<u password='{}'/>"),
    *("smbclient -U alumno%{} //server/share", "username=alumno%{}", "mount //s/x alumno%{}"),
    *("mysql -u root -p{}", "sshpass -p{} ssh pc", "sshpass -p {} ssh pc", "xfreerdp /u:x /p:{}"),
    *("plink -pw {} host", "ldapsearch -w {} -D cn=x", "ipmitool -U root -P {} chassis"),
    *("echo root:{} | chpasswd", "echo 'root:{}' | sudo chpasswd -e", 'chpasswd <<< "root:{}"'),
    *("chpasswd <<EOF\nroot:{}\nEOF", "echo {} | passwd --stdin root", "echo {} | sudo -S ls"),
    *('echo -n "{}" | cryptsetup luksOpen /dev/sda2 x -', "openssl enc -passin pass:{}"),
    *("net user alumno {} /add", "net use \\\\srv\\x {} /user:y", "/password:{}"),
    *("    DefaultPassword    REG_SZ    {}", '"DefaultPassword"="{}"', "-Password {}"),
    *('ConvertTo-SecureString "{}" -AsPlainText', "CREATE USER x IDENTIFIED BY '{}'"),
    *("rocommunity {}", "rwcommunity {} 10.0.0.0/8", "com2sec readonly default {}"),
    *("snmpget -v2c -c {} host", "SNMP community string {}", "community: {}"),
    *("wpa_passphrase aula {}", "nmcli dev wifi connect aula password {}", "WIFI:S:a;T:WPA;P:{};;"),
    *("iwconfig wlan0 key s:{}", "iw dev wlan0 connect aula key 0:{}", "sae_password={}"),
    *("password:\n  {}\nnext: x", "secret: |\n  a\n  {}", "passwords:\n- {}", "- token:\n    {}"),
    *('"password":\n   "{}"', '"tokens": [\n  "a",\n  "{}"\n]', "chpasswd:\n  list: |\n    a:{}"),
    *("url?password%3D{}", "PGPASSWORD={} psql", "Set-Cookie: sid={}", "X-Auth-Token: {}"),
)
IN_URLS = ("http://user:{}@server/path", "smb://{}@server", "mount -t cifs //user:{}@server/share")
URL_SECRETS = st.text(WORDS + "!$%&()*+,-.:;=_~@", min_size=6, max_size=40).map("Zq7".__add__)


@given(st.sampled_from(PLACES), SECRETS, PLAIN, PLAIN)
def test_a_planted_secret_never_appears(place: str, secret: str, before: str, after: str) -> None:
    assert secret not in redact(f"{before}\n{place.format(secret)}\n{after}")


@pytest.mark.parametrize("place", SPOKEN)
@pytest.mark.parametrize("around", ["{}", "Nov 27 03:28:04 pc7 job[12]: {}\nnext line", "x; {}"])
def test_nor_one_that_is_said_or_given_to_a_program(place: str, around: str) -> None:
    for secret in WORDS_OF_ONE:
        assert secret not in redact(around.format(place.format(secret)))


def test_what_stands_below_a_name_goes_and_the_names_and_what_follows_stay() -> None:
    text = "chpasswd:\n  list: |\n    root:Zq7\n    me:Zq8\n  expire: Zq9\nhostname: pc7\n"
    told = redact(text)
    assert "Zq" not in told
    assert told.endswith(f"  expire: {REMOVED}\nhostname: pc7\n")


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
        "og1~lab/debian~1764200000~0123456789abcdef0123456789abcdef~" + "0123456789abcdef" * 4,
        "cut: 0123456789abcdef0123456789abcdef~" + "0123456789abcdef" * 4,
        "og1%7Edebian%7E1764200000%7Eabc",
        "key 111111-222222-333333-444444-555555-666666-777777-888888",
        "manage-bde: 111111 222222 333333 444444 555555 666666 777777 888888",
        "password_pbkdf2 root grub.pbkdf2.sha512.10000.AB12.CD34",
        "root:abJnggxhB/yWI:19000:0:99999:7:::",
        "alumno:1001:aad3b435b51404eeaad3b435b51404ee:31d6cfe0d16ae931b73c59d7e0c089c0:::",
        "userPassword {SSHA}abcdefABCDEF0123456789==",
        "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHQ$RdescudvJCsgt3ub",
        "-----BEGIN PGP PRIVATE KEY BLOCK-----\nlQdGBF",
        "PIN 123456",
        "ghp_0123456789abcdefABCDEF",
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
        "password file missing",
        "Failed to open password file: no such file",
        "systemd[1]: Started ask.path - Forward Password Requests to Wall Directory Watch.",
        "systemd[1]: Reached target cryptsetup.target - Local Encrypted Volumes.",
        "Key type asymmetric registered",
        "Loaded X.509 cert 'Debian Secure Boot CA: 6ccece7e4c6c0d1f6149f3dd27dfcc5cbb419ea1'",
        "pinctrl core: initialized pinctrl subsystem",
        "Initialise system trusted keyrings",
        "input: Power Button as /devices/LNXSYSTM:00/LNXPWRBN:00/input/input0",
        "pam_unix(sshd:auth): authentication failure; uid=0 tty=ssh rhost=10.0.0.1 user=root",
        "sshd[1]: Accepted password for root from 10.0.0.2 port 4242 ssh2",
        "sshd[1]: Failed password for invalid user admin from 10.0.0.2 port 4242 ssh2",
        "mkdir -p /run/oglive/receipts",
        "find / -path /proc -prune -o -print",
        "fsck -p /dev/sda1",
        "partclone.extfs -c -s /dev/sda1 -o -",
        "mkfs.ext4 -p x",
        "random: crng init done",
        "PM: hibernation: Registered nosave memory: [mem 0x00000000-0x00000fff]",
        "pci 0000:00:1f.2: PME# supported from D3hot",
        "clause 45 phy",
        'audit: type=1400 audit(1.2:3): apparmor="STATUS" operation="profile_load"',
        "the restore took 12.3 s, 45% done, 100%busy",
        "partition 1 passed all checks: sound",
        "USB passthrough: enabled",
        "signature verified: key id 0123456789abcdef",
        "tokenizer loaded",
        "nvme0n1: p1 p2 p3",
        "La partición 2 está montada",
        "S'ha desat la imatge: debian",
        "passengers: 3",
        "compass: ok",
        "pressure pin count 4",
        "No token could be used",
        "og: The upload token has expired. Get one with `ogrepo token NAME --dir DIR`.",
        "og: The upload token is malformed.",
        "ssh -p 22 root@host",
        "ip -4 addr; sed -n 1p; patch -p1",
        "chpasswd: (user root) pam_chauthtok() failed",
        "passwd: password changed.",
        "passwd: password expiry information changed.",
        "usermod -L alumno",
        "cp -pr /a /b; rsync -progress x",
        "cache: evicted images/win10.img (12.3 GiB)",
        "memory: 1024 MiB; swap: none",
        "keyboard: pc105",
        "monkey: business",
        "IRQ pin A",
        "gpio pin 12 is low",
        "drm: pipe A: 1920x1080",
        "authenticated with partial success",
        "Started session 3 of user root.",
        "secretary: x",
        "og deploy debian 1 2 --layout bios",
        "og-pc7 kernel: usb 1-1: new high-speed USB device number 2 using xhci_hcd",
        "/dev/sda1: clean, 123/456 files, 789/1000 blocks",
        "2026-11-27T03:45:46+00:00 pc7 systemd[1]: Starting x...",
    ],
)
def test_what_support_needs_stays(text: str) -> None:
    assert redact(text) == text
