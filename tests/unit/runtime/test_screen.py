# SPDX-License-Identifier: GPL-3.0-or-later
"""What a PC shows while it waits: the same script as in ogLive, with the units of each profile."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3] / "image/mkosi.images/root"
FACTS = {"VERSION": "20261127-7e262230", "PROFILE": "debug", "IP": "10.20.255.211",
         "INTERFACE": "enp0s31f6", "MAC": "52:54:00:20:00:11", "SERVER": "10.20.0.1:8080",
         "ROOT_SOURCE": "http://10.20.0.1:8080/oglive/current/ogclient.sqfs"}  # fmt: skip
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def shown(tmp_path: Path, profile: str) -> str:
    """All that the screen holds when ogLive of this profile is ready and has no job."""
    made = tmp_path / profile
    trees = [ROOT / "mkosi.extra", ROOT / "mkosi.profiles" / profile / "mkosi.extra"]
    for tree in trees:
        if tree.exists():
            shutil.copytree(tree, made, dirs_exist_ok=True, symlinks=True)
    script, screen = made / "usr/lib/oglive/status", tmp_path / "screen"
    said = ""
    for words in (["start"], ["say", "READY", "10.20.0.1:8080"], ["waits"]):
        env = {"PATH": "/usr/bin:/bin", "OGLIVE_SCREEN": str(screen), **FACTS, "PROFILE": profile}
        subprocess.run(["bash", str(script), *words], env=env, check=True, timeout=30)
        said += screen.read_text()
    return ESCAPES.sub("", said).replace("\r\n", "\n")


@pytest.mark.parametrize("profile", ["default", "debug", "test"])
def test_a_pc_without_a_job_says_what_it_waits_for(tmp_path: Path, profile: str) -> None:
    text = shown(tmp_path, profile)
    assert "its boot entry carries no job" in text
    assert "Ctrl-Alt-Del restarts" in text
    lines = text.splitlines()
    assert len(lines) < 25
    assert max(map(len, lines)) < 80


def test_a_console_is_announced_where_there_is_one_and_nowhere_else(tmp_path: Path) -> None:
    debug, locked = shown(tmp_path, "debug"), shown(tmp_path, "default")
    assert "Console     root, without a password: Alt-F2 (Alt-F1 comes back here)" in debug
    assert "serial line ttyS0" in debug
    assert "Alt-F2" not in shown(tmp_path, "test")
    assert "Console" not in locked
    assert "no console and no password. The profile `debug` opens one" in locked
