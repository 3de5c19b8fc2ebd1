# SPDX-License-Identifier: GPL-3.0-or-later
"""What setup fetches for the network boot is what `ognetboot` looks for."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from ogimage import netloaders

from ognetboot.texts.loaders import FETCHED, LOADERS, PACKAGES
from ognetboot.texts.render import DISK_CONFIG


def test_every_loader_is_fetched_or_made() -> None:
    assert FETCHED == netloaders.LOADERS_DIR
    made = {loader.name for loader in LOADERS if loader.source == loader.name}
    assert made == {"disk.0"}
    fetched = {loader.package for loader in LOADERS if loader.name not in made}
    assert fetched <= set(netloaders.LOADER_PACKAGES)
    assert PACKAGES == "packages"


def test_the_disks_loader_of_a_bios_pc(tmp_path: Path) -> None:
    if shutil.which("grub-mkimage") is None or not Path("/usr/lib/grub/i386-pc").is_dir():
        pytest.skip("grub-mkimage and grub-pc-bin are not installed")
    target = tmp_path / "disk.0"
    netloaders.make_disk_loader(target)
    # It goes below 640 KiB, together with iPXE's own part.
    assert 100_000 < target.stat().st_size < 400_000
    assert [path.name for path in tmp_path.iterdir()] == ["disk.0"]
    assert f"/{DISK_CONFIG.parent}" == netloaders._PREFIX
