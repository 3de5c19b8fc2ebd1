# SPDX-License-Identifier: GPL-3.0-or-later
"""What each kind of entry starts, and what the kernel is told."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest

from ognetboot.inventory.reading import parse
from ognetboot.texts.render import render
from unit.ognetboot.texts.ipxe_machine import MISSING, OK, Ipxe

DATA = Path(__file__).parents[1] / "data"
KINDS = """
[entries.windows]
kind = "system"
title = "Windows"
partition = 3
[entries.second]
kind = "system"
title = "Disk 2"
disk = 2
partition = 1
[entries.setup]
kind = "firmware"
title = "Setup"
[entries.memory]
kind = "memtest"
title = "Memory"
[entries.rescue]
kind = "custom"
title = "Rescue"
template = "rescue"
[[clients]]
mac = "52:54:00:00:00:01"
name = "pc1"
"""
Tree = dict[PurePosixPath, str]


@pytest.fixture(scope="module")
def kinds() -> Tree:
    text = (DATA / "minimal.toml").read_text() + KINDS
    return render(parse(text, source="x.toml"), PurePosixPath("/srv/oglive/netboot"))


def started(tree: Tree, entry: str, platform: str, custom: str = "") -> tuple[str, list[str]]:
    """How the entry's start ends, and what was fetched for it."""

    def serve(url: str) -> tuple[str, str]:
        if "/custom/" in url:
            return (OK, custom) if custom else (MISSING, "")
        return OK, "program"

    known = {
        "platform": platform,
        "netX/mac": "52:54:00:00:00:01",
        "og_base": "http://10.0.2.2/netboot",
    }
    pc = Ipxe(serve, known, choice=f"entry_{entry}")
    pc.run(tree[PurePosixPath("ipxe/mac-52-54-00-00-00-01.ipxe")])
    return pc.ended, [url for url, _ in pc.fetched if "/menus/" not in url]


@pytest.mark.parametrize(
    ("entry", "platform", "ended"),
    [
        ("windows", "efi", "chain tftp://10.0.2.2/disk.efi og-system-Part-01-03-hd0-3"),
        ("windows", "pcbios", "chain tftp://10.0.2.2/disk.0 og-system-Part-01-03-hd0-3"),
        ("second", "efi", "chain tftp://10.0.2.2/disk.efi og-system-Part-02-01-hd1-1"),
        ("setup", "efi", "chain tftp://10.0.2.2/disk.efi og-firmware"),
        # No program opens a BIOS' setup: it is said, and the disk starts.
        ("setup", "pcbios", "sanboot"),
        ("memory", "efi", "chain http://10.0.2.2/netboot/memtest.efi "),
        ("memory", "pcbios", "boot"),
        ("localdisk", "efi", "chain tftp://10.0.2.2/disk.efi og-disk"),
        ("localdisk", "pcbios", "sanboot"),
    ],
)
def test_each_kind(kinds: Tree, entry: str, platform: str, ended: str) -> None:
    assert started(kinds, entry, platform)[0] == ended


def test_lines_of_the_sites_own(kinds: Tree) -> None:
    ended, fetched = started(kinds, "rescue", "efi", "#!ipxe\nsanboot --drive 0x81 ||\n")
    assert (ended, fetched) == ("sanboot", ["http://10.0.2.2/netboot/custom/rescue.ipxe"])
    ended, _ = started(kinds, "rescue", "efi")
    assert ended == "chain tftp://10.0.2.2/disk.efi og-disk"
    assert "(tftp)/custom/rescue.cfg" in kinds[PurePosixPath("grub/01-52:54:00:00:00:01")]


def test_what_scopes_say_reaches_the_kernel() -> None:
    text = (DATA / "campus.toml").read_text("utf-8").replace('entry = "10"', 'entry = "pxe"')
    text = text.replace("teacher = true", 'teacher = true\nentry = "pxe"')
    tree = render(parse(text, source="x.toml"), PurePosixPath("/srv/oglive/netboot"))
    script = tree[PurePosixPath("ipxe/uuid-4c4c4544-0042-3510-8058-b7c04f4d3133.ipxe")]
    kernel = next(line for line in script.splitlines() if line.startswith("kernel ")).split()
    words = "LANG=ca_ES.UTF-8 keyboard=es ogproxy=http://proxy.example.org:3128 ogntp=10.0.2.1 "
    words += "ogunit=FIB oglivedir=oglive/2026.11 hostname=aula1-pc02 ogdisk.system=nvme "
    words += "ogmirrors=http://10.0.2.3:8080,/opt/opengnsys/images"
    for word in words.split():
        assert word in kernel, word
    script = tree[PurePosixPath("ipxe/mac-52-54-00-00-00-01.ipxe")]
    assert "ogprof=true" in script
    assert "hardprofile=OptiPlex-7010" in script
