# SPDX-License-Identifier: GPL-3.0-or-later
"""Text in columns: what is wide counts twice, what is too long is cut or broken."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oglib.wording import columns


@pytest.mark.parametrize(
    ("text", "width"),
    [("abc", 3), ("", 0), ("Señal", 5), ("Sen\u0303al", 5), ("教室", 4), ("\uff57", 2), ("…", 1)],
)
def test_width_is_what_a_terminal_shows(text: str, width: int) -> None:
    assert columns.width(text) == width


def test_what_is_too_wide_ends_with_an_ellipsis() -> None:
    assert columns.cut("Debian", 6) == "Debian"
    assert columns.cut("Debian", 4) == "Deb…"
    assert columns.cut("教室映像", 6) == "教室…"


def test_lines_are_broken_at_blanks_and_indented() -> None:
    lines = columns.broken("og: There is no disk 7 in this PC.", 16, indent="  ")
    assert lines == ["og: There is no", "  disk 7 in this", "  PC."]


def test_a_path_longer_than_a_line_is_broken_where_the_line_ends() -> None:
    assert columns.broken("see /a/very/long/path here", 10) == [
        "see",
        "/a/very/lo",
        "ng/path",
        "here",
    ]


def test_without_a_terminal_nothing_is_broken() -> None:
    assert columns.of(io.StringIO()) is None
    assert columns.broken("x" * 500, None) == ["x" * 500]


@given(st.text(st.characters(codec="utf-8"), max_size=120), st.integers(20, 60))
def test_no_line_is_wider_than_it_may_be_and_no_letter_is_lost(text: str, room: int) -> None:
    text = "".join(letter for letter in text if letter.isprintable())
    lines = columns.broken(text, room, indent="  ")
    assert all(columns.width(line) <= room for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
