# SPDX-License-Identifier: GPL-3.0-or-later
"""A PC of firmware alone: its variables, an ESP and loaders that say their name and halt.

One start takes seconds. Between starts the firmware's variables are taken out by ``virt-fw-vars``
into a tree as Linux shows them, and put back from it. No ``bootindex=``: with it OVMF deletes
entries that lead nowhere, which real firmware does not.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from copy import copy
from pathlib import Path

from harness.errors import HarnessError, ProductFailure
from harness.paths import program
from harness.qemu_argv import Firmware, Shape
from oglib.boot.nvram.load_option import Target
from oglib.boot.nvram.planning import Presence
from oglib.boot.nvram.variables import Variables
from oglib.disk.model import Disk, Partition, TableKind

ESP = "11111111-1111-4111-8111-111111111111"
GONE = "22222222-2222-4222-8222-222222222222"
REMOVABLE = "EFI/BOOT/BOOTX64.EFI"
_SHAPE = Shape(Firmware.UEFI, "")
_GUID = "8be4df61-93ca-11d2-aa0d-00e098032b8c"
_ESP_TYPE = "C12A7328-F81F-11D2-BA4B-00C93EC93B3B"
_START, _SECTORS, _SECTOR = 2048, 68000, 512
_MIB = 1 << 20
_LIMIT_S = 180  # of a start, on a machine that is loaded; it ends by itself
_STARTED = re.compile(rb"STARTED-(\w+)")
_SHAPE = Shape(Firmware.UEFI, mac="")
_OURS = re.compile(r"Boot(?:[0-9A-F]{4}|Order|Next)|Timeout")


def _tool(*words: str | Path, env: Mapping[str, str] | None = None) -> None:
    done = subprocess.run(
        [str(word) for word in words], capture_output=True, text=True, check=False, env=env
    )
    if done.returncode:
        raise HarnessError(f"{words[0]} failed: {done.stderr.strip()}")


class TinyPc:
    """``loaders``: what lies on its ESP, path to the word that it says."""

    def __init__(self, folder: Path, loaders: Mapping[str, str]) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.loaders = dict(loaders)
        self.image = folder / "disk.img"
        self.vars = folder / "vars.fd"
        self.card: tuple[str, ...] = ()
        shutil.copyfile(_SHAPE.ovmf_vars, self.vars)
        self._make_disk()

    def another(self, folder: Path) -> TinyPc:
        """One with the same disk, which nothing writes to, and a copy of its firmware."""
        twin = copy(self)
        twin.folder = folder
        twin.vars = folder / "vars.fd"
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self.vars, twin.vars)
        return twin

    def disk(self) -> Disk:
        """The disk as ogLive on this PC finds it."""
        esp = Partition(1, _START * _SECTOR, _SECTORS * _SECTOR, "EFI", _ESP_TYPE, partuuid=ESP)
        return Disk(1, Path("/dev/vda"), 40 * _MIB, TableKind.GPT, (esp,))

    def look(self, target: Target) -> Presence:
        """What is on that disk, which a host without vfat cannot mount."""
        files = {f"/{name}".casefold() for name in self.loaders}
        there = target.partition == ESP and target.file.casefold() in files
        return Presence.THERE if there else Presence.MISSING

    def serves_network(self, word: str) -> None:
        """Give it a network card, and a server beside it with a loader that says ``word``."""
        served = self.folder / "served"
        served.mkdir()
        self._loader(word, served / "pxe.efi")
        lan = f"user,id=net0,restrict=on,tftp={served},bootfile=pxe.efi"
        self.card = ("-netdev", lan, "-device", "virtio-net-pci,netdev=net0,romfile=")

    def start(self) -> str:
        """Start it; the word of the loader that came first. It is off then."""
        serial = self.folder / "serial.log"
        serial.unlink(missing_ok=True)
        pflash = "if=pflash,format=raw"
        file = {"driver": "file", "node-name": "f", "filename": str(self.image)}
        argv = [
            "qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none",
            "-machine", "q35", "-accel", "tcg", "-m", "256", "-no-reboot",
            "-drive", f"{pflash},unit=0,readonly=on,file={_SHAPE.ovmf_code}",
            "-drive", f"{pflash},unit=1,file={self.vars}",
            "-serial", f"file:{serial}",
            "-blockdev", json.dumps(file),
            "-blockdev", json.dumps({"driver": "raw", "node-name": "d", "file": "f"}),
            "-device", "virtio-blk-pci,drive=d", *self.card,
        ]  # fmt: skip
        try:
            done = subprocess.run(
                argv, capture_output=True, text=True, timeout=_LIMIT_S, check=False
            )
        except subprocess.TimeoutExpired:
            raise ProductFailure(f"nothing that halts was started: {_tail(serial)}") from None
        said = _STARTED.search(serial.read_bytes()) if serial.exists() else None
        if done.returncode or said is None:
            raise ProductFailure(f"no loader was started: {done.stderr} {_tail(serial)}")
        return said[1].decode()

    def variables(self) -> Variables:
        """What its firmware has, as a tree like that of Linux."""
        tree = self.folder / "efivars"
        shutil.rmtree(tree, ignore_errors=True)
        tree.mkdir()
        for one in self._dumped():
            name = f"{one['name']}-{one['guid']}"
            value = bytes.fromhex(str(one["data"]))
            (tree / name).write_bytes(int(str(one["attr"])).to_bytes(4, "little") + value)
        return Variables(tree)

    def put_back(self, store: Variables) -> None:
        """Make its firmware's variables about booting those of the tree."""
        values = []
        for path in store.folder.iterdir():
            name, _, guid = path.name.partition("-")
            raw = path.read_bytes()
            if guid == _GUID and _OURS.fullmatch(name):
                attributes = int.from_bytes(raw[:4], "little")
                values.append(
                    {"name": name, "guid": guid, "attr": attributes, "data": raw[4:].hex()}
                )
        kept = {str(one["name"]) for one in values}
        gone = [
            str(one["name"])
            for one in self._dumped()
            if _OURS.fullmatch(str(one["name"])) and one["name"] not in kept
        ]
        delta = self.folder / "delta.json"
        delta.write_text(json.dumps({"version": 2, "variables": values}))
        deleted = [word for name in gone for word in ("-d", name)]
        _tool(*_vars_tool(), "--inplace", self.vars, *deleted, "--set-json", delta)

    def _dumped(self) -> Sequence[Mapping[str, object]]:
        dump = self.folder / "dump.json"
        _tool(*_vars_tool(), "-i", self.vars, "--output-json", dump)
        found: Sequence[Mapping[str, object]] = json.loads(dump.read_text())["variables"]
        return found

    def _make_disk(self) -> None:
        with self.image.open("wb") as file:
            file.truncate(40 * _MIB)
        line = f"start={_START},size={_SECTORS},type={_ESP_TYPE},uuid={ESP}"
        subprocess.run(
            ["sfdisk", "-q", str(self.image)],
            input=f"label: gpt\n{line}\n", text=True, check=True, capture_output=True,
        )  # fmt: skip
        esp = f"{self.image}@@{_START * _SECTOR}"
        _tool("mformat", "-i", esp, "-F", "-T", str(_SECTORS), "::")
        made = set[str]()
        for path, word in self.loaders.items():
            local = self._loader(word, self.folder / f"{word}.efi")
            *parts, _ = path.split("/")
            for depth in range(1, len(parts) + 1):
                name = "/".join(parts[:depth])
                if name not in made:
                    _tool("mmd", "-i", esp, f"::{name}")
                    made.add(name)
            _tool("mcopy", "-i", esp, local, f"::{path}")

    def _loader(self, word: str, path: Path) -> Path:
        script = self.folder / f"{word}.cfg"
        script.write_text(f"echo STARTED-{word}\nhalt\n")
        _tool(
            "grub-mkimage", "-O", "x86_64-efi", "-p", "/none", "-c", script, "-o", path,
            "echo", "halt",
        )  # fmt: skip
        return path


def _vars_tool() -> tuple[str, ...]:
    return (program("virt-fw-vars"), "--loglevel", "ERROR")


def _tail(serial: Path) -> str:
    return serial.read_bytes()[-600:].decode("utf-8", "replace") if serial.exists() else ""
