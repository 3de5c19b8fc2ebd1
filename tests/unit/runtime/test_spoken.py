# SPDX-License-Identifier: GPL-3.0-or-later
"""A device that stands for a partition of a file is called what it stands for."""

from __future__ import annotations

from pathlib import Path

import pytest

from oglib.errors import OgError, ProcessError
from oglib.wording.spoken import name_of, standing_for, with_names

LOOP = Path("/dev/loop1")


def test_errors_made_meanwhile_call_it_by_its_name() -> None:
    with standing_for(LOOP, "disk 2 partition 2"):
        error = OgError("/dev/loop1 is dirty.", hint="Not /dev/loop12: /dev/loop1.")
        failed = ProcessError(["e2fsck"], 8, "e2fsck: bad magic while opening /dev/loop1\n")
        assert name_of(LOOP) == "disk 2 partition 2"
    assert str(error) == "Disk 2 partition 2 is dirty. Not /dev/loop12: disk 2 partition 2."
    assert failed.message.endswith("while opening disk 2 partition 2.")


def test_afterwards_it_is_a_device_like_any_other() -> None:
    with standing_for(LOOP, "pc.img partition 1"):
        pass
    assert with_names("/dev/loop1 is dirty.") == "/dev/loop1 is dirty."
    assert name_of(LOOP) == "/dev/loop1"


def test_what_the_system_refuses_is_told_by_its_name_too() -> None:
    with pytest.raises(OSError, match="Input/output") as caught, standing_for(LOOP, "pc.img"):
        raise OSError(5, "Input/output error", "/dev/loop1")
    assert caught.value.filename == "pc.img"
