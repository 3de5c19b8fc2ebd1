# SPDX-License-Identifier: GPL-3.0-or-later
"""``og os adapt`` on disk files: an initramfs made anew by the system's own program, in a sandbox.

Most have a program that copies a file: what is asked is what ``og`` does with what it made. One
is the small Debian that the tests restore, with its real one.
"""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from disk.deploy.room import Said, captured, digest, disk_file, og
from disk.osconfig.systems import (
    BOOT_UUID,
    ROOT_UUID,
    device_of,
    make_debian,
    make_disk,
    seen_at,
)
from disk.runtime.foreign import add_script, make_runnable
from oglib.deploy.hardware import adapt, rebuild, tools
from oglib.disk.loop import attached
from oglib.disk.probing.drivers import Driver
from oglib.errors import PartitionError
from unit.deploy.cpios import KERNEL, cpio, modules

MIB = 1 << 20
GOLDEN = Path(__file__).resolve().parents[3] / "build/golden/bios.raw"
INITRAMFS = f"boot/initrd.img-{KERNEL}"
KEPT = f"boot/oglive-old.initrd.img-{KERNEL}"
HAS = ("ahci", "ata_piix", "ext4", "nvme", "sd_mod", "virtio_blk", "virtio_pci", "virtio_scsi")
OLD = gzip.compress(cpio({"conf/initramfs.conf": b"", **modules("ata_piix", "sd_mod", "ext4")}))
NEW = gzip.compress(cpio({"conf/initramfs.conf": b"", **modules(*HAS)}))
LOADABLE = "".join(f"kernel/drivers/{name}.ko.xz:\n" for name in HAS)
MENU = f"linux /boot/vmlinuz-{KERNEL} root=UUID=x ro\ninitrd /{INITRAMFS}\n"
PLAIN: dict[str, str | bytes] = {
    f"boot/vmlinuz-{KERNEL}": "a kernel\n",
    INITRAMFS: OLD,
    f"usr/lib/modules/{KERNEL}/modules.dep": LOADABLE,
    f"usr/lib/modules/{KERNEL}/modules.builtin": "kernel/fs/fuse/fuse.ko\n",
    "usr/share/new": NEW,
    "etc/initramfs-tools/initramfs.conf": "MODULES=dep\n",
}
# Makes what lies ready, where it was told to.
MAKES = (
    "while [ $# -gt 1 ]; do case $1 in -o|-g) out=$2;; esac; shift; done\n"
    'cp /usr/share/new "${out:-/tmp/initramfs}"'
)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A system that really runs, with one kernel, and nothing that makes an initramfs yet."""
    folder = make_runnable(tmp_path_factory.mktemp("base") / "tree")
    if not (folder / "lib").is_symlink():  # as this PC has its libraries
        subprocess.run(["cp", "-a", folder / "lib", folder / "usr"], check=True)
        shutil.rmtree(folder / "lib", ignore_errors=True)
        (folder / "lib").symlink_to("usr/lib")
    make_debian(folder, {"boot/grub/grub.cfg": MENU})
    put(folder, PLAIN)
    return folder


def put(folder: Path, files: Mapping[str, str | bytes]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


class Pc:
    """A disk file with one such system."""

    def __init__(self, tmp_path: Path, base: Path) -> None:
        self.size: tuple[int, ...] = (48,)
        self.tmp_path = tmp_path
        self.base = base
        self.disk = make_disk(tmp_path / "pc.img", self.size)

    def filled(
        self,
        files: Mapping[str, str | bytes] | None = None,
        *,
        program: str = "usr/sbin/mkinitramfs",
        script: str = MAKES,
        uuid: str = "random",
    ) -> Pc:
        tree = self.tmp_path / "tree"
        subprocess.run(["cp", "-a", self.base, tree], check=True)
        add_script(tree, program, script)
        put(tree, files or {})
        with device_of(self.disk, self.size, 1) as device:
            make = ("mke2fs", "-q", "-t", "ext4", "-U", uuid, "-d", tree, device)
            subprocess.run(make, check=True)
        return self

    @contextmanager
    def seen(self, options: str = "ro,noload") -> Iterator[Path]:
        with (
            device_of(self.disk, self.size, 1) as device,
            seen_at(device, self.tmp_path / "m", options) as point,
        ):
            yield point

    def adapt(self, *more: str) -> Said:
        return og("os", "adapt", self.disk, "1", "--for", "any", *more)


@pytest.fixture
def pc(tmp_path: Path, base: Path, monkeypatch: pytest.MonkeyPatch) -> Pc:
    monkeypatch.setattr(rebuild, "_LEAST_ROOM_BYTES", 20 * MIB)
    monkeypatch.setattr(rebuild, "_MARGIN_BYTES", 2 * MIB)
    return Pc(tmp_path, base)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(
    ("program", "mark", "said"),
    [
        (
            "usr/sbin/mkinitramfs",
            "conf/initramfs.conf",
            f"/usr/sbin/mkinitramfs -d /tmp/oglive -o /tmp/initramfs {KERNEL}",
        ),
        (
            "usr/bin/dracut",
            "usr/lib/dracut/hooks",
            "/usr/bin/dracut --force --no-hostonly --no-hostonly-cmdline --tmpdir /tmp "
            f"/tmp/initramfs {KERNEL}",
        ),
        (
            "usr/bin/mkinitcpio",
            "buildconfig",
            f"/usr/bin/mkinitcpio -k {KERNEL} -g /tmp/initramfs -S autodetect -t /tmp",
        ),
    ],
    ids=["initramfs-tools", "dracut", "mkinitcpio"],
)
def test_what_is_lacking_is_there_and_the_old_one_is_kept(
    pc: Pc, program: str, mark: str, said: str
) -> None:
    made = gzip.compress(cpio([mark, *modules(*HAS)]))
    old = gzip.compress(cpio([mark, *modules("ata_piix", "sd_mod", "ext4")]))
    script = f'[ "$0 $*" = "{said}" ] || exit 9\n{MAKES}'
    pc.filled({"usr/share/new": made, INITRAMFS: old}, program=program, script=script)
    before = digest(pc.disk)
    dry = pc.adapt("--dry-run")
    assert (dry.status, digest(pc.disk)) == (0, before)
    assert "lacks ahci, nvme, virtio_pci, virtio_blk, virtio_scsi" in dry.out.replace("\n", " ")
    done = pc.adapt("--json")
    assert done.status == 0, done
    (step,) = json.loads(done.out)["steps"]
    assert step["name"], step["outcome"] == ("initramfs", "done")
    with pc.seen() as root:
        assert (root / INITRAMFS).read_bytes() == made
        assert (root / KEPT).read_bytes() == old
        assert {"tmp", "oglive"}.isdisjoint(names(root / "tmp"))
        assert names(root / "boot") == [
            "grub", f"initrd.img-{KERNEL}", f"oglive-old.initrd.img-{KERNEL}", f"vmlinuz-{KERNEL}"
        ]  # fmt: skip
    after = digest(pc.disk)
    again = pc.adapt()
    assert (again.status, "not-needed" in again.out) == (0, True)
    assert digest(pc.disk) == after


def test_the_site_s_configuration_is_copied_and_ours_comes_last(pc: Pc) -> None:
    shows = (
        "set -e; MODULES=; RESUME=; . $2/initramfs.conf; for f in $2/conf.d/*; do . $f; done\n"
        '[ "$MODULES $FSTYPE $RESUME $SITE" = "most ext4 UUID=x yes" ]\n'
    )
    pc.filled(
        {
            "etc/initramfs-tools/conf.d/site": "MODULES=dep\nRESUME=UUID=x\nSITE=yes\n",
        },
        script=shows + MAKES,
    )
    assert pc.adapt().status == 0
    with pc.seen() as root:
        assert names(root / "etc/initramfs-tools/conf.d") == ["site"]


TRAPS = {
    "writes outside": "touch /etc/new; echo 1 >/proc/sys/kernel/core_pattern; exit 3",
    "makes nothing": "exit 0",
    "makes a link": "ln -s /etc/shadow /tmp/initramfs || cp -s /etc/shadow /tmp/initramfs",
    "makes a folder": "mkdir /tmp/initramfs",
    "makes a text": "echo hello >/tmp/initramfs",
    "makes one that is poor": "cp /boot/initrd.img-* /tmp/initramfs",
    "makes half of one": "cat /usr/share/new | { IFS= read -r l; echo x >/tmp/initramfs; }",
    "fills the memory": "cat /dev/zero >/tmp/initramfs",
    "sleeps for ever": "sleep 999999",
    "fails": "echo 'no such module: \033[2J' >&2; exit 1",
}


@pytest.mark.parametrize("trap", TRAPS.values(), ids=TRAPS)
def test_a_trap_leaves_all_as_it_was(pc: Pc, trap: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rebuild, "_scratch_bytes", lambda: 32 * MIB)
    monkeypatch.setattr(tools, "_LIMIT_S", 2.0)
    pc.filled(script=trap)
    done = pc.adapt()
    assert done.status != 0
    assert "failed" in done.out
    assert "\033" not in done.out
    with pc.seen() as root:
        assert (root / INITRAMFS).read_bytes() == OLD
        assert names(root / "boot") == ["grub", f"initrd.img-{KERNEL}", f"vmlinuz-{KERNEL}"]
        assert not (root / "etc/new").exists()
    assert list(Path("/run/oglive/sandbox").iterdir()) == []


def test_what_stood_between_disk_and_root_must_not_get_lost(pc: Pc) -> None:
    old = gzip.compress(cpio(["conf/initramfs.conf", *modules("dm-crypt", "ext4")]))
    pc.filled({INITRAMFS: old})
    done = pc.adapt()
    assert done.status != 0
    assert "lacks dm_crypt" in " ".join(done.out.split())
    with pc.seen() as root:
        assert (root / INITRAMFS).read_bytes() == old


def test_no_room_is_said_before_anything_runs(pc: Pc) -> None:
    pc.filled({"boot/full": b"x" * (20 * MIB)})
    before = digest(pc.disk)
    for more in ((), ("--dry-run",)):
        done = pc.adapt(*more)
        assert done.status != 0
        assert "needs 20.0 MiB beside the old one" in " ".join(done.out.split())
        assert digest(pc.disk) == before


def test_the_room_is_measured_again_with_the_new_one_at_hand(
    pc: Pc, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuild, "_LEAST_ROOM_BYTES", 0)
    script = "cat /boot/full /boot/full /boot/full >/tmp/initramfs"
    pc.filled({"boot/full": b"x" * (20 * MIB)}, script=script)
    done = pc.adapt()
    assert done.status != 0
    assert "needs 62.0 MiB beside the old one" in " ".join(done.out.split())
    with pc.seen() as root:
        assert (root / INITRAMFS).read_bytes() == OLD
        assert len(names(root / "boot")) == 4


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"usr/sbin/mkinitramfs": b"\x7fELF\x02\x01\x01" + bytes(11) + b"\xb7\0" + bytes(44)},
         "/usr/sbin/mkinitramfs in partition 1"),
        ({"usr/bin/sh": b"\x7fELF\x02\x01\x01" + bytes(11) + b"\xb7\0" + bytes(44)},
         "is for aarch64, which this PC's x86_64 cannot run"),
        ({"usr/bin/cp": "none"}, "is no program that can be run"),
        ({INITRAMFS: b"damaged"}, "carries cannot be read"),
        ({INITRAMFS: gzip.compress(cpio(["buildconfig"])), "usr/bin/dracut": "#!/bin/sh\n"},
         "mkinitcpio made it, and is not in the system"),
        ({f"usr/lib/modules/{KERNEL}/modules.dep": "kernel/nvme.ko:\n"},
         f"kernel {KERNEL} has no ext4, which any PC needs"),
        ({f"{KEPT}/x": ""}, f"{KEPT} in partition 1"),
    ],
    ids=["tool", "shell", "helper", "initramfs", "two tools", "filesystem", "kept"],
)  # fmt: skip
def test_what_cannot_be_is_said_and_nothing_is_written(
    pc: Pc, files: Mapping[str, str | bytes], said: str
) -> None:
    pc.filled(files)
    before = digest(pc.disk)
    done = pc.adapt()
    assert done.status != 0
    assert said in " ".join(done.out.split())
    assert digest(pc.disk) == before


def test_a_disk_file_is_no_hardware_of_this_pc(pc: Pc) -> None:
    pc.filled()
    done = og("os", "adapt", pc.disk, "1")
    assert done.status != 0
    assert "`--for any`" in done.error


def test_what_holds_no_linux_is_refused(pc: Pc) -> None:
    with device_of(pc.disk, pc.size, 1) as device:
        subprocess.run(["mke2fs", "-q", device], check=True)
    done = pc.adapt()
    assert done.status != 0
    assert "no system is known on it" in done.error


def test_configure_does_it_too_where_the_filesystem_s_driver_is_lacking(pc: Pc) -> None:
    pc.filled({INITRAMFS: gzip.compress(cpio(["conf/initramfs.conf", *modules("sd_mod")]))})
    dry = og("os", "configure", pc.disk, "1", "--step", "initramfs", "--dry-run")
    assert f"{INITRAMFS} lacks ext4, which the disk file needs" in " ".join(dry.out.split())
    done = og("os", "configure", pc.disk, "1", "--step", "initramfs")
    assert done.status == 0, done
    with pc.seen() as root:
        assert (root / INITRAMFS).read_bytes() == NEW
    again = og("os", "configure", pc.disk, "1", "--step", "initramfs")
    assert "it has ext4 for the disk file" in " ".join(again.out.split())


def test_deploy_does_it_by_itself_for_what_drives_this_pc_s_disk(
    pc: Pc, layouts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nvme = Driver("nvme", built_in=False, modalias="pci:v00001B36d00000010bc01sc08i02")
    monkeypatch.setattr(adapt, "drivers_of", lambda _disk: (nvme,))
    pc.filled()
    with device_of(pc.disk, pc.size, 1) as device:
        image = captured(device, "debian", pc.tmp_path / "images")
    target = disk_file(pc.tmp_path / "target.img", "blank", size_mib=128)
    words = ("deploy", image, target, "1", "--layout", layouts / "roomy.json", "--yes", "--json")
    done = og(*words)
    assert done.status == 0, done
    (step,) = (one for one in json.loads(done.out)["steps"] if one["name"] == "initramfs")
    assert (step["outcome"], step["detail"]) == (
        "done",
        f"{INITRAMFS} has nvme now, the old one is beside it: {Path(KEPT).name}",
    )
    point = pc.tmp_path / "m"
    with attached(target, offset_bytes=MIB) as device, seen_at(device, point, "ro,noload") as root:
        assert (root / INITRAMFS).read_bytes() == NEW
    again = og("os", "configure", target, "1", "--step", "initramfs")
    assert "it has nvme, ext4 for this PC's disk" in " ".join(again.out.split())


def test_a_kernel_without_a_driver_for_this_pc_s_disk_fails_the_step(
    pc: Pc, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapt, "drivers_of", lambda _disk: (Driver("vmd", built_in=False),))
    pc.filled()
    done = og("os", "configure", pc.disk, "1", "--step", "initramfs")
    assert done.status != 0
    assert f"kernel {KERNEL} has no vmd, which this PC's disk needs" in " ".join(done.out.split())


def test_what_drives_the_disk_cannot_be_read(pc: Pc, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreadable(_disk: Path) -> tuple[Driver, ...]:
        raise PartitionError("What drives it cannot be read.")

    monkeypatch.setattr(adapt, "drivers_of", unreadable)
    pc.filled()
    done = og("os", "configure", pc.disk, "1", "--step", "initramfs", "--step", "hosts")
    assert done.status != 0
    assert "failed initramfs What drives it cannot be read" in " ".join(done.out.split())
    assert "not-needed hosts" in " ".join(done.out.split())


def test_a_boot_of_its_own_gets_the_new_one_and_keeps_the_old(pc: Pc) -> None:
    pc.size = (40, 48)
    make_disk(pc.disk, pc.size)
    fstab = f"UUID={ROOT_UUID} / ext4 defaults 0 1\nUUID={BOOT_UUID} /boot ext4 defaults 0 2\n"
    pc.filled({"etc/fstab": fstab}, uuid=ROOT_UUID)
    boot = pc.tmp_path / "boot"
    shutil.move(pc.tmp_path / "tree/boot", boot)
    with device_of(pc.disk, pc.size, 2) as device:
        make = ("mke2fs", "-q", "-t", "ext4", "-U", BOOT_UUID, "-d", boot, device)
        subprocess.run(make, check=True)
    with pc.seen("rw") as root:
        shutil.rmtree(root / "boot")
        (root / "boot").mkdir()
    done = pc.adapt()
    assert done.status == 0, done
    with device_of(pc.disk, pc.size, 2) as device, seen_at(device, pc.tmp_path / "m") as root:
        assert (root / Path(INITRAMFS).name).read_bytes() == NEW
        assert (root / Path(KEPT).name).read_bytes() == OLD
    with pc.seen() as root:
        assert names(root / "boot") == []


def test_the_small_debian_gets_its_drivers_by_its_own_program(tmp_path: Path) -> None:
    if not GOLDEN.exists():
        pytest.skip("build/golden is not built: make golden")
    disk = tmp_path / "pc.raw"
    subprocess.run(["cp", "--sparse=always", GOLDEN, disk], check=True)
    with (
        attached(disk, offset_bytes=MIB, size_bytes=1536 * MIB) as device,
        seen_at(device, tmp_path / "m") as root,
    ):
        (old,) = (root / "boot").glob("initrd.img-*")
        kernel = old.name.removeprefix("initrd.img-")
        carried = modules("ata_piix", "ext4", kernel=kernel)
        old.write_bytes(gzip.compress(cpio(["conf/initramfs.conf", *carried])))
    done = og("os", "adapt", disk, "1", "--for", "any")
    assert done.status == 0, done
    again = og("os", "adapt", disk, "1", "--for", "any")
    assert "it has ext4, ahci, ata_piix, nvme" in " ".join(again.out.split())
