# SPDX-License-Identifier: GPL-3.0-or-later
"""`image/golden/build`: a Debian tree from mkosi, put on one MBR and one GPT disk.

The boot loader is not written here: the system installs it on itself when it is started with
build/golden/{vmlinuz,initrd.img} and the parameter `golden.install`.
"""

import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from ogimage import mkosi
from ogimage.artefacts import sha256_of
from ogimage.paths import BUILD_DIR, IMAGE_DIR, SANDBOX_TREE
from ogimage.shell import run, say

MIB = 1 << 20
SECTOR = 512
ROOT_BYTES = 1536 * MIB
SWAP_BYTES = 128 * MIB
ESP_BYTES = 100 * MIB
ESP_SERIAL = "0616-1973"  # FAT's kind of UUID


@dataclass(frozen=True, slots=True)
class Flavour:
    """One disk: its table and the UUIDs its fstab names. No id of it is random."""

    name: str
    table: str
    disk_id: str
    root_uuid: str
    swap_uuid: str
    esp: bool


FLAVOURS = (
    Flavour(
        "bios",
        "dos",
        "0x0901b105",
        "0901de5e-0001-4000-8000-00000000b105",
        "0901de5e-0002-4000-8000-00000000b105",
        esp=False,
    ),
    Flavour(
        "uefi",
        "gpt",
        "0901de5e-0000-4000-8000-00000000efef",
        "0901de5e-0001-4000-8000-00000000efef",
        "0901de5e-0002-4000-8000-00000000efef",
        esp=True,
    ),
)


def main() -> int:
    return mkosi.built_as_root(_build, log="golden")


def _build() -> None:
    folder = BUILD_DIR / "golden"
    key = mkosi.fingerprint(IMAGE_DIR / "golden", Path(__file__), SANDBOX_TREE)
    stamp = folder / "build.key"
    if stamp.exists() and stamp.read_text() == key:
        say(f"{folder} is up to date")
        return
    started = time.monotonic()
    say("building the golden Debian")
    mkosi.build_images(IMAGE_DIR / "golden", [])
    tree = mkosi.WORK_DIR / "golden"
    part = BUILD_DIR / "golden.part"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    for name, pattern in (("vmlinuz", "vmlinuz-*"), ("initrd.img", "initrd.img-*")):
        shutil.copyfile(next((tree / "boot").glob(pattern)), part / name)
    for flavour in FLAVOURS:
        _write_disk(flavour, tree, part)
    names = ("vmlinuz", "initrd.img", "bios.raw", "uefi.raw")
    (part / "SHA256SUMS").write_text("".join(f"{sha256_of(part / n)}  {n}\n" for n in names))
    # Two builds of the same files differ in their times of change alone; the tests keep what they
    # made of a disk by this key.
    (part / "content.key").write_text(f"{key} {mkosi.fingerprint(tree)}")
    (part / "build.key").write_text(key)
    shutil.rmtree(folder, ignore_errors=True)
    part.rename(folder)
    for name in names:
        status = (folder / name).stat()
        print(f"{name:12} {status.st_size / 1e6:8.1f} MB, {status.st_blocks * 512 / 1e6:8.1f} used")
    say(f"{folder} built in {time.monotonic() - started:.0f} s")


def _write_disk(flavour: Flavour, tree: Path, folder: Path) -> None:
    """A sparse file with its table, and each filesystem made in place at its partition's offset."""
    disk = folder / f"{flavour.name}.raw"
    (tree / "boot/efi").mkdir(exist_ok=True)
    (tree / "etc/fstab").write_text(_fstab(flavour))
    for changed in ("boot/efi", "boot", "etc/fstab", "etc"):
        os.utime(tree / changed, (mkosi.SOURCE_DATE_EPOCH, mkosi.SOURCE_DATE_EPOCH))

    sizes = [ESP_BYTES] if flavour.esp else []
    sizes += [ROOT_BYTES, SWAP_BYTES]
    starts = [MIB + sum(sizes[:i]) for i in range(len(sizes))]
    with disk.open("wb") as file:
        file.truncate(MIB + sum(sizes) + MIB)  # the last MiB holds GPT's second table
    _partition(flavour, disk, starts, sizes)

    root = 1 if flavour.esp else 0
    if flavour.esp:
        run(
            [
                "mkfs.vfat",
                "--invariant",
                "-F",
                "32",
                "-s",
                "1",
                "-n",
                "ESP",
                "-i",
                ESP_SERIAL.replace("-", ""),
                "--offset",
                str(starts[0] // SECTOR),
                disk,
                str(sizes[0] // 1024),
            ]
        )
    # The present year's defaults without what GRUB of an older ogLive could not read.
    # -d copies the tree; hash_seed fixed: same tree, same bytes.
    run(
        [
            "mke2fs",
            "-q",
            "-F",
            "-t",
            "ext4",
            "-L",
            "golden",
            "-U",
            flavour.root_uuid,
            "-O",
            "^metadata_csum_seed,^orphan_file",
            "-m",
            "1",
            "-E",
            f"offset={starts[root]},hash_seed={flavour.root_uuid},lazy_itable_init=0",
            "-d",
            tree,
            disk,
            f"{sizes[root] // 1024}k",
        ],
        env={"E2FSPROGS_FAKE_TIME": str(mkosi.SOURCE_DATE_EPOCH)},
    )
    _swap(flavour, disk, starts[root + 1], sizes[root + 1])


def _fstab(flavour: Flavour) -> str:
    lines = [
        f"UUID={flavour.root_uuid} / ext4 errors=remount-ro 0 1",
        f"UUID={flavour.swap_uuid} none swap sw 0 0",
    ]
    if flavour.esp:
        lines.append(f"UUID={ESP_SERIAL} /boot/efi vfat umask=0077 0 1")
    return "\n".join(lines) + "\n"


def _partition(flavour: Flavour, disk: Path, starts: list[int], sizes: list[int]) -> None:
    kinds = (["uefi"] if flavour.esp else []) + ["linux", "swap"]
    lines = [f"label: {flavour.table}", f"label-id: {flavour.disk_id}", "unit: sectors"]
    for number, (start, size, kind) in enumerate(zip(starts, sizes, kinds, strict=True), 1):
        line = f"start={start // SECTOR}, size={size // SECTOR}, type={kind}"
        if flavour.table == "gpt":
            line += f", uuid={flavour.disk_id[:-1]}{number}"
        lines.append(line + (", bootable" if kind == "linux" and flavour.table == "dos" else ""))
    script = disk.with_suffix(".sfdisk")
    script.write_text("\n".join(lines) + "\n")
    run(["sfdisk", "--quiet", "--no-reread", "--no-tell-kernel", disk], stdin_file=script)
    script.unlink()


def _swap(flavour: Flavour, disk: Path, start: int, size: int) -> None:
    """mkswap knows no offset: make the area in a file of its own, copy its first page over."""
    area = disk.with_suffix(".swap")
    with area.open("wb") as file:
        file.truncate(size)
    area.chmod(0o600)
    run(["mkswap", "--uuid", flavour.swap_uuid, area])
    with area.open("rb") as source, disk.open("r+b") as target:
        target.seek(start)
        target.write(source.read(64 * 1024))
    area.unlink()
