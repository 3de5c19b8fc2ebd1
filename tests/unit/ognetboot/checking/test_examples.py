# SPDX-License-Identifier: GPL-3.0-or-later
"""The published examples have no fault."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from ognetboot.checking.loader_limits import Loaders
from ognetboot.checking.report import check

EXAMPLES = sorted((Path(__file__).parents[4] / "pxe/examples").glob("*.toml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_a_published_example_has_no_fault(path: Path) -> None:
    found = check(path, allow_test=False, loaders=Loaders(old=False), now=datetime.now(UTC))
    assert found.told == ()
