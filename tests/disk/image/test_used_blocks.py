# SPDX-License-Identifier: GPL-3.0-or-later
"""The second opinion about which blocks are used, on real filesystems with real tools.

Where partclone is right the filesystem's own tables agree with it bit for bit; where it is wrong
(btrfs, FAT12, ext4 with clusters) what is restored is whole all the same.
"""

from __future__ import annotations

import mmap
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from disk.filesystem.devices import judge, need_driver, need_tools
from oglib.deploy.partition.capture import CaptureWishes, create
from oglib.deploy.whole_disk.capture import create_disk
from oglib.errors import FilesystemError, ImageError, OgError
from oglib.filesystem.kinds import kind_of
from oglib.filesystem.make import format_filesystem
from oglib.filesystem.probe import probe_filesystem
from oglib.filesystem.structures.pieces import Least
from oglib.filesystem.used import used_pieces
from oglib.image.format.partclone import HEADER_BYTES
from oglib.image.proving.verify import verify
from oglib.image.reading.local import create_local, local_image
from oglib.image.recording import second_opinion as opinions
from oglib.image.recording.device_capture import partclone_argv, program_for
from oglib.image.recording.filling import spool_head
from oglib.image.recording.second_opinion import own_head
from oglib.image.writing.restore import restore
from oglib.image.writing.target import open_target
from oglib.progress import Phase, Progress, Silent
from oglib.settings import Settings
from oglib.streams import stream_from
from quiet import QUIET

MIB = 1 << 20

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: loop devices, mounts")


def run(*argv: str | Path) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


def made(path: Path, mib: int, *maker: str) -> Path:
    path.touch()
    os.truncate(path, mib * MIB)
    run(*maker, path)
    return path


@contextmanager
def mounted(path: Path, point: Path, *options: str) -> Iterator[Path]:
    point.mkdir(exist_ok=True)
    run("mount", "-o", ",".join(("loop", *options)), path, point)
    try:
        yield point
    finally:
        run("umount", point)


def filled(folder: Path, count: int = 30) -> Path:
    """Files of many sizes, every third of them gone again."""
    folder.mkdir(exist_ok=True)
    for at in range(count):
        (folder / f"f{at}").write_bytes(os.urandom(100 + at * 9973))
    for at in range(0, count, 3):
        (folder / f"f{at}").unlink()
    return folder


def content(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def captured(source: Path, folder: Path, **options: object) -> None:
    create(
        str(source), None, "x", destination=str(folder), settings=Settings(), progress=QUIET,
        wishes=CaptureWishes(**options),  # type: ignore[arg-type]
    )  # fmt: skip


def both(device: Path) -> tuple[int, int]:
    """The bits that partclone sets, and those of the filesystem's own tables."""
    kind = probe_filesystem(device).kind
    argv = partclone_argv(program_for(kind), device, "-a0", dirty=False)
    with (
        open_target(device, write=False) as source,
        stream_from(*argv, calm=True, head_only=True) as said,
        tempfile.TemporaryFile() as theirs,
        tempfile.TemporaryFile() as ours,
    ):
        header = spool_head(said, theirs)
        ours.truncate(header.prefix_bytes)
        found = []
        for file in (theirs, ours):
            with mmap.mmap(file.fileno(), header.prefix_bytes) as room:
                if file is ours:
                    blocks = opinions._Blocks(room, header)
                    for piece in used_pieces(kind_of(kind).name, source.read):
                        assert not isinstance(piece, Least)
                        blocks.take(piece, add=True)
                bits = int.from_bytes(room[HEADER_BYTES:-4], "little")
                found.append(bits & ((1 << header.total_blocks) - 1))
    return found[0], found[1]


def apart(device: Path) -> tuple[int, int]:
    """How many blocks only partclone calls used, and how many only the filesystem's tables."""
    theirs, ours = both(device)
    return (theirs & ~ours).bit_count(), (ours & ~theirs).bit_count()


EXT = ("mke2fs", "-q", "-F", "-t", "ext4")


@pytest.mark.parametrize(
    "maker",
    [
        EXT,
        (*EXT, "-b", "4096", "-E", "packed_meta_blocks=1"),
        (*EXT, "-b", "1024", "-O", "meta_bg,^resize_inode"),
        (*EXT, "-b", "2048", "-O", "sparse_super2"),
        (*EXT, "-O", "^flex_bg", "-g", "2048"),
        (*EXT, "-b", "1024", "-O", "^has_journal,^uninit_bg,^metadata_csum,^64bit"),
        (*EXT, "-O", "encrypt,stable_inodes,verity,orphan_file,inline_data"),
        ("mke2fs", "-q", "-F", "-t", "ext2", "-r", "0"),
        ("mke2fs", "-q", "-F", "-t", "ext3"),
    ],
    ids=lambda maker: " ".join(maker[4:]) or "ext4",
)
def test_the_bitmaps_of_ext_agree_with_partclone(tmp_path: Path, maker: tuple[str, ...]) -> None:
    files = filled(tmp_path / "files")
    assert apart(made(tmp_path / "fs", 200, *maker, "-d", str(files))) == (0, 0)


@pytest.mark.parametrize("options", [(), ("-b", "size=1024"), ("-s", "size=4096")])
def test_the_free_trees_of_xfs_agree_with_partclone(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    source = made(tmp_path / "fs", 304, "mkfs.xfs", "-q", *options)
    with mounted(source, tmp_path / "mnt") as point:
        filled(point)
    assert apart(source) == (0, 0)


@pytest.mark.parametrize(
    "options", [("-F", "16"), ("-F", "32", "-s", "1"), ("-F", "32", "-S", "4096")]
)
def test_the_tables_of_fat_agree_with_partclone(tmp_path: Path, options: tuple[str, ...]) -> None:
    source = made(tmp_path / "fs", 40 if options[-1] == "1" else 300, "mkfs.fat", *options)
    files = filled(tmp_path / "files")
    run("mcopy", "-i", source, *sorted(files.iterdir()), "::")
    run("mdel", "-i", source, "::f4", "::f20")
    only_theirs, only_ours = apart(source)
    assert only_ours == 0
    assert only_theirs < 16  # sectors behind the last whole cluster


@pytest.mark.parametrize("kind", ["exfat", "ntfs"])
@pytest.mark.parametrize("cluster", [4096, 65536])
def test_the_bitmaps_of_windows_agree_with_partclone(
    tmp_path: Path, kind: str, cluster: int
) -> None:
    need_tools(kind)
    maker = (
        ("mkfs.exfat", "-c", str(cluster))
        if kind == "exfat"
        else ("mkfs.ntfs", "-F", "-Q", "-q", "-c", str(cluster))
    )
    source = made(tmp_path / "fs", 100, *maker)
    if kind == "ntfs":
        for path in filled(tmp_path / "files").iterdir():
            run("ntfscp", source, path, path.name)
    assert apart(source) == (0, 0)


def test_a_bad_cluster_of_a_fat_is_not_read(tmp_path: Path) -> None:
    source = made(tmp_path / "fs", 40, "mkfs.fat", "-F", "32", "-s", "1", "-f", "1", "-R", "32")
    before = both(source)[1]
    with source.open("r+b") as file:
        for cluster, entry in ((900, 0x0FFFFFF7), (901, 0x0FFFFFFF)):
            file.seek(32 * 512 + 4 * cluster)
            file.write(entry.to_bytes(4, "little"))
    assert (both(source)[1] ^ before).bit_count() == 1


def snapshots(path: Path, point: Path) -> dict[str, bytes]:
    """A btrfs whose tree blocks are shared by snapshots; what partclone 0.3.23 loses."""
    made(path, 200, "mkfs.btrfs", "-q", "--csum", "xxhash")
    with mounted(path, point, "compress=zstd") as top:
        run("btrfs", "subvolume", "create", top / "@")
        for folder in "abcd":
            filled(top / "@" / folder, 12)
        for name in ("s1", "s2", "s3"):
            run("btrfs", "subvolume", "snapshot", top / "@", top / name)
            filled(top / "@" / name, 6)
        run("sync", "--file-system", top)
        run("btrfs", "subvolume", "delete", top / "s2")
        run("btrfs", "filesystem", "sync", top)
        return content(top)


def test_a_btrfs_with_snapshots_comes_back_whole(tmp_path: Path) -> None:
    need_driver("btrfs")
    files = snapshots(tmp_path / "fs", tmp_path / "mnt")
    manifest = create_local(tmp_path / "fs", tmp_path / "x.img", progress=QUIET)
    theirs, ours = both(tmp_path / "fs")
    assert manifest.added_blocks == (ours & ~theirs).bit_count()
    assert manifest.used_blocks == (ours | theirs).bit_count()
    version = run("partclone.btrfs", "-v").split("v")[1].split()[0]
    assert manifest.partclone == version
    target = made(tmp_path / "target", 200, "true")
    with local_image(tmp_path / "x.img") as image:
        restore(image, target, progress=QUIET)
        verify(image, tmp_path / "fs", progress=QUIET)
    (tmp_path / "fs").unlink()  # the same identity twice confuses the kernel
    run("btrfs", "check", "--readonly", "--check-data-csum", target)
    with mounted(target, tmp_path / "mnt") as top:
        assert content(top) == files


def test_the_extents_of_btrfs_alone_are_a_whole_filesystem(tmp_path: Path) -> None:
    """So what is added to partclone's bitmap is all that may be missing in it."""
    need_driver("btrfs")
    snapshots(tmp_path / "fs", tmp_path / "mnt")
    bare = made(tmp_path / "bare", 200, "true")
    with (tmp_path / "fs").open("rb") as old, bare.open("r+b") as new:

        def read(offset: int, size: int) -> bytes:
            return os.pread(old.fileno(), size, offset)

        for piece in used_pieces("btrfs", read):
            assert not isinstance(piece, Least)
            os.pwrite(new.fileno(), read(piece.start, piece.unit * piece.units), piece.start)
    (tmp_path / "fs").unlink()
    run("btrfs", "check", "--readonly", "--check-data-csum", bare)


def test_a_log_that_a_btrfs_left_is_captured_with_it(tmp_path: Path) -> None:
    need_driver("btrfs")
    source, copy = made(tmp_path / "fs", 128, "mkfs.btrfs", "-q"), tmp_path / "copy"
    with mounted(source, tmp_path / "mnt") as top:
        run("sync", "--file-system", top)
        for at in range(20):
            with (top / f"f{at}").open("wb") as file:
                file.write(os.urandom(20_000))
                os.fsync(file.fileno())
        run("cp", source, copy)
        files = content(top)
    source.unlink()
    captured(copy, tmp_path, dirty=True)
    copy.unlink()
    target = made(tmp_path / "target", 128, "true")
    with local_image(tmp_path / "x.img") as image:
        restore(image, target, progress=QUIET)
    with mounted(target, tmp_path / "mnt") as top:
        assert content(top) == files


def test_one_of_two_devices_of_a_btrfs_is_refused_by_name(tmp_path: Path) -> None:
    parts = [made(tmp_path / name, 128, "true") for name in ("one", "two")]
    loops = [run("losetup", "--find", "--show", part).strip() for part in parts]
    try:
        run("mkfs.btrfs", "-q", "-d", "single", "-m", "raid1", *loops)
    finally:
        run("losetup", "--detach", *loops)
        subprocess.run(["btrfs", "device", "scan", "-u"], check=False, capture_output=True)
    for part in parts:
        for dirty in (False, True):
            with pytest.raises(FilesystemError, match="one device of a btrfs") as found:
                captured(part, tmp_path, dirty=dirty)
            assert "--raw" in found.value.hint
    captured(parts[0], tmp_path, raw=True)


def test_a_file_on_fat12_comes_back_whole(tmp_path: Path) -> None:
    """partclone before 0.3.37 takes the entries for ones of 16 bits."""
    source = made(tmp_path / "fs", 8, "mkfs.fat", "-F", "12")
    files = filled(tmp_path / "files", 24)
    run("mcopy", "-i", source, *sorted(files.iterdir()), "::")
    create_local(source, tmp_path / "x.img", progress=QUIET)
    target = made(tmp_path / "target", 8, "true")
    with local_image(tmp_path / "x.img") as image:
        restore(image, target, progress=QUIET)
    judge("fat12", target)
    back = tmp_path / "back"
    back.mkdir()
    run("mcopy", "-i", target, "::*", back)
    assert content(back) == content(files)


@pytest.mark.parametrize("cluster", ["16384", "65536"])
def test_an_ext4_with_clusters_comes_back_whole(tmp_path: Path, cluster: str) -> None:
    files = filled(tmp_path / "files")
    source = made(tmp_path / "fs", 201, *EXT, "-O", "bigalloc", "-C", cluster, "-d", str(files))
    manifest = create_local(source, tmp_path / "x.img", progress=QUIET)
    assert (manifest.partclone, manifest.filesystem) == ("", "EXTFS")
    assert manifest.used_blocks < manifest.total_blocks / 2
    target = made(tmp_path / "target", 201, "true")
    with local_image(tmp_path / "x.img") as image:
        restore(image, target, progress=QUIET)
    run("e2fsck", "-fn", target)
    with mounted(target, tmp_path / "mnt", "ro") as top:
        found = {name: data for name, data in content(top).items() if name.startswith("f")}
        assert found == content(files)


def test_old_clients_get_no_image_that_lacks_blocks(tmp_path: Path) -> None:
    clusters = made(tmp_path / "clusters", 64, *EXT, "-O", "bigalloc")
    with pytest.raises(FilesystemError, match="bigalloc"):
        captured(clusters, tmp_path, format="gzip")
    small = made(tmp_path / "small", 8, "mkfs.fat", "-F", "12")
    run("mcopy", "-i", small, *sorted(filled(tmp_path / "files", 24).iterdir()), "::")
    theirs, ours = both(small)
    if ours & ~theirs:
        with pytest.raises(ImageError, match="would be lost") as found:
            captured(small, tmp_path, format="gzip")
        assert "--raw" in found.value.hint
        assert not list(tmp_path.glob("x.img*"))
    else:
        captured(small, tmp_path, format="gzip")


def test_an_ext4_whose_check_is_due_is_captured(tmp_path: Path) -> None:
    source = made(tmp_path / "fs", 40, *EXT)
    run("tune2fs", "-c", "5", "-C", "20", "-i", "1d", "-T", "20200101", source)
    create_local(source, tmp_path / "x.img", progress=QUIET)
    captured(source, tmp_path, format="gzip")


def test_a_count_that_is_higher_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = made(tmp_path / "fs", 128, "mkfs.f2fs", "-q")
    create_local(source, tmp_path / "x.img", progress=QUIET)
    told = used_pieces

    def more(name: str, read: object) -> Iterator[object]:
        for piece in told(name, read):  # type: ignore[arg-type]
            yield piece._replace(units=piece.units + 1) if isinstance(piece, Least) else piece

    monkeypatch.setattr(opinions, "used_pieces", more)
    with pytest.raises(
        ImageError, match=r"counts \d+ used blocks, partclone .* finds \d+"
    ) as found:
        create_local(source, tmp_path / "y.img", progress=QUIET)
    assert "--raw" in found.value.hint
    assert not list(tmp_path.glob("y.img*"))


def test_tables_that_cannot_be_read_are_no_answer(tmp_path: Path) -> None:
    source = made(tmp_path / "fs", 304, "mkfs.xfs", "-q")
    with open_target(source, write=False) as target, pytest.raises(ImageError, match="partclone"):
        own_head(target, "xfs", tmp_path)
    with source.open("r+b") as file:
        file.seek(512 + 16)
        file.write(b"\xff" * 4)  # where the tree of free blocks begins
    with pytest.raises(OgError) as found:
        create_local(source, tmp_path / "x.img", progress=QUIET)
    assert "is not captured" in found.value.message or "partclone" in found.value.message
    assert not list(tmp_path.glob("x.img*"))


def test_a_disk_with_a_dirty_partition_is_refused_before_the_first_byte(tmp_path: Path) -> None:
    disk = made(tmp_path / "disk", 64, "sgdisk", "-n1:2048:+20M", "-n2:0:+20M", "-n3:0:+1M")
    part = made(tmp_path / "part", 20, *EXT)
    for start in (1, 21):
        if start == 21:
            run("debugfs", "-w", "-R", "feature needs_recovery", part)
        run("dd", f"if={part}", f"of={disk}", "bs=1M", f"seek={start}", "conv=notrunc")
    folder = tmp_path / "images"
    folder.mkdir()
    with pytest.raises(FilesystemError, match="journal is not empty"):
        create_disk(str(disk), "x", destination=str(folder), settings=Settings(), progress=Loud())
    assert not list(folder.iterdir())


class Loud(Progress):
    """Nothing may begin."""

    def __init__(self) -> None:
        super().__init__(Silent())

    @contextmanager
    def phase(self, name: str, total_bytes: int = 0) -> Iterator[Phase]:
        raise AssertionError(f"{name} {total_bytes}")
        yield


LABELS = {"xfs": "Señal ñ", "btrfs": "Señal — é" * 9, "ntfs": "Partición", "f2fs": "Año ☃"}
ROOM = {"xfs": 304, "btrfs": 128, "f2fs": 64, "nilfs2": 136}


@pytest.mark.parametrize(
    "kind",
    ["ext2", "ext4", "xfs", "btrfs", "f2fs", "exfat", "ntfs", "swap", "jfs", "nilfs2", "reiserfs"],
)  # fmt: skip
def test_a_label_with_accents(tmp_path: Path, kind: str) -> None:
    need_tools(kind)
    device = made(tmp_path / "fs", ROOM.get(kind, 40), "true")
    label = LABELS.get(kind, "Señal")
    assert format_filesystem(device, kind, label=label).label == label
    assert run("blkid", "-p", "-o", "value", "-s", "LABEL", device) == f"{label}\n"


@pytest.mark.parametrize(
    ("kind", "fits", "long"),
    [
        ("fat12", "a" * 11, "a" * 12),
        ("ext4", "ñ" * 8, "ñ" * 8 + "n"),
        ("exfat", "ñ" * 11, "ñ" * 12),
        ("exfat", "😀" * 5, "😀" * 6),
        ("fat32", "SENAL", "SEÑAL"),
        ("fat32", "a b", "a:b"),
        ("fat16", "a b", " ab"),
        ("ntfs", "ñ" * 32, "ñ" * 129),
    ],
)
def test_a_label_that_does_not_fit_is_refused_before_anything_is_lost(
    tmp_path: Path, kind: str, fits: str, long: str
) -> None:
    device = made(tmp_path / "fs", 40, "mke2fs", "-q", "-F")
    with pytest.raises(FilesystemError, match="label"):
        format_filesystem(device, kind, label=long)
    assert probe_filesystem(device).name == "ext2"
    assert format_filesystem(device, kind, label=fits).label.lower() == fits.lower()


def test_a_label_in_latin_1_is_shown(tmp_path: Path) -> None:
    device = made(tmp_path / "fs", 40, "mke2fs", "-q", "-F")
    subprocess.run(["e2label", bytes(device), b"a\xf1o nuevo"], check=True)
    assert probe_filesystem(device).label == "año nuevo"
    small = made(tmp_path / "fat", 40, "mkfs.fat", "-F", "32", "-n", "A O")
    small.write_bytes(small.read_bytes().replace(b"A O        ", b"A\xa5O        "))
    assert probe_filesystem(small).label == "AÑO"
