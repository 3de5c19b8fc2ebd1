# SPDX-License-Identifier: GPL-3.0-or-later
"""Another kernel started by this one: whether that can be, loading it, and taking it back.

By file (``-s``) the kernel itself reads what is started and checks its signature where it must;
by segments (``-c``) it cannot, and under lockdown refuses. So the first is tried first.
"""

from __future__ import annotations

import struct
from contextlib import suppress
from pathlib import Path

from oglib.errors import OgErr, OgError, ProcessError
from oglib.run import need, run

SYS = Path("/sys")
PROC = Path("/proc")
_LOADED = "kernel/kexec_loaded"
_LIMIT_S = 300.0
_PE_OFFSET, _PE_MARK = 0x3C, b"PE\0\0"
_MAGICS = {0x10B: 128, 0x20B: 144}  # PE32, PE32+: where its table of signatures is said
HEAD_BYTES = 4096


def lockdown(*, sys: Path | None = None) -> str:
    """``integrity`` or ``confidentiality`` where this kernel is locked down; else empty."""
    try:
        text = ((sys or SYS) / "kernel/security/lockdown").read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""  # a kernel that knows none
    found = text.partition("[")[2].partition("]")[0]
    return "" if found == "none" else found


def is_signed(head: bytes) -> bool:
    """Whether a kernel carries a signature, by its first bytes; whose it is says who loads it."""
    if len(head) < _PE_OFFSET + 4 or head[:2] != b"MZ":
        return False
    (at,) = struct.unpack_from("<I", head, _PE_OFFSET)
    if head[at : at + 4] != _PE_MARK or at + 24 + 152 > len(head):
        return False
    (magic,) = struct.unpack_from("<H", head, at + 24)
    if magic not in _MAGICS:
        return False
    _, size = struct.unpack_from("<II", head, at + 24 + _MAGICS[magic])
    return bool(size)


def why_not(head: bytes) -> str:
    """Why this PC's kernel would not start the one with these first bytes; empty: nothing known."""
    if not (SYS / _LOADED).exists():
        return "this kernel can start no other one"
    with suppress(FileNotFoundError):
        if (PROC / "sys/kernel/kexec_load_disabled").read_text(encoding="utf-8").strip() != "0":
            return "this kernel starts no other one any more"
    if (how := lockdown()) and not is_signed(head):
        return f"this kernel is locked down ({how}) and takes signed kernels alone"
    return ""


def load(kernel: Path, initrd: Path | None, options: str) -> str:
    """Load a kernel, to be started when this system goes down; by which way, ``-s`` or ``-c``.

    NOTEXEC where this kernel refuses it, with its reason.
    """
    need("kexec")
    ways = ("-s",) if lockdown() else ("-s", "-c")
    words: list[str | Path] = [kernel, f"--command-line={options}"]
    words += [f"--initrd={initrd}"] if initrd else []
    refused = []
    for way in ways:
        try:
            run("kexec", way, "-l", *words, timeout_s=_LIMIT_S)
        except ProcessError as error:
            refused.append(f"{way}: {' '.join(error.stderr.split()) or error.message}"[:300])
            continue
        if _is_loaded():
            return way
        refused.append(f"{way}: it says that it did, and nothing is loaded")
    raise OgError(
        f"This kernel does not start the other one ({'; '.join(refused)}).",
        hint="Start it by the firmware, or from its disk.",
        code=OgErr.NOTEXEC,
    )


def unload() -> None:
    """Take back what was loaded."""
    run("kexec", "-u")


def _is_loaded() -> bool:
    return (SYS / _LOADED).read_text(encoding="utf-8").strip() == "1"
