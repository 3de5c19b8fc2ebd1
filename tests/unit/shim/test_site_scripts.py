# SPDX-License-Identifier: GPL-3.0-or-later
"""Which file an old name means where a site has scripts of its own, and what the log says of it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from oglib.shim import site_scripts
from oglib.shim.site_scripts import decide, digest

STOCK = "#!/bin/bash\necho stock\n"
LAUNCHER = """#!{python} -I
import sys
from pathlib import Path
from oglib.shim import site_scripts
from oglib.shim.__main__ import main
site_scripts._STOCK = Path({known!r})
sys.exit(main())
"""


class Site:
    """A PC with a folder of site scripts, commands of ours, and one published script known."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.scripts, self.log = folder, folder / "scripts", folder / "log"
        self.scripts.mkdir()
        known = folder / "known.txt"
        known.write_text(f"# published\n{digest(STOCK.encode())} configureOs\n")
        launcher = folder / "og-shim"
        launcher.write_text(LAUNCHER.format(python=sys.executable, known=str(known)))
        launcher.chmod(0o755)
        for name in ("configureOs", "ogCheckIpAddress", "bootOs"):
            (folder / name).symlink_to(launcher)

    def has(self, name: str, text: str, mode: int = 0o755) -> Path:
        path = self.scripts / name
        path.write_text(text, newline="")
        path.chmod(mode)
        return path

    def run(self, name: str, *words: str) -> tuple[str, str, str]:
        """What it printed, what it complained of, and what the log got."""
        self.log.unlink(missing_ok=True)
        done = subprocess.run(
            [self.folder / name, *words],
            env={
                "PATH": f"{self.folder}:{self.scripts}:{os.environ['PATH']}",
                "OGSCRIPTS": str(self.scripts),
                "OGLOGFILE": str(self.log),
                "OGLOGSESSION": str(self.folder / "session"),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout, done.stderr, self.log.read_text() if self.log.exists() else ""


OURS = "configureOs: configureOs was given 1 arguments."


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.mark.parametrize(
    "text",
    [STOCK, STOCK.replace("\n", "\r\n"), STOCK + "\n\n", STOCK.rstrip("\n")],
    ids=["as it was", "line ends", "blank lines", "no last line end"],
)
def test_what_opengnsys_published_does_not_run_instead_of_ours(site: Site, text: str) -> None:
    path = site.has("configureOs", text)
    out, err, log = site.run("configureOs", "1")
    assert (out, err.startswith(OURS)) == ("", True)
    why = f"{path} is one that OpenGnsys published, unchanged"
    assert log == f"configureOs: {why}\nconfigureOs: ogLive's own runs\n"


def test_what_a_site_edited_wins_and_its_custom_over_both(site: Site) -> None:
    edited = site.has("configureOs", f"{STOCK}echo edited $*\nconfigureOs 1\n")
    out, err, log = site.run("configureOs", "1", "2")
    assert (out, err.startswith(OURS)) == ("stock\nedited 1 2\n", True)  # it may call ours
    ours = "configureOs: ogLive's own runs"
    assert log.splitlines() == [f"configureOs: {edited} runs", ours]
    custom = site.has("configureOsCustom", "#!/bin/bash\necho custom $*\nconfigureOs 3 4\n")
    out, err, log = site.run("configureOs", "1", "2")
    assert out == "custom 1 2\nstock\nedited 3 4\n"
    assert err.startswith(OURS)
    assert log.splitlines() == [
        f"configureOs: {custom} runs",
        f"configureOs: {edited} runs",
        ours,
    ]


def test_a_published_sample_is_no_custom_of_the_site(site: Site) -> None:
    custom = site.has("configureOsCustom", STOCK)
    edited = site.has("configureOs", "#!/bin/bash\necho edited\n")
    out, _, log = site.run("configureOs", "1", "2")
    assert out == "edited\n"
    assert log.splitlines() == [
        f"configureOs: {custom} is one that OpenGnsys published, unchanged",
        f"configureOs: {edited} runs",
    ]


@pytest.mark.parametrize("name", ["configureOs", "configureOsCustom"])
def test_a_script_that_hands_its_process_on_to_ours_ends(site: Site, name: str) -> None:
    site.has(name, "#!/bin/bash\nexec configureOs 1\n")
    out, err, _ = site.run("configureOs", "1", "2")
    assert (out, err.startswith(OURS)) == ("", True)


def test_any_old_name_may_be_a_script_of_the_site(site: Site) -> None:
    assert site.run("ogCheckIpAddress", "1.2.3.4")[0] == ""
    site.has("ogCheckIpAddress", "echo mine $1\n")  # which no line says the shell of
    assert site.run("ogCheckIpAddress", "1.2.3.4")[0] == "mine 1.2.3.4\n"
    (site.scripts / "ogCheckIpAddress").unlink()
    (site.scripts / "ogCheckIpAddress").symlink_to(site.folder / "og-shim")
    assert site.run("ogCheckIpAddress", "1.2.3.4")[:2] == ("", "")


def test_what_cannot_be_run_is_told(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    path = site.has("configureOs", "#!/bin/bash\necho edited\n", mode=0o644)
    assert site.run("configureOs", "1")[2].splitlines() == [
        f"configureOs: {path} is not executable",
        "configureOs: ogLive's own runs",
    ]
    monkeypatch.setenv("OGSCRIPTS", str(site.scripts))
    path = site.has("configureOs", "#!/nowhere/sh\n")
    monkeypatch.setattr("oglib.shim.site_scripts.is_called_by", lambda _: False)
    assert decide("configureOs").runs == path
    assert f"{path} cannot be run" in site.run("configureOs", "1")[1]


def test_the_list_is_of_digests_and_names() -> None:
    lines = site_scripts._STOCK.read_text(encoding="ascii").splitlines()
    known = [line.split(" ") for line in lines if not line.startswith("#")]
    assert all(re.fullmatch(r"[0-9a-f]{64}", value) and name for value, name in known)
    assert known == sorted(known, key=lambda one: one[::-1])
    named = {name for _, name in known}
    assert {"configureOs", "bootOs", "configureOsCustom.template", "Boot.lib"} <= named
    nothing = digest(b"")
    assert nothing not in {value for value, _ in known}  # whoever empties a script edits it
