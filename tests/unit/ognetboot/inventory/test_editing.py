# SPDX-License-Identifier: GPL-3.0-or-later
"""A program's change of an inventory: what was asked for, and nothing else."""

from __future__ import annotations

import difflib
import json
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import trying
from ognetboot.errors import NetbootError
from ognetboot.inventory.editing import (
    NewTable,
    Value,
    toml,
    with_choice,
    with_tables,
    with_value,
    without_choice,
)
from ognetboot.inventory.places import find_places
from ognetboot.inventory.reading import parse
from ognetboot.inventory.saving import open_inventory, save
from ognetboot.inventory.scopes import find_scope

DATA = Path(__file__).parents[1] / "data"
CAMPUS = (DATA / "campus.toml").read_text("utf-8")
MINIMAL = (DATA / "minimal.toml").read_text("utf-8")
EXAMPLE = (Path(__file__).parents[4] / "pxe/examples/classroom.toml").read_text("utf-8")


def changed(before: str, after: str) -> list[str]:
    """The lines that differ, as `diff` says them."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm="")
    return [line for line in lines if line[:1] in "+-" and line[:3] not in ("+++", "---")]


@pytest.mark.parametrize(
    ("scope", "choice", "value", "lines"),
    [
        ("pc:aula1-pc02", "entry", "pxe", ['-entry = "10"', '+entry = "pxe"']),
        ("pc:aula1-pc01", "entry", "pxe", ['+entry = "pxe"']),
        ("room:aula1", "entry", "pxe", ['+default_entry = "pxe"']),
        ("all", "timeout_s", 5, ["+timeout_s = 5"]),
        ("centre:informatica", "language", "es", ['-language = "ca"', '+language = "es"']),
        ("group:profesores", "timeout_s", None, ["-timeout_s = 0"]),
        ("room:aula1", "disks", {"system": "1"}, [
            '-disks = { system = "nvme", data = "largest" }', '+disks = { system = "1" }',
        ]),
        ("room:sala", "picture", None, []),
    ],
)  # fmt: skip
def test_a_choice_changes_one_line(
    scope: str, choice: str, value: Value | None, lines: list[str]
) -> None:
    inventory = parse(CAMPUS, source="x")
    new = with_choice(CAMPUS, inventory, find_scope(inventory, scope), choice, value)
    assert changed(CAMPUS, new) == lines
    said = parse(new, source="x")
    assert said.site == inventory.site


def test_many_scopes_lose_their_word_at_once() -> None:
    inventory = parse(CAMPUS, source="x")
    scopes = [find_scope(inventory, f"pc:{client.name}") for client in inventory.clients]
    new = without_choice(CAMPUS, inventory, scopes, "entry")
    assert changed(CAMPUS, new) == ['-entry = "10"']
    assert without_choice(new, inventory, scopes, "entry") == new
    inline = 'clients = [{ mac = "52:54:00:00:00:01", name = "a", entry = "10" }]\n'
    text = inline + MINIMAL
    one = parse(text, source="x")
    with pytest.raises(NetbootError, match="stands inside another value"):
        without_choice(text, one, [find_scope(one, "pc:a")], "entry")


def test_a_comment_behind_a_value_stays() -> None:
    new = with_value("[a] # one\nb = 1 # two\n# three\n[c]\n", ("a",), "b", 2)
    assert new == "[a] # one\nb = 2 # two\n# three\n[c]\n"
    new = with_value(new, ("a",), "d", "x")
    assert new == '[a] # one\nb = 2 # two\nd = "x"\n# three\n[c]\n'
    assert with_value(new, ("c",), "e", True).endswith("[c]\ne = true\n")
    assert with_value("[a]", ("a",), "b", 1) == "[a]\nb = 1\n"


def test_new_tables_go_behind_those_of_their_kind() -> None:
    new = with_tables(
        CAMPUS,
        [
            NewTable(("rooms", "aula2"), {"title": 'Aula "2"', "disks": {"system": "nvme"}}),
            NewTable(
                ("clients",), {"mac": "52:54:00:00:00:09", "name": "n", "room": "aula2"}, "by x"
            ),
            NewTable(("entries", "a.b"), {"title": "A"}),
        ],
    )
    assert all(line.startswith("+") for line in changed(CAMPUS, new))
    inventory = parse(new, source="x")
    assert [room.name for room in inventory.rooms] == ["aula1", "sala", "aula2"]
    assert inventory.rooms[-1].title == 'Aula "2"'
    assert inventory.clients[-1].room == "aula2"
    assert new.endswith('\n\n# by x\n[[clients]]\nmac = "52:54:00:00:00:09"\nname = "n"\n'
                        'room = "aula2"\n')  # fmt: skip
    places = find_places(new)
    assert places.line_of(("rooms", "aula2")) < places.line_of(("groups", "profesores"))


def test_a_table_that_is_there_is_refused() -> None:
    with pytest.raises(NetbootError, match=r"\[rooms.sala\] is there already"):
        with_tables(CAMPUS, [NewTable(("rooms", "sala"), {})])


@pytest.mark.parametrize(
    "text",
    [
        'rooms = { a = { title = "x" } }\n',
        'rooms.a.title = "x"\n',
        '[rooms]\na = { title = "x" }\n',
    ],
)
def test_what_a_person_wrote_in_one_line_is_left_to_the_person(text: str) -> None:
    with pytest.raises(NetbootError) as caught:
        with_value(text, ("rooms", "a"), "timeout_s", 1)
    assert "by hand" in caught.value.hint
    assert with_value(text, ("rooms", "a"), "title", "y") == text.replace('"x"', '"y"')


HARD = '''\
# """ [ in a comment
[a."b c"] # [x]
k = """
[not.a.table]
"quoted" \\""" x = 1"""   # end
l = \'\'\'it's\'\'\'
m = [ "]", # ]
  { n = "}", o = [1, 2] },
]
"p.q" = 'a#b'
r.s = 1979-05-27T07:32:00Z
t = +1_000
[[d]]
[[d.e]]
f = 1
[d.g]
h = 2
[[d]]
[[d.e]]
f = 3
[[d.e]]
f = 4\
'''


def test_every_value_of_a_hard_text_is_found_where_it_stands() -> None:
    places, values = find_places(HARD), tomllib.loads(HARD)
    for path, span in places.values.items():
        found = values
        for word in path:
            found = found[word]  # type: ignore[index]
        assert tomllib.loads(f"x = {HARD[span.value : span.end]}")["x"] == found, path
    assert places.line_of(("d", 1, "e", 1, "f")) == 22
    assert places.line_of(("a", "b c", "m", 1, "o", 1)) == 8
    assert places.line_of(("d", 0, "g", "missing")) == 16
    assert with_value(HARD, ("d", 1, "e", 1), "z", 5).endswith("f = 4\nz = 5\n")


@pytest.mark.parametrize("text", [CAMPUS, EXAMPLE], ids=["campus", "classroom"])
def test_every_value_of_an_inventory_is_found(text: str) -> None:
    places = find_places(text)

    def walk(path: tuple[str | int, ...], value: object) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                walk((*path, key), inner)
        elif isinstance(value, list) and path != ("clients",):
            assert path in places.values
        elif isinstance(value, list):
            for number, inner in enumerate(value):
                walk((*path, number), inner)
        else:
            span = places.values[path]
            assert tomllib.loads(f"x = {text[span.value : span.end]}")["x"] == value

    walk((), tomllib.loads(text))


TEXTS = st.text(st.characters(codec="utf-8"), max_size=30)


@given(TEXTS, st.dictionaries(TEXTS, TEXTS, max_size=3), st.lists(TEXTS, max_size=3))
@trying.examples(60)
def test_whatever_is_written_reads_back(word: str, pairs: dict[str, str], words: list[str]) -> None:
    values: dict[str, Value] = {"word": word, "pairs": pairs, "words": words, word: True}
    new = with_tables(CAMPUS, [NewTable(("clients",), values), NewTable(("rooms", word), {})])
    assert tomllib.loads(new)["clients"][-1] == values
    new = with_value(new, ("clients", 0), "name", word)
    assert tomllib.loads(new)["clients"][0]["name"] == word
    assert tomllib.loads(f"x = {toml(word)}")["x"] == word


def test_a_change_is_written_whole_with_owner_and_rights(tmp_path: Path) -> None:
    path = tmp_path / "site.toml"
    path.write_text(CAMPUS, "utf-8")
    path.chmod(0o640)
    link = tmp_path / "link.toml"
    link.symlink_to("site.toml")
    opened = open_inventory(link)
    assert save(opened, CAMPUS + "# more\n")
    assert not save(open_inventory(link), CAMPUS + "# more\n")
    # An editor of Windows' puts a mark before the text, and finds it there again.
    link.write_text("\ufeff" + CAMPUS, "utf-8")
    opened = open_inventory(link)
    assert opened.text == CAMPUS
    assert save(opened, CAMPUS + "# more\n")
    assert link.read_text("utf-8") == "\ufeff" + CAMPUS + "# more\n"
    link.write_text(CAMPUS + "# more\n", "utf-8")
    assert path.read_text("utf-8") == CAMPUS + "# more\n"
    assert path.stat().st_mode & 0o777 == 0o640
    assert link.is_symlink()
    assert {p.name for p in tmp_path.iterdir()} == {"site.toml", "link.toml", ".site.toml.lock"}


def test_what_somebody_else_changed_is_not_lost(tmp_path: Path) -> None:
    path = tmp_path / "site.toml"
    path.write_text(CAMPUS, "utf-8")
    opened = open_inventory(path)
    path.write_text(CAMPUS + "# by hand\n", "utf-8")
    with pytest.raises(NetbootError, match="was changed by somebody else"):
        save(opened, CAMPUS + "# by program\n")
    assert path.read_text("utf-8").endswith("# by hand\n")
    path.unlink()
    with pytest.raises(NetbootError, match="was changed by somebody else"):
        save(opened, CAMPUS + "# by program\n")


def test_a_word_of_json_is_one_of_toml() -> None:
    for number in range(0x250):
        text = f"a{chr(number)}b"
        assert tomllib.loads(f"x = {toml(text)}")["x"] == text
    assert json.loads(toml("ñ")) == "ñ"
