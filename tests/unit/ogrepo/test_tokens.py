# SPDX-License-Identifier: GPL-3.0-or-later
"""Tokens: only what this repository made, unchanged, in time, once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oglib.errors import OgError, UsageError
from ogrepo.intake.tokens import (
    Grant,
    TokenError,
    burn,
    check_unused,
    forget_burns,
    load_secret,
    make_token,
    read_token,
)
from ogrepo.library.folder import Folder

SECRET = b"s" * 32
names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,30}", fullmatch=True).filter(
    lambda name: ".img" not in name
)


@given(names)
def test_a_token_says_what_it_was_made_for(name: str) -> None:
    grant = read_token(SECRET, make_token(SECRET, name, now=1000, lifetime_s=60))
    assert (grant.name, grant.expires) == (name, 1060)


@given(names, st.data())
def test_no_changed_token_is_taken(name: str, data: st.DataObject) -> None:
    token = make_token(SECRET, name, now=1000)
    at = data.draw(st.integers(0, len(token) - 1))
    char = data.draw(st.characters().filter(lambda char: char != token[at]))
    for changed in (
        token[:at] + char + token[at + 1 :],
        token[:at],
        token[:at] + char + token[at:],
    ):
        with pytest.raises(TokenError):
            read_token(SECRET, changed)


@given(st.text())
def test_no_other_text_is_taken(text: str) -> None:
    with pytest.raises(TokenError):
        read_token(SECRET, text)


def test_another_repository_takes_no_token_of_ours() -> None:
    with pytest.raises(TokenError, match="not one of this repository"):
        read_token(b"t" * 32, make_token(SECRET, "debian"))


def test_two_tokens_differ() -> None:
    assert make_token(SECRET, "debian", now=1) != make_token(SECRET, "debian", now=1)


@pytest.mark.parametrize("name", ["", "../x", "a b", ".a", "a/../b", "a.img", "a.img/b", "a\n"])
def test_no_token_for_what_is_no_name(name: str) -> None:
    with pytest.raises(UsageError):
        make_token(SECRET, name)


def test_time_and_use(folder: Folder) -> None:
    grant = Grant("debian", 1000, "0" * 32)
    check_unused(folder, grant, 999)
    with pytest.raises(TokenError, match="expired"):
        check_unused(folder, grant, 1000)
    burn(folder, grant, "a")
    burn(folder, grant, "a")
    with pytest.raises(TokenError, match="used already"):
        check_unused(folder, grant, 999)
    with pytest.raises(TokenError, match="used already"):
        burn(folder, grant, "b")
    # Whatever the clock says meanwhile, a used token stays used.
    assert not forget_burns(folder)
    with pytest.raises(TokenError, match="used already"):
        burn(folder, grant, "b")


def test_used_tokens_are_forgotten_only_with_the_secret_that_made_them(folder: Folder) -> None:
    secret = load_secret(folder)
    token = make_token(secret, "debian")
    for number in range(3):
        burn(folder, Grant("debian", 1000, f"{number:032x}"), "a")
    assert not forget_burns(folder, most=3)
    assert load_secret(folder) == secret
    assert forget_burns(folder, most=2)
    assert list((folder.private / "burnt").iterdir()) == []
    with pytest.raises(TokenError, match="not one of this repository"):
        read_token(load_secret(folder), token)


def test_the_secret_is_made_once_and_must_stay_secret(folder: Folder) -> None:
    secret = load_secret(folder)
    assert len(secret) == 32
    assert load_secret(folder) == secret
    path = folder.private / "token.secret"
    path.chmod(0o644)
    with pytest.raises(OgError, match="read by others"):
        load_secret(folder)
    path.chmod(0o600)
    path.write_bytes(b"short")
    with pytest.raises(OgError, match="damaged"):
        load_secret(folder)
