# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs that the services run, where their code is, and what systemd says of our units."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

import oglib
import ogrepo
from oglib.errors import NotFoundError
from oglib.run import run
from ogrepo.install import units
from ogrepo.install.model import Program
from ogunits import in_home

_SBIN = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_WAIT_S = 30.0


def checkout() -> Path | None:
    """The clone that this program runs from, or None when it is installed."""
    root = Path(ogrepo.__file__).resolve().parents[2]
    return root if (root / "pyproject.toml").is_file() else None


def find_program() -> Program:
    """Where the three programs are, and what a sandbox without homes must be shown of them."""
    commands = Path(sys.prefix) / "bin"
    found = {}
    for name in ("ogrepo", "ognetboot"):
        found[name] = commands / name
        if not found[name].is_file():
            raise NotFoundError(
                f"The program {found[name]} is missing.", hint="Run `make setup` in the clone."
            )
    dnsmasq = shutil.which("dnsmasq", path=_SBIN)
    if dnsmasq is None:
        raise NotFoundError(
            "The program dnsmasq is missing: it gives PCs the way to this server.",
            hint="Install Debian's package dnsmasq-base, or run `make setup`.",
        )
    systemctl = shutil.which("systemctl", path=_SBIN)
    return Program(
        ogrepo=found["ogrepo"],
        ognetboot=found["ognetboot"],
        dnsmasq=Path(dnsmasq),
        systemctl=Path(systemctl) if systemctl else None,
        roots=tuple(sorted({root for root in code_folders() if in_home(root)})),
    )


def code_folders() -> set[Path]:
    """The folders that the program's code is in: the clone, its environment, Python's own."""
    packages = {Path(module.__file__ or "").resolve().parents[1] for module in (ogrepo, oglib)}
    clone = checkout()
    places = {Path(sys.prefix), Path(sys.base_prefix), *packages}
    if clone is not None:
        places = {clone, *(place for place in places if not place.is_relative_to(clone))}
    return places


def units_that_are(verb: str, wanted: str, program: Program) -> Iterable[str]:
    """Those of our units of which systemd says this; its exit status counts for nothing then."""
    for name in (*units.ENABLED, units.DAEMON):
        if _systemctl_says(program, verb, name) == wanted:
            yield name


def is_active(program: Program, name: str) -> bool:
    """Whether systemd has this unit running."""
    return _systemctl_says(program, "is-active", name) == "active"


def _systemctl_says(program: Program, verb: str, name: str) -> str:
    if program.systemctl is None:
        return ""
    said = run(program.systemctl, verb, name, accept=range(256), timeout_s=_WAIT_S)
    return said.stdout.strip()
