# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether this kernel would start another one: lockdown, and a signature in the other's head."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from oglib.boot.kexec import is_signed, lockdown


def kernel(signature_bytes: int, magic: int = 0x20B) -> bytes:
    """The head of a PE file: a kernel with an EFI stub, and how much signature it says it has."""
    at, table = 0x40, {0x20B: 144, 0x10B: 128}[magic]
    head = bytearray(1024)
    head[:2] = b"MZ"
    struct.pack_into("<I", head, 0x3C, at)
    head[at : at + 4] = b"PE\0\0"
    struct.pack_into("<H", head, at + 24, magic)
    struct.pack_into("<II", head, at + 24 + table, 4096 if signature_bytes else 0, signature_bytes)
    return bytes(head)


@pytest.mark.parametrize("magic", [0x20B, 0x10B])
def test_a_signature_is_said_in_the_head(magic: int) -> None:
    assert is_signed(kernel(1480, magic))
    assert not is_signed(kernel(0, magic))


def test_what_is_no_such_head_is_not_signed() -> None:
    whole = kernel(1480)
    for end in range(0, 0x40 + 24 + 152, 7):
        assert not is_signed(whole[:end])
    assert not is_signed(b"MZ" + b"\xff" * 1000)
    assert not is_signed(whole.replace(b"\x0b\x02", b"\x07\x01"))


@pytest.mark.parametrize(
    ("text", "how"),
    [
        ("[none] integrity confidentiality\n", ""),
        ("none [integrity] confidentiality\n", "integrity"),
        ("none integrity [confidentiality]\n", "confidentiality"),
    ],
)
def test_lockdown_is_as_the_kernel_says(tmp_path: Path, text: str, how: str) -> None:
    assert lockdown(sys=tmp_path) == ""
    (tmp_path / "kernel/security").mkdir(parents=True)
    (tmp_path / "kernel/security/lockdown").write_text(text)
    assert lockdown(sys=tmp_path) == how
