# SPDX-License-Identifier: GPL-3.0-or-later
"""``og boot DISK PART``: what is started, how, and that all is refused before anything is let go.

The disks are files with real filesystems. Going down and loading a kernel are programs that note
what they were told; what a PC does then, a virtual one shows.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from disk.deploy.room import LINUX, MIB, Said, og
from disk.deploy.room import tree as make_tree
from disk.inventory.room import tool
from oglib import settings
from oglib.boot import kexec
from oglib.boot.nvram import fitting, presence, variables
from oglib.boot.nvram.table import read_table
from oglib.boot.nvram.variables import Variables
from oglib.deploy.system import start
from oglib.disk.lock import held
from oglib.disk.loop import attached
from oglib.disk.probe import probe_target
from oglib.errors import OgErr
from oglib.settings import Settings
from unit.boot.efivars import ESP, option, ovmf, words

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: loop devices, mounts")

GRUB = """\
set default="1"
menuentry 'other' {
  linux /boot/other root=/dev/sda9
}
menuentry 'Debian' {
  linux /boot/vmlinuz root=UUID=11111111-2222-3333-4444-555555555555 ro quiet
  initrd /boot/microcode.img /boot/initrd.img
}
"""
DEBIAN = {**LINUX, "boot/grub/grub.cfg": GRUB, "boot/microcode.img": "uuu"}
OPTIONS = "root=UUID=11111111-2222-3333-4444-555555555555 ro quiet"
_TABLE = (
    f"label: gpt\nstart=2048,size=32768,type=linux\nstart=34816,size=8192,type=uefi,uuid={ESP}\n"
)
_KEXEC = """#!/bin/sh
echo "$@" >> {said}
case "$1" in
{refused}) echo "kexec_file_load failed: Operation not permitted" >&2; exit 255;;
esac
if [ "$2" = -l ]; then cat "$3" > {kernel}; echo {loaded} > {sys}/kernel/kexec_loaded; fi
if [ "$1" = -u ]; then echo 0 > {sys}/kernel/kexec_loaded; fi
for word; do case "$word" in --initrd=*) cat "${{word#--initrd=}}" > {initrd};; esac; done
"""


class Pc:
    """A PC whose disk is a file, with programs that note what they are told."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.patch = folder, monkeypatch
        self.sys = folder / "sys"
        (self.sys / "kernel/security").mkdir(parents=True)
        (self.sys / "kernel/kexec_loaded").write_text("0\n")
        (self.sys / "kernel/security/lockdown").write_text("[none] integrity confidentiality\n")
        for module in (kexec, variables, fitting):
            monkeypatch.setattr(module, "SYS", self.sys)
        monkeypatch.setattr(kexec, "PROC", folder / "proc")
        self.bin = folder / "bin"
        self.bin.mkdir()
        monkeypatch.setenv("PATH", str(self.bin), prepend=":")
        self.program("systemctl", f'#!/bin/sh\necho "$@" >> {folder}/systemctl\n')
        self.with_kexec()

    def program(self, name: str, text: str) -> None:
        (self.bin / name).write_text(text)
        (self.bin / name).chmod(0o755)

    def with_kexec(self, refused: str = "never", loaded: int = 1) -> None:
        names = {name: self.folder / name for name in ("said", "kernel", "initrd")}
        self.program("kexec", _KEXEC.format(refused=refused, loaded=loaded, sys=self.sys, **names))

    def disk(self, files: dict[str, str] = DEBIAN, name: str = "pc.img") -> Path:
        path = self.folder / name
        with path.open("wb") as file:
            file.truncate(24 * MIB)
        tool("sfdisk", "--quiet", "--no-tell-kernel", path, stdin=_TABLE)
        with attached(path, offset_bytes=MIB, size_bytes=16 * MIB) as device:
            tool("mkfs.ext4", "-q", "-d", make_tree(self.folder / f"{name}.tree", files), device)
        self.patch.setenv("OG_DISKS", str(path))
        return path

    def uefi(self, loader: str = "EFI/debian/shimx64.efi") -> Variables:
        """Started by UEFI, with this loader on its ESP: a host without vfat cannot mount it."""
        esp = self.folder / "esp"
        if loader:
            (esp / loader).parent.mkdir(parents=True)
            (esp / loader).touch()
        esp.mkdir(exist_ok=True)
        for module in (start, presence):
            self.patch.setattr(module, "on_partition", lambda *words: words[-1](esp))
        return ovmf(self.sys / "firmware/efi/efivars")

    def lines(self, name: str) -> list[str]:
        path = self.folder / name
        return path.read_text().splitlines() if path.exists() else []

    def nothing_was_done(self) -> bool:
        return not self.lines("systemctl") and not self.lines("said")


@pytest.fixture
def pc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pc]:
    monkeypatch.setattr(start, "_MEMORY", tmp_path / "memory")
    yield Pc(tmp_path, monkeypatch)
    assert not list((tmp_path / "memory").glob("*"))  # kernel and initrd do not stay in memory


def data(said: Said) -> Any:
    return json.loads(said.out)


def refused(said: Said, code: OgErr, *words: str) -> None:
    assert said.status == code, said
    for word in words:
        assert word in said.error


def test_a_bios_starts_the_default_kernel_of_the_menu(pc: Pc) -> None:
    pc.disk()
    plan = data(og("boot", "1", "1", "--dry-run", "--json"))["plan"]
    assert plan == [
        "start Debian GNU/Linux 13 (trixie) by kexec",
        "kernel /boot/vmlinuz, initrd /boot/microcode.img /boot/initrd.img",
        f"command line {OPTIONS}",
    ]
    assert pc.nothing_was_done()
    done = og("boot", "1", "1", "--json")
    assert done.status == 0, done.err
    assert data(done)["way"] == "-s"
    assert data(done)["done"] == plan
    assert pc.lines("systemctl") == ["--no-block kexec"]
    (told,) = pc.lines("said")
    assert told.startswith("-s -l ")
    assert f"--command-line={OPTIONS}" in told
    assert (pc.folder / "kernel").read_text() == LINUX["boot/vmlinuz"]
    # parts of an initramfs begin at a multiple of four
    assert (pc.folder / "initrd").read_text() == "uuu\0an initrd\n\0\0"


def test_a_kernel_that_is_not_loaded_by_file_is_loaded_by_segments(pc: Pc) -> None:
    pc.disk()
    pc.with_kexec(refused="-s")
    assert data(og("boot", "start", "1", "1", "--json"))["way"] == "-c"
    assert [line.split()[0] for line in pc.lines("said")] == ["-s", "-c"]


def test_a_kernel_that_nobody_loads_is_an_error_and_nothing_goes_down(pc: Pc) -> None:
    pc.disk()
    pc.with_kexec(refused="-s|-c")
    refused(og("boot", "1", "1"), OgErr.NOTEXEC, "not permitted")
    pc.with_kexec(loaded=0)
    refused(og("boot", "1", "1"), OgErr.NOTEXEC, "nothing is loaded")
    assert pc.lines("systemctl") == []


def test_where_going_down_fails_the_kernel_is_taken_back(pc: Pc) -> None:
    pc.disk()
    pc.program("systemctl", "#!/bin/sh\nexit 1\n")
    assert og("boot", "1", "1").status != 0
    assert pc.lines("said")[-1] == "-u"


def test_under_lockdown_an_unsigned_kernel_is_refused_by_its_reason(pc: Pc) -> None:
    pc.disk()
    (pc.sys / "kernel/security/lockdown").write_text("none [integrity] confidentiality\n")
    for words_ in (("--dry-run",), ()):
        refused(og("boot", "1", "1", *words_), OgErr.NOTEXEC, "locked down (integrity)", "signed")
    assert pc.nothing_was_done()


def test_a_kernel_that_must_not_start_another_says_so(pc: Pc) -> None:
    pc.disk()
    switch = pc.folder / "proc/sys/kernel/kexec_load_disabled"
    switch.parent.mkdir(parents=True)
    switch.write_text("1\n")
    refused(og("boot", "1", "1"), OgErr.NOTEXEC, "starts no other one any more")
    (pc.sys / "kernel/kexec_loaded").unlink()
    refused(og("boot", "1", "1"), OgErr.NOTEXEC, "can start no other one")
    assert pc.nothing_was_done()


@pytest.mark.parametrize(
    ("files", "code", "word"),
    [
        ({**DEBIAN, "boot/grub/grub.cfg": ""}, OgErr.NOTOS, "starts no Linux kernel"),
        ({"etc/os-release": "ID=debian\n"}, OgErr.NOTFOUND, "no menu of a boot loader"),
        ({"home/a": ""}, OgErr.NOTOS, "no system"),
        ({"etc/os-release": "ID=freebsd\n"}, OgErr.NOTOS, "only a Linux"),
        ({"Windows/System32/config/SYSTEM": "x"}, OgErr.NOTOS, "only a Linux"),
        (
            {**DEBIAN, "boot/grub/grub.cfg": GRUB.replace("/boot/vmlinuz", "/boot/gone")},
            OgErr.NOTOS,
            "/boot/gone",
        ),
        (
            {**DEBIAN, "boot/grub/grub.cfg": GRUB.replace("quiet", "x" * 2100)},
            OgErr.OUTOFLIMIT,
            "characters",
        ),
    ],
    ids=["no entry", "no menu", "no system", "BSD", "Windows", "no kernel", "long"],
)
def test_what_cannot_be_started_is_refused_by_its_reason(
    pc: Pc, files: dict[str, str], code: OgErr, word: str
) -> None:
    pc.disk(files)
    refused(og("boot", "1", "1"), code, word)
    assert pc.nothing_was_done()


def test_a_partition_that_somebody_works_on_is_not_started(pc: Pc) -> None:
    disk = probe_target(pc.disk())
    with held(disk, disk.partitions[0]):
        pc.patch.setattr("oglib.disk.lock._ancestors", lambda _: iter(()))
        refused(og("boot", "1", "1"), OgErr.LOCKED)
    assert pc.nothing_was_done()


def test_a_file_is_no_disk_of_this_pc(pc: Pc) -> None:
    path = pc.disk()
    pc.patch.delenv("OG_DISKS")
    refused(og("boot", str(path), "1"), OgErr.NOTFOUND, "no disk of this PC")


# ---- by the firmware ---------------------------------------------------------------------------


def test_uefi_starts_the_systems_own_loader_once(pc: Pc) -> None:
    pc.disk()
    store = pc.uefi()
    before = read_table(store)
    plan = data(og("boot", "1", "1", "--dry-run", "--json"))["plan"]
    assert plan[0] == "start Debian GNU/Linux 13 (trixie) by firmware"
    assert plan[-1] == "next Boot0007"
    assert read_table(store) == before
    assert og("boot", "1", "1").status == 0
    there = read_table(store)
    assert (there.next, there.order) == (7, before.order)
    made = there.entry(7)
    assert made is not None
    assert made.label == "debian Part-01-01"
    assert made.option.target.file == "/EFI/debian/shimx64.efi"
    assert pc.lines("systemctl") == ["--no-block reboot"]
    assert og("boot", "1", "1").status == 0  # the entry is there already
    assert read_table(store) == there


def test_without_a_loader_of_its_own_the_kernel_is_started(pc: Pc) -> None:
    pc.disk()
    store = pc.uefi("EFI/BOOT/BOOTX64.EFI")  # anybody's
    before = read_table(store)
    told = data(og("boot", "1", "1", "--json"))
    assert (told["how"], told["way"]) == ("kexec", "-s")
    assert "not by its firmware" in told["done"][-1]
    assert read_table(store) == before
    refused(og("boot", "1", "1", "--by", "firmware"), OgErr.NOTFOUND, "no loader of this system")


def test_the_way_can_be_said(pc: Pc) -> None:
    pc.disk()
    refused(og("boot", "1", "1", "--by", "firmware"), OgErr.NOTUEFI)
    store = pc.uefi()
    before = read_table(store)
    assert data(og("boot", "1", "1", "--by", "kexec", "--json"))["how"] == "kexec"
    assert read_table(store) == before


def test_where_going_down_fails_the_firmwares_entries_are_put_back(pc: Pc) -> None:
    pc.disk()
    store = pc.uefi()
    before = read_table(store)
    pc.program("systemctl", "#!/bin/sh\nexit 1\n")
    assert og("boot", "1", "1").status != 0
    assert read_table(store) == before


def test_what_is_mounted_is_let_go(pc: Pc) -> None:
    pc.disk()
    point = og("fs", "mount", "1", "1", "--json")
    assert point.status == 0, point.err
    assert og("boot", "1", "1").status == 0
    listed = json.loads(og("disk", "show", "1", "--json").out)
    assert [part["mountpoints"] for part in listed["partitions"]] == [[], []]


# ---- the entries -------------------------------------------------------------------------------


def entries(said: Said) -> list[tuple[str, str, str]]:
    return [(one["number"], one["label"], one["state"]) for one in data(said)["entries"]]


def test_entries_are_shown_and_changed_by_number_and_label(pc: Pc) -> None:
    pc.disk()
    store = pc.uefi()
    store.write("Boot0010", option("debian", "/EFI/debian/shimx64.efi"))
    store.write("Boot0011", option("debian", "/EFI/debian/shimx64.efi"))
    store.write("Boot0012", option("gone", "/EFI/gone.efi"))
    store.write("BootOrder", words(0x12, 0x10, 0x11, 2))
    store.write("BootCurrent", words(2))
    shown = og("boot", "entries", "--json")
    assert entries(shown)[:3] == [
        ("0012", "gone", "missing"), ("0010", "debian", ""), ("0011", "debian", "doubled"),
    ]  # fmt: skip
    assert data(shown)["current"] == "0002"
    text = og("boot", "entries").out.splitlines()
    assert text[0].split() == [
        "Boot0012", "missing", "gone", "/EFI/gone.efi", "on", f"PARTUUID={ESP}",
    ]  # fmt: skip
    assert "current" in next(line for line in text if line.startswith("Boot0002"))

    told = og("boot", "clean", "--dry-run")
    assert told.out.startswith('remove Boot0011 "debian"')
    assert read_table(store).order == (0x12, 0x10, 0x11, 2)
    assert og("boot", "clean").status == 0
    assert read_table(store).order == (0x10, 2)
    assert og("boot", "clean").out == "nothing to change\n"

    assert og("boot", "add", "mine", "EFI\\debian\\shimx64.efi", "--last").status == 0
    assert og("boot", "order", "2", "mine").status == 0
    assert og("boot", "next", "debian").status == 0
    assert og("boot", "firmware-timeout", "7").status == 0
    assert og("boot", "deactivate", "debian").status == 0
    there = read_table(store)
    assert (there.order, there.next, there.timeout) == ((2, 7, 0x10), 0x10, 7)
    one = there.entry(0x10)
    assert one is not None
    assert not one.option.active
    assert og("boot", "activate", "0010").status == 0
    assert og("boot", "delete", "0010", "mine").status == 0
    assert read_table(store).order == (2,)
    assert read_table(store).next is None
    assert og("boot", "order", "0").status == 0
    assert og("boot", "network-first").out.startswith("order 0002,0000")


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("delete 77", OgErr.NOTFOUND),
        ("next nothing", OgErr.NOTFOUND),
        ("order 0 0", OgErr.FORMAT),
        ("firmware-timeout 70000", OgErr.OUTOFLIMIT),
        ("firmware-timeout x", OgErr.FORMAT),
        ("add x EFI/none.efi", OgErr.NOTFOUND),
        ("delete", OgErr.FORMAT),
    ],
)
def test_entries_that_are_not_there(pc: Pc, line: str, code: OgErr) -> None:
    pc.disk()
    store = pc.uefi()
    before = read_table(store)
    refused(og("boot", *line.split()), code)
    assert read_table(store) == before


def test_a_pc_with_a_bios_has_no_entries(pc: Pc) -> None:
    pc.disk()
    for line in ("entries", "clean", "next 1", "network-first"):
        refused(og("boot", *line.split()), OgErr.NOTUEFI)


def test_a_netboot_entry_starts_a_system_and_nothing_takes_its_place(
    pc: Pc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the entry says of the end of a job is about a PC that stays in ogLive."""
    pc.disk()
    told = Settings(job="boot:1:1:kexec", after="poweroff")
    monkeypatch.setattr(settings, "load", lambda: told)
    (screen := tmp_path / "screen").touch()
    assert og("job", "--screen", screen, "--log", tmp_path / "job.log").status == 0
    assert pc.lines("systemctl") == ["--no-block kexec"]
    said = (tmp_path / "job.log").read_text().splitlines()
    assert said[-2:] == ["Starting: Debian 13", "This PC leaves ogLive for it."]
