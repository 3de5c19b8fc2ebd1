# SPDX-License-Identifier: GPL-3.0-or-later
"""A disk saved as Clonezilla saves it: its file names, its sfdisk dump, real partclone streams.

Clonezilla itself wants partition devices, which this host's kernel does not make; the folder's
layout is the one of its ocs-functions, the streams come from the same partclone it calls.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from harness.disks import SECTOR_BYTES, Disk
from harness.process import run

_DEVICE = "sda"


def save(disk: Disk, share: Disk, name: str) -> None:
    """Save an MBR disk of ext4 and swap as folder ``name`` of a new ext4 on ``share``."""
    with tempfile.TemporaryDirectory(prefix="ogtest-clonezilla-") as work:
        folder = Path(work) / "share" / name
        folder.mkdir(parents=True)
        _save(disk, folder)
        run(["mkfs.ext4", "-q", "-d", str(folder.parent), str(share.path)])


def _save(disk: Disk, folder: Path) -> None:
    dump = run(["sfdisk", "--dump", str(disk.path)]).replace(str(disk.path), f"/dev/{_DEVICE}")
    (folder / f"{_DEVICE}-pt.sf").write_text(dump, "ascii")
    (folder / f"{_DEVICE}-mbr").write_bytes(disk.read(0, SECTOR_BYTES))
    gap = disk.partition(1).start_bytes - SECTOR_BYTES
    (folder / f"{_DEVICE}-hidden-data-after-mbr").write_bytes(disk.read(SECTOR_BYTES, gap))
    (folder / "disk").write_text(f"{_DEVICE}\n", "ascii")
    (folder / "clonezilla-img").write_text("saved by a test\n", "ascii")
    saved = []
    for number in range(1, dump.count(f"\n/dev/{_DEVICE}") + 1):
        facts = disk.filesystem(number)
        if facts["TYPE"] == "swap":
            text = f'UUID="{facts["UUID"]}"\nLABEL="{facts.get("LABEL", "")}"\n'
            (folder / f"swappt-{_DEVICE}{number}.info").write_text(text, "ascii")
            continue
        saved.append(f"{_DEVICE}{number}")
        _save_partition(disk, number, folder / f"{_DEVICE}{number}.ext4-ptcl-img.zst")
    (folder / "parts").write_text(" ".join(saved) + "\n", "ascii")


def _save_partition(disk: Disk, number: int, path: Path) -> None:
    place = disk.partition(number)
    whole = path.with_suffix(".whole")
    stream = path.with_suffix(".stream")
    run(
        ["dd", f"if={disk.path}", f"of={whole}", "bs=1M", "conv=sparse", "status=none",
         "iflag=skip_bytes,count_bytes", f"skip={place.start_bytes}", f"count={place.size_bytes}"]
    )  # fmt: skip
    run(["partclone.ext4", "-c", "-q", "-L", "/dev/null", "-s", str(whole), "-o", str(stream)])
    run(["zstd", "-q", "-3", "--rm", str(stream), "-o", str(path)])
    whole.unlink()
