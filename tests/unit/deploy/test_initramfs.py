# SPDX-License-Identifier: GPL-3.0-or-later
"""What an initramfs carries, read from its bytes: every way in which one is put together."""

from __future__ import annotations

import bz2
import gzip
import lzma
from pathlib import Path

import lz4.block
import pytest
import zstandard

from oglib.deploy.hardware import initramfs
from oglib.deploy.hardware.initramfs import Carried, read_initramfs
from oglib.errors import OgError
from unit.deploy.cpios import KERNEL, cpio, modules

MICROCODE = cpio({"kernel/x86/microcode/GenuineIntel.bin": b"early" * 100})
MAIN = cpio({"conf/initramfs.conf": b"MODULES=dep\n", **modules("ata_piix", "sd-mod")})
TWO = {(KERNEL, "ata_piix"), (KERNEL, "sd_mod")}


def legacy_lz4(data: bytes) -> bytes:
    """As the kernel's build and ``lz4 -l`` write it."""
    block: bytes = lz4.block.compress(data, store_size=False)
    return b"\x02\x21\x4c\x18" + len(block).to_bytes(4, "little") + block


PACKED = {
    "none": MAIN,
    "gzip": gzip.compress(MAIN),
    "xz": lzma.compress(MAIN, check=lzma.CHECK_CRC32),
    "lzma": lzma.compress(MAIN, lzma.FORMAT_ALONE),
    "bzip2": bz2.compress(MAIN),
    "zstd": zstandard.compress(MAIN),
    "lz4": legacy_lz4(MAIN),
}


def read(raw: bytes, tmp_path: Path) -> Carried:
    path = tmp_path / "initramfs"
    path.write_bytes(raw)
    with path.open("rb") as file:
        return read_initramfs(file, "boot/initrd.img")


@pytest.mark.parametrize("early", [b"", MICROCODE, MICROCODE + bytes(512) + MICROCODE])
@pytest.mark.parametrize("packed", PACKED.values(), ids=PACKED)
def test_each_compressor_alone_and_behind_microcode(
    packed: bytes, early: bytes, tmp_path: Path
) -> None:
    found = read(early + packed, tmp_path)
    assert found.modules == TWO
    assert found.of(KERNEL) == {"ata_piix", "sd_mod"}
    assert found.makers == {"initramfs-tools"}
    assert found.of("6.1") == frozenset()


def test_modules_as_they_are_and_the_rest_compressed(tmp_path: Path) -> None:
    """So do Debian 13 and Ubuntu since 24.04."""
    raw = MICROCODE + cpio(modules("nvme")) + zstandard.compress(MAIN)
    assert read(raw, tmp_path).modules == {*TWO, (KERNEL, "nvme")}


def test_several_archives_in_one_compressed_stream_and_zeros_behind(tmp_path: Path) -> None:
    raw = gzip.compress(cpio(modules("nvme")) + bytes(64) + MAIN + bytes(512))
    assert read(raw, tmp_path).modules == {*TWO, (KERNEL, "nvme")}
    assert read(gzip.compress(MAIN) + bytes(512), tmp_path).modules == TWO


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("lib/modules/5.10/kernel/drivers/nvme/host/nvme.ko", ("5.10", "nvme")),
        ("./usr/lib/modules/5.10/kernel/nvme.ko.zst", ("5.10", "nvme")),
        ("/lib/modules/5.10/updates/dkms/xen-blkfront.ko.gz", ("5.10", "xen_blkfront")),
        ("lib/modules/5.10/nvme.ko", ("5.10", "nvme")),
        ("lib/modules/5.10/modules.dep", None),
        ("etc/lib/modules/5.10/nvme.ko", None),
        ("lib/modules/5.10/nvme.ko/file", None),
        ("lib/modules/nvme.ko", None),
    ],
)
def test_what_is_a_module(name: str, module: tuple[str, str] | None, tmp_path: Path) -> None:
    assert read(cpio([name]), tmp_path).modules == ({module} if module else set())


@pytest.mark.parametrize(
    ("name", "maker"),
    [
        ("conf/initramfs.conf", "initramfs-tools"),
        ("usr/lib/dracut/hooks/cmdline", "dracut"),
        ("lib/dracut", "dracut"),
        ("buildconfig", "mkinitcpio"),
    ],
)
def test_what_made_it_is_told_by_its_files(name: str, maker: str, tmp_path: Path) -> None:
    assert read(cpio([name]), tmp_path).makers == {maker}


def test_an_archive_with_sums_is_read_like_one_without(tmp_path: Path) -> None:
    assert read(cpio(modules("nvme"), b"070702"), tmp_path).modules == {(KERNEL, "nvme")}


@pytest.mark.parametrize("packed", PACKED.values(), ids=PACKED)
def test_one_that_is_cut_is_never_read_as_far_as_it_goes(packed: bytes, tmp_path: Path) -> None:
    with pytest.raises(OgError, match=r"boot/initrd\.img carries cannot be read"):
        read(packed[: len(packed) - len(packed) // 3], tmp_path)


HOSTILE = {
    "empty": b"",
    "zeros": bytes(4096),
    "text": b"an initrd\n",
    "text behind an archive": MICROCODE + b"not compressed at all",
    "old cpio": b"070707" + bytes(200),
    "no number": MAIN[:54] + b"ZZZZZZZZ" + MAIN[62:],
    "name of nothing": MAIN[:94] + b"00000000" + MAIN[102:],
    "name without end": MAIN[:94] + b"FFFFFFFF" + MAIN[102:],
    "file larger than all": MAIN[:54] + b"FFFFFFFF" + MAIN[62:],
    "compressed twice": gzip.compress(gzip.compress(MAIN)),
    "zeros compressed": gzip.compress(bytes(4 << 20)),
}


@pytest.mark.parametrize("raw", HOSTILE.values(), ids=HOSTILE)
def test_what_is_no_initramfs_is_an_error(raw: bytes, tmp_path: Path) -> None:
    with pytest.raises(OgError, match="cannot be read"):
        read(raw, tmp_path)


def test_it_is_read_within_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(initramfs, "_MOST_FILES", 2)
    with pytest.raises(OgError, match="more than any initramfs holds"):
        read(gzip.compress(cpio([str(number) for number in range(9)])), tmp_path)
    monkeypatch.setattr(initramfs, "_MOST_FILES", 1000)
    monkeypatch.setattr(initramfs, "_MOST_CONTENT_BYTES", 10)
    with pytest.raises(OgError, match="more than any initramfs holds"):
        read(MAIN, tmp_path)
    monkeypatch.setattr(initramfs, "MOST_BYTES", 10)
    with pytest.raises(OgError, match=f"it has {len(MAIN)} bytes"):
        read(MAIN, tmp_path)
    monkeypatch.undo()
    with pytest.raises(OgError, match="more than 64 pieces"):
        read(_pieces(), tmp_path)


def _pieces() -> bytes:
    """Archives that each begin where the one before is over by a byte or two."""
    return b"".join(cpio(["a"]) + b"\0" for _ in range(100))
