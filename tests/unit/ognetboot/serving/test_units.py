# SPDX-License-Identifier: GPL-3.0-or-later
"""The units of a larger site, judged by systemd itself."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from ognetboot.cli import main
from ognetboot.serving.units import Place, next_steps, units
from unit.exposure import ANALYZE, MOST, exposure
from unit.ognetboot.serving.server import INVENTORY


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The units in a folder of their own, with those of the programs that they extend."""
    inventory = tmp_path / "rooms of 50 %.toml"
    inventory.write_text(INVENTORY, "utf-8")
    into = tmp_path / "units"
    out = str(tmp_path / "srv/netboot")
    assert main(["serve", str(inventory), out, "--install-units", str(into)]) == 0
    for name in ("dnsmasq", "nginx"):
        (into / f"{name}.service").write_text(
            f"[Unit]\nDescription={name}\n[Service]\nType=forking\nPIDFile=/run/{name}.pid\n"
            "ExecStart=/bin/true\nExecStop=/bin/true\n"
        )
    return into


def analyze(folder: Path, *words: str) -> str:
    assert ANALYZE is not None
    done = subprocess.run(
        [ANALYZE, *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "SYSTEMD_UNIT_PATH": f"{folder}:", "SYSTEMD_LOG_LEVEL": "warning"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.mark.skipif(ANALYZE is None, reason="there is no systemd-analyze")
def test_systemd_takes_every_unit_without_a_word(folder: Path) -> None:
    paths = [str(path) for path in folder.iterdir() if path.is_file()]
    said = [line for line in analyze(folder, "verify", "--man=no", *paths).splitlines()
            if str(folder) in line or "ognetboot" in line]  # fmt: skip
    assert said == []


@pytest.mark.skipif(ANALYZE is None, reason="there is no systemd-analyze")
@pytest.mark.parametrize(
    "name", ["ognetboot.service", "ognetboot-render.service", "dnsmasq.service"]
)
def test_what_it_may_is_little(folder: Path, name: str) -> None:
    env = {"SYSTEMD_UNIT_PATH": f"{folder}:"}
    assert exposure(folder / name, env) <= MOST


def test_a_path_is_one_word_and_homes_are_hidden_but_for_what_is_needed() -> None:
    place = Place(
        Path("/home/ana/og live/.venv/bin/ognetboot"),
        (Path("/home/ana/og live"), Path("/usr")),
        Path("/etc/oglive/50%.toml"),
        Path("/home/ana/srv/netboot"),
        8069,
        "oglive",
    )
    text = units(place)["ognetboot.service"]
    assert 'ExecStart="/home/ana/og live/.venv/bin/ognetboot" serve /etc/oglive/50%%.toml' in text
    assert "--behind 8069" in text
    assert "User=oglive\n" in text
    assert "ProtectHome=tmpfs\n" in text
    assert 'BindReadOnlyPaths="/home/ana/og live"\n' in text
    assert "BindPaths=/home/ana/srv\n" in text
    assert "/usr\n" not in text


def test_a_unit_is_written_whole_and_through_no_link(tmp_path: Path) -> None:
    inventory = tmp_path / "rooms.toml"
    inventory.write_text(INVENTORY, "utf-8")
    (tmp_path / "victim").write_text("mine")
    into = tmp_path / "units"
    into.mkdir()
    (into / "ognetboot.service").symlink_to("../victim")
    assert main(["serve", str(inventory), str(tmp_path / "out"), "--install-units", str(into)]) == 0
    assert (tmp_path / "victim").read_text() == "mine"
    assert not (into / "ognetboot.service").is_symlink()


def test_nobody_is_told_to_give_a_whole_folder_of_the_system_away() -> None:
    place = Place(Path("/p"), (), Path("/etc/og live/r.toml"), Path("/srv/oglive/netboot"), 1, "og")
    said = next_steps(place)
    assert "chown og '/etc/og live' /srv/oglive; " in said
    assert "-name 'r.*' -o -name '.r.*'" in said
    assert "chown -hR og /srv/oglive/netboot; " in said
