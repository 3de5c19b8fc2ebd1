# SPDX-License-Identifier: GPL-3.0-or-later
"""Power cuts while an image is captured into a folder: what has its name is whole, always.

The folder lies on a recorded ext4. For each crash state the kernel mounts it; what is visible
must hold the old content or the new one, all of it, and the old one must still be there, under
its name or as ``.ant``. Then the capture is made again and must end as if nothing had happened.
"""

from __future__ import annotations

import io
import os
import random
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from zstandard import ZstdDecompressor

from oglib.cache.partition import mount_or_repair
from oglib.image.format.companions import COMPANIONS, checksums_of, info_line
from oglib.image.format.partclone import BITMAP_BITS, CHECKSUM_NONE, Header, crc32
from oglib.image.proving.verify import verify
from oglib.image.reading.local import local_image
from oglib.image.recording.device_capture import CaptureMeta, manifest_of
from oglib.image.recording.recorder import record
from oglib.image.recording.sink import FileSink
from power.crash import CrashState
from power.explore import Case
from power.recorder import Recording, recorded_disk
from quiet import QUIET
from tallies import Tally

SIZE = 160 << 20  # more than 128 MiB, so that there is a backup of the superblock
BLOCK = 4096
STATES = 80
NAME = "x.img"
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"


@cache
def content(version: int) -> bytes:
    """What partclone writes of a small partition: header, bitmap, its CRC, every block."""
    chance, blocks = random.Random(version), 512 + 256 * version
    header = Header(
        "test", "EXTFS", blocks * BLOCK, blocks, blocks, BLOCK, CHECKSUM_NONE, BITMAP_BITS
    )
    bits = b"\xff" * (blocks // 8)
    used = b"".join(chance.randbytes(BLOCK // 4) * 4 for _ in range(blocks))
    return header.to_bytes() + bits + crc32(bits).to_bytes(4, "little") + used


def capture_ours(folder: Path, version: int) -> None:
    sink = FileSink(folder / NAME)
    with TemporaryDirectory() as scratch, QUIET.phase("capture") as phase:
        recorded = record(io.BytesIO(content(version)), sink, Path(scratch), phase=phase, workers=1)
        manifest = manifest_of(recorded, CaptureMeta("x", title=f"version {version}"), 512)
        sink.finish(recorded.frames_path, manifest.to_bytes())


def capture_legacy(folder: Path, version: int) -> None:
    """One file without manifest, as old clients read it; only its way into the folder counts."""
    sink = FileSink(folder / NAME, full_sum=True)
    sink.write(content(version))
    sink.finish_plain(info_line("extfs", 1 << 20, "pc"), lambda _part: None)


CaptureTo = Callable[[Path, int], None]
KINDS: dict[str, CaptureTo] = {"ours": capture_ours, "legacy": capture_legacy}


@contextmanager
def mounted(device: Path, at: Path) -> Iterator[Path]:
    """As ogLive mounts an ext4 of its own: a superblock that a cut tore comes from its copy."""
    at.mkdir(exist_ok=True)
    mount_or_repair(device, at)
    try:
        yield at
    finally:
        subprocess.run(["umount", at], check=True)


def record_capture(work: Path, folder: Path, capture: CaptureTo, *, replaces: bool) -> Recording:
    base = folder / "base"
    folder.mkdir()
    base.touch()
    os.truncate(base, SIZE)
    subprocess.run(["mkfs.ext4", "-q", "-F", base], check=True)
    if replaces:
        with mounted(base, work / "mnt") as root:
            capture(root, 1)
    with recorded_disk(folder, SIZE, base) as disk, mounted(disk.device, work / "mnt") as root:
        capture(root, 2)
        disk.mark_returned()
        subprocess.run(["sync", "--file-system", root], check=True)
        disk.mark_end()
    return disk.recording()


def version_in(image: Path) -> int:
    """Which version an old client finds in this file, which is all that it looks at."""
    raw = image.read_bytes()
    if raw.startswith(ZSTD_MAGIC):
        with ZstdDecompressor().stream_reader(raw, read_across_frames=True) as reader:
            raw = reader.read()
    found = [version for version in (1, 2) if raw == content(version)]
    assert found, f"{image.name} is neither version"
    return found[0]


@dataclass(frozen=True, slots=True)
class Judge:
    """What may be seen on the disk of a crash state, and what a rerun makes of it."""

    capture: CaptureTo
    replaces: bool
    returned: int
    at: Path
    seen: set[str] = field(default_factory=set)

    def __call__(self, disk: Path, state: CrashState) -> None:
        with mounted(disk, self.at) as root:
            shown = self._shown(root)
            self.seen.add({1: "old", 2: "new", 0: "none"}[shown])
            if self.replaces:
                old = [root / f"{NAME}{suffix}" for suffix in ("", ".ant")]
                assert 1 in [version_in(path) for path in old if path.exists()]
            if state.whole >= self.returned:
                assert shown == 2, "it had returned, and yet is not there"
            self.capture(root, 2)
            assert self._shown(root) == 2, "the rerun did not come to its end"
            assert not list(root.glob("*.part"))
        subprocess.run(["e2fsck", "-f", "-n", disk], check=True, capture_output=True)

    def _shown(self, root: Path) -> int:
        """The version that whoever looks takes for an image; 0: none."""
        image = root / NAME
        version = version_in(image) if image.exists() else 0
        info = root / f"{NAME}.info"
        if info.exists():
            sums = [root / f"{NAME}{suffix}" for suffix in COMPANIONS[:2]]
            texts = [path.read_text() if path.exists() else "" for path in sums]
            right = checksums_of(image)
            assert texts == [right[0], right[1] if self.capture is capture_legacy else ""]
        if self.capture is capture_legacy:
            return version
        if not (root / f"{NAME}.json").exists():
            return 0
        with local_image(image) as opened:
            assert opened.manifest.title == f"version {version}"
            verify(opened, progress=QUIET)
        return version


@pytest.mark.parametrize("replaces", [False, True], ids=["first", "again"])
@pytest.mark.parametrize("kind", KINDS)
def test_what_has_its_name_is_whole(kind: str, replaces: bool, case: Case, tally: Tally) -> None:
    capture = KINDS[kind]
    recording = case.recording(
        lambda folder: record_capture(case.work, folder, capture, replaces=replaces)
    )
    judge = Judge(capture, replaces, recording.returned, case.work / "mnt")
    case.explore(recording, STATES, judge, tally, "capture")
    wanted = {"none", "new"} | ({"old"} if replaces else set())
    assert wanted <= judge.seen | {"none"} or case.is_replay


def test_a_sink_that_does_not_wait_for_the_disk_is_found_out(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: the method sees what it is there to see."""
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", lambda _fd: None)
        recording = record_capture(case.work, case.work / "recorded", capture_ours, replaces=True)
    judge = Judge(capture_ours, True, recording.returned, case.work / "mnt")
    assert any(said for _, said in case.violations(recording, 40, judge))
