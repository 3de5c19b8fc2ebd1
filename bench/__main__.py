# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m bench``: the order of a run, from the data to the table. Needs root and real tools.

Exit status: 0 every bound is met, 1 one is missed, 2 a pipeline failed or restored other bytes.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from bench import data, netboot, places, report, rows, serving, starts
from bench.measure import Sample, Stage, Works, run_ours, run_pipeline
from bench.pipelines import PEERS, Bench, built_shim
from oglib.errors import OgError
from oglib.image.format.partclone import HEADER_BYTES, Header, parse_header
from oglib.image.proving.diff import compare_images
from oglib.image.reading.local import local_image
from oglib.progress import Progress, Silent
from oglib.run import need
from oglib.wording.amounts import human_bytes

_TOOLS = (
    "partclone.extfs", "partclone.restore", "zstd", "lzop", "gzip", "mbuffer", "gcc", "mkfs.ext4",
    "losetup", "blockdev", "sync",
)  # fmt: skip
_SLOW = "opengnsys-gzip"  # its capture takes as long as all the others
# Journal and metadata change besides, so that about one used block in twenty does.
_UPDATE_SHARE = 0.028
_UPDATES = 3
_LARGE_BYTES = 1 << 40
_FULL_BYTES, _FULL_ROUNDS = 1 << 30, 5
_UNITS = {"MiB": 1 << 20, "GiB": 1 << 30}


def _size(text: str) -> int:
    number, unit = text[:-3], text[-3:]
    if unit not in _UNITS or not number.replace(".", "", 1).isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is no size like 512MiB or 1.5GiB")
    return int(float(number) * _UNITS[unit])


def _words() -> argparse.Namespace:
    words = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    words.add_argument("--used", type=_size, default=_size("1.25GiB"), help="data in the image")
    words.add_argument("--rounds", type=int, default=5)
    words.add_argument("--work", type=Path, default=Path("/dev/shm"), help="a folder in memory")  # noqa: S108
    words.add_argument("--out", type=Path, default=Path("build/bench"), help="on a real disk")
    words.add_argument("--skip", nargs="*", default=[], choices=list(_PARTS), help="leave out")
    return words.parse_args()


@dataclass(frozen=True, slots=True)
class _Update:
    """An update of the data: what changed, and the stored bytes that a delta to it fetches."""

    changed: data.Changed
    fetched_bytes: int

    @property
    def ratio(self) -> float:
        return self.fetched_bytes / self.changed.stored_bytes


class _Run:
    """One run: its places, its works and the rows that no pair of works gives."""

    def __init__(self, words: argparse.Namespace, work: Path) -> None:
        self.rounds: int = words.rounds
        self.out: Path = words.out
        self.used: int = words.used
        self.works = Works()
        self.extra: list[rows.Row] = []
        self.bench = Bench(work, built_shim(work))
        self.header = self._make_data()

    @property
    def used_bytes(self) -> int:
        return self.header.used_blocks * self.header.block_size

    @property
    def few(self) -> int:
        """Rounds of what takes long and varies little."""
        return min(self.rounds, 2)

    def _make_data(self) -> Header:
        _say(f"data: an ext4 with {human_bytes(self.used)} of files")
        stream = self.bench.image("stream")
        data.make_filesystem(self.bench.filesystem, self.used)
        self.bench.stream(self.bench.filesystem, stream)
        with stream.open("rb") as file:
            return parse_header(file.read(HEADER_BYTES))

    def _add(self, name: str, run: Callable[[], Sample]) -> str:
        self.works.runs[name] = run
        return name

    def captures(self) -> None:
        _say("captures")
        names = [self._add("capture ours", self.bench.capture_ours)]
        sleepy = []
        for key in PEERS:
            plain = self._add(f"capture {key}", partial(self.bench.capture, key, sleep=False))
            if key == _SLOW:
                self.works.rounds([plain], 1)
                continue
            names.append(plain)
            slow = partial(self.bench.capture, key, sleep=True)
            sleepy.append(self._add(f"{plain} (sleep)", slow))
        self.works.rounds(sleepy, self.few)
        self.works.rounds(names, self.rounds)
        stored = self.bench.image("zstd")
        argv = ("zstd", "-3", "--single-thread", "-cq", str(self.bench.image("stream")))
        run_pipeline((Stage(argv),), into=stored)
        ours, theirs = (path.stat().st_size for path in (self.bench.image("ours"), stored))
        stored.unlink()
        self.extra.append(
            rows.amount("size of the image file", "zstd -3", ours, theirs, at_most=1.03)
        )
        self.extra.append(rows.memory("peak memory of a capture", self.works.peak("capture ours")))

    def _onto(self, target: Path, run: Callable[[Path], Sample]) -> Sample:
        """Fill the target in memory first, outside the time."""
        places.fill(target, self.header.device_size_bytes)
        return run(target)

    def _our_restore(self, image: str, *, read_back: bool, cap: bool = False) -> Sample:
        def run(target: Path) -> Sample:
            return self.bench.restore_ours(image, target, read_back=read_back, cap=cap)

        return self._onto(self.bench.target, run)

    def _peer_restore(self, key: str, *, sleep: bool) -> Sample:
        return self._onto(
            self.bench.target, lambda target: self.bench.restore(key, target, sleep=sleep)
        )

    def restores(self) -> None:
        _say("restores in memory: every pipeline once, compared with the others")
        ours = [
            self._add("restore ours", partial(self._our_restore, "ours", read_back=False)),
            self._add("restore ours read-back", partial(self._our_restore, "ours", read_back=True)),
        ]
        for kind in ("lzop", "gzip"):
            run = partial(self._our_restore, f"opengnsys-{kind}", read_back=False)
            ours.append(self._add(f"restore ours {kind}", run))
        peers, sleepy = [], []
        for key in PEERS:
            run = partial(self._peer_restore, key, sleep=False)
            peers.append(self._add(f"restore {key}", run))
            run = partial(self._peer_restore, key, sleep=True)
            sleepy.append(self._add(f"restore {key} (sleep)", run))
        self._compare([*ours, *peers])
        _say("restores in memory")
        self.works.rounds([*ours, *peers], self.rounds)
        self.works.rounds(sleepy, self.few)
        capped = [
            self._add(name, partial(self._our_restore, "ours", read_back=back, cap=True))
            for name, back in (("capped plain", False), ("capped read-back", True))
        ]
        self.works.rounds(capped, self.few)
        peak = max(map(self.works.peak, ours))
        self.extra.append(rows.memory("peak memory of a restore", peak))

    def _compare(self, names: list[str]) -> None:
        """Every pipeline's result is the same, byte for byte, as the plain stream's."""
        reference = self.bench.work / "reference"
        places.fill(reference, self.header.device_size_bytes)
        self.bench.restore_stream(reference)
        for name in names:
            self.works.runs[name]()
            places.check_equal(name, self.bench.target, reference)
            _say(f"  {name}: the same bytes")
        reference.unlink()

    def disks(self) -> None:
        _say("restores to a disk, until they are on the medium")
        self.bench.target.unlink(missing_ok=True)
        with places.disk(self.out / "disk", self.header.device_size_bytes) as device:
            names = []
            for key in ("clonezilla", "opengnsys-lzop"):
                run = partial(self.bench.restore, key, device, sleep=False, flush=True)
                names.append(self._add_cold(f"disk {key}", device, run))
            for name, back in (("disk ours", True), ("disk ours plain", False)):
                run = partial(self.bench.restore_ours, "ours", device, read_back=back)
                names.append(self._add_cold(name, device, run))
            # Right among the runs that it is compared with: disks have moods.
            plain = partial(self.bench.write_and_read, device)
            names.append(self._add_cold("disk plain", device, plain))
            self.works.rounds(names, self.rounds)
            capped = []
            for name, back in (("disk capped plain", False), ("disk capped read-back", True)):
                run = partial(self.bench.restore_ours, "ours", device, read_back=back, cap=True)
                capped.append(self._add_cold(name, device, run))
            self.works.rounds(capped, self.few)
            self._deltas(device)

    def _add_cold(self, name: str, device: Path, run: Callable[[], Sample]) -> str:
        def cold() -> Sample:
            places.forget(device)
            return run()

        return self._add(name, cold)

    def _deltas(self, device: Path) -> None:
        """A disk that holds the image gets its update, as a delta and anew."""
        _say("updates of the packages")
        updates = [self._update(number) for number in range(_UPDATES)]

        def delta(*, cap: bool = False) -> Sample:
            self.bench.restore_ours("ours", device, read_back=True)
            places.forget(device)
            return self.bench.restore_ours("update", device, read_back=True, delta=True, cap=cap)

        def fresh(*, cap: bool = False) -> Sample:
            return self.bench.restore_ours("update", device, read_back=True, cap=cap)

        name = self._add("disk delta", delta)
        self.works.rounds(
            [name, self._add_cold("disk fresh of the update", device, fresh)], self.rounds
        )
        capped = [
            self._add("disk capped delta", partial(delta, cap=True)),
            self._add_cold("disk capped fresh of the update", device, partial(fresh, cap=True)),
        ]
        self.works.rounds(capped, self.few)
        fetched = int(self.works.samples[name][0].said["fetched_bytes"])
        updates[-1] = replace(updates[-1], fetched_bytes=fetched)  # which may be less
        updates.sort(key=lambda update: update.ratio)
        for which, update, bound in (
            (f"the median of {_UPDATES} updates", updates[_UPDATES // 2], 1.5),
            ("the dearest of them", updates[-1], None),
        ):
            share = update.changed.changed_bytes / update.changed.used_bytes
            self.extra.append(
                rows.amount(
                    f"bytes a delta fetches, {which} ({share:.1%} changed)",
                    "changed 4 KiB blocks, zstd -3",
                    update.fetched_bytes, update.changed.stored_bytes, at_most=bound,
                )
            )  # fmt: skip

    def _update(self, number: int) -> _Update:
        """Another update of the data, captured as ``update``; what a delta to it has to fetch."""
        after, stream = self.bench.work / "after", self.bench.image("after")
        data.updated_copy(self.bench.filesystem, after, _UPDATE_SHARE, number)
        self.bench.stream(after, stream)
        changed = data.changed_blocks(self.bench.filesystem, after, stream)
        stream.unlink()
        self.bench.capture_update(after)
        after.unlink()
        with (
            local_image(self.bench.image("ours")) as old,
            local_image(self.bench.image("update")) as new,
        ):
            moved = compare_images(old, new, progress=Progress(Silent())).moved_bytes
        update = _Update(changed, moved)
        _say(
            f"  {human_bytes(changed.changed_bytes)} of {human_bytes(changed.used_bytes)} have "
            f"other content, a delta fetches {update.ratio:.2f} times their compressed size"
        )
        return update

    def large(self) -> None:
        _say(f"memory: a sparse filesystem of {human_bytes(_LARGE_BYTES)}")
        large, image = self.bench.work / "large", self.bench.image("large")
        data.make_large_filesystem(large, _LARGE_BYTES)
        captured = run_ours("capture", device=str(large), path=str(image))
        large.unlink()
        self.extra.append(rows.memory("peak memory of a capture, 1 TiB", captured.peak_bytes))
        with self.bench.target.open("wb") as file:
            file.truncate(_LARGE_BYTES)
        restored = self.bench.restore_ours("large", self.bench.target, read_back=True)
        self.extra.append(rows.memory("peak memory of a restore, 1 TiB", restored.peak_bytes))
        self.bench.target.unlink()

    def serving(self) -> None:
        _say("the repository's server")
        self.extra += serving.measure(self.bench.work, self.rounds, _say)

    def starts(self) -> None:
        _say("short commands")
        self.extra += starts.measure(self.bench.work, _say)

    def netboot(self) -> None:
        _say("ognetboot with 5,000 PCs")
        self.extra += netboot.measure(self.bench.work, _say)


_PARTS: dict[str, Callable[[_Run], None]] = {
    "captures": _Run.captures,
    "restores": _Run.restores,
    "disks": _Run.disks,
    "large": _Run.large,
    "serving": _Run.serving,
    "starts": _Run.starts,
    "netboot": _Run.netboot,
}


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _measured(words: argparse.Namespace, work: Path) -> report.Result:
    started = time.monotonic()
    run = _Run(words, work)
    for name, part in _PARTS.items():
        if name not in words.skip:
            part(run)
    used = run.used_bytes
    return report.Result(
        rows=[*rows.compared(run.works, used), *run.extra],
        works=run.works,
        used_bytes=used,
        rounds=words.rounds,
        seconds=time.monotonic() - started,
        is_full=used >= _FULL_BYTES and words.rounds >= _FULL_ROUNDS and not words.skip,
    )


def main() -> int:
    words = _words()
    try:
        if os.geteuid():
            raise OgError("The bench mounts filesystems and makes loop devices.", hint="Be root.")
        for tool in _TOOLS:
            need(tool)
        if "serving" not in words.skip:
            need(serving.NGINX)
        places.check_room(words.work, 8 * words.used)
        words.out.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix="oglive-bench-", dir=words.work))
        try:
            result = _measured(words, work)
        finally:
            shutil.rmtree(work)
    except OgError as error:
        _say(f"bench: {error}\n{error.hint}")
        return 2
    report.write(result, words.out)
    return 0 if all(row.is_met is not False for row in result.rows) else 1


if __name__ == "__main__":
    sys.exit(main())
