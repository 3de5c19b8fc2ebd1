# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs that read what is rendered: each judges a text as its server would at its start."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
# Where setup unpacks servers that shall not run on this machine.
UNPACKED = Path(__file__).parents[4] / ".tools/servers"


def tool(name: str) -> str:
    """The program on this machine; the test is left out where there is none."""
    found = shutil.which(name, path=f"{_PATH}:{UNPACKED}/usr/sbin")
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def _run(*argv: str) -> tuple[int, str]:
    libraries = f"{UNPACKED}/usr/lib/x86_64-linux-gnu"
    env = {**os.environ, "LD_LIBRARY_PATH": libraries} if str(UNPACKED) in argv[0] else None
    done = subprocess.run(argv, capture_output=True, text=True, errors="replace", env=env,
                          check=False)  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def dnsmasq(text: str, folder: Path) -> str:
    path = folder / "dnsmasq.conf"
    path.write_text(text)
    code, said = _run(tool("dnsmasq"), "--test", f"--conf-file={path}")
    return "" if (code, said.strip()) == (0, "dnsmasq: syntax check OK.") else said


def dhcpd(text: str, folder: Path) -> str:
    path = folder / "dhcpd.conf"
    path.write_text(text)
    (folder / "leases").touch()
    code, said = _run(tool("dhcpd"), "-t", "-cf", str(path), "-lf", str(folder / "leases"))
    return "" if code == 0 else said


def kea(text: str, folder: Path) -> str:
    path = folder / "kea-dhcp4.conf"
    config = json.loads(text)
    # It looks for the interface, which this machine has not.
    config["Dhcp4"]["interfaces-config"]["interfaces"] = ["lo"]
    path.write_text(json.dumps(config))
    code, said = _run(tool("kea-dhcp4"), "-t", str(path))
    return "" if code == 0 else said


def nginx(text: str, folder: Path) -> str:
    path = folder / "nginx.conf"
    path.write_text(text)
    folders = "".join(
        f"{kind}_temp_path {folder}/{kind}; "
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    top = folder / "top.conf"
    top.write_text(
        f"pid {folder}/pid; error_log {folder}/log; events {{}}\n"
        f"http {{ access_log off; {folders} include {path}; }}\n"
    )
    _, said = _run(tool("nginx"), "-t", "-p", str(folder), "-e", f"{folder}/log", "-c", str(top))
    # It would bind the server's address next, which this machine has not.
    return "" if "syntax is ok" in said else said


def grub(text: str, folder: Path) -> str:
    path = folder / "grub.cfg"
    path.write_text(text)
    code, said = _run(tool("grub-script-check"), str(path))
    return said or ("" if code == 0 else "refused")


SERVERS: Mapping[str, Callable[[str, Path], str]] = {
    "dnsmasq.conf": dnsmasq,
    "dhcpd.conf": dhcpd,
    "kea-dhcp4.conf": kea,
    "nginx.conf": nginx,
}
