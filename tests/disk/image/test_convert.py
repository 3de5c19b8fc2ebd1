# SPDX-License-Identifier: GPL-3.0-or-later
"""Images of the real tools made into ours: what those tools restore, ours restores too.

Through the command line, since that is how a person converts; and what comes out goes through
``zstd`` and partclone like every image of ours.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from disk.image.corpus import MIB, loop, make, run, sparse
from oglib.__main__ import main
from oglib.errors import OgErr
from oglib.image.proving.verify import verify
from oglib.image.reading.local import local_image
from oglib.image.writing.restore import restore
from quiet import QUIET

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: loop devices, mounts")

TOOLS = {
    "partclone-lzop": ("extfs", "EXTFS"),
    "partclone-gzip-split": ("extfs", "EXTFS"),
    "ntfsclone-gzip": ("ntfs", "NTFS"),
    "partimage": ("ext3", "EXTFS"),
    "raw-xz": ("extfs", "raw"),
}


def filesystem(kind: str, path: Path, files: Path) -> Path:
    if kind != "ext3":
        return make(kind, path, files)
    run("mke2fs", "-q", "-t", "ext3", "-d", files, sparse(path, 16 * MIB))
    return path


def foreign(tool: str, source: Path, folder: Path) -> tuple[Path, Path]:
    """The tool's image of ``source``, and what the tool itself restores from it."""
    image, theirs = folder / "old", sparse(folder / "theirs", source.stat().st_size)
    if tool.startswith("partclone"):
        quiet = ("-q", "-f", "1", "-L", "/dev/null")
        run("partclone.extfs", "-c", "-s", source, "-O", image, *quiet)
        run("partclone.restore", "-s", image, "-O", theirs, *quiet)
    elif tool.startswith("ntfsclone"):
        run("ntfsclone", "--force", "--quiet", "--save-image", "--output", image, source)
        run("ntfsclone", "--quiet", "--restore-image", "--overwrite", theirs, image)
    elif tool == "partimage":
        options = ("-B", "gui=no", "-b", "-d", "-o", "-M")
        with loop(source) as device:
            run("partimage", *options, "-z1", "save", device, image)
        image = folder / "old.000"
        with loop(theirs) as device:
            run("partimage", "-B", "gui=no", "-b", "restore", device, image)
    else:
        shutil.copy(source, image)
        shutil.copy(source, theirs)
    for word in ("lzop", "gzip", "xz"):
        if word in tool:
            with image.open("rb") as plain, (folder / "packed").open("wb") as packed:
                subprocess.run([word, "-c", "-1"], stdin=plain, stdout=packed, check=True)
            image = folder / "packed"
    if tool.endswith("split"):
        run("split", "-b", "300K", image, f"{image}.")
        image = folder / "packed.aa"
    return image, theirs


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, chance = tmp_path_factory.mktemp("files"), random.Random(3)
    for number in range(12):
        (folder / f"f{number}").write_bytes(chance.randbytes(chance.randrange(1, 200_000)))
    return folder


@pytest.mark.parametrize("tool", TOOLS)
def test_what_the_tool_restores_ours_restores(tmp_path: Path, files: Path, tool: str) -> None:
    kind, word = TOOLS[tool]
    if not shutil.which(tool.partition("-")[0]) and tool.startswith("partimage"):
        pytest.skip("partimage is not installed")
    source = filesystem(kind, tmp_path / "source", files)
    image, theirs = foreign(tool, source, tmp_path)
    said = ["image", "convert", str(image), "--to", str(tmp_path), "--name", "new", "--title", "T"]
    assert main(said) == 0
    ours, anywhere = (sparse(tmp_path / name, source.stat().st_size) for name in ("ours", "any"))
    with local_image(tmp_path / "new.img") as opened:
        assert (opened.manifest.filesystem, opened.manifest.title) == (word, "T")
        assert opened.manifest.device_size_bytes == source.stat().st_size
        verify(opened, progress=QUIET)
        restore(opened, ours, progress=QUIET)
    assert ours.read_bytes() == theirs.read_bytes()
    unpacked = subprocess.Popen(["zstd", "-dcq", tmp_path / "new.img"], stdout=subprocess.PIPE)
    subprocess.run(
        ["partclone.restore", "-s", "-", "-O", anywhere, "-q", "-f", "1", "-L", "/dev/null"],
        stdin=unpacked.stdout, check=True, capture_output=True,
    )  # fmt: skip
    assert unpacked.wait() == 0
    end = -512 if kind == "ntfs" else None  # the spare boot sector, which partclone leaves out
    assert anywhere.read_bytes()[:end] == theirs.read_bytes()[:end]


def test_a_smaller_copy_and_the_difference_between_two(
    tmp_path: Path, files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = sparse(tmp_path / "source", 96 * MIB)
    run("mke2fs", "-q", "-t", "ext4", "-d", files, source)
    image, _ = foreign("partclone-gzip", source, tmp_path)
    convert = ["image", "convert", str(image), "--to", str(tmp_path)]
    assert main([*convert, "--name", "large"]) == 0
    large = str(tmp_path / "large.img")
    convert = ["image", "convert", large, "--to", str(tmp_path), "--name", "small"]
    capsys.readouterr()
    assert main([*convert, "--fit", "1MiB"]) == OgErr.REDUCEFS
    assert "cannot be made to fit 1.0 MiB" in capsys.readouterr().err
    assert main([*convert, "--fit", "40MiB", "--json"]) == 0
    json.loads(capsys.readouterr().out)
    with local_image(tmp_path / "small.img") as opened:
        assert opened.manifest.device_size_bytes <= 40 * MIB
        assert opened.manifest.parent == "large"
        target = sparse(tmp_path / "target", 40 * MIB)
        restore(opened, target, progress=QUIET)
    run("e2fsck", "-f", "-n", target)
    assert main(["image", "diff", large, large, "--json"]) == 0
    same = json.loads(capsys.readouterr().out)
    assert same["changed_frames"] == same["added_used_bytes"] == same["read_bytes"] == 0
    assert main(["image", "diff", large, str(tmp_path / "small.img")]) == 0
    assert "moves" in capsys.readouterr().out
    assert main(["image", "diff", str(image), large]) == OgErr.IMAGE
    assert "og image convert" in capsys.readouterr().err
    assert not list(tmp_path.glob(".*.fit"))
