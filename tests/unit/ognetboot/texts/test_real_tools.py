# SPDX-License-Identifier: GPL-3.0-or-later
"""dnsmasq and GRUB read what was rendered. The only tests here that start processes (no root)."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path, PurePosixPath

import pytest

PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
Tree = dict[PurePosixPath, str]


def tool(name: str) -> str:
    found = shutil.which(name, path=PATH)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def test_dnsmasq_accepts_its_configuration(tree: Tree, tmp_path: Path) -> None:
    path = tmp_path / "dnsmasq.conf"
    path.write_text(tree[PurePosixPath(path.name)])
    done = subprocess.run(
        [tool("dnsmasq"), "--test", f"--conf-file={path}"], capture_output=True, check=False
    )
    assert (done.returncode, done.stderr.decode().strip()) == (0, "dnsmasq: syntax check OK.")


def test_grub_accepts_its_menus(tree: Tree, tmp_path: Path) -> None:
    for number, (path, text) in enumerate((p, t) for p, t in tree.items() if "grub" in p.parts):
        file = tmp_path / str(number)
        file.write_text(text)
        done = subprocess.run(
            [tool("grub-script-check"), str(file)], capture_output=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, b""), path
