# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of who was seen: whatever PCs tell, it is one that can be read again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ognetboot.errors import NetbootError
from ognetboot.hearing import documents
from ognetboot.hearing.seen import Reports, Seen, seen_of, systems_of

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
LONG = {"disks": "1", **{f"d1p{n}": "\U0001f4bb" * 128 for n in range(1, 30)}}


def test_a_report_names_so_many_systems() -> None:
    systems = systems_of(LONG)
    assert systems is not None
    assert len(systems) == 24


def test_long_reports_of_all_pcs_are_a_list_that_can_be_read(tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    told: list[str] = []
    reports = Reports(file, told.append)
    for number in range(2100):
        at = NOW + timedelta(seconds=number)
        reports.add(f"pc{number}", Seen(at, "oglive", "10.0.0.1", "r1", systems_of(LONG)))
    reports.write()
    found = seen_of(file)
    assert len(found) == 2100
    # Who was seen last is known best.
    assert found["pc2099"].systems == systems_of(LONG)
    assert found["pc0"].systems is None
    assert found["pc0"].at == NOW


def test_a_list_that_could_not_be_read_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    documents.write(path, ["before"])
    with pytest.raises(NetbootError, match="too long"):
        documents.write(path, ["x" * documents.MOST_BYTES])
    assert documents.read(path, lambda value: value, lambda: None) == ["before"]
