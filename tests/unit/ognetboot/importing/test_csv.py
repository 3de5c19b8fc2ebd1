# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables of PCs as sites have them become inventories, and what cannot is told."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ognetboot.cli import main
from ognetboot.errors import NetbootError
from ognetboot.inventory.importing.csv_file import read_csv
from ognetboot.inventory.importing.pcs import build
from ognetboot.inventory.importing.writing import new_text, proven
from ognetboot.inventory.model import Inventory
from ognetboot.inventory.reading import load, parse
from ognetboot.inventory.saving import put

SERVER = 'address = "10.0.2.2"\nsubnet = "10.0.2.0/24"\ninterface = "eth0"\n'
HOSTILE = 'Aula d\'Informàtica "1" ; touch x'
SPANISH = f"""\
Nombre;IP;MAC;Aula;Nº de serie;Foto
PC Número 1;10.0.2.11;52:54:00:00:00:01;"{HOSTILE.replace('"', '""')}";AB1;x.png
pc2;10.0.2.12;525400000002;Lab;;
"""


def taken(text: str, room: str = "") -> Inventory:
    brought = read_csv(text, "pcs.csv", room)
    made = new_text(brought, build(brought))
    assert proven(made, "x") == ["[server] address", "[server] subnet", "[server] interface"]
    return parse(made.replace("[server]\n", f"[server]\n{SERVER}"), source="x")


def test_headings_in_spanish_and_titles_of_any_kind() -> None:
    inventory = taken(SPANISH)
    first, second = inventory.clients
    assert (first.name, first.mac, str(first.ip)) == (
        "PC-Numero-1",
        "52:54:00:00:00:01",
        "10.0.2.11",
    )
    assert (first.serial, second.serial) == ("AB1", None)
    room = inventory.room_of(first)
    assert room is not None
    assert (room.name, room.title) == ("aula-d-informatica-1-touch-x", HOSTILE)
    assert second.room == "lab"


@pytest.mark.parametrize(
    "text",
    [
        "pc1;10.0.2.11;52:54:00:00:00:01\npc2;10.0.2.12;52:54:00:00:00:02\n",
        "10.0.2.11\tpc1\t525400000001\n10.0.2.12\tpc2\t525400000002\n",
        "52-54-00-00-00-01,pc1,10.0.2.11\r\n52-54-00-00-00-02,pc2,10.0.2.12\r\n",
        "\ufeffname|mac|ip address\npc1|525400000001|10.0.2.11\npc2|525400000002|10.0.2.12\n",
        "# PCs\n\nHostname,MAC-Address,IP\npc1,525400000001,10.0.2.11\npc2,525400000002,10.0.2.12",
        "pc1;10.0.2.11;525400000001;\npc2;10.0.2.12;525400000002;\n;;;\n",
    ],
)
def test_any_usual_delimiter_with_headings_or_without(text: str) -> None:
    inventory = taken(text)
    assert [(c.name, c.mac, str(c.ip)) for c in inventory.clients] == [
        ("pc1", "52:54:00:00:00:01", "10.0.2.11"),
        ("pc2", "52:54:00:00:00:02", "10.0.2.12"),
    ]


def test_pcs_without_a_room_get_the_one_that_is_named() -> None:
    inventory = taken("pc1;10.0.2.11;525400000001\n", room="Aula 5")
    assert [(r.name, r.title) for r in inventory.rooms] == [("aula-5", "Aula 5")]
    assert inventory.clients[0].room == "aula-5"


def test_centres_boot_modes_and_what_most_of_a_room_start() -> None:
    text = "centro,aula,nombre,mac,arranque,firmware\n" + "".join(
        f"FIB,A,pc{n},52540000000{n},{mode},{firmware}\n"
        for n, (mode, firmware) in enumerate(
            [("pxe", "UEFI"), ("pxe", "bios"), ("19pxeADMIN", ""), ("mine", "x"), ("", "")]
        )
    )
    brought = read_csv(text, "x.csv")
    outcome = build(brought)
    inventory = taken(text)
    assert [c.title for c in inventory.centres] == ["FIB"]
    assert inventory.rooms[0].choices.entry == "pxe"
    assert [inventory.entry_of(c).name for c in inventory.clients] == [
        *("pxe", "pxe", "19pxeadmin", "pxe", "pxe"),
    ]
    assert [c.choices.entry for c in inventory.clients] == [None, None, "19pxeadmin", None, None]
    assert any("boot mode 'mine' is a template of its own" in line for line in outcome.left_out)
    assert any("firmware: 'x' is not a valid Firmware" in line for line in outcome.left_out)


def test_the_three_lists_tell_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = tmp_path / "pcs.csv", tmp_path / "new.toml"
    source.write_text(
        SPANISH + "pc2;10.0.2.12;52:54:00:00:00:03;Lab;;\npc4;10.0.2.14;5254;Lab;;\n"
        "pc5;10.0.2.15;525400000002;Lab;;\npc6;10.0.2.16;525400000006;Lab;;;more\n",
        "utf-8",
    )
    assert main(["import", "csv", str(source), str(out), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["taken"] == [
        f"room {HOSTILE}",
        "room Lab",
        "PC PC Número 1 (line 2)",
        "PC pc2 (line 3)",
        "PC pc2 (line 4)",
        "PC pc6 (line 7)",
    ]
    assert told["renamed"][-2:] == [
        "PC PC Número 1 (line 2) is PC-Numero-1",
        "PC pc2 (line 4) is pc2-2",
    ]
    assert told["not_representable"] == [
        "PC pc2 (line 4): ip 10.0.2.12 is that of PC pc2 (line 3)",
        "PC pc4 (line 5): mac: '5254' is not a MAC address like 52:54:00:12:34:56",
        "PC pc4 (line 5): has neither a MAC nor a UUID to be known by",
        "PC pc5 (line 6): mac 52:54:00:00:00:02 is that of PC pc2 (line 3)",
        "column 'Foto' (6)",
        "line 7: more cells than headings",
    ]
    assert told["to_be_filled_in"][0] == "[server] address"


def test_nothing_is_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = tmp_path / "pcs.csv", tmp_path / "site.toml"
    source.write_text(SPANISH, "utf-8")
    out.write_text("# mine\n")
    words = ["import", "csv", str(source), str(out)]
    assert main(words) == 1
    assert "is there already" in capsys.readouterr().err
    assert main([*words, "--force", "--dry-run"]) == 0
    assert out.read_text() == "# mine\n"
    assert main([*words, "--force"]) == 0
    assert "To be filled in: [server] address" in capsys.readouterr().out
    assert "# mine" not in out.read_text("utf-8")


def test_into_an_inventory_goes_what_is_new(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = tmp_path / "pcs.csv", tmp_path / "site.toml"
    source.write_text(SPANISH, "utf-8")
    before = (
        f"# ours\n[server]\n{SERVER}\n[rooms.l]\ntitle = 'lab'  # kept\n\n"
        '[[clients]]\nmac = "52:54:00:00:00:01"\nname = "old"\n'
    )
    out.write_text(before)
    assert main(["import", "csv", str(source), str(out), "--into"]) == 0
    said = capsys.readouterr().out
    assert "PC PC Número 1 (line 2): mac 52:54:00:00:00:01 is that of old" in said
    assert "room Lab: is there already as l" in said
    inventory = load(out)
    assert [(c.name, c.room) for c in inventory.clients] == [("old", None), ("pc2", "l")]
    assert out.read_text("utf-8").startswith(before.partition("\n\n")[0])
    assert main(["import", "csv", str(source), str(out), "--into"]) == 0
    assert len(load(out).clients) == 2


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "holds no row"),
        ("a;b\nc;d\n", "has no column of MAC addresses"),
        ("x" * (16 << 20) + "y", "is larger than 16 MiB"),
        ("pc1;525400000001\n" * 100_002, "has more than 100000 rows"),
        ("name;mac\npc;" + "x" * 200_000, "is no table of text at line 2"),
    ],
    ids=["empty", "no MAC", "large", "long", "wide"],
)
def test_what_is_no_table_is_refused(text: str, why: str) -> None:
    with pytest.raises(NetbootError, match=why):
        read_csv(text, "x.csv")


def test_an_inventory_behind_a_link_is_written_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "pcs.csv").write_text("pc1;525400000001\n")
    real, link = tmp_path / "real.toml", tmp_path / "link.toml"
    real.write_text("old")
    real.chmod(0o600)
    link.symlink_to(real)
    words = ["import", "csv", str(tmp_path / "pcs.csv"), str(link)]
    assert main(words) == 1
    assert real.read_text() == "old"
    assert main([*words, "--force"]) == 0
    assert link.is_symlink()
    assert "pc1" in real.read_text()
    assert real.stat().st_mode & 0o777 == 0o600


def test_what_is_written_meanwhile_is_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text("of somebody else")
    with pytest.raises(NetbootError, match="is there already"):
        put(path, "mine", anew=False)
    assert path.read_text() == "of somebody else"


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)


@given(st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=5))
@settings(max_examples=150, deadline=None)
def test_whatever_a_cell_holds_the_result_is_an_inventory(rows: list[tuple[str, ...]]) -> None:
    file = io.StringIO(newline="")
    writer = csv.writer(file, delimiter=";")
    writer.writerow(["nombre", "aula", "serie", "mac"])
    for number, row in enumerate(rows):
        writer.writerow([*row, f"5254000000{number:02x}"])
    inventory = taken(file.getvalue())
    # A row whose name begins with the sign of a comment is one.
    assert len(inventory.clients) >= sum(not row[0].lstrip().startswith("#") for row in rows)
