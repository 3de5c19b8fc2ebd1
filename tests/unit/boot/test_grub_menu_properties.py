# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds for every menu, however strange: read or refused, and changed where it is meant."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

import trying
from oglib.boot.menu.edits import with_default, with_timeout, without
from oglib.boot.menu.lock import with_lock, without_lock
from oglib.boot.menu.reader import Menu, read_menu
from oglib.boot.menu.words import quoted, unquoted
from oglib.errors import OgError

PIECES = (
    "menuentry", "submenu", "function f", "if true", "then", "else", "fi", "set default=0",
    "set timeout=5", "set superusers=root", "'a b'", '"x $y"', "\\{", "#", "# {\n", "{", "}", "\n",
    ";", " ", "--id x", "$menuentry_id_option 'y'", "'", '"', "\\\n", "${a}", "true", "\t",
)  # fmt: skip
TEXTS = st.lists(st.sampled_from(PIECES), max_size=40).map(" ".join)
TITLES = st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=12)


def read(text: str) -> Menu | None:
    try:
        return read_menu(text)
    except OgError:
        return None


@trying.examples(300)
@given(TEXTS)
def test_a_menu_is_read_or_refused_and_what_is_changed_is_read_again(text: str) -> None:
    menu = read(text)
    if menu is None:
        return
    for entry in menu.all_entries:
        assert 0 <= entry.start < entry.brace < entry.end <= len(text)
        assert text[entry.brace] == "{"
        assert text[entry.end - 1] == "}"
    for changed in (with_timeout(menu, 7), with_lock(menu, "root"), without_lock(menu)):
        again = read_menu(changed.text)
        assert [one.title for one in again.all_entries] == [one.title for one in menu.all_entries]
    assert with_timeout(read_menu(with_timeout(menu, 7).text), 7).text == with_timeout(menu, 7).text


@trying.examples(200)
@given(st.lists(TITLES, min_size=1, max_size=6), st.data())
def test_one_entry_goes_and_the_default_stays_the_same_one(
    titles: list[str], data: st.DataObject
) -> None:
    body = "".join(f"menuentry {quoted(one)} {{\n\ttrue\n}}\n" for one in titles)
    number = data.draw(st.integers(0, len(titles) - 1))
    gone = data.draw(st.integers(0, len(titles) - 1))
    menu = read_menu(f"set default={number}\n{body}")
    assert [one.words[1].value for one in menu.entries] == titles
    left = read_menu(without(menu, [menu.entries[gone]]).text)
    assert [one.words[1].value for one in left.entries] == [*titles[:gone], *titles[gone + 1 :]]
    default = int(left.setting("default"))
    if gone == number:
        assert default == 0
    else:
        assert default == number - (gone < number)
    chosen = read_menu(with_default(menu, menu.entries[gone]).text)
    assert chosen.setting("default") == str(gone)


@given(TITLES)
def test_a_quoted_word_comes_back(title: str) -> None:
    assert unquoted(quoted(title)) == title
