# SPDX-License-Identifier: GPL-3.0-or-later
"""Our entries among OpenGnsys' templates, whose own files stay."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ognetboot.assigning.mirror import mirror, shown_names
from ognetboot.errors import NetbootError
from ognetboot.inventory.entries import Entry, Kind
from unit.ognetboot.assigning.rooms import inventory

INVENTORY, OUT = Path("/etc/oglive/inventory.toml"), Path("/srv/og'live/net boot")
ENTRIES = tuple(inventory().known_entries.values())


@pytest.fixture
def opengnsys(tmp_path: Path) -> Path:
    """The folder of an OpenGnsys that has its stock template `pxe`, and a link."""
    folder = tmp_path / "tftpboot/menu.lst/templates"
    folder.mkdir(parents=True)
    (folder / "pxe").write_text("##NO-TOCAR-ESTA-LINEA ogLive\ntimeout 1\n")
    (folder / "link").symlink_to("pxe")
    return tmp_path


def put(opengnsys: Path, entries: tuple[Entry, ...] = ENTRIES, *, dry_run: bool = False) -> str:
    return "\n".join(mirror(opengnsys, entries, INVENTORY, OUT, dry_run=dry_run))


def test_entries_are_plain_files_with_the_name_that_is_shown(opengnsys: Path) -> None:
    put(opengnsys)
    folder = opengnsys / "tftpboot/menu.lst/templates"
    # what `GET /mode` lists: plain files, no links
    listed = {path.name for path in folder.iterdir() if path.is_file() and not path.is_symlink()}
    assert listed == {entry.name for entry in ENTRIES}
    awk = ["awk", "NR==1 {print $2}", str(folder / "install")]
    assert (
        subprocess.run(awk, capture_output=True, text=True, check=True).stdout == "Install-Debian\n"
    )
    assert (folder / "00unknown").read_text().splitlines()[
        0
    ] == "##NO-TOCAR-ESTA-LINEA Sin-designar"


def test_what_is_not_ours_stays_and_what_left_goes(opengnsys: Path) -> None:
    folder = opengnsys / "tftpboot/menu.lst/templates"
    before = (folder / "pxe").read_bytes()
    assert "left as they are, for they are not ours: pxe" in put(opengnsys)
    assert "0 written, 1 removed" in put(
        opengnsys, tuple(entry for entry in ENTRIES if entry.name != "install")
    )
    assert not (folder / "install").exists()
    assert (folder / "pxe").read_bytes() == before
    assert (folder / "link").is_symlink()


def test_a_second_time_writes_nothing(opengnsys: Path) -> None:
    put(opengnsys)
    before = {path: path.stat().st_mtime_ns for path in opengnsys.rglob("*")}
    assert "written" not in put(opengnsys)
    assert {path: path.stat().st_mtime_ns for path in opengnsys.rglob("*")} == before


def test_a_dry_run_writes_nothing(opengnsys: Path) -> None:
    before = sorted(opengnsys.rglob("*"))
    assert "written" in put(opengnsys, dry_run=True)
    assert sorted(opengnsys.rglob("*")) == before


def test_the_program_hands_its_arguments_on_as_they_are(opengnsys: Path, tmp_path: Path) -> None:
    put(opengnsys)
    program = opengnsys / "bin/setclientmode"
    listing = tmp_path / "python"
    listing.write_text('#!/bin/sh\nprintf "<%s>\\n" "$@"\n')
    listing.chmod(0o755)
    import sys

    text = program.read_text()
    assert text.startswith("#!/bin/bash\n")
    assert "source" not in text
    program.write_text(text.replace(sys.executable, str(listing)))
    argv = ["/bin/bash", str(program), "/tmp/mode params'\"; touch x"]
    said = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    assert said.splitlines()[3:] == [
        "<mode>", "<--inventory>", f"<{INVENTORY}>", "<--out>", f"<{OUT}>", "<-->",
        "</tmp/mode params'\"; touch x>",
    ]  # fmt: skip


def test_opengnsys_own_program_is_kept_and_told(opengnsys: Path) -> None:
    (opengnsys / "bin").mkdir()
    own = opengnsys / "bin/setclientmode"
    own.write_text("#!/bin/bash\n#/**\n#@file    setclientmode\n")
    assert "is OpenGnsys' own program" in put(opengnsys)
    assert own.read_text().endswith("setclientmode\n")


def test_rights_that_were_taken_are_given_back(opengnsys: Path) -> None:
    put(opengnsys)
    program = opengnsys / "bin/setclientmode"
    template = opengnsys / "tftpboot/menu.lst/templates/install"
    program.chmod(0o644)
    template.chmod(0o600)
    put(opengnsys, dry_run=True)
    assert program.stat().st_mode & 0o777 == 0o644
    said = put(opengnsys)
    assert f"{program}: may be run again" in said
    assert "1 written" in said
    assert program.stat().st_mode & 0o777 == 0o755
    assert template.stat().st_mode & 0o777 == 0o644
    assert "setclientmode" not in put(opengnsys)


def test_another_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NetbootError, match="no folder of OpenGnsys"):
        put(tmp_path)


def test_what_is_shown_is_one_word_that_no_shell_reads_and_no_two_share() -> None:
    made = [
        Entry("a", Kind.OGLIVE, "Informàtica; touch x"),
        Entry("b", Kind.OGLIVE, "Informatica touch x"),
        Entry("c", Kind.OGLIVE, "日本"),
        Entry("d", Kind.OGLIVE, "$(x) `y` .*"),
    ]
    assert shown_names(made) == {
        "a": "Informatica-touch-x", "b": "Informatica-touch-x-b", "c": "c", "d": "x-y"
    }  # fmt: skip


def test_a_name_that_ogserver_s_database_cuts_is_not_shown(opengnsys: Path) -> None:
    long = Entry("x" * 31, Kind.OGLIVE, "Long")
    assert f"not shown to OpenGnsys, whose database keeps 30 characters of a name: {long.name}" in (
        put(opengnsys, (long,))
    )


def test_an_opengnsys_that_sets_another_inventory_s_pcs_is_left(opengnsys: Path) -> None:
    put(opengnsys)
    program = opengnsys / "bin/setclientmode"
    before = program.read_bytes()
    other = Path("/etc/oglive/the other's.toml")
    with pytest.raises(NetbootError, match=r"sets PCs of /etc/oglive/inventory\.toml, not of"):
        mirror(opengnsys, (), other, OUT, dry_run=False)
    assert program.read_bytes() == before
    mirror(opengnsys, (), other, OUT, dry_run=False, force=True)
    with pytest.raises(NetbootError, match=r"sets PCs of .*the other.s\.toml"):
        put(opengnsys)
    program.write_bytes(before.replace(b"exec", b"exec 'x"))
    assert "written" in put(opengnsys)
