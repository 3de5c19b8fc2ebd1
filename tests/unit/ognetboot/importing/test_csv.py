# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables of PCs as sites have them become inventories, and what cannot is told."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import trying
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
        "conflict: PC pc2 (line 4): ip 10.0.2.12 is that of PC pc2 (line 3), and is not taken",
        "left out: PC pc4 (line 5): mac: '5254' is not a MAC address like 52:54:00:12:34:56",
        "left out: PC pc5 (line 6): mac 52:54:00:00:00:02 is that of PC pc2 (line 3)",
        "column 'Foto' (6)",
        "line 7: more cells than headings",
    ]
    assert told["already_there"] == []
    assert told["left_out"] == ["PC pc4 (line 5)", "PC pc5 (line 6)"]
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
    assert "Not representable: 1\n  column 'Foto' (2)\n" in said
    there = "PC PC Número 1 (line 2), as old with the ip of DHCP"
    assert f"Already there: 2\n  room Lab, as l\n  {there}\n" in said
    assert "Taken: 2\n" in said
    assert "left out" not in said
    inventory = load(out)
    assert [(c.name, c.room) for c in inventory.clients] == [("old", None), ("pc2", "l")]
    assert out.read_text("utf-8").startswith(before.partition("\n\n")[0])
    assert main(["import", "csv", str(source), str(out), "--into"]) == 0
    assert len(load(out).clients) == 2
    said = capsys.readouterr().out
    assert "Taken: 0\nRenamed: 0\nNot representable: 1\n  column 'Foto' (2)\n" in said
    assert "Already there: 4\n" in said
    assert "0 PCs written" in said


def test_two_rows_of_one_pc_of_the_inventory() -> None:
    uuid = "4c4c4544-0042-3510-8058-b7c04f4d3132"
    there = parse(
        f"[server]\n{SERVER}[[clients]]\nmac = '525400000001'\nuuid = '{uuid}'\nname = 'pc1'\n",
        source="x",
    )
    rows = f"nombre;mac;uuid\npc1;;{uuid}\npc2;525400000001;{uuid}\npc3;525400000003;{uuid}\n"
    outcome = build(read_csv(rows, "x.csv"), there)
    assert outcome.there == ["PC pc1 (line 2), as pc1"]
    assert outcome.pcs_left_out == ["PC pc2 (line 3)", "PC pc3 (line 4)"]
    assert outcome.tables == []


def test_a_uuid_that_another_row_has_is_told_once() -> None:
    uuid = "4c4c4544-0042-3510-8058-b7c04f4d3132"
    outcome = build(read_csv(f"nombre;uuid\npc1;{uuid}\npc2;{uuid}\n", "x.csv"))
    assert outcome.left_out == [
        f"left out: PC pc2 (line 3): uuid {uuid} is that of PC pc1 (line 2)"
    ]


def test_a_row_that_is_another_pc_is_not_already_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = tmp_path / "pcs.csv", tmp_path / "site.toml"
    out.write_text(f"[server]\n{SERVER}")
    source.write_text("nombre;mac;ip\npc1;525400000001;10.0.2.11\npc2;525400000002;10.0.2.12\n")
    assert main(["import", "csv", str(source), str(out), "--into"]) == 0
    source.write_text(
        "nombre;mac;ip\npc1;525400000001;10.0.2.19\npc2;525400000002;10.0.2.12\n"
        "pc3;525400000002;10.0.2.13\n"
    )
    capsys.readouterr()
    assert main(["import", "csv", str(source), str(out), "--into"]) == 0
    said = capsys.readouterr().out
    assert "Already there: 2\n  PC pc1 (line 2), as pc1 with the ip 10.0.2.11\n" in said
    assert "  PC pc2 (line 3), as pc2\n" in said
    assert "  left out: PC pc3 (line 4): mac 52:54:00:00:00:02 is that of PC pc2 (line 3)\n" in said
    assert said.endswith("1 of 3 PCs was left out: PC pc3 (line 4)\n")


@pytest.mark.parametrize(
    ("name", "mac"),
    [
        ("Ordinador", "Adreça MAC"),
        ("Nom de l'ordinador", "Adreça física"),
        ("Nombre del equipo", "Dirección física"),
        ("EQUIPO", "mac del equipo"),
        ("Nom de la màquina", "Dirección MAC del PC"),
        ("Computer name", "Physical address"),
        ("Nombre de host", "MAC address of the PC"),
    ],
)
def test_headings_as_people_write_them(name: str, mac: str) -> None:
    inventory = taken(f"{name};{mac};Nombre del aula\nlab-1;525400000001;Lab\n")
    assert [(c.name, c.mac, c.room) for c in inventory.clients] == [
        ("lab-1", "52:54:00:00:00:01", "lab")
    ]


def test_headings_that_nobody_knows_are_named() -> None:
    with pytest.raises(
        NetbootError, match=r"no column of MAC.*its first line says: Num, Ruta"
    ) as no:
        read_csv("Num;Ruta\n1;x\n", "x.csv")
    assert "nombre;ip;mac;aula" in no.value.hint


def test_a_first_row_with_a_wrong_mac_is_no_line_of_headings() -> None:
    outcome = build(read_csv("pc1;52:54:0;x\npc2;525400000002;x\npc3;525400000003;x\n", "x.csv"))
    assert outcome.pcs_left_out == ["PC pc1 (line 1)"]


def test_pcs_without_a_column_of_names_are_told_loudly(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = tmp_path / "pcs.csv", tmp_path / "new.toml"
    source.write_text("Etiqueta;Enchufe;MAC;IP\nlab-1;7;525400000001;10.0.2.11\n", "utf-8")
    assert main(["import", "csv", str(source), str(out)]) == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert first.startswith("Look at this: no heading says which column holds the PCs' names, so ")
    assert "Etiqueta, Enchufe" in first
    assert "pc-1" in first
    source.write_text("Etiqueta;Enchufe\nlab-1;525400000001\nlab-2;525400000002\n", "utf-8")
    assert main(["import", "csv", str(source), str(out), "--force"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("Look at this: no heading of line 1 is known (Etiqueta, Enchufe), so ")
    assert "Taken: 2\n" in said
    assert out.read_text().count("[[clients]]") == 2


def test_each_row_that_is_left_out_is_told_once_and_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = tmp_path / "pcs.csv", tmp_path / "new.toml"
    source.write_text(
        "nombre;mac\nPC-01;001a.2b3c.4d01\nPC-02;001A.2B3C.4D02\nPC-03;nonsense\n"
        "PC-04;00:1a:2b:3c:4d:02\nPC-05;\n",
        "utf-8",
    )
    assert main(["import", "csv", str(source), str(out)]) == 0
    said = capsys.readouterr().out
    assert "Not representable: 3\n  left out: PC PC-03 (line 4): mac: 'nonsense' is not " in said
    assert "left out: PC PC-04 (line 5): mac 00:1a:2b:3c:4d:02 is that of PC PC-02 (line 3)" in said
    assert "left out: PC PC-05 (line 6): has neither a MAC nor a UUID to be known by" in said
    assert said.splitlines()[-1] == (
        "3 of 5 PCs were left out: PC PC-03 (line 4), PC PC-04 (line 5), PC PC-05 (line 6)"
    )


def test_a_pc_whose_name_changes_keeps_the_old_one_beside_it() -> None:
    brought = read_csv("nombre;mac\nPortátil Ñ;525400000001\nlab-1;525400000002\n", "x.csv")
    text = new_text(brought, build(brought))
    assert '# Portátil Ñ\n[[clients]]\nmac = "52:54:00:00:00:01"\nname = "Portatil-N"\n' in text
    assert "# lab-1" not in text


def test_a_pc_that_was_never_assigned_says_nothing_of_its_own() -> None:
    modes = ["00unknown", "00unknown", "00UNKNOWN", "pxe", "pxe", "10"]
    rows = [f"A,pc{n},52540000000{n},{mode}\n" for n, mode in enumerate(modes)]
    rows += [f"B,pc1{n},52540000001{n},00unknown\n" for n in range(2)]
    text = "aula,nombre,mac,arranque\n" + "".join(rows)
    inventory = taken(text)
    assert [c.choices.entry for c in inventory.clients] == [
        *(None, None, None, "pxe", "pxe", "10"),
        *(None, None),
    ]
    assert [r.choices.entry for r in inventory.rooms] == [None, None]


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
@example([("", "\t", "\x85\t")])
@trying.examples(150)
def test_whatever_a_cell_holds_the_result_is_an_inventory(rows: list[tuple[str, ...]]) -> None:
    file = io.StringIO(newline="")
    writer = csv.writer(file, delimiter=";")
    writer.writerow(["nombre", "aula", "serie", "mac"])
    for number, row in enumerate(rows):
        writer.writerow([*row, f"5254000000{number:02x}"])
    inventory = taken(file.getvalue())
    # A row whose name begins with the sign of a comment is one.
    assert len(inventory.clients) >= sum(not row[0].lstrip().startswith("#") for row in rows)
