# SPDX-License-Identifier: GPL-3.0-or-later
"""Texts of images, disks and servers take time by their length, not by its square.

Every parser gets texts made of one piece again and again: blanks, blank lines, and the words that
it looks for. What it does is counted (calls of functions), for a text and for one four times as
long. What no count shows, the work inside of a pattern or of a copy, is bounded by seconds of
processor time where a square takes minutes; so the load of the machine decides nothing.
"""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import trying
from oglib.boot.bls import adapt_entry
from oglib.boot.default_entry import environment_of, of_bls, of_grub, of_menu_lst
from oglib.boot.facts import BootFacts
from oglib.boot.grub_config import adapt_config, adapt_defaults, adapt_environment
from oglib.boot.legacy import adapt_legacy
from oglib.disk.firmware import Firmware
from oglib.disk.model import Disk, TableKind
from oglib.disk.planning.layout import parse_layout
from oglib.disk.planning.old_layouts import is_old_list, parse_configurar
from oglib.engine_cfg import parse_cfg, parse_json
from oglib.errors import OgError, printable
from oglib.filesystem.mounts import parse_mountinfo
from oglib.filesystem.probe import parse_udev
from oglib.fitting.devices import Known
from oglib.image.format.disk_manifest import DiskManifest
from oglib.image.format.manifest import Manifest
from oglib.image.format.signing import PublicKey
from oglib.image.reading.formats.folders import clonezilla, fog
from oglib.image.reading.formats.folders.table_dump import parse_dump
from oglib.inventory.devices import parse_pci_ids
from oglib.inventory.hardware import parse_cpuinfo
from oglib.inventory.memory import parse_dmidecode
from oglib.inventory.redact import redact
from oglib.inventory.rpm import parse_header
from oglib.inventory.sanitized import one_line
from oglib.inventory.software import newest_release, parse_dpkg
from oglib.osconfig.facts import PcFacts
from oglib.osconfig.fstab import adapt_fstab, entries, swap_uuids
from oglib.osconfig.linux import system as linux_system
from oglib.osconfig.linux.crypt import adapt_crypttab
from oglib.osconfig.linux.mounts import adapt_resume
from oglib.osconfig.linux.names import adapt_hosts, adapt_variable
from oglib.settings import parse_cmdline, parse_env

# Of the processor, for one text: its square takes half a minute, its length 0.1 s. `make check`
# reads a quarter of the text, whose square takes 2 s.
MOST_CPU_S = 5 / trying.share()
UUID = "11111111-1111-4111-8111-111111111111"
FACTS = PcFacts(Known("ext4", UUID, number=1), swaps=(Known("swap", "2" * 8),))
BOOT = BootFacts(
    Disk(number=1, path=Path("/dev/none"), size_bytes=1 << 30, table=TableKind.GPT),
    Firmware.BIOS,
    "debian",
    FACTS.root,
)
ANY = (
    "\n",
    " ",
    "a",
    "a ",
    "a\n",
    "\t\n",
    '"',
    "=",
    "a=",
    ": ",
    "\\",
    "'",
    "#\n",
    "1",
    "\x85",
    "é",
)
BEHIND = ("\n", " ", "\t", "a", '"')


@dataclass(frozen=True)
class Parser:
    """One that reads foreign text. ``pieces``: what is repeated, behind ``heads``."""

    read: Callable[[str], object]
    pieces: tuple[str, ...] = ()
    heads: tuple[str, ...] = ("",)
    size: int = 1 << 17


def _grub(text: str) -> object:
    return adapt_config(text, BOOT)


def _fstab(text: str) -> object:
    return adapt_fstab(text, FACTS)


def _clonezilla(text: str) -> object:
    patterns = (clonezilla._FDISK_SIZE, clonezilla._LSBLK_SIZE, clonezilla._OF_IMAGE)
    first = (clonezilla._PARTED_SIZE, clonezilla._PARTED_SECTOR)
    return (
        [pattern.search(text) for pattern in first],
        [list(pattern.finditer(text)) for pattern in (*patterns, clonezilla._SHELL)],
    )


def _signed_json(text: str) -> object:
    raw = text.encode()
    for kind in (Manifest, DiskManifest):
        with suppress(OgError):
            kind.from_bytes(raw)
    return None


PARSERS = {
    "grub.cfg": Parser(
        _grub,
        ("root=x ", "/dev/sda1 ", "resume=UUID=x ", "linux /x root=/dev/sda1 resume=/dev/sda2\n",
         "### BEGIN /etc/grub.d/10_linux ###\n", "1"),
        ("", "\tlinux ", "initrd \n", "initrd x\nlinux root=/dev/sda1 ", "linux root=/dev/",
         "### BEGIN /etc/grub.d/", "### BEGIN /etc/grub.d/1_linux", "linux x resume="),
    ),
    "grub.cfg, search": Parser(
        _grub,
        ("search --fs-uuid a\n", "set root=hd0,1\n", "set root=hd0,1;", "search -u a;",
         "--hint=hd0,1 ", ",1", "${", "\\\n"),
        ("", "search --fs-uuid ", "set root=hd0", "kernelopts="),
    ),
    "grub.cfg, its default": Parser(
        lambda text: of_grub(text, {}),
        ("menuentry 'a' {\n", "submenu a {\n", "}\n", "set default=$a\n", "linux /a $b ${c}\n",
         "$a", "${a", "'a' ", '\\"', "; "),
        ("", "menuentry a {\n", 'menuentry "', "menuentry '", "menuentry a {\nlinux /a "),
    ),
    "loader/entries": Parser(
        lambda text: (of_bls({"a.conf": text, "b.conf": text}, {}), environment_of(text)),
        ("linux /a\n", "version 1.2\n", "initrd /a\n", "options $a\n", "1.", "a="),
        ("", "linux ", "linux /a\nversion ", "linux /a\noptions "),
    ),
    "menu.lst": Parser(
        of_menu_lst,
        ("title a\n", "kernel /a\n", "initrd /b\n", "default 1\n", "=", "--a "),
        ("", "title a\nkernel ", "default="),
    ),
    "default/grub": Parser(
        lambda text: adapt_defaults(text, BOOT),
        ("resume=x ", "resume=", "GRUB_CMDLINE_LINUX"),
        ("", 'GRUB_CMDLINE_LINUX="', "GRUB_CMDLINE_LINUX"),
    ),
    "os-release": Parser(
        lambda text: linux_system._variables(text, ("ID", "NAME")),
        ("ID=a\n", "\\a", "'a'"),
        ("", "NAME=", 'NAME="', "ID='"),
        size=1 << 20,
    ),
    "hosts": Parser(
        lambda text: adapt_hosts(text, "old", "new"),
        ("127.0.0.1 old\n", "127.0.1.1\n", "old ", "::1 "),
        ("", "127.0.0.1 ", "127.0.1.1 "),
    ),
    "resume": Parser(
        lambda text: adapt_resume(text, FACTS),
        ("RESUME=x\n", "RESUME=", " ", "\t"),
        ("", "RESUME=", " RESUME=UUID="),
    ),
    "crypttab": Parser(
        lambda text: adapt_crypttab(text, FACTS),
        ("a /dev/sda1\n", "a /dev/sda2 /dev/urandom swap\n", "a ", " ", "\t"),
        ("", "a /dev/sda"),
    ),
    "boot entry": Parser(
        lambda text: adapt_entry(text, BOOT),
        ("options root=x\n", "root=UUID=x ", "resume=", "initrd "),
        ("", "options ", "options root="),
    ),
    "menu.lst, changed": Parser(
        lambda text: adapt_legacy(text, BOOT),
        ("title a\n", "kernel /a root=x\n", "root (hd0,0)\n", "initrd ", "(hd0,", "root=a "),
        ("", "kernel ", "root ", "kernel /a root="),
    ),
    "grubenv": Parser(
        lambda text: adapt_environment(text, BOOT),
        ("kernelopts=root=x\n", "#", "root=UUID=x "),
        ("", "kernelopts="),
    ),
    "shell variable": Parser(
        lambda text: adapt_variable(text, "HOSTNAME", "new", missing=True),
        ("HOSTNAME=a\n", "HOSTNAME=", "'", " ", "a"),
        ("", "HOSTNAME=", "HOSTNAME='", "HOSTNAME=a "),
    ),
    "fstab": Parser(
        _fstab,
        ("/dev/sda1 / ext4\n", "UUID=a none swap\n", "/dev/sdb1 /x ext4 a\n", "UUID=", "9", ","),
        ("", "/dev/sda", "UUID=a / ext4 ", "UUID=a /x ext4 ", "/dev/sda1 / ", "UUID=a"),
    ),
    "fstab, read": Parser(lambda text: (entries(text), swap_uuids(text)), ("UUID=a n swap\n",)),
    "dpkg": Parser(
        lambda text: list(parse_dpkg(text)),
        ("Package: a\nStatus: installed\n\n", "Package:", "\n \n", "Status: "),
        ("", "Package: ", "Package: a\nStatus:"),
    ),
    "flatpak": Parser(
        newest_release,
        ("<release ", "<release", "version=", 'version="', "<release version=", "<release>"),
        ("", "<release ", '<release version="'),
    ),
    "table dump": Parser(
        parse_dump,
        ("a:", "/dev/sda1 : start=1\n", "a=", ",", '",', "size=1,", "label: dos\n", "/dev/sda1 : "),
        ("", "/dev/sda1 : start=", "/dev/sda1 : start=1, name=", '/dev/sda1 : size=1,a="',
         "label: dos\n"),
    ),
    "clonezilla": Parser(
        _clonezilla,
        ("Disk /dev/", ":", "Disk /dev/a: ", 'UUID="', 'UUID="\n', "a b 1 disk\n", "1 ", "5s"),
        ("", "Disk /dev/", "Disk /dev/a: 1", "Disk /dev/a: 5s", 'UUID="', "a b ", "a ", "a b 1"),
    ),
    "fog": Parser(lambda text: list(fog._numbered(text)), ("1 a\n", "1"), ("", "/dev/sda")),
    "signed JSON": Parser(
        _signed_json, ("[", '{"a":', '"a",', "[],", '{"format":1},'), ("", '{"a":[', '{"a":"')
    ),
    "layout": Parser(
        parse_layout,
        ("a.", "[a]\n", "[[a]]\n", "a={}\n", "[", '""".', "a=1\n", '{"a":', "a.b.c=1\n", "{},"),
        ("", "a.", "[a.", 'a="', 'a="""', "a=[", '{"table":"gpt","partitions":['),
    ),
    "old list": Parser(is_old_list, ("LINUX:1 ", "A-", "9"), ("", "LINUX:")),
    "Configurar": Parser(
        parse_configurar,
        ("par=1*cpt=NTFS%", "%", "*", "!"),
        ("", "dis=1*che=0!", "dis=1*che=0!par="),
    ),
    "engine.cfg": Parser(
        lambda text: parse_cfg(text + '"x'),
        ("A=b\n", "export ", ";", "A=  "),
        ("", "A=", "A='", "export", "export A=\t"),
    ),
    "engine.json": Parser(parse_json, ("[", '{"name":"a"},'), ("", '{"variables":[', '{"a":"')),
    "kernel command line": Parser(parse_cmdline, ("a=b ",)),
    "boot.env": Parser(parse_env, ("A=b\n",)),
    "mountinfo": Parser(
        parse_mountinfo, ("1 2 8:1 / / rw - ext4 /dev/sda1 rw\n", "\\040", " - ", "ro,")
    ),
    "blkid": Parser(parse_udev, ("ID_FS_LABEL_ENC=a\n", "\\x20", "\\x"), ("", "ID_FS_LABEL_ENC=")),
    "cpuinfo": Parser(parse_cpuinfo, ("processor\n", "processor: 1\n\n", "\t"), ("", "processor")),
    "dmidecode": Parser(
        parse_dmidecode,
        ("Handle \n", "Handle a\nMemory Device\n\tSize: 1 GB\n", "\tSize: 1 GB\n", "\tSize:"),
        ("", "Handle a\nMemory Device\n", "Handle a\nMemory Device\n\tSize: 1 GB\n\tType: "),
    ),
    "pci.ids": Parser(
        lambda text: parse_pci_ids(text.splitlines(), {("8086", "1")}), ("8086  a\n",)
    ),
    "public key": Parser(PublicKey.from_line, ("ed25519 ", "A"), ("", "ed25519 ")),
    "one line": Parser(one_line),
    "printable": Parser(printable, ("\x1b", "\x1ba")),
    "rpm header": Parser(
        lambda text: parse_header(
            len(text).to_bytes(4)
            + len(text).to_bytes(4)
            + b"\0\0\3\xe8\0\0\0\6\0\0\0\0\0\0\0\1" * len(text)
            + text.encode("ascii", "replace")
        ),
        size=1 << 15,
    ),
    "report": Parser(
        redact,
        ("password=", "password: ", "--password ", "key", "//", "a:", "a@", "$6$", "aA1", "AAAAA-",
         "-----BEGIN PRIVATE KEY", "eyJ", "111111-", "<Password>", '["--password",', "-u ", "-p",
         "pass", "- ", "token\n", "pw:\n", "A|chpasswd", "user%", "pin ", "key: |\n", "echo a|",
         "-U a%", "passwd a b ", "0" * 32 + ":", "WIFI:", "password for a is "),
        ("", "password: "),
        size=1 << 16,
    ),
}  # fmt: skip


def texts(parser: Parser, size: int) -> Iterator[tuple[str, str]]:
    for head in parser.heads:
        for piece in dict.fromkeys((*parser.pieces, *(BEHIND if head else ANY))):
            yield f"{head!r} + n * {piece!r}", head + piece * (size // len(piece)) + "!"


@contextmanager
def processor_time(limit_s: float, what: str) -> Iterator[None]:
    """An end by seconds of the processor; Python's patterns look for signals while they work."""

    def over(_number: int, _frame: FrameType | None) -> None:
        raise AssertionError(f"{what}: more than {limit_s} s of processor time")

    before = signal.signal(signal.SIGVTALRM, over)
    signal.setitimer(signal.ITIMER_VIRTUAL, limit_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def read(parser: Parser, text: str) -> None:
    with suppress(OgError, ValueError):  # what it says of such a text is for other tests
        parser.read(text)


def calls(parser: Parser, text: str) -> int:
    """How many functions were called, of Python and of C."""
    count = 0

    def seen(_frame: FrameType, event: str, _argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(seen)
    try:
        read(parser, text)
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("name", PARSERS)
def test_four_times_the_text_is_four_times_the_work(name: str) -> None:
    parser = PARSERS[name]
    for (what, short), (_, long) in zip(texts(parser, 400), texts(parser, 1600), strict=True):
        few, many = calls(parser, short), calls(parser, long)
        assert many <= 6 * few + 300, f"{name}: {what}: {few} calls, then {many}"


@pytest.mark.parametrize("name", PARSERS)
def test_a_long_text_takes_no_square_of_its_length(name: str) -> None:
    parser = PARSERS[name]
    for what, text in texts(parser, parser.size // trying.share()):
        with processor_time(MOST_CPU_S, f"{name}: {what}"):
            read(parser, text)


def test_json_is_not_followed_for_ever_into_itself() -> None:
    for raw in ("[" * 100_000, json.dumps("[" * 10) + "[" * 100_000):
        with pytest.raises(ValueError, match=r"without end|Extra data"):
            parse_json(raw)
