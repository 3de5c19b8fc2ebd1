# SPDX-License-Identifier: GPL-3.0-or-later
"""Model PCs: the golden Debian laid on other tables and filesystems, natively and in seconds.

Each is a disk as an administrator would capture it: the files are those of the golden build, its
fstab names the swap by the kernel's name on the bus it was made for, and grub.cfg is what the
system's own grub-mkconfig writes there. There is no boot loader on it: a restore brings its own.
Made once for a build of the golden tree and a text of this file, in build/models/KEY/.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory

from harness.disks import MIB, SECTOR_BYTES, Bus, Disk
from harness.paths import BUILD, digest_of, needed
from harness.process import run
from harness.steps import step
from oglib.disk.loop import attached

MACHINE_ID = "0901de5e00000000000000000000cafe"
"""What /etc/machine-id of each model says."""
_ROOT_MIB, _BOOT_MIB, _SWAP_MIB, _ESP_MIB = 1536, 256, 64, 64
_NAMESPACE = uuid.UUID("0901de5e-0000-4000-8000-000000000000")
_GPT_TYPES = {"esp": "uefi", "core": "21686148-6449-6E6F-744E-656564454649"}
# What a chroot needs of /dev for grub-mkconfig and update-initramfs.
_NODES = ("null", "zero", "random", "urandom")


class Start(StrEnum):
    """By what firmware, and from what table, a PC starts."""

    BIOS_MBR = "bios-mbr"
    BIOS_GPT = "bios-gpt"
    UEFI = "uefi"
    SECURE = "secure"

    @property
    def is_uefi(self) -> bool:
        return self in (Start.UEFI, Start.SECURE)


class Root(StrEnum):
    """On what the system lies."""

    EXT4 = "ext4"
    XFS = "xfs"
    BTRFS = "btrfs"
    """In the subvolume ``@``, ``/home`` in ``@home``."""
    BOOT = "boot"
    """On ext4, and ``/boot`` on an ext4 of its own."""

    @property
    def kind(self) -> str:
        return "ext4" if self is Root.BOOT else self.value


class Maker(StrEnum):
    """Of the initramfs."""

    INITRAMFS_TOOLS = "initramfs-tools"
    DRACUT = "dracut"


@dataclass(frozen=True, slots=True)
class Place:
    """A partition of a model: what it is for, its number, where it lies, and its UUID."""

    role: str
    number: int
    start_bytes: int
    size_bytes: int
    uuid: str


@dataclass(frozen=True, slots=True)
class Model:
    """A model PC's disk. ``bus``: what it was connected by when the system was installed."""

    start: Start
    root: Root
    bus: Bus
    disk: Disk
    maker: Maker = Maker.INITRAMFS_TOOLS
    bound: bool = False
    """Whether its initramfs knows that bus and no other (harness.bound)."""

    @property
    def places(self) -> dict[str, Place]:
        return _places(self.start, self.root)

    @property
    def systems(self) -> tuple[str, ...]:
        """The partitions that an administrator captures; swap and ESP are made afresh."""
        return ("boot", "root") if self.root is Root.BOOT else ("root",)

    @property
    def name(self) -> str:
        kind = "" if self.maker is Maker.INITRAMFS_TOOLS else f"-{self.maker}"
        return f"{self.start}-{self.root}-{self.bus}{kind}{'-bound' if self.bound else ''}"


def kernel_name(bus: Bus, number: int) -> str:
    """What Linux calls a partition of the first disk on a bus."""
    disk = {Bus.VIRTIO: "vda", Bus.NVME: "nvme0n1p"}.get(bus, "sda")
    return f"/dev/{disk}{number}"


def _places(start: Start, root: Root) -> dict[str, Place]:
    """The partitions in their order on the disk, by what they are for."""
    sizes = {"esp": _ESP_MIB} if start.is_uefi else {}
    if start is Start.BIOS_GPT:
        sizes["core"] = 1
    if root is Root.BOOT:
        sizes["boot"] = _BOOT_MIB
    sizes |= {"root": _ROOT_MIB, "swap": _SWAP_MIB}
    places, at = {}, MIB
    for number, (role, mib) in enumerate(sizes.items(), 1):
        own = str(uuid.uuid5(_NAMESPACE, f"{start}-{root}-{role}"))
        places[role] = Place(role, number, at, mib * MIB, own)
        at += mib * MIB
    return places


class Models:
    """Finds, or makes, the model disks of the present golden build."""

    def __init__(self) -> None:
        content = needed(BUILD / "golden/content.key", "golden").read_bytes()
        key = hashlib.sha256(content + digest_of(Path(__file__)).encode()).hexdigest()[:24]
        self._cache = BUILD / "models" / key
        self._cache.mkdir(parents=True, exist_ok=True)
        for old in self._cache.parent.iterdir():
            if old != self._cache:
                shutil.rmtree(old)

    def get(
        self,
        start: Start,
        root: Root,
        bus: Bus = Bus.VIRTIO,
        maker: Maker = Maker.INITRAMFS_TOOLS,
    ) -> Model:
        """The model, its disk to be read only."""
        model = Model(start, root, bus, Disk(Path(), "model", read_only=True), maker)
        path = self._cache / f"{model.name}{_digest_of_tree(maker)}.raw"
        if not path.exists():
            with (
                step(f"lay out the model {model.name}"),
                TemporaryDirectory(prefix=f"{model.name}-", dir=self._cache) as folder,
            ):
                self._make(model, Path(folder)).rename(path)
        return replace(model, disk=Disk(path, "model", read_only=True))

    def _make(self, model: Model, folder: Path) -> Path:
        """Its disk, as a file in the folder, where its filesystems are mounted meanwhile."""
        path, places = folder / "disk", model.places
        _partition(model.start, places, path)
        _swap(places["swap"], path)
        tree, at = _tree(model.maker)
        with (
            attached(tree, offset_bytes=at, size_bytes=_ROOT_MIB * MIB) as golden,
            _mounted(golden, folder / "golden", "ro") as source,
            _laid_out(model, path, folder / "model") as (top, devices),
        ):
            run(["cp", "-a", f"{source}/.", str(top)])
            (top / "etc/fstab").write_text(_fstab(model))
            (top / "etc/machine-id").write_text(f"{MACHINE_ID}\n")
            (top / "etc/hostname").write_text("model\n")
            (top / "boot/grub").mkdir(exist_ok=True)
            swap = kernel_name(model.bus, model.places["swap"].number)
            defaults = (top / "etc/default/grub.d/golden.cfg").read_text("ascii")
            (top / "etc/default/grub").write_text(
                defaults.replace('_DEFAULT=""', f'_DEFAULT="resume={swap}"')
            )
            (top / "etc/default/grub.d/golden.cfg").unlink()
            with _inside(model, top, devices):
                run(["chroot", str(top), "grub-mkconfig", "-o", "/boot/grub/grub.cfg"])
        return path


def _tree(maker: Maker) -> tuple[Path, int]:
    """The disk with the files of the golden Debian, and where its filesystem begins."""
    if maker is Maker.DRACUT:
        return needed(BUILD / "golden-dracut/root.raw", "golden-dracut"), 0
    return needed(BUILD / "golden/bios.raw", "golden"), MIB


def _digest_of_tree(maker: Maker) -> str:
    """Of a tree that is built apart from the golden one; empty for that one."""
    if maker is Maker.INITRAMFS_TOOLS:
        return ""
    return f"-{digest_of(needed(BUILD / 'golden-dracut/content.key', 'golden-dracut'))[:12]}"


def _fstab(model: Model) -> str:
    places = model.places
    root = f"UUID={places['root'].uuid}"
    lines = [f"{root} / {model.root.kind} defaults 0 {0 if model.root is Root.XFS else 1}"]
    if model.root is Root.BTRFS:
        lines = [f"{root} / btrfs subvol=@ 0 0", f"{root} /home btrfs subvol=@home 0 0"]
    if model.root is Root.BOOT:
        lines.append(f"UUID={places['boot'].uuid} /boot ext4 defaults 0 2")
    lines.append(f"{kernel_name(model.bus, places['swap'].number)} none swap sw 0 0")
    if model.start.is_uefi:
        esp = kernel_name(model.bus, places["esp"].number)
        lines.append(f"{esp} /boot/efi vfat umask=0077 0 1")
    return "\n".join(lines) + "\n"


# ---- laying out ----------------------------------------------------------------------------------


def _partition(start: Start, places: dict[str, Place], path: Path) -> None:
    end = max(one.start_bytes + one.size_bytes for one in places.values())
    path.unlink(missing_ok=True)
    Disk.empty(path, end + MIB, "model")
    gpt = start is not Start.BIOS_MBR
    lines = [f"label: {'gpt' if gpt else 'dos'}", "unit: sectors"]
    for one in places.values():
        kind = _GPT_TYPES.get(one.role, "swap" if one.role == "swap" else "linux")
        first, size = one.start_bytes // SECTOR_BYTES, one.size_bytes // SECTOR_BYTES
        lines.append(f"start={first}, size={size}, type={kind}")
    run(["sfdisk", "--quiet", "--no-tell-kernel", str(path)], stdin="\n".join(lines) + "\n")


def _swap(place: Place, path: Path) -> None:
    with attached(path, offset_bytes=place.start_bytes, size_bytes=place.size_bytes) as device:
        run(["mkswap", "--uuid", place.uuid, str(device)])


@contextmanager
def _laid_out(model: Model, path: Path, point: Path) -> Iterator[tuple[Path, dict[str, Path]]]:
    """Fresh filesystems, mounted as the system will be; and the device behind each UUID."""
    places, devices = model.places, {}
    with ExitStack() as stack:

        def made(role: str, *argv: str) -> Path:
            one = places[role]
            device = stack.enter_context(
                attached(path, offset_bytes=one.start_bytes, size_bytes=one.size_bytes)
            )
            run([*argv, str(device)])
            devices[one.uuid] = device
            return device

        own = places["root"].uuid
        match model.root:
            case Root.XFS:
                device = made("root", "mkfs.xfs", "-q", f"-muuid={own}")
                top = stack.enter_context(_mounted(device, point))
            case Root.BTRFS:
                device = made("root", "mkfs.btrfs", "-q", "-U", own)
                with _mounted(device, point) as whole:
                    for name in ("@", "@home"):
                        run(["btrfs", "subvolume", "create", str(whole / name)])
                top = stack.enter_context(_mounted(device, point, "subvol=@"))
            case Root.EXT4 | Root.BOOT:
                device = made("root", "mke2fs", "-q", "-t", "ext4", "-U", own)
                top = stack.enter_context(_mounted(device, point))
        if model.root is Root.BOOT:
            device = made("boot", "mke2fs", "-q", "-t", "ext4", "-U", places["boot"].uuid)
            stack.enter_context(_mounted(device, top / "boot"))
        yield top, devices


@contextmanager
def root_of(disk: Disk, root: Place) -> Iterator[Path]:
    """The root of a model that has one filesystem, to change files on it."""
    with (
        TemporaryDirectory(prefix="root-", dir=disk.path.parent) as folder,
        attached(disk.path, offset_bytes=root.start_bytes, size_bytes=root.size_bytes) as device,
        _mounted(device, Path(folder) / "top") as top,
    ):
        yield top


@contextmanager
def _mounted(device: Path, point: Path, options: str = "rw") -> Iterator[Path]:
    point.mkdir(exist_ok=True)
    run(["mount", "-o", options, str(device), str(point)])
    try:
        yield point
    finally:
        run(["umount", str(point)])


@contextmanager
def _inside(model: Model, top: Path, devices: dict[str, Path]) -> Iterator[None]:
    """``/proc`` and a ``/dev`` with the disks of this system alone, for programs in a chroot."""
    with ExitStack() as stack:
        run(["mount", "-t", "tmpfs", "none", str(top / "dev")])
        stack.callback(run, ["umount", str(top / "dev")])
        run(["mount", "-t", "proc", "proc", str(top / "proc")])
        stack.callback(run, ["umount", str(top / "proc")])
        links = top / "dev/disk/by-uuid"
        links.mkdir(parents=True)
        nodes = {Path("/dev", name): name for name in _NODES}
        for place in model.places.values():
            if device := devices.get(place.uuid):
                # grub-mkconfig writes no entry for a loop device of one digit, and the mount table
                # may name one.
                nodes[device] = f"loop9{place.number}"
                (links / place.uuid).symlink_to(f"/dev/{nodes[device]}")
                (top / "dev" / device.name).symlink_to(nodes[device])
        for node, name in nodes.items():
            info = node.stat()
            os.mknod(top / "dev" / name, stat.S_IFMT(info.st_mode) | 0o666, info.st_rdev)
        yield
