# SPDX-License-Identifier: GPL-3.0-or-later
"""Times that no clock tells are damage or a mistake with its line, never a fall."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ognetboot.errors import NetbootError
from ognetboot.hearing import documents
from ognetboot.hearing.seen import seen_of
from ognetboot.hearing.waiting import waiting_of
from ognetboot.inventory.reading import parse
from unit.ognetboot.serving.server import INVENTORY

FAR = ("0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59-12:00")


@pytest.mark.parametrize("when", FAR)
def test_a_time_that_was_heard(tmp_path: Path, when: str) -> None:
    file = tmp_path / "rooms.toml"
    seen = {"pc1": {"at": when, "entry": "", "ip": "", "oglive": ""}}
    documents.write(documents.beside(file, "seen"), seen)
    with pytest.raises(NetbootError, match="is damaged"):
        seen_of(file)
    claim = {"mac": "52:54:00:00:00:01", "uuid": "", "serial": ""}
    row = {"number": 1, "claim": claim, "told": {}, "address": "", "since": when, "last": when}
    documents.write(documents.beside(file, "waiting"), {"last_number": 1, "waiting": [row]})
    with pytest.raises(NetbootError, match="is damaged"):
        waiting_of(file)


def test_a_number_without_end(tmp_path: Path) -> None:
    file = tmp_path / "rooms.toml"
    text = json.dumps({"waiting": [], "last_number": 0}).replace(": 0", ": 1e999")
    documents.beside(file, "waiting").write_text(text)
    with pytest.raises(NetbootError, match="is damaged"):
        waiting_of(file)


@pytest.mark.parametrize("when", ["9999-12-31T23:59:59Z", "9999-12-31", "0001-01-01T00:00:00Z"])
def test_a_protection_without_end_is_a_mistake(when: str) -> None:
    with pytest.raises(NetbootError, match="out of reach"):
        parse(INVENTORY.replace("[server]", f"[server]\nprotected_until = {when}"), source="r.toml")
