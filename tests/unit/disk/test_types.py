# SPDX-License-Identifier: GPL-3.0-or-later
"""The type tables: both directions agree, and unknown ones are said to be so."""

from __future__ import annotations

import pytest

from oglib.disk import types
from oglib.disk.model import TableKind
from oglib.errors import UsageError


@pytest.mark.parametrize("table", [TableKind.GPT, TableKind.MSDOS])
def test_what_is_written_is_read_as_the_same_type(table: TableKind) -> None:
    for name in types.names(table):
        raw = types.raw_id(types.canonical(name, table), table)
        assert types.mnemonic(raw, table, name=name) == name
        assert types.normalise_id(raw.upper()) == raw


def test_other_ids_of_a_type() -> None:
    assert types.mnemonic(types.normalise_id("0xf"), TableKind.MSDOS) == "EXTENDED"
    assert types.mnemonic("a7", TableKind.MSDOS) == "CACHE"
    assert types.mnemonic("4f68bce3-e8cd-4db1-96e7-fbcaf984b709", TableKind.GPT) == "LINUX"
    assert types.mnemonic("99", TableKind.MSDOS) == "UNKNOWN"


def test_a_gpt_cache_is_a_linux_partition_of_that_name() -> None:
    linux = types.raw_id("LINUX", TableKind.GPT)
    assert types.raw_id("CACHE", TableKind.GPT) == linux
    assert types.mnemonic(linux, TableKind.GPT, name="CACHE") == "CACHE"
    assert types.mnemonic(linux, TableKind.GPT, name="cache of a user") == "LINUX"


def test_an_unknown_type_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="LINUX-SWAP"):
        types.canonical("LINX", TableKind.GPT)
    with pytest.raises(UsageError, match="not a partition type of a gpt table"):
        types.canonical("EXTENDED", TableKind.GPT)
