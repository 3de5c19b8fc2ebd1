# SPDX-License-Identifier: GPL-3.0-or-later
"""Every byte of what describes an image, seeded places of its body, and every way to cut it.

Ours is signed; the foreign ones are partclone's own stream of a small ext4 (with checksums, as
it writes them by default), through every compressor that peers use, made by the real program.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from disk.image.damage import Trial, cut_all, flip_all, some
from oglib.image.format.partclone import HEADER_BYTES, parse_header, prefix_bytes
from oglib.image.format.signing import PrivateKey, generate_keypair
from oglib.image.reading.formats.detect import open_stream
from oglib.image.reading.local import create_local, local_image
from oglib.image.reading.source import FileSource
from oglib.image.writing.restore import restore
from oglib.run import run
from quiet import QUIET
from tallies import Tally
from unit.image.synthetic import sign_image

BODY = 1000  # places in the body of ours
PLAIN = 400  # and of the plain stream
COMPRESSED = 60  # in each compressed one, and so many bytes at either end of it
ENDS = 32
CUTS = 20
SIZE_BYTES = 2 << 20
COMPRESSORS = {  # the program, and what it appends to the name
    "gzip": ("gzip", "-k", ".gz"),
    "lzop": ("lzop", "-k", ".lzo"),
    "zstd": ("zstd", "-qk", ".zst"),
    "lz4": ("lz4", "-qkm", ".lz4"),
    "xz": ("xz", "-0k", ".xz"),
    "bzip2": ("bzip2", "-k", ".bz2"),
}


@dataclass(frozen=True)
class Made:
    """A folder in memory with the filesystem and its images."""

    folder: Path
    key: PrivateKey

    @property
    def ours(self) -> Path:
        return self.folder / "x.img"

    @property
    def stream(self) -> Path:
        return self.folder / "stream"

    def trial(self, image: Path) -> Trial:
        def restored(target: Path) -> None:
            source = FileSource(image)
            try:
                stream = open_stream(source, image.name, workers=1)
            except BaseException:
                source.close()
                raise
            with closing(stream):
                restore(stream, target, progress=QUIET, workers=1)

        return Trial(restored, self.folder / "target", SIZE_BYTES)

    def trial_of_ours(self) -> Trial:
        def restored(target: Path) -> None:
            with local_image(self.ours, keys=[self.key.public]) as image:
                restore(image, target, progress=QUIET, workers=1)

        return Trial(restored, self.folder / "target", SIZE_BYTES)


@pytest.fixture(scope="module")
def made() -> Iterator[Made]:
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else None) as text:
        folder = Path(text)
        tree = folder / "tree"
        tree.mkdir()
        for number in range(12):
            (tree / f"text-{number}").write_text(f"line {number}\n" * 3000)
        (tree / "noise").write_bytes(random.Random(1).randbytes(30_000))
        filesystem = folder / "filesystem"
        with filesystem.open("wb") as file:
            file.truncate(SIZE_BYTES)
        run("mkfs.ext4", "-q", "-F", "-b", "1024", "-O", "^has_journal", "-d", tree, filesystem)
        made = Made(folder, generate_keypair()[0])
        create_local(filesystem, made.ours, filesystem="ext4", progress=QUIET)
        sign_image(made.ours, made.key)
        run(
            "partclone.extfs", "-c", "-q", "-f", "1", "-L", "/dev/null",
            "-s", filesystem, "-o", made.stream,
        )  # fmt: skip
        yield made


def test_every_byte_that_describes_ours(made: Made, tally: Tally) -> None:
    trial = made.trial_of_ours()
    for suffix, kind in ((".json", "manifest"), (".json.sig", "signature"), (".frames", "table")):
        path = made.ours.with_name(made.ours.name + suffix)
        flip_all(path, range(path.stat().st_size), trial, tally, kind)
    with local_image(made.ours) as image:
        first = image.frames[0].stored_len
    flip_all(made.ours, range(first), trial, tally, "header and bitmap")


def test_the_body_of_ours(made: Made, tally: Tally) -> None:
    with local_image(made.ours) as image:
        first, last = image.frames[0].stored_len, image.frames[len(image.frames) - 1]
    end, size = last.offset + last.stored_len, made.ours.stat().st_size
    trial = made.trial_of_ours()
    flip_all(made.ours, some(first, end, BODY, "ours"), trial, tally, "body")
    flip_all(made.ours, range(end, size), trial, tally, "seek table")


def test_ours_cut_anywhere(made: Made, tally: Tally) -> None:
    trial = made.trial_of_ours()
    for suffix in ("", ".frames", ".json", ".json.sig"):
        path = made.ours.with_name(made.ours.name + suffix)
        size = path.stat().st_size
        lengths = [0, *some(1, size - 1, CUTS, suffix), size - 1]
        cut_all(path, lengths, trial, tally, f"ours{suffix}")


def test_partclones_own_stream(made: Made, tally: Tally) -> None:
    path = made.stream
    body = prefix_bytes(parse_header(path.read_bytes()[:HEADER_BYTES]).total_blocks)
    size, trial = path.stat().st_size, made.trial(path)
    flip_all(path, range(body), trial, tally, "partclone header and bitmap")
    flip_all(path, some(body, size, PLAIN, "partclone"), trial, tally, "partclone body")
    lengths = [0, *some(1, size - 1, CUTS, "partclone cut"), size - 1]
    cut_all(path, lengths, trial, tally, "partclone")


@pytest.mark.parametrize("compressor", COMPRESSORS)
def test_a_compressed_stream(made: Made, tally: Tally, compressor: str) -> None:
    *argv, suffix = COMPRESSORS[compressor]
    run(*argv, made.stream)
    path = made.stream.with_name(made.stream.name + suffix)
    size, trial = path.stat().st_size, made.trial(path)
    assert trial.good == made.trial(made.stream).good
    inner = some(ENDS, size - ENDS, COMPRESSED, compressor)
    flip_all(path, [*range(ENDS), *inner, *range(size - ENDS, size)], trial, tally, compressor)
    lengths = [*range(4), *some(4, size - 4, CUTS, f"{compressor} cut"), *range(size - 4, size)]
    cut_all(path, lengths, trial, tally, compressor)
