# SPDX-License-Identifier: GPL-3.0-or-later
"""``og report`` as a person runs it on a PC that holds secrets; read with tar and zstd."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from pathlib import Path

from disk.inventory.room import tool

TOKEN = "Zq7-upload-token"  # noqa: S105
# A PC of its own: what ogLive keeps in /run/oglive, in a mount namespace that ends with the test.
PC = f"""
set -e
mkdir -p /run/oglive
mount -t tmpfs -o mode=755 tmpfs /run/oglive
mkdir /run/oglive/receipts
printf '%s\\n' '{TOKEN}' > /run/oglive/upload.token
printf 'IP=10.0.0.7\\nSHARE=//user:Zq7share@10.0.0.1/images\\n' > /run/oglive/boot.env
printf 'uploading with {TOKEN}\\r\\npassword: Zq7typed\\n' > /run/oglive/job.log
printf '{{"image": "debian", "verified": "read-back"}}' > /run/oglive/receipts/1.json
printf 'Zq7 never asked for' > /run/oglive/something-else
exec "$@"
"""


def report(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            *("unshare", "--mount", "sh", "-c", PC, "sh"),
            *(sys.executable, "-I", "-m", "oglib", "report", *options),
        ],
        env={"PATH": os.environ["PATH"]},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_report_holds_what_support_needs_and_no_secret(tmp_path: Path) -> None:
    ran = report(tmp_path)
    assert ran.returncode == 0
    path = Path(ran.stdout.splitlines()[0])
    assert path.parent == tmp_path
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    tool("tar", "--zstd", "--extract", "--file", path, "--directory", tmp_path)
    folder = tmp_path / path.name.removesuffix(".tar.zst")
    texts = {
        str(one.relative_to(folder)): one.read_text() for one in folder.rglob("*") if one.is_file()
    }
    assert {
        *(
            "versions.txt",
            "cmdline.txt",
            "disks.json",
            "hardware.json",
            "link.json",
            "settings.json",
        ),
        *("boot.env", "dmesg.txt", "run/job.log", "run/receipts/1.json"),
    } <= set(texts)
    assert "Zq7" not in str(texts)
    assert "IP=10.0.0.7" in texts["boot.env"]
    assert "uploading with [removed]" in texts["run/job.log"]
    assert '"debian"' in texts["run/receipts/1.json"]
    assert Path("/proc/sys/kernel/osrelease").read_text().strip() in texts["versions.txt"]
    assert re.search(r"^partclone \d+\.\d+", texts["versions.txt"], re.MULTILINE)
    # this host lacks what a PC has: the parts are named, inside and to the person
    assert "policy.toml" in texts["missing.txt"]
    assert "policy.toml" in ran.stderr


def test_report_to_a_named_file_and_never_over_another(tmp_path: Path) -> None:
    path = tmp_path / "mine.tar.zst"
    assert report(tmp_path, "--output", str(path)).returncode == 0
    before = path.read_bytes()
    again = report(tmp_path, "--output", str(path))
    assert (again.returncode, path.read_bytes()) == (1, before)
    assert "is there already" in again.stderr
