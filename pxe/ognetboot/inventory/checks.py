# SPDX-License-Identifier: GPL-3.0-or-later
"""What a single value of an inventory may be.

Every function takes the text as a person wrote it and returns it typed and normalised, or raises
`ValueError` with the rest of a sentence ("is not ..."). No function knows where its value stood:
`fields.py` adds table and key.
"""

from __future__ import annotations

import re
import unicodedata
from ipaddress import AddressValueError, IPv4Address, IPv4Network, NetmaskValueError
from pathlib import PurePosixPath

# A boot menu is 80 columns wide; border, key and countdown take the rest.
TITLE_LIMIT = 60
# Linux on x86 cuts its command line here (COMMAND_LINE_SIZE), silently.
COMMAND_LINE_LIMIT = 2048

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_HOST_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_BARE_MAC = re.compile(r"[0-9a-f]{12}")
_THREE_WORDS = re.compile(r"[0-9a-f]{4}(\.[0-9a-f]{4}){2}")
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# Left in firmware by makers, and so the same in thousands of PCs.
_FILLER_UUIDS = {"03000200-0400-0500-0006-000700080009", "12345678-1234-5678-90ab-cddeefaabbcc"}
_SERIAL_LIMIT = 64
_INTERFACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,14}")
# Plain in all three places an argument passes through: iPXE, GRUB and the kernel's own parser.
_ARGUMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.,:=/@%+~-]*")
_CONSOLE = re.compile(r"[A-Za-z][A-Za-z0-9]*(,[A-Za-z0-9]+)?")
# A number, a rule, a serial number, a WWN, NUMBER@SERIAL or PARTUUID=...; a job is split at colons.
_DISK = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@=+-]{0,63}")
_DISK_RULE = re.compile(r"[a-z][a-z0-9-]{0,31}")
_PATH = re.compile(r"/[A-Za-z0-9_.+~/-]*")
_VERSION = re.compile(r"[1-9][0-9]{0,8}")
# As long as a repository lets an image's name be, folders included.
_IMAGE_LIMIT = 200

# What the inventory has a field of its own for, or what ognetboot writes by itself.
OWNED_ARGUMENTS = {
    "BOOTIF": "nothing: it is written for every PC",
    "initrd": "`site_overlay` or `variant`",
    "ogrepo": "`repository` in [server]",
    "ogmirrors": "`mirrors` in [server] or a narrower scope",
    "oglive": "`address` in [server]",
    "oglivedir": "`profile` and `version`",
    "hostname": "`name` in [[clients]]",
    "group": "`group` in [rooms]",
    "ogactiveadmin": "`admin`",
    "ogjob": "`job`",
    "ogentry": "nothing: it is written for every PC",
    "ogstamp": "nothing: it is written for every PC",
    "oglayout": "`job.layout`",
    "ogmethod": "`method`",
    "ogmcast": "`multicast`",
    "ogtorrent": "`p2p`",
    "ogafter": "`job.after`",
    "console": "`console`",
}


def name(text: str) -> str:
    """A name that may stand in a file name, a label and a kernel argument."""
    if not _NAME.fullmatch(text) or len(text) > 64:
        raise ValueError(
            f"{text!r} is not a name: letters without accents, digits, `.`, `_`, `-`, at most 64, "
            "a letter or digit first"
        )
    return text


def image(text: str) -> str:
    """The name of an image in the repository, folders included: `lab1/debian`."""
    parts = text.split("/")
    if len(text) > _IMAGE_LIMIT or not all(_NAME.fullmatch(part) for part in parts):
        raise ValueError(
            f"{text!r} is not the name of an image: letters without accents, digits, `.`, `_`, "
            f"`-`, folders before it with `/`, at most {_IMAGE_LIMIT}, each with a letter or digit "
            "first"
        )
    if ".img" in text:
        raise ValueError(f"{text!r} is the name of a file; an image's name is without `.img`")
    return text


def image_version(text: str) -> str:
    """The same, or one version of it: `debian@3`."""
    plain, at, version = text.partition("@")
    if at and not _VERSION.fullmatch(version):
        raise ValueError(f"{text!r} names no version: write it as in `debian@3`")
    return image(plain) + at + version


def disk(text: str) -> str:
    """What ogLive takes for a disk, as far as it can stand in a job."""
    if not _DISK.fullmatch(text) or not text.strip("0"):
        raise ValueError(
            f"{text!r} is not a disk: a number, `system`, `nvme`, `largest`, a serial number "
            "or NUMBER@SERIAL"
        )
    return text


def disk_rule(text: str) -> str:
    """The name of a rule that a PC may overrule."""
    if not _DISK_RULE.fullmatch(text):
        raise ValueError(f"{text!r} is not the name of a disk rule such as system")
    return text


def hostname(text: str) -> str:
    """One label of RFC 1123, so that it is good for DHCP, /etc/hostname and Windows alike."""
    if not _HOST_LABEL.fullmatch(text):
        raise ValueError(
            f"{text!r} is not a host name: letters without accents, digits and inner `-`, at most "
            "63"
        )
    return text


def mac(text: str) -> str:
    """Lower case with colons, whatever separator was written, or in threes as in 001a.2b3c.4d5e."""
    plain = text.strip().lower().replace("-", ":")
    if "." in plain and _THREE_WORDS.fullmatch(plain):
        plain = plain.replace(".", "")
    if _BARE_MAC.fullmatch(plain):
        plain = ":".join(plain[i : i + 2] for i in range(0, 12, 2))
    if not _MAC.fullmatch(plain):
        raise ValueError(f"{text!r} is not a MAC address like 52:54:00:12:34:56")
    if int(plain[:2], 16) & 1 or plain == "00:00:00:00:00:00":
        raise ValueError(f"{text!r} is no PC's own MAC address (a group address, or all zero)")
    return plain


def uuid(text: str) -> str:
    """The UUID that the firmware tells, in small letters; those that many PCs have are refused."""
    plain = text.strip().lower()
    if not _UUID.fullmatch(plain):
        raise ValueError(f"{text!r} is not a UUID like 4c4c4544-0042-3510-8058-b7c04f4d3132")
    if plain in _FILLER_UUIDS or len(set(plain.replace("-", ""))) == 1:
        raise ValueError(f"{text!r} is no PC's own UUID: makers leave it where they set none")
    return plain


def serial(text: str) -> str:
    """A serial number as the firmware tells it."""
    line = " ".join(text.split())
    if not line or not line.isprintable() or not line.isascii() or len(line) > _SERIAL_LIMIT:
        raise ValueError(
            f"{text!r} is not a serial number: at most {_SERIAL_LIMIT} printable ASCII characters"
        )
    return line


def ipv4(text: str) -> IPv4Address:
    """A unicast IPv4 address."""
    try:
        address = IPv4Address(text)
    except AddressValueError:
        raise ValueError(f"{text!r} is not an IPv4 address") from None
    if address.is_multicast or address.is_unspecified or int(address) == 2**32 - 1:
        raise ValueError(f"{text!r} is not the address of one machine")
    return address


def subnet(text: str) -> IPv4Network:
    """A network such as 10.0.2.0/24 or 10.0.2.0/255.255.255.0, with room for server and PC."""
    try:
        network = IPv4Network(text)
    except (AddressValueError, NetmaskValueError, ValueError):
        raise ValueError(f"{text!r} is not a network such as 10.0.2.0/24") from None
    if "/" not in text or network.prefixlen > 30:
        raise ValueError(f"{text!r} is no network that holds a server and PCs (prefix at most /30)")
    return network


def host_port(text: str) -> str:
    """`HOST` or `HOST:PORT`, the host being an IPv4 address or a DNS name."""
    host, colon, port = text.partition(":")
    if colon and not (re.fullmatch(r"[0-9]{1,5}", port) and 0 < int(port) < 65536):
        raise ValueError(f"{text!r} is not HOST or HOST:PORT")
    if not host or len(host) > 253 or not all(_HOST_LABEL.fullmatch(p) for p in host.split(".")):
        raise ValueError(f"{text!r} is not HOST or HOST:PORT")
    return text


def interface(text: str) -> str:
    """A Linux network interface name."""
    if not _INTERFACE.fullmatch(text):
        raise ValueError(f"{text!r} is not a network interface")
    return text


def directory(text: str) -> PurePosixPath:
    """An absolute path that dnsmasq reads as it is written."""
    path = PurePosixPath(text)
    if not _PATH.fullmatch(text) or ".." in path.parts or text.startswith("//"):
        raise ValueError(f"{text!r} is not an absolute path of plain characters")
    return path


def title(text: str) -> str:
    """What a person reads in a menu: one line of printable characters, accents and all.

    What a loader can show of it, and how, is said where its texts are written.
    """
    if not text.isprintable():
        raise ValueError(f"{text!r} holds characters that cannot be shown")
    line = " ".join(text.split())
    if not line:
        raise ValueError("is empty")
    if columns(line) > TITLE_LIMIT:
        raise ValueError(f"{text!r} is longer than {TITLE_LIMIT} characters")
    return line


def columns(text: str) -> int:
    """How many columns of a text screen the characters take; East Asian ones take two."""
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    marks = sum(bool(unicodedata.combining(c)) for c in text)
    return len(text) + wide - marks


def argument(text: str) -> str:
    """One free kernel argument; what has a field of its own is refused."""
    if not _ARGUMENT.fullmatch(text):
        raise ValueError(
            f"{text!r} is not one kernel argument (no blank, quote, `$`, `;` or line break)"
        )
    key = text.partition("=")[0]
    if key.startswith("ogdisk."):
        raise ValueError(f"{text!r} cannot be set here; use `disks` of a room or PC")
    if key in OWNED_ARGUMENTS:
        raise ValueError(f"{text!r} cannot be set here; use {OWNED_ARGUMENTS[key]}")
    return text


def console(text: str) -> str:
    """What the kernel takes after `console=`: tty0, or ttyS0,115200n8."""
    if not _CONSOLE.fullmatch(text):
        raise ValueError(f"{text!r} is not a console such as tty0 or ttyS0,115200")
    return text
