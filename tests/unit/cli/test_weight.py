# SPDX-License-Identifier: GPL-3.0-or-later
"""What a start of ``og`` may not bring in: a command imports what it needs, when it needs it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from unit.plain_disks import plain_disk

# Libraries that cost more than a short command, and rooms that write or fetch.
_HEAVY = {
    "asyncio", "blake3", "blkinfo", "cryptography", "email", "hashlib", "logging", "lz4", "parted",
    "sh", "shutil", "socket", "ssl", "subprocess", "tempfile", "tomllib", "urllib.request", "uuid",
    "zstandard", "importlib.metadata", "oglib.boot", "oglib.cache", "oglib.deploy", "oglib.image",
    "oglib.streams", "oglib.transfer", "oglib.disk.planning", "oglib.disk.writing",
    "oglib.cli.image", "oglib.cli.cache",
}  # fmt: skip


def loaded_by(*words: str, disk: Path) -> set[str]:
    """The modules that are there when the command has ended."""
    code = (
        "import sys; from oglib.__main__ import main\n"
        f"main({list(words)!r})\n"
        "print(*sorted(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", code],
        env={"PATH": os.environ["PATH"], "OG_DISKS": str(disk)},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stderr.split())


def test_the_version_is_told_without_the_grammar_of_a_dozen_nouns(tmp_path: Path) -> None:
    loaded = loaded_by("--version", disk=tmp_path)
    assert loaded & {*_HEAVY, "argparse", "dataclasses", "json", "pathlib", "oglib.cli"} == set()


@pytest.mark.parametrize("words", [("disk", "list"), ("disk", "show", "1")], ids="-".join)
def test_a_listing_brings_in_nothing_that_writes(words: tuple[str, ...], tmp_path: Path) -> None:
    assert loaded_by(*words, disk=plain_disk(tmp_path / "disk")) & {*_HEAVY, "json"} == set()


def test_one_object_for_programs_needs_no_more(tmp_path: Path) -> None:
    loaded = loaded_by("disk", "list", "--json", disk=plain_disk(tmp_path / "disk"))
    assert loaded & _HEAVY == set()
