# SPDX-License-Identifier: GPL-3.0-or-later
"""What is measured: the peers' own command lines, and our calls beside them.

The command lines are those that the peers' scripts build (OpenGnsys ``Image.lib``, Clonezilla
``ocs-functions``, FOG ``funcs.sh``), less what draws on a screen. FOG's compressor runs at level 3
like the others'. partclone runs twice: as it is, and with its sleep taken out (``nosleep.c``).
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from bench.measure import Sample, Stage, run_ours, run_pipeline
from oglib.run import run

WIRE_BYTES_S = 117_700_000  # what 1 GbE carries in TCP with frames of 1500 bytes
_SHIM_SOURCE = Path(__file__).with_name("nosleep.c")


@dataclass(frozen=True, slots=True)
class Peer:
    """A program's pair of pipelines; empty tuples where it has none of its own."""

    name: str
    checksums: bool
    pack: tuple[str, ...]
    unpack: tuple[str, ...]
    buffered: bool = False
    flags: tuple[str, ...] = ()


_ZSTD = ("zstd", "-dcq")
PEERS = {
    "clonezilla": Peer("Clonezilla, -a0", False, ("zstd", "-3", "-T2", "-cq"), _ZSTD),
    "clonezilla-crc": Peer("Clonezilla, checksums", True, ("zstd", "-3", "-T2", "-cq"), _ZSTD),
    "fog": Peer(
        "FOG", False, ("zstd", "-T0", "-3", "--rsyncable", "-cq"), ("zstd", "-T0", "-dcq"),
        flags=("--ignore_crc",),
    ),
    "opengnsys-lzop": Peer(
        "OpenGnsys, lzop", True, ("lzop",), ("lzop", "-dc"), buffered=True,
        flags=("-d0", "-C", "-I"),
    ),
    "opengnsys-gzip": Peer(
        "OpenGnsys, gzip", True, ("gzip", "-c"), ("gzip", "-dc"), buffered=True,
        flags=("-d0", "-C", "-I"),
    ),
}  # fmt: skip


def built_shim(folder: Path) -> Path:
    """The library that takes partclone's sleep out, compiled here and now."""
    shim = folder / "nosleep.so"
    run("gcc", "-shared", "-fPIC", "-O2", "-Wall", "-o", shim, _SHIM_SOURCE)
    return shim


@dataclass(frozen=True, slots=True)
class Bench:
    """The places of one run: everything below ``work`` is in memory."""

    work: Path
    shim: Path

    @property
    def filesystem(self) -> Path:
        return self.work / "filesystem"

    @property
    def target(self) -> Path:
        return self.work / "target"

    def image(self, name: str) -> Path:
        return self.work / f"{name}.img"

    def _partclone(self, program: str, *flags: str | Path, sleep: bool) -> Stage:
        argv = (program, *map(str, flags), "-L", str(self.work / "partclone.log"))
        return Stage(argv, None if sleep else self.shim)

    def capture(self, key: str, *, sleep: bool) -> Sample:
        """A peer's capture of the filesystem into its image."""
        peer = PEERS[key]
        checks = () if peer.checksums else ("-a0",)
        save = self._partclone(
            "partclone.extfs", "-d0", "-F", "-c", "-s", self.filesystem, *checks, sleep=sleep
        )
        return run_pipeline((save, *_buffer(peer), Stage(peer.pack)), into=self.image(key))

    def restore(self, key: str, target: Path, *, sleep: bool, flush: bool = False) -> Sample:
        """A peer's restore of its own image; ``flush``: until it is on the medium."""
        peer = PEERS[key]
        # -O writes into a file that is there; a device is opened the same way by -o.
        out = "-O" if target.is_file() else "-o"
        put = self._partclone("partclone.restore", *peer.flags, "-s", "-", out, target, sleep=sleep)
        unpack = Stage((*peer.unpack, str(self.image(key))))
        if key == "fog":
            unpack = Stage(peer.unpack)
            sample = run_pipeline((Stage(("cat", str(self.image(key)))), unpack, put))
        else:
            sample = run_pipeline((unpack, *_buffer(peer), put))
        if not flush:
            return sample
        synced = run_pipeline((Stage(("sync", str(target))),))
        return Sample(sample.seconds + synced.seconds, sample.cpu_seconds + synced.cpu_seconds)

    def stream(self, filesystem: Path, into: Path) -> None:
        """partclone's plain stream of ``filesystem``, without checksums."""
        save = self._partclone("partclone.extfs", "-q", "-c", "-s", filesystem, "-a0", sleep=False)
        run_pipeline((save,), into=into)

    def restore_stream(self, target: Path) -> None:
        """partclone's own restore of its plain stream: what every other result must equal."""
        stream = self.image("stream")
        put = self._partclone("partclone.restore", "-q", "-s", stream, "-O", target, sleep=False)
        run_pipeline((put,))

    def capture_ours(self) -> Sample:
        # As the peers' images, which are overwritten: not a second version beside the first.
        for old in self.work.glob("ours.img*"):
            old.unlink()
        return run_ours("capture", device=str(self.filesystem), path=str(self.image("ours")))

    def capture_update(self, filesystem: Path) -> Sample:
        """Our capture of a changed ``filesystem``, in the place of a copy of the image before."""
        for old in self.work.glob("ours.img*"):
            shutil.copy(old, self.work / old.name.replace("ours", "update"))
        update = self.image("update")
        # The copy bears the name of another image, which makes no difference to a capture.
        sample = run_ours("capture", device=str(filesystem), path=str(update))
        for aside in self.work.glob("update.img*.ant"):
            aside.unlink()
        return sample

    def restore_ours(
        self, image: str, target: Path, *, read_back: bool, delta: bool = False, cap: bool = False
    ) -> Sample:
        return run_ours(
            "restore", image=str(self.image(image)), target=str(target), read_back=read_back,
            delta=delta, cap_bytes=WIRE_BYTES_S if cap else 0,
        )  # fmt: skip

    def write_and_read(self, target: Path) -> Sample:
        """The plain peer of a restore that is read back (``bench.plain``)."""
        return run_ours(
            "write and read", module="bench.plain", filesystem=str(self.filesystem),
            image=str(self.image("ours")), target=str(target),
        )  # fmt: skip


def _buffer(peer: Peer) -> tuple[Stage, ...]:
    return (Stage(("mbuffer", "-q", "-m", "40M")),) if peer.buffered else ()
