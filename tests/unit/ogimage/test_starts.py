# SPDX-License-Identifier: GPL-3.0-or-later
"""A start that fails is counted in the firmware, and after the third one the disk starts."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

LIB = (
    Path(__file__).resolve().parents[3]
    / "image/mkosi.images/first-stage/mkosi.extra/usr/lib/oglive"
)
GLOBAL = "8be4df61-93ca-11d2-aa0d-00e098032b8c"
COUNT = "OgliveFailedStarts-cfc8fc79-be2e-4ddc-97f0-9f98bfe298a0"
KEPT = b"\7\0\0\0"
NETWORK = bytes.fromhex("02010c00d041030a00000000") + bytes.fromhex("030b2500") + bytes(33)
DISK = bytes.fromhex("04012a00") + bytes(38) + bytes.fromhex("7fff0400")


def entry(name: str, path: bytes, *, active: bool = True) -> bytes:
    head = (1 if active else 0).to_bytes(4, "little") + len(path).to_bytes(2, "little")
    return KEPT + head + name.encode("utf-16-le") + b"\0\0" + path


def say(folder: Path, words: str) -> list[str]:
    done = subprocess.run(
        ["/bin/sh", "-c", f". {LIB}/starts.sh; {words}"],
        env={"PATH": "/usr/bin:/bin", "EFIVARS": str(folder)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert not done.stderr
    return done.stdout.split()


def test_starts_are_counted_until_one_succeeds(tmp_path: Path) -> None:
    assert [say(tmp_path, "starts_failed") for _ in range(4)] == [["1"], ["2"], ["3"], ["3"]]
    assert (tmp_path / COUNT).read_bytes() == KEPT + b"\3"
    say(tmp_path, "starts_forget; starts_forget")
    assert not (tmp_path / COUNT).exists()
    assert say(tmp_path, "starts_failed") == ["1"]


def test_a_pc_with_a_bios_counts_nothing(tmp_path: Path) -> None:
    assert say(tmp_path / "none", "starts_failed") == []
    assert say(tmp_path / "none", "disk_entry || echo none") == ["none"]


@pytest.mark.parametrize("content", [b"", b"\7\0\0", KEPT, KEPT + b"\x80", KEPT + b"\1\1"])
def test_a_number_that_is_not_ours_leads_to_the_disk_sooner(tmp_path: Path, content: bytes) -> None:
    (tmp_path / COUNT).write_bytes(content)
    assert say(tmp_path, "starts_failed") in (["1"], ["3"])
    assert say(tmp_path, "starts_failed") in (["2"], ["3"])


@pytest.mark.parametrize("name", ["debian", "Windows Boot Manager", "Ünïx"])
def test_the_disk_is_started_once(tmp_path: Path, name: str) -> None:
    numbers = (0x0001, 0x000A, 0x1B2C)
    order = b"".join(number.to_bytes(2, "little") for number in numbers)
    (tmp_path / f"BootOrder-{GLOBAL}").write_bytes(KEPT + order)
    (tmp_path / f"Boot0001-{GLOBAL}").write_bytes(entry("PXE IPv4", NETWORK))
    (tmp_path / f"Boot000A-{GLOBAL}").write_bytes(entry("old", DISK, active=False))
    (tmp_path / f"Boot1B2C-{GLOBAL}").write_bytes(entry(name, DISK))
    (tmp_path / COUNT).write_bytes(KEPT + b"\3")
    assert say(tmp_path, 'entry=$(disk_entry) && start_disk_next "$entry" && echo "$entry"') == [
        "1B2C"
    ]
    assert (tmp_path / f"BootNext-{GLOBAL}").read_bytes() == KEPT + b"\x2c\x1b"
    assert not (tmp_path / COUNT).exists()


@pytest.mark.parametrize("order", [b"", b"\7\0\0\0", KEPT + b"\1", KEPT + b"\1\0\2\0"])
def test_without_a_system_on_a_disk_there_is_none(tmp_path: Path, order: bytes) -> None:
    (tmp_path / f"BootOrder-{GLOBAL}").write_bytes(order)
    (tmp_path / f"Boot0001-{GLOBAL}").write_bytes(entry("PXE IPv4", NETWORK))
    assert say(tmp_path, "disk_entry || echo none") == ["none"]
