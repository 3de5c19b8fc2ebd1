# SPDX-License-Identifier: GPL-3.0-or-later
"""Local disks that start in a blink: what starts says its word on the serial line and halts.

Each has a disk of its own (`DISK`) and a system on partition 2 (`SYSTEM`).
"""

from __future__ import annotations

from pathlib import Path

from harness.disks import MIB, SECTOR_BYTES, Disk
from harness.process import run
from harness.qemu_argv import Firmware
from harness.tiny import REMOVABLE, TinyPc

DISK, SYSTEM = "DISK", "SYSTEM"
_SYSTEM_LOADER = "EFI/Part-01-02/Boot/ogloader.efi"
_AT, _MESSAGE_AT = 0x7C00, 64
# Says what lies at 0x7C40, letter by letter on the first serial line, and halts. 16 bits:
#       xor ax, ax; mov ds, ax; cld; mov si, 0x7C40
# next: lodsb; test al, al; jz end; mov ah, al; mov dx, 0x3FD
# full: in al, dx; test al, 0x20; jz full; mov al, ah; mov dx, 0x3F8; out dx, al; jmp next
# end:  cli; hlt; jmp end
_SAYS = bytes.fromhex(
    "31c0 8ed8 fc be407c ac 84c0 7412 88c4 bafd03 ec a820 74fb 88e0 baf803 ee ebe9 fa f4 ebfc"
)


def _sector(word: str) -> bytes:
    code = _SAYS.ljust(_MESSAGE_AT, b"\0") + f"\r\nSTARTED-{word}\r\n\0".encode()
    return code.ljust(SECTOR_BYTES - 2, b"\0") + b"\x55\xaa"


def tiny_disk(firmware: Firmware, folder: Path) -> Disk:
    """Makes one in this folder; nothing writes to it."""
    if firmware is Firmware.UEFI:
        loaders = {REMOVABLE: DISK, _SYSTEM_LOADER: SYSTEM}
        return Disk(TinyPc(folder, loaders).image, "local", read_only=True)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "disk.img"
    disk = Disk.empty(path, 8 * MIB, "local")
    table = "label: dos\nunit: sectors\n2048,2048,83,*\n4096,2048,83\n"
    run(["sfdisk", "--quiet", "--no-tell-kernel", str(path)], stdin=table)
    with path.open("r+b") as stream:
        stream.write(_sector(DISK)[:440])
        stream.seek(disk.partition(2).start_bytes)
        stream.write(_sector(SYSTEM))
    return Disk(path, "local", read_only=True)
