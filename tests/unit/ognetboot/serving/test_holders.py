# SPDX-License-Identifier: GPL-3.0-or-later
"""Who holds a port."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from ognetboot.serving.holders import holder


def test_a_holder_is_named_and_nobody_is_nobody() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
        assert f"(process {os.getpid()}" in holder("udp", port)
        assert holder("udp", port, "127.0.0.1")
        # Another address of this machine is another place.
        assert holder("udp", port, "127.0.0.2") == ""
        assert holder("tcp", port) == ""
    assert holder("udp", port) == ""


def test_who_is_not_seen_is_another_program(tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    row = "  1: 00000000:0045 00000000:0000 07 0:0 00:0 0 0 0 4711 2 0 0\n"
    (tmp_path / "net/udp").write_text("  sl  local_address\n" + row)
    assert holder("udp", 69, proc=tmp_path) == "another program"
    assert holder("udp", 67, proc=tmp_path) == ""
