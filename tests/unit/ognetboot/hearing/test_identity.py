# SPDX-License-Identifier: GPL-3.0-or-later
"""What a PC tells of itself: firmware's bytes, makers' nonsense, and worse."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ognetboot.hearing import identity
from ognetboot.hearing.identity import Claim, claim_of, identity_of, words_of

MAC = "52:54:00:12:34:56"
UUID = "11111111-2222-3333-4444-555555555555"


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("room=Aula%20d%27Inform%C3%A0tica", "Aula d'Informàtica"),
        ("room=Aula%20d%27Inform%E0tica", "Aula d'Informàtica"),
        ("room=a+b", "a b"),
        ("room=a%00b%0d%0ac%1b[1m", "a b c [1m"),
        ("room=%E2%80%AEabc", "abc"),
        ("room=first&room=second", "first"),
        ("room=" + "x" * 500, "x" * 128),
        ("room=", ""),
    ],
)
def test_a_field_is_one_line_of_text(query: str, text: str) -> None:
    assert words_of(query)["room"] == text


@pytest.mark.parametrize("query", ["a=1&" * 40, "a=" + "x" * 5000])
def test_too_much_is_refused(query: str) -> None:
    with pytest.raises(ValueError, match="too"):
        words_of(query)


@given(st.text(max_size=300))
def test_no_query_breaks_it(query: str) -> None:
    for name, text in words_of(query).items():
        assert name.isalnum()
        assert text.isprintable()
        assert len(text) <= 128


def test_a_secret_keeps_its_blanks() -> None:
    assert identity.secret_of("mac=x&password=%20a%20%2B%26", "password") == " a +&"
    assert identity.secret_of("mac=x", "password") == ""


@pytest.mark.parametrize("mac", [MAC, "52-54-00-12-34-56", "525400123456", MAC.upper()])
def test_a_mac_is_read_however_it_is_written(mac: str) -> None:
    assert claim_of({"mac": mac}) == Claim(MAC, "", "")


@pytest.mark.parametrize(
    "words",
    [
        {},
        {"mac": "nonsense", "uuid": UUID},
        {"mac": "ff:ff:ff:ff:ff:ff"},
        {"uuid": "00000000-0000-0000-0000-000000000000"},
        {"uuid": "03000200-0400-0500-0006-000700080009", "serial": "To Be Filled By O.E.M."},
        {"serial": "Default string"},
    ],
)
def test_who_names_no_pc_is_refused(words: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"."):
        claim_of(words)


def test_an_adapter_that_pcs_share_identifies_none() -> None:
    claim = Claim(MAC, UUID, "S12345")
    assert identity_of(claim) == f"mac:{MAC}"
    shared = frozenset({MAC})
    assert identity_of(claim, shared) == f"uuid:{UUID}"
    assert identity_of(Claim(MAC, "", "S12345"), shared) == "serial:S12345"
    assert identity_of(Claim(MAC, "", ""), shared) == ""
