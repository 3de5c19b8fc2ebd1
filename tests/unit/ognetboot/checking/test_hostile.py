# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever a file says: each fault is told with a line of the file, and nothing breaks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import trying
from ognetboot.checking.loader_limits import Loaders
from ognetboot.checking.report import check
from ognetboot.errors import NetbootError
from ognetboot.inventory.reading import MOST_BYTES, read

# Every key that a table may have, and what may stand there rightly somewhere.
_WORDS = """
    server site entries states centres rooms groups clients adapters title address subnet
    interface dhcp dhcp_range default_entry entry timeout_s language method multicast p2p
    disks state protected_until mac macs uuid serial name room ip firmware within kind disk
    partition job work deploy image systems default layout args console profile template
    shared a b
"""
KEYS = st.sampled_from(_WORDS.split())
WORDS = st.sampled_from(
    ["a", "b", "10.0.2.2", "10.0.2.0/24", "eth0", "own", "525400000001", "oglive", "custom",
     "system", "memtest", "firmware", "localdisk", "9000:full-duplex:239.194.2.1:70M:1:1", "peer:1",
     "MULTICAST-CACHE", "debian@1", "configure", "bios", "", "\u202e", "x" * 70]
)  # fmt: skip
LEAVES = st.one_of(WORDS, st.integers(-2, 200), st.booleans(), st.dates(), st.floats(-1, 1))
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=25,
)
TABLE = st.dictionaries(KEYS, VALUES, max_size=8)


def toml(value: object) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{k} = {toml(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return str(value) if isinstance(value, date) else json.dumps(value)


GOOD = {
    "server": {"address": "10.0.2.2", "subnet": "10.0.2.0/24", "interface": "eth0"},
    "rooms": {"a": {}},
    "clients": [{"mac": "525400000001", "name": "a", "room": "a"}],
}


@given(TABLE, st.dictionaries(KEYS, TABLE, max_size=4), st.booleans())
@trying.examples(80)
def test_any_file_is_read_to_its_end(
    top: dict[str, object], tables: dict[str, object], good: bool
) -> None:
    whole = (GOOD if good else {}) | top | tables
    text = "".join(f"{key} = {toml(value)}\n" for key, value in whole.items())
    found = read(text, source="x.toml")
    assert (found.inventory is None) == bool(found.faults.errors)
    for fault in found.faults.found:
        assert fault.what
        assert fault.hint


@given(TABLE, TABLE, TABLE)
@trying.examples(50)
def test_any_file_is_checked_and_each_fault_has_a_line(
    tmp_path_factory: pytest.TempPathFactory,
    server: dict[str, object],
    room: dict[str, object],
    client: dict[str, object],
) -> None:
    lines = []
    for header, values in (
        ("[server]", GOOD["server"] | server),  # type: ignore[operator]
        ("[rooms.a]", room),
        ("[[clients]]", {"mac": "525400000001", "name": "a", "room": "a"} | client),
    ):
        lines += [header, *(f"{key} = {toml(value)}" for key, value in values.items())]
    path = tmp_path_factory.getbasetemp() / "hostile.toml"
    path.write_text("\n".join(lines), "utf-8")
    found = check(path, allow_test=True, loaders=Loaders(old=None), now=datetime.now(UTC))
    for one in found.told:
        assert 1 <= one.line <= len(lines)
        assert one.cause
        assert not any(not c.isprintable() for c in str(one)), str(one)


def test_what_is_no_inventory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NetbootError, match="nested too deep"):
        read("a = " + "[" * 100_000, source="x")
    large = tmp_path / "large.toml"
    with large.open("wb") as file:
        file.truncate(MOST_BYTES + 1)
    with pytest.raises(NetbootError, match="is larger than 32 MiB"):
        check(large, allow_test=False, loaders=Loaders(old=None), now=datetime.now(UTC))
